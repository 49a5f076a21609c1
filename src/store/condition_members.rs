//! For whom attribute conditions hold: rows beside the external memberships, kept by whoever writes the external user.
use serde_json::Value as Json;
use uuid::Uuid;

use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::{Reader, Row, StoreError, Tx, first, tuple};
use crate::domain::id::{ConditionId, ConnectionId, DirectoryId, ExternalUserId, Id as _};
use crate::{binds, statements};

statements! {
    OF_USER = "SELECT c.id, c.expression, EXISTS (SELECT 1 FROM attribute_condition_members m \
        WHERE m.condition_id = c.id AND m.external_user_id = $2) FROM attribute_conditions c WHERE c.directory_id = $1 ORDER BY c.id";
    ADD: insert[Uuid, Uuid] = "INSERT INTO attribute_condition_members (condition_id, external_user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    REMOVE: set = "DELETE FROM attribute_condition_members WHERE condition_id = $1 AND external_user_id IN ($2)";
    FORGET_USER = "DELETE FROM attribute_condition_members WHERE external_user_id = $1";
    CONNECTIONS = "SELECT c.id FROM connections c JOIN directories d ON d.id = c.directory_id \
        WHERE c.directory_id = $1 AND d.partner_id = $2 ORDER BY c.id";
    CONNECTIONS_OF = "SELECT id FROM connections WHERE directory_id = $1 ORDER BY id";
    KEYS_PAGE = KEYS;
    // No EXISTS: PostgreSQL would rather read all whom the condition holds for, at every page.
    NOTED_PAGE = "SELECT u.id, u.search_keys, (SELECT m.external_user_id FROM attribute_condition_members m \
        WHERE m.condition_id = $4 AND m.external_user_id = u.id LIMIT 1) IS NOT NULL FROM external_users u \
        WHERE u.connection_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3";
    HOLD_PAGE(dialect) = format!("{KEYS} {}", dialect.for_no_key_update_of("u"));
}

const KEYS: &str =
    "SELECT u.id, u.search_keys FROM external_users u WHERE u.connection_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3";

/// A condition of the directory, and whether it holds for a user so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConditionState {
    /// The condition.
    pub condition: ConditionId,
    /// What it asks, as a filter.
    pub expression: String,
    /// Whether the user is among its members.
    pub holds: bool,
}

/// The conditions of the connection's directory, as they hold for `user` so far.
///
/// # Errors
/// Only those of the store.
pub async fn of_user(
    reader: &mut Reader,
    at: &ConnectionExtent,
    user: ExternalUserId,
) -> Result<Vec<ConditionState>, StoreError> {
    let read = |row: &Row| {
        let (condition, expression, holds) = tuple(row)?;
        Ok(ConditionState { condition, expression, holds })
    };
    reader.all(&OF_USER, binds![at.directory(), user], read).await
}

/// Notes that a condition holds for a user, or no longer does.
///
/// # Errors
/// Only those of the store.
pub async fn set(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    condition: ConditionId,
    user: ExternalUserId,
    holds: bool,
) -> Result<(), StoreError> {
    if holds {
        tx.later(&ADD, [binds![condition, user]]).await
    } else {
        tx.execute_in(&REMOVE, binds![condition], [user]).await.map(drop)
    }
}

/// Forgets a user who is about to be deleted.
///
/// # Errors
/// Only those of the store.
pub async fn forget(tx: &mut Tx, _at: &ConnectionExtent, user: ExternalUserId) -> Result<(), StoreError> {
    tx.execute(&FORGET_USER, binds![user]).await.map(drop)
}

/// The comparable twins of a page of the directory's users, by id, those after `after`; at most `limit`. Nothing when
/// the directory is not the extent's.
///
/// # Errors
/// Only those of the store.
pub async fn keys_page(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    after: Option<ExternalUserId>,
    limit: u32,
) -> Result<Vec<(ExternalUserId, Json)>, StoreError> {
    let connections: Vec<ConnectionId> = reader.all(&CONNECTIONS, binds![directory, at.partner()], first).await?;
    let mut found = Vec::new();
    for connection in connections {
        let read = |row: &Row| Ok((row.get(0)?, row.json(1)?));
        found.extend(reader.all(&KEYS_PAGE, binds![connection, behind(after), limit], read).await?);
    }
    Ok(first_of(found, limit, |(id, _)| *id))
}

/// A page of a directory's users by id, those after `after`: the comparable twin of each, and whether the condition is
/// noted for it.
///
/// # Errors
/// Only those of the store.
pub async fn noted_page(
    reader: &mut Reader,
    _by: &OperatorExtent,
    (directory, condition): (DirectoryId, ConditionId),
    after: Option<ExternalUserId>,
    limit: u32,
) -> Result<Vec<(ExternalUserId, Json, bool)>, StoreError> {
    let connections: Vec<ConnectionId> = reader.all(&CONNECTIONS_OF, binds![directory], first).await?;
    let mut found = Vec::new();
    for connection in connections {
        let read = |row: &Row| Ok((row.get(0)?, row.json(1)?, row.get(2)?));
        found.extend(reader.all(&NOTED_PAGE, binds![connection, behind(after), limit, condition], read).await?);
    }
    Ok(first_of(found, limit, |(id, ..)| *id))
}

/// Like [`keys_page`]; nobody else changes those users until this transaction ends.
///
/// # Errors
/// Only those of the store.
pub async fn hold_page(
    tx: &mut Tx,
    at: &PartnerExtent,
    directory: DirectoryId,
    after: Option<ExternalUserId>,
    limit: u32,
) -> Result<Vec<(ExternalUserId, Json)>, StoreError> {
    let connections: Vec<ConnectionId> = tx.all(&CONNECTIONS, binds![directory, at.partner()], first).await?;
    let mut found = Vec::new();
    for connection in connections {
        let read = |row: &Row| Ok((row.get(0)?, row.json(1)?));
        found.extend(tx.all(&HOLD_PAGE, binds![connection, behind(after), limit], read).await?);
    }
    Ok(first_of(found, limit, |(id, _)| *id))
}

/// The first of what several connections of a directory have, each in the order of ids: one page of the directory.
fn first_of<T>(mut found: Vec<T>, limit: u32, id: impl Fn(&T) -> ExternalUserId) -> Vec<T> {
    found.sort_by_key(|one| id(one));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found
}

/// Where a page begins: every id is greater than the one it stands behind.
fn behind(after: Option<ExternalUserId>) -> Uuid {
    after.map_or(Uuid::nil(), |id| id.uuid())
}

/// Takes users out of a condition, of whom it does not hold.
///
/// # Errors
/// Only those of the store.
pub async fn remove(
    tx: &mut Tx,
    _at: &PartnerExtent,
    condition: ConditionId,
    users: &[ExternalUserId],
) -> Result<(), StoreError> {
    tx.execute_in(&REMOVE, binds![condition], users.iter().copied()).await.map(drop)
}

/// Adds members of a new condition of a directory of the extent's partner.
///
/// # Errors
/// Only those of the store.
pub async fn add(
    tx: &mut Tx,
    _at: &PartnerExtent,
    condition: ConditionId,
    users: &[ExternalUserId],
) -> Result<(), StoreError> {
    tx.execute_rows(ADD.rows(), users.iter().map(|user| binds![condition, *user])).await.map(drop)
}
