//! Whom a join key names. The first connection of a directory to say a key decides, and the row outlives the external user,
//! so that the same lasting key finds the same user again.
use super::extent::ConnectionExtent;
use super::{Reader, StoreError, Tx, tuple};
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

const NEW: &str =
    "INSERT INTO match_keys (directory_id, match_key, user_id, is_immutable, created_at) VALUES ($1, $2, $3, $4, $5)";

statements! {
    NAMED = "SELECT i.user_id, (SELECT u.id FROM external_users u WHERE u.user_id = i.user_id \
            AND COALESCE(u.connection_id = $3, FALSE) \
            ORDER BY u.created_at, u.id LIMIT 1) \
        FROM match_keys i JOIN live_users p ON p.id = i.user_id WHERE i.directory_id = $1 AND i.match_key = $2";
    INSERT: insert[Uuid, Bytes, Uuid, Bool, I64] = NEW;
    CLAIM = format!("{NEW} ON CONFLICT DO NOTHING");
    TAKE_OVER = "UPDATE match_keys SET user_id = $3, is_immutable = $4, created_at = $5 WHERE directory_id = $1 AND match_key = $2 \
        AND NOT EXISTS (SELECT 1 FROM live_users p WHERE p.id = match_keys.user_id)";
    HAND_OVER = "UPDATE match_keys SET user_id = (SELECT u.user_id FROM external_users u WHERE u.directory_id = $1 \
            AND u.match_key = $2 AND u.user_id IS NOT NULL ORDER BY u.id LIMIT 1) \
        WHERE directory_id = $1 AND match_key = $2 AND (NOT is_immutable OR $3) \
        AND EXISTS (SELECT 1 FROM external_users u WHERE u.directory_id = $1 AND u.match_key = $2 \
            AND u.user_id IS NOT NULL) \
        AND NOT EXISTS (SELECT 1 FROM external_users v WHERE v.directory_id = $1 AND v.match_key = $2 \
            AND v.user_id = match_keys.user_id)";
    RELEASE = "DELETE FROM match_keys WHERE directory_id = $1 AND match_key = $2 AND (NOT is_immutable OR $3) AND NOT EXISTS \
        (SELECT 1 FROM external_users u WHERE u.directory_id = $1 AND u.match_key = $2 AND u.user_id IS NOT NULL)";
}

/// The living user whom `match_key` names in the connection's directory, and the external user of the connection that is
/// linked to them.
///
/// # Errors
/// Only those of the store.
pub async fn named(
    reader: &mut Reader,
    at: &ConnectionExtent,
    match_key: &[u8],
) -> Result<Option<(UserId, Option<ExternalUserId>)>, StoreError> {
    reader.optional(&NAMED, binds![at.directory(), match_key, at.connection()], tuple).await
}

/// Lets `match_key`, which names nobody so far, name `user`.
///
/// # Errors
/// `StoreError::Unique(constraint::MATCH_KEY)` when another connection was faster. At the next statement, as [`Tx::later`]
/// has it.
pub async fn insert(
    tx: &mut Tx,
    at: &ConnectionExtent,
    match_key: &[u8],
    lasting: bool,
    user: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.later(&INSERT, [binds![at.directory(), match_key, user, lasting, now]]).await
}

/// Lets `match_key` name `user`, unless it names somebody living already; true when it does now.
///
/// # Errors
/// Only those of the store.
pub async fn claim(
    tx: &mut Tx,
    at: &ConnectionExtent,
    match_key: &[u8],
    lasting: bool,
    user: UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = binds![at.directory(), match_key, user, lasting, now];
    if tx.execute(&CLAIM, values.clone()).await? > 0 {
        return Ok(true);
    }
    // A statement of its own: it sees the user of whoever was faster a moment ago.
    Ok(tx.execute(&TAKE_OVER, values).await? > 0)
}

/// Forgets a key that may be given to somebody else, once no linked external user has it; when another's has it by now,
/// it names that one's user. A lasting one is forgotten
/// only when the directory took it back (`even_lasting`), not when its external user goes.
///
/// # Errors
/// Only those of the store.
pub async fn release(
    tx: &mut Tx,
    at: &ConnectionExtent,
    match_key: &[u8],
    even_lasting: bool,
) -> Result<(), StoreError> {
    tx.execute(&HAND_OVER, binds![at.directory(), match_key, even_lasting]).await?;
    tx.execute(&RELEASE, binds![at.directory(), match_key, even_lasting]).await.map(drop)
}
