//! OAuth 2.0 clients of SCIM connections: who may fetch short-lived tokens instead of holding a lasting one.
use super::connections::guarded;
use super::error::AdminError;
use super::{most, record, validate};
use crate::domain::ctx::Ctx;
use crate::domain::directory::ConnectionKind;
use crate::domain::id::{OauthClientId, UserId};
use crate::provision::event::{Event, Kind};
use crate::secret::{PlainToken, TokenKind};
use crate::store::oauth_clients::{self, NewClient, StoredCredential};
use crate::store::{Store, Tx};

/// What a client is to prove itself with. What keys and addresses will do is for the caller to have checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    /// A secret of ours, told once.
    Secret,
    /// Its own key; these are the public ones: a JWK set (RFC 7517 §5).
    Keys(String),
    /// Its own key; the public ones are published at this address.
    KeysAt(String),
}

/// Makes a client of a SCIM connection; its secret, if it has one, is told this once.
///
/// # Errors
/// [`AdminError`].
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    name: &str,
    credential: &Credential,
) -> Result<(OauthClientId, Option<PlainToken>), AdminError> {
    let name = &validate::name("name", name)?;
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            if connection.connection.kind != ConnectionKind::Scim {
                return Err(AdminError::Conflict("Only SCIM connections have OAuth clients.".to_owned()));
            }
            let known = oauth_clients::list(tx, &at, connection.connection.id).await?;
            let living = known.iter().filter(|one| one.revoked_at.is_none()).count();
            most::another("OAuth clients of this connection", living, most::CLIENTS)?;
            let secret = (*credential == Credential::Secret).then(|| PlainToken::generate(TokenKind::Client, ctx));
            let (jwks, jwks_uri) = match credential {
                Credential::Secret => (None, None),
                Credential::Keys(jwks) => (Some(jwks.clone()), None),
                Credential::KeysAt(place) => (None, Some(place.clone())),
            };
            let new = NewClient {
                id: ctx.id(),
                connection: connection.connection.id,
                name,
                prefix: secret.as_ref().map(PlainToken::hint),
                proof: StoredCredential {
                    secret_hash: secret.as_ref().map(|secret| secret.hash().to_vec()),
                    jwks,
                    jwks_uri,
                },
            };
            let id = new.id;
            oauth_clients::insert(tx, &at, new, ctx.now()).await?;
            let line = Event::of(Kind::OauthClientCreated, connection.connection.id).id("client", id);
            record(tx, ctx, at.partner(), line).await?;
            Ok((id, secret))
        })
        .await
}

/// Ends a client and every token it was given: the next request with one is refused.
///
/// # Errors
/// [`AdminError`].
pub async fn end(store: &Store, ctx: &Ctx, actor: UserId, slug: &str, client: OauthClientId) -> Result<(), AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            oauth_clients::revoke(tx, &at, connection.connection.id, client, ctx.now()).await?;
            let line = Event::of(Kind::OauthClientRevoked, connection.connection.id).id("client", client);
            Ok(record(tx, ctx, at.partner(), line).await?)
        })
        .await
}
