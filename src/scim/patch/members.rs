//! Operations on a group's members, as operations on a set (D04, P21).

use super::OpKind;
use crate::domain::filter::{Filter, FilterOp, FilterValue as Constant};
use crate::scim::error::{Result, invalid_path, mutability};
use crate::scim::path::PatchPath;
use crate::scim::resource::{MemberRef, read_members};
use crate::scim::schema::Attribute;
use serde_json::Value;

/// One change of a group's members.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberOp {
    /// These are members afterwards; those who were stay.
    Add(Vec<MemberRef>),
    /// These are not members afterwards; not having been one is fine (P14).
    Remove(MemberSelector),
    /// These and no others are members afterwards.
    ReplaceAll(Vec<MemberRef>),
    /// Nobody is a member afterwards.
    Clear,
}

/// Which members to remove.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberSelector {
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those that satisfy a filter over one member (`value`, `type`).
    Matching(Filter),
}

/// The member operation of a PATCH operation whose path is `members…`, or of a
/// path-less one's `members` value.
pub(super) fn compile(
    attr: &Attribute,
    kind: OpKind,
    path: Option<&PatchPath>,
    value: &Value,
) -> Result<Option<MemberOp>> {
    if path.is_some_and(|p| p.sub.is_some() || p.attr.sub.is_some()) {
        return Err(mutability("The parts of a member cannot be changed; remove it and add another."));
    }
    let filter = path.and_then(|p| p.filter.as_ref());
    Ok(match (kind, filter) {
        (OpKind::Add, Some(_)) => {
            return Err(invalid_path("Members are added with the path \"members\", without a filter."));
        }
        (OpKind::Replace, Some(_)) => {
            return Err(mutability("A member cannot be changed; remove it and add another."));
        }
        (OpKind::Add, None) => Some(read_members(value)?).filter(|list| !list.is_empty()).map(MemberOp::Add),
        (OpKind::Replace, None) => {
            let list = read_members(value)?;
            Some(if list.is_empty() { MemberOp::Clear } else { MemberOp::ReplaceAll(list) })
        }
        (OpKind::Remove, None) => Some(MemberOp::Clear),
        (OpKind::Remove, Some(filter)) => {
            let filter = filter.resolve_inner(attr)?;
            Some(MemberOp::Remove(selector(filter)))
        }
    })
}

/// Appends `op`, joined with the one before where that says the same: clients
/// send one operation a member. To take everybody out and name some afterwards
/// states the whole list, however many operations it takes.
pub(super) fn push(ops: &mut Vec<MemberOp>, op: MemberOp) {
    match (ops.last_mut(), op) {
        (Some(MemberOp::Add(list) | MemberOp::ReplaceAll(list)), MemberOp::Add(more)) => list.extend(more),
        (Some(last @ MemberOp::Clear), MemberOp::Add(list)) => *last = MemberOp::ReplaceAll(list),
        (Some(MemberOp::Remove(MemberSelector::Ids(list))), MemberOp::Remove(MemberSelector::Ids(more))) => {
            list.extend(more)
        }
        (_, op @ (MemberOp::ReplaceAll(_) | MemberOp::Clear)) => {
            // Whatever was done before does not matter any more.
            ops.clear();
            ops.push(op);
        }
        (_, op) => ops.push(op),
    }
}

fn selector(filter: Filter) -> MemberSelector {
    let parts = match &filter {
        Filter::Or(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    let ids: Option<Vec<String>> = parts
        .iter()
        .map(|part| match part {
            Filter::Compare { field, op: FilterOp::Eq, value: Constant::Text(id) } if field.path == ["value"] => {
                Some(id.clone())
            }
            _ => None,
        })
        .collect();
    ids.map_or(MemberSelector::Matching(filter), MemberSelector::Ids)
}
