//! Deleted external users and groups as they were. They are no part of what the directory says: nothing but undoing
//! reads them, and they are forgotten after the time that the configuration sets.
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::extent::{ConnectionExtent, OperatorExtent};
use super::totals::{self, Counted};
use super::{Reader, Row, StoreError, Tx, external_emails, first, tuple};
use crate::domain::id::{ExternalGroupId, ExternalUserId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// The columns that both tables of users have.
const USER: &str = "id, connection_id, directory_id, stable_id, match_key, external_id, user_name, user_name_key, active, \
    document, search_keys, content_hash, user_id, link_origin";

/// The columns that both tables of groups have.
const GROUP: &str = "id, connection_id, directory_id, stable_id, external_id, display_name, display_name_key, document, search_keys, content_hash";

/// A rule in force names the deleted group: it is not forgotten, because the rule counts again when it comes back.
const NAMED: &str = "SELECT 1 FROM rule_criteria a JOIN mapping_rules r ON r.id = a.rule_id \
    JOIN directories d ON d.id = r.directory_id AND d.rule_set_version = r.rule_set_version \
    WHERE a.set_id = deleted_external_groups.id AND a.set_kind = 'group'";

statements! {
    USER_OF = "SELECT id, deleted_at FROM deleted_external_users WHERE connection_id = $1 AND stable_id = $2 \
        ORDER BY deleted_at DESC LIMIT 1";
    GROUP_OF_KEY = "SELECT id FROM deleted_external_groups WHERE connection_id = $1 AND stable_id = $2 \
        ORDER BY deleted_at DESC, id LIMIT 1";
    GROUP_OF_EXTERNAL_ID = "SELECT id FROM deleted_external_groups WHERE connection_id = $1 AND external_id = $2 \
        ORDER BY deleted_at DESC, id LIMIT 1";
    KEEP_USER = format!("INSERT INTO deleted_external_users ({USER}, version, created_at, deleted_at) \
        SELECT {USER}, version, created_at, $3 FROM external_users WHERE id = $1 AND connection_id = $2");
    KEEP_GROUP = format!("INSERT INTO deleted_external_groups ({GROUP}, version, created_at, deleted_at) \
        SELECT {GROUP}, version, created_at, $3 FROM external_groups WHERE id = $1 AND connection_id = $2");
    RESTORE_USER = format!("INSERT INTO external_users ({USER}, version, created_at, updated_at) \
        SELECT {USER}, version + 1, created_at, $3 FROM deleted_external_users WHERE id = $1 AND connection_id = $2");
    RESTORE_GROUP = format!("INSERT INTO external_groups ({GROUP}, is_removed, version, created_at, updated_at) \
        SELECT {GROUP}, FALSE, version + 1, created_at, $3 FROM deleted_external_groups WHERE id = $1 AND connection_id = $2");
    FORGET_USER = "DELETE FROM deleted_external_users WHERE id = $1 AND connection_id = $2";
    FORGET_GROUP = "DELETE FROM deleted_external_groups WHERE id = $1 AND connection_id = $2";
    USER_DOC = "SELECT user_name, document, active, match_key, user_id FROM deleted_external_users WHERE id = $1 AND connection_id = $2";
    USERS: set = "SELECT d.id, d.user_name, \
        EXISTS (SELECT 1 FROM external_users u WHERE u.connection_id = d.connection_id \
            AND u.user_name_key = d.user_name_key) \
        OR EXISTS (SELECT 1 FROM external_users u WHERE u.connection_id = d.connection_id AND u.stable_id = d.stable_id) \
        OR EXISTS (SELECT 1 FROM external_users u WHERE COALESCE(u.connection_id = d.connection_id, FALSE) AND u.user_id = d.user_id), \
        EXISTS (SELECT 1 FROM deleted_external_users n WHERE n.connection_id = d.connection_id \
            AND n.user_name_key = d.user_name_key AND n.deleted_at > d.deleted_at) \
        OR EXISTS (SELECT 1 FROM deleted_external_users n WHERE n.user_id = d.user_id AND COALESCE(n.connection_id = d.connection_id, FALSE) \
            AND n.deleted_at > d.deleted_at), \
        d.user_id IS NULL OR EXISTS (SELECT 1 FROM live_users p WHERE p.id = d.user_id) \
        FROM deleted_external_users d WHERE COALESCE(d.connection_id = $1, FALSE) AND d.id IN ($2)";
    // Names of groups are not unique: only one that came after the other was gone takes its place.
    GROUPS: set = "SELECT d.id, d.display_name, \
        EXISTS (SELECT 1 FROM external_groups g WHERE g.connection_id = d.connection_id \
            AND g.display_name_key = d.display_name_key AND g.created_at >= d.deleted_at) \
        OR EXISTS (SELECT 1 FROM external_groups g WHERE g.connection_id = d.connection_id AND g.stable_id = d.stable_id) \
        OR EXISTS (SELECT 1 FROM external_groups g WHERE g.connection_id = d.connection_id \
            AND g.external_id = d.external_id AND NOT g.is_removed), \
        EXISTS (SELECT 1 FROM deleted_external_groups n WHERE n.connection_id = d.connection_id \
            AND n.display_name_key = d.display_name_key AND n.created_at >= d.deleted_at) \
        FROM deleted_external_groups d WHERE COALESCE(d.connection_id = $1, FALSE) AND d.id IN ($2)";
    OLD = format!("SELECT EXISTS (SELECT 1 FROM deleted_external_users WHERE deleted_at < $1) \
        OR EXISTS (SELECT 1 FROM deleted_external_groups WHERE deleted_at < $1 AND NOT EXISTS ({NAMED}))");
    FORGET_USERS = "DELETE FROM deleted_external_users WHERE id IN \
        (SELECT id FROM deleted_external_users WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2)";
    FORGET_GROUPS = format!("DELETE FROM deleted_external_groups WHERE id IN \
        (SELECT id FROM deleted_external_groups WHERE deleted_at < $1 AND NOT EXISTS ({NAMED}) ORDER BY deleted_at LIMIT $2)");
}

/// Keeps a user of the connection as it is now, just before it is deleted.
///
/// # Errors
/// Only those of the store.
pub async fn keep_user(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalUserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&KEEP_USER, binds![id, at.connection(), now]).await.map(drop)
}

/// Keeps a group of the connection as it is now, without members, just before it is deleted.
///
/// # Errors
/// Only those of the store.
pub async fn keep_group(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&KEEP_GROUP, binds![id, at.connection(), now]).await.map(drop)
}

/// Puts a deleted user back as it was `kept`, under its own id and with a version it never had; false when it is not kept
/// any more.
///
/// # Errors
/// `StoreError::Unique` when another user has its name or stable key by now.
pub async fn restore_user(
    tx: &mut Tx,
    at: &ConnectionExtent,
    (id, kept): (ExternalUserId, &DeletedUser),
    now: Timestamp,
) -> Result<bool, StoreError> {
    if tx.execute(&RESTORE_USER, binds![id, at.connection(), now]).await? == 0 {
        return Ok(false);
    }
    let addresses = external_emails::others(&kept.doc, &kept.user_name);
    external_emails::keep(tx, at, id, &BTreeSet::new(), addresses).await?;
    tx.execute(&FORGET_USER, binds![id, at.connection()]).await?;
    totals::add(tx, at, Counted::ExternalUsers, id, 1).await?;
    Ok(true)
}

/// Puts a deleted group back under its own id, without members, with a version it never had; false when it is not kept.
///
/// # Errors
/// `StoreError::Unique` when another group has its stable key or external id by now.
pub async fn restore_group(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let restored = tx.execute(&RESTORE_GROUP, binds![id, at.connection(), now]).await? > 0;
    tx.execute(&FORGET_GROUP, binds![id, at.connection()]).await?;
    if restored {
        totals::add(tx, at, Counted::ExternalGroups, id, 1).await?;
    }
    Ok(restored)
}

/// The deleted user of the connection that had this stable key, and when it was deleted.
///
/// # Errors
/// Only those of the store.
pub async fn user_of(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: &str,
) -> Result<Option<(ExternalUserId, Timestamp)>, StoreError> {
    reader.optional(&USER_OF, binds![at.connection(), stable_key], tuple).await
}

/// The deleted group of the connection that is said again: by the source's stable key, or where our id is the key, by
/// the client's own id.
///
/// # Errors
/// Only those of the store.
pub async fn group_of(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: Option<&str>,
    external_id: Option<&str>,
) -> Result<Option<ExternalGroupId>, StoreError> {
    match (stable_key, external_id) {
        (Some(key), _) => reader.optional(&GROUP_OF_KEY, binds![at.connection(), key], first).await,
        (None, Some(id)) => reader.optional(&GROUP_OF_EXTERNAL_ID, binds![at.connection(), id], first).await,
        (None, None) => Ok(None),
    }
}

/// What restoring a user rests on.
#[derive(Clone, PartialEq, Debug)]
pub struct DeletedUser {
    /// The unique name, as said.
    pub user_name: String,
    /// The whole document.
    pub doc: Map<String, Json>,
    /// Whether the directory let this user in.
    pub active: bool,
    /// The identifier that names this user at every connection of the directory.
    pub match_key: Option<Vec<u8>>,
    /// The user it was linked to.
    pub user: Option<UserId>,
}

/// A deleted user of the connection, if it is kept.
///
/// # Errors
/// Only those of the store.
pub async fn user(
    reader: &mut Reader,
    at: &ConnectionExtent,
    id: ExternalUserId,
) -> Result<Option<DeletedUser>, StoreError> {
    let read = |row: &Row| {
        Ok(DeletedUser {
            user_name: row.get(0)?,
            doc: row.json(1)?,
            active: row.get(2)?,
            match_key: row.get(3)?,
            user: row.get(4)?,
        })
    };
    reader.optional(&USER_DOC, binds![id, at.connection()], read).await
}

/// A deleted user or group, and what stands in the way of its return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedItem<T> {
    /// Its id.
    pub id: T,
    /// Its name, as said.
    pub name: String,
    /// The connection has another entry by now with its name or key, or for its user.
    pub replaced: bool,
    /// The connection said it again as a new entry, and deleted that one too.
    pub superseded: bool,
    /// Its user is still there, or it never had one.
    pub has_user: bool,
}

impl<T> DeletedItem<T> {
    /// Whether it can be put back.
    pub fn may_return(&self) -> bool {
        self.has_user && !self.replaced && !self.superseded
    }
}

/// Those of `ids` that are kept.
///
/// # Errors
/// Only those of the store.
pub async fn users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalUserId],
) -> Result<Vec<DeletedItem<ExternalUserId>>, StoreError> {
    let read = |row: &Row| {
        let (replaced, superseded) = (row.get(2)?, row.get(3)?);
        Ok(DeletedItem { id: row.get(0)?, name: row.get(1)?, replaced, superseded, has_user: row.get(4)? })
    };
    reader.all_in(&USERS, binds![at.connection()], ids.iter().copied(), read).await
}

/// Those of `ids` that are kept.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalGroupId],
) -> Result<Vec<DeletedItem<ExternalGroupId>>, StoreError> {
    let read = |row: &Row| {
        let (replaced, superseded) = (row.get(2)?, row.get(3)?);
        Ok(DeletedItem { id: row.get(0)?, name: row.get(1)?, replaced, superseded, has_user: true })
    };
    reader.all_in(&GROUPS, binds![at.connection()], ids.iter().copied(), read).await
}

/// Whether anything was deleted before `moment` and is still kept.
///
/// # Errors
/// Only those of the store.
pub async fn any_older(reader: &mut Reader, _by: &OperatorExtent, moment: Timestamp) -> Result<bool, StoreError> {
    reader.one(&OLD, binds![moment], first).await
}

/// Forgets what was deleted before `moment`, at most `limit` of each kind; how many.
///
/// # Errors
/// Only those of the store.
pub async fn forget_older(tx: &mut Tx, _by: &OperatorExtent, moment: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let users = tx.execute(&FORGET_USERS, binds![moment, limit]).await?;
    Ok(users + tx.execute(&FORGET_GROUPS, binds![moment, limit]).await?)
}
