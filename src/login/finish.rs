//! Finishing a sign-in: the provider's answer becomes a session, or a refusal.
use zeroize::Zeroizing;

use super::Login;
use super::attempt::{Attempt, id_of};
use super::authorize::redirect_uri;
use super::callback::Callback;
use super::claims::Claims;
use super::exchange::Exchange;
use super::house::OpenDoor;
use super::refusal::{Kind, Refusal};
use crate::domain::ctx::{Actor, Ctx};
use crate::provision::event::{Event, Kind as What};
use crate::provision::events;
use crate::secret::{Purpose, Token};
use crate::store::StoreError;
use crate::store::attempts::{self, Kept};

/// A finished sign-in.
pub struct Arrived {
    /// What the browser keeps.
    pub session: Token,
    /// The path of this server to go to.
    pub return_to: String,
}

impl Login {
    /// Finishes a sign-in at the connection called `slug`, in the browser that holds `browser`. The attempt is over
    /// with the first answer that names it, whatever comes of it.
    ///
    /// # Errors
    /// A [`Refusal`]; nobody is signed in.
    pub async fn finish(
        &self,
        ctx: &Ctx,
        slug: &str,
        callback: Callback,
        browser: Option<&str>,
    ) -> Result<Arrived, Refusal> {
        let unknown = || Refusal::new(Kind::Stale, "attempt.unknown", "no such attempt, or it was answered before");
        let id = id_of(&callback.state).ok_or_else(unknown)?;
        let taken: Result<_, StoreError> = self.store.write(async |tx| attempts::take(tx, id).await).await;
        let kept = taken?.ok_or_else(unknown)?;
        let open = self.open(slug).await?;
        let attempt = self.unseal(kept)?;
        attempt.holds(&callback.state, open.door.connection.id, browser, ctx.now())?;
        let outcome = match self.prove(ctx, slug, &open, callback, &attempt).await {
            Ok(claims) => self.admit(ctx, &open, &claims).await,
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(session) => Ok(Arrived { session, return_to: attempt.return_to }),
            Err(refusal) => {
                self.note(ctx, &open, &refusal).await;
                Err(refusal)
            }
        }
    }

    async fn prove(
        &self,
        ctx: &Ctx,
        slug: &str,
        open: &OpenDoor,
        callback: Callback,
        attempt: &Attempt,
    ) -> Result<Claims, Refusal> {
        let secret = self.client_secret(open).await?;
        let provider = self.providers.of(open.door.connection.id, &open.config.issuer);
        let exchange = Exchange {
            fetch: self.providers.fetch(),
            provider: &provider,
            config: &open.config,
            secret: secret.as_deref().map(String::as_str),
            redirect_uri: &redirect_uri(&self.public_url, slug),
            join_claim: Some(open.join_claim()),
            now: ctx.now(),
        };
        exchange.claims(callback, attempt).await
    }

    fn unseal(&self, kept: Kept) -> Result<Attempt, Refusal> {
        let verifier = self
            .keys
            .open(Purpose::Attempt(kept.id), &kept.verifier)
            .map_err(|error| Refusal::new(Kind::Stale, "attempt.sealed", error.to_string()))?;
        let verifier = String::from_utf8(verifier.to_vec())
            .map_err(|_| Refusal::new(Kind::Stale, "attempt.sealed", "the verifier is not text"))?;
        Ok(Attempt {
            id: kept.id,
            connection: kept.connection,
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
    async fn note(&self, ctx: &Ctx, open: &OpenDoor, refusal: &Refusal) {
        let connection = open.door.connection.id;
        let ctx = ctx.acting_as(Actor::Connection { connection, run: None });
        let line = [Event::of(What::SignInRefused, connection).word("reason", refusal.code)];
        let partner = open.door.extent.partner();
        let written: Result<(), StoreError> =
            self.store.write(async |tx| events::append(tx, &ctx, partner, &line).await).await;
        if let Err(error) = written {
            tracing::warn!(%error, "a refused sign-in could not be written down");
        }
    }
}
