//! One-time links: a way in that needs no provider. For the first owner, and for one who has lost every other way.
use super::LoginService;
use super::error::{LoginError, LoginErrorKind};
use super::session;
use crate::domain::ctx::Ctx;
use crate::provision::event::{Event, Kind as What};
use crate::provision::events;
use crate::secret::{PlainToken, TokenKind, presented_hash};
use crate::store::one_time_links::{self, OneTimeLinkPurpose};

impl LoginService {
    /// What a presented link is for. Looking does not use it up: mail filters and previews look too.
    ///
    /// # Errors
    /// [`LoginErrorKind::Spent`] when it is unknown, used or too old.
    pub async fn link(&self, ctx: &Ctx, presented: &str) -> Result<OneTimeLinkPurpose, LoginError> {
        let hash = presented_hash(TokenKind::Link, presented).ok_or_else(stale)?;
        let mut reader = self.store.reader().await?;
        one_time_links::stands(&mut reader, hash, ctx.now()).await?.ok_or_else(stale)
    }

    /// Uses a link up and begins a session.
    ///
    /// # Errors
    /// [`LoginErrorKind::Spent`] when it is unknown, used or too old; [`LoginErrorKind::Suspended`], and then it is not used up.
    pub async fn use_link(&self, ctx: &Ctx, presented: &str) -> Result<PlainToken, LoginError> {
        let hash = presented_hash(TokenKind::Link, presented).ok_or_else(stale)?;
        self.store
            .write(async |tx| {
                let (of, purpose) = one_time_links::take(tx, hash, ctx.now()).await?.ok_or_else(stale)?;
                let token = session::start(tx, ctx, &of, None).await?;
                let partner = crate::store::sessions::home(tx, &of).await?;
                let line = Event::of(What::OneTimeLinkUsed, of.user()).word("purpose", purpose.as_str());
                events::append(tx, ctx, partner, &[line]).await?;
                Ok(token)
            })
            .await
    }
}

fn stale() -> LoginError {
    LoginError::new(LoginErrorKind::Spent, "one_time_link.unknown", "unknown, used or older than a day")
}
