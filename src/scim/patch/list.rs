//! Operations on a multi-valued attribute.

use super::OpKind;
use crate::domain::filter::Filter as Neutral;
use crate::scim::error::{Result, invalid_value, mutability, no_target};
use crate::scim::filter::document_matches;
use crate::scim::path::PatchPath;
use crate::scim::resource::{Canon, MAX_ELEMENTS, element_key, is_primary, tidy};
use crate::scim::schema::{Attribute, Mutability};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A multi-valued attribute being changed.
pub(super) struct MultiValue<'a> {
    pub canon: &'a mut Canon,
    pub attr: &'a Attribute,
    pub items: Vec<Value>,
    /// Whether an element was made because the filter matched none.
    pub created: bool,
}

impl MultiValue<'_> {
    /// The whole attribute: no filter, no sub-attribute.
    pub fn take_whole(&mut self, kind: OpKind, value: Value) -> Result<Vec<Value>> {
        let value = match value {
            Value::Array(_) | Value::Null => value,
            single => Value::Array(vec![single]),
        };
        let given = self.canon.list(self.attr, value)?.unwrap_or_default();
        match kind {
            OpKind::Remove => Ok(Vec::new()),
            OpKind::Replace => tidy(self.attr, given),
            OpKind::Add => self.append(given),
        }
    }

    /// P09: appends; a value that is there already is merged into.
    fn append(&mut self, given: Vec<Value>) -> Result<Vec<Value>> {
        let given = tidy(self.attr, given)?;
        let mut items = std::mem::take(&mut self.items);
        let mut places: HashMap<String, usize> =
            items.iter().enumerate().map(|(at, item)| (element_key(self.attr, item), at)).collect();
        let mut fresh = None;
        for item in given {
            let key = element_key(self.attr, &item);
            let at = *places.entry(key).or_insert(items.len());
            if is_primary(&item) {
                fresh = Some(at);
            }
            match (items.get_mut(at), item) {
                (Some(Value::Object(have)), Value::Object(more)) => {
                    for (key, value) in more {
                        // The spelling that is there stays.
                        if key != "value" && key != "type" {
                            have.insert(key, value);
                        }
                    }
                }
                (Some(_), _) => {}
                (None, item) => items.push(item),
            }
        }
        if items.len() > MAX_ELEMENTS {
            let text = format!("\"{}\" would hold more than {MAX_ELEMENTS} values.", self.attr.name);
            return Err(invalid_value(text));
        }
        demote(&mut items, fresh);
        tidy(self.attr, items)
    }

    /// The elements a filter selects (all of them without one), or their
    /// sub-attribute `sub`.
    pub fn selected(
        &mut self,
        kind: OpKind,
        path: &PatchPath,
        sub: Option<&Attribute>,
        value: Value,
    ) -> Result<Vec<Value>> {
        let filter = path.filter.as_ref().map(|f| f.resolve_inner(self.attr)).transpose()?;
        let value = match value {
            // A list around the one value is what it holds.
            Value::Array(mut list) if list.len() == 1 => list.pop().unwrap_or_default(),
            value => value,
        };
        let mut items = std::mem::take(&mut self.items);
        let chosen: Vec<bool> = items.iter().map(|item| chosen(filter.as_ref(), item)).collect();
        if !chosen.contains(&true) {
            if kind != OpKind::Remove && !value.is_null() {
                let made = self.make(path, sub, value)?;
                let fresh = is_primary(&made).then_some(items.len());
                items.push(made);
                self.created = true;
                demote(&mut items, fresh);
            }
            return tidy(self.attr, items);
        }
        let mut fresh = Vec::new();
        let mut kept = Vec::with_capacity(items.len());
        for (item, chosen) in items.into_iter().zip(chosen) {
            if !chosen {
                kept.push(item);
                continue;
            }
            if let Some(changed) = self.change(kind, item, sub, &value)? {
                if is_primary(&changed) && sub.is_none_or(|s| s.name == "primary") {
                    fresh.push(kept.len());
                }
                kept.push(changed);
            }
        }
        if fresh.len() > 1 {
            return Err(invalid_value(format!("Only one of \"{}\" can be primary.", self.attr.name)));
        }
        demote(&mut kept, fresh.first().copied());
        tidy(self.attr, kept)
    }

    /// One selected element after the operation; none when it is gone.
    fn change(&mut self, kind: OpKind, item: Value, sub: Option<&Attribute>, value: &Value) -> Result<Option<Value>> {
        let unassigns = kind == OpKind::Remove || (kind == OpKind::Replace && value.is_null());
        if let Some(sub) = sub {
            let Value::Object(mut map) = item else {
                return Ok(Some(item));
            };
            let path = format!("{}.{}", self.attr.name, sub.name);
            if sub.mutability == Mutability::Immutable && map.contains_key(&sub.name) {
                return Err(mutability(format!("\"{path}\" is immutable.")));
            }
            if unassigns {
                if sub.required {
                    return Err(mutability(format!("\"{path}\" is required and cannot be removed.")));
                }
                map.remove(&sub.name);
                return Ok((!is_husk(&map)).then_some(Value::Object(map)));
            } else if let Some(value) = self.canon.single(sub, &path, value.clone())? {
                map.insert(sub.name.clone(), value);
            }
            return Ok((!map.is_empty()).then_some(Value::Object(map)));
        }
        if unassigns {
            return Ok(None);
        }
        let given = self.canon.single(self.attr, &self.attr.name, value.clone())?;
        match (kind, item, given) {
            (OpKind::Add, Value::Object(mut have), Some(Value::Object(more))) => {
                have.extend(more);
                Ok(Some(Value::Object(have)))
            }
            (OpKind::Add, item, None) => Ok(Some(item)),
            (_, _, given) => Ok(given),
        }
    }

    /// The element a filter that matched nothing describes (P20).
    fn make(&mut self, path: &PatchPath, sub: Option<&Attribute>, value: Value) -> Result<Value> {
        let nothing = || no_target(format!("Nothing matches the path \"{path}\"."));
        if !self.canon.rules.create_on_no_match {
            return Err(nothing());
        }
        let mut map = Map::new();
        if let Some(filter) = &path.filter {
            filter.describe(&mut map).ok_or_else(nothing)?;
        }
        // A filter that names an element by its value, or by what the operation would make different, means one that is
        // there: RFC 7644 §3.5.2.3 has noTarget for it.
        let described = |name: &str| map.keys().any(|key| key.eq_ignore_ascii_case(name));
        if described("value") || sub.is_some_and(|sub| described(&sub.name)) {
            return Err(nothing());
        }
        match (sub, value) {
            (Some(sub), value) => {
                map.insert(sub.name.clone(), value);
            }
            (None, Value::Object(given)) => map.extend(given),
            (None, value) => {
                map.insert("value".into(), value);
            }
        }
        let made = self.canon.single(self.attr, &self.attr.name, Value::Object(map))?;
        made.ok_or_else(nothing)
    }
}

fn chosen(filter: Option<&Neutral>, item: &Value) -> bool {
    filter.is_none_or(|filter| document_matches(filter, item))
}

/// Whether an element holds nothing but what tells of its value (RFC 7643 §2.4): with the value gone, nothing is left
/// that it could tell of, and the element is unassigned (RFC 7644 §3.5.2.2).
fn is_husk(element: &Map<String, Value>) -> bool {
    element.keys().all(|key| ["type", "primary", "display"].contains(&key.as_str()))
}

/// P05: the one made primary takes it from the others.
fn demote(items: &mut [Value], fresh: Option<usize>) {
    let Some(fresh) = fresh else {
        return;
    };
    for (at, item) in items.iter_mut().enumerate() {
        if let (true, Value::Object(map)) = (at != fresh && is_primary(item), item) {
            map.insert("primary".into(), Value::Bool(false));
        }
    }
}
