//! Queries.

use super::body::is_boxed;
use super::{AppliedSwitch, NormalizedRequest, Switch, Switches};
use crate::domain::filter::FilterOp;
use crate::scim::error::{Result, ScimError, ScimType};
use crate::scim::filter::{FilterAst, Literal};
use crate::scim::path::AttrPath;
use crate::scim::query::Params;
use crate::scim::resource::is_padded;
use crate::scim::schema::{AttrType, Attribute, AttributeTarget, Located, ResourceSchema};

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
    if text.trim().is_empty() || FilterAst::parse(text.trim()).is_ok_and(|filter| filter.find_path(&personal).is_none())
    {
        return Ok(());
    }
    let text = "Send this filter in the body of a POST to .search: it holds personal data, which does not belong into \
        an address.";
    Err(ScimError::new(ScimType::Sensitive, text))
}

pub(super) fn translate(
    switches: &Switches,
    resource: Option<ResourceSchema<'_>>,
    mut params: Params,
) -> NormalizedRequest<Params> {
    let mut acts = Vec::new();
    if params.filter.as_deref().is_some_and(|text| text.trim().is_empty()) && switches.is_on(Switch::EmptyStringClears)
    {
        acts.push(AppliedSwitch { switch: Switch::EmptyStringClears, at: "filter".to_owned() });
        params.filter = None;
    }
    if let Some(text) = params.filter.take() {
        params.filter = Some(filter(switches, resource, text, &mut acts));
    }
    NormalizedRequest { request: params, acts }
}

/// The filter in strict form; as it is when it cannot be read.
fn filter(
    switches: &Switches,
    resource: Option<ResourceSchema<'_>>,
    text: String,
    acts: &mut Vec<AppliedSwitch>,
) -> String {
    let mut act = |switch| acts.push(AppliedSwitch { switch, at: "filter".to_owned() });
    let mut changed = false;
    let mut tree = match FilterAst::parse(text.trim()) {
        Ok(tree) => match loosened(switches, resource, &tree, &text) {
            Some(loose) => {
                act(Switch::LooseFilter);
                changed = true;
                loose
            }
            None => tree,
        },
        Err(_) if switches.is_on(Switch::LooseFilter) => match FilterAst::parse_lenient(text.trim()) {
            Ok(tree) => {
                act(Switch::LooseFilter);
                changed = true;
                let mut tree = tree;
                resource.map(|resource| completed(resource, &mut tree) | number_as_text(resource, &mut tree));
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
    if let (true, Some(resource)) = (switches.is_on(Switch::TrimmedNames), resource)
        && trim_names(resource, &mut tree)
    {
        act(Switch::TrimmedNames);
        changed = true;
    }
    if changed { tree.to_string() } else { text }
}

/// Takes white space off names that are asked for whole, as it is taken off where they are given; says whether it did.
fn trim_names(resource: ResourceSchema<'_>, tree: &mut FilterAst) -> bool {
    match tree {
        FilterAst::And(parts) | FilterAst::Or(parts) => {
            let mut changed = false;
            for part in parts {
                changed |= trim_names(resource, part);
            }
            changed
        }
        FilterAst::Not(part) => trim_names(resource, part),
        FilterAst::Compare { path, op: FilterOp::Eq, value: Literal::Text(text) } if is_padded(text) => {
            let unique = leaf_of(resource, None, path).is_some_and(Attribute::is_unique_name);
            if unique {
                *text = text.trim().to_owned();
            }
            unique
        }
        _ => false,
    }
}

/// The filter with whole paths, and with numbers as texts where a text is compared; none when it has no need of either.
/// Read again from `text` where it has numbers, so that they stay as they are written.
fn loosened(
    switches: &Switches,
    resource: Option<ResourceSchema<'_>>,
    strict: &FilterAst,
    text: &str,
) -> Option<FilterAst> {
    let resource = resource.filter(|_| switches.is_on(Switch::LooseFilter))?;
    let mut tree = strict.clone();
    let changed = completed(resource, &mut tree);
    if !number_as_text(resource, &mut tree) {
        return changed.then_some(tree);
    }
    let mut tree = FilterAst::parse_lenient(text.trim()).ok()?;
    completed(resource, &mut tree);
    number_as_text(resource, &mut tree);
    Some(tree)
}

/// Completes paths that say enough to be understood: `department` lies in the one extension that has it, and to compare
/// `manager` is to compare its `value`. Says whether it did.
fn completed(resource: ResourceSchema<'_>, tree: &mut FilterAst) -> bool {
    match tree {
        FilterAst::And(parts) | FilterAst::Or(parts) => {
            parts.iter_mut().fold(false, |changed, part| completed(resource, part) | changed)
        }
        FilterAst::Not(part) => completed(resource, part),
        FilterAst::Present(path) | FilterAst::Each { path, .. } => qualified(resource, path),
        FilterAst::Compare { path, .. } => {
            let changed = qualified(resource, path);
            let Some(Located::Attribute(AttributeTarget { attr, sub: None, .. })) = resource.locate(path) else {
                return changed;
            };
            if !is_boxed(attr) {
                return changed;
            }
            path.sub = Some("value".to_owned());
            true
        }
    }
}

/// Gives a path the URN of the extension its attribute is of; says whether it did.
fn qualified(resource: ResourceSchema<'_>, path: &mut AttrPath) -> bool {
    if path.urn.is_some() || resource.locate(path).is_some() {
        return false;
    }
    let Some(Located::Attribute(AttributeTarget { extension: Some(schema), .. })) = resource.locate_loosely(path)
    else {
        return false;
    };
    path.urn = Some(schema.id.clone());
    true
}

/// Turns `12345` into `"12345"` where a text is compared; says whether it did.
pub(super) fn number_as_text(resource: ResourceSchema<'_>, tree: &mut FilterAst) -> bool {
    let mut changed = false;
    tree.comparisons_mut(&mut |outer, path, value| {
        if let Literal::Number(number) = value
            && leaf_of(resource, outer, path).is_some_and(|leaf| matches!(leaf.kind, AttrType::String))
        {
            *value = Literal::Text(number.to_string());
            changed = true;
        }
    });
    changed
}

/// Turns `"True"` into `true` where a boolean is compared; says whether it did.
pub(super) fn unquote(resource: ResourceSchema<'_>, tree: &mut FilterAst) -> bool {
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

fn is_boolean(resource: ResourceSchema<'_>, outer: Option<&AttrPath>, path: &AttrPath) -> bool {
    leaf_of(resource, outer, path).is_some_and(|leaf| leaf.kind == AttrType::Boolean)
}

/// What a path in a filter ends at; inside of a value path of `outer`, when there is one.
fn leaf_of<'s>(resource: ResourceSchema<'s>, outer: Option<&AttrPath>, path: &AttrPath) -> Option<&'s Attribute> {
    let Some(Located::Attribute(target)) = resource.locate(outer.unwrap_or(path)) else {
        return None;
    };
    match outer {
        Some(_) => target.attr.sub(&path.name),
        // A list stands for its values.
        None if target.sub.is_none() && target.attr.multi_valued => target.attr.sub("value").or(Some(target.attr)),
        None => Some(target.leaf()),
    }
}
