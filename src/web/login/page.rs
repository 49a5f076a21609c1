//! `/login`: which company?
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::Form;
use super::error_page;
use super::session_user::see_other;
use crate::login::attempt::local_path;
use crate::web::App;
use crate::web::error::HttpError;
use crate::web::extract::ClientInfo;

#[derive(Template)]
#[template(path = "login/page.html")]
struct Page<'a> {
    to: &'a str,
    name: &'a str,
    unknown: bool,
}

/// Shows the page.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let to = parameter(&request, "to");
    page(&app, StatusCode::OK, &Page { to: local_path(&to), name: "", unknown: false })
}

/// Goes on to the sign-in that was named. Whether there is one is not told here.
pub(super) async fn choose(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let form = Form::read(&request, &app, payload).await?;
    if !admitted(&request, &app) {
        return Ok(error_page::page(&request, &app, &error_page::busy(), "/login"));
    }
    let name = form.field("name").trim().to_ascii_lowercase();
    let to = local_path(form.field("to"));
    let shaped = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !shaped {
        return Ok(page(&app, StatusCode::UNPROCESSABLE_ENTITY, &Page { to, name: &name, unknown: true }));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    Ok(see_other(&format!("/login/{name}?{query}")).finish())
}

/// Browsers hold the redirects that follow a form to `form-action` too, and these lead to the company's provider.
fn page(app: &App, status: StatusCode, page: &Page<'_>) -> HttpResponse {
    let mut response = html(status, page);
    let providers =
        if app.config.outbound.allow_loopback { "https: http://127.0.0.1:* http://localhost:*" } else { "https:" };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self' {providers}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = header::HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A page that is not kept by anybody.
pub(super) fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
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

/// A parameter of the query; empty when it is absent.
pub(super) fn parameter(request: &HttpRequest, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Whether the client may try to sign in now: not when too much of what it tried has failed.
pub(super) fn admitted(request: &HttpRequest, app: &App) -> bool {
    ClientInfo::of(request).is_none_or(|client| app.desk.limits.admits(client.ip, app.clock.now()))
}
