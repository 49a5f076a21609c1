//! Forms of our own pages.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::web::App;
use crate::web::extract;
use crate::web::problem::Refusal;

/// The largest form, in bytes.
const MOST: usize = 64 * 1024;

/// The fields of a form, in order.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form that one of our own pages has sent.
    ///
    /// # Errors
    /// 403 when it comes from elsewhere; 415 when it is no form; as [`extract::body`].
    pub async fn read(request: &HttpRequest, app: &App, payload: web::Payload) -> Result<Self, Refusal> {
        if !from_here(request, app) {
            let detail = "This form was not sent by a page of this server. Open the page here and try again.";
            return Err(Refusal::at(request, StatusCode::FORBIDDEN, detail));
        }
        let kind = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
            return Err(Refusal::at(request, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send a form."));
        }
        let time = Duration::from_secs(app.config.server.limits.body_seconds);
        let body = extract::body(request, payload, MOST, time).await?;
        Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// The value of a field; empty when it is absent.
    pub fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field that may be sent more than once.
    pub fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Whether the browser says that one of our own pages sends this. Pages are served with `Referrer-Policy: no-referrer`,
/// under which browsers send `Origin: null`; `Sec-Fetch-Site` then tells. A request with neither is no browser's form.
fn from_here(request: &HttpRequest, app: &App) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header("origin") == Some(app.public_url.as_str()),
    }
}
