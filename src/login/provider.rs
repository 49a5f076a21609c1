//! One provider as a connection sees it: its settings, its description and keys, kept for a while.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
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
/// The longest issuer, in bytes: it is part of the key of each subject.
pub const LONGEST_ISSUER: usize = 512;
/// The most further audiences.
pub const MOST_AUDIENCES: usize = 20;
/// The longest of them, in bytes.
pub const LONGEST_AUDIENCE: usize = 512;
/// The widest clock difference an administrator may allow, in seconds.
pub const MOST_SKEW: i64 = 300;

/// The settings of an OpenID Connect connection: its `config`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The issuer, exactly as the provider writes it.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// How the client secret is shown.
    #[serde(default)]
    pub token_endpoint_auth_method: ClientAuthMethod,
    /// The scopes asked for; `openid` is always added.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Whether a sign-in that is linked to nobody creates a user. Off: it waits for the directory to
    /// say who it is.
    #[serde(default)]
    pub jit_provisioning: bool,
    /// The longest time since the user proved who they are, in seconds; absent: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
    /// The authentication contexts that will do; empty: not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// Who an ID token may be meant for beside us, such as the project of the application; empty: nobody. A token for
    /// several must say in `azp` that it was made for us (OpenID Connect Core 1.0 §3.1.3.7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// How far the clocks may differ, in seconds; at most 300.
    #[serde(default = "usual_skew")]
    pub clock_skew_seconds: u16,
}

/// How the client secret is shown to the token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// In the `Authorization` header.
    #[default]
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
    /// Not at all: a public client, held by PKCE alone.
    None,
}

fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

const fn usual_skew() -> u16 {
    60
}

impl OidcSettings {
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
        if read.issuer.len() > LONGEST_ISSUER {
            return Err(format!("issuer has at most {LONGEST_ISSUER} bytes"));
        }
        if read.audiences.len() > MOST_AUDIENCES {
            return Err(format!("audiences has at most {MOST_AUDIENCES} entries"));
        }
        if read.audiences.iter().any(|audience| audience.is_empty() || audience.len() > LONGEST_AUDIENCE) {
            return Err(format!("each of audiences has 1 to {LONGEST_AUDIENCE} bytes"));
        }
        if i64::from(read.clock_skew_seconds) > MOST_SKEW {
            return Err(format!("clock_skew_seconds is at most {MOST_SKEW} seconds"));
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
