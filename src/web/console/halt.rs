//! Why a page is not shown, in the form of a page.
use actix_web::HttpResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use askama::Template;

use super::page::html;
use crate::admin::refused::Refused;
use crate::store::{StoreError, effective};
use crate::web::problem;

/// Why a handler ended early.
#[derive(Debug)]
pub enum Halt {
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

impl Halt {
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
            Self::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, "What is stored here is damaged", problem::DAMAGED),
            Self::Answered(_) => (StatusCode::OK, "", ""),
        };
        match self {
            Self::Answered(response) => *response,
            _ => html(status, &Page { title, text }),
        }
    }
}

impl From<Halt> for actix_web::Error {
    fn from(halt: Halt) -> Self {
        InternalError::from_response("", halt.into_response()).into()
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::NotFound) {
            return Self::NotFound;
        }
        tracing::error!(%error, "a page could not be read");
        if error == StoreError::Damaged { Self::Damaged } else { Self::Down }
    }
}

impl From<effective::Refusal> for Halt {
    fn from(refusal: effective::Refusal) -> Self {
        match refusal {
            effective::Refusal::Hidden => Self::NotFound,
            effective::Refusal::Forbidden(told) => Self::Forbidden(told.sentence),
            effective::Refusal::Store(error) => error.into(),
        }
    }
}

impl From<Refused> for Halt {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Forbidden(why) => Self::Forbidden(why),
            Refused::Invalid(why) | Refused::Conflict(why) => Self::Invalid(why),
            Refused::Stale => Self::Invalid(refused.to_string()),
            Refused::Store(error) => error.into(),
        }
    }
}

impl From<problem::Refusal> for Halt {
    fn from(refusal: problem::Refusal) -> Self {
        Self::Answered(Box::new(HttpResponse::from_error(refusal)))
    }
}
