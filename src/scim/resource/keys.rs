//! The comparable twin of a document.

use super::Document;
use crate::domain::text::fold;
use crate::scim::schema::{AttrType, Attribute, ResourceSchema, find};
use crate::scim::value::micros;
use serde_json::{Map, Value};

/// The comparable twin: the document's shape with every value in the form it
/// is compared in.
///
/// - text whose case does not count: [`fold`]ed;
/// - text whose case counts, references and base64: as they are;
/// - dateTime: microseconds since 1970 UTC, as an integer;
/// - booleans and numbers: as they are.
///
/// A filter resolved by `scim::filter` carries its constants in the same form,
/// so the store compares plainly. Secret attributes are left out: nobody may
/// find a resource by them.
#[must_use]
pub fn keys(resource: ResourceSchema<'_>, document: &Document) -> Value {
    let mut twin = Map::new();
    for (key, value) in document {
        let made = match (resource.attribute(key), value) {
            (Some(attr), value) => comparable(attr, value),
            (None, Value::Object(inner)) => resource.extension(key).map(|schema| object(&schema.attributes, inner)),
            _ => None,
        };
        if let Some(made) = made {
            twin.insert(key.clone(), made);
        }
    }
    Value::Object(twin)
}

fn object(attributes: &[Attribute], map: &Document) -> Value {
    let mut twin = Map::new();
    for (key, value) in map {
        if let Some(made) = find(attributes, key).and_then(|attr| comparable(attr, value)) {
            twin.insert(key.clone(), made);
        }
    }
    Value::Object(twin)
}

fn comparable(attr: &Attribute, value: &Value) -> Option<Value> {
    if attr.is_secret() {
        return None;
    }
    Some(match value {
        Value::Array(items) => items.iter().filter_map(|item| comparable(attr, item)).collect(),
        Value::Object(map) => object(&attr.sub_attributes, map),
        Value::String(text) if attr.kind == AttrType::DateTime => Value::from(micros(text)?),
        Value::String(text) if attr.kind == AttrType::String && !attr.case_exact => Value::String(fold(text)),
        other => other.clone(),
    })
}
