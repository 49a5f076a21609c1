//! Refusals in the form of the connection they happen at: SCIM errors, RFC 9457 problems, plain pages.
use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Value, json};

use crate::scim::error::ScimError;

/// Media type of SCIM messages (RFC 7644 §8.1).
pub const SCIM_JSON: &str = "application/scim+json";
/// Media type of problem details (RFC 9457 §6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What is said when the database itself is damaged: to repeat the request would not help.
pub const DAMAGED: &str = "What this server has stored is damaged, and its operator must mend it: repeating the request \
     does not help. `rolecall doctor` says what is wrong.";
/// What is said when an answer was not found in the time a request has.
pub const LATE: &str = "The answer took too long and was given up; whether anything was changed is not known. Repeat the \
     request shortly.";

/// Which form an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// RFC 7644 §3.12.
    Scim,
    /// RFC 9457.
    Problem,
    /// RFC 6749 §5.2.
    OAuth,
    /// A line of text.
    Plain,
}

impl ErrorFormat {
    /// The form that belongs to a path.
    pub fn of(path: &str) -> Self {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match segments.next() {
            Some("scim") => Self::Scim,
            Some("api" | "access" | "operator") => Self::Problem,
            Some("oauth") => Self::OAuth,
            Some(".well-known") => match segments.next() {
                Some("oauth-authorization-server") => Self::OAuth,
                Some("authzen-configuration") => Self::Problem,
                _ => Self::Plain,
            },
            _ => Self::Plain,
        }
    }

    /// The media type of its errors.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Scim => SCIM_JSON,
            Self::Problem => PROBLEM_JSON,
            Self::OAuth => "application/json",
            Self::Plain => "text/plain; charset=utf-8",
        }
    }
}

/// A refusal that is ready to be sent.
#[derive(Debug)]
pub struct HttpError {
    face: ErrorFormat,
    error: ScimError,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpError {
    /// A refusal with a status and one sentence: what is wrong and what to do.
    pub fn new(face: ErrorFormat, status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::scim(face, ScimError::plain(status.as_u16(), detail))
    }

    /// The same, in the form that belongs to the request's path.
    pub fn at(request: &HttpRequest, status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorFormat::of(request.path()), status, detail)
    }

    /// A refusal of the SCIM engine; outside SCIM its keyword is left out.
    pub fn scim(face: ErrorFormat, error: ScimError) -> Self {
        Self { face, error, headers: Vec::new() }
    }

    /// Adds a header; one whose value cannot be sent is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The form it takes.
    pub fn face(&self) -> ErrorFormat {
        self.face
    }

    /// The SCIM error inside.
    pub fn error(&self) -> &ScimError {
        &self.error
    }

    fn body(&self) -> String {
        match self.face {
            ErrorFormat::Scim => self.error.to_json().to_string(),
            ErrorFormat::Problem => self.problem().to_string(),
            ErrorFormat::OAuth => {
                json!({"error": self.oauth_code(), "error_description": self.error.detail}).to_string()
            }
            ErrorFormat::Plain => format!("{}\n", self.error.detail),
        }
    }

    /// The code of RFC 6749 §5.2 (and of §4.1.2.1 for what is the server's matter) that says the most.
    fn oauth_code(&self) -> &'static str {
        match self.error.status {
            429 | 503 => "temporarily_unavailable",
            500.. => "server_error",
            _ => "invalid_request",
        }
    }

    fn problem(&self) -> Value {
        let title = self.status_code().canonical_reason().unwrap_or("Error");
        json!({"type": "about:blank", "title": title, "status": self.error.status, "detail": self.error.detail})
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.insert_header((header::CONTENT_TYPE, self.face.media_type()));
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.error.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response.body(self.body())
    }
}

/// One sentence for a status that the server gave by itself.
pub fn sentence(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing at this address.",
        StatusCode::METHOD_NOT_ALLOWED => "This address does not answer to that method; see the Allow header.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is larger than this server accepts.",
        StatusCode::REQUEST_TIMEOUT => "The request took too long to arrive.",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "Send the body as JSON, in UTF-8, without a content encoding.",
        StatusCode::URI_TOO_LONG => "The address is longer than this server accepts; send a filter to .search instead.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "The headers are larger than this server accepts.",
        StatusCode::SERVICE_UNAVAILABLE => "The server cannot answer at the moment; try again shortly.",
        status if status.is_client_error() => "The request cannot be understood.",
        _ => "Something went wrong here; nothing was changed. The request id finds it in the server's log.",
    }
}
