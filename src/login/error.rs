//! Why a sign-in was refused: a sentence for the user, a stable code for both, detail for the log.
use std::fmt;

use serde_json::Value;

use crate::domain::id::ConnectionId;
use crate::store::StoreError;

/// A refused sign-in.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginError {
    /// Decides the sentence and the status.
    pub kind: LoginErrorKind,
    /// Stable, dotted; shown on the page and written to the log.
    pub code: &'static str,
    /// For administrators only; never holds a token or a part of one.
    pub detail: String,
    /// The connection at which it happened, when it is known.
    pub connection: Option<ConnectionId>,
    /// What those who switched the user off say to them; empty of any other refusal.
    pub notices: Vec<String>,
    /// What is known of the user, for administrators: the subject, and what the provider says they are called.
    pub who: Option<Value>,
}

/// What went wrong, as far as the user needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginErrorKind {
    /// No such sign-in, or it is switched off.
    Unknown,
    /// The directory is being tried out, and lets nobody in.
    Observed,
    /// The attempt is over, was never begun, or began in another browser.
    Stale,
    /// The user or the provider said no.
    Declined,
    /// The provider does not answer.
    Unreachable,
    /// The provider, or our settings for it, are wrong.
    Setup,
    /// The provider's answer does not hold.
    Untrusted,
    /// Nobody here is linked to this sign-in.
    NotLinked,
    /// Somebody here may be the user; an administrator decides.
    Waiting,
    /// A one-time link that is of no use any more.
    Spent,
    /// The user is known and switched off.
    Suspended,
    /// Too many attempts.
    Busy,
    /// Our own store does not answer.
    Down,
}

impl LoginError {
    /// A refusal with its detail.
    pub fn new(kind: LoginErrorKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, code, detail: detail.into(), connection: None, notices: Vec::new(), who: None }
    }

    /// At this connection, unless it is known already.
    #[must_use]
    pub fn at(self, connection: ConnectionId) -> Self {
        Self { connection: self.connection.or(Some(connection)), ..self }
    }

    /// The provider's answer does not hold.
    pub fn untrusted(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(LoginErrorKind::Untrusted, code, detail)
    }

    /// The provider or our settings for it are wrong.
    pub fn setup(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(LoginErrorKind::Setup, code, detail)
    }
}

impl LoginErrorKind {
    /// What happened and what to do, for the user in front of the screen.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => {
                "There is no sign-in of this name, or it is switched off. Check the name with your administrator."
            }
            Self::Observed => {
                "This sign-in is being tried out and lets nobody in yet. Sign in as before, or ask your administrator."
            }
            Self::Stale => "This sign-in has ended or was begun in another browser. Please start again.",
            Self::Declined => {
                "Your company's sign-in did not let you in. Please start again, or ask your administrator."
            }
            Self::Unreachable => "Your company's sign-in does not answer. Please try again in a moment.",
            Self::Setup => {
                "The connection to your company's sign-in is not set up correctly. Please tell your administrator."
            }
            Self::Untrusted => {
                "The answer of your company's sign-in could not be trusted, so you were not signed in. Please start \
                 again; if it happens again, tell your administrator."
            }
            Self::NotLinked => {
                "You have signed in at your company, but no account here belongs to you yet. Ask your administrator \
                 to assign this application to you."
            }
            Self::Waiting => {
                "You have signed in at your company, and there may be an account here that is yours. Your administrator has \
                 to confirm that it is; afterwards sign in again."
            }
            Self::Spent => {
                "This link has been used, or it is too old. If you have signed in with it before, sign in the way your \
                 company does. Otherwise ask whoever runs this server for a new link: `rolecall admin recover-owner` makes \
                 one."
            }
            Self::Suspended => "Your account is suspended. Ask your administrator.",
            Self::Busy => "Too many attempts. Please wait a minute and try again.",
            Self::Down => "We cannot sign anybody in at the moment. Please try again shortly.",
        }
    }
}

impl fmt::Debug for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.code, self.detail)
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for LoginError {}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::new(LoginErrorKind::Down, "store", error.to_string())
    }
}
