//! Finishing a sign-in: the provider's answer becomes a session, or a refusal.
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::LoginService;
use super::attempt::{ExpectedAttempt, LoginAttempt, id_of};
use super::authorize::redirect_uri;
use super::callback::AuthorizationResponse;
use super::claims::Claims;
use super::error::{LoginError, LoginErrorKind};
use super::exchange::Exchange;
use super::service::OidcConnection;
use crate::clock::Running;
use crate::domain::ctx::{Actor, Ctx};
use crate::provision::event::{Event, Kind as What};
use crate::provision::events;
use crate::secret::{PlainToken, SealPurpose};
use crate::store::StoreError;
use crate::store::login_attempts::{self, StoredLoginAttempt};

/// What of its claims tells administrators whom a provider speaks of. Nothing of it need be true.
const TELLING: [&str; 5] = ["sub", "name", "preferred_username", "email", "email_verified"];
/// The longest of them that is told, in characters.
const LONGEST_TOLD: usize = 200;

fn who(claims: &Claims) -> Value {
    let mut told = Map::new();
    for name in TELLING {
        let value = match claims.get(name) {
            Some(Value::String(text)) => text.chars().take(LONGEST_TOLD).collect::<String>().into(),
            Some(plain @ (Value::Bool(_) | Value::Number(_))) => plain.clone(),
            _ => continue,
        };
        told.insert(name.to_owned(), value);
    }
    told.into()
}

/// A finished sign-in.
pub struct CompletedLogin {
    /// What the browser keeps.
    pub session: PlainToken,
    /// The path of this server to go to.
    pub return_to: String,
}

impl LoginService {
    /// Finishes a sign-in at the connection called `slug`, in the browser that holds `browser`. The attempt is over with
    /// the first answer in that browser, whatever comes of it; in any other one nothing happens to it.
    ///
    /// # Errors
    /// A [`LoginError`]; nobody is signed in.
    pub async fn finish(
        &self,
        ctx: &Ctx,
        slug: &str,
        callback: AuthorizationResponse,
        browser: Option<&str>,
    ) -> Result<CompletedLogin, LoginError> {
        let open = self.open(slug).await?;
        let at = open.connection.connection.id;
        let outcome = match self.own(ctx, &open, &callback, browser).await {
            Ok(attempt) => self.arrive(ctx, slug, &open, callback, attempt).await,
            Err(refusal) => Err(refusal),
        };
        outcome.map_err(|refusal| refusal.at(at))
    }

    /// The attempt that this browser began, taken out.
    async fn own(
        &self,
        ctx: &Ctx,
        open: &OidcConnection,
        callback: &AuthorizationResponse,
        browser: Option<&str>,
    ) -> Result<LoginAttempt, LoginError> {
        let unknown = || {
            LoginError::new(
                LoginErrorKind::Stale,
                "login_attempt.unknown",
                "no such attempt, or it was answered before",
            )
        };
        let id = id_of(&callback.state).ok_or_else(unknown)?;
        let known = login_attempts::find(&mut self.store.reader().await?, id).await?.ok_or_else(unknown)?;
        let StoredLoginAttempt { connection_id: connection, state_hash, browser_hash, expires_at, .. } = &known;
        let held = ExpectedAttempt { connection: *connection, state_hash, browser_hash, expires_at: *expires_at };
        held.by(&callback.state, open.connection.connection.id, browser, ctx.now())?;
        let taken: Result<_, StoreError> = self.store.write(async |tx| login_attempts::take(tx, id).await).await;
        self.unseal(taken?.ok_or_else(unknown)?)
    }

    async fn arrive(
        &self,
        ctx: &Ctx,
        slug: &str,
        open: &OidcConnection,
        callback: AuthorizationResponse,
        attempt: LoginAttempt,
    ) -> Result<CompletedLogin, LoginError> {
        let outcome = match self.prove(ctx, slug, open, callback, &attempt).await {
            Ok(claims) => {
                let admitted = self.admit(ctx, open, &claims).await;
                admitted.map_err(|refusal| LoginError { who: Some(who(&claims)), ..refusal })
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(session) => Ok(CompletedLogin { session, return_to: attempt.return_to }),
            Err(refusal) => {
                self.note(ctx, open, &refusal).await;
                Err(refusal)
            }
        }
    }

    async fn prove(
        &self,
        ctx: &Ctx,
        slug: &str,
        open: &OidcConnection,
        callback: AuthorizationResponse,
        attempt: &LoginAttempt,
    ) -> Result<Claims, LoginError> {
        let secret = self.client_secret(open).await?;
        let provider = self.providers.of(open.connection.connection.id, &open.config.issuer);
        let exchange = Exchange {
            fetch: self.providers.fetch(),
            provider: &provider,
            config: &open.config,
            secret: secret.as_deref().map(String::as_str),
            redirect_uri: &redirect_uri(&self.public_url, slug),
            matching_claim: Some(open.matching_claim()),
            time: Running::from(ctx.now()),
        };
        exchange.claims(callback, attempt).await
    }

    fn unseal(&self, kept: StoredLoginAttempt) -> Result<LoginAttempt, LoginError> {
        let verifier = self
            .keys
            .open(SealPurpose::Attempt(kept.id), &kept.pkce_verifier)
            .map_err(|error| LoginError::new(LoginErrorKind::Stale, "login_attempt.sealed", error.to_string()))?;
        let verifier = String::from_utf8(verifier.to_vec())
            .map_err(|_| LoginError::new(LoginErrorKind::Stale, "login_attempt.sealed", "the verifier is not text"))?;
        Ok(LoginAttempt {
            id: kept.id,
            connection: kept.connection_id,
            browser_hash: kept.browser_hash,
            state_hash: kept.state_hash,
            nonce: kept.nonce,
            verifier: Zeroizing::new(verifier),
            return_to: kept.return_to,
            created_at: kept.created_at,
            expires_at: kept.expires_at,
        })
    }

    /// Writes the refusal down for the administrators of the partner. They read the code; the detail is in the log.
    async fn note(&self, ctx: &Ctx, open: &OidcConnection, refusal: &LoginError) {
        let connection = open.connection.connection.id;
        let ctx = ctx.acting_as(Actor::Connection { connection, run: None });
        let line = [Event::of(What::LoginFailed, connection).word("reason", refusal.code)];
        let partner = open.connection.extent.partner();
        let written: Result<(), StoreError> =
            self.store.write(async |tx| events::append(tx, &ctx, partner, &line).await).await;
        if let Err(error) = written {
            tracing::warn!(%error, "a refused sign-in could not be written down");
        }
    }
}
