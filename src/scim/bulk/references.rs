//! `bulkId:` references inside operations (RFC 7644 §3.7.2).

use super::BulkOperation;
use serde_json::{Map, Value};

const MARK: &str = "bulkId:";

/// Every bulkId a call refers to.
pub(super) fn of(call: &BulkOperation) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(name) = call.id.as_deref().and_then(|id| id.strip_prefix(MARK)) {
        found.push(name.to_owned());
    }
    gather("", &call.data, &mut found);
    found.sort();
    found.dedup();
    found
}

fn gather(key: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            found.extend(places(key, text).into_iter().map(|(start, end)| slice(text, start, end).to_owned()));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(key, item, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| gather(key, value, found)),
        _ => {}
    }
}

/// Where names of operations stand in a text, without the mark: the whole text
/// (`bulkId:x`), the last segment of a `$ref`, quoted in the `path` of PATCH.
fn places(key: &str, text: &str) -> Vec<(usize, usize)> {
    if text.starts_with(MARK) {
        return vec![(MARK.len(), text.len())];
    }
    if key.eq_ignore_ascii_case("$ref") {
        let at = text.rfind("/bulkId:").map(|at| at + 1 + MARK.len());
        return at.map(|at| (at, text.len())).into_iter().collect();
    }
    if !key.eq_ignore_ascii_case("path") {
        return Vec::new();
    }
    text.match_indices("\"bulkId:")
        .filter_map(|(at, mark)| {
            let start = at + mark.len();
            let length = text.get(start..)?.find('"')?;
            Some((start, start + length))
        })
        .collect()
}

fn slice(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}

/// Replaces every reference in a call by the id `id_of` gives for it.
///
/// # Errors
/// The first name for which there is no id.
pub(super) fn resolve(call: &mut BulkOperation, id_of: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    if let Some(name) = call.id.as_deref().and_then(|id| id.strip_prefix(MARK)) {
        let id = id_of(name).ok_or_else(|| name.to_owned())?;
        call.id = Some(id);
    }
    replace("", &mut call.data, id_of)
}

fn replace(key: &str, value: &mut Value, id_of: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    match value {
        Value::String(text) => {
            // From the end, so that the places before stay where they are.
            for (start, end) in places(key, text).into_iter().rev() {
                let name = slice(text, start, end);
                let id = id_of(name).ok_or_else(|| name.to_owned())?;
                text.replace_range(start - MARK.len()..end, &id);
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(key, item, id_of)),
        Value::Object(map) => map.iter_mut().try_for_each(|(key, value)| replace(key, value, id_of)),
        _ => Ok(()),
    }
}

/// Takes out of a resource what refers to one of `names`, and returns it in
/// the same shape, to be added when those exist (R05).
pub(super) fn skipped(data: &mut Value, names: &[String]) -> Map<String, Value> {
    let mut aside = Map::new();
    let Value::Object(map) = data else {
        return aside;
    };
    let refers = |key: &str, value: &Value| {
        let mut found = Vec::new();
        gather(key, value, &mut found);
        found.iter().any(|name| names.contains(name))
    };
    let keys: Vec<String> = map.keys().filter(|key| map.get(*key).is_some_and(|v| refers(key, v))).cloned().collect();
    for key in keys {
        match map.get_mut(&key) {
            Some(Value::Array(items)) => {
                let (out, kept): (Vec<Value>, Vec<Value>) =
                    std::mem::take(items).into_iter().partition(|item| refers(&key, item));
                *items = kept;
                aside.insert(key, Value::Array(out));
            }
            Some(extension @ Value::Object(_)) if key.contains(':') => {
                let inner = skipped(extension, names);
                aside.insert(key, Value::Object(inner));
            }
            _ => {
                if let Some(value) = map.remove(&key) {
                    aside.insert(key, value);
                }
            }
        }
    }
    aside
}
