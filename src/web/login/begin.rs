//! `/login/{slug}`: off to the provider.
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse, web};

use super::error_page;
use super::page::{admitted, parameter};
use super::session_user::see_other;
use crate::domain::ctx::Actor;
use crate::domain::id::AttemptId;
use crate::login::{attempt, begin};
use crate::web::App;
use crate::web::extract::ClientInfo;

/// Attempts one browser may have open; the oldest go.
const MOST_OPEN: usize = 8;

/// Begins a sign-in and sends the browser to the provider.
pub(super) async fn begin(request: HttpRequest, app: web::Data<App>, slug: web::Path<String>) -> HttpResponse {
    let client = ClientInfo::of(&request).map(|client| client.ip);
    let (desk, now) = (&app.desk, app.clock.now());
    if !admitted(&request, &app) || !client.is_none_or(|client| desk.begun.admits(client, now)) {
        return error_page::page(&request, &app, &error_page::busy(), "/login");
    }
    let login = &app.desk.login;
    let begun = match login.begin(&app.ctx(Actor::System), &slug, &parameter(&request, "to")).await {
        Ok(begun) => begun,
        Err(refusal) => return error_page::page(&request, &app, &refusal, "/login"),
    };
    if let Some(client) = client {
        desk.begun.count(client, now);
    }
    let mut response = see_other(begun.there.as_str());
    for old in too_many(&request) {
        let mut gone = cookie(login.secure(), old, String::new());
        gone.make_removal();
        response.cookie(gone);
    }
    response.cookie(cookie(
        login.secure(),
        begin::cookie_name(login.secure(), begun.attempt),
        begun.cookie.to_string(),
    ));
    response.finish()
}

/// The cookie of an attempt. `Lax`, because the provider sends the browser back from another site.
fn cookie(secure: bool, name: String, value: String) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(attempt::LIFE))
        .finish()
}

/// A cookie that makes the browser forget an attempt.
pub(super) fn forget(secure: bool, attempt: AttemptId) -> Cookie<'static> {
    let mut gone = cookie(secure, begin::cookie_name(secure, attempt), String::new());
    gone.make_removal();
    gone
}

/// Names of attempts beyond the newest: their ids are in the order of time.
fn too_many(request: &HttpRequest) -> Vec<String> {
    let Ok(cookies) = request.cookies() else { return Vec::new() };
    let mut names: Vec<_> =
        cookies.iter().map(|cookie| cookie.name().to_owned()).filter(|name| name.contains("rolecall-try-")).collect();
    names.sort_unstable();
    names.truncate((names.len() + 1).saturating_sub(MOST_OPEN));
    names
}
