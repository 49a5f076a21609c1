//! What connections took away and gave: those lines of the event log that tell of it, beside what is there now.
use uuid::Uuid;

use super::extent::{ConnectionExtent, OperatorExtent};
use super::{FromRow as _, Reader, Row, StoreError, first, tuple};
use crate::domain::event_kind::EventKind;
use crate::domain::id::{EventId, ExternalGroupId, ExternalUserId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

const COLUMNS: &str = "e.seq, e.id, e.at, e.kind, e.subject, e.actor, e.data";

/// Kinds of lines that take something away.
const TAKING: [EventKind; 4] = [
    EventKind::ExternalUserUpdated,
    EventKind::ExternalUserDeleted,
    EventKind::ExternalGroupDeleted,
    EventKind::ExternalGroupMemberRemoved,
];

/// Kinds of lines that give something.
const GIVING: [EventKind; 3] =
    [EventKind::ExternalUserRestored, EventKind::ExternalGroupRestored, EventKind::ExternalGroupMemberAdded];

/// Lines that take something away.
fn takes() -> String {
    one_of(&TAKING)
}

/// Lines that take something away or give it.
fn counts() -> String {
    one_of(&[TAKING.as_slice(), &GIVING].concat())
}

fn one_of(kinds: &[EventKind]) -> String {
    let words: Vec<String> = kinds.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
    format!("e.kind IN ({})", words.join(", "))
}

statements! {
    LAST = "SELECT seq, at FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";
    LAST_BEFORE = "SELECT seq FROM events WHERE seq <= $1 AND at < $2 ORDER BY seq DESC LIMIT 1";
    REMOVALS = format!("SELECT {COLUMNS} FROM events e WHERE e.seq > $1 AND e.seq <= $2 AND {} ORDER BY e.seq", takes());
    LAST_BEFORE_AT = "SELECT seq FROM events WHERE partner_id = $1 AND seq IS NOT NULL AND at < $2 ORDER BY seq DESC LIMIT 1";
    SEALED = format!("SELECT {COLUMNS} FROM events e WHERE e.partner_id = $1 AND e.seq > $2 AND e.seq <= $3 \
        AND {} ORDER BY e.seq LIMIT $4", counts());
    UNSEALED = format!("SELECT {COLUMNS} FROM events e WHERE e.seq IS NULL AND e.partner_id = $1 AND {} \
        ORDER BY e.id", counts());
    // Two branches and not an OR: sealed lines and those that wait are in different indexes.
    NEWER: set = format!("SELECT {COLUMNS} FROM events e WHERE COALESCE(e.partner_id = $1, FALSE) AND e.seq > $2 AND {kinds} \
            AND e.subject IN ($3) \
        UNION ALL SELECT {COLUMNS} FROM events e WHERE e.partner_id = $1 AND e.seq IS NULL AND {kinds} \
            AND e.subject IN ($3)", kinds = counts());
    USERS: set = "SELECT id, user_name, active, user_id FROM external_users WHERE COALESCE(connection_id = $1, FALSE) AND id IN ($2)";
    GROUPS: set = "SELECT id, display_name FROM external_groups WHERE COALESCE(connection_id = $1, FALSE) AND NOT is_removed AND id IN ($2)";
    IN_GROUP: set = "SELECT m.external_user_id FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id \
        WHERE COALESCE(g.connection_id = $1, FALSE) AND m.external_group_id = $2 AND m.external_user_id IN ($3)";
    NESTED: set = "SELECT s.child_id FROM external_subgroups s JOIN external_groups g ON g.id = s.parent_id \
        WHERE COALESCE(g.connection_id = $1, FALSE) AND s.parent_id = $2 AND s.child_id IN ($3)";
    KEPT_OUT: set(d) = format!("SELECT u.id FROM external_users u JOIN user_suspensions s ON s.user_id = u.user_id \
        WHERE COALESCE(u.connection_id = $1, FALSE) AND s.source <> $2 AND COALESCE(s.from_at, 0) <= {} AND u.id IN ($3)", d.now());
    KEPT_OUT_GONE: set(d) = format!("SELECT u.id FROM deleted_external_users u JOIN user_suspensions s ON s.user_id = u.user_id \
        WHERE COALESCE(u.connection_id = $1, FALSE) AND s.source <> $2 AND COALESCE(s.from_at, 0) <= {} AND u.id IN ($3)", d.now());
}

/// A line of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovalEvent {
    /// Its number, once it is sealed.
    pub seq: Option<i64>,
    /// Its identity.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: Option<Uuid>,
    /// Who did it, as JSON.
    pub actor: String,
    /// The details, as JSON.
    pub data: String,
}

from_row!(RemovalEvent { seq, id, at, kind, subject, actor, data });

/// Number and moment of the last sealed line.
///
/// # Errors
/// Only those of the store.
pub async fn last(reader: &mut Reader, _by: &OperatorExtent) -> Result<Option<(i64, Timestamp)>, StoreError> {
    reader.optional(&LAST, binds![], tuple).await
}

/// The last line up to number `seq` that is older than `moment`; 0 when there is none.
///
/// # Errors
/// Only those of the store.
pub async fn last_before(
    reader: &mut Reader,
    _by: &OperatorExtent,
    seq: i64,
    moment: Timestamp,
) -> Result<i64, StoreError> {
    Ok(reader.optional(&LAST_BEFORE, binds![seq, moment], first).await?.unwrap_or(0))
}

/// The sealed lines after number `seq` up to `to` that may tell of a removal, of the whole installation, in order.
///
/// # Errors
/// Only those of the store.
pub async fn removals(
    reader: &mut Reader,
    _by: &OperatorExtent,
    (seq, to): (i64, i64),
) -> Result<Vec<RemovalEvent>, StoreError> {
    reader.all(&REMOVALS, binds![seq, to], RemovalEvent::from_row).await
}

/// The number of the last sealed line, 0 when there is none: lines with higher numbers come later.
///
/// # Errors
/// Only those of the store.
pub async fn head(reader: &mut Reader, _at: &ConnectionExtent) -> Result<i64, StoreError> {
    let last = reader.optional(&LAST, binds![], tuple::<(i64, Timestamp)>).await?;
    Ok(last.map_or(0, |(seq, _)| seq))
}

/// The number of the last sealed line of the connection's partner that is older than `moment`; 0 when there is none.
///
/// # Errors
/// Only those of the store.
pub async fn start(reader: &mut Reader, at: &ConnectionExtent, moment: Timestamp) -> Result<i64, StoreError> {
    Ok(reader.optional(&LAST_BEFORE_AT, binds![at.partner(), moment], first).await?.unwrap_or(0))
}

/// The sealed lines of the connection's partner after number `seq` up to `to`, in order; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn sealed(
    reader: &mut Reader,
    at: &ConnectionExtent,
    (seq, to): (i64, i64),
    limit: u32,
) -> Result<Vec<RemovalEvent>, StoreError> {
    reader.all(&SEALED, binds![at.partner(), seq, to, limit], RemovalEvent::from_row).await
}

/// The lines of the connection's partner that wait to be sealed, in order.
///
/// # Errors
/// Only those of the store.
pub async fn unsealed(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<RemovalEvent>, StoreError> {
    reader.all(&UNSEALED, binds![at.partner()], RemovalEvent::from_row).await
}

/// The lines about `subjects` that came after number `seq` or wait to be sealed, in no order.
///
/// # Errors
/// Only those of the store.
pub async fn newer(
    reader: &mut Reader,
    at: &ConnectionExtent,
    seq: i64,
    subjects: &[Uuid],
) -> Result<Vec<RemovalEvent>, StoreError> {
    reader.all_in(&NEWER, binds![at.partner(), seq], subjects.iter().copied(), RemovalEvent::from_row).await
}

/// A user of the connection as far as undoing needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrentUser {
    /// Its id.
    pub id: ExternalUserId,
    /// Its name, as said.
    pub name: String,
    /// Whether the directory lets this user in.
    pub active: bool,
    /// The user it is linked to.
    pub user: Option<UserId>,
}

/// Those of `ids` that the connection has.
///
/// # Errors
/// Only those of the store.
pub async fn users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalUserId],
) -> Result<Vec<CurrentUser>, StoreError> {
    let read =
        |row: &Row| Ok(CurrentUser { id: row.get(0)?, name: row.get(1)?, active: row.get(2)?, user: row.get(3)? });
    reader.all_in(&USERS, binds![at.connection()], ids.iter().copied(), read).await
}

/// Those of `ids` that the connection has, with their names.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalGroupId],
) -> Result<Vec<(ExternalGroupId, String)>, StoreError> {
    reader.all_in(&GROUPS, binds![at.connection()], ids.iter().copied(), tuple).await
}

/// Which of `users` are direct members of a group of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn members(
    reader: &mut Reader,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    users: &[ExternalUserId],
) -> Result<Vec<ExternalUserId>, StoreError> {
    reader.all_in(&IN_GROUP, binds![at.connection(), group], users.iter().copied(), first).await
}

/// Which of `groups` are nested directly in a group of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn nested(
    reader: &mut Reader,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    groups: &[ExternalGroupId],
) -> Result<Vec<ExternalGroupId>, StoreError> {
    reader.all_in(&NESTED, binds![at.connection(), group], groups.iter().copied(), first).await
}

/// Which of `users`, present or deleted, belong to a user whom somebody else keeps out: an administrator, or another
/// connection.
///
/// # Errors
/// Only those of the store.
pub async fn kept_out_by_others(
    reader: &mut Reader,
    at: &ConnectionExtent,
    users: &[ExternalUserId],
) -> Result<Vec<ExternalUserId>, StoreError> {
    let fixed = || binds![at.connection(), at.source().to_string()];
    let mut found = reader.all_in(&KEPT_OUT, fixed(), users.iter().copied(), first).await?;
    found.extend(reader.all_in(&KEPT_OUT_GONE, fixed(), users.iter().copied(), first::<ExternalUserId>).await?);
    Ok(found)
}
