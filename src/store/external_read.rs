//! What a connection has been told, as it is kept: users and groups by the ids their directory gave them.
use uuid::Uuid;

use super::extent::ConnectionExtent;
use super::members::MemberId;
use super::{FromRow as _, Reader, Row, StoreError, first, tuple};
use crate::domain::id::{ExternalGroupId, ExternalUserId, UserId};
use crate::{binds, from_row, statements};

statements! {
    USERS = "SELECT id, stable_id, user_name, active, user_id, document FROM external_users \
        WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    GROUPS = "SELECT id, stable_id, display_name FROM external_groups \
        WHERE connection_id = $1 AND NOT is_removed AND id > $2 ORDER BY id LIMIT $3";
    GROUP = "SELECT id FROM external_groups WHERE connection_id = $1 AND NOT is_removed AND stable_id = $2";
    DIRECT_USERS = "SELECT u.id, u.stable_id FROM external_group_members m JOIN external_users u ON u.id = m.external_user_id \
        WHERE m.external_group_id = $1 AND COALESCE(u.connection_id = $2, FALSE) AND m.external_user_id > $3 ORDER BY m.external_user_id LIMIT $4";
    DIRECT_GROUPS = "SELECT g.id, g.stable_id FROM external_subgroups s JOIN external_groups g ON g.id = s.child_id \
        WHERE s.parent_id = $1 AND COALESCE(g.connection_id = $2, FALSE) AND s.child_id > $3 ORDER BY s.child_id LIMIT $4";
    EFFECTIVE = "SELECT u.id, u.stable_id FROM (\
            SELECT DISTINCT m.external_user_id FROM external_group_ancestors c JOIN external_group_members m ON m.external_group_id = c.external_group_id \
            WHERE c.ancestor_id = $1 AND m.external_user_id > $3 ORDER BY m.external_user_id LIMIT $4) inside \
        CROSS JOIN external_users u WHERE u.id = inside.external_user_id AND COALESCE(u.connection_id = $2, FALSE) ORDER BY u.id";
}

/// A user as the directory says it.
#[derive(Clone, PartialEq, Debug)]
pub struct ExternalUserRow {
    /// Our id of the row.
    pub id: ExternalUserId,
    /// The directory's own id.
    pub stable_id: String,
    /// The unique name.
    pub user_name: String,
    /// Whether the directory lets the user in.
    pub active: bool,
    /// The user it is linked to.
    pub user_id: Option<UserId>,
    /// All that is said.
    pub document: serde_json::Value,
}

from_row!(ExternalUserRow { id, stable_id, user_name, active, user_id, document: row => row.json("document")? });

/// A group as the directory says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalGroupRow {
    /// Our id of the row.
    pub id: ExternalGroupId,
    /// The directory's own id.
    pub stable_id: String,
    /// The name.
    pub display_name: String,
}

from_row!(ExternalGroupRow { id, stable_id, display_name });

/// Someone or something in a group, by the directory's own id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalMemberRow {
    /// Our id of the row.
    pub who: MemberId,
    /// The directory's own id.
    pub stable_key: String,
}

/// Users in id order after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<ExternalUserRow>, StoreError> {
    reader.all(&USERS, binds![at.connection(), after, limit], ExternalUserRow::from_row).await
}

/// Groups in id order after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    after: ExternalGroupId,
    limit: u32,
) -> Result<Vec<ExternalGroupRow>, StoreError> {
    reader.all(&GROUPS, binds![at.connection(), after, limit], ExternalGroupRow::from_row).await
}

/// The group that the directory calls `stable_key`.
///
/// # Errors
/// `StoreError::NotFound` when there is none.
pub async fn group(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: &str,
) -> Result<ExternalGroupId, StoreError> {
    reader.one(&GROUP, binds![at.connection(), stable_key], first).await
}

/// A page of those directly in a group: users by id, then groups by id, those after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn members(
    reader: &mut Reader,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    after: Option<MemberId>,
    limit: u32,
) -> Result<Vec<ExternalMemberRow>, StoreError> {
    let mut found = Vec::new();
    if !matches!(after, Some(MemberId::Group(_))) {
        let from = after.map_or(Uuid::nil(), MemberId::uuid);
        let user = |row: &Row| Ok(ExternalMemberRow { who: MemberId::User(row.get(0)?), stable_key: row.get(1)? });
        found = reader.all(&DIRECT_USERS, binds![group, at.connection(), from, limit], user).await?;
    }
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left > 0 {
        let from = after.filter(|place| matches!(place, MemberId::Group(_))).map_or(Uuid::nil(), MemberId::uuid);
        let nested = |row: &Row| Ok(ExternalMemberRow { who: MemberId::Group(row.get(0)?), stable_key: row.get(1)? });
        found.extend(reader.all(&DIRECT_GROUPS, binds![group, at.connection(), from, left], nested).await?);
    }
    Ok(found)
}

/// A page of the users in a group, counting those in groups inside it, by id after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn effective_members(
    reader: &mut Reader,
    at: &ConnectionExtent,
    group: ExternalGroupId,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<(ExternalUserId, String)>, StoreError> {
    reader.all(&EFFECTIVE, binds![group, at.connection(), after, limit], tuple).await
}
