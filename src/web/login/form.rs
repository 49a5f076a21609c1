//! Forms of our own pages.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use url::{Origin, Url};

use crate::web::App;
use crate::web::error::HttpError;
use crate::web::extract;

/// The largest form, in bytes.
const MOST: usize = 64 * 1024;
/// The most fields of a form.
const MOST_FIELDS: usize = 1_000;

/// The fields of a form, in order.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form that one of our own pages has sent.
    ///
    /// # Errors
    /// 403 when it comes from elsewhere; 415 when it is no form; 400 when it is no text; as [`extract::body`].
    pub async fn read(request: &HttpRequest, app: &App, payload: web::Payload) -> Result<Self, HttpError> {
        if !from_here(request, app) {
            let detail = "This form was not sent by a page of this server. Open the page here and try again.";
            return Err(HttpError::at(request, StatusCode::FORBIDDEN, detail));
        }
        let kind = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
            return Err(HttpError::at(request, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send a form."));
        }
        let time = Duration::from_secs(app.config.server.limits.body_timeout_seconds);
        let body = extract::body(request, payload, MOST, time).await?;
        if url::form_urlencoded::parse(&body).nth(MOST_FIELDS).is_some() {
            let detail = format!("The form has more than {MOST_FIELDS} fields.");
            return Err(HttpError::at(request, StatusCode::BAD_REQUEST, detail));
        }
        let detail = "The form holds bytes that are no UTF-8 text.";
        extract::form(&body).map(Self).ok_or_else(|| HttpError::at(request, StatusCode::BAD_REQUEST, detail))
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

/// Whether the browser says that one of our own pages sends this. Browsers say so in `Sec-Fetch-Site`, but not over plain
/// http to a name or an address of the network; there `Origin` tells, which has to be the address that the browser asks.
/// A request with neither is no browser's form.
fn from_here(request: &HttpRequest, app: &App) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            origin == app.public_url.as_str() || is_asked(origin, header("host"), app.public_url.as_str())
        }
        (None, None) => false,
    }
}

/// Whether `origin` is the address in the `Host` header, over the scheme of the public address.
fn is_asked(origin: &str, host: Option<&str>, public_url: &str) -> bool {
    let scheme = public_url.split("://").next().unwrap_or_default();
    let parsed = |text: String| Url::parse(&text).ok().map(|url| url.origin()).filter(Origin::is_tuple);
    let asked = host.and_then(|host| parsed(format!("{scheme}://{host}")));
    asked.is_some() && asked == parsed(origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_asked;

    #[test]
    fn a_form_comes_from_the_address_that_is_asked() {
        for (origin, host, good) in [
            ("http://rolecall.test:8080", Some("rolecall.test:8080"), true),
            ("http://rolecall.test", Some("rolecall.test:80"), true),
            ("http://ROLECALL.test", Some("rolecall.test"), true),
            ("http://[::1]:8080", Some("[::1]:8080"), true),
            ("http://10.0.0.7:8080", Some("10.0.0.7:8080"), true),
            ("http://rolecall.test:8081", Some("rolecall.test:8080"), false),
            ("http://evil.test:8080", Some("rolecall.test:8080"), false),
            ("https://rolecall.test:8080", Some("rolecall.test:8080"), false),
            ("null", Some("rolecall.test:8080"), false),
            ("null", Some("null"), false),
            ("", Some(""), false),
            ("http://rolecall.test", None, false),
            ("http://a/b@rolecall.test", Some("rolecall.test"), false),
        ] {
            assert_eq!(is_asked(origin, host, "http://127.0.0.1:8080"), good, "{origin} {host:?}");
        }
        assert!(is_asked("https://id.test", Some("id.test"), "https://door.test"));
        assert!(!is_asked("http://id.test", Some("id.test"), "https://door.test"), "not from a page without TLS");
    }
}
