//! Attribute paths: `userName`, `name.familyName`,
//! `urn:…:2.0:User:manager.value`, `emails[type eq "work"].value`
//! (RFC 7644 §3.5.2, §3.10).

use super::error::{Result, invalid_path};
use super::filter::{Budget, FilterAst};
use std::fmt;

/// A path without a value filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The schema, when the path is qualified.
    pub urn: Option<String>,
    /// The attribute; empty when the path is a schema URN alone.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

/// The path of a PATCH operation.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchPath {
    /// The attribute, or with a filter the multi-valued attribute.
    pub attr: AttrPath,
    /// Which elements of the multi-valued attribute.
    pub filter: Option<FilterAst>,
    /// The sub-attribute after the filter.
    pub sub: Option<String>,
}

/// Whether `name` is an ATTRNAME of RFC 7643 §2.1; `$ref` counts.
#[must_use]
pub fn is_attribute_name(name: &str) -> bool {
    let body = name.strip_prefix('$').unwrap_or(name);
    body.starts_with(|c: char| c.is_ascii_alphabetic())
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether `byte` may stand in an attribute path.
pub(super) fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_$.:/%".contains(&byte)
}

impl AttrPath {
    /// Reads a path; none when it is malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(is_path_byte) {
            return None;
        }
        // The last colon ends the URN; only what follows it can hold the dot
        // before a sub-attribute, so the dot in "2.0" is never taken for one.
        let Some((urn, rest)) = text.rsplit_once(':') else {
            return Self::unqualified(text);
        };
        if rest.is_empty() || !urn.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        match Self::unqualified(rest) {
            Some(path) => Some(Self { urn: Some(urn.to_owned()), ..path }),
            // A URN that ends in something else, such as a version.
            None => Some(Self { urn: Some(text.to_owned()), name: String::new(), sub: None }),
        }
    }

    fn unqualified(text: &str) -> Option<Self> {
        let (name, sub) = match text.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (text, None),
        };
        if !is_attribute_name(name) || !sub.is_none_or(is_attribute_name) {
            return None;
        }
        Some(Self { urn: None, name: name.to_owned(), sub: sub.map(str::to_owned) })
    }
}

impl PatchPath {
    /// Reads the path of a PATCH operation (P03).
    ///
    /// # Errors
    /// 400 `invalidPath` when it is malformed, or longer or deeper than a
    /// filter may be.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with(text, FilterAst::parse_inner)
    }

    /// Reads a path whose filter takes the liberties of [`FilterAst::parse_lenient`].
    ///
    /// # Errors
    /// As [`PatchPath::parse`].
    pub fn parse_lenient(text: &str) -> Result<Self> {
        Self::parse_with(text, FilterAst::parse_inner_lenient)
    }

    fn parse_with(text: &str, inside: fn(&str, Budget) -> Result<FilterAst>) -> Result<Self> {
        let bad = || {
            let shown: String = text.chars().take(100).collect();
            invalid_path(format!("\"{shown}\" is not an attribute path."))
        };
        let trimmed = text.trim();
        let Some((head, rest)) = trimmed.split_once('[') else {
            let attr = AttrPath::parse(trimmed).ok_or_else(bad)?;
            return Ok(Self { attr, filter: None, sub: None });
        };
        let attr = AttrPath::parse(head).filter(|a| !a.name.is_empty()).ok_or_else(bad)?;
        let (inner, tail) = rest.rsplit_once(']').ok_or_else(bad)?;
        let sub = match tail {
            "" => None,
            _ => Some(tail.strip_prefix('.').filter(|s| is_attribute_name(s)).ok_or_else(bad)?),
        };
        let filter = inside(inner, Budget::default())
            .map_err(|error| invalid_path(format!("The filter in the path: {}", error.detail)))?;
        Ok(Self { attr, filter: Some(filter), sub: sub.map(str::to_owned) })
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            f.write_str(urn)?;
            if !self.name.is_empty() {
                f.write_str(":")?;
            }
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.attr)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (Option<String>, String, Option<String>) {
        let path = AttrPath::parse(text).unwrap();
        (path.urn, path.name, path.sub)
    }

    #[test]
    fn a15_the_dot_of_a_version_is_not_a_separator() {
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
        assert_eq!(
            parts(&format!("{urn}:name.familyName")),
            (Some(urn.into()), "name".into(), Some("familyName".into()))
        );
        assert_eq!(parts("emails.value"), (None, "emails".into(), Some("value".into())));
        assert_eq!(parts("members.$ref").2, Some("$ref".into()));
        assert_eq!(parts("urn:example:ext:2.0"), (Some("urn:example:ext:2.0".into()), String::new(), None));
    }

    #[test]
    fn a15_a_urn_has_the_letters_of_a_path_alone() {
        for bad in ["urn:ex ample:x:name", "urn:exämple:x:name", ":name", "1urn:name", "urn:a\":name"] {
            assert_eq!(AttrPath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn p03_malformed_paths_are_refused() {
        for bad in [
            "",
            " ",
            ".",
            "a.",
            ".a",
            "a.b.c",
            "1a",
            "a b",
            "emails[",
            "emails[type eq \"x\"",
            "emails]",
            "emails[]",
            "emails[type eq \"x\"]value",
            "emails[type eq \"x\"].",
            ":",
            "urn:",
            "emails[type eq \"x\"].a.b",
            "émails",
            "[type eq \"x\"]",
        ] {
            let error = PatchPath::parse(bad).unwrap_err();
            assert_eq!(error.kind, Some(crate::scim::error::ScimType::InvalidPath), "{bad}");
        }
    }

    #[test]
    fn p03_value_paths() {
        let text = r#"emails[type eq "work]" and not (value co "x")].value"#;
        let path = PatchPath::parse(text).unwrap();
        assert_eq!(path.sub.as_deref(), Some("value"));
        assert_eq!(path.to_string(), text);
        let element = PatchPath::parse("emails[type pr]").unwrap();
        assert_eq!((element.sub.as_deref(), element.to_string().as_str()), (None, "emails[type pr]"));
    }

    proptest! {
        #[test]
        fn p03_arbitrary_text_never_panics(text in ".{0,200}") {
            if let Ok(path) = PatchPath::parse(&text) {
                prop_assert_eq!(PatchPath::parse(&path.to_string()).unwrap(), path);
            }
        }
    }
}
