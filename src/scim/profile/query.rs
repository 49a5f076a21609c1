//! Queries.

use super::{Act, Switch, Switches, Translated};
use crate::scim::error::{Result, ScimError, ScimType};
use crate::scim::filter::{Filter, Literal};
use crate::scim::path::AttrPath;
use crate::scim::query::Params;
use crate::scim::schema::{AttrType, Located, Resource};

/// Attributes that say nothing of who somebody is.
const IMPERSONAL: [&str; 6] = ["id", "externalId", "active", "meta", "schemas", "groups"];

/// Refuses personal data in an address, which ends up in the logs of whatever stands between; the body of a `.search`
/// does not (RFC 7644 §7.5.2).
pub(super) fn check_address(switches: &Switches, params: &Params) -> Result<()> {
    let Some(text) = params.filter.as_deref().filter(|_| switches.is_on(Switch::SensitiveFilters)) else {
        return Ok(());
    };
    let personal = |path: &AttrPath| !IMPERSONAL.iter().any(|name| path.name.eq_ignore_ascii_case(name));
    // What cannot be read may name anything.
    if Filter::parse(text.trim()).is_ok_and(|filter| filter.find_path(&personal).is_none()) {
        return Ok(());
    }
    let text = "Send this filter in the body of a POST to .search: it holds personal data, which does not belong into \
        an address.";
    Err(ScimError::new(ScimType::Sensitive, text))
}

pub(super) fn translate(switches: &Switches, resource: Option<Resource<'_>>, mut params: Params) -> Translated<Params> {
    let mut acts = Vec::new();
    if let Some(text) = params.filter.take() {
        params.filter = Some(filter(switches, resource, text, &mut acts));
    }
    Translated { request: params, acts }
}

/// The filter in strict form; as it is when it cannot be read.
fn filter(switches: &Switches, resource: Option<Resource<'_>>, text: String, acts: &mut Vec<Act>) -> String {
    let mut act = |switch| acts.push(Act { switch, at: "filter".to_owned() });
    let mut changed = false;
    let mut tree = match Filter::parse(text.trim()) {
        Ok(tree) => tree,
        Err(_) if switches.is_on(Switch::LooseFilter) => match Filter::parse_lenient(text.trim()) {
            Ok(tree) => {
                act(Switch::LooseFilter);
                changed = true;
                tree
            }
            Err(_) => return text,
        },
        Err(_) => return text,
    };
    if let (true, Some(resource)) = (switches.is_on(Switch::QuotedBooleanInFilter), resource)
        && unquote(resource, &mut tree)
    {
        act(Switch::QuotedBooleanInFilter);
        changed = true;
    }
    if changed { tree.to_string() } else { text }
}

/// Turns `"True"` into `true` where a boolean is compared; says whether it did.
pub(super) fn unquote(resource: Resource<'_>, tree: &mut Filter) -> bool {
    let mut changed = false;
    tree.comparisons_mut(&mut |outer, path, value| {
        let Literal::Text(text) = value else {
            return;
        };
        let truth = match text.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return,
        };
        if is_boolean(resource, outer, path) {
            *value = Literal::Bool(truth);
            changed = true;
        }
    });
    changed
}

fn is_boolean(resource: Resource<'_>, outer: Option<&AttrPath>, path: &AttrPath) -> bool {
    let Some(Located::Attribute(target)) = resource.locate(outer.unwrap_or(path)) else {
        return false;
    };
    let leaf = match outer {
        Some(_) => target.attr.sub(&path.name),
        None => Some(target.leaf()),
    };
    leaf.is_some_and(|leaf| leaf.kind == AttrType::Boolean)
}
