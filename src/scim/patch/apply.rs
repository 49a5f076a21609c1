//! Applying operations to a document.

use super::list::MultiValue;
use super::members::{self, MemberOp};
use super::{OpKind, Operation};
use crate::scim::error::{Result, ScimError, invalid_path, invalid_value, mutability};
use crate::scim::filter::document_matches;
use crate::scim::path::{AttrPath, PatchPath};
use crate::scim::resource::{
    Canon, Document, Password, Rules, check_required, computed_schemas, is_members, is_part, is_password,
};
use crate::scim::schema::{AttrType, Attribute, AttributeTarget, Located, Mutability, ResourceSchema, Schema, find};
use serde_json::{Map, Value};

/// What a PATCH comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// The document afterwards.
    pub document: Document,
    /// Whether the document differs from before (B06); members and password
    /// are not counted.
    pub changed: bool,
    /// The names of what was added or replaced, as keys where they stand in a document; of a complex value, an object
    /// with the names of its parts.
    pub written: Document,
    /// What happens to a group's members, in order.
    pub members: Vec<MemberOp>,
    /// What happens to the password.
    pub password: Option<PasswordChange>,
    /// Paths that were left out because the resource type does not have them.
    pub ignored: Vec<String>,
    /// Whether an element was made because a filter matched none.
    pub created_on_no_match: bool,
}

/// What happens to a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordChange {
    /// It is set.
    Set(Password),
    /// It is taken away.
    Clear,
}

/// Applies `operations` to a copy of `current` (P02).
///
/// # Errors
/// 400 with the keyword that fits the first operation that fails.
pub fn apply(
    resource: ResourceSchema<'_>,
    current: &Document,
    operations: &[Operation],
    rules: Rules,
) -> Result<Patched> {
    let mut work = Work {
        resource,
        canon: Canon::new(rules),
        document: current.clone(),
        written: Document::new(),
        members: Vec::new(),
        password: None,
        created: false,
        budget: MAX_VISITS,
    };
    for operation in operations {
        work.operation(operation)?;
    }
    check_required(resource, &work.document)?;
    let schemas = computed_schemas(resource, &work.document);
    work.document.insert("schemas".into(), schemas);
    Ok(Patched {
        changed: work.document != *current,
        document: work.document,
        written: work.written,
        members: work.members,
        password: work.password,
        ignored: work.canon.ignored,
        created_on_no_match: work.created,
    })
}

struct Work<'s> {
    resource: ResourceSchema<'s>,
    canon: Canon,
    document: Document,
    written: Document,
    members: Vec<MemberOp>,
    password: Option<PasswordChange>,
    created: bool,
    /// Elements that may still be gone through.
    budget: usize,
}

/// Elements one PATCH may go through, all operations together: a bound on the
/// work of many operations on long lists.
const MAX_VISITS: usize = 200_000;

impl<'s> Work<'s> {
    fn operation(&mut self, operation: &Operation) -> Result<()> {
        let Operation { kind, path, value } = operation;
        let kind = *kind;
        let Some(path) = path else {
            return self.pathless(kind, value);
        };
        match self.resource.locate(&path.attr) {
            Some(Located::Attribute(target)) => self.attribute(kind, target, Some(path), value),
            Some(Located::Extension(schema)) if path.filter.is_none() => self.extension(kind, schema, value),
            // A schema nobody here knows is data the client keeps elsewhere
            // too; a misspelt attribute is an error.
            None if path.attr.urn.as_ref().is_some_and(|urn| self.is_foreign(urn, &path.attr)) => {
                self.canon.unknown(&path.to_string(), invalid_path)
            }
            _ => Err(invalid_path(format!("There is no attribute \"{path}\" here."))),
        }
    }

    fn is_foreign(&self, urn: &str, path: &AttrPath) -> bool {
        let own =
            |urn: &str| urn.eq_ignore_ascii_case(&self.resource.core.id) || self.resource.extension(urn).is_some();
        !own(urn) && !own(&format!("{urn}:{}", path.name))
    }

    /// P08, P16: the value holds the attributes.
    fn pathless(&mut self, kind: OpKind, value: &Value) -> Result<()> {
        let Value::Object(map) = value else {
            return Err(invalid_value("Without a \"path\" the \"value\" must be an object of attributes."));
        };
        for (key, value) in map {
            let path = AttrPath::parse(key);
            match path.as_ref().and_then(|path| self.resource.locate(path)) {
                Some(Located::Attribute(target)) if target.sub.is_none() => {
                    self.attribute(kind, target, None, value)?;
                }
                Some(Located::Extension(schema)) => self.extension(kind, schema, value)?,
                _ if key.contains('[') || path.is_some_and(|path| self.resource.knows(&path)) => {
                    return Err(invalid_value(format!(
                        "\"{key}\" is a path; send it as the \"path\" of an operation."
                    )));
                }
                _ => self.canon.unknown(key, invalid_value)?,
            }
        }
        Ok(())
    }

    fn extension(&mut self, kind: OpKind, schema: &'s Schema, value: &Value) -> Result<()> {
        let map = match value {
            Value::Null if kind != OpKind::Add => {
                self.document.remove(&schema.id);
                return Ok(());
            }
            Value::Null => return Ok(()),
            Value::Object(map) => map,
            _ => return Err(invalid_value(format!("\"{}\" must be an object.", schema.id))),
        };
        for (key, value) in map {
            match find(&schema.attributes, key) {
                Some(attr) => {
                    let target = AttributeTarget { extension: Some(schema), attr, sub: None };
                    self.attribute(kind, target, None, value)?;
                }
                None if is_part(schema, key) => {
                    let text = format!("\"{}:{key}\" is a path; send it as the \"path\" of an operation.", schema.id);
                    return Err(invalid_value(text));
                }
                None => self.canon.unknown(&format!("{}:{key}", schema.id), invalid_value)?,
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        kind: OpKind,
        target: AttributeTarget<'s>,
        path: Option<&PatchPath>,
        value: &Value,
    ) -> Result<()> {
        let attr = target.attr;
        if attr.name == "schemas" && target.extension.is_none() {
            return self.schemas(kind, path, value.clone());
        }
        if attr.mutability == Mutability::ReadOnly {
            return Err(mutability(format!("\"{}\" is read-only.", attr.name)));
        }
        if kind != OpKind::Remove {
            self.note_written(&target, path.and_then(|path| path.sub.as_deref()), value);
        }
        if is_members(self.resource, attr) {
            if let Some(op) = members::compile(attr, kind, path, value)? {
                members::push(&mut self.members, op);
            }
            return Ok(());
        }
        // Members may be very many and are only looked at; everything else is small.
        let value = value.clone();
        let filter = path.and_then(|p| p.filter.as_ref());
        let sub = match path.and_then(|p| p.sub.as_deref()) {
            Some(name) => Some(attr.sub(name).ok_or_else(|| unknown_part(attr, name))?),
            None => target.sub,
        };
        if filter.is_some() && (target.sub.is_some() || !attr.multi_valued) {
            return Err(invalid_path(format!("\"{}\" cannot be followed by [ ].", attr.name)));
        }
        if sub.is_some_and(|sub| sub.mutability == Mutability::ReadOnly) {
            return Err(mutability(format!("\"{}.{}\" is read-only.", attr.name, name(sub))));
        }
        if is_password(self.resource, attr) {
            return self.set_password(kind, attr, value);
        }
        if sub.is_some_and(|sub| sub.name == "$ref") && attr.names_user() {
            return self.reference(kind, target, value);
        }
        let before = self.take(&target).and_then(|value| without_reference(attr, value));
        let fixed = before.clone().filter(|_| attr.mutability == Mutability::Immutable);
        let after = match (sub, path) {
            (sub, Some(path)) if attr.multi_valued && (sub.is_some() || filter.is_some()) => {
                self.list(attr, before, |list| list.selected(kind, path, sub, value))?
            }
            (None, _) if attr.multi_valued => self.list(attr, before, |list| list.take_whole(kind, value))?,
            (None, _) if attr.kind == AttrType::Complex => self.merge(kind, attr, before, value)?,
            (None, _) => self.canon.single(attr, &attr.name, value)?.or_else(|| kept(kind, before)),
            (Some(sub), _) => self.part(kind, attr, sub, before, value)?,
        };
        check_whole(kind, attr, fixed.as_ref(), after.as_ref())?;
        self.put(&target, after);
        Ok(())
    }

    /// P10, P18: named sub-attributes are set, the others kept.
    fn merge(&mut self, kind: OpKind, attr: &Attribute, before: Option<Value>, value: Value) -> Result<Option<Value>> {
        if kind == OpKind::Remove || (kind == OpKind::Replace && value.is_null()) {
            return Ok(None);
        }
        let mut map = match before {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        if let (OpKind::Replace, Value::Object(given)) = (kind, &value) {
            for (key, _) in given.iter().filter(|(_, value)| value.is_null()) {
                if let Some(sub) = attr.sub(key).filter(|sub| sub.mutability != Mutability::ReadOnly) {
                    check_part(kind, attr, sub, map.get(&sub.name), None)?;
                    map.remove(&sub.name);
                }
            }
        }
        if let Some(Value::Object(given)) = self.canon.single(attr, &attr.name, value)? {
            for (key, value) in given {
                if let Some(sub) = attr.sub(&key) {
                    check_part(kind, attr, sub, map.get(&key), Some(&value))?;
                }
                map.insert(key, value);
            }
        }
        Ok((!map.is_empty()).then_some(Value::Object(map)))
    }

    /// A sub-attribute of a single-valued attribute.
    fn part(
        &mut self,
        kind: OpKind,
        attr: &Attribute,
        sub: &Attribute,
        before: Option<Value>,
        value: Value,
    ) -> Result<Option<Value>> {
        let mut map = match before {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let old = map.get(&sub.name).cloned();
        let path = format!("{}.{}", attr.name, sub.name);
        let new = self.canon.single(sub, &path, value)?.or_else(|| kept(kind, old.clone()));
        check_part(kind, attr, sub, old.as_ref(), new.as_ref())?;
        match new {
            Some(value) => map.insert(sub.name.clone(), value),
            None => map.remove(&sub.name),
        };
        Ok((!map.is_empty()).then_some(Value::Object(map)))
    }

    /// The URL of the one user that an attribute names follows its `value`: to set it sets that, to take it away takes
    /// nothing away.
    fn reference(&mut self, kind: OpKind, target: AttributeTarget<'s>, value: Value) -> Result<()> {
        if kind == OpKind::Remove || value.is_null() {
            return Ok(());
        }
        let url = Value::Object(Map::from_iter([("$ref".to_owned(), value)]));
        self.attribute(kind, AttributeTarget { sub: None, ..target }, None, &url)
    }

    fn list(
        &mut self,
        attr: &Attribute,
        before: Option<Value>,
        change: impl FnOnce(&mut MultiValue<'_>) -> Result<Vec<Value>>,
    ) -> Result<Option<Value>> {
        let items = match before {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let left = self.budget.checked_sub(items.len());
        self.budget = left.ok_or_else(|| {
            ScimError::too_large("The operations go through too many values; send them in several requests.")
        })?;
        let mut list = MultiValue { canon: &mut self.canon, attr, items, created: false };
        let items = change(&mut list)?;
        self.created |= list.created;
        Ok((!items.is_empty()).then_some(Value::Array(items)))
    }

    /// P06: `schemas` follows the content. Naming a schema changes nothing;
    /// removing an extension removes what it holds.
    fn schemas(&mut self, kind: OpKind, path: Option<&PatchPath>, value: Value) -> Result<()> {
        let filter = path.and_then(|p| p.filter.as_ref());
        if kind != OpKind::Remove && filter.is_none() {
            let list = match value {
                Value::Array(list) => list,
                single => vec![single],
            };
            for urn in &list {
                let Some(urn) = urn.as_str() else {
                    return Err(invalid_value("\"schemas\" must hold strings."));
                };
                if !urn.eq_ignore_ascii_case(&self.resource.core.id) && self.resource.extension(urn).is_none() {
                    self.canon.unknown(urn, invalid_value)?;
                }
            }
            return Ok(());
        }
        let fixed = || mutability("The core schema cannot be removed from \"schemas\".");
        let (OpKind::Remove, Some(filter)) = (kind, filter) else {
            return Err(fixed());
        };
        let Some(attr) = self.resource.attribute("schemas") else {
            return Err(fixed());
        };
        let filter = filter.resolve_inner(attr)?;
        if document_matches(&filter, &Value::from(self.resource.core.id.as_str())) {
            return Err(fixed());
        }
        for (schema, _) in self.resource.extensions() {
            if document_matches(&filter, &Value::from(schema.id.as_str())) {
                self.document.remove(&schema.id);
            }
        }
        Ok(())
    }

    fn set_password(&mut self, kind: OpKind, attr: &Attribute, value: Value) -> Result<()> {
        self.password = match self.canon.single(attr, &attr.name, value)? {
            Some(Value::String(text)) => Some(PasswordChange::Set(Password::new(&text)?)),
            _ if kind == OpKind::Add => return Ok(()),
            _ => Some(PasswordChange::Clear),
        };
        Ok(())
    }

    fn note_written(&mut self, target: &AttributeTarget<'_>, sub: Option<&str>, value: &Value) {
        let map = match target.extension {
            None => Some(&mut self.written),
            Some(schema) => {
                let slot = self.written.entry(schema.id.clone());
                slot.or_insert_with(|| Value::Object(Map::new())).as_object_mut()
            }
        };
        let Some(map) = map else { return };
        let slot = map.entry(target.attr.name.clone()).or_insert(Value::Null);
        let mut named = match slot.take() {
            Value::Object(named) => named,
            _ => Map::new(),
        };
        match sub.or(target.sub.map(|sub| sub.name.as_str())) {
            Some(sub) => drop(named.insert(sub.to_owned(), Value::Null)),
            None => {
                let elements = match value {
                    Value::Array(items) => items.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let keys = elements.iter().filter_map(Value::as_object).flat_map(Map::keys);
                for key in keys {
                    if let Some(sub) = target.attr.sub(key) {
                        named.entry(sub.name.clone()).or_insert(Value::Null);
                    }
                }
            }
        }
        if !named.is_empty() {
            *slot = Value::Object(named);
        }
    }

    fn take(&mut self, target: &AttributeTarget<'_>) -> Option<Value> {
        match target.extension {
            None => self.document.remove(&target.attr.name),
            Some(schema) => match self.document.get_mut(&schema.id) {
                Some(Value::Object(map)) => map.remove(&target.attr.name),
                _ => None,
            },
        }
    }

    fn put(&mut self, target: &AttributeTarget<'_>, value: Option<Value>) {
        let Some(schema) = target.extension else {
            if let Some(value) = value {
                self.document.insert(target.attr.name.clone(), value);
            }
            return;
        };
        if let Some(value) = value {
            let slot = self.document.entry(schema.id.clone());
            if let Value::Object(map) = slot.or_insert_with(|| Value::Object(Map::new())) {
                map.insert(target.attr.name.clone(), value);
            }
        }
        let empty = |value: &Value| value.as_object().is_none_or(Map::is_empty);
        if self.document.get(&schema.id).is_some_and(empty) {
            self.document.remove(&schema.id);
        }
    }
}

/// What is kept of an attribute that names a user: not the URL.
fn without_reference(attr: &Attribute, mut value: Value) -> Option<Value> {
    if let (true, Value::Object(map)) = (attr.names_user(), &mut value) {
        map.remove("$ref");
        return (!map.is_empty()).then_some(value);
    }
    Some(value)
}

/// Removing comes without a value, and replacing by none removes. Adding nothing leaves what was there.
fn kept(kind: OpKind, before: Option<Value>) -> Option<Value> {
    before.filter(|_| kind == OpKind::Add)
}

/// What may not happen to a whole attribute; `fixed` is what it held if it is
/// immutable.
fn check_whole(kind: OpKind, attr: &Attribute, fixed: Option<&Value>, after: Option<&Value>) -> Result<()> {
    if attr.required && after.is_none() {
        let text = format!("\"{}\" is required and cannot be removed.", attr.name);
        return Err(if kind == OpKind::Remove { mutability(text) } else { invalid_value(text) });
    }
    if fixed.is_some() && fixed != after {
        return Err(mutability(format!("\"{}\" is immutable and already has another value.", attr.name)));
    }
    Ok(())
}

fn check_part(
    kind: OpKind,
    attr: &Attribute,
    sub: &Attribute,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Result<()> {
    let path = || format!("\"{}.{}\"", attr.name, sub.name);
    if sub.required && after.is_none() {
        let text = format!("{} is required and cannot be removed.", path());
        return Err(if kind == OpKind::Remove { mutability(text) } else { invalid_value(text) });
    }
    if sub.mutability == Mutability::Immutable && before.is_some() && before != after {
        return Err(mutability(format!("{} is immutable and already has another value.", path())));
    }
    Ok(())
}

fn unknown_part(attr: &Attribute, name: &str) -> ScimError {
    invalid_path(format!("\"{}\" has no part \"{name}\".", attr.name))
}

fn name(sub: Option<&Attribute>) -> &str {
    sub.map_or("", |sub| sub.name.as_str())
}
