//! Users as one connection says them: documents with the columns that are unique or searched.
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::extent::{ConnectionExtent, PartnerExtent};
use super::totals::{self, Counted};
use super::{FromRow, Reader, Row, Store, StoreError, Tx, external_emails, first, tuple};
use crate::domain::id::{ConnectionId, DirectoryId, ExternalUserId, Id as _, UserId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// The columns of an [`ExternalUser`], of the table called `u`. Whether it is in a group is no EXISTS: for a long page
/// PostgreSQL would rather put everybody's memberships into a table first, and look there.
pub(super) const COLUMNS: &str = "u.id, u.external_id, u.user_name, u.active, u.document, u.match_key, u.user_id, u.link_origin, \
    u.version, u.created_at, u.updated_at, \
    (SELECT om.external_user_id FROM external_group_members om WHERE om.external_user_id = u.id LIMIT 1) IS NOT NULL";

statements! {
    INSERT: insert[Uuid, Uuid, Uuid, Text, Bytes, Text, Text, Bytes, Bool, Text, Text, Bytes, Uuid, Text, I64] = "INSERT INTO external_users (id, connection_id, directory_id, stable_id, match_key, external_id, user_name, \
        user_name_key, active, document, search_keys, content_hash, user_id, link_origin, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $15, $15)";
    BY_ID: question[Uuid, Uuid] = format!("SELECT {COLUMNS} FROM external_users u WHERE u.id = $1 AND u.connection_id = $2");
    NAMED: question[Bytes, Uuid] = format!(
        "SELECT {COLUMNS} FROM external_users u WHERE u.user_name_key = $1 AND u.connection_id = $2");
    LOCK(dialect) = format!(
        "SELECT {COLUMNS} FROM external_users u WHERE u.id = $1 AND u.connection_id = $2 {}", dialect.for_no_key_update());
    LOCK_TO_DELETE(dialect) = format!(
        "SELECT {COLUMNS} FROM external_users u WHERE u.id = $1 AND u.connection_id = $2 {}", dialect.for_update());
    AMONG: set = format!("SELECT {COLUMNS} FROM external_users u WHERE COALESCE(u.connection_id = $1, FALSE) AND u.id IN ($2)");
    BY_STABLE_KEY = "SELECT id FROM external_users WHERE connection_id = $1 AND stable_id = $2";
    BY_NAME = "SELECT id FROM external_users WHERE connection_id = $1 AND user_name_key = $2";
    UPDATE = "UPDATE external_users SET match_key = $3, external_id = $4, user_name = $5, user_name_key = $6, \
        active = $7, document = $8, search_keys = $9, content_hash = $10, version = version + 1, updated_at = $11 \
        WHERE id = $1 AND connection_id = $2";
    SET_STABLE_KEY = "UPDATE external_users SET stable_id = $3 WHERE id = $1 AND connection_id = $2";
    SET_ROW_HASH = "UPDATE external_users SET content_hash = $3 WHERE id = $1 AND connection_id = $2";
    SET_NAME_FREE = "UPDATE external_users SET user_name_key = $3 WHERE id = $1 AND connection_id = $2";
    LINK = "UPDATE external_users SET user_id = $3, link_origin = $4 WHERE id = $1 AND connection_id = $2";
    DELETE = "DELETE FROM external_users WHERE id = $1 AND connection_id = $2";
    USERS_AMONG: set = "SELECT DISTINCT user_id FROM external_users WHERE COALESCE(connection_id = $1, FALSE) AND user_id IS NOT NULL \
        AND id IN ($2)";
    WAITING = format!("SELECT {COLUMNS} FROM external_users u JOIN directories d ON d.id = u.directory_id \
        WHERE d.partner_id = $1 AND u.user_id IS NULL AND u.id > $2 ORDER BY u.id LIMIT $3");
    UNLINKED_IN = "SELECT u.id, u.connection_id FROM external_users u JOIN directories d ON d.id = u.directory_id \
        WHERE u.directory_id = $1 AND d.partner_id = $2 AND u.user_id IS NULL AND u.id > $3 ORDER BY u.id LIMIT $4";
    CONNECTION_OF = "SELECT u.connection_id, d.id, d.partner_id FROM external_users u JOIN directories d ON d.id = u.directory_id \
        WHERE u.id = $3 AND (d.partner_id = $1 OR ($2 AND EXISTS \
        (SELECT 1 FROM partner_ancestors a WHERE a.partner_id = d.partner_id AND a.ancestor_id = $1)))";
    ANOTHER_HERE = "SELECT EXISTS (SELECT 1 FROM external_users WHERE user_id = $1 AND COALESCE(connection_id = $2, FALSE) AND id <> $3)";
    OF_USER = "SELECT u.id, u.directory_id, u.document, u.user_name, \
        CASE WHEN d.mode = 'observe' THEN 9223372036854775807 WHEN c.kind = 'oidc' THEN 9223372036854775806 \
            ELSE d.priority END \
        FROM external_users u JOIN directories d ON d.id = u.directory_id JOIN connections c ON c.id = u.connection_id \
        WHERE u.user_id = $1 \
        AND EXISTS (SELECT 1 FROM external_users mine WHERE mine.user_id = $1 AND COALESCE(mine.connection_id = $2, FALSE))";
}

/// A user as a connection says it.
#[derive(Clone, PartialEq, Debug)]
pub struct ExternalUser {
    /// Its identity: the `id` of the SCIM resource.
    pub id: ExternalUserId,
    /// The client's own id.
    pub external_id: Option<String>,
    /// The unique name, as said.
    pub user_name: String,
    /// Whether the directory lets this user in.
    pub active: bool,
    /// The whole document, without what the server adds.
    pub doc: Map<String, Json>,
    /// The identifier that names this user at every connection of the directory.
    pub match_key: Option<Vec<u8>>,
    /// The user it is linked to; an unlinked one confers nothing.
    pub user: Option<UserId>,
    /// How it came to be linked.
    pub link: Option<LinkOrigin>,
    /// Raised at every change of the document.
    pub version: i64,
    /// When the directory first said it.
    pub created_at: Timestamp,
    /// When the document last changed.
    pub changed_at: Timestamp,
    /// Whether it was a member of any group when it was read; of those who are not, no group need be read.
    pub in_groups: bool,
}

/// How an external user came to be linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkOrigin {
    /// The user was made for it.
    Created,
    /// The directory's join named the user.
    Joined,
    /// An administrator decided.
    Reviewed,
}

impl LinkOrigin {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Joined => "joined",
            Self::Reviewed => "reviewed",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Created, Self::Joined, Self::Reviewed].into_iter().find(|link| link.as_str() == word)
    }
}

impl FromRow for ExternalUser {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let link: Option<String> = row.get(7)?;
        Ok(Self {
            id: row.get(0)?,
            external_id: row.get(1)?,
            user_name: row.get(2)?,
            active: row.get(3)?,
            doc: row.json(4)?,
            match_key: row.get(5)?,
            user: row.get(6)?,
            link: link.as_deref().and_then(LinkOrigin::parse),
            version: row.get(8)?,
            created_at: row.get(9)?,
            changed_at: row.get(10)?,
            in_groups: row.get(11)?,
        })
    }
}

/// What is written of an external user: the document and what was read from it.
#[derive(Clone, Copy, Debug)]
pub struct ExternalUserColumns<'a> {
    /// The document.
    pub doc: &'a Map<String, Json>,
    /// Its comparable twin, for filters.
    pub keys: &'a Json,
    /// The unique name.
    pub user_name: &'a str,
    /// The client's own id.
    pub external_id: Option<&'a str>,
    /// Whether the directory lets this user in.
    pub active: bool,
    /// The identifier that names this user at every connection of the directory.
    pub match_key: Option<&'a [u8]>,
    /// A hash of the source's row, for connections that compare before they write.
    pub row_hash: Option<&'a [u8]>,
}

/// The text of a document or its twin.
pub(super) fn text(json: &impl serde::Serialize) -> String {
    serde_json::to_string(json).unwrap_or_default()
}

/// An external user that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct ExternalUserInsert<'a> {
    /// Its identity.
    pub id: ExternalUserId,
    /// The source's own immutable key.
    pub stable_key: &'a str,
    /// What is said of it.
    pub said: ExternalUserColumns<'a>,
    /// The user it is linked to, and how.
    pub user: Option<(UserId, LinkOrigin)>,
    /// When it is said.
    pub now: Timestamp,
}

/// Writes new external users.
///
/// # Errors
/// `StoreError::Unique` when the connection has one of this name or stable key. At the next statement, as
/// [`Tx::later`] has it.
pub async fn insert(tx: &mut Tx, at: &ConnectionExtent, all: &[ExternalUserInsert<'_>]) -> Result<(), StoreError> {
    for ExternalUserInsert { id, stable_key, said, user, now } in all {
        let values = binds![
            *id,
            at.connection(),
            at.directory(),
            *stable_key,
            said.match_key,
            said.external_id,
            said.user_name,
            fold(said.user_name).into_bytes(),
            said.active,
            text(said.doc),
            text(said.keys),
            said.row_hash,
            user.map(|(user, _)| user),
            user.map(|(_, link)| link.as_str()),
            *now
        ];
        tx.later(&INSERT, [values]).await?;
    }
    for ExternalUserInsert { id, said, .. } in all {
        let addresses = external_emails::others(said.doc, said.user_name);
        external_emails::keep(tx, at, *id, &BTreeSet::new(), addresses).await?;
    }
    match all.first() {
        Some(first) => {
            totals::add(tx, at, Counted::ExternalUsers, first.id, i64::try_from(all.len()).unwrap_or(i64::MAX)).await
        }
        None => Ok(()),
    }
}

/// One external user of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn get(
    reader: &mut Reader,
    at: &ConnectionExtent,
    id: ExternalUserId,
) -> Result<Option<ExternalUser>, StoreError> {
    reader.optional(BY_ID.one(), binds![id, at.connection()], ExternalUser::from_row).await
}

/// Like [`get`], asked together with others.
///
/// # Errors
/// Only those of the store.
pub async fn find(
    store: &Store,
    at: &ConnectionExtent,
    id: ExternalUserId,
) -> Result<Option<ExternalUser>, StoreError> {
    store.ask(&BY_ID, binds![id, at.connection()], ExternalUser::from_row).await
}

/// The external user whose folded name this is, asked together with others.
///
/// # Errors
/// Only those of the store.
pub async fn find_named(
    store: &Store,
    at: &ConnectionExtent,
    name_key: &str,
) -> Result<Option<ExternalUser>, StoreError> {
    store.ask(&NAMED, binds![name_key.as_bytes(), at.connection()], ExternalUser::from_row).await
}

/// Like [`get`]; nobody else changes it until this transaction ends. Groups may take it in meanwhile.
///
/// # Errors
/// Only those of the store.
pub async fn lock(tx: &mut Tx, at: &ConnectionExtent, id: ExternalUserId) -> Result<Option<ExternalUser>, StoreError> {
    tx.optional(&LOCK, binds![id, at.connection()], ExternalUser::from_row).await
}

/// Like [`lock`], for one that is about to go: nobody begins to refer to it either.
///
/// # Errors
/// Only those of the store.
pub async fn lock_to_delete(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalUserId,
) -> Result<Option<ExternalUser>, StoreError> {
    tx.optional(&LOCK_TO_DELETE, binds![id, at.connection()], ExternalUser::from_row).await
}

/// Those of `ids` that the connection has, in no order.
///
/// # Errors
/// Only those of the store.
pub async fn among(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalUserId],
) -> Result<Vec<ExternalUser>, StoreError> {
    reader.all_in(&AMONG, binds![at.connection()], ids.iter().copied(), ExternalUser::from_row).await
}

/// The external user with this stable key.
///
/// # Errors
/// Only those of the store.
pub async fn by_stable_key(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: &str,
) -> Result<Option<ExternalUserId>, StoreError> {
    reader.optional(&BY_STABLE_KEY, binds![at.connection(), stable_key], |row| row.get(0)).await
}

/// The external user of this name; case does not count.
///
/// # Errors
/// Only those of the store.
pub async fn by_name(
    reader: &mut Reader,
    at: &ConnectionExtent,
    user_name: &str,
) -> Result<Option<ExternalUserId>, StoreError> {
    reader.optional(&BY_NAME, binds![at.connection(), fold(user_name).into_bytes()], |row| row.get(0)).await
}

/// Writes what is said now of the user read as `before`, and raises the version.
///
/// # Errors
/// `StoreError::Unique` when another one of the connection has this name; `StoreError::NotFound`.
pub async fn update(
    tx: &mut Tx,
    at: &ConnectionExtent,
    before: &ExternalUser,
    said: ExternalUserColumns<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![
        before.id,
        at.connection(),
        said.match_key,
        said.external_id,
        said.user_name,
        fold(said.user_name).into_bytes(),
        said.active,
        text(said.doc),
        text(said.keys),
        said.row_hash,
        now
    ];
    if tx.execute(&UPDATE, values).await? == 0 {
        return Err(StoreError::NotFound);
    }
    let others = external_emails::others;
    let was = others(&before.doc, &before.user_name);
    external_emails::keep(tx, at, before.id, &was, others(said.doc, said.user_name)).await
}

/// Gives it another key of the source's own.
///
/// # Errors
/// `StoreError::Unique` when another one of the connection has it.
pub async fn set_stable_key(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalUserId,
    stable_key: &str,
) -> Result<(), StoreError> {
    tx.execute(&SET_STABLE_KEY, binds![id, at.connection(), stable_key]).await.map(drop)
}

/// Notes the hash of a source row that says nothing new.
///
/// # Errors
/// Only those of the store.
pub async fn set_row_hash(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalUserId,
    row_hash: &[u8],
) -> Result<(), StoreError> {
    tx.execute(&SET_ROW_HASH, binds![id, at.connection(), row_hash]).await.map(drop)
}

/// Lets others have its name until it is written anew in the same transaction. No text folds to what stands for it
/// meanwhile.
///
/// # Errors
/// Only those of the store.
pub async fn set_name_free(tx: &mut Tx, at: &ConnectionExtent, id: ExternalUserId) -> Result<(), StoreError> {
    let mut nobody = vec![0];
    nobody.extend_from_slice(id.uuid().as_bytes());
    tx.execute(&SET_NAME_FREE, binds![id, at.connection(), nobody]).await.map(drop)
}

/// Links it to a user, or to nobody. The version stays: the document is the same.
///
/// # Errors
/// Only those of the store.
pub async fn link(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: ExternalUserId,
    user: Option<(UserId, LinkOrigin)>,
) -> Result<(), StoreError> {
    let (user, link) = user.unzip();
    tx.execute(&LINK, binds![id, at.connection(), user, link.map(LinkOrigin::as_str)]).await.map(drop)
}

/// Deletes it. Its memberships and condition rows must be gone.
///
/// # Errors
/// `StoreError::ForeignKey` when a membership came in between.
pub async fn delete(tx: &mut Tx, at: &ConnectionExtent, id: ExternalUserId) -> Result<(), StoreError> {
    external_emails::clear(tx, id).await?;
    if tx.execute(&DELETE, binds![id, at.connection()]).await? > 0 {
        totals::add(tx, at, Counted::ExternalUsers, id, -1).await?;
    }
    Ok(())
}

/// The users behind `ids`, each once.
///
/// # Errors
/// Only those of the store.
pub async fn users_among(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalUserId],
) -> Result<Vec<UserId>, StoreError> {
    reader.all_in(&USERS_AMONG, binds![at.connection()], ids.iter().copied(), |row| row.get(0)).await
}

/// What one connection says of a user.
#[derive(Clone, PartialEq, Debug)]
pub struct ExternalDocument {
    /// The external user.
    pub id: ExternalUserId,
    /// Its directory.
    pub directory: DirectoryId,
    /// The document.
    pub doc: Map<String, Json>,
    /// The unique name.
    pub user_name: String,
    /// The directory's authority, lower speaks first. What users say of themselves when they sign in comes after what
    /// any directory pushes or is read for; a directory that is only observed speaks last.
    pub authority: i64,
}

/// What every connection says of a user this connection is linked to.
///
/// # Errors
/// Only those of the store.
pub async fn said_of(
    reader: &mut Reader,
    at: &ConnectionExtent,
    user: UserId,
) -> Result<Vec<ExternalDocument>, StoreError> {
    let read = |row: &Row| {
        Ok(ExternalDocument {
            id: row.get(0)?,
            directory: row.get(1)?,
            doc: row.json(2)?,
            user_name: row.get(3)?,
            authority: row.get(4)?,
        })
    };
    reader.all(&OF_USER, binds![user, at.connection()], read).await
}

/// A page of the unlinked external users at the connections of the extent's partner, by id, those after `after`.
///
/// # Errors
/// Only those of the store.
pub async fn waiting(
    reader: &mut Reader,
    at: &PartnerExtent,
    after: Option<ExternalUserId>,
    limit: u32,
) -> Result<Vec<ExternalUser>, StoreError> {
    let from = after.map_or(uuid::Uuid::nil(), |id| id.uuid());
    reader.all(&WAITING, binds![at.partner(), from, limit], ExternalUser::from_row).await
}

/// A page of the unlinked external users of a directory of the extent's partner, by id, those after `after`, each with
/// its connection.
///
/// # Errors
/// Only those of the store.
pub async fn unlinked(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<(ExternalUserId, ConnectionId)>, StoreError> {
    reader.all(&UNLINKED_IN, binds![directory, at.partner(), after, limit], tuple).await
}

/// Whether an external user of the connection other than `user` is linked to the user.
///
/// # Errors
/// Only those of the store.
pub async fn another_here(
    reader: &mut Reader,
    at: &ConnectionExtent,
    user: UserId,
    external_user: ExternalUserId,
) -> Result<bool, StoreError> {
    reader.one(&ANOTHER_HERE, binds![user, at.connection(), external_user], first).await
}

/// The connection of an external user whose directory is within the extent.
///
/// # Errors
/// Only those of the store.
pub async fn connection_of(
    reader: &mut Reader,
    at: &PartnerExtent,
    id: ExternalUserId,
) -> Result<Option<ConnectionExtent>, StoreError> {
    let read = |row: &Row| Ok(ConnectionExtent::new(row.get(0)?, row.get(1)?, row.get(2)?));
    reader.optional(&CONNECTION_OF, binds![at.partner(), at.subtree(), id], read).await
}
