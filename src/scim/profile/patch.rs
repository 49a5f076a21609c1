//! PATCH messages.

use super::body::is_boxed;
use super::query::{number_as_text, unquote};
use super::{Switch, Work};
use crate::scim::error::{Result, invalid_syntax, invalid_value};
use crate::scim::filter::FilterAst;
use crate::scim::json::{get, refuse_twins, take};
use crate::scim::member_list::unrolled;
use crate::scim::path::{AttrPath, PatchPath};
use crate::scim::reference::target;
use crate::scim::schema::{AttrType, Attribute, AttributeTarget, Located, Mutability};
use serde_json::{Map, Value, json};

/// Longest list of removals in one path, in bytes; well within the filter's budget.
const MAX_PATH: usize = 4_000;
const OR: &str = " or ";

impl Work<'_> {
    pub(super) fn patch(&mut self, id: &str, body: Value) -> Result<Value> {
        let Value::Object(mut map) = body else {
            return Ok(body);
        };
        if let Some(operations) = take(&mut map, "Operations") {
            let strict = match operations {
                Value::Array(list) => {
                    let mut made = Vec::with_capacity(list.len());
                    for entry in list {
                        self.operation(id, entry, &mut made)?;
                    }
                    Value::Array(made)
                }
                other => other,
            };
            map.insert("Operations".into(), strict);
        }
        Ok(Value::Object(map))
    }

    fn operation(&mut self, id: &str, entry: Value, made: &mut Vec<Value>) -> Result<()> {
        let Value::Object(mut map) = entry else {
            made.push(entry);
            return Ok(());
        };
        refuse_twins(&map)?;
        let op = match take(&mut map, "op") {
            Some(Value::String(op)) => self.op(op),
            other => {
                map.extend(other.map(|op| ("op".to_owned(), op)));
                made.push(Value::Object(map));
                return Ok(());
            }
        };
        let value = take(&mut map, "value");
        match take(&mut map, "path") {
            Some(Value::String(path)) if !path.is_empty() => {
                let path = self.path(path);
                if op != "remove" && value.as_ref().is_some_and(|value| self.is_core(&path, value)) {
                    self.act(Switch::CoreUrn, &path);
                    return self.pathless(id, op, value, made);
                }
                self.with_path(op, path, value, made)
            }
            None | Some(Value::Null | Value::String(_)) => self.pathless(id, op, value, made),
            Some(other) => {
                made.push(operation(&op, Some(other), value));
                Ok(())
            }
        }
    }

    fn op(&mut self, op: String) -> String {
        let lower = op.to_ascii_lowercase();
        if lower == op || !self.on(Switch::OpCase) || !["add", "remove", "replace"].contains(&lower.as_str()) {
            return op;
        }
        self.act(Switch::OpCase, &lower);
        lower
    }

    /// The path with legacy URNs and quoted booleans put right.
    pub(super) fn path(&mut self, path: String) -> String {
        let path = self.modern_key(path);
        let path = self.qualified(path);
        let path = self.quoted(path);
        if !path.contains('[') || !self.on(Switch::QuotedBooleanInFilter) {
            return path;
        }
        let Ok(PatchPath { attr, filter: Some(filter), sub }) = PatchPath::parse(&path) else {
            return path;
        };
        let mut tree = FilterAst::Each { path: attr.clone(), inner: Box::new(filter) };
        if !unquote(self.resource, &mut tree) {
            return path;
        }
        self.act(Switch::QuotedBooleanInFilter, &path);
        let FilterAst::Each { inner, .. } = tree else {
            return path;
        };
        PatchPath { attr, filter: Some(*inner), sub }.to_string()
    }

    /// The path with the URN of the extension that its attribute is of.
    fn qualified(&mut self, path: String) -> String {
        if path.contains(':') || !self.on(Switch::DottedKeys) {
            return path;
        }
        let head = path.split('[').next().unwrap_or_default();
        let Some(attr) = AttrPath::parse(head).filter(|attr| self.resource.locate(attr).is_none()) else {
            return path;
        };
        match self.resource.locate_loosely(&attr) {
            Some(Located::Attribute(AttributeTarget { extension: Some(schema), .. })) => {
                self.act(Switch::DottedKeys, &path);
                format!("{}:{path}", schema.id)
            }
            _ => path,
        }
    }

    /// The path with the values in its filter in quotation marks.
    fn quoted(&mut self, path: String) -> String {
        if !path.contains('[') || !self.on(Switch::LooseFilter) {
            return path;
        }
        let strict = PatchPath::parse(&path).ok();
        let Ok(PatchPath { attr, filter: Some(filter), sub }) = PatchPath::parse_lenient(&path) else {
            return path;
        };
        let mut tree = FilterAst::Each { path: attr.clone(), inner: Box::new(filter) };
        let numbers = number_as_text(self.resource, &mut tree);
        if strict.is_some() && !numbers {
            return path;
        }
        self.act(Switch::LooseFilter, &path);
        match tree {
            FilterAst::Each { inner, .. } => PatchPath { attr, filter: Some(*inner), sub }.to_string(),
            _ => path,
        }
    }

    fn with_path(&mut self, op: String, path: String, value: Option<Value>, made: &mut Vec<Value>) -> Result<()> {
        let parsed = PatchPath::parse(&path).ok();
        let located = parsed.as_ref().and_then(|p| self.resource.locate(&p.attr));
        let (Some(parsed), Some(located)) = (parsed, located) else {
            made.push(operation(&op, Some(path.into()), value));
            return Ok(());
        };
        let target = match located {
            Located::Attribute(target) => target,
            Located::Extension(schema) => {
                let value = value.map(|value| self.extension(schema, value));
                made.push(operation(&op, Some(path.into()), value));
                return Ok(());
            }
        };
        let leaf = match &parsed.sub {
            Some(name) => target.attr.sub(name),
            None => Some(target.leaf()),
        };
        let Some(leaf) = leaf else {
            made.push(operation(&op, Some(path.into()), value));
            return Ok(());
        };
        if op == "remove" {
            return self.remove(leaf, &parsed, path, value, made);
        }
        let cleared = value.as_ref().is_some_and(is_empty_text);
        if cleared && self.clears(leaf, leaf.kind != AttrType::Boolean) {
            if op == "add" {
                self.act(Switch::EmptyStringClears, &path);
                // To add nothing takes nothing away (RFC 7644 §3.5.2.1).
                made.push(no_operation());
                return Ok(());
            }
            let every = target.attr.multi_valued && parsed.filter.is_none();
            if every || leaf.multi_valued || (leaf.kind == AttrType::Complex && !is_boxed(leaf)) {
                let name = &target.attr.name;
                let text =
                    format!("An empty text does not clear \"{name}\"; use \"remove\", or send what it is to hold.");
                return Err(invalid_value(text));
            }
            self.act(Switch::EmptyStringClears, &path);
            let whole = parsed.filter.is_some() && leaf.name == "value";
            let path = match whole {
                // An element without its value is nothing.
                true => PatchPath { sub: None, ..parsed }.to_string(),
                false => path,
            };
            made.push(operation("remove", Some(path.into()), None));
            return Ok(());
        }
        let value = value.map(|value| self.value(leaf, &path, value).unwrap_or(Value::Null));
        made.push(operation(&op, Some(path.into()), value));
        Ok(())
    }

    /// `remove` with a value: exactly those, never the whole list.
    fn remove(
        &mut self,
        attr: &Attribute,
        parsed: &PatchPath,
        path: String,
        value: Option<Value>,
        made: &mut Vec<Value>,
    ) -> Result<()> {
        let value = match value {
            Some(Value::Null)
                if attr.multi_valued && parsed.filter.is_none() && self.on(Switch::RemoveByValueArray) =>
            {
                // A value was meant and there is none: nothing was named, so nothing goes.
                self.act(Switch::RemoveByValueArray, &path);
                made.push(no_operation());
                return Ok(());
            }
            None | Some(Value::Null) => {
                made.push(operation("remove", Some(path.into()), None));
                return Ok(());
            }
            Some(value) if !self.on(Switch::RemoveByValueArray) => {
                made.push(operation("remove", Some(path.into()), Some(value)));
                return Ok(());
            }
            Some(value) => value,
        };
        self.act(Switch::RemoveByValueArray, &path);
        if !attr.multi_valued || parsed.filter.is_some() {
            // The path says already what goes.
            made.push(operation("remove", Some(path.into()), None));
            return Ok(());
        }
        let items = match unrolled(value) {
            Value::Array(items) => items,
            single => vec![single],
        };
        let mut filters = String::new();
        for item in &items {
            let filter = describe(attr, item)?;
            if !filters.is_empty() {
                if filters.len() + OR.len() + filter.len() > MAX_PATH {
                    made.push(operation("remove", Some(format!("{path}[{filters}]").into()), None));
                    filters.clear();
                } else {
                    filters.push_str(OR);
                }
            }
            filters.push_str(&filter);
        }
        if filters.is_empty() {
            // Nothing was named, so nothing goes.
            made.push(no_operation());
        } else {
            made.push(operation("remove", Some(format!("{path}[{filters}]").into()), None));
        }
        Ok(())
    }

    fn pathless(&mut self, id: &str, op: String, value: Option<Value>, made: &mut Vec<Value>) -> Result<()> {
        if op != "remove" && !self.on(Switch::Pathless) {
            return Err(invalid_syntax("Every operation needs a \"path\" here."));
        }
        let Some(Value::Object(map)) = value else {
            made.push(operation(&op, None, value));
            return Ok(());
        };
        let mut plain = Map::new();
        let mut apart = Vec::new();
        for (key, value) in map {
            let key = self.modern_key(key);
            if self.is_core(&key, &value) {
                self.act(Switch::CoreUrn, &key);
                self.pathless(id, op.clone(), Some(value), &mut apart)?;
                continue;
            }
            if self.leaves_out(id, &key, &value) {
                continue;
            }
            if key.eq_ignore_ascii_case("schemas") {
                let value = self.schemas(value);
                plain.insert(key, value);
            } else if let Some(attr) = self.resource.attribute(&key) {
                if let Some(value) = self.pathless_value(&op, attr, &key, value) {
                    plain.insert(key, value);
                }
            } else if let Some(schema) = self.resource.extension(&key) {
                let value = self.extension(schema, value);
                plain.insert(key, value);
            } else if let Some(switch) = self.as_path(&key) {
                self.act(switch, &key);
                let path = self.path(key);
                self.with_path(op.clone(), path, Some(value), &mut apart)?;
            } else {
                plain.insert(key, value);
            }
        }
        if !plain.is_empty() || apart.is_empty() {
            made.push(operation(&op, None, Some(Value::Object(plain))));
        }
        made.append(&mut apart);
        Ok(())
    }

    fn pathless_value(&mut self, op: &str, attr: &Attribute, key: &str, value: Value) -> Option<Value> {
        if op == "add" && is_empty_text(&value) && self.clears(attr, attr.kind != AttrType::Boolean) {
            self.act(Switch::EmptyStringClears, key);
            return None;
        }
        let value = self.value(attr, key, value);
        match op {
            // Cleared: a replace by nothing.
            "replace" => Some(value.unwrap_or(Value::Null)),
            _ => value,
        }
    }

    /// The switch that makes a key of a path-less value a path of its own.
    fn as_path(&self, key: &str) -> Option<Switch> {
        let switch = if key.contains(':') && !key.contains('[') { Switch::UrnKeys } else { Switch::DottedKeys };
        let known = PatchPath::parse(key).is_ok_and(|path| self.resource.locate_loosely(&path.attr).is_some());
        (known && self.on(switch)).then_some(switch)
    }

    /// Whether a key of a path-less value is only there because the client
    /// sends the whole resource.
    fn leaves_out(&mut self, id: &str, key: &str, value: &Value) -> bool {
        if key.eq_ignore_ascii_case("id") {
            let equal = value.as_str() == Some(id) && self.on(Switch::IgnoreEqualId);
            if equal {
                self.act(Switch::IgnoreEqualId, "id");
            }
            return equal;
        }
        if self.on(Switch::DropReadOnly)
            && self.resource.attribute(key).is_some_and(|attr| attr.mutability == Mutability::ReadOnly)
        {
            self.act(Switch::DropReadOnly, key);
            return true;
        }
        let unknown = key.contains(':')
            && value.is_object()
            && self.resource.extension(key).is_none()
            && self.as_path(key).is_none();
        if unknown && self.on(Switch::UnknownUrn) {
            self.act(Switch::UnknownUrn, key);
            return true;
        }
        false
    }
}

/// The filter that selects the element a client names by its content.
fn describe(attr: &Attribute, item: &Value) -> Result<String> {
    let text = |value: &Value| Value::from(value.as_str().unwrap_or_default()).to_string();
    let bad = || invalid_value(format!("What to remove from \"{}\" must be named by its \"value\".", attr.name));
    let map = match item {
        Value::String(_) => return Ok(format!("value eq {}", text(item))),
        Value::Object(map) => map,
        _ => return Err(bad()),
    };
    let named = |key: &str| get(map, key).and_then(Value::as_str).filter(|text| !text.is_empty());
    // As where a member is added, its URL in this connection names it too.
    let by_url = || named("$ref").filter(|_| attr.derives_reference()).and_then(|url| Some(target(url)?.1));
    let value = Value::from(named("value").or_else(by_url).ok_or_else(bad)?);
    let kind = get(map, "type").filter(|v| v.is_string() && attr.name != "members");
    Ok(match kind {
        Some(kind) => format!("(value eq {value} and type eq {})", text(kind)),
        None => format!("value eq {value}"),
    })
}

fn is_empty_text(value: &Value) -> bool {
    value.as_str() == Some("")
}

fn operation(op: &str, path: Option<Value>, value: Option<Value>) -> Value {
    let mut map = Map::new();
    map.insert("op".into(), op.into());
    map.extend(path.map(|path| ("path".to_owned(), path)));
    map.extend(value.map(|value| ("value".to_owned(), value)));
    Value::Object(map)
}

/// An operation that changes nothing: a message must hold one.
fn no_operation() -> Value {
    json!({"op": "add", "value": {}})
}
