//! `/account`: who is signed in here, and since when.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::SessionUser;
use super::page::html;
use crate::web::App;
use crate::web::time_format::minute;

#[derive(Template)]
#[template(path = "login/account.html")]
struct Page {
    id: String,
    name: String,
    since: String,
    until: String,
    csrf: String,
}

/// Shows the session.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let session_user = match SessionUser::of(&request, &app).await {
        Ok(session_user) => session_user,
        Err(answer) => return answer,
    };
    let page = Page {
        csrf: session_user.form_token(),
        id: session_user.user().to_string(),
        since: minute(session_user.signed.created_at),
        until: minute(session_user.signed.expires_at),
        name: session_user.signed.display_name,
    };
    html(StatusCode::OK, &page)
}
