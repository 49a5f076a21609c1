//! What exception of a scope keeps a resource out.
use uuid::Uuid;

use super::effective_many::of_each;
use super::{Reader, Row, StoreError};
use crate::access::explain::{GrantExplanation, GrantOrigin, NamedRef};
use crate::domain::grant::Resource;
use crate::domain::id::{Id as _, PartnerId, UserGroupId};
use crate::{binds, statements};

statements! {
    // Of partners, the nearest.
    HIT: question[Uuid, Uuid, Uuid, Uuid] = "SELECT 0 AS kind, a.depth AS far, w.partner_id AS id, p.name \
        FROM (SELECT g.scope_id FROM grants g WHERE g.id = $1 \
            UNION ALL SELECT r.scope_id FROM mapping_rules r WHERE r.id = $1) held \
        JOIN scope_excluded_partners w ON w.scope_id = held.scope_id \
        JOIN partner_ancestors a ON a.ancestor_id = w.partner_id JOIN live_partners p ON p.id = w.partner_id \
        WHERE a.partner_id = $2 \
        UNION ALL SELECT 1, 0, w.user_group_id, u.name FROM (SELECT g.scope_id FROM grants g WHERE g.id = $1 \
            UNION ALL SELECT r.scope_id FROM mapping_rules r WHERE r.id = $1) held \
        JOIN scope_excluded_user_groups w ON w.scope_id = held.scope_id JOIN user_groups u ON u.id = w.user_group_id \
        WHERE u.partner_id = $2 AND (u.id = $3 \
            OR EXISTS (SELECT 1 FROM live_users p WHERE p.id = $4 AND p.primary_group_id = u.id) \
            OR EXISTS (SELECT 1 FROM user_group_members m WHERE m.user_id = $4 AND m.user_group_id = u.id))";
}

/// An exception of a scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exception {
    /// A partner with all below it.
    Partner(NamedRef<PartnerId>),
    /// A user group.
    Group(NamedRef<UserGroupId>),
}

/// The question whether an exception of the scope of a grant or rule keeps a resource out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Exemption {
    held: Uuid,
    resource: Resource,
}

impl Exemption {
    /// Of the scope behind `proof`; none when that has no exceptions.
    pub fn of(proof: &GrantExplanation, resource: Resource) -> Option<Self> {
        let held = match &proof.origin {
            GrantOrigin::Manual { grant, .. } => grant.uuid(),
            GrantOrigin::Rule(line) => line.rule.id.uuid(),
        };
        proof.scope.has_exclusions.then_some(Self { held, resource })
    }
}

/// For each, the exception that the resource falls under; none when another thing is in the way.
///
/// # Errors
/// Only those of the store.
pub(super) async fn hits(reader: &mut Reader, all: &[Exemption]) -> Result<Vec<Option<Exception>>, StoreError> {
    let key = |one: &Exemption| {
        let Resource { partner, group, owner } = one.resource;
        binds![one.held, partner, group.map(|group| group.uuid()), owner.map(|owner| owner.uuid())]
    };
    let read = |row: &Row| {
        let (kind, id, name): (i64, Uuid, String) = (row.get("kind")?, row.get("id")?, row.get("name")?);
        let found = match kind {
            0 => Exception::Partner(NamedRef::new(PartnerId::from_uuid(id), name)),
            _ => Exception::Group(NamedRef::new(UserGroupId::from_uuid(id), name)),
        };
        Ok(((kind, row.get::<i64>("far")?, id), found))
    };
    let found = of_each(reader, &HIT, all.iter().map(key).collect(), read).await?;
    let first = |rows: Vec<_>| rows.into_iter().min_by_key(|(order, _)| *order).map(|(_, found)| found);
    Ok(found.into_iter().map(first).collect())
}
