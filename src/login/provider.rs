//! One provider as a connection sees it: its settings, its description and keys, kept for a while.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as Turn;
use url::Url;

use super::claims::Claims;
use super::discovery::{Metadata, discover};
use super::fetch::Fetch;
use super::keys::{Keys, fetch_keys};
use super::refusal::Refusal;
use super::verify::{Doubt, Expected, id_token};
use crate::domain::id::ConnectionId;
use crate::domain::time::Timestamp;

/// How long a description or a key set is used without asking again, in seconds.
const FRESH: i64 = 3_600;
/// How long it is still used when asking again fails, in seconds.
const STALE: i64 = 24 * 3_600;
/// How long a failure is answered from memory, in seconds: a dead provider is not asked by every visitor.
const FAILED: i64 = 5;
/// The shortest time between two fetches of the keys for an unknown one, in seconds.
const REFETCH: i64 = 30;
/// The widest clock difference an administrator may allow, in seconds.
pub const MOST_SKEW: i64 = 300;

/// The settings of an OpenID Connect connection: its `config`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// The issuer, exactly as the provider writes it.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// How the client secret is shown.
    #[serde(default)]
    pub client_auth: ClientAuthMethod,
    /// The scopes asked for; `openid` is always added.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Whether a sign-in that is linked to nobody creates a person. Off: it waits for the directory to
    /// say who it is.
    #[serde(default)]
    pub jit: bool,
    /// The longest time since the person proved who they are, in seconds; absent: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
    /// The authentication contexts that will do; empty: not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// How far the clocks may differ, in seconds; at most 300.
    #[serde(default = "usual_skew")]
    pub skew: u16,
}

/// How the client secret is shown to the token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// In the `Authorization` header.
    #[default]
    Basic,
    /// In the form.
    Post,
    /// Not at all: a public client, held by PKCE alone.
    None,
}

fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

const fn usual_skew() -> u16 {
    60
}

impl OidcConfig {
    /// Reads and checks the `config` of a connection.
    ///
    /// # Errors
    /// A sentence naming the setting that will not do.
    pub fn read(config: &serde_json::Value) -> Result<Self, String> {
        let read = Self::deserialize(config).map_err(|error| error.to_string())?;
        if read.client_id.is_empty() {
            return Err("client_id is empty".to_owned());
        }
        let issuer = Url::parse(&read.issuer).map_err(|_| "issuer is not a URL".to_owned())?;
        if issuer.query().is_some() || issuer.fragment().is_some() || !matches!(issuer.scheme(), "https" | "http") {
            return Err("issuer must be an https URL without query or fragment".to_owned());
        }
        if i64::from(read.skew) > MOST_SKEW {
            return Err(format!("skew is at most {MOST_SKEW} seconds"));
        }
        Ok(read)
    }

    /// The scopes of a request, separated by spaces.
    pub fn scope(&self) -> String {
        let mut scopes = vec!["openid"];
        scopes.extend(self.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        scopes.join(" ")
    }
}

/// Descriptions and keys of all providers, by connection.
pub struct Providers {
    fetch: Fetch,
    known: Mutex<HashMap<ConnectionId, Arc<Provider>>>,
}

/// What is known of one provider.
pub struct Provider {
    issuer: String,
    description: Turn<Kept<Metadata>>,
    keys: Shelf,
}

/// The keys published at one address. One visitor asks, the others wait for that answer.
#[derive(Default)]
pub(super) struct Shelf(Turn<Kept<Keys>>);

/// A fetched thing and when it was fetched, or tried.
struct Kept<T> {
    value: Option<(Arc<T>, Timestamp)>,
    failure: Option<(Refusal, Timestamp)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: None, failure: None }
    }
}

impl<T> Kept<T> {
    fn younger_than(&self, now: Timestamp, seconds: i64) -> Option<Arc<T>> {
        let (value, since) = self.value.as_ref()?;
        (now < since.plus_seconds(seconds)).then(|| Arc::clone(value))
    }

    fn recent_failure(&self, now: Timestamp) -> Option<Refusal> {
        let (failure, since) = self.failure.as_ref()?;
        (now < since.plus_seconds(FAILED)).then(|| failure.clone())
    }

    /// Keeps the outcome of asking; on failure falls back to what is not too old.
    fn keep(&mut self, outcome: Result<T, Refusal>, now: Timestamp) -> Result<Arc<T>, Refusal> {
        match outcome {
            Ok(value) => {
                let value = Arc::new(value);
                self.value = Some((Arc::clone(&value), now));
                self.failure = None;
                Ok(value)
            }
            Err(refusal) => {
                self.failure = Some((refusal.clone(), now));
                self.younger_than(now, STALE).ok_or(refusal)
            }
        }
    }
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
                    description: Turn::default(),
                    keys: Shelf::default(),
                });
                known.insert(connection, Arc::clone(&provider));
                provider
            }
        }
    }
}

impl Provider {
    /// The provider's description. One visitor asks, the others wait for that answer.
    ///
    /// # Errors
    /// When it cannot be had and none is kept.
    pub async fn metadata(&self, fetch: &Fetch, now: Timestamp) -> Result<Arc<Metadata>, Refusal> {
        let mut kept = self.description.lock().await;
        if let Some(fresh) = kept.younger_than(now, FRESH) {
            return Ok(fresh);
        }
        if let Some(failure) = kept.recent_failure(now) {
            return kept.younger_than(now, STALE).ok_or(failure);
        }
        let before = kept.value.as_ref().map(|(metadata, _)| Arc::clone(metadata));
        let after = kept.keep(discover(fetch, &self.issuer).await, now)?;
        if let Some(before) = before {
            tell_moves(&before, &after);
        }
        Ok(after)
    }

    /// Verifies an ID token. An unknown key makes the keys be fetched once more, but not twice in half a minute.
    ///
    /// # Errors
    /// When the keys cannot be had or the token is not to be believed.
    pub async fn verify(
        &self,
        fetch: &Fetch,
        metadata: &Metadata,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Claims, Refusal> {
        let keys = self.keys.fresh(fetch, &metadata.jwks_uri, expected.now).await?;
        match id_token(token, &keys, expected) {
            Ok(claims) => return Ok(claims),
            Err(Doubt::Refused(refusal)) => return Err(refusal),
            Err(Doubt::UnknownKey) => {}
        }
        let keys = self.keys.again(fetch, &metadata.jwks_uri, expected.now).await?;
        id_token(token, &keys, expected).map_err(|doubt| match doubt {
            Doubt::Refused(refusal) => refusal,
            Doubt::UnknownKey => Refusal::untrusted("id_token.key", "no key of the provider matches"),
        })
    }
}

impl Shelf {
    /// The keys, not older than a description may be.
    pub(super) async fn fresh(&self, fetch: &Fetch, place: &Url, now: Timestamp) -> Result<Arc<Keys>, Refusal> {
        self.get(fetch, place, now, FRESH).await
    }

    /// The keys, asked for again unless that was done in the last half minute.
    pub(super) async fn again(&self, fetch: &Fetch, place: &Url, now: Timestamp) -> Result<Arc<Keys>, Refusal> {
        self.get(fetch, place, now, REFETCH).await
    }

    async fn get(&self, fetch: &Fetch, place: &Url, now: Timestamp, fresh: i64) -> Result<Arc<Keys>, Refusal> {
        let mut kept = self.0.lock().await;
        if let Some(young) = kept.younger_than(now, fresh) {
            return Ok(young);
        }
        if let Some(failure) = kept.recent_failure(now) {
            return kept.younger_than(now, STALE).ok_or(failure);
        }
        let fetched = fetch_keys(fetch, place).await;
        kept.keep(fetched, now)
    }
}

/// A provider that moves to another host is worth an administrator's look.
fn tell_moves(before: &Metadata, after: &Metadata) {
    let ends = |m: &Metadata| [m.authorization_endpoint.origin(), m.token_endpoint.origin(), m.jwks_uri.origin()];
    if ends(before) != ends(after) {
        tracing::warn!(issuer = %after.issuer, "the provider's endpoints have moved to another host");
    }
}
