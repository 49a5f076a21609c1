//! The bounds that the handlers keep, in the description: what it declares allowed is taken, what it does not is refused.
use serde_json::{Value, json};
use utoipa::openapi::OpenApi as Document;

use super::page;
use crate::admin::{NAME_CHARACTERS, SLUG_PATTERN};

/// Members of bodies that are names: the schema, the member, and the fewest characters.
const NAMES: [(&str, &str, usize); 11] = [
    ("NewPartnerBody", "name", 1),
    ("NewPartnerBody", "external_id", 0),
    ("Cause", "reason", 1),
    ("NewDirectoryBody", "name", 1),
    ("NewTokenBody", "name", 1),
    ("NewClientBody", "name", 1),
    ("NewConnectionBody", "profile", 1),
    ("NewConnectionBody", "matching_attribute", 0),
    ("ChangeBody", "profile", 1),
    ("ChangeBody", "matching_attribute", 0),
    ("NewConnectionBody", "slug", 1),
];

/// The description with the bounds written into it.
pub(super) fn declare(document: Document) -> Document {
    let Ok(mut described) = serde_json::to_value(&document) else { return document };
    let paths = described.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                if let Some(schema) = parameter_schema(path, parameter)
                    && let Some(parameter) = parameter.as_object_mut()
                {
                    parameter.insert("schema".to_owned(), schema);
                }
            }
        }
    }
    for (schema, member, least) in NAMES {
        let place = format!("/components/schemas/{schema}/properties/{member}");
        let Some(found) = described.pointer_mut(&place).and_then(Value::as_object_mut) else { continue };
        if member == "slug" {
            found.insert("pattern".to_owned(), SLUG_PATTERN.into());
        } else {
            found.insert("minLength".to_owned(), least.into());
            found.insert("maxLength".to_owned(), NAME_CHARACTERS.into());
        }
    }
    serde_json::from_value(described).unwrap_or(document)
}

/// What a parameter takes; none where its type says all of it. No parameter is null: it is sent or it is not.
fn parameter_schema(path: &str, parameter: &Value) -> Option<Value> {
    let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(match (text("in"), text("name")) {
        ("path", "slug") => json!({"type": "string", "pattern": SLUG_PATTERN}),
        ("query", "limit") => {
            json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": page::MOST, "default": page::USUAL})
        }
        ("query", "q") => json!({"type": "string", "maxLength": page::MOST_SEARCHED}),
        ("query", "after") if path == "/api/v1/events" => json!({"type": "integer", "format": "int64", "minimum": 0}),
        ("query", "after") => json!({"type": "string"}),
        _ => return None,
    })
}
