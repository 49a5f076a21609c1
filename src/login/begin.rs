//! Beginning a sign-in at a provider.
use url::Url;
use zeroize::Zeroizing;

use super::LoginService;
use super::attempt::{self, NewLoginAttempt};
use super::authorize::{authorization_url, redirect_uri};
use super::error::LoginError;
use super::service::OidcConnection;
use crate::clock::Running;
use crate::domain::ctx::Ctx;
use crate::domain::id::AttemptId;
use crate::secret::SealPurpose;
use crate::store::login_attempts::{self, StoredLoginAttempt};

/// A begun sign-in.
pub struct LoginRedirect {
    /// Where to send the browser.
    pub there: Url,
    /// The attempt; part of the cookie's name, so that many tabs do not disturb each other.
    pub attempt: AttemptId,
    /// The value of the cookie.
    pub cookie: Zeroizing<String>,
}

impl LoginService {
    /// Begins a sign-in at the connection called `slug`; afterwards the browser goes to `return_to`.
    ///
    /// # Errors
    /// A [`LoginError`]: no such connection, or its provider cannot be reached or will not do.
    pub async fn begin(&self, ctx: &Ctx, slug: &str, return_to: &str) -> Result<LoginRedirect, LoginError> {
        let open = self.open(slug).await?;
        let at = open.connection.connection.id;
        self.begin_at(ctx, slug, &open, return_to).await.map_err(|refusal| refusal.at(at))
    }

    async fn begin_at(
        &self,
        ctx: &Ctx,
        slug: &str,
        open: &OidcConnection,
        return_to: &str,
    ) -> Result<LoginRedirect, LoginError> {
        let connection = open.connection.connection.id;
        let provider = self.providers.of(connection, &open.config.issuer);
        let metadata = provider.metadata(self.providers.fetch(), &Running::from(ctx.now())).await?;
        let fresh = attempt::begin(ctx, connection, return_to);
        let kept = self.keep(ctx, &fresh)?;
        self.store.write(async |tx| login_attempts::insert(tx, &open.connection.extent, &kept).await).await?;
        let there = authorization_url(&metadata, &open.config, &redirect_uri(&self.public_url, slug), &fresh);
        Ok(LoginRedirect { there, attempt: fresh.attempt.id, cookie: fresh.browser })
    }

    fn keep(&self, ctx: &Ctx, fresh: &NewLoginAttempt) -> Result<StoredLoginAttempt, LoginError> {
        let attempt = &fresh.attempt;
        let verifier = self
            .keys
            .seal(ctx, SealPurpose::Attempt(attempt.id), attempt.verifier.as_bytes())
            .map_err(|error| LoginError::setup("secret.key", error.to_string()))?;
        Ok(StoredLoginAttempt {
            id: attempt.id,
            connection_id: attempt.connection,
            browser_hash: attempt.browser_hash,
            state_hash: attempt.state_hash,
            nonce: attempt.nonce.clone(),
            pkce_verifier: verifier,
            return_to: attempt.return_to.clone(),
            created_at: attempt.created_at,
            expires_at: attempt.expires_at,
        })
    }
}

/// The name of an attempt's cookie. With TLS it is bound to exactly this host.
pub fn cookie_name(secure: bool, attempt: AttemptId) -> String {
    use crate::domain::id::Id;
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}rolecall-try-{}", attempt.uuid().simple())
}
