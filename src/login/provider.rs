//! One provider as a connection sees it: its description and keys, kept for a while.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::claims::Claims;
use super::discovery::{Metadata, discover};
use super::error::LoginError;
use super::fetch::Fetch;
use super::fetch_cache::Fetched;
use super::jwks::{Keys, fetch_keys};
use super::verify::VerifyError;
use crate::clock::Running;
use crate::domain::id::ConnectionId;
use crate::domain::time::Timestamp;

/// How long userinfo that failed is not asked for what a sign-in can do without, in seconds.
const WITHOUT: i64 = 60;

/// Descriptions and keys of all providers, by connection.
pub struct Providers {
    fetch: Fetch,
    known: Mutex<HashMap<ConnectionId, Arc<Provider>>>,
}

/// What is known of one provider.
pub struct Provider {
    issuer: String,
    description: Fetched<Metadata>,
    keys: Fetched<Keys>,
    /// When userinfo last failed.
    failed: Mutex<Option<Timestamp>>,
}

impl Providers {
    /// None known yet; `fetch` is how they are asked.
    pub fn new(fetch: Fetch) -> Self {
        Self { fetch, known: Mutex::default() }
    }

    /// How providers are asked.
    pub fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// The provider of `connection`. A changed issuer starts from nothing.
    pub fn of(&self, connection: ConnectionId, issuer: &str) -> Arc<Provider> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&connection) {
            Some(provider) if provider.issuer == issuer => Arc::clone(provider),
            _ => {
                let provider = Arc::new(Provider {
                    issuer: issuer.to_owned(),
                    description: Fetched::default(),
                    keys: Fetched::default(),
                    failed: Mutex::default(),
                });
                known.insert(connection, Arc::clone(&provider));
                provider
            }
        }
    }
}

impl Provider {
    /// The provider's description. One visitor asks; the others are told what came of it.
    ///
    /// # Errors
    /// When it cannot be had and none is kept.
    pub async fn metadata(&self, fetch: &Fetch, time: &Running) -> Result<Arc<Metadata>, LoginError> {
        self.description
            .fresh(time, || {
                let (fetch, issuer, before) = (fetch.clone(), self.issuer.clone(), self.description.last());
                async move {
                    let after = discover(&fetch, &issuer).await?;
                    if let Some(before) = before {
                        tell_moves(&before, &after);
                    }
                    Ok(after)
                }
            })
            .await
    }

    /// Verifies an ID token. An unknown key makes the keys be fetched once more, but not twice in half a minute.
    ///
    /// # Errors
    /// When the keys cannot be had or the token is not to be believed.
    pub async fn verify(
        &self,
        fetch: &Fetch,
        metadata: &Metadata,
        time: &Running,
        check: impl Fn(&Keys) -> Result<Claims, VerifyError>,
    ) -> Result<Claims, LoginError> {
        let checked = with_keys(&self.keys, fetch, &metadata.jwks_uri, time, check).await?;
        checked.map_err(|doubt| match doubt {
            VerifyError::Refused(refusal) => refusal,
            VerifyError::UnknownKey => LoginError::untrusted("id_token.key", "no key of the provider matches"),
        })
    }

    /// Whether userinfo may be asked for what a sign-in can do without: not while it is known to fail.
    pub(super) fn answers(&self, now: Timestamp) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_none_or(|since| now >= since.plus_seconds(WITHOUT))
    }

    /// Notes whether userinfo answered.
    pub(super) fn answered(&self, failed: Option<Timestamp>) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}

/// Checks with the keys published at `place`, and once more with fresh ones when no key matches.
pub(super) async fn with_keys<T>(
    keys: &Fetched<Keys>,
    fetch: &Fetch,
    place: &Url,
    time: &Running,
    check: impl Fn(&Keys) -> Result<T, VerifyError>,
) -> Result<Result<T, VerifyError>, LoginError> {
    let ask = || {
        let (fetch, place) = (fetch.clone(), place.clone());
        async move { fetch_keys(&fetch, &place).await }
    };
    let begun = time.now();
    match check(&*keys.fresh(time, ask).await?) {
        Err(VerifyError::UnknownKey) => Ok(check(&*keys.again(time, begun, ask).await?)),
        verdict => Ok(verdict),
    }
}

/// A provider that moves to another host is worth an administrator's look.
fn tell_moves(before: &Metadata, after: &Metadata) {
    let ends = |m: &Metadata| [m.authorization_endpoint.origin(), m.token_endpoint.origin(), m.jwks_uri.origin()];
    if ends(before) != ends(after) {
        tracing::warn!(issuer = %after.issuer, "the provider's endpoints have moved to another host");
    }
}
