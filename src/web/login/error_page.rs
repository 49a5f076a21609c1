//! Why somebody was not let in, as a page.
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::page::html;
use crate::login::error::{LoginError, LoginErrorKind};
use crate::web::App;
use crate::web::extract::ClientInfo;
use crate::web::scim::log;

#[derive(Template)]
#[template(path = "login/refused.html")]
struct Page<'a> {
    sentence: &'a str,
    notices: &'a [String],
    code: &'a str,
    request: &'a str,
    again: &'a str,
}

/// The page of a refusal. The detail goes to the log, and to the connection's own; what may be guessing is counted.
pub(super) fn page(request: &HttpRequest, app: &App, refusal: &LoginError, again: &str) -> HttpResponse {
    let client = ClientInfo::of(request);
    if let Some(client) = &client
        && matches!(
            refusal.kind,
            LoginErrorKind::Unknown | LoginErrorKind::Stale | LoginErrorKind::Spent | LoginErrorKind::Untrusted
        )
    {
        app.desk.limits.count(client.ip, app.clock.now());
    }
    log::refused_sign_in(app, request, status(refusal.kind).as_u16(), refusal);
    let id = client.as_ref().map_or("", |client| client.request_id.as_str());
    if refusal.kind == LoginErrorKind::Down {
        tracing::error!(code = refusal.code, detail = refusal.detail, "a sign-in failed");
    } else {
        tracing::warn!(code = refusal.code, detail = refusal.detail, "a sign-in was refused");
    }
    let notices = refusal.notices.as_slice();
    let page = Page { sentence: refusal.kind.sentence(), notices, code: refusal.code, request: id, again };
    let mut response = html(status(refusal.kind), &page);
    if refusal.kind == LoginErrorKind::Busy {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
    }
    response
}

/// The status of a refusal.
pub(super) fn status(kind: LoginErrorKind) -> StatusCode {
    match kind {
        LoginErrorKind::Unknown => StatusCode::NOT_FOUND,
        LoginErrorKind::Stale | LoginErrorKind::Spent => StatusCode::BAD_REQUEST,
        LoginErrorKind::Declined
        | LoginErrorKind::Observed
        | LoginErrorKind::NotLinked
        | LoginErrorKind::Waiting
        | LoginErrorKind::Suspended => StatusCode::FORBIDDEN,
        LoginErrorKind::Unreachable | LoginErrorKind::Setup | LoginErrorKind::Untrusted => StatusCode::BAD_GATEWAY,
        LoginErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        LoginErrorKind::Down => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The refusal of a client that tries too often.
pub(super) fn busy() -> LoginError {
    LoginError::new(LoginErrorKind::Busy, "client.busy", "more than 60 tries a minute failed, or 600 were begun")
}
