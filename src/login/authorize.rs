//! The request the browser takes to the provider (OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.3).
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::attempt::NewLoginAttempt;
use super::discovery::Metadata;
use crate::connection::oidc::OidcSettings;
use crate::secret::sha256;

/// Where the provider sends the browser back to: one address per connection, so that an answer meant for one
/// provider never reaches the token endpoint of another (RFC 9700 §4.4).
pub fn redirect_uri(public_url: &Url, slug: &str) -> String {
    format!("{}/sso/{slug}/callback", public_url.as_str().trim_end_matches('/'))
}

/// The address to send the browser to. PKCE with S256 and a nonce always, whatever the provider says it supports.
pub fn authorization_url(
    metadata: &Metadata,
    config: &OidcSettings,
    redirect_uri: &str,
    fresh: &NewLoginAttempt,
) -> Url {
    let mut url = metadata.authorization_endpoint.clone();
    let challenge = URL_SAFE_NO_PAD.encode(sha256(fresh.attempt.verifier.as_bytes()));
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", &config.scope())
        .append_pair("state", &fresh.state)
        .append_pair("nonce", &fresh.attempt.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(most) = config.max_age_seconds {
        query.append_pair("max_age", &most.to_string());
    }
    if !config.acr_values.is_empty() {
        query.append_pair("acr_values", &config.acr_values.join(" "));
    }
    drop(query);
    url
}
