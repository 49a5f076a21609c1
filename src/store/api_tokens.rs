//! Bearer tokens of the API. A token acts with the authority its user has at that moment; only its SHA-256 is stored.
use super::extent::{PartnerExtent, SelfExtent};
use super::sessions::in_good_standing;
use super::tokens::TokenRecord;
use super::{FromRow, Reader, Row, StoreError, Tx};
use crate::domain::ctx::Ctx;
use crate::domain::id::{PartnerId, TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::secret::{PlainToken as TokenText, TokenKind, presented_hash};
use crate::{binds, statements};

statements! {
    INSERT = "INSERT INTO api_tokens (id, user_id, name, prefix, hash, created_at, expires_at, partner_id) \
        SELECT $1, p.id, $4, $5, $6, $7, $8, p.partner_id FROM live_users p WHERE p.id = $2 AND p.partner_id = $3";
    BY_HASH = format!("SELECT t.id, p.id AS user_id, p.partner_id, p.display_name \
        FROM api_tokens t JOIN live_users p ON p.id = t.user_id \
        WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) \
        AND {}", in_good_standing("$2"));
    LIST = "SELECT id, name, prefix, created_at, expires_at, revoked_at, last_used_at FROM api_tokens \
        WHERE user_id = $1 ORDER BY created_at, id";
    FORGET_ENDED = "DELETE FROM api_tokens WHERE id IN (SELECT id FROM api_tokens WHERE user_id = $1 \
        AND (revoked_at IS NOT NULL OR expires_at <= $2) ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $3)";
    REVOKE = "UPDATE api_tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL";
    USED = "UPDATE api_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
}

/// Whoever sent a token, as of the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenOwner {
    /// The witness that the request comes from this user.
    pub extent: SelfExtent,
    /// The token.
    pub token: TokenId,
    /// The home partner.
    pub partner: PartnerId,
    /// The name users see.
    pub display_name: String,
}

impl TokenOwner {
    /// The user.
    pub fn user(&self) -> UserId {
        self.extent.user()
    }
}

impl FromRow for TokenOwner {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            extent: SelfExtent::new(row.get("user_id")?),
            token: row.get("id")?,
            partner: row.get("partner_id")?,
            display_name: row.get("display_name")?,
        })
    }
}

/// Makes a token for a user of the extent's partner.
///
/// # Errors
/// `StoreError::NotFound` when the user is not at home there.
pub async fn create(
    tx: &mut Tx,
    at: &PartnerExtent,
    ctx: &Ctx,
    user: UserId,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(TokenId, TokenText), StoreError> {
    insert(tx, ctx, (user, at.partner()), name, expires_at).await
}

/// Makes a token for the user themselves, at home at `home`.
///
/// # Errors
/// `StoreError::NotFound` when the user is gone, or moved meanwhile.
pub async fn create_own(
    tx: &mut Tx,
    of: &SelfExtent,
    home: PartnerId,
    ctx: &Ctx,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(TokenId, TokenText), StoreError> {
    insert(tx, ctx, (of.user(), home), name, expires_at).await
}

async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    (user, home): (UserId, PartnerId),
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(TokenId, TokenText), StoreError> {
    let text = TokenText::generate(TokenKind::Api, ctx);
    let id = ctx.id();
    let values = binds![id, user, home, name, text.hint(), text.hash(), ctx.now(), expires_at];
    match tx.execute(&INSERT, values).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok((id, text)),
    }
}

/// Whose token this is. `None` when it is unknown, expired or withdrawn, or the user may not act: suspended or
/// deleted, or the partner or one above.
///
/// # Errors
/// Only those of the store.
pub async fn authenticate(
    reader: &mut Reader,
    presented: &str,
    now: Timestamp,
) -> Result<Option<TokenOwner>, StoreError> {
    let Some(hash) = presented_hash(TokenKind::Api, presented) else { return Ok(None) };
    reader.optional(&BY_HASH, binds![hash, now], TokenOwner::from_row).await
}

/// The user's own tokens, oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn list(reader: &mut Reader, of: &SelfExtent) -> Result<Vec<TokenRecord>, StoreError> {
    reader.all(&LIST, binds![of.user()], TokenRecord::from_row).await
}

/// Forgets tokens of the user that have ended by `now`, but for the last `kept`.
///
/// # Errors
/// Only those of the store.
pub async fn forget_ended(tx: &mut Tx, of: &SelfExtent, now: Timestamp, kept: i64) -> Result<(), StoreError> {
    tx.execute(&FORGET_ENDED, binds![of.user(), now, kept]).await.map(drop)
}

/// Withdraws one of the user's own tokens: the next request with it is refused.
///
/// # Errors
/// `StoreError::NotFound` when it is not theirs, or is withdrawn already.
pub async fn revoke(tx: &mut Tx, of: &SelfExtent, id: TokenId, now: Timestamp) -> Result<(), StoreError> {
    match tx.execute(&REVOKE, binds![id, of.user(), now]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Notes when tokens were last used. Called apart from requests, with what many of them collected.
///
/// # Errors
/// Only those of the store.
pub async fn used(tx: &mut Tx, uses: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
    for (id, at) in uses {
        tx.execute(&USED, binds![*id, *at]).await?;
    }
    Ok(())
}
