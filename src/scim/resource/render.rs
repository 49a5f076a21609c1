//! Resources as they are sent: the document with what the server adds.

use super::{Document, MemberKind};
use crate::scim::etag::Version;
use crate::scim::schema::{Attribute, ResourceSchema, Schema};
use crate::scim::value::date_time;
use serde_json::{Map, Value, json};

/// What the server knows about a resource beside its document.
#[derive(Debug, Clone, Copy)]
pub struct ResourceIdentity<'a> {
    /// The id.
    pub id: &'a str,
    /// Microseconds since 1970 UTC.
    pub created: i64,
    /// Microseconds since 1970 UTC.
    pub last_modified: i64,
    /// The version counter.
    pub version: Version,
}

/// Adds `id` and `meta` to a document (B01, B03–B05). `base` is the base URL
/// of the connection, without trailing slash.
#[must_use]
pub fn resource(kind: ResourceSchema<'_>, mut document: Document, who: ResourceIdentity<'_>, base: &str) -> Document {
    document.insert("id".into(), who.id.into());
    document.insert(
        "meta".into(),
        json!({
            "resourceType": kind.kind.name,
            "created": date_time(who.created),
            "lastModified": date_time(who.last_modified),
            "location": location(kind, who.id, base),
            "version": who.version.to_string(),
        }),
    );
    document
}

/// The URL of a resource, also for Location headers (H01).
#[must_use]
pub fn location(kind: ResourceSchema<'_>, id: &str, base: &str) -> String {
    format!("{base}{}/{id}", kind.kind.endpoint)
}

/// The ids of users that a document names, such as a manager's; not yet checked to be any.
#[must_use]
pub fn users_named<'d>(kind: ResourceSchema<'_>, document: &'d Document) -> Vec<&'d str> {
    let value = |(extension, attr): (Option<&Schema>, &Attribute)| {
        let map = match extension {
            None => Some(document),
            Some(schema) => document.get(&schema.id).and_then(Value::as_object),
        };
        map?.get(&attr.name)?.get("value")?.as_str()
    };
    naming(kind).filter_map(value).collect()
}

/// Gives every user that a document names its URL (RFC 7643 §4.3), as far as it is `known` here.
pub fn link_users(kind: ResourceSchema<'_>, document: &mut Document, known: &dyn Fn(&str) -> bool, base: &str) {
    for (extension, attr) in naming(kind) {
        let map = match extension {
            None => Some(&mut *document),
            Some(schema) => document.get_mut(&schema.id).and_then(Value::as_object_mut),
        };
        let Some(Value::Object(named)) = map.and_then(|map| map.get_mut(&attr.name)) else {
            continue;
        };
        named.remove("$ref");
        let id = named.get("value").and_then(Value::as_str).filter(|id| known(id));
        if let Some(url) = id.map(|id| format!("{base}{}/{id}", MemberKind::User.endpoint())) {
            named.insert("$ref".to_owned(), url.into());
        }
    }
}

/// The attributes that name one user, with the extension they are in.
fn naming<'s>(kind: ResourceSchema<'s>) -> impl Iterator<Item = (Option<&'s Schema>, &'s Attribute)> {
    let core = kind.core.attributes.iter().map(|attr| (None, attr));
    let extensions =
        kind.extensions().flat_map(|(schema, _)| schema.attributes.iter().map(move |attr| (Some(schema), attr)));
    core.chain(extensions).filter(|(_, attr)| attr.names_user())
}

/// One element of a group's `members`.
#[must_use]
pub fn member(kind: MemberKind, id: &str, display: Option<&str>, base: &str) -> Value {
    let url = format!("{base}{}/{id}", kind.endpoint());
    let mut map = Map::new();
    map.insert("value".into(), id.into());
    map.insert("$ref".into(), url.into());
    map.insert("type".into(), kind.as_str().into());
    if let Some(display) = display {
        map.insert("display".into(), display.into());
    }
    Value::Object(map)
}

/// One element of a user's `groups` (C03).
#[must_use]
pub fn group(id: &str, display: Option<&str>, direct: bool, base: &str) -> Value {
    let mut map = Map::new();
    map.insert("value".into(), id.into());
    map.insert("$ref".into(), format!("{base}/Groups/{id}").into());
    map.insert("type".into(), if direct { "direct" } else { "indirect" }.into());
    if let Some(display) = display {
        map.insert("display".into(), display.into());
    }
    Value::Object(map)
}
