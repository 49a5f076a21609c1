//! The plain content of a cursor (RFC 9865). Sealing it is done elsewhere.

use super::error::{Result, ScimError, ScimType};
use crate::domain::page::Position;
use serde::{Deserialize, Serialize};

/// Where a walk stands, and which walk it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Fingerprint of endpoint and parameters.
    #[serde(rename = "q")]
    query: u64,
    /// Count of the first request.
    #[serde(rename = "n")]
    count: u32,
    /// The row where the page starts (after it) or ends (before it); none for
    /// the beginning of a type.
    #[serde(rename = "a")]
    at: Option<Position>,
    /// Whether the page ends there.
    #[serde(rename = "b", default)]
    back: bool,
    /// Which resource type of a list of all of them.
    #[serde(rename = "p", default)]
    part: usize,
    /// Microseconds since 1970 UTC.
    #[serde(rename = "t")]
    issued: i64,
}

/// The place in a list that a cursor names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CursorPosition {
    /// Which resource type, in a list of all of them.
    pub part: usize,
    /// A row of it; none for its beginning.
    pub at: Option<Position>,
    /// Whether the page ends before that row; else it starts after it.
    pub back: bool,
}

impl Cursor {
    pub(super) fn new(query: u64, count: u32, place: CursorPosition, issued: i64) -> Self {
        let CursorPosition { part, at, back } = place;
        Self { query, count, at, back, part, issued }
    }

    /// The one answer to every cursor that is not usable here: forged, of
    /// another tenant, of another query (V08).
    #[must_use]
    pub fn invalid() -> ScimError {
        let text = "The cursor is not valid for this request; begin again with an empty cursor.";
        ScimError::new(ScimType::InvalidCursor, text)
    }

    pub(super) fn check(self, query: u64, count: u32, now: i64, lifetime: Option<i64>) -> Result<CursorPosition> {
        if self.query != query {
            return Err(Self::invalid());
        }
        if self.count != count {
            let text = "\"count\" must stay the same from page to page.";
            return Err(ScimError::new(ScimType::InvalidCount, text));
        }
        if lifetime.is_some_and(|lifetime| now.saturating_sub(self.issued) > lifetime) {
            let text = "The cursor is too old; begin again with an empty cursor.";
            return Err(ScimError::new(ScimType::ExpiredCursor, text));
        }
        Ok(CursorPosition { part: self.part, at: self.at, back: self.back })
    }
}

/// 64-bit FNV-1a over the parts. Not a secret: it stands inside the seal.
pub(super) fn fingerprint(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use uuid::Uuid;

    #[test]
    fn v03_a_cursor_lives_as_long_as_was_promised() {
        let place = CursorPosition { part: 1, at: Some(Position { key: None, id: Uuid::nil() }), back: true };
        let at = |now, lifetime| Cursor::new(1, 10, place.clone(), 50).check(1, 10, now, lifetime).map_err(|e| e.kind);
        assert_eq!(at(1_050, Some(1_000)), Ok(place.clone()));
        assert_eq!(at(1_051, Some(1_000)), Err(Some(ScimType::ExpiredCursor)));
        assert!(at(i64::MAX, None).is_ok());
    }

    #[test]
    fn v03_every_letter_and_every_border_of_a_query_counts() {
        let letters: HashSet<u64> = (0..128u8).map(|byte| fingerprint(&[&char::from(byte).to_string()])).collect();
        assert_eq!(letters.len(), 128);
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
