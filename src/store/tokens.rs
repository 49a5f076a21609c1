//! Bearer tokens of SCIM connections. Only the SHA-256 of a token is stored; a token has 256 random bits, so its hash
//! needs no salt and is found by an index.
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::connections::{self, ConnectionContext, SUSPENDED, Standstill};
use super::extent::PartnerExtent;
use super::{FromRow, Reader, Row, Store, StoreError, Tx};
use crate::binds;
use crate::domain::ctx::Ctx;
use crate::domain::id::{ConnectionId, PartnerId, TokenId};
use crate::domain::time::Timestamp;
use crate::secret::{PlainToken as TokenText, TokenKind, presented_hash, same};
use crate::statements;

/// Tokens with the connections they were made for, of partners that live.
const CONNECTIONS: &str = "FROM connection_tokens t JOIN connections c ON c.id = t.connection_id \
    JOIN directories d ON d.id = c.directory_id JOIN live_partners p ON p.id = d.partner_id";

statements! {
    INSERT = "INSERT INTO connection_tokens (id, connection_id, name, prefix, hash, created_at, expires_at) \
        SELECT $1, c.id, $4, $5, $6, $7, $8 FROM connections c JOIN directories d ON d.id = c.directory_id \
        WHERE c.id = $2 AND c.kind = 'scim' AND d.partner_id = $3";
    ADOPT = "INSERT INTO connection_tokens (id, connection_id, name, prefix, hash, created_at, expires_at) \
        SELECT $1, c.id, $4, $5, $6, $7, NULL FROM connections c JOIN directories d ON d.id = c.directory_id \
        WHERE c.id = $2 AND c.kind = 'scim' AND d.partner_id = $3 ON CONFLICT (hash) DO NOTHING";
    REVOKE = "UPDATE connection_tokens SET revoked_at = $3 WHERE id = $1 AND revoked_at IS NULL AND connection_id IN \
        (SELECT c.id FROM connections c JOIN directories d ON d.id = c.directory_id WHERE d.partner_id = $2)";
    EXPIRE = "UPDATE connection_tokens SET expires_at = $3 WHERE id = $1 AND (expires_at IS NULL OR expires_at > $3) \
        AND connection_id IN (SELECT c.id FROM connections c JOIN directories d ON d.id = c.directory_id WHERE d.partner_id = $2)";
    LIST = "SELECT t.id, t.name, t.prefix, t.created_at, t.expires_at, t.revoked_at, t.last_used_at \
        FROM connection_tokens t JOIN connections c ON c.id = t.connection_id JOIN directories d ON d.id = c.directory_id \
        WHERE t.connection_id = $1 AND d.partner_id = $2 AND t.oauth_client_id IS NULL ORDER BY t.created_at, t.id";
    FORGET_ENDED = "DELETE FROM connection_tokens WHERE id IN (SELECT t.id FROM connection_tokens t \
        JOIN connections c ON c.id = t.connection_id JOIN directories d ON d.id = c.directory_id \
        WHERE t.connection_id = $1 AND d.partner_id = $2 AND t.oauth_client_id IS NULL \
        AND (t.revoked_at IS NOT NULL OR t.expires_at <= $3) ORDER BY t.created_at DESC, t.id DESC LIMIT 1000 OFFSET $4)";
    BY_HASH = format!("SELECT t.id AS token, t.hash, t.expires_at, t.revoked_at, {} \
        {CONNECTIONS} WHERE t.hash = $1 AND c.kind = 'scim'", connections::context());
    STILL: question[Uuid] = format!("SELECT t.expires_at, t.revoked_at, c.state, c.version, d.mode, d.partner_id, {SUSPENDED} \
        {CONNECTIONS} WHERE t.id = $1");
    USED = "UPDATE connection_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
}

/// A bearer token, of a connection or of a user, as lists show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRecord {
    /// Its identity.
    pub id: TokenId,
    /// What it was called when it was made.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<Timestamp>,
}

impl TokenRecord {
    /// Whether it has not ended by `now`.
    pub fn lives(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

crate::from_row!(TokenRecord { id, name, prefix, created_at, expires_at, revoked_at, last_used_at });

/// Makes a token for a SCIM connection of the extent's partner. A connection may have several, so that a new one is in
/// use before the old one ends.
///
/// # Errors
/// `StoreError::NotFound` when there is no such SCIM connection at the extent's partner.
pub async fn create(
    tx: &mut Tx,
    at: &PartnerExtent,
    ctx: &Ctx,
    connection: ConnectionId,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(TokenId, TokenText), StoreError> {
    let text = TokenText::generate(TokenKind::Scim, ctx);
    let id = ctx.id();
    let hash = text.hash().to_vec();
    let values = binds![id, connection, at.partner(), name, text.hint(), hash, ctx.now(), expires_at];
    found(tx.execute(&INSERT, values).await?)?;
    Ok((id, text))
}

/// Accepts a token that was made elsewhere, as a declaration brings it; false when it is known already, and `None` when
/// it is not of the form a SCIM token has.
///
/// # Errors
/// Only those of the store.
pub async fn adopt(
    tx: &mut Tx,
    at: &PartnerExtent,
    ctx: &Ctx,
    connection: ConnectionId,
    name: &str,
    text: &str,
) -> Result<Option<bool>, StoreError> {
    let Some(hash) = presented_hash(TokenKind::Scim, text) else { return Ok(None) };
    let id: TokenId = ctx.id();
    let hint: String = text.chars().take(8).collect();
    let values = binds![id, connection, at.partner(), name, hint, hash.to_vec(), ctx.now()];
    Ok(Some(tx.execute(&ADOPT, values).await? > 0))
}

/// Withdraws a token: the next request with it is refused.
///
/// # Errors
/// `StoreError::NotFound` when it is not the extent's, or is withdrawn already.
pub async fn revoke(tx: &mut Tx, at: &PartnerExtent, id: TokenId, now: Timestamp) -> Result<(), StoreError> {
    found(tx.execute(&REVOKE, binds![id, at.partner(), now]).await?)
}

/// Lets a token end at `until`, as the old one of a rotation does; never later than it would have ended.
///
/// # Errors
/// `StoreError::NotFound` when it is not the extent's, or ends before.
pub async fn expire(tx: &mut Tx, at: &PartnerExtent, id: TokenId, until: Timestamp) -> Result<(), StoreError> {
    found(tx.execute(&EXPIRE, binds![id, at.partner(), until]).await?)
}

/// The tokens of a connection that administrators made, oldest first, the withdrawn ones too.
///
/// # Errors
/// `StoreError`.
pub async fn list(
    reader: &mut Reader,
    at: &PartnerExtent,
    connection: ConnectionId,
) -> Result<Vec<TokenRecord>, StoreError> {
    reader.all(&LIST, binds![connection, at.partner()], TokenRecord::from_row).await
}

/// What tokens opened, each with the moment of the store at which it did: while nothing has been written since, it still
/// does. Where [`Store::moment`] is none, the store is asked each time: [`still_opens`].
#[derive(Debug, Default)]
pub struct TokenCache(RwLock<HashMap<[u8; 32], CachedToken>>);

/// A token, and what it opened before.
#[derive(Clone, Debug)]
pub struct CachedToken {
    /// The connection.
    pub connection: Arc<ConnectionContext>,
    /// The token.
    pub token: TokenId,
    hash: [u8; 32],
    expires_at: Option<Timestamp>,
    /// Of the store, before it was read.
    moment: Option<u64>,
}

impl CachedToken {
    fn refused(self, objection: Objection) -> TokenStatus {
        let (connection, token) = (self.connection.connection.id, self.token);
        match objection {
            Objection::Shut(why) => TokenStatus::Shut { connection, token, why },
            Objection::AtRest(why) => TokenStatus::AtRest { connection, token, why },
        }
    }
}

/// Tokens of which it is remembered what they open.
const MOST_KNOWN: usize = 10_000;

impl TokenCache {
    fn find(&self, hash: &[u8; 32], moment: Option<u64>) -> Option<CachedToken> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|known| known.moment == moment).cloned()
    }

    fn keep(&self, found: CachedToken) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(found.hash, found);
    }

    fn forget(&self, hash: &[u8; 32]) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    /// What `presented` opened at the address `slug` when it was last used, where only the store can say whether it
    /// still does.
    pub fn before(&self, store: &Store, slug: &str, presented: &str, now: Timestamp) -> Option<CachedToken> {
        if store.moment().is_some() {
            return None;
        }
        let known = self.find(&presented_hash(TokenKind::Scim, presented)?, None)?;
        objection(&known, None, slug, now).is_none().then_some(known)
    }
}

/// Whether a token still opens what it opened before, with nothing about the connection changed; else that is forgotten.
///
/// # Errors
/// `StoreError`.
pub async fn still_opens(store: &Store, opened: &TokenCache, known: &CachedToken) -> Result<bool, StoreError> {
    let ConnectionContext { connection, extent, mode, suspended, .. } = &*known.connection;
    let read = |row: &Row| {
        Ok(row.get::<Option<Timestamp>>(0)? == known.expires_at
            && row.get::<Option<Timestamp>>(1)?.is_none()
            && row.get::<String>(2)? == connection.state.as_str()
            && row.get::<i64>(3)? == connection.version
            && row.get::<String>(4)? == mode.as_str()
            && row.get::<PartnerId>(5)? == extent.partner()
            && row.get::<bool>(6)? == *suspended)
    };
    let still = store.ask(&STILL, binds![known.token], read).await?.unwrap_or(false);
    if !still {
        opened.forget(&known.hash);
    }
    Ok(still)
}

/// What a presented token comes to.
#[derive(Debug)]
pub enum TokenStatus {
    /// It opens this connection.
    Opens(Arc<ConnectionContext>, TokenId),
    /// It is a token of this connection and opens nothing. Why, is for the connection's own log and not for the caller.
    Shut {
        /// The connection it was made for.
        connection: ConnectionId,
        /// The token.
        token: TokenId,
        /// Why.
        why: &'static str,
    },
    /// It would open its connection, which takes nothing for now.
    AtRest {
        /// The connection.
        connection: ConnectionId,
        /// The token.
        token: TokenId,
        /// Why.
        why: Standstill,
    },
    /// Nobody made it.
    Unknown,
}

/// What `presented` opens at the address `slug`. To the caller everything that opens nothing is alike, so that nobody
/// learns which slugs exist; but who shows a good token hears that its connection is paused, or its partner suspended.
///
/// # Errors
/// `StoreError`.
pub async fn authenticate(
    store: &Store,
    opened: &TokenCache,
    slug: &str,
    presented: &str,
    now: Timestamp,
) -> Result<TokenStatus, StoreError> {
    let Some(hash) = presented_hash(TokenKind::Scim, presented) else { return Ok(TokenStatus::Unknown) };
    let moment = store.moment();
    if let Some(known) = opened.before(store, slug, presented, now)
        && still_opens(store, opened, &known).await?
    {
        return Ok(TokenStatus::Opens(known.connection, known.token));
    }
    if moment.is_some()
        && let Some(known) = opened.find(&hash, moment)
    {
        return Ok(match objection(&known, None, slug, now) {
            None => TokenStatus::Opens(known.connection, known.token),
            Some(objection) => known.refused(objection),
        });
    }
    let read = |row: &Row| {
        let stored: Vec<u8> = row.get("hash")?;
        let expires_at: Option<Timestamp> = row.get("expires_at")?;
        let revoked_at: Option<Timestamp> = row.get("revoked_at")?;
        let connection = Arc::new(ConnectionContext::from_row(row)?);
        let known = CachedToken { connection, token: row.get("token")?, hash, expires_at, moment };
        Ok(same(&stored, &hash).then_some((known, revoked_at)))
    };
    let mut reader = store.reader().await?;
    let found = reader.optional(&BY_HASH, binds![hash.to_vec()], read).await?.flatten();
    let Some((known, revoked_at)) = found else { return Ok(TokenStatus::Unknown) };
    if let Some(objection) = objection(&known, revoked_at, slug, now) {
        return Ok(known.refused(objection));
    }
    opened.keep(known.clone());
    Ok(TokenStatus::Opens(known.connection, known.token))
}

/// Why a token opens nothing.
enum Objection {
    /// It is no good.
    Shut(&'static str),
    /// It is good, and its connection takes nothing for now.
    AtRest(Standstill),
}

/// Why a token opens nothing; none when it opens its connection.
fn objection(known: &CachedToken, revoked_at: Option<Timestamp>, slug: &str, now: Timestamp) -> Option<Objection> {
    let connection = &known.connection.connection;
    if !same(connection.slug.as_bytes(), slug.as_bytes()) {
        Some(Objection::Shut("the token is of this connection, but the address of another"))
    } else if revoked_at.is_some() {
        Some(Objection::Shut("the token was withdrawn"))
    } else if known.expires_at.is_some_and(|end| now >= end) {
        Some(Objection::Shut("the token has ended"))
    } else {
        // Whoever only may not write, because the directory is paused, may read.
        let why = known.connection.standstill().filter(|why| *why != Standstill::Directory);
        why.map(Objection::AtRest)
    }
}

/// Notes when tokens were last used. Called apart from requests, with what many of them collected.
///
/// # Errors
/// `StoreError`.
pub async fn used(tx: &mut Tx, uses: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
    for (id, at) in uses {
        tx.execute(&USED, binds![*id, *at]).await?;
    }
    Ok(())
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Forgets bearer tokens of a connection within the extent that have ended by `now`, but for the last `kept`.
///
/// # Errors
/// Only those of the store.
pub async fn forget_ended(
    tx: &mut Tx,
    at: &PartnerExtent,
    connection: ConnectionId,
    now: Timestamp,
    kept: i64,
) -> Result<(), StoreError> {
    tx.execute(&FORGET_ENDED, binds![connection, at.partner(), now, kept]).await.map(drop)
}
