//! What every page is made of: the frame, times in words, an answer nobody keeps.
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::error::PageError;
use crate::web::App;
use crate::web::login::{Form, SessionUser};
pub use crate::web::time_format::{minute, second};

/// The frame around a page: who looks, and where they are.
pub struct Layout {
    /// The user's name.
    pub name: String,
    /// What forms of this session carry.
    pub csrf: String,
    /// The part of the console: `partners` or `activity`.
    pub section: &'static str,
    /// What has just been done.
    pub notice: Option<&'static str>,
}

impl Layout {
    /// The frame of a page in `section`.
    pub fn of(session_user: &SessionUser, request: &HttpRequest, section: &'static str) -> Self {
        Self {
            name: session_user.signed.display_name.clone(),
            csrf: session_user.form_token(),
            section,
            notice: notice(&parameter(request, "done")),
        }
    }
}

/// What a form has done, said on the page it leads to.
fn notice(word: &str) -> Option<&'static str> {
    Some(match word {
        "suspended" => "Switched off. Sessions have ended, and nothing is allowed from now on.",
        "ends" => "Noted. From that day on nothing is allowed.",
        "partner_suspended" => "Switched off, with everything below: nothing is allowed there from now on.",
        "reactivated" => "Your suspension is lifted.",
        "confirmed" => "Confirmed. What the default group holds reaches this user in full.",
        "unconfirmed" => "The confirmation is taken back.",
        "connected" => "Connected. The steps below make it work.",
        "paused" => "Paused: it answers and reads nothing from now on.",
        "opened" => "Open.",
        "revoked" => "The token has ended.",
        "saved" => "Saved.",
        "introduced" => {
            "In force. Who waited is introduced as it was shown; of very many that goes on in the background."
        }
        "undone" => "Given back: what you see below as restored is in force again.",
        "dismissed" => "The notice is put away.",
        "started" => "The run has begun; it appears below.",
        _ => return None,
    })
}

/// The visitor, or the way to the sign-in.
///
/// # Errors
/// The answer that leads there.
pub async fn session_user(request: &HttpRequest, app: &App) -> Result<SessionUser, PageError> {
    SessionUser::of(request, app).await.map_err(|answer| PageError::Answered(Box::new(answer)))
}

/// The visitor and the form that one of their pages has sent.
///
/// # Errors
/// The answer: not signed in, sent from elsewhere, or no form.
pub async fn submitted(
    request: &HttpRequest,
    app: &App,
    payload: actix_web::web::Payload,
) -> Result<(SessionUser, Form), PageError> {
    let form = Form::read(request, app, payload).await?;
    let session_user = session_user(request, app).await?;
    session_user.check(request, &form)?;
    Ok((session_user, form))
}

/// An HTML answer that is not kept by anybody.
pub fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(text) => HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// A page.
pub fn ok(page: &impl Template) -> HttpResponse {
    html(StatusCode::OK, page)
}

/// 303: go there with GET, whatever this was.
pub fn see_other(place: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, place))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// A parameter of the query; empty when it is absent.
pub fn parameter(request: &HttpRequest, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The last word of the address that is asked for.
pub fn last(request: &HttpRequest) -> &str {
    request.path().rsplit('/').next().unwrap_or_default()
}

/// An address with parameters, the empty ones left out.
pub fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// An id in a path.
///
/// # Errors
/// [`PageError::NotFound`]: what is no id names nothing.
pub fn id<T: std::str::FromStr>(text: &str) -> Result<T, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// `1 person`, `2 people`.
pub fn count(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
