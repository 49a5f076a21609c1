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
    let visitor = match SessionUser::of(&request, &app).await {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let page = Page {
        csrf: visitor.form_token(),
        id: visitor.person().to_string(),
        since: minute(visitor.signed.created_at),
        until: minute(visitor.signed.expires_at),
        name: visitor.signed.display_name,
    };
    html(StatusCode::OK, &page)
}
