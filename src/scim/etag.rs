//! Entity tags and conditional requests (RFC 7644 §3.14, RFC 9110 §13.1).

use super::error::{Result, ScimError, ScimType};
use std::fmt;

/// The version of a resource: a counter raised by every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    /// The weak entity tag, `W/"7"`, for the ETag header and `meta.version`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W/\"{}\"", self.0)
    }
}

/// The value of an If-Match or If-None-Match header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `*`: any version.
    Any,
    /// One of these tags, without `W/` and quotation marks.
    OneOf(Vec<String>),
}

impl Condition {
    /// Reads the header; a bare word counts as a tag, because clients send
    /// `meta.version` in many forms.
    ///
    /// # Errors
    /// 400 when it is empty or a quotation mark is left open.
    pub fn parse(header: &str) -> Result<Self> {
        let bad = || ScimError::plain(400, "The If-Match or If-None-Match header is not a list of entity tags.");
        if header.trim() == "*" {
            return Ok(Condition::Any);
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
        Ok(Condition::OneOf(tags))
    }

    /// Whether `version` is among those named. Weak comparison: our tags are
    /// weak, and clients drop the mark.
    #[must_use]
    pub fn holds(&self, version: Version) -> bool {
        match self {
            Condition::Any => true,
            Condition::OneOf(tags) => {
                let tag = version.0.to_string();
                tags.contains(&tag)
            }
        }
    }
}

/// If-Match (T03): 412 unless `current` is named. No header, no condition.
///
/// # Errors
/// 412 when the resource has another version.
pub fn check_match(condition: Option<&Condition>, current: Version) -> Result<()> {
    match condition {
        Some(condition) if !condition.holds(current) => Err(ScimError::precondition()),
        _ => Ok(()),
    }
}

/// If-None-Match on a read (T02): true when the answer is 304.
#[must_use]
pub fn not_modified(condition: Option<&Condition>, current: Version) -> bool {
    condition.is_some_and(|condition| condition.holds(current))
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
            assert!(Condition::parse(text).unwrap().holds(Version(7)), "{text}");
        }
        for text in ["W/\"8\"", "\"77\"", "8, 9"] {
            assert!(!Condition::parse(text).unwrap().holds(Version(7)), "{text}");
        }
        for text in ["", "\"7", "\"7\" \"8\"", ",", "W/"] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
        assert_eq!(Version(7).to_string(), "W/\"7\"");
        let stale = Condition::parse("\"6\"").unwrap();
        assert_eq!(check_match(Some(&stale), Version(7)).unwrap_err().status, 412);
        assert!(check_match(Some(&stale), Version(6)).is_ok());
        assert!(check_match(None, Version(7)).is_ok());
        assert!(not_modified(Some(&Condition::Any), Version(7)));
        assert!(!not_modified(Some(&stale), Version(7)) && !not_modified(None, Version(7)));
    }

    #[test]
    fn f05_other_versions_of_the_protocol_are_refused_by_name() {
        assert!(check_protocol("v2").is_ok() && check_protocol("V2").is_ok());
        for other in ["v1", "v20", ""] {
            assert_eq!(check_protocol(other).unwrap_err().kind, Some(ScimType::InvalidVers), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn t03_any_header_is_answered(text in r#"(?:[ -~]{0,4}|W/|"|,|\*|7){0,8}"#, version in 0..9u64) {
            let _ = Condition::parse(&text);
            let tag = Version(version).to_string();
            proptest::prop_assert!(Condition::parse(&tag).unwrap().holds(Version(version)));
        }
    }
}
