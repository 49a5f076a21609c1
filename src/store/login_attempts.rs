//! Attempts to sign in at a provider: written when one begins, taken out by the first answer in the browser that began it,
//! whatever the answer says.
use super::extent::ConnectionExtent;
use super::{FromRow, Reader, StoreError, Tx};
use crate::domain::id::{AttemptId, ConnectionId, DirectoryId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

statements! {
    INSERT = "INSERT INTO login_attempts \
        (id, connection_id, browser_hash, state_hash, nonce, pkce_verifier, return_to, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    BOUND = "DELETE FROM login_attempts WHERE id IN (SELECT id FROM login_attempts WHERE connection_id = $1 \
        ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $2)";
    FIND = "SELECT id, connection_id, browser_hash, state_hash, nonce, pkce_verifier, return_to, created_at, expires_at \
        FROM login_attempts WHERE id = $1";
    TAKE = "DELETE FROM login_attempts WHERE id = $1 \
        RETURNING id, connection_id, browser_hash, state_hash, nonce, pkce_verifier, return_to, created_at, expires_at";
    EXPIRED = "DELETE FROM login_attempts WHERE expires_at <= $1";
    END_AT = "DELETE FROM login_attempts WHERE connection_id = $1";
    END_OF = "DELETE FROM login_attempts WHERE connection_id IN (SELECT id FROM connections WHERE directory_id = $1)";
}

/// Attempts of one connection that are open; a further one ends the oldest.
pub const MOST_OPEN: u32 = 5_000;

/// An attempt as it is kept: the PKCE verifier sealed, of the rest what is secret as hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredLoginAttempt {
    /// Its identity.
    pub id: AttemptId,
    /// The connection it was begun at.
    pub connection_id: ConnectionId,
    /// SHA-256 of the cookie of the browser.
    pub browser_hash: [u8; 32],
    /// SHA-256 of `state`.
    pub state_hash: [u8; 32],
    /// The nonce the ID token must carry.
    pub nonce: String,
    /// The sealed PKCE verifier.
    pub pkce_verifier: Vec<u8>,
    /// The path to go to afterwards.
    pub return_to: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

crate::from_row!(StoredLoginAttempt {
    id,
    connection_id,
    browser_hash,
    state_hash,
    nonce,
    pkce_verifier,
    return_to,
    created_at,
    expires_at
});

/// Writes an attempt, and forgets those that ended by its beginning and the oldest beyond [`MOST_OPEN`].
///
/// # Errors
/// Only those of the store.
pub async fn insert(tx: &mut Tx, at: &ConnectionExtent, new: &StoredLoginAttempt) -> Result<(), StoreError> {
    tx.execute(&EXPIRED, binds![new.created_at]).await?;
    let values = binds![
        new.id,
        at.connection(),
        new.browser_hash,
        new.state_hash,
        &new.nonce,
        &new.pkce_verifier,
        &new.return_to,
        new.created_at,
        new.expires_at
    ];
    tx.execute(&INSERT, values).await?;
    tx.execute(&BOUND, binds![at.connection(), MOST_OPEN]).await.map(drop)
}

/// An attempt, which stays.
///
/// # Errors
/// Only those of the store.
pub async fn find(reader: &mut Reader, id: AttemptId) -> Result<Option<StoredLoginAttempt>, StoreError> {
    reader.optional(&FIND, binds![id], StoredLoginAttempt::from_row).await
}

/// Takes an attempt out: of two answers only one finds it.
///
/// # Errors
/// Only those of the store.
pub async fn take(tx: &mut Tx, id: AttemptId) -> Result<Option<StoredLoginAttempt>, StoreError> {
    tx.optional(&TAKE, binds![id], StoredLoginAttempt::from_row).await
}

/// Ends the attempts at a connection: what they were begun under no longer holds.
///
/// # Errors
/// Only those of the store.
pub(super) async fn end_at(tx: &mut Tx, connection: ConnectionId) -> Result<(), StoreError> {
    tx.execute(&END_AT, binds![connection]).await.map(drop)
}

/// Ends the attempts at every connection of a directory.
///
/// # Errors
/// Only those of the store.
pub(super) async fn end_of(tx: &mut Tx, directory: DirectoryId) -> Result<(), StoreError> {
    tx.execute(&END_OF, binds![directory]).await.map(drop)
}
