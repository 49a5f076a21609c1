//! The canonical document of a resource: what a client said, in canonical
//! names and types.
//!
//! A document holds the writable attributes only: core attributes at the top,
//! each extension as an object under its URN, and the computed `schemas`.
//! `null`, `[]`, `{}` and absent are one state: absent (A06). What the server
//! adds (`id`, `meta`, memberships) joins at rendering, see [`render`].
//! Group members and passwords never are in the document.

mod accept;
mod canonical;
mod keys;
mod members;
pub mod render;

#[cfg(test)]
mod tests;

pub(crate) use accept::{check_required, computed_schemas, is_members, is_part, is_password};
pub use accept::{create, replace};
pub(crate) use canonical::{Canon, element_key, is_padded, is_primary, tidy};
pub use keys::keys;
pub use members::{MemberKind, MemberRef, take_members};
pub(crate) use members::{outside, read as read_members};

use super::error::{Result, invalid_value};
use serde_json::{Map, Value};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// A resource, canonical.
pub type Document = Map<String, Value>;

/// Most elements of one multi-valued attribute in a document (members, which
/// are not in the document, have no such limit).
pub const MAX_ELEMENTS: usize = 1_000;

/// How the core treats what the protocol leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Attributes and schemas the resource type does not have: refused, or
    /// left out and reported.
    pub refuse_unknown: bool,
    /// Values outside `canonicalValues` are refused.
    pub refuse_uncanonical: bool,
    /// A PATCH add or replace whose value filter matches nothing makes the
    /// element, when the filter is a conjunction of `eq`.
    pub create_on_no_match: bool,
}

impl Rules {
    /// Refuse whatever is not exactly right.
    pub const STRICT: Rules = Rules { refuse_unknown: true, refuse_uncanonical: false, create_on_no_match: false };
    /// Take what can be understood.
    pub const LENIENT: Rules = Rules { refuse_unknown: false, refuse_uncanonical: false, create_on_no_match: true };
}

/// A clear-text password on its way to being hashed. Shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Prepares a password by the OpaqueString profile (RFC 8265 §4.2), so that
    /// it can be typed on any keyboard (C02).
    pub(crate) fn new(text: &str) -> Result<Self> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(invalid_value("\"password\" must not be empty or hold control characters."));
        }
        let spaces = |c: char| if c.is_whitespace() { ' ' } else { c };
        Ok(Self(text.chars().map(spaces).nfc().collect()))
    }

    /// The clear text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a POST or PUT body comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The document to store.
    pub document: Document,
    /// What of it the body itself said, before what is kept or given by default.
    pub written: Document,
    /// Members of a group, in order, each once; none when the body does not
    /// speak of members (O05), empty when it says there are none.
    pub members: Option<Vec<MemberRef>>,
    /// Password to set.
    pub password: Option<Password>,
    /// Paths that were left out because the resource type does not have them.
    pub ignored: Vec<String>,
}
