//! Reading an extension schema from configuration (A19, RFC 7643 §7).

use super::{AttrType, Attribute, Mutability, Returned, Schema, Uniqueness, build, find};
use crate::scim::path::is_attribute_name;
use serde_json::{Map, Value};

/// What is wrong with a schema document, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema {schema}: {text}")]
pub struct SchemaProblem {
    schema: String,
    text: String,
}

impl SchemaProblem {
    pub(super) fn new(schema: &str, text: &str) -> Self {
        Self { schema: schema.to_owned(), text: text.to_owned() }
    }
}

type Loaded<T> = Result<T, SchemaProblem>;

/// A schema from a SCIM Schema resource.
pub(super) fn schema(document: &Value) -> Loaded<Schema> {
    let Some(map) = document.as_object() else {
        return Err(SchemaProblem::new("(unnamed)", "the document is not a JSON object"));
    };
    let Some(id) = map.get("id").and_then(Value::as_str) else {
        return Err(SchemaProblem::new("(unnamed)", "\"id\" (the URN) is missing"));
    };
    let bad = |text: &str| SchemaProblem::new(id, text);
    let charset = |c: char| c.is_ascii_alphanumeric() || ":-_./%".contains(c);
    if !id.contains(':') || !id.chars().all(charset) {
        return Err(bad("\"id\" must be a URN, such as urn:example:params:scim:extension:2.0:User"));
    }
    let name = text(map, "name").unwrap_or(id);
    let listed = map.get("attributes").and_then(Value::as_array);
    let Some(listed) = listed.filter(|list| !list.is_empty()) else {
        return Err(bad("\"attributes\" must be a list with at least one attribute"));
    };
    let mut attributes = Vec::with_capacity(listed.len());
    for entry in listed {
        let made = attribute(id, entry, false)?;
        if find(&attributes, &made.name).is_some() {
            return Err(bad(&format!("the attribute \"{}\" is listed twice", made.name)));
        }
        attributes.push(made);
    }
    Ok(Schema {
        id: id.to_owned(),
        name: name.to_owned(),
        description: text(map, "description").unwrap_or_default().to_owned(),
        attributes,
    })
}

fn attribute(schema: &str, entry: &Value, nested: bool) -> Loaded<Attribute> {
    let Some(map) = entry.as_object() else {
        return Err(SchemaProblem::new(schema, "every attribute must be a JSON object"));
    };
    let Some(name) = text(map, "name") else {
        return Err(SchemaProblem::new(schema, "an attribute has no \"name\""));
    };
    let bad = |text: String| SchemaProblem::new(schema, &format!("attribute \"{name}\": {text}"));
    if !is_attribute_name(name) {
        return Err(bad("the name must begin with a letter and hold only letters, digits, - and _".into()));
    }
    let word = text(map, "type").unwrap_or("string");
    let Some(kind) = AttrType::parse(word) else {
        return Err(bad(format!("unknown type \"{word}\"")));
    };
    let mut made = build::attribute(name, kind, text(map, "description").unwrap_or_default());
    made.multi_valued = flag(map, "multiValued", false).map_err(bad)?;
    made.required = flag(map, "required", false).map_err(bad)?;
    made.case_exact = flag(map, "caseExact", made.case_exact).map_err(bad)?;
    made.mutability = choice(map, "mutability", Mutability::parse, made.mutability).map_err(bad)?;
    made.returned = choice(map, "returned", Returned::parse, made.returned).map_err(bad)?;
    made.uniqueness = choice(map, "uniqueness", Uniqueness::parse, made.uniqueness).map_err(bad)?;
    made.canonical_values = words(map, "canonicalValues").map_err(bad)?;
    made.reference_types = words(map, "referenceTypes").map_err(bad)?;
    if made.uniqueness != Uniqueness::None {
        return Err(bad("uniqueness of extension attributes is not enforced; use \"none\"".into()));
    }
    let subs = map.get("subAttributes").and_then(Value::as_array);
    match (kind == AttrType::Complex, subs) {
        _ if nested && made.multi_valued => {
            return Err(bad("a sub-attribute cannot be multi-valued".into()));
        }
        (true, _) if nested => return Err(bad("a sub-attribute cannot be complex".into())),
        (true, Some(subs)) if !subs.is_empty() => {
            for entry in subs {
                let sub = attribute(schema, entry, true)?;
                if made.sub(&sub.name).is_some() {
                    return Err(bad(format!("the sub-attribute \"{}\" is listed twice", sub.name)));
                }
                made.sub_attributes.push(sub);
            }
        }
        (true, _) => return Err(bad("a complex attribute needs \"subAttributes\"".into())),
        (false, Some(subs)) if !subs.is_empty() => {
            return Err(bad("only a complex attribute can have \"subAttributes\"".into()));
        }
        _ => {}
    }
    Ok(made)
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn flag(map: &Map<String, Value>, key: &str, default: bool) -> Result<bool, String> {
    match map.get(key) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(format!("\"{key}\" must be true or false")),
    }
}

fn choice<T>(map: &Map<String, Value>, key: &str, parse: fn(&str) -> Option<T>, default: T) -> Result<T, String> {
    match map.get(key) {
        None => Ok(default),
        Some(value) => value.as_str().and_then(parse).ok_or_else(|| format!("\"{key}\" has an unknown value")),
    }
}

fn words(map: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let bad = || format!("\"{key}\" must be a list of strings");
    match map.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(bad)).collect()
        }
        Some(_) => Err(bad()),
    }
}
