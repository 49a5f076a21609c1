//! Groups in groups. `group_closure` holds every group with each group inside it at any depth, itself among them, and
//! is kept set-based when an edge comes or goes. Cycles are harmless: the closure is a set.
//!
//! Writers hold the connection ([`lock`]): two edges that come at the same moment must see each other.
use super::extent::ConnectionExtent;
use super::{StoreError, Tx, first};
use crate::domain::id::{ExternalGroupId, UserId};
use crate::{binds, statements};

statements! {
    LOCK(dialect) = format!("SELECT id FROM connections WHERE id = $1 {}", dialect.for_no_key_update());
    START = "INSERT INTO external_group_ancestors (ancestor_id, external_group_id) VALUES ($1, $1)";
    ADD: set (dialect) = format!("INSERT INTO external_subgroups (parent_id, child_id) \
        SELECT {}, g.id FROM external_groups g WHERE COALESCE(g.connection_id = $2, FALSE) AND g.id IN ($3) \
        ON CONFLICT DO NOTHING RETURNING child_id", dialect.typed("$1", "uuid"));
    CONNECT = "INSERT INTO external_group_ancestors (ancestor_id, external_group_id) SELECT outside.ancestor_id, inside.external_group_id \
        FROM external_group_ancestors outside JOIN external_group_ancestors inside ON inside.ancestor_id = $2 WHERE outside.external_group_id = $1 \
        ON CONFLICT DO NOTHING";
    REMOVE: set = "DELETE FROM external_subgroups WHERE parent_id = $1 AND child_id IN ($2) RETURNING child_id";
    CHILDREN = "SELECT child_id FROM external_subgroups WHERE parent_id = $1 ORDER BY child_id";
    OUTER = "SELECT ancestor_id FROM external_group_ancestors WHERE external_group_id = $1 AND ancestor_id <> $1";
    FORGET: set = "DELETE FROM external_group_ancestors WHERE ancestor_id <> external_group_id AND ancestor_id IN ($1)";
    REBUILD: set = "INSERT INTO external_group_ancestors (ancestor_id, external_group_id) \
        WITH RECURSIVE inside (ancestor_id, external_group_id) AS ( \
            SELECT s.parent_id, s.child_id FROM external_subgroups s WHERE s.parent_id IN ($1) \
            UNION SELECT i.ancestor_id, s.child_id FROM inside i JOIN external_subgroups s ON s.parent_id = i.external_group_id) \
        SELECT ancestor_id, external_group_id FROM inside WHERE TRUE ON CONFLICT DO NOTHING";
    LEAVE_OUTER = "DELETE FROM external_subgroups WHERE child_id = $1 RETURNING parent_id";
    DROP_CHILDREN = "DELETE FROM external_subgroups WHERE parent_id = $1";
    DROP = "DELETE FROM external_group_ancestors WHERE ancestor_id = $1 OR external_group_id = $1";
    USERS_INSIDE = "SELECT DISTINCT u.user_id FROM external_group_ancestors c CROSS JOIN external_group_members m CROSS JOIN external_users u \
        WHERE c.ancestor_id = $1 AND m.external_group_id = c.external_group_id AND u.id = m.external_user_id AND COALESCE(u.connection_id = $2, FALSE) \
        AND u.user_id IS NOT NULL";
    USERS_INSIDE_ANY = "SELECT DISTINCT u.user_id FROM external_group_ancestors c CROSS JOIN external_group_members m \
        CROSS JOIN external_users u WHERE c.ancestor_id = $1 AND m.external_group_id = c.external_group_id AND u.id = m.external_user_id \
        AND COALESCE(u.directory_id = $2, FALSE) AND u.user_id IS NOT NULL";
}

/// Holds the connection's nesting until this transaction ends. Its key stays free: users and groups are created meanwhile.
///
/// # Errors
/// Only those of the store.
pub async fn lock(tx: &mut Tx, at: &ConnectionExtent) -> Result<(), StoreError> {
    tx.optional(&LOCK, binds![at.connection()], |_| Ok(())).await.map(drop)
}

/// The first row of a new group: itself.
///
/// # Errors
/// Only those of the store.
pub async fn start(tx: &mut Tx, _at: &ConnectionExtent, group: ExternalGroupId) -> Result<(), StoreError> {
    tx.execute(&START, binds![group]).await.map(drop)
}

/// Nests groups of the connection directly in `group`; those that were not.
///
/// # Errors
/// `StoreError::ForeignKey` when a group was deleted meanwhile.
pub async fn add(
    tx: &mut Tx,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    children: &[ExternalGroupId],
) -> Result<Vec<ExternalGroupId>, StoreError> {
    let added: Vec<ExternalGroupId> =
        tx.all_in(&ADD, binds![group, at.connection()], children.iter().copied(), first).await?;
    for child in &added {
        tx.execute(&CONNECT, binds![group, *child]).await?;
    }
    Ok(added)
}

/// Takes directly nested groups out; those that were in.
///
/// # Errors
/// Only those of the store.
pub async fn remove(
    tx: &mut Tx,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    children: &[ExternalGroupId],
) -> Result<Vec<ExternalGroupId>, StoreError> {
    let removed: Vec<ExternalGroupId> = tx.all_in(&REMOVE, binds![group], children.iter().copied(), first).await?;
    if !removed.is_empty() {
        rebuild(tx, at, group).await?;
    }
    Ok(removed)
}

/// The groups nested directly in `group`, by id.
///
/// # Errors
/// Only those of the store.
pub async fn children(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    tx.all(&CHILDREN, binds![group], first).await
}

/// The users who are in a group, or in a group inside it.
///
/// # Errors
/// Only those of the store.
pub async fn users_inside(
    tx: &mut Tx,
    at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<Vec<UserId>, StoreError> {
    tx.all(&USERS_INSIDE, binds![group, at.connection()], first).await
}

/// [`users_inside`] of a group of any connection of the connection's directory.
///
/// # Errors
/// Only those of the store.
pub async fn users_inside_any(
    tx: &mut Tx,
    at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<Vec<UserId>, StoreError> {
    tx.all(&USERS_INSIDE_ANY, binds![group, at.directory()], first).await
}

/// Cuts every edge of a group that is about to be deleted; the groups it was nested in directly.
///
/// # Errors
/// Only those of the store.
pub async fn drop_group(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    let outer: Vec<ExternalGroupId> = tx.all(&OUTER, binds![group], first).await?;
    let direct = tx.all(&LEAVE_OUTER, binds![group], first).await?;
    tx.execute(&DROP_CHILDREN, binds![group]).await?;
    tx.execute(&DROP, binds![group]).await?;
    again(tx, outer).await?;
    Ok(direct)
}

/// Computes anew what `group` and the groups around it hold.
async fn rebuild(tx: &mut Tx, _at: &ConnectionExtent, group: ExternalGroupId) -> Result<(), StoreError> {
    let mut outer: Vec<ExternalGroupId> = tx.all(&OUTER, binds![group], first).await?;
    outer.push(group);
    again(tx, outer).await
}

async fn again(tx: &mut Tx, ancestors: Vec<ExternalGroupId>) -> Result<(), StoreError> {
    tx.execute_in(&FORGET, Vec::new(), ancestors.iter().copied()).await?;
    tx.execute_in(&REBUILD, Vec::new(), ancestors).await.map(drop)
}
