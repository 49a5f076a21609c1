//! Who is in an external group: rows, changed as sets. Adding one member never reads the others.
//!
//! Writers hold the group's row ([`external_groups::lock`](super::external_groups::lock)), so that the version and the
//! rows stay in step.
use uuid::Uuid;

use super::extent::ConnectionExtent;
use super::{Reader, Row, SqlValue, StoreError, Tx, first, tuple};
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use crate::{binds, statements};

statements! {
    ADD: set (dialect) = format!("INSERT INTO external_group_members (external_group_id, external_user_id) \
        SELECT {}, u.id FROM external_users u WHERE COALESCE(u.connection_id = $2, FALSE) AND u.id IN ($3) \
        ON CONFLICT DO NOTHING RETURNING external_user_id", dialect.typed("$1", "uuid"));
    REMOVE: set = "DELETE FROM external_group_members WHERE external_group_id = $1 AND external_user_id IN ($2) RETURNING external_user_id";
    CLEAR = "DELETE FROM external_group_members WHERE external_group_id = $1 RETURNING external_user_id";
    KNOWN_USERS: set = "SELECT id FROM external_users WHERE COALESCE(connection_id = $1, FALSE) AND id IN ($2)";
    KNOWN_GROUPS: set = "SELECT id FROM external_groups WHERE COALESCE(connection_id = $1, FALSE) AND NOT is_removed AND id IN ($2)";
    MEMBERS = "SELECT external_user_id FROM external_group_members WHERE external_group_id = $1 ORDER BY external_user_id";
    LEAVE_ALL = "DELETE FROM external_group_members WHERE external_user_id = $1 RETURNING external_group_id";
    USERS_PAGE = "SELECT u.id, u.user_name FROM external_group_members m JOIN external_users u ON u.id = m.external_user_id \
        WHERE m.external_group_id = $1 AND COALESCE(u.connection_id = $2, FALSE) AND m.external_user_id > $3 ORDER BY m.external_user_id LIMIT $4";
    GROUPS_PAGE = "SELECT g.id, g.display_name FROM external_subgroups s JOIN external_groups g ON g.id = s.child_id \
        WHERE s.parent_id = $1 AND COALESCE(g.connection_id = $2, FALSE) AND s.child_id > $3 ORDER BY s.child_id LIMIT $4";
    COUNT = "SELECT COUNT(*) FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id \
        WHERE m.external_group_id = $1 AND COALESCE(g.connection_id = $2, FALSE)";
    SIZES: set = format!("SELECT g.id, \
        (SELECT COUNT(*) FROM (SELECT 1 AS one FROM external_group_members m WHERE m.external_group_id = g.id LIMIT {MANY}) people) \
        + (SELECT COUNT(*) FROM (SELECT 1 AS one FROM external_subgroups s WHERE s.parent_id = g.id LIMIT {MANY}) groups) \
        FROM external_groups g WHERE COALESCE(g.connection_id = $1, FALSE) AND g.id IN ($2)");
    USERS_OF: set = "SELECT m.external_group_id, u.id, u.user_name FROM external_group_members m JOIN external_users u ON u.id = m.external_user_id \
        WHERE COALESCE(u.connection_id = $1, FALSE) AND m.external_group_id IN ($2) ORDER BY m.external_group_id, m.external_user_id";
    GROUPS_OF: set = "SELECT s.parent_id, g.id, g.display_name FROM external_subgroups s \
        JOIN external_groups g ON g.id = s.child_id WHERE COALESCE(g.connection_id = $1, FALSE) AND s.parent_id IN ($2) ORDER BY s.parent_id, s.child_id";
}

/// Groups of so many members or more are read by page.
pub const MANY: usize = 1_000;

/// Adds users of the connection; those that were not members before. Ids it does not know are passed over.
///
/// # Errors
/// `StoreError::ForeignKey` when a user was deleted meanwhile.
pub async fn add(
    tx: &mut Tx,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    users: &[ExternalUserId],
) -> Result<Vec<ExternalUserId>, StoreError> {
    tx.all_in(&ADD, binds![group, at.connection()], users.iter().copied(), first).await
}

/// Takes users out; those that were members.
///
/// # Errors
/// Only those of the store.
pub async fn remove(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    group: ExternalGroupId,
    users: &[ExternalUserId],
) -> Result<Vec<ExternalUserId>, StoreError> {
    tx.all_in(&REMOVE, binds![group], users.iter().copied(), first).await
}

/// Takes everyone out; those who were members.
///
/// # Errors
/// Only those of the store.
pub async fn clear(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<Vec<ExternalUserId>, StoreError> {
    tx.all(&CLEAR, binds![group], first).await
}

/// Every direct member that is a user, by id: for replacing them all.
///
/// # Errors
/// Only those of the store.
pub async fn all(
    reader: &mut Reader,
    _at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<Vec<ExternalUserId>, StoreError> {
    reader.all(&MEMBERS, binds![group], first).await
}

/// Takes a user out of every group; the groups.
///
/// # Errors
/// Only those of the store.
pub async fn leave_all(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    user: ExternalUserId,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    tx.all(&LEAVE_ALL, binds![user], first).await
}

/// Those of `ids` that are users of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn known_users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[Uuid],
) -> Result<Vec<ExternalUserId>, StoreError> {
    reader.all_in(&KNOWN_USERS, binds![at.connection()], ids.iter().copied(), first).await
}

/// Those of `ids` that are groups of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn known_groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[Uuid],
) -> Result<Vec<ExternalGroupId>, StoreError> {
    reader.all_in(&KNOWN_GROUPS, binds![at.connection()], ids.iter().copied(), first).await
}

/// A direct member, with the name that is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalMember {
    /// Who.
    pub who: MemberId,
    /// Its name.
    pub display: String,
}

/// A user or a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemberId {
    /// A user of the connection.
    User(ExternalUserId),
    /// A group of the connection.
    Group(ExternalGroupId),
}

impl MemberId {
    /// The id, whatever it is of.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Group(id) => id.uuid(),
        }
    }
}

/// A page of a group's direct members: users by id, then groups by id, those after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn page(
    reader: &mut Reader,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    after: Option<MemberId>,
    limit: usize,
) -> Result<Vec<ExternalMember>, StoreError> {
    let mut found = Vec::new();
    let see = |who: MemberId, display: &str| found.push(ExternalMember { who, display: display.to_owned() });
    each(reader, at, group, after, limit, see).await?;
    Ok(found)
}

/// Like [`page`], keeping none of them; the last one when there may be more.
///
/// # Errors
/// Only those of the store.
pub async fn each(
    reader: &mut Reader,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    after: Option<MemberId>,
    limit: usize,
    mut see: impl FnMut(MemberId, &str),
) -> Result<Option<MemberId>, StoreError> {
    let mut left = limit;
    let mut last = after;
    let rows = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
    if !matches!(after, Some(MemberId::Group(_))) {
        let from = after.map_or(Uuid::nil(), MemberId::uuid);
        let read = |row: &Row| {
            let (who, display): (_, String) = (MemberId::User(row.get(0)?), row.get(1)?);
            see(who, &display);
            (last, left) = (Some(who), left.saturating_sub(1));
            Ok(())
        };
        reader.each(&USERS_PAGE, binds![group, at.connection(), from, rows(limit)], read).await?;
    }
    if left > 0 {
        let from = match after {
            Some(MemberId::Group(id)) => id.uuid(),
            _ => Uuid::nil(),
        };
        let values = binds![group, at.connection(), from, rows(left)];
        let read = |row: &Row| {
            let (who, display): (_, String) = (MemberId::Group(row.get(0)?), row.get(1)?);
            see(who, &display);
            (last, left) = (Some(who), left.saturating_sub(1));
            Ok(())
        };
        reader.each(&GROUPS_PAGE, values, read).await?;
    }
    Ok(last.filter(|_| left == 0))
}

/// How many members each of some groups has; [`MANY`] or more stand for as many or more.
///
/// # Errors
/// Only those of the store.
pub async fn sizes(
    reader: &mut Reader,
    at: &ConnectionExtent,
    groups: &[ExternalGroupId],
) -> Result<Vec<(ExternalGroupId, usize)>, StoreError> {
    reader.all_in(&SIZES, binds![at.connection()], groups.iter().copied(), tuple).await
}

/// All direct members of several groups, for a page of groups; by group.
///
/// # Errors
/// Only those of the store.
pub async fn of_groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    groups: &[ExternalGroupId],
) -> Result<Vec<(ExternalGroupId, ExternalMember)>, StoreError> {
    let fixed: Vec<SqlValue> = binds![at.connection()];
    let users = |row: &Row| Ok((row.get(0)?, member(row, 1, false)?));
    let mut found = reader.all_in(&USERS_OF, fixed.clone(), groups.iter().copied(), users).await?;
    let nested = |row: &Row| Ok((row.get(0)?, member(row, 1, true)?));
    found.extend(reader.all_in(&GROUPS_OF, fixed, groups.iter().copied(), nested).await?);
    found.sort_by_key(|(group, member)| (*group, member.who));
    Ok(found)
}

fn member(row: &Row, at: usize, group: bool) -> Result<ExternalMember, StoreError> {
    let who = if group { MemberId::Group(row.get(at)?) } else { MemberId::User(row.get(at)?) };
    Ok(ExternalMember { who, display: row.get(at + 1)? })
}

/// How many users are direct members.
///
/// # Errors
/// Only those of the store.
pub async fn count(reader: &mut Reader, at: &ConnectionExtent, group: ExternalGroupId) -> Result<u64, StoreError> {
    reader.one(&COUNT, binds![group, at.connection()], first).await
}
