//! Sessions: 256 random bits in a cookie, a row by their hash, half an hour of rest, twelve hours in all.
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::LoginService;
use super::error::{LoginError, LoginErrorKind};
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::ConnectionId;
use crate::domain::time::Timestamp;
use crate::provision::event::{Event, Kind as What};
use crate::provision::events;
use crate::secret::{PlainToken, TokenKind, presented_hash, same};
use crate::store::extent::SelfExtent;
use crate::store::sessions::{self, Session};
use crate::store::{self, StoreError, Tx, api_tokens};

/// Sessions of one user; a further one ends the oldest.
const MOST: i64 = 50;

/// Seconds without a request after which a session ends.
pub const IDLE: i64 = 30 * 60;
/// Seconds after which a session ends, however busy.
pub const LIFE: i64 = 12 * 60 * 60;
/// Last uses written in one transaction.
const AT_ONCE: usize = 500;

/// The cookie of a session. With TLS its name binds it to exactly this host (RFC 6265bis §4.1.3.2).
pub const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-rolecall" } else { "rolecall" }
}

/// When things were last used, until that is written: a read never writes.
pub(super) struct LastUsed<T>(Mutex<HashMap<T, Timestamp>>);

impl<T> Default for LastUsed<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash> LastUsed<T> {
    pub(super) fn note(&self, thing: T, now: Timestamp) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = noted.entry(thing).or_insert(now);
        *at = now.max(*at);
    }

    fn take(&self) -> Vec<(T, Timestamp)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

impl LoginService {
    /// Who sends this cookie value, if that session still counts. One indexed statement; nothing is kept in memory, so
    /// a commit at any server ends the session everywhere.
    ///
    /// # Errors
    /// Only those of the store: then nobody is signed in.
    pub async fn authenticate(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let Some(hash) = presented_hash(TokenKind::Session, cookie) else { return Ok(None) };
        let mut reader = self.store.reader().await?;
        let signed = sessions::authenticate(&mut reader, hash, now, now.plus_seconds(-IDLE)).await?;
        if let Some(signed) = &signed {
            self.seen.note(signed.session, now);
        }
        Ok(signed)
    }

    /// Writes when sessions and tokens were last used. Called every minute or so, and when the server stops.
    ///
    /// # Errors
    /// Only those of the store; what was noted is then lost, and those sessions may end a little early.
    pub async fn flush_uses(&self) -> Result<(), StoreError> {
        for part in self.seen.take().chunks(AT_ONCE) {
            self.store.write(async |tx| sessions::seen(tx, part).await).await?;
        }
        for part in self.used.take().chunks(AT_ONCE) {
            self.store.write(async |tx| api_tokens::used(tx, part).await).await?;
        }
        Ok(())
    }

    /// Forgets sessions that have ended by the database's clock, whatever this server's own, `own`, says; how many. SQLite
    /// has no clock but that.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn purge_ended(&self, own: Timestamp) -> Result<u64, StoreError> {
        self.purge(store::clock(&self.store).await?.unwrap_or(own)).await
    }

    /// Forgets sessions that have ended; how many. They count for nothing already.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.write(async |tx| sessions::purge(tx, now, now.plus_seconds(-IDLE)).await).await
    }

    /// Ends the session, or every session of its user.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn sign_out(&self, ctx: &Ctx, signed: &Session, everywhere: bool) -> Result<(), StoreError> {
        let ctx = ctx.acting_as(Actor::User { user: signed.user() });
        self.store
            .write(async |tx| {
                if everywhere {
                    sessions::end_all(tx, &signed.extent).await?;
                } else {
                    sessions::end(tx, &signed.extent, signed.session).await?;
                }
                let line = Event::of(What::SessionEnded, signed.user()).id("session", signed.session);
                events::append(tx, &ctx, signed.partner, &[line]).await
            })
            .await
    }
}

/// Begins a session of somebody who has just proved who they are, with a fresh id, inside the caller's transaction.
///
/// # Errors
/// [`LoginErrorKind::Suspended`] when the user may not act; the caller's transaction then writes nothing.
pub(super) async fn start(
    tx: &mut Tx,
    ctx: &Ctx,
    of: &SelfExtent,
    connection: Option<ConnectionId>,
) -> Result<PlainToken, LoginError> {
    let token = PlainToken::generate(TokenKind::Session, ctx);
    let new = sessions::NewSession {
        id: ctx.id(),
        hash: token.hash(),
        connection,
        now: ctx.now(),
        expires_at: ctx.now().plus_seconds(LIFE),
    };
    if !sessions::start(tx, of, &new).await? {
        let refusal = LoginError::new(LoginErrorKind::Suspended, "user.suspended", format!("user {}", of.user()));
        return Err(LoginError { notices: sessions::notices(tx, of, ctx.now()).await?, ..refusal });
    }
    sessions::bound(tx, of, MOST).await?;
    let partner = sessions::home(tx, of).await?;
    let mut line = Event::of(What::SessionStarted, of.user()).id("session", new.id);
    if let Some(connection) = connection {
        line = line.id("connection", connection);
    }
    let ctx = ctx.acting_as(Actor::User { user: of.user() });
    events::append(tx, &ctx, partner, &[line]).await?;
    Ok(token)
}

/// What a form of this session carries to prove that it was made by a page of ours. Bound to the session by its
/// secret, so that it needs no storage and ends with it.
pub fn form_token(cookie: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, b"rolecall/1/form"))
}

/// Whether a form belongs to this session.
pub fn form_token_holds(cookie: &str, given: &str) -> bool {
    same(form_token(cookie).as_bytes(), given.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_token_belongs_to_one_session_and_does_not_give_it_away() {
        let token = form_token("rcb_one");
        assert!(form_token_holds("rcb_one", &token));
        assert!(!form_token_holds("rcb_two", &token));
        assert!(!form_token_holds("rcb_one", ""));
        assert!(!token.contains("rcb_"));
    }
}
