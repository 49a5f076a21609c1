//! Bodies of POST and PUT, and values in general.

use super::{BodyPurpose, MissingMembers, Switch, Work};
use crate::scim::json::get;
use crate::scim::path::{AttrPath, PatchPath};
use crate::scim::resource::is_padded;
use crate::scim::schema::{
    AttrType, Attribute, AttributeTarget, ENTERPRISE_URN, GROUP_URN, Located, Mutability, Schema, USER_URN, find,
};
use serde_json::{Map, Value};

/// URNs of the drafts before SCIM 2.0, as OneLogin sends them, and of SCIM 1.1.
const LEGACY_CORE: [&str; 2] = ["urn:scim:schemas:core:2.0", "urn:scim:schemas:core:1.0"];
const LEGACY_ENTERPRISE: [&str; 2] =
    ["urn:scim:schemas:extension:enterprise:2.0", "urn:scim:schemas:extension:enterprise:1.0"];

impl<'a> Work<'a> {
    pub(super) fn body(&mut self, purpose: BodyPurpose, body: Value) -> Value {
        let Value::Object(map) = body else {
            return body;
        };
        let mut made = Map::new();
        let mut late = Vec::new();
        for (key, value) in map {
            let key = self.modern_key(key);
            if key.contains('[') || self.is_core(&key, &value) || self.part_of(&key).is_some() {
                late.push((key, value));
            } else {
                self.entry(&mut made, key, value);
            }
        }
        // What goes into attributes that may be there already.
        for (key, value) in late {
            match value {
                Value::Object(map) if self.is_core(&key, &Value::Object(Map::new())) => {
                    self.container(&mut made, &key, map);
                }
                value if key.contains('[') => self.element(&mut made, key, value),
                value => self.nested(&mut made, key, value),
            }
        }
        let group = self.resource.core.id == GROUP_URN;
        let clears = self.switches.missing_members == MissingMembers::Clear;
        if purpose == BodyPurpose::Replace && group && clears && get(&made, "members").is_none() {
            self.act(Switch::PutMissingMembers, "members");
            made.insert("members".into(), Value::Array(Vec::new()));
        }
        Value::Object(made)
    }

    /// Whether a key is the URN of the core schema, and its value may be unpacked.
    pub(super) fn is_core(&self, key: &str, value: &Value) -> bool {
        value.is_object() && key.eq_ignore_ascii_case(&self.resource.core.id) && self.on(Switch::CoreUrn)
    }

    fn container(&mut self, made: &mut Map<String, Value>, urn: &str, map: Map<String, Value>) {
        self.act(Switch::CoreUrn, urn);
        for (key, value) in map {
            // Given beside it too: the core sees both, and refuses that.
            let key = if get(made, &key).is_some() { format!("{urn}:{key}") } else { key };
            self.entry(made, key, value);
        }
    }

    /// `emails[type eq "work"].value`: a part of the element that the filter describes.
    fn element(&mut self, made: &mut Map<String, Value>, key: String, value: Value) {
        let resource = self.resource;
        let path = if self.on(Switch::DottedKeys) { self.path(key.clone()) } else { key.clone() };
        let parsed = PatchPath::parse(&path).ok().filter(|_| self.on(Switch::DottedKeys));
        let found = parsed.and_then(|path| {
            let attr =
                resource.attribute(&path.attr.name).filter(|attr| attr.multi_valued && path.attr.sub.is_none())?;
            let mut described = Map::new();
            path.filter?.describe(&mut described)?;
            Some((attr, described, attr.sub(&path.sub?)?))
        });
        let Some((attr, described, sub)) = found else {
            made.insert(key, value);
            return;
        };
        self.act(Switch::DottedKeys, &key);
        let Some(value) = self.value(sub, &key, value) else {
            return;
        };
        let name = made.keys().find(|key| key.eq_ignore_ascii_case(&attr.name)).cloned();
        let slot = made.entry(name.unwrap_or_else(|| attr.name.clone())).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(items) = slot else {
            return;
        };
        let fits = |item: &Value| described.iter().all(|(key, value)| item.get(key) == Some(value));
        let at = items.iter().position(fits).unwrap_or_else(|| {
            items.push(Value::Object(described.clone()));
            items.len() - 1
        });
        if let Some(Value::Object(item)) = items.get_mut(at) {
            item.insert(sub.name.clone(), value);
        }
    }

    /// What a key names that stands elsewhere in a body: `name.givenName`, with or without a URN before it, or an
    /// attribute of an extension without its URN.
    fn part_of(&self, key: &str) -> Option<AttributeTarget<'a>> {
        if self.resource.attribute(key).is_some() || !self.on(Switch::DottedKeys) {
            return None;
        }
        match self.resource.locate_loosely(&AttrPath::parse(key)?)? {
            Located::Attribute(target @ AttributeTarget { sub: Some(_), attr, .. }) if !attr.multi_valued => {
                Some(target)
            }
            Located::Attribute(target @ AttributeTarget { extension: Some(_), sub: None, .. })
                if !key.contains(':') =>
            {
                Some(target)
            }
            _ => None,
        }
    }

    /// Puts a value where its key means. Where something else is said already, the key stays, and the core refuses it.
    fn nested(&mut self, made: &mut Map<String, Value>, key: String, value: Value) {
        let Some(target) = self.part_of(&key) else {
            made.insert(key, value);
            return;
        };
        let (leaf, mut names) = (target.leaf(), target.keys());
        names.extend(target.sub.map(|sub| sub.name.clone()));
        if !is_free(made, &names) {
            made.insert(key, value);
            return;
        }
        self.act(Switch::DottedKeys, &key);
        let Some(value) = self.value(leaf, &key, value) else {
            return;
        };
        let Some(last) = names.pop() else {
            return;
        };
        if let Some(map) = names.into_iter().try_fold(made, inside) {
            map.insert(last, value);
        }
    }

    fn entry(&mut self, made: &mut Map<String, Value>, key: String, value: Value) {
        if key.eq_ignore_ascii_case("schemas") {
            let value = self.schemas(value);
            made.insert(key, value);
            return;
        }
        if let Some(attr) = self.resource.attribute(&key) {
            if let Some(value) = self.value(attr, &key, value) {
                made.insert(key, value);
            }
            return;
        }
        if let Some(schema) = self.resource.extension(&key) {
            let value = self.extension(schema, value);
            made.insert(key, value);
            return;
        }
        let named =
            AttrPath::parse(&key).filter(|path| path.urn.is_some()).and_then(|path| self.resource.locate(&path));
        if let Some(Located::Attribute(AttributeTarget { attr, sub: None, .. })) = named {
            if let Some(value) = self.value(attr, &key, value) {
                made.insert(key, value);
            }
            return;
        }
        if key.contains(':') && self.on(Switch::UnknownUrn) && value.is_object() {
            self.act(Switch::UnknownUrn, &key);
            return;
        }
        self.nested(made, key, value);
    }

    /// The key, with a legacy URN in it replaced.
    pub(super) fn modern_key(&mut self, key: String) -> String {
        if !self.on(Switch::LegacyUrns) {
            return key;
        }
        match self.modern(&key) {
            Some(modern) => {
                self.act(Switch::LegacyUrns, &key);
                modern
            }
            None => key,
        }
    }

    fn modern(&self, text: &str) -> Option<String> {
        let swap = |old: &str, new: &str| {
            let head = text.get(..old.len()).filter(|head| head.eq_ignore_ascii_case(old))?;
            let rest = text.get(head.len()..)?;
            let rest = rest.strip_prefix(":User").or_else(|| rest.strip_prefix(":Group")).unwrap_or(rest);
            (rest.is_empty() || rest.starts_with(':')).then(|| format!("{new}{rest}"))
        };
        let core = if self.resource.core.id == GROUP_URN { GROUP_URN } else { USER_URN };
        let enterprise = LEGACY_ENTERPRISE.iter().find_map(|old| swap(old, ENTERPRISE_URN));
        enterprise.or_else(|| LEGACY_CORE.iter().find_map(|old| swap(old, core)))
    }

    /// `schemas` with legacy URNs replaced and unknown ones left out.
    pub(super) fn schemas(&mut self, value: Value) -> Value {
        let Value::Array(list) = value else {
            return value;
        };
        let mut kept: Vec<Value> = Vec::with_capacity(list.len());
        for item in list {
            let Value::String(urn) = item else {
                kept.push(item);
                continue;
            };
            let urn = self.modern_key(urn);
            let known = urn.eq_ignore_ascii_case(&self.resource.core.id) || self.resource.extension(&urn).is_some();
            if !known && self.on(Switch::UnknownUrn) {
                self.act(Switch::UnknownUrn, &urn);
            } else {
                kept.push(Value::String(urn));
            }
        }
        Value::Array(kept)
    }

    pub(super) fn extension(&mut self, schema: &Schema, value: Value) -> Value {
        let Value::Object(map) = value else {
            return value;
        };
        let mut made = Map::new();
        let mut late = Vec::new();
        for (key, value) in map {
            match find(&schema.attributes, &key) {
                Some(attr) => {
                    let value = self.value(attr, &key, value).unwrap_or(Value::Null);
                    made.insert(key, value);
                }
                None => late.push((key, value)),
            }
        }
        for (key, value) in late {
            let dotted = key.split_once('.').filter(|_| self.on(Switch::DottedKeys));
            let part = dotted.and_then(|(name, sub)| {
                let attr = find(&schema.attributes, name).filter(|attr| !attr.multi_valued)?;
                Some((attr.name.clone(), attr.sub(sub)?))
            });
            match part {
                Some((name, sub)) if is_free(&made, &[name.clone(), sub.name.clone()]) => {
                    self.act(Switch::DottedKeys, &key);
                    let value = self.value(sub, &key, value).unwrap_or(Value::Null);
                    if let Some(map) = inside(&mut made, name) {
                        map.insert(sub.name.clone(), value);
                    }
                }
                _ => {
                    made.insert(key, value);
                }
            }
        }
        Value::Object(made)
    }

    /// A value of `attr` (an element or the list) in strict form; none when it
    /// says that there is no value.
    pub(super) fn value(&mut self, attr: &Attribute, at: &str, value: Value) -> Option<Value> {
        let takes_text =
            matches!(attr.kind, AttrType::String | AttrType::Binary | AttrType::Reference | AttrType::DateTime);
        Some(match value {
            Value::Array(mut list) if is_boxed(attr) && list.len() == 1 && self.on(Switch::BareStringManager) => {
                self.act(Switch::BareStringManager, at);
                let only = list.pop()?;
                return self.value(attr, at, only);
            }
            Value::Array(list) => {
                Value::Array(list.into_iter().filter_map(|item| self.value(attr, at, item)).collect())
            }
            Value::String(text) => match attr.kind {
                AttrType::Boolean => self.boolean(at, text),
                _ if text.is_empty() && self.clears(attr, takes_text || is_boxed(attr)) => {
                    self.act(Switch::EmptyStringClears, at);
                    return None;
                }
                AttrType::String if attr.is_unique_name() && is_padded(&text) && self.on(Switch::TrimmedNames) => {
                    self.act(Switch::TrimmedNames, at);
                    Value::String(text.trim().to_owned())
                }
                AttrType::Complex if is_boxed(attr) && self.on(Switch::BareStringManager) => {
                    self.act(Switch::BareStringManager, at);
                    Value::Object(Map::from_iter([("value".to_owned(), Value::String(text))]))
                }
                _ => Value::String(text),
            },
            Value::Object(map) => {
                // A part without a value is null, so that a replace clears it and not only passes it over.
                let made: Map<String, Value> = map
                    .into_iter()
                    .map(|(key, value)| {
                        let value = match attr.sub(&key) {
                            Some(sub) => self.value(sub, &format!("{at}.{key}"), value).unwrap_or(Value::Null),
                            None => value,
                        };
                        (key, value)
                    })
                    .collect();
                Value::Object(made)
            }
            other => other,
        })
    }

    /// Whether an empty text for `attr` means no value.
    pub(super) fn clears(&self, attr: &Attribute, fits: bool) -> bool {
        fits && !attr.required && attr.mutability != Mutability::ReadOnly && self.on(Switch::EmptyStringClears)
    }

    fn boolean(&mut self, at: &str, text: String) -> Value {
        let truth = match text.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Value::String(text),
        };
        if !self.on(Switch::StringBooleans) {
            return Value::String(text);
        }
        self.act(Switch::StringBooleans, at);
        Value::Bool(truth)
    }
}

/// Whether nothing is said yet at the end of a path through objects.
fn is_free(map: &Map<String, Value>, names: &[String]) -> bool {
    let Some((first, rest)) = names.split_first() else { return false };
    match get(map, first) {
        None => true,
        Some(Value::Null) => !rest.is_empty(),
        Some(Value::Object(inner)) => is_free(inner, rest),
        Some(_) => false,
    }
}

/// The object called `name`, made where there is none.
fn inside(map: &mut Map<String, Value>, name: String) -> Option<&mut Map<String, Value>> {
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(&name)).cloned().unwrap_or(name);
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut()
}

/// Whether `attr` is one object around a `value`, such as `manager`.
pub(super) fn is_boxed(attr: &Attribute) -> bool {
    attr.kind == AttrType::Complex && !attr.multi_valued && attr.sub("value").is_some()
}
