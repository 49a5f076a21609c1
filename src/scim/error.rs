//! Errors as SCIM speaks them (RFC 7644 §3.12, RFC 9865 §2.1).

use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// Schema of the Error message.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The `scimType` vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter does not parse, or asks what the attribute cannot answer.
    InvalidFilter,
    /// More results than the server is willing to work out.
    TooMany,
    /// A unique value is taken.
    Uniqueness,
    /// The attribute may not be changed, or not like this.
    Mutability,
    /// The body is not the message it should be.
    InvalidSyntax,
    /// The PATCH path is malformed or names no attribute.
    InvalidPath,
    /// The PATCH path selects nothing.
    NoTarget,
    /// A value is missing, of the wrong type, or unusable.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request would put personal data into the URL.
    Sensitive,
    /// The cursor is not one of ours, or belongs to another query.
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The count is out of range or changed between cursor pages.
    InvalidCount,
}

impl ScimType {
    /// Every keyword.
    pub const ALL: [ScimType; 13] = [
        ScimType::InvalidFilter,
        ScimType::TooMany,
        ScimType::Uniqueness,
        ScimType::Mutability,
        ScimType::InvalidSyntax,
        ScimType::InvalidPath,
        ScimType::NoTarget,
        ScimType::InvalidValue,
        ScimType::InvalidVers,
        ScimType::Sensitive,
        ScimType::InvalidCursor,
        ScimType::ExpiredCursor,
        ScimType::InvalidCount,
    ];

    /// The keyword on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ScimType::InvalidFilter => "invalidFilter",
            ScimType::TooMany => "tooMany",
            ScimType::Uniqueness => "uniqueness",
            ScimType::Mutability => "mutability",
            ScimType::InvalidSyntax => "invalidSyntax",
            ScimType::InvalidPath => "invalidPath",
            ScimType::NoTarget => "noTarget",
            ScimType::InvalidValue => "invalidValue",
            ScimType::InvalidVers => "invalidVers",
            ScimType::Sensitive => "sensitive",
            ScimType::InvalidCursor => "invalidCursor",
            ScimType::ExpiredCursor => "expiredCursor",
            ScimType::InvalidCount => "invalidCount",
        }
    }

    /// The status RFC 7644 gives the keyword; a duplicate is 409 (§3.3).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            ScimType::Uniqueness => 409,
            ScimType::Sensitive => 403,
            _ => 400,
        }
    }
}

/// A refusal, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ScimError {
    /// The HTTP status, which is also in the body.
    pub status: u16,
    /// The detail keyword, when one fits.
    pub kind: Option<ScimType>,
    /// One sentence: what is wrong and what to do.
    pub detail: Cow<'static, str>,
    /// Seconds after which the same request may be taken, when waiting helps: the Retry-After header.
    pub retry_after: Option<u32>,
}

impl fmt::Display for ScimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{} {}: {}", self.status, kind.as_str(), self.detail),
            None => write!(f, "{}: {}", self.status, self.detail),
        }
    }
}

/// What every fallible function of this module returns.
pub type Result<T> = std::result::Result<T, ScimError>;

impl ScimError {
    /// An error with a keyword, and the status that goes with it.
    pub fn new(kind: ScimType, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status: kind.status(), kind: Some(kind), detail: detail.into(), retry_after: None }
    }

    /// An error without a keyword.
    pub fn plain(status: u16, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind: None, detail: detail.into(), retry_after: None }
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn wait(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// 404: the resource, or the endpoint, does not exist.
    #[must_use]
    pub fn not_found() -> Self {
        Self::plain(404, "There is no such resource.")
    }

    /// 412: the version named by the client is not the current one.
    #[must_use]
    pub fn precondition() -> Self {
        Self::plain(412, "The resource has changed since the version you named; read it again and repeat the change.")
    }

    /// 428: this connection must say which version it changes.
    #[must_use]
    pub fn version_needed() -> Self {
        Self::plain(428, "Name the version you change in the If-Match header; this connection requires it.")
    }

    /// 413: a limit is exceeded; `detail` names it.
    pub fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(413, detail)
    }

    /// The Error body (F02): `status` is a string there.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_URN],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(map)) = (self.kind, body.as_object_mut()) {
            map.insert("scimType".into(), kind.as_str().into());
        }
        body
    }
}

macro_rules! shorthand {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(detail: impl Into<Cow<'static, str>>) -> ScimError {
            ScimError::new(ScimType::$kind, detail)
        }
    )*};
}

shorthand! {
    /// 400 `invalidFilter`.
    invalid_filter => InvalidFilter;
    /// 400 `invalidSyntax`.
    invalid_syntax => InvalidSyntax;
    /// 400 `invalidPath`.
    invalid_path => InvalidPath;
    /// 400 `invalidValue`.
    invalid_value => InvalidValue;
    /// 400 `mutability`.
    mutability => Mutability;
    /// 400 `noTarget`.
    no_target => NoTarget;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f02_f03_every_keyword_renders_an_error_body() {
        for kind in ScimType::ALL {
            let body = ScimError::new(kind, "why").to_json();
            assert_eq!(body["schemas"][0], ERROR_URN);
            assert_eq!(body["scimType"], kind.as_str());
            assert_eq!(body["status"], kind.status().to_string());
        }
        let plain = ScimError::not_found().to_json();
        assert_eq!(plain["status"], "404");
        assert!(plain.get("scimType").is_none());
    }

    #[test]
    fn f03_the_status_of_a_keyword_and_the_line_for_the_log() {
        let status = |kind: ScimType| kind.status();
        let of = [ScimType::Uniqueness, ScimType::Sensitive, ScimType::InvalidFilter, ScimType::TooMany].map(status);
        assert_eq!(of, [409, 403, 400, 400]);
        assert_eq!(invalid_path("Why.").to_string(), "400 invalidPath: Why.");
        assert_eq!(ScimError::plain(404, "Why.").to_string(), "404: Why.");
    }
}
