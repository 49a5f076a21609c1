//! Access tokens for the OAuth 2.0 clients of SCIM connections (RFC 6749 §4.4): a client proves itself by its secret or
//! by an assertion signed with its key (RFC 7523 §2.2), and gets a short-lived token that opens its connection.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::LoginService;
use super::assertion::{Assertion, Used};
use super::error::LoginError;
use super::fetch_cache::Fetched;
use super::jwks::Keys;
use super::provider::with_keys;
use super::verify::VerifyError;
use crate::clock::Running;
use crate::domain::ctx::Ctx;
use crate::domain::id::{ConnectionId, OauthClientId};
use crate::secret::{PlainToken, TokenKind, same, sha256};
use crate::store::connections::Standstill;
use crate::store::oauth_clients::{self, Issue, TokenClient};
use crate::store::{StoreError, Tx};

/// The addresses that the token endpoint of a connection goes by.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The issuer (RFC 8414 §2).
    pub issuer: String,
    /// The token endpoint itself.
    pub token: String,
}

/// How a client proves itself.
#[derive(Clone, Copy)]
pub enum PresentedCredential<'a> {
    /// By the secret it was given.
    Secret {
        /// The client id.
        client: &'a str,
        /// The secret.
        secret: &'a str,
    },
    /// By a signed assertion.
    Assertion {
        /// The client id, if it was sent beside the assertion.
        client: Option<&'a str>,
        /// The assertion.
        assertion: &'a str,
    },
}

/// A token that was not given.
#[derive(Debug)]
pub struct TokenError {
    /// Why; for administrators and the log, not for the client.
    pub refusal: LoginError,
    /// The connection of the client, when there is one of the id it named.
    pub connection: Option<ConnectionId>,
    /// Why the connection takes nothing for now, when the client has proved itself.
    pub still: Option<Standstill>,
}

/// The keys that clients publish, as far as they were asked for.
#[derive(Default)]
pub struct ClientJwksCache(Mutex<HashMap<OauthClientId, Address>>);

/// Where a client publishes its keys, and what was read there.
type Address = (String, Arc<Fetched<Keys>>);

impl ClientJwksCache {
    /// Where the keys of a client are kept. A changed address starts from nothing.
    fn of(&self, client: OauthClientId, place: &str) -> Arc<Fetched<Keys>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&client) {
            Some((same, shelf)) if same == place => Arc::clone(shelf),
            _ => {
                let shelf = Arc::new(Fetched::default());
                known.insert(client, (place.to_owned(), Arc::clone(&shelf)));
                shelf
            }
        }
    }
}

impl LoginService {
    /// A token for a client of the SCIM connection `slug` that lives for `life` seconds.
    ///
    /// # Errors
    /// Every refusal that is not the store's is to be answered alike: an unknown connection like a wrong secret.
    pub async fn issue(
        &self,
        ctx: &Ctx,
        slug: &str,
        endpoint: &Endpoint,
        proof: PresentedCredential<'_>,
        life: u32,
    ) -> Result<PlainToken, TokenError> {
        let (mut connection, mut still) = (None, None);
        let issued = match self.proved(ctx, slug, endpoint, proof, &mut connection).await {
            // Nothing is used up: the same assertion is good once the connection is resumed.
            Ok((claimant, used)) => match claimant.connection.standstill() {
                Some(Standstill::Connection) => {
                    still = Some(Standstill::Connection);
                    Err(LoginError::untrusted("client.paused", "the connection is paused"))
                }
                Some(Standstill::Partner) => {
                    still = Some(Standstill::Partner);
                    Err(LoginError::untrusted("client.suspended", "the partner, or one above it, is suspended"))
                }
                Some(Standstill::Directory) | None => self.written(ctx, &claimant, used, life).await,
            },
            Err(refusal) => Err(refusal),
        };
        issued.map_err(|refusal| TokenError { refusal, connection, still })
    }

    /// The client, and what its assertion used up. `connection` becomes known with the client, proved or not.
    async fn proved(
        &self,
        ctx: &Ctx,
        slug: &str,
        endpoint: &Endpoint,
        proof: PresentedCredential<'_>,
        connection: &mut Option<ConnectionId>,
    ) -> Result<(TokenClient, Option<Used>), LoginError> {
        let claimed = match proof {
            PresentedCredential::Secret { client, .. } => client.to_owned(),
            PresentedCredential::Assertion { assertion, .. } => {
                Assertion::read(assertion)?.client().unwrap_or_default().to_owned()
            }
        };
        let claimant = self.claimant(slug, &claimed).await?;
        *connection = claimant.as_ref().map(|known| known.connection.connection.id);
        match proof {
            PresentedCredential::Secret { secret, .. } => Ok((by_secret(claimant, secret)?, None)),
            PresentedCredential::Assertion { client, assertion } => {
                if client.is_some_and(|client| client != claimed) {
                    return Err(LoginError::untrusted("assertion.client", "client_id is not the assertion's sub"));
                }
                let unknown = || LoginError::untrusted("client.unknown", "no such client of this connection");
                let claimant = claimant.ok_or_else(unknown)?;
                let used = self.by_assertion(ctx, endpoint, &claimant, assertion).await?;
                Ok((claimant, Some(used)))
            }
        }
    }

    async fn written(
        &self,
        ctx: &Ctx,
        claimant: &TokenClient,
        used: Option<Used>,
        life: u32,
    ) -> Result<PlainToken, LoginError> {
        let used = used.map(|used| (used.jti, used.until));
        let token = PlainToken::generate(TokenKind::Scim, ctx);
        let new = Issue {
            id: ctx.id(),
            prefix: token.hint(),
            hash: token.hash(),
            expires_at: ctx.now().plus_seconds(i64::from(life)),
        };
        let write = async |tx: &mut Tx| -> Result<bool, StoreError> {
            oauth_clients::issue(tx, claimant, &new, used.as_ref(), ctx.now()).await
        };
        if self.store.write(write).await? {
            return Ok(token);
        }
        Err(LoginError::untrusted("assertion.replayed", "the assertion was used before, or the client was withdrawn"))
    }

    /// The connection `slug`, when it has a client of this id.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn connection_of(&self, slug: &str, client: &str) -> Result<Option<ConnectionId>, LoginError> {
        Ok(self.claimant(slug, client).await?.map(|known| known.connection.connection.id))
    }

    async fn claimant(&self, slug: &str, client: &str) -> Result<Option<TokenClient>, LoginError> {
        let Ok(client) = client.parse() else { return Ok(None) };
        Ok(oauth_clients::open(&mut self.store.reader().await?, slug, client).await?)
    }

    async fn by_assertion(
        &self,
        ctx: &Ctx,
        endpoint: &Endpoint,
        claimant: &TokenClient,
        text: &str,
    ) -> Result<Used, LoginError> {
        let assertion = Assertion::read(text)?;
        let id = claimant.id.to_string();
        let audiences = [endpoint.token.as_str(), endpoint.issuer.as_str()];
        let time = Running::from(ctx.now());
        let check = |keys: &Keys| assertion.verify(keys, &id, &audiences, time.now());
        let verdict = match (&claimant.proof.jwks, &claimant.proof.jwks_uri) {
            (Some(jwks), _) => check(&given(jwks)?),
            (None, Some(place)) => {
                assertion.claimed(&id, &audiences, time.now())?;
                self.with_published(claimant.id, place, &time, check).await?
            }
            (None, None) => return Err(LoginError::untrusted("client.method", "this client has a secret, not a key")),
        };
        match verdict {
            Ok(used) => Ok(used),
            Err(VerifyError::Refused(refusal)) => Err(refusal),
            Err(VerifyError::UnknownKey) => Err(LoginError::untrusted("assertion.key", "no key of the client matches")),
        }
    }

    /// Checks with the published keys, and once more with fresh ones when no key matches.
    async fn with_published(
        &self,
        client: OauthClientId,
        place: &str,
        time: &Running,
        check: impl Fn(&Keys) -> Result<Used, VerifyError>,
    ) -> Result<Result<Used, VerifyError>, LoginError> {
        let keys = self.published.of(client, place);
        let place = Url::parse(place).map_err(|_| LoginError::setup("jwks.address", "jwks_uri is not a URL"))?;
        with_keys(&keys, self.providers.fetch(), &place, time, check).await
    }

    /// Whether keys may be asked for at `place`, as far as its text tells.
    ///
    /// # Errors
    /// A sentence.
    pub fn check_place(&self, place: &str) -> Result<(), String> {
        let place = Url::parse(place).map_err(|_| "is not a URL".to_owned())?;
        self.providers.fetch().check(&place).map_err(|error| error.to_string())
    }
}

fn by_secret(claimant: Option<TokenClient>, secret: &str) -> Result<TokenClient, LoginError> {
    let stored = claimant.as_ref().and_then(|known| known.proof.secret_hash.as_deref());
    // The comparison is made in any case, so that its absence tells nothing.
    let right = same(stored.unwrap_or(&[0; 32]), &sha256(secret.as_bytes()));
    let known = stored.is_some();
    claimant
        .filter(|_| right && known)
        .ok_or_else(|| LoginError::untrusted("client.secret", "no such client of this connection, or another secret"))
}

/// Checks the keys that a client is to prove itself with.
///
/// # Errors
/// A sentence about what will not do.
pub fn check_keys(jwks: &serde_json::Value) -> Result<(), String> {
    Keys::inline(jwks).map(drop).map_err(|refusal| refusal.detail)
}

fn given(jwks: &str) -> Result<Keys, LoginError> {
    let jwks = serde_json::from_str(jwks).map_err(|_| LoginError::setup("jwks.json", "the keys are not JSON"))?;
    Keys::inline(&jwks)
}
