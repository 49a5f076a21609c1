//! Whoever is signed in, as handlers of console pages meet them.
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::form::Form;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::UserId;
use crate::login::session;
use crate::store::sessions::Session;
use crate::web::App;
use crate::web::error::HttpError;

/// A signed-in user, as of this request.
pub struct SessionUser {
    /// The session and its user.
    pub signed: Session,
    cookie: String,
}

impl SessionUser {
    /// The user who sends this request.
    ///
    /// # Errors
    /// For a page, the way to `/login`; for anything else 401; 503 when the store does not answer.
    pub async fn of(request: &HttpRequest, app: &App) -> Result<Self, HttpResponse> {
        let name = session::cookie_name(app.desk.login.secure());
        let Some(cookie) = request.cookie(name) else { return Err(to_sign_in(request)) };
        match app.desk.login.authenticate(cookie.value(), app.clock.now()).await {
            Ok(Some(signed)) => Ok(Self { signed, cookie: cookie.value().to_owned() }),
            Ok(None) => Err(to_sign_in(request)),
            Err(error) => {
                tracing::error!(%error, "a session could not be checked");
                let detail = "The server cannot check who you are at the moment; try again shortly.";
                Err(HttpResponse::from_error(HttpError::at(request, StatusCode::SERVICE_UNAVAILABLE, detail)))
            }
        }
    }

    /// The user.
    pub fn user(&self) -> UserId {
        self.signed.user()
    }

    /// The circumstances of an act of this user.
    pub fn ctx(&self, app: &App) -> Ctx {
        app.ctx(Actor::User { user: self.user() })
    }

    /// What forms on this user's pages carry in the field `csrf`.
    pub fn form_token(&self) -> String {
        session::form_token(&self.cookie)
    }

    /// Whether a form was made for this session.
    ///
    /// # Errors
    /// 403.
    pub fn check(&self, request: &HttpRequest, form: &Form) -> Result<(), HttpError> {
        if session::form_token_holds(&self.cookie, form.field("csrf")) {
            return Ok(());
        }
        let detail = "This page is from an earlier session. Open it again and repeat what you did.";
        Err(HttpError::at(request, StatusCode::FORBIDDEN, detail))
    }
}

fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let detail = "You are not signed in any more. Sign in and try again.";
        return HttpResponse::from_error(HttpError::at(request, StatusCode::UNAUTHORIZED, detail));
    }
    let here = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", here).finish();
    see_other(&format!("/login?{query}")).finish()
}

/// 303: go there with GET, whatever this was (RFC 9700 §4.12).
pub(super) fn see_other(place: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, place)).insert_header((header::CACHE_CONTROL, "no-store"));
    response
}
