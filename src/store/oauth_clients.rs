//! OAuth 2.0 clients of SCIM connections, the tokens they are given and the assertions they have used up. Of a secret
//! only the SHA-256 is stored; it has 256 random bits.
use super::connections::{self, ConnectionContext};
use super::extent::PartnerExtent;
use super::{FromRow as _, Reader, Row, StoreError, Tx};
use crate::domain::id::{ConnectionId, OauthClientId, TokenId};
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

statements! {
    INSERT = "INSERT INTO oauth_clients (id, connection_id, name, prefix, secret_hash, jwks, jwks_uri, created_at) \
        SELECT $1, c.id, $4, $5, $6, $7, $8, $9 FROM connections c JOIN directories d ON d.id = c.directory_id \
        WHERE c.id = $2 AND c.kind = 'scim' AND d.partner_id = $3";
    LIST = "SELECT o.id, o.connection_id, o.name, o.prefix, o.jwks, o.jwks_uri, o.created_at, o.revoked_at, \
        o.last_used_at FROM oauth_clients o JOIN connections c ON c.id = o.connection_id \
        JOIN directories d ON d.id = c.directory_id \
        WHERE o.connection_id = $1 AND d.partner_id = $2 ORDER BY o.created_at, o.id";
    REVOKE = "UPDATE oauth_clients SET revoked_at = $4 WHERE id = $1 AND connection_id = $2 AND revoked_at IS NULL \
        AND connection_id IN (SELECT c.id FROM connections c JOIN directories d ON d.id = c.directory_id WHERE d.partner_id = $3)";
    REVOKE_TOKENS = "UPDATE connection_tokens SET revoked_at = $2 WHERE oauth_client_id = $1 AND revoked_at IS NULL";
    OPEN = format!("SELECT o.id AS oauth_client_id, o.secret_hash, o.jwks, o.jwks_uri, {} \
        FROM oauth_clients o JOIN connections c ON c.id = o.connection_id JOIN directories d ON d.id = c.directory_id \
        JOIN live_partners p ON p.id = d.partner_id \
        WHERE o.id = $1 AND c.slug = $2 AND c.kind = 'scim' AND o.revoked_at IS NULL", connections::context());
    USED = "UPDATE oauth_clients SET last_used_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    SEEN = "INSERT INTO oauth_assertions (oauth_client_id, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    FORGET = "DELETE FROM oauth_assertions WHERE oauth_client_id = $1 AND expires_at < $2";
    ISSUE = "INSERT INTO connection_tokens (id, connection_id, oauth_client_id, name, prefix, hash, created_at, expires_at) \
        SELECT $1, o.connection_id, o.id, o.name, $3, $4, $5, $6 FROM oauth_clients o WHERE o.id = $2";
    BOUND = "DELETE FROM connection_tokens WHERE id IN (SELECT id FROM connection_tokens WHERE oauth_client_id = $1 \
        ORDER BY expires_at DESC, id DESC LIMIT 1000 OFFSET $2)";
    SWEEP = "DELETE FROM connection_tokens WHERE oauth_client_id = $1 AND expires_at < $2";
}

/// Access tokens of one client that have not ended; a further one ends the oldest.
pub const MOST_TOKENS: u32 = 1_000;

/// How a client proves who it is. Exactly one is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCredential {
    /// SHA-256 of the client secret.
    pub secret_hash: Option<Vec<u8>>,
    /// The client's public keys: a JWK set (RFC 7517 §5).
    pub jwks: Option<String>,
    /// Where the client publishes its keys.
    pub jwks_uri: Option<String>,
}

/// A client as lists show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OauthClient {
    /// Its identity, which is its client id too.
    pub id: OauthClientId,
    /// The connection it may push through.
    pub connection_id: ConnectionId,
    /// What it was called when it was made.
    pub name: String,
    /// The first characters of its secret, when it has one.
    pub prefix: Option<String>,
    /// Its public keys, when they were given.
    pub jwks: Option<String>,
    /// Where it publishes its keys, when it does.
    pub jwks_uri: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was last given a token.
    pub last_used_at: Option<Timestamp>,
}

from_row!(OauthClient { id, connection_id, name, prefix, jwks, jwks_uri, created_at, revoked_at, last_used_at });

/// A client at the token endpoint.
#[derive(Debug)]
pub struct TokenClient {
    /// Who it says it is.
    pub id: OauthClientId,
    /// The connection it may push through.
    pub connection: ConnectionContext,
    /// What it must prove that with.
    pub proof: StoredCredential,
}

/// A new client.
#[derive(Clone, Debug)]
pub struct NewClient<'a> {
    /// Its identity.
    pub id: OauthClientId,
    /// The connection it may push through.
    pub connection: ConnectionId,
    /// What it is called.
    pub name: &'a str,
    /// The first characters of its secret.
    pub prefix: Option<String>,
    /// What it proves itself with.
    pub proof: StoredCredential,
}

/// Writes a client of a SCIM connection of the extent's partner.
///
/// # Errors
/// `StoreError::NotFound` when there is no such SCIM connection at the extent's partner.
pub async fn insert(tx: &mut Tx, at: &PartnerExtent, new: NewClient<'_>, now: Timestamp) -> Result<(), StoreError> {
    let StoredCredential { secret_hash, jwks, jwks_uri } = new.proof;
    let values = binds![new.id, new.connection, at.partner(), new.name, new.prefix, secret_hash, jwks, jwks_uri, now];
    found(tx.execute(&INSERT, values).await?)
}

/// The clients of a connection, oldest first, the withdrawn ones too.
///
/// # Errors
/// Only those of the store.
pub async fn list(
    reader: &mut Reader,
    at: &PartnerExtent,
    connection: ConnectionId,
) -> Result<Vec<OauthClient>, StoreError> {
    reader.all(&LIST, binds![connection, at.partner()], OauthClient::from_row).await
}

/// Withdraws a client and every token it was given: the next request with one is refused.
///
/// # Errors
/// `StoreError::NotFound` when it is not a client of this connection of the extent, or is withdrawn already.
pub async fn revoke(
    tx: &mut Tx,
    at: &PartnerExtent,
    connection: ConnectionId,
    client: OauthClientId,
    now: Timestamp,
) -> Result<(), StoreError> {
    found(tx.execute(&REVOKE, binds![client, connection, at.partner(), now]).await?)?;
    tx.execute(&REVOKE_TOKENS, binds![client, now]).await.map(drop)
}

/// The client of this id at the connection `slug`, which may be paused. `None` alike for an unknown client, a withdrawn
/// one and another connection's.
///
/// # Errors
/// Only those of the store.
pub async fn open(reader: &mut Reader, slug: &str, client: OauthClientId) -> Result<Option<TokenClient>, StoreError> {
    let read = |row: &Row| {
        let proof = StoredCredential {
            secret_hash: row.get("secret_hash")?,
            jwks: row.get("jwks")?,
            jwks_uri: row.get("jwks_uri")?,
        };
        Ok(TokenClient { id: row.get("oauth_client_id")?, connection: ConnectionContext::from_row(row)?, proof })
    };
    reader.optional(&OPEN, binds![client, slug], read).await
}

/// A token to write.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Its identity.
    pub id: TokenId,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Writes a token for a client that has proved itself, and forgets those of its tokens that have ended. With an
/// assertion (the hash of its `jti`, and until when it could be used) uses that up. False, and nothing to be kept, when
/// the client was withdrawn meanwhile or the assertion was used before.
///
/// # Errors
/// Only those of the store.
pub async fn issue(
    tx: &mut Tx,
    claimant: &TokenClient,
    new: &Issue,
    assertion: Option<&([u8; 32], Timestamp)>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    // Locks the client, so that a withdrawal comes wholly before or sees the token.
    if tx.execute(&USED, binds![claimant.id, now]).await? == 0 {
        return Ok(false);
    }
    if let Some((jti, until)) = assertion {
        tx.execute(&FORGET, binds![claimant.id, now]).await?;
        if tx.execute(&SEEN, binds![claimant.id, *jti, *until]).await? == 0 {
            return Ok(false);
        }
    }
    tx.execute(&SWEEP, binds![claimant.id, now]).await?;
    let values = binds![new.id, claimant.id, &new.prefix, new.hash, now, new.expires_at];
    found(tx.execute(&ISSUE, values).await?)?;
    tx.execute(&BOUND, binds![claimant.id, MOST_TOKENS]).await?;
    Ok(true)
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
