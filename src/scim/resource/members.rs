//! Members of a group, as a request names them (RFC 7643 §4.2).

use crate::domain::id::exact;
use crate::scim::error::{Result, ScimError, invalid_value};
use crate::scim::json::{get, take};
use crate::scim::member_list;
use crate::scim::reference::target;
use serde_json::{Map, Value};
use std::collections::HashSet;
use uuid::Uuid;

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
    named: Named,
    /// What the request says it is.
    pub kind: Option<MemberKind>,
}

/// Requests name very many members: an id takes no more than it must.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Named {
    Id(Uuid),
    /// A text that can be no id of ours.
    Other(Box<str>),
}

impl MemberRef {
    /// The member that a request names by `value`.
    #[must_use]
    pub fn named(value: &str, kind: Option<MemberKind>) -> Self {
        Self { named: exact(value).map_or_else(|| Named::Other(value.into()), Named::Id), kind }
    }

    /// The member that has this id.
    #[must_use]
    pub fn of(id: Uuid, kind: Option<MemberKind>) -> Self {
        Self { named: Named::Id(id), kind }
    }

    /// The id, when it can be one of ours.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match self.named {
            Named::Id(id) => Some(id),
            Named::Other(_) => None,
        }
    }

    /// The text by which the request named it.
    #[must_use]
    pub fn value(&self) -> String {
        match &self.named {
            Named::Id(id) => id.to_string(),
            Named::Other(text) => text.to_string(),
        }
    }
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

/// The members in `value`: null, an object, a list of objects, or a roll of them; each once.
pub(crate) fn read(value: &Value) -> Result<Vec<MemberRef>> {
    if let Some(entries) = member_list::entries(value) {
        return each_once(entries.map(|entry| {
            let kind = kind_named(entry.kind).or_else(|| kind_of_target(entry.reference));
            Ok((entry.value, kind))
        }));
    }
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        item @ Value::Object(_) => std::slice::from_ref(item),
        _ => return Err(invalid_value("\"members\" must be an array of objects.")),
    };
    // A list that is not empty names somebody: one of nothing but nulls is a mistake, and not the wish for nobody.
    if !items.is_empty() && items.iter().all(Value::is_null) {
        return Err(invalid_value("Every member must be an object with a \"value\"."));
    }
    each_once(items.iter().filter(|item| !item.is_null()).map(|item| match item {
        Value::Object(map) => one(map),
        _ => Err(invalid_value("Every member must be an object with a \"value\".")),
    }))
}

fn each_once<'m>(named: impl Iterator<Item = Result<(&'m str, Option<MemberKind>)>>) -> Result<Vec<MemberRef>> {
    let (mut seen, mut members) = (HashSet::new(), Vec::new());
    for member in named {
        let (id, kind) = member?;
        if seen.insert(id) {
            members.push(MemberRef::named(id, kind));
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
        Some(word) => match word.as_str().and_then(kind_named) {
            Some(kind) => Some(kind),
            None => return Err(invalid_value("\"members.type\" must be \"User\" or \"Group\".")),
        },
    };
    Ok((value, said.or_else(|| kind_of_target(reference?))))
}

fn kind_named(word: &str) -> Option<MemberKind> {
    [MemberKind::User, MemberKind::Group].into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
}

/// The kind of the resource that a `$ref` points to, when it says so.
fn kind_of_target(url: &str) -> Option<MemberKind> {
    let (collection, _) = target(url)?;
    [MemberKind::User, MemberKind::Group]
        .into_iter()
        .find(|kind| Some(kind.endpoint().trim_start_matches('/')) == collection)
}

/// The refusal of a reference that points elsewhere.
pub(crate) fn outside(name: &str) -> ScimError {
    invalid_value(format!("\"{name}.$ref\" does not point to a resource of this connection."))
}
