//! PATCH (RFC 7644 §3.5.2): the message, and applying it to a document.
//!
//! Operations apply one by one to a copy; the first that fails fails all of
//! them, so nothing is half-done (P02). Operations on a group's members do not
//! touch the document: they come out as [`MemberOp`]s, in order, for the store
//! to carry out on its rows without reading the group.

mod apply;
mod list;
mod members;

#[cfg(test)]
mod tests;

pub use apply::{PasswordChange, Patched, apply};
pub use members::{MemberOp, MemberSelector};

use super::error::{Result, ScimError, invalid_syntax, invalid_value, no_target};
use super::json::{refuse_twins, take};
use super::message::{PATCH_URN, envelope};
use super::path::PatchPath;
use serde_json::{Map, Value};

/// Most operations in one PATCH.
pub const MAX_OPERATIONS: usize = 10_000;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpKind {
    /// Adds values; merges into what is there.
    Add,
    /// Removes values.
    Remove,
    /// Puts values in the place of others.
    Replace,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub kind: OpKind,
    /// Where; none means the resource itself.
    pub path: Option<PatchPath>,
    /// With what; null for `remove`.
    pub value: Value,
}

/// Reads a PatchOp message in its strict form (P01).
///
/// # Errors
/// 400 `invalidSyntax`, `invalidPath`, `invalidValue` or `noTarget`; 413
/// beyond [`MAX_OPERATIONS`].
pub fn parse(body: Value) -> Result<Vec<Operation>> {
    let mut map = envelope(body, PATCH_URN)?;
    let list = match take(&mut map, "Operations") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        _ => return Err(invalid_syntax("\"Operations\" must be a list of at least one operation.")),
    };
    if list.len() > MAX_OPERATIONS {
        return Err(ScimError::too_large(format!("At most {MAX_OPERATIONS} operations fit in one PATCH.")));
    }
    list.into_iter().map(operation).collect()
}

fn operation(entry: Value) -> Result<Operation> {
    let Value::Object(mut map) = entry else {
        return Err(invalid_syntax("Every operation must be an object."));
    };
    refuse_twins(&map)?;
    let kind = match take(&mut map, "op").as_ref().and_then(Value::as_str) {
        Some("add") => OpKind::Add,
        Some("remove") => OpKind::Remove,
        Some("replace") => OpKind::Replace,
        _ => return Err(invalid_syntax("\"op\" must be \"add\", \"remove\" or \"replace\".")),
    };
    let path = match take(&mut map, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() && kind == OpKind::Remove => None,
        Some(Value::String(text)) => Some(PatchPath::parse(&text)?),
        Some(_) => return Err(super::error::invalid_path("\"path\" must be a string.")),
    };
    let value = value(kind, path.is_some(), &mut map)?;
    Ok(Operation { kind, path, value })
}

fn value(kind: OpKind, has_path: bool, map: &mut Map<String, Value>) -> Result<Value> {
    match (kind, take(map, "value")) {
        (OpKind::Remove, _) if !has_path => Err(no_target("\"remove\" needs a \"path\".")),
        (OpKind::Remove, None | Some(Value::Null)) => Ok(Value::Null),
        (OpKind::Remove, Some(_)) => {
            Err(invalid_syntax("\"remove\" takes no \"value\"; select what to remove by a filter in the path."))
        }
        (_, None) => Err(invalid_value("\"add\" and \"replace\" need a \"value\".")),
        (_, Some(value)) => Ok(value),
    }
}
