//! `/sso/{slug}/callback`: back from the provider.
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse, web};

use super::begin::forget;
use super::error_page;
use super::page::admitted;
use super::session_user::see_other;
use crate::domain::ctx::Actor;
use crate::login::{attempt, begin, callback, session};
use crate::secret::PlainToken;
use crate::web::App;
use crate::web::extract::ClientInfo;
use crate::web::scim::log;

/// Refusals that come before the attempt is used up.
const ENDS_NOTHING: [&str; 4] = ["login_attempt.", "connection.unknown", "connection.config", "store"];

/// Takes the provider's answer: a session, or a page that says why not. Either way the browser leaves this address at
/// once or the answer is of no further use.
pub(super) async fn answer(request: HttpRequest, app: web::Data<App>, slug: web::Path<String>) -> HttpResponse {
    let again = format!("/login/{slug}");
    if !admitted(&request, &app) {
        return error_page::page(&request, &app, &error_page::busy(), &again);
    }
    let login = &app.desk.login;
    let callback = match callback::read(request.query_string()) {
        Ok(callback) => callback,
        Err(refusal) => {
            let status = error_page::status(refusal.kind);
            log::stranger(&app, &request, &slug, request.path(), status, refusal.to_string()).await;
            return error_page::page(&request, &app, &refusal, &again);
        }
    };
    let id = attempt::id_of(&callback.state);
    let browser = id.and_then(|id| request.cookie(&begin::cookie_name(login.secure(), id)));
    let browser = browser.as_ref().map(Cookie::value);
    let mut over = browser.is_some();
    let mut response = match login.finish(&app.ctx(Actor::System), &slug, callback, browser).await {
        Ok(arrived) => {
            if let Some(client) = ClientInfo::of(&request) {
                app.desk.begun.give_back(client.ip, app.clock.now());
            }
            see_other(&arrived.return_to).cookie(session_cookie(login.secure(), &arrived.session)).finish()
        }
        Err(refusal) => {
            // What does not belong to the attempt does not end it.
            over &= !ENDS_NOTHING.iter().any(|code| refusal.code.starts_with(code));
            error_page::page(&request, &app, &refusal, &again)
        }
    };
    if let Some(id) = id.filter(|_| over) {
        // An answer that cannot carry it leaves a cookie that is of no use any more.
        let _added = response.add_cookie(&forget(login.secure(), id));
    }
    response
}

/// The cookie of a session.
pub(super) fn session_cookie(secure: bool, token: &PlainToken) -> Cookie<'static> {
    Cookie::build(session::cookie_name(secure), token.reveal().to_owned())
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(session::LIFE))
        .finish()
}
