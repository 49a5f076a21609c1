//! Values as the schema wants them.

use super::{MAX_ELEMENTS, Rules, outside};
use crate::domain::text::fold;
use crate::scim::error::{Result, ScimError, invalid_value};
use crate::scim::json::type_name;
use crate::scim::reference::target;
use crate::scim::schema::{AttrType, Attribute, Mutability};
use crate::scim::value::{is_base64, is_reference, micros};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Paths noted in one request at most; more only says the same.
const MAX_NOTES: usize = 100;

/// Makes values canonical under given rules, and notes what it leaves out.
pub(crate) struct Canon {
    pub rules: Rules,
    pub ignored: Vec<String>,
}

impl Canon {
    pub fn new(rules: Rules) -> Self {
        Self { rules, ignored: Vec::new() }
    }

    /// Notes an unknown path, or refuses it with `error`.
    pub fn unknown(&mut self, path: &str, error: fn(String) -> ScimError) -> Result<()> {
        if self.rules.refuse_unknown {
            return Err(error(format!("There is no attribute \"{path}\" here.")));
        }
        if self.ignored.len() < MAX_NOTES {
            self.ignored.push(path.to_owned());
        }
        Ok(())
    }

    /// The value of a whole attribute; none when it comes to nothing (A06).
    pub fn attribute(&mut self, attr: &Attribute, value: Value) -> Result<Option<Value>> {
        if !attr.multi_valued {
            return self.single(attr, &attr.name, value);
        }
        let Some(list) = self.list(attr, value)? else {
            return Ok(None);
        };
        let list = tidy(attr, list)?;
        Ok((!list.is_empty()).then_some(Value::Array(list)))
    }

    /// The elements of a multi-valued attribute, not yet compared with each
    /// other.
    pub fn list(&mut self, attr: &Attribute, value: Value) -> Result<Option<Vec<Value>>> {
        let items = match value {
            Value::Null => return Ok(None),
            Value::Array(items) => items,
            other => return Err(wrong(&attr.name, "an array", &other)),
        };
        if items.len() > MAX_ELEMENTS {
            let text = format!("\"{}\" holds more than {MAX_ELEMENTS} values.", attr.name);
            return Err(invalid_value(text));
        }
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            list.extend(self.single(attr, &attr.name, item)?);
        }
        Ok(Some(list))
    }

    /// One value of `attr`'s type; an element when it is multi-valued.
    pub fn single(&mut self, attr: &Attribute, path: &str, value: Value) -> Result<Option<Value>> {
        if value.is_null() {
            return Ok(None);
        }
        let checked = match (attr.kind, value) {
            (AttrType::Complex, Value::Object(map)) => return self.object(attr, path, map),
            (AttrType::String, Value::String(text)) => self.text(attr, path, text)?,
            (AttrType::Boolean, value @ Value::Bool(_)) => value,
            (AttrType::Integer, Value::Number(n)) if n.as_i64().is_some() => Value::Number(n),
            (AttrType::Decimal, value @ Value::Number(_)) => value,
            (AttrType::DateTime, Value::String(text)) if micros(&text).is_some() => text.into(),
            (AttrType::Binary, Value::String(text)) if is_base64(&text) => text.into(),
            (AttrType::Reference, Value::String(text)) if is_reference(&text) => text.into(),
            (kind, value) => return Err(wrong(path, wanted(kind), &value)),
        };
        Ok(Some(checked))
    }

    fn text(&self, attr: &Attribute, path: &str, text: String) -> Result<Value> {
        if text.contains('\0') {
            // PostgreSQL cannot keep it. SCIM refuses it where JSON is read; other connections bring values of their own.
            return Err(invalid_value(format!("\"{path}\" must not hold the character U+0000.")));
        }
        if attr.is_unique_name() && is_padded(&text) && !text.trim().is_empty() {
            return Err(invalid_value(format!("\"{path}\" must not begin or end with white space.")));
        }
        let known = &attr.canonical_values;
        let odd =
            self.rules.refuse_uncanonical && !known.is_empty() && !known.iter().any(|k| k.eq_ignore_ascii_case(&text));
        if odd {
            let list = known.join(", ");
            return Err(invalid_value(format!("\"{path}\" must be one of: {list}.")));
        }
        Ok(Value::String(text))
    }

    fn object(&mut self, attr: &Attribute, path: &str, map: Map<String, Value>) -> Result<Option<Value>> {
        let mut made = Map::new();
        for (key, value) in map {
            let Some(sub) = attr.sub(&key) else {
                self.unknown(&format!("{path}.{key}"), invalid_value)?;
                continue;
            };
            if sub.mutability == Mutability::ReadOnly {
                continue;
            }
            let full = format!("{path}.{}", sub.name);
            let Some(value) = self.single(sub, &full, value)? else {
                continue;
            };
            if made.insert(sub.name.clone(), value).is_some() {
                return Err(invalid_value(format!("\"{full}\" is given twice.")));
            }
        }
        if let Some(Value::String(url)) = attr.names_user().then(|| made.remove("$ref")).flatten()
            && !made.contains_key("value")
        {
            let (_, id) = target(&url).ok_or_else(|| outside(path))?;
            made.insert("value".to_owned(), id.into());
        }
        if made.is_empty() {
            return Ok(None);
        }
        let missing = attr
            .sub_attributes
            .iter()
            .find(|s| s.required && s.mutability != Mutability::ReadOnly && !made.contains_key(&s.name));
        match missing {
            Some(sub) => Err(invalid_value(format!("\"{path}.{}\" is required.", sub.name))),
            None => Ok(Some(Value::Object(made))),
        }
    }
}

fn wanted(kind: AttrType) -> &'static str {
    match kind {
        AttrType::String => "a string",
        AttrType::Boolean => "true or false",
        AttrType::Integer => "a whole number",
        AttrType::Decimal => "a number",
        AttrType::DateTime => "a date and time, such as \"2026-01-31T08:00:00Z\"",
        AttrType::Binary => "base64 text",
        AttrType::Reference => "a URI",
        AttrType::Complex => "an object",
    }
}

fn wrong(path: &str, wanted: &str, found: &Value) -> ScimError {
    let found = type_name(found);
    invalid_value(format!("\"{path}\" must be {wanted}, not {found} like the one given."))
}

/// Whether white space stands before or after a text. Nobody sees it there: two names that differ in nothing else are one.
pub(crate) fn is_padded(text: &str) -> bool {
    text.trim().len() < text.len()
}

/// Drops repeated elements (A05) and checks `primary` (A04).
pub(crate) fn tidy(attr: &Attribute, list: Vec<Value>) -> Result<Vec<Value>> {
    if list.iter().filter(|item| is_primary(item)).count() > 1 {
        let text = format!("\"{}\" has more than one primary value.", attr.name);
        return Err(invalid_value(text));
    }
    let mut seen = HashSet::with_capacity(list.len());
    let mut kept: Vec<Value> = Vec::with_capacity(list.len());
    for item in list {
        let key = element_key(attr, &item);
        if seen.insert(key.clone()) {
            kept.push(item);
        } else if is_primary(&item) {
            let twin = kept.iter_mut().find(|k| element_key(attr, k) == key);
            if let Some(Value::Object(twin)) = twin {
                twin.insert("primary".into(), Value::Bool(true));
            }
        }
    }
    Ok(kept)
}

/// Whether an element is marked as the preferred one.
pub(crate) fn is_primary(item: &Value) -> bool {
    item.get("primary") == Some(&Value::Bool(true))
}

/// What makes an element the same as another: type and value where it has a
/// value, else all of it. Case counts only where the schema says so.
pub(crate) fn element_key(attr: &Attribute, item: &Value) -> String {
    let Value::Object(map) = item else {
        return comparable(attr, item);
    };
    let part = |name: &str| match (attr.sub(name), map.get(name)) {
        (Some(sub), Some(value)) => comparable(sub, value),
        _ => String::new(),
    };
    if map.contains_key("value") {
        return format!("{}\0{}", part("type"), part("value"));
    }
    let rest = attr.sub_attributes.iter().filter(|sub| sub.name != "primary");
    let parts: Vec<String> = rest.map(|sub| part(&sub.name)).collect();
    parts.join("\0\0")
}

fn comparable(attr: &Attribute, value: &Value) -> String {
    match value {
        Value::String(text) if attr.kind == AttrType::String && !attr.case_exact => fold(text),
        Value::String(text) if attr.kind == AttrType::DateTime => {
            micros(text).map_or_else(|| text.clone(), |at| at.to_string())
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
