//! From a code to claims that can be believed.
use serde::Deserialize;

use super::attempt::LoginAttempt;
use super::callback::AuthorizationResponse;
use super::claims::Claims;
use super::discovery::Metadata;
use super::error::{LoginError, LoginErrorKind};
use super::fetch::{ClientAuth, Fetch, FetchError, FetchedBody};
use super::jwks::Keys;
use super::provider::Provider;
use super::verify::{Expected, id_token, userinfo};
use crate::clock::Running;
use crate::connection::oidc::{ClientAuthMethod, OidcSettings};

/// What is needed to redeem an answer.
pub struct Exchange<'a> {
    /// How providers are asked.
    pub fetch: &'a Fetch,
    /// The provider.
    pub provider: &'a Provider,
    /// The connection's settings.
    pub config: &'a OidcSettings,
    /// The client secret; not needed by a public client.
    pub secret: Option<&'a str>,
    /// The redirect URI of the connection.
    pub redirect_uri: &'a str,
    /// The claim that names the user in the directory; fetched from userinfo when the ID token lacks it.
    pub matching_claim: Option<&'a str>,
    /// The present, as it goes on: what the provider says is judged when it has said it.
    pub time: Running,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    token_type: String,
    id_token: String,
}

impl Exchange<'_> {
    /// The claims behind `callback`, which must already belong to `attempt`.
    ///
    /// # Errors
    /// A [`LoginError`]; nothing is sent to the provider that a check before would have held back.
    pub async fn claims(&self, callback: AuthorizationResponse, attempt: &LoginAttempt) -> Result<Claims, LoginError> {
        let metadata = self.provider.metadata(self.fetch, &self.time).await?;
        let code = callback.code(&metadata)?;
        let tokens = self.redeem(&metadata, &code, attempt).await?;
        if !tokens.token_type.eq_ignore_ascii_case("bearer") {
            return Err(LoginError::untrusted("token.type", "the token type is not Bearer"));
        }
        let algorithms: Vec<_> = metadata.algorithms().collect();
        let expected = Expected {
            issuer: &self.config.issuer,
            client: &self.config.client_id,
            audiences: &self.config.audiences,
            nonce: &attempt.nonce,
            access_token: &tokens.access_token,
            algorithms: &algorithms,
            now: self.time.now(),
            since: attempt.created_at,
            skew: i64::from(self.config.clock_skew_seconds),
            max_age: self.config.max_age_seconds.map(i64::from),
            contexts: &self.config.acr_values,
        };
        let mut claims = self
            .provider
            .verify(self.fetch, &metadata, &self.time, |keys| {
                id_token(&tokens.id_token, keys, &Expected { now: self.time.now(), ..expected })
            })
            .await?;
        let needed = self.matching_claim.is_some_and(|name| claims.get(name).is_none());
        if needed || self.lacks_something(&claims) && self.provider.answers(self.time.now()) {
            match self.complete(&mut claims, &metadata, &expected).await {
                Ok(()) => self.provider.answered(None),
                // An answer about somebody else is a lie, whatever it was wanted for.
                Err(refusal) if needed || refusal.code == "userinfo.sub" => return Err(refusal),
                Err(refusal) => {
                    tracing::warn!(issuer = %self.config.issuer, code = refusal.code, detail = refusal.detail,
                        "userinfo did not answer; the sign-in goes on without it");
                    self.provider.answered(Some(self.time.now()));
                }
            }
        }
        Ok(claims)
    }

    /// Whether a claim that was asked for by its scope, and that a user here is described by, is not in the ID token.
    fn lacks_something(&self, claims: &Claims) -> bool {
        let asked = |scope: &str| self.config.scopes.iter().any(|one| one == scope);
        let named = ["name", "given_name", "family_name"].iter().all(|name| claims.words(name).is_some());
        let addressed = claims.get("email").is_some() && claims.get("email_verified").is_some();
        asked("profile") && !named || asked("email") && !addressed
    }

    async fn redeem(&self, metadata: &Metadata, code: &str, attempt: &LoginAttempt) -> Result<Tokens, LoginError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", &attempt.verifier),
        ];
        let id = self.config.client_id.as_str();
        let auth = match (self.config.token_endpoint_auth_method, self.secret) {
            (ClientAuthMethod::None, _) => {
                form.push(("client_id", id));
                ClientAuth::InForm
            }
            (ClientAuthMethod::ClientSecretPost, Some(secret)) => {
                form.extend([("client_id", id), ("client_secret", secret)]);
                ClientAuth::InForm
            }
            (ClientAuthMethod::ClientSecretBasic, Some(secret)) => ClientAuth::Basic { id, secret },
            (ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost, None) => {
                return Err(LoginError::setup("connection.secret", "the connection has no client secret"));
            }
        };
        self.fetch.post(&metadata.token_endpoint, &form, auth).await.map_err(failed)
    }

    /// Asks for further claims. What the ID token says stays.
    async fn complete(
        &self,
        claims: &mut Claims,
        metadata: &Metadata,
        expected: &Expected<'_>,
    ) -> Result<(), LoginError> {
        let Some(place) = &metadata.userinfo_endpoint else { return Ok(()) };
        let said = self.fetch.userinfo::<Claims>(place, expected.access_token).await.map_err(|error| {
            let refusal = failed(error);
            LoginError { code: "userinfo.failed", ..refusal }
        })?;
        let more = match said {
            FetchedBody::Plain(more) => more,
            FetchedBody::Signed(text) => {
                let check = |keys: &Keys| userinfo(&text, keys, expected);
                self.provider.verify(self.fetch, metadata, &self.time, check).await?
            }
        };
        // OpenID Connect Core 1.0 §5.3.2: never use an answer about somebody else.
        if more.text("sub") != claims.text("sub") {
            return Err(LoginError::untrusted("userinfo.sub", "userinfo speaks of another user"));
        }
        claims.complete(more);
        Ok(())
    }
}

fn failed(error: FetchError) -> LoginError {
    let (kind, code) = match &error {
        FetchError::Time | FetchError::Connection(_) => (LoginErrorKind::Unreachable, "provider.unreachable"),
        FetchError::Status { status: 500.., .. } => (LoginErrorKind::Unreachable, "provider.error"),
        FetchError::Status { error: Some(code), .. } if code == "invalid_grant" => {
            (LoginErrorKind::Stale, "token.code")
        }
        FetchError::Status { error: Some(code), .. } if code == "invalid_client" => {
            (LoginErrorKind::Setup, "token.client")
        }
        FetchError::Status { .. } => (LoginErrorKind::Setup, "token.status"),
        FetchError::Url | FetchError::Address(_) => (LoginErrorKind::Setup, "provider.address"),
        FetchError::Size(_) => (LoginErrorKind::Untrusted, "token.size"),
        FetchError::Json(_) => (LoginErrorKind::Untrusted, "token.form"),
    };
    LoginError::new(kind, code, error.to_string())
}
