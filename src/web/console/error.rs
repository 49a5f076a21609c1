//! Why a page is not shown, in the form of a page.
use actix_web::HttpResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use askama::Template;

use super::layout::html;
use crate::admin::error::AdminError;
use crate::store::{StoreError, effective};
use crate::web::error;

/// Why a handler ended early.
#[derive(Debug)]
pub enum PageError {
    /// There is no such thing, or the visitor may not know of it: both answer alike.
    NotFound,
    /// The visitor sees the thing and may not do this; why, in a sentence.
    Forbidden(String),
    /// What was sent will not do; what to do instead, in a sentence.
    Invalid(String),
    /// The server cannot answer; nothing was changed.
    Down,
    /// What is stored is damaged.
    Damaged,
    /// Already answered: the way to the sign-in.
    Answered(Box<HttpResponse>),
}

#[derive(Template)]
#[template(path = "console/refused.html")]
struct Page<'a> {
    title: &'a str,
    text: &'a str,
}

impl PageError {
    /// As an answer.
    pub fn into_response(self) -> HttpResponse {
        let (status, title, text) = match &self {
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "There is nothing here", "It does not exist, or you may not see it.")
            }
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, "You may not do this", why.as_str()),
            Self::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, "That will not do", why.as_str()),
            Self::Down => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot answer at the moment",
                "Nothing was changed. Try again shortly.",
            ),
            Self::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, "What is stored here is damaged", error::DAMAGED),
            Self::Answered(_) => (StatusCode::OK, "", ""),
        };
        match self {
            Self::Answered(response) => *response,
            _ => html(status, &Page { title, text }),
        }
    }
}

impl From<PageError> for actix_web::Error {
    fn from(halt: PageError) -> Self {
        InternalError::from_response("", halt.into_response()).into()
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::NotFound) {
            return Self::NotFound;
        }
        tracing::error!(%error, "a page could not be read");
        if error == StoreError::Damaged { Self::Damaged } else { Self::Down }
    }
}

impl From<effective::AuthzError> for PageError {
    fn from(refusal: effective::AuthzError) -> Self {
        match refusal {
            effective::AuthzError::Hidden => Self::NotFound,
            effective::AuthzError::Forbidden(told) => Self::Forbidden(told.sentence),
            effective::AuthzError::Store(error) => error.into(),
        }
    }
}

impl From<AdminError> for PageError {
    fn from(refused: AdminError) -> Self {
        match refused {
            AdminError::NotFound => Self::NotFound,
            AdminError::Forbidden(why) => Self::Forbidden(why),
            AdminError::Invalid(why) | AdminError::Conflict(why) => Self::Invalid(why),
            AdminError::Stale => Self::Invalid(refused.to_string()),
            AdminError::Store(error) => error.into(),
        }
    }
}

impl From<error::HttpError> for PageError {
    fn from(refusal: error::HttpError) -> Self {
        Self::Answered(Box::new(HttpResponse::from_error(refusal)))
    }
}
