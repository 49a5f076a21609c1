//! Why a sign-in was refused: a sentence for the person, a stable code for both, detail for the log.
use std::fmt;

use crate::store::StoreError;

/// A refused sign-in.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Decides the sentence and the status.
    pub kind: Kind,
    /// Stable, dotted; shown on the page and written to the log.
    pub code: &'static str,
    /// For administrators only; never holds a token or a part of one.
    pub detail: String,
}

/// What went wrong, as far as the person needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No such sign-in, or it is switched off.
    Unknown,
    /// The attempt is over, was never begun, or began in another browser.
    Stale,
    /// The person or the provider said no.
    Declined,
    /// The provider does not answer.
    Unreachable,
    /// The provider, or our settings for it, are wrong.
    Setup,
    /// The provider's answer does not hold.
    Untrusted,
    /// Nobody here is linked to this sign-in.
    NotLinked,
    /// The person is known and switched off.
    Suspended,
    /// Too many attempts.
    Busy,
    /// Our own store does not answer.
    Down,
}

impl Refusal {
    /// A refusal with its detail.
    pub fn new(kind: Kind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, code, detail: detail.into() }
    }

    /// The provider's answer does not hold.
    pub fn untrusted(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::Untrusted, code, detail)
    }

    /// The provider or our settings for it are wrong.
    pub fn setup(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::Setup, code, detail)
    }
}

impl Kind {
    /// What happened and what to do, for the person in front of the screen.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => {
                "There is no sign-in of this name, or it is switched off. Check the name with your administrator."
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
            Self::Suspended => "Your account is suspended. Ask your administrator.",
            Self::Busy => "Too many attempts. Please wait a minute and try again.",
            Self::Down => "We cannot sign anybody in at the moment. Please try again shortly.",
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.code, self.detail)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Refusal {}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::new(Kind::Down, "store", error.to_string())
    }
}
