//! One-time links. Only the SHA-256 of a link's token is stored.
use super::extent::{OperatorExtent, PartnerExtent, SelfExtent};
use super::{Reader, Row, StoreError, Tx};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

statements! {
    INSERT = "INSERT INTO one_time_links (hash, user_id, purpose, created_at, expires_at) \
        SELECT $1, p.id, $4, $5, $6 FROM live_users p WHERE p.id = $2 AND p.partner_id = $3";
    SEAL = "UPDATE one_time_links SET sealed = $3 WHERE hash = $1 AND user_id = $2";
    LAST = "SELECT l.user_id, l.sealed, l.used_at, l.expires_at FROM one_time_links l WHERE l.purpose = $1 \
        ORDER BY CASE WHEN l.used_at IS NULL THEN 1 ELSE 0 END, l.created_at DESC LIMIT 1";
    STANDS = "SELECT purpose FROM one_time_links WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
    TAKE = "UPDATE one_time_links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 \
        RETURNING user_id, purpose";
    WITHDRAW = "DELETE FROM one_time_links WHERE user_id = $1 AND used_at IS NULL";
}

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OneTimeLinkPurpose {
    /// The first owner sets the installation up.
    SetUp,
    /// An owner who has lost every other way in.
    Recover,
}

impl OneTimeLinkPurpose {
    const ALL: [Self; 2] = [Self::SetUp, Self::Recover];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::Recover => "recover",
        }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        let word: String = row.get("purpose")?;
        let found = Self::ALL.into_iter().find(|purpose| purpose.as_str() == word);
        found.ok_or_else(|| StoreError::Decode("purpose".to_owned()))
    }
}

/// Writes a link for a user of the extent's partner.
///
/// # Errors
/// `StoreError::NotFound` when the user is not at home there.
pub async fn insert(
    tx: &mut Tx,
    at: &PartnerExtent,
    user: UserId,
    hash: [u8; 32],
    purpose: OneTimeLinkPurpose,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![hash, user, at.partner(), purpose.as_str(), now, expires_at];
    match tx.execute(&INSERT, values).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Keeps the sealed token of a link, so that it can be shown again.
///
/// # Errors
/// Only those of the store.
pub async fn seal(
    tx: &mut Tx,
    _at: &PartnerExtent,
    user: UserId,
    hash: [u8; 32],
    sealed: Vec<u8>,
) -> Result<(), StoreError> {
    tx.execute(&SEAL, binds![hash, user, sealed]).await.map(drop)
}

/// A link as the operator may know it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Whom it lets in.
    pub user: UserId,
    /// Its token, sealed, when it was kept.
    pub sealed: Option<Vec<u8>>,
    /// Whether somebody has come in by it.
    pub used: bool,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The link of this purpose by which somebody came in; when there is none, the one made last.
///
/// # Errors
/// Only those of the store.
pub async fn last(
    reader: &mut Reader,
    _by: &OperatorExtent,
    purpose: OneTimeLinkPurpose,
) -> Result<Option<Issued>, StoreError> {
    let read = |row: &Row| {
        Ok(Issued {
            user: row.get(0)?,
            sealed: row.get(1)?,
            used: row.get::<Option<Timestamp>>(2)?.is_some(),
            expires_at: row.get(3)?,
        })
    };
    reader.optional(&LAST, binds![purpose.as_str()], read).await
}

/// Withdraws the links of a user that were not used.
///
/// # Errors
/// Only those of the store.
pub async fn withdraw(tx: &mut Tx, _at: &PartnerExtent, user: UserId) -> Result<(), StoreError> {
    tx.execute(&WITHDRAW, binds![user]).await.map(drop)
}

/// What the link with this hash is for, if it may still be used.
///
/// # Errors
/// Only those of the store.
pub async fn stands(
    reader: &mut Reader,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<OneTimeLinkPurpose>, StoreError> {
    reader.optional(&STANDS, binds![hash, now], OneTimeLinkPurpose::read).await
}

/// Uses the link up: whoever has it is the user it was made for. Of two uses only one finds it.
///
/// # Errors
/// Only those of the store.
pub async fn take(
    tx: &mut Tx,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<(SelfExtent, OneTimeLinkPurpose)>, StoreError> {
    let read = |row: &Row| Ok((SelfExtent::new(row.get("user_id")?), OneTimeLinkPurpose::read(row)?));
    tx.optional(&TAKE, binds![hash, now], read).await
}
