//! Manual grants.
use super::extent::{OperatorExtent, PartnerExtent};
use super::{Reader, Row, StoreError, Tx, first, scopes};
use crate::domain::grant::{Holder, ManualGrant, Scope};
use crate::domain::id::{GrantId, RoleId, ScopeId, UserId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

/// The columns of a [`GrantRow`], of the table called `g`.
pub(super) const COLUMNS: &str = "g.id, g.role_id, g.user_id, g.user_group_id, g.scope_id, g.valid_from, g.valid_until, \
    g.granted_by, g.reason, g.created_at";

/// The holder is at home in the extent's partner, or below when the extent reaches below: `$1` and `$2`.
const HELD_AT: &str = "EXISTS (SELECT 1 FROM partner_ancestors a WHERE a.ancestor_id = $1 AND ($2 OR a.depth = 0) \
    AND a.partner_id = COALESCE((SELECT p.partner_id FROM live_users p WHERE p.id = g.user_id), \
    (SELECT u.partner_id FROM user_groups u WHERE u.id = g.user_group_id)))";

statements! {
    INSERT: insert[Uuid, Uuid, Uuid, Uuid, Uuid, I64, I64, Uuid, Text, I64] = "INSERT INTO grants (id, role_id, user_id, user_group_id, scope_id, valid_from, valid_until, \
        suspended_at, granted_by, reason, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8, $9, $10)";
    OF_USER = format!("SELECT {COLUMNS} FROM grants g WHERE g.user_id = $3 AND {HELD_AT} ORDER BY g.id");
    OF_GROUP = format!("SELECT {COLUMNS} FROM grants g WHERE g.user_group_id = $3 AND {HELD_AT} ORDER BY g.id");
    BY_ID = format!("SELECT {COLUMNS} FROM grants g WHERE g.id = $3 AND {HELD_AT}");
    HELD_HERE = format!("SELECT {COLUMNS} FROM grants g JOIN live_users p ON p.id = g.user_id \
        WHERE p.partner_id = $1 UNION ALL SELECT {COLUMNS} FROM grants g JOIN user_groups u ON u.id = g.user_group_id \
        WHERE u.partner_id = $1 ORDER BY 1");
    // Only users who are not switched off and hold it without end and in full.
    HOLDERS_OVER = "SELECT COUNT(*) FROM grants g JOIN live_users p ON p.id = g.user_id \
        JOIN scopes s ON s.id = g.scope_id WHERE g.role_id = $1 AND s.kind = 'subtree' AND s.partner_id = $2 \
        AND g.suspended_at IS NULL AND g.valid_until IS NULL \
        AND NOT EXISTS (SELECT 1 FROM user_suspensions x WHERE x.user_id = p.id) \
        AND NOT EXISTS (SELECT 1 FROM scope_excluded_partners w WHERE w.scope_id = s.id) \
        AND NOT EXISTS (SELECT 1 FROM scope_excluded_user_groups w WHERE w.scope_id = s.id)";
    // Those who hold all of a partner by a grant of their own: roles that stand under no other first, and of equals those
    // who are not switched off.
    HOLDERS = "SELECT p.id, MIN(CASE WHEN r.parent_id IS NULL AND r.catalog_key IS NOT NULL THEN 0 ELSE 1 END) AS below, \
            MIN(CASE WHEN EXISTS (SELECT 1 FROM user_suspensions x WHERE x.user_id = p.id) THEN 1 ELSE 0 END) AS off, \
            p.sort_key \
        FROM partner_ancestors a JOIN scopes s ON s.partner_id = a.ancestor_id AND s.kind = 'subtree' \
        JOIN grants g ON g.scope_id = s.id JOIN roles r ON r.id = g.role_id JOIN live_users p ON p.id = g.user_id \
        WHERE a.partner_id = $1 AND p.partner_id = $1 AND g.valid_until IS NULL GROUP BY p.id, p.sort_key ORDER BY 3, 2, 4, 1 LIMIT $2";
    SET_REASON = "UPDATE grants SET reason = $2 WHERE id = $1";
    DELETE = "DELETE FROM grants WHERE id = $1";
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
        _ => return Err(StoreError::Decode("user_id".to_owned())),
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
        let (user, group) = match new.holder {
            Holder::User(user) => (Some(user), None),
            Holder::Group(group) => (None, Some(group)),
        };
        binds![
            new.id,
            new.role,
            user,
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
        Holder::User(user) => reader.all(&OF_USER, binds![at.partner(), at.subtree(), user], found).await?,
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

/// How many users who are not switched off hold the role over all of the extent's partner and everything below it, by
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
