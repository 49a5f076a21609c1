//! Refusals of the API: RFC 9457 problems.
use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, ResponseError};

use crate::admin::error::AdminError;
use crate::store::StoreError;
use crate::web::error::{DAMAGED, ErrorFormat, HttpError, sentence};

/// A refusal that is ready to be sent.
#[derive(Debug)]
pub(super) struct Fault(HttpError);

impl Fault {
    /// A status and one sentence: what is wrong and what to do.
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(HttpError::new(ErrorFormat::Problem, status, detail))
    }

    /// 400.
    pub(super) fn bad(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: the same for an unknown id and for one the caller may not see.
    pub(super) fn hidden() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such thing, or you may not see it.")
    }

    /// Adds a header.
    pub(super) fn with(self, name: HeaderName, value: &str) -> Self {
        Self(self.0.with(name, value))
    }
}

impl From<HttpError> for Fault {
    fn from(refusal: HttpError) -> Self {
        Self(refusal)
    }
}

impl From<AdminError> for Fault {
    fn from(refused: AdminError) -> Self {
        let status = match refused {
            AdminError::NotFound => return Self::hidden(),
            AdminError::Store(error) => return error.into(),
            AdminError::Forbidden(_) => StatusCode::FORBIDDEN,
            AdminError::Invalid(_) => StatusCode::BAD_REQUEST,
            AdminError::Conflict(_) => StatusCode::CONFLICT,
            AdminError::Stale => StatusCode::PRECONDITION_FAILED,
        };
        Self::new(status, refused.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::hidden(),
            StoreError::Damaged => Self::new(StatusCode::INTERNAL_SERVER_ERROR, DAMAGED),
            passing if passing.may_pass() => {
                tracing::warn!(error = %passing, "the store could not take a request of the API");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence(StatusCode::SERVICE_UNAVAILABLE))
                    .with(header::RETRY_AFTER, "1")
            }
            other => {
                tracing::error!(error = %other, "a request of the API failed in the store");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.0.error_response()
    }
}
