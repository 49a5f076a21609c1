//! `/link`: a one-time link. Looking at it shows a button; only the button uses it up.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::Form;
use super::callback::session_cookie;
use super::error_page;
use super::page::{admitted, html, parameter};
use super::session_user::see_other;
use crate::domain::ctx::Actor;
use crate::login::attempt::HOME;
use crate::store::one_time_links::OneTimeLinkPurpose;
use crate::web::App;
use crate::web::error::HttpError;

#[derive(Template)]
#[template(path = "login/link.html")]
struct Page<'a> {
    heading: &'a str,
    token: &'a str,
}

/// Shows what the link is for.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    if !admitted(&request, &app) {
        return error_page::page(&request, &app, &error_page::busy(), "/login");
    }
    let token = parameter(&request, "token");
    match app.desk.login.link(&app.ctx(Actor::System), &token).await {
        Ok(purpose) => html(StatusCode::OK, &Page { heading: heading(purpose), token: &token }),
        Err(refusal) => error_page::page(&request, &app, &refusal, "/login"),
    }
}

/// Uses the link up.
pub(super) async fn consume(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let form = Form::read(&request, &app, payload).await?;
    if !admitted(&request, &app) {
        return Ok(error_page::page(&request, &app, &error_page::busy(), "/login"));
    }
    let login = &app.desk.login;
    Ok(match login.use_link(&app.ctx(Actor::System), form.field("token")).await {
        Ok(token) => see_other(HOME).cookie(session_cookie(login.secure(), &token)).finish(),
        Err(refusal) => error_page::page(&request, &app, &refusal, "/login"),
    })
}

fn heading(purpose: OneTimeLinkPurpose) -> &'static str {
    match purpose {
        OneTimeLinkPurpose::SetUp => "Set up this installation",
        OneTimeLinkPurpose::Recover => "Get back in",
    }
}
