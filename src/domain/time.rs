//! Time as the store keeps it.
use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This moment plus `seconds`, saturating at the ends of time.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads an RFC 3339 date and time with any offset; `None` when it is not one.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_microsecond()))
    }
}

/// RFC 3339 in UTC, with as many fractional digits as needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{}µs", self.0),
        }
    }
}

/// A half-open window of validity `[from, until)`; an absent end is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Window {
    /// First moment inside.
    pub from: Option<Timestamp>,
    /// First moment outside again.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether `now` lies inside.
    pub fn contains(self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_half_open() {
        let at = Timestamp::from_micros;
        let window = Window { from: Some(at(10)), until: Some(at(20)) };
        assert!(!window.contains(at(9)));
        assert!(window.contains(at(10)));
        assert!(window.contains(at(19)));
        assert!(!window.contains(at(20)));
        assert!(Window::default().contains(at(i64::MIN)));
    }

    #[test]
    fn offsets_and_fractions_are_the_same_moment() {
        let utc = Timestamp::parse_rfc3339("2026-11-21T10:00:00.5Z").unwrap();
        let east = Timestamp::parse_rfc3339("2026-11-21T12:00:00.500+02:00").unwrap();
        assert_eq!(utc, east);
        assert_eq!(utc.to_string(), "2026-11-21T10:00:00.5Z");
    }
}
