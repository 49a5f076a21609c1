//! Whom a join key names. The first door of a directory to say a key decides, and the row outlives the external user,
//! so that the same lasting key finds the same person again.
use super::extent::ConnectionExtent;
use super::{Reader, StoreError, Tx, tuple};
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

const NEW: &str = "INSERT INTO identity (directory, join_key, person, lasting, since) VALUES ($1, $2, $3, $4, $5)";

statements! {
    NAMED = "SELECT i.person, (SELECT u.id FROM external_user u WHERE u.person = i.person \
            AND COALESCE(u.connection = $3, FALSE) \
            ORDER BY u.created_at, u.id LIMIT 1) \
        FROM identity i JOIN live_person p ON p.id = i.person WHERE i.directory = $1 AND i.join_key = $2";
    INSERT: insert[Uuid, Bytes, Uuid, Bool, I64] = NEW;
    CLAIM = format!("{NEW} ON CONFLICT DO NOTHING");
    TAKE_OVER = "UPDATE identity SET person = $3, lasting = $4, since = $5 WHERE directory = $1 AND join_key = $2 \
        AND NOT EXISTS (SELECT 1 FROM live_person p WHERE p.id = identity.person)";
    HAND_OVER = "UPDATE identity SET person = (SELECT u.person FROM external_user u WHERE u.directory = $1 \
            AND u.join_key = $2 AND u.person IS NOT NULL ORDER BY u.id LIMIT 1) \
        WHERE directory = $1 AND join_key = $2 AND (NOT lasting OR $3) \
        AND EXISTS (SELECT 1 FROM external_user u WHERE u.directory = $1 AND u.join_key = $2 \
            AND u.person IS NOT NULL) \
        AND NOT EXISTS (SELECT 1 FROM external_user v WHERE v.directory = $1 AND v.join_key = $2 \
            AND v.person = identity.person)";
    RELEASE = "DELETE FROM identity WHERE directory = $1 AND join_key = $2 AND (NOT lasting OR $3) AND NOT EXISTS \
        (SELECT 1 FROM external_user u WHERE u.directory = $1 AND u.join_key = $2 AND u.person IS NOT NULL)";
}

/// The living person whom `join_key` names in the connection's directory, and the external user of the connection that is
/// linked to them.
///
/// # Errors
/// Only those of the store.
pub async fn named(
    reader: &mut Reader,
    at: &ConnectionExtent,
    join_key: &[u8],
) -> Result<Option<(UserId, Option<ExternalUserId>)>, StoreError> {
    reader.optional(&NAMED, binds![at.directory(), join_key, at.connection()], tuple).await
}

/// Lets `join_key`, which names nobody so far, name `person`.
///
/// # Errors
/// `StoreError::Unique(Constraint::IdentityKey)` when another door was faster. At the next statement, as [`Tx::later`]
/// has it.
pub async fn insert(
    tx: &mut Tx,
    at: &ConnectionExtent,
    join_key: &[u8],
    lasting: bool,
    person: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.later(&INSERT, [binds![at.directory(), join_key, person, lasting, now]]).await
}

/// Lets `join_key` name `person`, unless it names somebody living already; true when it does now.
///
/// # Errors
/// Only those of the store.
pub async fn claim(
    tx: &mut Tx,
    at: &ConnectionExtent,
    join_key: &[u8],
    lasting: bool,
    person: UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = binds![at.directory(), join_key, person, lasting, now];
    if tx.execute(&CLAIM, values.clone()).await? > 0 {
        return Ok(true);
    }
    // A statement of its own: it sees the person of whoever was faster a moment ago.
    Ok(tx.execute(&TAKE_OVER, values).await? > 0)
}

/// Forgets a key that may be given to somebody else, once no linked external user has it; when another's has it by now,
/// it names that one's person. A lasting one is forgotten
/// only when the directory took it back (`even_lasting`), not when its external user goes.
///
/// # Errors
/// Only those of the store.
pub async fn release(
    tx: &mut Tx,
    at: &ConnectionExtent,
    join_key: &[u8],
    even_lasting: bool,
) -> Result<(), StoreError> {
    tx.execute(&HAND_OVER, binds![at.directory(), join_key, even_lasting]).await?;
    tx.execute(&RELEASE, binds![at.directory(), join_key, even_lasting]).await.map(drop)
}
