//! What a connection has been told, as it is kept: people and groups by the ids their directory gave them.
use super::extent::ConnectionExtent;
use super::{FromRow as _, Reader, Row, StoreError, first};
use crate::domain::id::{ExternalGroupId, ExternalUserId, UserId};
use crate::{binds, from_row, statements};

statements! {
    USERS = "SELECT id, stable_key, user_name, active, person, doc FROM external_user \
        WHERE connection = $1 AND id > $2 ORDER BY id LIMIT $3";
    GROUPS = "SELECT id, stable_key, display_name FROM external_group \
        WHERE connection = $1 AND NOT gone AND id > $2 ORDER BY id LIMIT $3";
    GROUP = "SELECT id FROM external_group WHERE connection = $1 AND NOT gone AND stable_key = $2";
    DIRECT_USERS = "SELECT u.stable_key FROM external_member m JOIN external_user u ON u.id = m.member \
        WHERE m.grp = $1 AND u.connection = $2 ORDER BY u.id";
    DIRECT_GROUPS = "SELECT g.stable_key FROM external_subgroup s JOIN external_group g ON g.id = s.child \
        WHERE s.grp = $1 AND g.connection = $2 ORDER BY g.id";
    EFFECTIVE = "SELECT u.stable_key FROM external_user u WHERE u.connection = $2 AND u.id IN \
        (SELECT m.member FROM group_closure c JOIN external_member m ON m.grp = c.descendant WHERE c.ancestor = $1) \
        ORDER BY u.id";
}

/// A person as the directory says it.
#[derive(Clone, PartialEq, Debug)]
pub struct SaidUser {
    /// Our id of the row.
    pub id: ExternalUserId,
    /// The directory's own id.
    pub stable_key: String,
    /// The unique name.
    pub user_name: String,
    /// Whether the directory lets the person in.
    pub active: bool,
    /// The person it is linked to.
    pub person: Option<UserId>,
    /// All that is said.
    pub doc: serde_json::Value,
}

from_row!(SaidUser { id, stable_key, user_name, active, person, doc: row => row.json("doc")? });

/// A group as the directory says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaidGroup {
    /// Our id of the row.
    pub id: ExternalGroupId,
    /// The directory's own id.
    pub stable_key: String,
    /// The name.
    pub display_name: String,
}

from_row!(SaidGroup { id, stable_key, display_name });

/// The members of a group, by the directory's own ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SaidMembers {
    /// The people who are directly in it.
    pub users: Vec<String>,
    /// The groups that are directly in it.
    pub groups: Vec<String>,
    /// Everyone in it, nested groups counted.
    pub effective: Vec<String>,
}

/// People in id order after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<SaidUser>, StoreError> {
    reader.all(&USERS, binds![at.connection(), after, limit], SaidUser::from_row).await
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
) -> Result<Vec<SaidGroup>, StoreError> {
    reader.all(&GROUPS, binds![at.connection(), after, limit], SaidGroup::from_row).await
}

/// The members of the group that the directory calls `stable_key`; none when there is no such group.
///
/// # Errors
/// Only those of the store.
pub async fn members(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: &str,
) -> Result<Option<SaidMembers>, StoreError> {
    let read = |row: &Row| row.get(0);
    let group: Option<ExternalGroupId> = reader.optional(&GROUP, binds![at.connection(), stable_key], read).await?;
    let Some(group) = group else { return Ok(None) };
    Ok(Some(SaidMembers {
        users: reader.all(&DIRECT_USERS, binds![group, at.connection()], first).await?,
        groups: reader.all(&DIRECT_GROUPS, binds![group, at.connection()], first).await?,
        effective: reader.all(&EFFECTIVE, binds![group, at.connection()], first).await?,
    }))
}
