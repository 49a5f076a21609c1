//! Refusals of the token endpoint (RFC 6749 §5.2).
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::json;

/// A refusal.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {why}")]
pub(super) struct OauthError {
    status: StatusCode,
    code: &'static str,
    why: String,
    /// Seconds after which to try again, when that helps.
    wait: Option<u32>,
}

impl OauthError {
    /// A refusal with its code and a sentence.
    pub(super) fn new(status: StatusCode, code: &'static str, why: impl Into<String>) -> Self {
        Self { status, code, why: why.into(), wait: None }
    }

    /// The request is not of the form it should have.
    pub(super) fn request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", why)
    }

    /// The client has not proved that it is one of this connection. The same for every cause, so that nobody learns
    /// which connections and clients exist.
    pub(super) fn client() -> Self {
        let why = "The client is not known here, or its secret or assertion is wrong.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", why)
    }

    /// To be tried again after so many seconds.
    pub(super) fn later(status: StatusCode, why: &'static str, seconds: u32) -> Self {
        Self { wait: Some(seconds), ..Self::new(status, "temporarily_unavailable", why) }
    }
}

impl ResponseError for OauthError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"oauth\""));
        }
        if let Some(seconds) = self.wait {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.json(json!({"error": self.code, "error_description": self.why}))
    }
}
