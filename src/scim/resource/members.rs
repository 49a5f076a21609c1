//! Members of a group, as a request names them (RFC 7643 §4.2).

use crate::scim::error::{Result, ScimError, invalid_value};
use crate::scim::json::{get, take};
use crate::scim::reference::target;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    /// A user.
    User,
    /// A group.
    Group,
}

impl MemberKind {
    /// The name of the resource type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MemberKind::User => "User",
            MemberKind::Group => "Group",
        }
    }

    /// The endpoint of the resource type.
    #[must_use]
    pub fn endpoint(self) -> &'static str {
        match self {
            MemberKind::User => "/Users",
            MemberKind::Group => "/Groups",
        }
    }
}

/// A member named by a request; whether it exists is the store's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberRef {
    /// The id, not yet checked to be one.
    pub value: String,
    /// What the request says it is.
    pub kind: Option<MemberKind>,
}

/// Takes the members out of the body of a POST or PUT of a group: they may be very many, and the rest of the body may be
/// read more than once. None when the body does not speak of them.
///
/// # Errors
/// 400 `invalidValue`.
pub fn take_members(body: &mut Value) -> Result<Option<Vec<MemberRef>>> {
    let said = body.as_object_mut().and_then(|body| take(body, "members"));
    said.map(|value| read(&value)).transpose()
}

/// The members in `value`: null, an object, or a list of objects; each once.
pub(crate) fn read(value: &Value) -> Result<Vec<MemberRef>> {
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        item @ Value::Object(_) => std::slice::from_ref(item),
        _ => return Err(invalid_value("\"members\" must be an array of objects.")),
    };
    let mut seen = HashSet::with_capacity(items.len());
    let mut members = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::Null => {}
            Value::Object(map) => {
                let (id, kind) = one(map)?;
                if seen.insert(id) {
                    members.push(MemberRef { value: id.to_owned(), kind });
                }
            }
            _ => return Err(invalid_value("Every member must be an object with a \"value\".")),
        }
    }
    Ok(members)
}

/// One member: by `value`, or by the last segment of a `$ref` into this connection (A16); and what it is said to be.
fn one(map: &Map<String, Value>) -> Result<(&str, Option<MemberKind>)> {
    let reference = match get(map, "$ref") {
        None | Some(Value::Null) => None,
        Some(Value::String(url)) => Some(url.as_str()),
        Some(_) => return Err(invalid_value("\"members.$ref\" must be a URI.")),
    };
    let value = match get(map, "value") {
        None | Some(Value::Null) => match reference.map(|url| (url, target(url))) {
            Some((url, None)) if !url.is_empty() => return Err(outside("members")),
            found => found.and_then(|(_, found)| found).map(|(_, id)| id),
        },
        Some(Value::String(id)) => Some(id.as_str()),
        Some(_) => return Err(invalid_value("\"members.value\" must be a string.")),
    };
    let Some(value) = value.filter(|id| !id.is_empty()) else {
        return Err(invalid_value("Every member needs a \"value\", the id of a resource."));
    };
    let said = match get(map, "type") {
        None | Some(Value::Null) => None,
        Some(Value::String(word)) if word.eq_ignore_ascii_case("user") => Some(MemberKind::User),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("group") => Some(MemberKind::Group),
        Some(_) => return Err(invalid_value("\"members.type\" must be \"User\" or \"Group\".")),
    };
    let kind = said.or_else(|| {
        let kinds = [MemberKind::User, MemberKind::Group];
        let (collection, _) = target(reference?)?;
        kinds.into_iter().find(|k| Some(k.endpoint().trim_start_matches('/')) == collection)
    });
    Ok((value, kind))
}

/// The refusal of a reference that points elsewhere.
pub(crate) fn outside(name: &str) -> ScimError {
    invalid_value(format!("\"{name}.$ref\" does not point to a resource of this connection."))
}
