//! Manual grants.
use super::extent::{OperatorExtent, PartnerExtent};
use super::{Reader, Row, StoreError, Tx, first, scopes};
use crate::domain::grant::{Holder, ManualGrant, Scope};
use crate::domain::id::{GrantId, RoleId, ScopeId, UserId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

/// The columns of a [`GrantRow`], of the table called `g`.
pub(super) const COLUMNS: &str = "g.id, g.role, g.holder_person, g.holder_group, g.scope, g.valid_from, g.valid_until, \
    g.granted_by, g.reason, g.created_at";

/// The holder is at home in the extent's partner, or below when the extent reaches below: `$1` and `$2`.
const HELD_AT: &str = "EXISTS (SELECT 1 FROM partner_ancestor a WHERE a.ancestor = $1 AND ($2 OR a.depth = 0) \
    AND a.partner = COALESCE((SELECT p.partner FROM live_person p WHERE p.id = g.holder_person), \
    (SELECT u.partner FROM user_group u WHERE u.id = g.holder_group)))";

statements! {
    INSERT: insert[Uuid, Uuid, Uuid, Uuid, Uuid, I64, I64, Uuid, Text, I64] = "INSERT INTO role_grant (id, role, holder_person, holder_group, scope, valid_from, valid_until, \
        suspended_at, granted_by, reason, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8, $9, $10)";
    OF_PERSON = format!("SELECT {COLUMNS} FROM role_grant g WHERE g.holder_person = $3 AND {HELD_AT} ORDER BY g.id");
    OF_GROUP = format!("SELECT {COLUMNS} FROM role_grant g WHERE g.holder_group = $3 AND {HELD_AT} ORDER BY g.id");
    BY_ID = format!("SELECT {COLUMNS} FROM role_grant g WHERE g.id = $3 AND {HELD_AT}");
    HELD_HERE = format!("SELECT {COLUMNS} FROM role_grant g JOIN live_person p ON p.id = g.holder_person \
        WHERE p.partner = $1 UNION ALL SELECT {COLUMNS} FROM role_grant g JOIN user_group u ON u.id = g.holder_group \
        WHERE u.partner = $1 ORDER BY 1");
    // Only people who are not switched off and hold it without end and in full.
    HOLDERS_OVER = "SELECT COUNT(*) FROM role_grant g JOIN live_person p ON p.id = g.holder_person \
        JOIN scope s ON s.id = g.scope WHERE g.role = $1 AND s.reach = 'subtree' AND s.partner = $2 \
        AND g.suspended_at IS NULL AND g.valid_until IS NULL \
        AND NOT EXISTS (SELECT 1 FROM person_suspension x WHERE x.person = p.id) \
        AND NOT EXISTS (SELECT 1 FROM scope_without_partner w WHERE w.scope = s.id) \
        AND NOT EXISTS (SELECT 1 FROM scope_without_group w WHERE w.scope = s.id)";
    // Those who hold all of a partner by a grant of their own: roles that stand under no other first, and of equals those
    // who are not switched off.
    HOLDERS = "SELECT p.id, MIN(CASE WHEN r.parent IS NULL AND r.catalog_key IS NOT NULL THEN 0 ELSE 1 END) AS below, \
            MIN(CASE WHEN EXISTS (SELECT 1 FROM person_suspension x WHERE x.person = p.id) THEN 1 ELSE 0 END) AS off, \
            p.sort_key \
        FROM partner_ancestor a JOIN scope s ON s.partner = a.ancestor AND s.reach = 'subtree' \
        JOIN role_grant g ON g.scope = s.id JOIN role r ON r.id = g.role JOIN live_person p ON p.id = g.holder_person \
        WHERE a.partner = $1 AND p.partner = $1 AND g.valid_until IS NULL GROUP BY p.id, p.sort_key ORDER BY 3, 2, 4, 1 LIMIT $2";
    SET_REASON = "UPDATE role_grant SET reason = $2 WHERE id = $1";
    DELETE = "DELETE FROM role_grant WHERE id = $1";
}

/// A grant before its scope is read.
pub(super) struct GrantRow {
    pub(super) id: GrantId,
    role: RoleId,
    holder: Holder,
    pub(super) scope: ScopeId,
    window: Window,
    granted_by: Option<UserId>,
    reason: Option<String>,
    created_at: Timestamp,
}

pub(super) fn found(row: &Row) -> Result<GrantRow, StoreError> {
    let holder = match (row.get(2)?, row.get(3)?) {
        (Some(user), None) => Holder::User(user),
        (None, Some(group)) => Holder::Group(group),
        _ => return Err(StoreError::Decode("holder_person".to_owned())),
    };
    Ok(GrantRow {
        id: row.get(0)?,
        role: row.get(1)?,
        holder,
        scope: row.get(4)?,
        window: Window { from: row.get(5)?, until: row.get(6)? },
        granted_by: row.get(7)?,
        reason: row.get(8)?,
        created_at: row.get(9)?,
    })
}

impl GrantRow {
    pub(super) fn with(self, scope: Scope) -> ManualGrant {
        let Self { id, role, holder, window, granted_by, reason, created_at, .. } = self;
        ManualGrant { id, role, holder, scope, window, granted_by, reason, created_at }
    }
}

/// Writes grants, each with the id of its scope. That their giver holds as much is for the use case to have checked.
///
/// # Errors
/// `StoreError::ForeignKey` when role, holder or scope name something that does not exist. At the next statement, as
/// [`Tx::later`] has it.
pub async fn insert(tx: &mut Tx, _by: &OperatorExtent, new: &[(ScopeId, ManualGrant)]) -> Result<(), StoreError> {
    let scopes: Vec<_> = new.iter().map(|(scope, grant)| (*scope, &grant.scope)).collect();
    scopes::insert_all(tx, &scopes).await?;
    let rows = new.iter().map(|(scope, new)| {
        let (person, group) = match new.holder {
            Holder::User(user) => (Some(user), None),
            Holder::Group(group) => (None, Some(group)),
        };
        binds![
            new.id,
            new.role,
            person,
            group,
            *scope,
            new.window.from,
            new.window.until,
            new.granted_by,
            &new.reason,
            new.created_at
        ]
    });
    tx.later(&INSERT, rows).await
}

/// The grants of a holder within the extent, the oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn of_holder(
    reader: &mut Reader,
    at: &PartnerExtent,
    holder: Holder,
) -> Result<Vec<ManualGrant>, StoreError> {
    let rows = match holder {
        Holder::User(user) => reader.all(&OF_PERSON, binds![at.partner(), at.subtree(), user], found).await?,
        Holder::Group(group) => reader.all(&OF_GROUP, binds![at.partner(), at.subtree(), group], found).await?,
    };
    scoped(reader, rows).await
}

async fn scoped(reader: &mut Reader, rows: Vec<GrantRow>) -> Result<Vec<ManualGrant>, StoreError> {
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        let scope = scopes::get(reader, row.scope).await?;
        grants.push(row.with(scope));
    }
    Ok(grants)
}

/// The grants of everyone at home in the extent's partner and of its user groups, not of those below; oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn held_here(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<ManualGrant>, StoreError> {
    let rows = reader.all(&HELD_HERE, binds![at.partner()], found).await?;
    scoped(reader, rows).await
}

/// How many people who are not switched off hold the role over all of the extent's partner and everything below it, by
/// a grant of their own that does not end.
///
/// # Errors
/// Only those of the store.
pub async fn holders_over(reader: &mut Reader, at: &PartnerExtent, role: RoleId) -> Result<u64, StoreError> {
    reader.one(&HOLDERS_OVER, binds![role, at.partner()], first).await
}

/// Those at home in the extent's partner who hold a role over all of it by a grant of their own that does not end: who
/// holds most and is not switched off comes first. With each, whether the role is one of the catalog that stands under no
/// other.
///
/// # Errors
/// Only those of the store.
pub async fn holders_at(reader: &mut Reader, at: &PartnerExtent, most: u32) -> Result<Vec<(UserId, bool)>, StoreError> {
    let read = |row: &Row| Ok((row.get(0)?, row.get::<i64>(1)? == 0));
    reader.all(&HOLDERS, binds![at.partner(), most], read).await
}

/// Writes another reason on a grant whose holder is within the extent.
///
/// # Errors
/// `StoreError::NotFound` when there is none.
pub async fn set_reason(tx: &mut Tx, at: &PartnerExtent, id: GrantId, reason: &str) -> Result<(), StoreError> {
    tx.one(&BY_ID, binds![at.partner(), at.subtree(), id], found).await?;
    tx.execute(&SET_REASON, binds![id, reason]).await.map(drop)
}

/// Takes back a grant whose holder is within the extent.
///
/// # Errors
/// `StoreError::NotFound` when there is none.
pub async fn delete(tx: &mut Tx, at: &PartnerExtent, id: GrantId) -> Result<(), StoreError> {
    tx.one(&BY_ID, binds![at.partner(), at.subtree(), id], found).await?;
    tx.execute(&DELETE, binds![id]).await.map(drop)
}
