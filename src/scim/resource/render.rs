//! Resources as they are sent: the document with what the server adds.

use super::{Document, MemberKind};
use crate::scim::etag::Version;
use crate::scim::schema::Resource;
use crate::scim::value::date_time;
use serde_json::{Map, Value, json};

/// What the server knows about a resource beside its document.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
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
pub fn resource(kind: Resource<'_>, mut document: Document, who: Identity<'_>, base: &str) -> Document {
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
pub fn location(kind: Resource<'_>, id: &str, base: &str) -> String {
    format!("{base}{}/{id}", kind.kind.endpoint)
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
