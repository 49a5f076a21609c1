//! One attempt to sign in at a provider: begun in one browser, good for one answer within ten minutes.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::{LoginError, LoginErrorKind};
use crate::domain::ctx::Ctx;
use crate::domain::id::{AttemptId, ConnectionId, Id};
use crate::domain::time::Timestamp;
use crate::secret::{same, sha256};

/// How long an attempt lives, in seconds.
pub const LIFE: i64 = 600;
/// Where the browser goes when it came from nowhere in particular.
pub const HOME: &str = "/partners";

/// What is remembered of an attempt. Of what the browser and the provider hold only hashes are kept.
pub struct LoginAttempt {
    /// Its identity; the first part of `state`.
    pub id: AttemptId,
    /// The connection it was begun at.
    pub connection: ConnectionId,
    /// SHA-256 of the cookie of the browser that began it.
    pub browser_hash: [u8; 32],
    /// SHA-256 of `state`.
    pub state_hash: [u8; 32],
    /// The nonce the ID token must carry.
    pub nonce: String,
    /// The PKCE verifier (RFC 7636 §4.1).
    pub verifier: Zeroizing<String>,
    /// The path of this server to go to afterwards.
    pub return_to: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A new attempt, with what goes to the provider and what stays in the browser.
pub struct NewLoginAttempt {
    /// What is remembered.
    pub attempt: LoginAttempt,
    /// The `state` parameter.
    pub state: String,
    /// The value of the cookie.
    pub browser: Zeroizing<String>,
}

/// Begins an attempt at `connection`; afterwards the browser goes to `return_to`, if that is a path of ours.
pub fn begin(ctx: &Ctx, connection: ConnectionId, return_to: &str) -> NewLoginAttempt {
    let id: AttemptId = ctx.id();
    let mut state = id.uuid().as_bytes().to_vec();
    state.extend_from_slice(&ctx.random::<32>());
    let state = URL_SAFE_NO_PAD.encode(state);
    let browser = Zeroizing::new(URL_SAFE_NO_PAD.encode(ctx.random::<32>()));
    let attempt = LoginAttempt {
        id,
        connection,
        browser_hash: sha256(browser.as_bytes()),
        state_hash: sha256(state.as_bytes()),
        nonce: URL_SAFE_NO_PAD.encode(ctx.random::<32>()),
        verifier: Zeroizing::new(URL_SAFE_NO_PAD.encode(ctx.random::<32>())),
        return_to: local_path(return_to).to_owned(),
        created_at: ctx.now(),
        expires_at: ctx.now().plus_seconds(LIFE),
    };
    NewLoginAttempt { attempt, state, browser }
}

/// The attempt a `state` speaks of. Only a hint where to look: [`LoginAttempt::holds`] decides.
pub fn id_of(state: &str) -> Option<AttemptId> {
    let bytes = URL_SAFE_NO_PAD.decode(state).ok()?;
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    (rest.len() == 32).then(|| AttemptId::from_uuid(Uuid::from_bytes(*id)))
}

impl LoginAttempt {
    /// Whether an answer with `state`, at `connection`, in the browser with this cookie, belongs to this attempt.
    ///
    /// # Errors
    /// [`LoginErrorKind::Stale`].
    pub fn holds(
        &self,
        state: &str,
        connection: ConnectionId,
        browser: Option<&str>,
        now: Timestamp,
    ) -> Result<(), LoginError> {
        let Self { state_hash, browser_hash, .. } = self;
        ExpectedAttempt { connection: self.connection, state_hash, browser_hash, expires_at: self.expires_at }
            .by(state, connection, browser, now)
    }
}

/// What an answer must fit to belong to an attempt.
pub(super) struct ExpectedAttempt<'a> {
    /// The connection it was begun at.
    pub(super) connection: ConnectionId,
    /// SHA-256 of `state`.
    pub(super) state_hash: &'a [u8; 32],
    /// SHA-256 of the cookie of the browser that began it.
    pub(super) browser_hash: &'a [u8; 32],
    /// When it ends.
    pub(super) expires_at: Timestamp,
}

impl ExpectedAttempt<'_> {
    /// As [`LoginAttempt::holds`], before the attempt is used up.
    pub(super) fn by(
        &self,
        state: &str,
        connection: ConnectionId,
        browser: Option<&str>,
        now: Timestamp,
    ) -> Result<(), LoginError> {
        let stale = |code, detail: &str| Err(LoginError::new(LoginErrorKind::Stale, code, detail));
        if !same(&sha256(state.as_bytes()), self.state_hash) {
            return stale("login_attempt.state", "the state is not that of the attempt");
        }
        if connection != self.connection {
            return stale("login_attempt.connection", "the answer came to the address of another connection");
        }
        if !browser.is_some_and(|value| same(&sha256(value.as_bytes()), self.browser_hash)) {
            return stale("login_attempt.browser", "the answer came in another browser than the one that began");
        }
        if now >= self.expires_at {
            return stale("login_attempt.expired", "begun more than ten minutes ago");
        }
        Ok(())
    }
}

/// `path` if it is a path of this server and nothing else, else [`HOME`]. What a browser may read as
/// another host (`//`, `/\`, a scheme, control characters it drops) is not.
pub fn local_path(path: &str) -> &str {
    let local = path.starts_with('/')
        && !matches!(path.as_bytes().get(1), Some(b'/' | b'\\'))
        && path.len() <= 1_024
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if local { path } else { HOME }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::ctx::Actor;

    #[test]
    fn an_attempt_holds_only_as_it_was_begun() {
        let ctx = Clock.ctx(Actor::System);
        let (here, there): (ConnectionId, ConnectionId) = (ctx.id(), ctx.id());
        let one = begin(&ctx, here, "/console");
        let two = begin(&ctx, here, "/console");
        let code = |outcome: Result<(), LoginError>| outcome.map_err(|refusal| refusal.code);
        let now = ctx.now();
        assert_eq!(id_of(&one.state), Some(one.attempt.id));
        assert_eq!(one.attempt.holds(&one.state, here, Some(&one.browser), now), Ok(()));
        assert_eq!(code(one.attempt.holds(&two.state, here, Some(&one.browser), now)), Err("login_attempt.state"));
        assert_eq!(
            code(one.attempt.holds(&one.state, there, Some(&one.browser), now)),
            Err("login_attempt.connection")
        );
        assert_eq!(code(one.attempt.holds(&one.state, here, Some(&two.browser), now)), Err("login_attempt.browser"));
        assert_eq!(code(one.attempt.holds(&one.state, here, None, now)), Err("login_attempt.browser"));
        let late = now.plus_seconds(LIFE);
        assert_eq!(code(one.attempt.holds(&one.state, here, Some(&one.browser), late)), Err("login_attempt.expired"));
    }

    #[test]
    fn a_state_of_another_form_names_no_attempt() {
        for bad in ["", "x", "AAAA", &"A".repeat(63), &"A".repeat(66), "%%%"] {
            assert_eq!(id_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_paths_of_ours_are_returned_to() {
        for good in ["/", "/console", "/console/partners?sort=name&page=2", "/a//b"] {
            assert_eq!(local_path(good), good);
        }
        for bad in [
            "",
            "console",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "/a\tb",
            "/ä",
            "/a\\b",
        ] {
            assert_eq!(local_path(bad), HOME, "{bad:?}");
        }
    }
}
