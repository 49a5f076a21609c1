//! Bodies of POST and PUT (RFC 7644 §3.3, §3.5.1).

use super::{Accepted, Canon, Document, MemberRef, Password, Rules, read_members};
use crate::scim::error::{Result, invalid_syntax, invalid_value, mutability};
use crate::scim::path::AttrPath;
use crate::scim::schema::{Attribute, GROUP_URN, Located, Mutability, ResourceSchema, Schema, USER_URN, find};
use serde_json::{Map, Value};

/// The document of a new resource.
///
/// # Errors
/// 400 `invalidSyntax` for a body that is no resource of this type,
/// `invalidValue` for what is missing, unknown or of the wrong type.
pub fn create(resource: ResourceSchema<'_>, body: Value, rules: Rules) -> Result<Accepted> {
    let mut accepted = read(resource, body, rules)?;
    for attr in &resource.core.attributes {
        if let Some(default) = &attr.default {
            let slot = accepted.document.entry(attr.name.clone());
            slot.or_insert_with(|| default.clone());
        }
    }
    finish(resource, accepted)
}

/// The document that takes the place of `current`.
///
/// Left out means cleared, except: attributes with a default and write-only
/// ones keep their value, immutable ones are kept, members are reported as
/// not spoken of.
///
/// # Errors
/// As [`create`]; 400 `mutability` when an immutable value would change.
pub fn replace(resource: ResourceSchema<'_>, current: &Document, body: Value, rules: Rules) -> Result<Accepted> {
    let mut accepted = read(resource, body, rules)?;
    for attr in &resource.core.attributes {
        keep(attr, current, &mut accepted.document)?;
    }
    let empty = Map::new();
    for (schema, _) in resource.extensions() {
        let old = current.get(&schema.id).and_then(Value::as_object).unwrap_or(&empty);
        let mut new = match accepted.document.remove(&schema.id) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        for attr in &schema.attributes {
            keep(attr, old, &mut new)?;
        }
        if !new.is_empty() {
            accepted.document.insert(schema.id.clone(), Value::Object(new));
        }
    }
    finish(resource, accepted)
}

/// Carries over what a replace must not lose.
fn keep(attr: &Attribute, old: &Document, new: &mut Document) -> Result<()> {
    let Some(before) = old.get(&attr.name) else {
        return Ok(());
    };
    match new.get_mut(&attr.name) {
        None => {
            let kept =
                attr.default.is_some() || matches!(attr.mutability, Mutability::Immutable | Mutability::WriteOnly);
            if kept {
                new.insert(attr.name.clone(), before.clone());
            }
        }
        Some(after) if attr.mutability == Mutability::Immutable => {
            if after != before {
                return Err(fixed(&attr.name));
            }
        }
        Some(Value::Object(after)) => {
            let fixed_subs = attr.sub_attributes.iter().filter(|s| s.mutability == Mutability::Immutable);
            for sub in fixed_subs {
                let Some(before) = before.get(&sub.name) else {
                    continue;
                };
                let slot = after.entry(sub.name.clone()).or_insert_with(|| before.clone());
                if slot != before {
                    return Err(fixed(&format!("{}.{}", attr.name, sub.name)));
                }
            }
        }
        Some(_) => {}
    }
    Ok(())
}

fn fixed(path: &str) -> crate::scim::error::ScimError {
    mutability(format!("\"{path}\" is immutable and already has another value."))
}

fn finish(resource: ResourceSchema<'_>, mut accepted: Accepted) -> Result<Accepted> {
    check_required(resource, &accepted.document)?;
    let schemas = computed_schemas(resource, &accepted.document);
    accepted.document.insert("schemas".into(), schemas);
    Ok(accepted)
}

/// The members of a group, which are not part of the document.
pub(crate) fn is_members(resource: ResourceSchema<'_>, attr: &Attribute) -> bool {
    resource.core.id == GROUP_URN && attr.name == "members"
}

/// The user's password, which is not part of the document.
pub(crate) fn is_password(resource: ResourceSchema<'_>, attr: &Attribute) -> bool {
    resource.core.id == USER_URN && attr.name == "password"
}

/// `schemas` as the content has it: the core schema and the extensions in use.
pub(crate) fn computed_schemas(resource: ResourceSchema<'_>, document: &Document) -> Value {
    let used = resource
        .extensions()
        .filter(|(schema, _)| document.contains_key(&schema.id))
        .map(|(schema, _)| Value::from(schema.id.as_str()));
    std::iter::once(Value::from(resource.core.id.as_str())).chain(used).collect()
}

/// Refuses a document that lacks something required, or has it blank.
pub(crate) fn check_required(resource: ResourceSchema<'_>, document: &Document) -> Result<()> {
    let missing = |list: &[Attribute], map: &Document| {
        let lacks = |attr: &&Attribute| {
            attr.required
                && attr.mutability != Mutability::ReadOnly
                && match map.get(&attr.name) {
                    None => true,
                    Some(Value::String(text)) => text.trim().is_empty(),
                    Some(_) => false,
                }
        };
        list.iter().find(lacks).map(|attr| attr.name.clone())
    };
    if let Some(name) = missing(&resource.core.attributes, document) {
        return Err(invalid_value(format!("\"{name}\" is required and must not be blank.")));
    }
    for (schema, required) in resource.extensions() {
        match document.get(&schema.id) {
            Some(Value::Object(map)) => {
                if let Some(name) = missing(&schema.attributes, map) {
                    let text = format!("\"{}:{name}\" is required.", schema.id);
                    return Err(invalid_value(text));
                }
            }
            _ if required => {
                return Err(invalid_value(format!("The extension {} is required.", schema.id)));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A body on its way to becoming a document.
struct Reader<'s> {
    resource: ResourceSchema<'s>,
    canon: Canon,
    document: Document,
    members: Option<Vec<MemberRef>>,
    password: Option<Password>,
}

fn read(resource: ResourceSchema<'_>, body: Value, rules: Rules) -> Result<Accepted> {
    let Value::Object(mut body) = body else {
        return Err(invalid_syntax("The body must be a JSON object."));
    };
    let mut reader =
        Reader { resource, canon: Canon::new(rules), document: Document::new(), members: None, password: None };
    reader.schemas(crate::scim::json::take(&mut body, "schemas"))?;
    for (key, value) in body {
        reader.entry(&key, value)?;
    }
    Ok(Accepted {
        written: reader.document.clone(),
        document: reader.document,
        members: reader.members,
        password: reader.password,
        ignored: reader.canon.ignored,
    })
}

impl<'s> Reader<'s> {
    /// Checks the `schemas` a client sent (A07); what is stored is computed.
    fn schemas(&mut self, sent: Option<Value>) -> Result<()> {
        let Some(Value::Array(list)) = sent else {
            return Err(invalid_syntax("\"schemas\" must list the URNs of the resource's schemas."));
        };
        let mut core = false;
        for urn in &list {
            let Some(urn) = urn.as_str() else {
                return Err(invalid_syntax("\"schemas\" must hold strings."));
            };
            if urn.eq_ignore_ascii_case(&self.resource.core.id) {
                core = true;
            } else if self.resource.extension(urn).is_none() {
                self.canon.unknown(urn, invalid_value)?;
            }
        }
        if core {
            return Ok(());
        }
        Err(invalid_syntax(format!("\"schemas\" must contain {}.", self.resource.core.id)))
    }

    fn entry(&mut self, key: &str, value: Value) -> Result<()> {
        if let Some(attr) = self.resource.attribute(key) {
            return self.put(None, attr, value);
        }
        if key.contains(':') {
            if let Some(schema) = self.resource.extension(key) {
                return self.extension(schema, value);
            }
            let path = AttrPath::parse(key).and_then(|path| self.resource.locate(&path));
            if let Some(Located::Attribute(target)) = path
                && target.sub.is_none()
            {
                return self.put(target.extension, target.attr, value);
            }
        }
        // A known name in a notation that is not taken here must not be lost in silence.
        let known = AttrPath::parse(key).is_some_and(|path| self.resource.knows(&path));
        if known || key.contains('[') {
            return Err(invalid_value(format!("\"{key}\" is a path, which is no name of an attribute here.")));
        }
        self.canon.unknown(key, invalid_value)
    }

    fn extension(&mut self, schema: &'s Schema, value: Value) -> Result<()> {
        let map = match value {
            Value::Null => return Ok(()),
            Value::Object(map) => map,
            _ => return Err(invalid_value(format!("\"{}\" must be an object.", schema.id))),
        };
        for (key, value) in map {
            match find(&schema.attributes, &key) {
                Some(attr) => self.put(Some(schema), attr, value)?,
                None if is_part(schema, &key) => {
                    let text = format!("\"{}:{key}\" is a path, which is no name of an attribute here.", schema.id);
                    return Err(invalid_value(text));
                }
                None => self.canon.unknown(&format!("{}:{key}", schema.id), invalid_value)?,
            }
        }
        Ok(())
    }

    fn put(&mut self, extension: Option<&Schema>, attr: &Attribute, value: Value) -> Result<()> {
        if attr.mutability == Mutability::ReadOnly {
            return Ok(());
        }
        if is_members(self.resource, attr) {
            let members = read_members(&value)?;
            return match self.members.replace(members) {
                None => Ok(()),
                Some(_) => Err(twice(&attr.name)),
            };
        }
        let Some(value) = self.canon.attribute(attr, value)? else {
            return Ok(());
        };
        if is_password(self.resource, attr) {
            if let Value::String(text) = value {
                self.password = Some(Password::new(&text)?);
            }
            return Ok(());
        }
        let map = match extension {
            None => &mut self.document,
            Some(schema) => {
                let slot = self.document.entry(schema.id.clone());
                match slot.or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(map) => map,
                    _ => return Err(twice(&schema.id)),
                }
            }
        };
        match map.insert(attr.name.clone(), value) {
            None => Ok(()),
            Some(_) => Err(twice(&attr.name)),
        }
    }
}

/// Whether a key names a part of an attribute of the schema: `manager.value`.
pub(crate) fn is_part(schema: &Schema, key: &str) -> bool {
    let part = key.split_once('.').and_then(|(name, sub)| find(&schema.attributes, name)?.sub(sub));
    part.is_some()
}

fn twice(path: &str) -> crate::scim::error::ScimError {
    invalid_value(format!("\"{path}\" is given twice."))
}
