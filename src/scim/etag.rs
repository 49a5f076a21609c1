//! Entity tags and conditional requests (RFC 7644 §3.14, RFC 9110 §13.1).

use super::error::{Result, ScimError, ScimType};
use std::fmt;

/// The version of a resource: a counter raised by every change of what was said of it, and what else its
/// representation shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    number: u64,
    beside: Option<u32>,
}

impl Version {
    /// The version after so many changes.
    pub const fn new(number: u64) -> Self {
        Self { number, beside: None }
    }

    /// The version of a representation that also shows what others say, the groups of a user and whether those it
    /// names are known: a digest of that tells caches when it changes. Writers need not know it.
    #[must_use]
    pub const fn showing(self, digest: u32) -> Self {
        Self { beside: Some(digest), ..self }
    }

    /// The tag without `W/` and quotation marks.
    fn tag(self) -> String {
        match self.beside {
            None => self.number.to_string(),
            Some(digest) => format!("{}-{digest:08x}", self.number),
        }
    }
}

impl fmt::Display for Version {
    /// The weak entity tag, `W/"7"`, for the ETag header and `meta.version`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W/\"{}\"", self.tag())
    }
}

/// The value of an If-Match or If-None-Match header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// `*`: any version.
    Any,
    /// One of these tags, without `W/` and quotation marks.
    OneOf(Vec<String>),
    /// Whatever does not hold: If-None-Match at a write (RFC 9110 §13.1.2).
    Not(Box<Precondition>),
    /// Both.
    Both(Box<[Precondition; 2]>),
}

impl Precondition {
    /// Reads the header; a bare word counts as a tag, because clients send
    /// `meta.version` in many forms.
    ///
    /// # Errors
    /// 400 when it is empty or a quotation mark is left open.
    pub fn parse(header: &str) -> Result<Self> {
        let bad = || ScimError::plain(400, "The If-Match or If-None-Match header is not a list of entity tags.");
        if header.trim() == "*" {
            return Ok(Precondition::Any);
        }
        let mut tags = Vec::new();
        let mut rest = header.trim();
        while !rest.is_empty() {
            let bare = rest.strip_prefix("W/").unwrap_or(rest);
            let (tag, after) = match bare.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(bad)?,
                None => {
                    let end = bare.find(',').unwrap_or(bare.len());
                    let (tag, after) = bare.split_at(end);
                    (tag.trim(), after)
                }
            };
            if tag.is_empty() || tag.contains('"') {
                return Err(bad());
            }
            tags.push(tag.to_owned());
            rest = match after.trim_start() {
                "" => "",
                more => more.strip_prefix(',').ok_or_else(bad)?.trim_start(),
            };
        }
        if tags.is_empty() {
            return Err(bad());
        }
        Ok(Precondition::OneOf(tags))
    }

    /// Whether a resource of `version` may be written. Weak comparison: our tags are weak, and clients drop the mark.
    /// What a representation showed beside the resource does not count.
    #[must_use]
    pub fn holds(&self, version: Version) -> bool {
        let number = version.number.to_string();
        self.names(&|tag| tag.split('-').next() == Some(number.as_str()))
    }

    /// What both headers ask of a resource that is to be written.
    #[must_use]
    pub fn of_write(if_match: Option<Self>, if_none_match: Option<Self>) -> Option<Self> {
        let unless = if_none_match.map(|named| Self::Not(Box::new(named)));
        match (if_match, unless) {
            (Some(one), Some(other)) => Some(Self::Both(Box::new([one, other]))),
            (one, other) => one.or(other),
        }
    }

    fn names(&self, version: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Precondition::Any => true,
            Precondition::OneOf(tags) => tags.iter().any(|tag| version(tag)),
            Precondition::Not(other) => !other.names(version),
            Precondition::Both(both) => both.iter().all(|one| one.names(version)),
        }
    }
}

/// If-Match (T03): 412 unless `current` is named. No header, no condition.
///
/// # Errors
/// 412 when the resource has another version.
pub fn check_match(condition: Option<&Precondition>, current: Version) -> Result<()> {
    match condition {
        Some(condition) if !condition.holds(current) => Err(ScimError::precondition()),
        _ => Ok(()),
    }
}

/// If-None-Match on a read (T02): true when the answer is 304.
#[must_use]
pub fn not_modified(condition: Option<&Precondition>, current: Version) -> bool {
    let shown = current.tag();
    condition.is_some_and(|condition| condition.names(&|tag| tag == shown))
}

/// F05: the protocol version in the path.
///
/// # Errors
/// 400 `invalidVers` for anything but `v2`.
pub fn check_protocol(segment: &str) -> Result<()> {
    if segment.eq_ignore_ascii_case("v2") {
        return Ok(());
    }
    Err(ScimError::new(ScimType::InvalidVers, "Only protocol version v2 is offered."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t03_lists_weak_and_strong_tags() {
        for text in ["W/\"7\"", "\"7\"", "\"1\", W/\"7\"", "*", "7", "W/\"a,b\",\"7\""] {
            assert!(Precondition::parse(text).unwrap().holds(Version::new(7)), "{text}");
        }
        for text in ["W/\"8\"", "\"77\"", "8, 9"] {
            assert!(!Precondition::parse(text).unwrap().holds(Version::new(7)), "{text}");
        }
        for text in ["", "\"7", "\"7\" \"8\"", ",", "W/"] {
            assert!(Precondition::parse(text).is_err(), "{text}");
        }
        assert_eq!(Version::new(7).to_string(), "W/\"7\"");
        let stale = Precondition::parse("\"6\"").unwrap();
        let of = |with: &str, without: &str| {
            let read = |text: &str| (!text.is_empty()).then(|| Precondition::parse(text).unwrap());
            Precondition::of_write(read(with), read(without)).is_none_or(|condition| condition.holds(Version::new(7)))
        };
        assert!(of("", "") && of("7", "") && of("", "6") && of("7", "6, 8") && of("*", "6"));
        assert!(!of("", "*") && !of("", "7-00000bee") && !of("7", "*") && !of("6", "6") && !of("7", "6, 7"));
        assert_eq!(check_match(Some(&stale), Version::new(7)).unwrap_err().status, 412);
        assert!(check_match(Some(&stale), Version::new(6)).is_ok());
        assert!(check_match(None, Version::new(7)).is_ok());
        assert!(not_modified(Some(&Precondition::Any), Version::new(7)));
        assert!(!not_modified(Some(&stale), Version::new(7)) && !not_modified(None, Version::new(7)));
    }

    #[test]
    fn f05_other_versions_of_the_protocol_are_refused_by_name() {
        assert!(check_protocol("v2").is_ok() && check_protocol("V2").is_ok());
        for other in ["v1", "v20", ""] {
            assert_eq!(check_protocol(other).unwrap_err().kind, Some(ScimType::InvalidVers), "{other}");
        }
    }

    #[test]
    fn t02_what_is_shown_beside_the_resource_counts_for_readers_only() {
        let version = Version::new(7).showing(0xbee);
        assert_eq!(version.to_string(), "W/\"7-00000bee\"");
        let seen = Precondition::parse(&version.to_string()).unwrap();
        assert!(not_modified(Some(&seen), version));
        assert!(!not_modified(Some(&seen), Version::new(7).showing(1)));
        assert!(!not_modified(Some(&seen), Version::new(7)));
        assert!(seen.holds(Version::new(7)) && !seen.holds(Version::new(8)));
    }

    proptest::proptest! {
        #[test]
        fn t03_any_header_is_answered(text in r#"(?:[ -~]{0,4}|W/|"|,|\*|7){0,8}"#, version in 0..9u64) {
            let _ = Precondition::parse(&text);
            let tag = Version::new(version).to_string();
            proptest::prop_assert!(Precondition::parse(&tag).unwrap().holds(Version::new(version)));
        }
    }
}
