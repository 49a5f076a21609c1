//! Removal alerts: that one connection took away much in a short time, and how far the log was watched for it.
use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::{FromRow as _, Reader, Row, StoreError, Tx, first, tuple};
use crate::domain::id::{ConnectionId, RemovalAlertId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

const COLUMNS: &str = "s.id, s.connection_id, s.first_removal_at, s.last_removal_at, s.user_count, s.users_deactivated, s.users_deleted, s.memberships_removed, \
    s.groups_deleted, s.raised_at, s.dismissed_at";

/// The removal alert's directory belongs to the partner of the extent, `$1`.
const OF_PARTNER: &str = "FROM removal_alerts s JOIN connections c ON c.id = s.connection_id \
    JOIN directories d ON d.id = c.directory_id WHERE d.partner_id = $1";

statements! {
    INSERT = "INSERT INTO removal_alerts (id, connection_id, first_removal_at, last_removal_at, user_count, users_deactivated, users_deleted, memberships_removed, \
        groups_deleted, raised_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    GROW = "UPDATE removal_alerts SET last_removal_at = $3, user_count = $4, users_deactivated = $5, users_deleted = $6, memberships_removed = $7, \
        groups_deleted = $8 WHERE id = $1 AND connection_id = $2 AND user_count <= $4 AND last_removal_at <= $3";
    LATEST = format!("SELECT {COLUMNS} FROM removal_alerts s WHERE s.connection_id = $1 ORDER BY s.first_removal_at DESC LIMIT 1");
    OLDEST_GOING = "SELECT MIN(first_removal_at) FROM removal_alerts WHERE last_removal_at >= $1";
    LIST = format!("SELECT {COLUMNS} FROM removal_alerts s WHERE s.connection_id = $1 AND s.first_removal_at < $2 \
        ORDER BY s.first_removal_at DESC, s.id LIMIT $3");
    SHOWN = format!("SELECT {COLUMNS}, c.slug {OF_PARTNER} AND s.dismissed_at IS NULL AND s.last_removal_at >= $2 \
        ORDER BY s.first_removal_at DESC, s.id");
    DISMISS = "UPDATE removal_alerts SET dismissed_at = $3, dismissed_by = $4 WHERE id = $1 AND connection_id = $2 \
        AND dismissed_at IS NULL";
    EXISTS = "SELECT EXISTS (SELECT 1 FROM removal_alerts WHERE id = $1 AND connection_id = $2)";
    CURSOR = "SELECT seq, at FROM removal_alert_cursor WHERE id = 1";
    SET_CURSOR = "INSERT INTO removal_alert_cursor (id, seq, at) VALUES (1, $1, $2) \
        ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, at = excluded.at";
    NO_MORE_THAN = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM external_users WHERE connection_id = $1 LIMIT $2) AS counted";
}

/// A removal alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovalAlert {
    /// Its identity.
    pub id: RemovalAlertId,
    /// Whose.
    pub connection_id: ConnectionId,
    /// Its first removal.
    pub first_removal_at: Timestamp,
    /// Its last one so far.
    pub last_removal_at: Timestamp,
    /// From how many users of the connection something was taken, each counted once.
    pub user_count: i64,
    /// How many were switched off.
    pub users_deactivated: i64,
    /// How many were deleted.
    pub users_deleted: i64,
    /// How many memberships ended.
    pub memberships_removed: i64,
    /// How many groups were deleted.
    pub groups_deleted: i64,
    /// When the alarm was raised.
    pub raised_at: Timestamp,
    /// When an administrator put the notice away.
    pub dismissed_at: Option<Timestamp>,
}

from_row!(RemovalAlert {
    id,
    connection_id,
    first_removal_at,
    last_removal_at,
    user_count,
    users_deactivated,
    users_deleted,
    memberships_removed,
    groups_deleted,
    raised_at,
    dismissed_at
});

/// Writes a removal alert of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn insert(tx: &mut Tx, at: &ConnectionExtent, removal_alert: &RemovalAlert) -> Result<(), StoreError> {
    let values = binds![
        removal_alert.id,
        at.connection(),
        removal_alert.first_removal_at,
        removal_alert.last_removal_at,
        removal_alert.user_count,
        removal_alert.users_deactivated,
        removal_alert.users_deleted,
        removal_alert.memberships_removed,
        removal_alert.groups_deleted,
        removal_alert.raised_at
    ];
    tx.execute(&INSERT, values).await.map(drop)
}

/// Notes that a removal alert went on; what is stored never becomes less.
///
/// # Errors
/// Only those of the store.
pub async fn grow(tx: &mut Tx, at: &ConnectionExtent, removal_alert: &RemovalAlert) -> Result<(), StoreError> {
    let values = binds![
        removal_alert.id,
        at.connection(),
        removal_alert.last_removal_at,
        removal_alert.user_count,
        removal_alert.users_deactivated,
        removal_alert.users_deleted,
        removal_alert.memberships_removed,
        removal_alert.groups_deleted
    ];
    tx.execute(&GROW, values).await.map(drop)
}

/// The newest removal alert of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn latest(reader: &mut Reader, at: &ConnectionExtent) -> Result<Option<RemovalAlert>, StoreError> {
    reader.optional(&LATEST, binds![at.connection()], RemovalAlert::from_row).await
}

/// When the oldest removal alert began that still took something away at `moment` or later.
///
/// # Errors
/// Only those of the store.
pub async fn oldest_going(
    reader: &mut Reader,
    _by: &OperatorExtent,
    moment: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    reader.one(&OLDEST_GOING, binds![moment], first).await
}

/// Removal alerts of the connection that began before `before`, the newest first.
///
/// # Errors
/// Only those of the store.
pub async fn list(
    reader: &mut Reader,
    at: &ConnectionExtent,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<RemovalAlert>, StoreError> {
    reader.all(&LIST, binds![at.connection(), before, limit], RemovalAlert::from_row).await
}

/// The removal alerts of the extent's partner that nobody has put away and that took something away at `since` or later, with the
/// connection's name in addresses.
///
/// # Errors
/// Only those of the store.
pub async fn shown(
    reader: &mut Reader,
    at: &PartnerExtent,
    since: Timestamp,
) -> Result<Vec<(RemovalAlert, String)>, StoreError> {
    let read = |row: &Row| Ok((RemovalAlert::from_row(row)?, row.get("slug")?));
    reader.all(&SHOWN, binds![at.partner(), since], read).await
}

/// Puts the notice of a removal alert of the connection away; false when it already was.
///
/// # Errors
/// `StoreError::NotFound` when the connection has no such removal alert.
pub async fn dismiss(
    tx: &mut Tx,
    at: &ConnectionExtent,
    removal_alert: RemovalAlertId,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if tx.execute(&DISMISS, binds![removal_alert, at.connection(), now, by]).await? > 0 {
        return Ok(true);
    }
    let exists: bool = tx.one(&EXISTS, binds![removal_alert, at.connection()], first).await?;
    if exists { Ok(false) } else { Err(StoreError::NotFound) }
}

/// Number and moment of the last line that was watched.
///
/// # Errors
/// Only those of the store.
pub async fn cursor(reader: &mut Reader, _by: &OperatorExtent) -> Result<Option<(i64, Timestamp)>, StoreError> {
    reader.optional(&CURSOR, binds![], tuple).await
}

/// Notes how far the log was watched.
///
/// # Errors
/// Only those of the store.
pub async fn set_cursor(tx: &mut Tx, _by: &OperatorExtent, (seq, at): (i64, Timestamp)) -> Result<(), StoreError> {
    tx.execute(&SET_CURSOR, binds![seq, at]).await.map(drop)
}

/// How many users the connection has, counted no further than `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn users_up_to(reader: &mut Reader, at: &ConnectionExtent, limit: i64) -> Result<i64, StoreError> {
    reader.one(&NO_MORE_THAN, binds![at.connection(), limit], first).await
}
