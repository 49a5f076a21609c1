//! Groups as one connection says them. Members are rows of their own: reading or changing a group never reads them.
use serde_json::{Map, Value as Json};

use super::extent::ConnectionExtent;
use super::external_users::text;
use super::totals::{self, Counted};
use super::{FromRow, Reader, Row, Store, StoreError, Tx, first, tuple};
use crate::domain::id::{ExternalGroupId, ExternalUserId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// The columns of an [`ExternalGroup`], of the table called `g`.
pub(super) const COLUMNS: &str =
    "g.id, g.external_id, g.display_name, g.document, g.version, g.created_at, g.updated_at";

statements! {
    ABOUT = totals::about(Counted::ExternalGroups, "$1");
    INSERT = "INSERT INTO external_groups (id, connection_id, directory_id, stable_id, external_id, display_name, \
        display_name_key, document, search_keys, content_hash, is_removed, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, FALSE, 1, $11, $11)";
    BY_ID = format!("SELECT {COLUMNS} FROM external_groups g WHERE g.id = $1 AND g.connection_id = $2 AND NOT g.is_removed");
    LOCK(dialect) = format!("SELECT {COLUMNS} FROM external_groups g \
        WHERE g.id = $1 AND g.connection_id = $2 AND NOT g.is_removed {}", dialect.for_no_key_update());
    LOCK_TO_DELETE(dialect) = format!("SELECT {COLUMNS} FROM external_groups g \
        WHERE g.id = $1 AND g.connection_id = $2 AND NOT g.is_removed {}", dialect.for_update());
    AMONG: set = format!("SELECT {COLUMNS} FROM external_groups g \
        WHERE COALESCE(g.connection_id = $1, FALSE) AND NOT g.is_removed AND g.id IN ($2)");
    BY_STABLE_KEY = "SELECT id FROM external_groups WHERE connection_id = $1 AND stable_id = $2";
    UPDATE = "UPDATE external_groups SET external_id = $3, display_name = $4, display_name_key = $5, document = $6, search_keys = $7, \
        content_hash = $8 WHERE id = $1 AND connection_id = $2";
    TOUCH = "UPDATE external_groups SET version = version + 1, updated_at = $3 WHERE id = $1 AND connection_id = $2";
    SET_ROW_HASH = "UPDATE external_groups SET content_hash = $3 WHERE id = $1 AND connection_id = $2";
    LOCK_GROUPS_OF(dialect) = format!("SELECT id FROM external_groups WHERE COALESCE(connection_id = $1, FALSE) \
        AND id IN (SELECT external_group_id FROM external_group_members WHERE external_user_id = $2) ORDER BY id {}", dialect.for_no_key_update());
    TOUCH_GROUPS_OF = "UPDATE external_groups SET version = version + 1, updated_at = $3 WHERE COALESCE(connection_id = $1, FALSE) \
        AND id IN (SELECT external_group_id FROM external_group_members WHERE external_user_id = $2)";
    LOCK_OUTER(dialect) = format!("SELECT id FROM external_groups WHERE COALESCE(connection_id = $1, FALSE) \
        AND id IN (SELECT parent_id FROM external_subgroups WHERE child_id = $2) ORDER BY id {}", dialect.for_no_key_update());
    TOUCH_OUTER = "UPDATE external_groups SET version = version + 1, updated_at = $3 WHERE COALESCE(connection_id = $1, FALSE) \
        AND id IN (SELECT parent_id FROM external_subgroups WHERE child_id = $2)";
    DELETE = "DELETE FROM external_groups WHERE id = $1 AND connection_id = $2";
    OF_USERS: set = format!("{GROUPS_OF} IN ($2)");
    OF_USER: question[Uuid, Uuid] = format!("{GROUPS_OF} = $2");
}

const GROUPS_OF: &str = "SELECT m.external_user_id, g.id, g.display_name, m.external_group_id FROM external_group_members m \
    JOIN external_group_ancestors c ON c.external_group_id = m.external_group_id JOIN external_groups g ON g.id = c.ancestor_id \
    WHERE COALESCE(g.connection_id = $1, FALSE) AND NOT g.is_removed AND m.external_user_id";

/// A group as a connection says it.
#[derive(Clone, PartialEq, Debug)]
pub struct ExternalGroup {
    /// Its identity: the `id` of the SCIM resource.
    pub id: ExternalGroupId,
    /// The client's own id.
    pub external_id: Option<String>,
    /// The name, as said. Not unique.
    pub display_name: String,
    /// The document, without members and what the server adds.
    pub doc: Map<String, Json>,
    /// Raised at every change of the document or of the members.
    pub version: i64,
    /// When the directory first said it.
    pub created_at: Timestamp,
    /// When the document or the members last changed.
    pub changed_at: Timestamp,
}

impl FromRow for ExternalGroup {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            external_id: row.get(1)?,
            display_name: row.get(2)?,
            doc: row.json(3)?,
            version: row.get(4)?,
            created_at: row.get(5)?,
            changed_at: row.get(6)?,
        })
    }
}

/// What is written of an external group.
#[derive(Clone, Copy, Debug)]
pub struct ExternalGroupColumns<'a> {
    /// The document.
    pub doc: &'a Map<String, Json>,
    /// Its comparable twin, for filters.
    pub keys: &'a Json,
    /// The name.
    pub display_name: &'a str,
    /// The client's own id.
    pub external_id: Option<&'a str>,
    /// A hash of the source's row, for connections that compare before they write.
    pub row_hash: Option<&'a [u8]>,
}

/// About how many groups the connection has that are not gone.
///
/// # Errors
/// Only those of the store.
pub async fn about(reader: &mut Reader, at: &ConnectionExtent) -> Result<i64, StoreError> {
    reader.one(&ABOUT, binds![at.connection()], first).await
}

/// Writes a new group, without members.
///
/// # Errors
/// `StoreError::Unique` when the connection has one of this stable key or external id.
pub async fn insert(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
    stable_key: &str,
    said: ExternalGroupColumns<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![
        id,
        at.connection(),
        at.directory(),
        stable_key,
        said.external_id,
        said.display_name,
        fold(said.display_name).into_bytes(),
        text(said.doc),
        text(said.keys),
        said.row_hash,
        now
    ];
    tx.execute(&INSERT, values).await?;
    totals::add(tx, at, Counted::ExternalGroups, id, 1).await
}

/// One group of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn get(
    reader: &mut Reader,
    at: &ConnectionExtent,
    id: ExternalGroupId,
) -> Result<Option<ExternalGroup>, StoreError> {
    reader.optional(&BY_ID, binds![id, at.connection()], ExternalGroup::from_row).await
}

/// Like [`get`]; nobody else changes it or its members until this transaction ends.
///
/// # Errors
/// Only those of the store.
pub async fn lock(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
) -> Result<Option<ExternalGroup>, StoreError> {
    tx.optional(&LOCK, binds![id, at.connection()], ExternalGroup::from_row).await
}

/// Like [`lock`], for one that is about to go: nobody begins to refer to it either.
///
/// # Errors
/// Only those of the store.
pub async fn lock_to_delete(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
) -> Result<Option<ExternalGroup>, StoreError> {
    tx.optional(&LOCK_TO_DELETE, binds![id, at.connection()], ExternalGroup::from_row).await
}

/// Those of `ids` that the connection has, in no order.
///
/// # Errors
/// Only those of the store.
pub async fn among(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalGroupId],
) -> Result<Vec<ExternalGroup>, StoreError> {
    reader.all_in(&AMONG, binds![at.connection()], ids.iter().copied(), ExternalGroup::from_row).await
}

/// The group with this stable key.
///
/// # Errors
/// Only those of the store.
pub async fn by_stable_key(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: &str,
) -> Result<Option<ExternalGroupId>, StoreError> {
    reader.optional(&BY_STABLE_KEY, binds![at.connection(), stable_key], first).await
}

/// Writes what is said now; the caller raises the version with [`touch`].
///
/// # Errors
/// `StoreError::Unique` when another group of the connection has the external id.
pub async fn update(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
    said: ExternalGroupColumns<'_>,
) -> Result<(), StoreError> {
    let values = binds![
        id,
        at.connection(),
        said.external_id,
        said.display_name,
        fold(said.display_name).into_bytes(),
        text(said.doc),
        text(said.keys),
        said.row_hash
    ];
    tx.execute(&UPDATE, values).await.map(drop)
}

/// Raises the version: the document or the members changed.
///
/// # Errors
/// Only those of the store.
pub async fn touch(tx: &mut Tx, at: &ConnectionExtent, id: ExternalGroupId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(&TOUCH, binds![id, at.connection(), now]).await.map(drop)
}

/// Notes the hash of a source row that says nothing new.
///
/// # Errors
/// Only those of the store.
pub async fn set_row_hash(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalGroupId,
    row_hash: &[u8],
) -> Result<(), StoreError> {
    tx.execute(&SET_ROW_HASH, binds![id, at.connection(), row_hash]).await.map(drop)
}

/// The groups a user is a direct member of; nobody else changes them until this transaction ends.
///
/// # Errors
/// Only those of the store.
pub async fn lock_groups_of(
    tx: &mut Tx,
    at: &ConnectionExtent,
    member: ExternalUserId,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    tx.all(&LOCK_GROUPS_OF, binds![at.connection(), member], first).await
}

/// Raises the version of the groups a user is a direct member of.
///
/// # Errors
/// Only those of the store.
pub async fn touch_groups_of(
    tx: &mut Tx,
    at: &ConnectionExtent,
    member: ExternalUserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&TOUCH_GROUPS_OF, binds![at.connection(), member, now]).await.map(drop)
}

/// The groups in which a group is nested directly; nobody else changes them until this transaction ends.
///
/// # Errors
/// Only those of the store.
pub async fn lock_outer(
    tx: &mut Tx,
    at: &ConnectionExtent,
    child: ExternalGroupId,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    tx.all(&LOCK_OUTER, binds![at.connection(), child], first).await
}

/// Raises the version of the groups in which a group is nested directly.
///
/// # Errors
/// Only those of the store.
pub async fn touch_outer(
    tx: &mut Tx,
    at: &ConnectionExtent,
    child: ExternalGroupId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&TOUCH_OUTER, binds![at.connection(), child, now]).await.map(drop)
}

/// Deletes a group. Its memberships must be gone.
///
/// # Errors
/// `StoreError::ForeignKey` when a membership came in between.
pub async fn delete(tx: &mut Tx, at: &ConnectionExtent, id: ExternalGroupId) -> Result<(), StoreError> {
    if tx.execute(&DELETE, binds![id, at.connection()]).await? > 0 {
        totals::add(tx, at, Counted::ExternalGroups, id, -1).await?;
    }
    Ok(())
}

/// A group a user is in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GroupOf {
    /// The user.
    pub member: ExternalUserId,
    /// The group.
    pub group: ExternalGroupId,
    /// The group's name.
    pub display_name: String,
    /// Direct, and not only through a nested group.
    pub direct: bool,
}

/// The groups the users are in, nested ones too, each pair once; by user, then group.
///
/// # Errors
/// Only those of the store.
pub async fn of_users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    users: &[ExternalUserId],
) -> Result<Vec<GroupOf>, StoreError> {
    let rows = reader.all_in(&OF_USERS, binds![at.connection()], users.iter().copied(), tuple::<Through>).await?;
    Ok(each_once(rows))
}

/// Like [`of_users`] for one user, asked together with others.
///
/// # Errors
/// Only those of the store.
pub async fn of_user(store: &Store, at: &ConnectionExtent, user: ExternalUserId) -> Result<Vec<GroupOf>, StoreError> {
    Ok(each_once(store.ask_all(&OF_USER, binds![at.connection(), user], tuple::<Through>).await?))
}

/// A member, a group it is in, and the group it is a direct member of.
type Through = (ExternalUserId, ExternalGroupId, String, ExternalGroupId);

fn each_once(rows: Vec<Through>) -> Vec<GroupOf> {
    let mut found: Vec<GroupOf> = rows
        .into_iter()
        .map(|(member, group, display_name, through)| GroupOf { member, group, display_name, direct: group == through })
        .collect();
    found.sort_by(|a, b| (a.member, a.group, b.direct).cmp(&(b.member, b.group, a.direct)));
    found.dedup_by_key(|row| (row.member, row.group));
    found
}
