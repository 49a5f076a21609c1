//! The provider's own description (OpenID Connect Discovery 1.0, RFC 8414).
use serde::Deserialize;
use url::Url;

use super::error::{LoginError, LoginErrorKind};
use super::fetch::{DISCOVERY_LIMIT, Fetch, FetchError};
use super::jwks::ALGORITHMS;

/// What we use of it. Unknown members are ignored, repeated ones refused.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Metadata {
    /// Must be the issuer we asked for, character by character.
    pub issuer: String,
    /// Where the browser goes.
    pub authorization_endpoint: Url,
    /// Where the code is redeemed.
    pub token_endpoint: Url,
    /// Where the signing keys are.
    pub jwks_uri: Url,
    /// Where further claims are.
    #[serde(default)]
    pub userinfo_endpoint: Option<Url>,
    /// How ID tokens may be signed.
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Which response types it knows.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// Whether it names itself in its answers (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// Fetches and checks the description of `issuer`.
///
/// # Errors
/// [`LoginErrorKind::Unreachable`] when it does not answer, [`LoginErrorKind::Setup`] when it will not do.
pub async fn discover(fetch: &Fetch, issuer: &str) -> Result<Metadata, LoginError> {
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let place = Url::parse(&place).map_err(|_| LoginError::setup("discovery.issuer", "the issuer is not a URL"))?;
    let metadata = fetch.get::<Metadata>(&place, DISCOVERY_LIMIT, None).await.map_err(failed)?;
    check(fetch, issuer, &metadata)?;
    Ok(metadata)
}

fn check(fetch: &Fetch, issuer: &str, metadata: &Metadata) -> Result<(), LoginError> {
    if metadata.issuer != issuer {
        let detail = format!("the provider calls itself {:?}, the connection says {issuer:?}", metadata.issuer);
        return Err(LoginError::setup("discovery.issuer", detail));
    }
    let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
    for endpoint in endpoints.into_iter().chain(&metadata.userinfo_endpoint) {
        fetch
            .check(endpoint)
            .map_err(|error| LoginError::setup("discovery.endpoint", format!("{endpoint}: {error}")))?;
    }
    if !metadata.response_types_supported.iter().any(|kind| kind == "code") {
        return Err(LoginError::setup("discovery.code", "the provider does not offer the response type `code`"));
    }
    if metadata.algorithms().next().is_none() {
        let offered = metadata.id_token_signing_alg_values_supported.join(", ");
        return Err(LoginError::setup("discovery.algorithm", format!("no usable signing algorithm among: {offered}")));
    }
    Ok(())
}

impl Metadata {
    /// The signing algorithms both sides accept.
    pub fn algorithms(&self) -> impl Iterator<Item = &'static str> {
        ALGORITHMS
            .into_iter()
            .filter(|own| self.id_token_signing_alg_values_supported.iter().any(|offered| offered == own))
    }
}

/// A fetch of discovery or keys that failed.
pub(super) fn failed(error: FetchError) -> LoginError {
    let (kind, code) = match error {
        FetchError::Time | FetchError::Connection(_) => (LoginErrorKind::Unreachable, "provider.unreachable"),
        FetchError::Status { status: 500.., .. } => (LoginErrorKind::Unreachable, "provider.error"),
        FetchError::Status { .. } => (LoginErrorKind::Setup, "provider.status"),
        FetchError::Url | FetchError::Address(_) => (LoginErrorKind::Setup, "provider.address"),
        FetchError::Size(_) => (LoginErrorKind::Setup, "provider.size"),
        FetchError::Json(_) => (LoginErrorKind::Setup, "provider.json"),
    };
    LoginError::new(kind, code, error.to_string())
}
