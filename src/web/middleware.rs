//! What every request passes: an id, limits on its head, the log, figures, errors in the right
//! form, and the headers every answer carries.
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, web};
use futures_util::FutureExt;
use tracing::Instrument;

use super::error::{DAMAGED, ErrorFormat, HttpError, LATE, sentence};
use super::extract::{self, ClientInfo};
use super::operator_token::Operator;
use super::socket::HttpConnection;
use super::stalled_body::Paced;
use super::{App, listen, metrics, request_head, routes};
use crate::jobs::health::Trouble;

/// The header that carries the id of a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When whoever was answered 503 may come back, in seconds.
const RETRY_SECONDS: &str = "2";

/// What an HTTP/2 client is told that has too much under way on one connection.
const TOO_MANY_AT_ONCE: &str = "Too many requests are under way on this connection; wait for some of their answers.";

/// Pages load nothing from elsewhere and run no inline script.
const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Bytes of a path with its query.
const ADDRESS_BYTES: usize = 32_768;

/// Everything around a handler; see the module.
pub async fn edge<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Paced<EitherBody<B, BoxBody>>>, Error> {
    let app = request.app_data::<web::Data<App>>().cloned();
    let app = app.ok_or_else(|| HttpError::new(ErrorFormat::Plain, StatusCode::INTERNAL_SERVER_ERROR, "No state."))?;
    let begun = app.clock.now();
    tidy_path(&mut request);
    let face = ErrorFormat::of(request.path());
    let route = request.match_pattern();
    let limit = limit_of(&request, &app, route.as_deref());
    let client = client_of(&request, &app, limit);
    let id = client.request_id.clone();
    let https = client.https;
    let method = request.method().clone();
    let span = tracing::info_span!("request", id, %method, path = request.path(), client = %client.ip);
    let address = client.ip;
    request.extensions_mut().insert(client);
    let line = listen::line_of(request.request()).cloned();
    let stay = line.as_ref().and_then(HttpConnection::begin);
    let crowded = line.is_some() && stay.is_none();
    let presented = extract::bearer(request.request()).is_some();

    let outcome = if let Err(refusal) = fit(&request, face, app.config.server.limits.max_header_bytes) {
        Ok(Ok(request.into_response(refusal.error_response()).map_into_right_body()))
    } else if crowded {
        let refusal = HttpError::new(face, StatusCode::TOO_MANY_REQUESTS, TOO_MANY_AT_ONCE);
        Ok(Ok(request.into_response(refusal.error_response()).map_into_right_body()))
    } else if let Some(refusal) = stranger(&app, face, route.as_deref(), presented, address)
        .or_else(|| out_of_order(&app, face, route.as_deref()))
    {
        Ok(Ok(request.into_response(refusal.error_response()).map_into_right_body()))
    } else {
        let answer = next.call(request).map(|answer| answer.map(ServiceResponse::map_into_left_body));
        let answer = AssertUnwindSafe(answer).catch_unwind().instrument(span.clone());
        let answered = match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await,
            None => Ok(answer.await),
        };
        match answered {
            Ok(outcome) => outcome,
            Err(_) => {
                let _entered = span.entered();
                tracing::error!(
                    seconds = limit.map(|limit| limit.as_secs()),
                    "a request was given up: no answer in time"
                );
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let route = route.as_deref().unwrap_or("unmatched");
                metrics::answered(route, &method, status, begun, app.clock.now());
                return Err(Dressed::new(HttpError::new(face, status, LATE), &id, https).into());
            }
        }
    };

    let _entered = span.entered();
    let mut response = match outcome {
        Ok(Ok(response)) => response,
        // No request is left to answer through: the error carries the finished answer out.
        Ok(Err(error)) => {
            let status = error.as_response_error().status_code();
            return Err(Dressed::new(HttpError::new(face, status, sentence(status)), &id, https).into());
        }
        Err(panic) => {
            tracing::error!(reason = reason_of(&*panic), "a handler panicked");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            metrics::answered("unmatched", &method, status, begun, app.clock.now());
            return Err(Dressed::new(HttpError::new(face, status, sentence(status)), &id, https).into());
        }
    };
    // Whoever guesses at tokens is held up; a good one never meets this.
    if response.status() == StatusCode::UNAUTHORIZED
        && presented
        && let Err(wait) = app.strangers.admit(address)
    {
        response = response.into_response(too_often(face, wait).error_response()).map_into_right_body();
    }
    // "Try again" would be untrue of a store that has met damage, whichever connection says it.
    if response.status() == StatusCode::SERVICE_UNAVAILABLE && app.store.damaged() && !is_about_itself(route.as_deref())
    {
        let refusal = HttpError::new(face, StatusCode::INTERNAL_SERVER_ERROR, DAMAGED);
        response = response.into_response(refusal.error_response()).map_into_right_body();
    }
    if wants_form(face, &response) {
        response = in_form(face, response);
    }
    let status = response.status();
    dress(response.headers_mut(), status, face, &id, https);
    let route = route.as_deref().unwrap_or("unmatched");
    metrics::answered(route, &method, status, begun, app.clock.now());
    let micros = app.clock.now().micros().saturating_sub(begun.micros());
    if status.is_server_error() {
        tracing::error!(status = status.as_u16(), micros, route, "answered");
    } else {
        tracing::debug!(status = status.as_u16(), micros, route, "answered");
    }
    Ok(response.map_body(|_, body| Paced::new(body, stay)))
}

/// Takes doubled slashes and a slash at the end out of the path, so that `//Users/` is `/Users`.
fn tidy_path(request: &mut ServiceRequest) {
    let path = request.path();
    if path == "/" || (!path.contains("//") && !path.ends_with('/')) {
        return;
    }
    let mut tidy = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        tidy.push('/');
        tidy.push_str(segment);
    }
    if tidy.is_empty() {
        tidy.push('/');
    }
    if let Some(query) = request.uri().query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = tidy.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// How long a request may take: the operator's own, and what waits for a directory, take as long as they take.
fn limit_of(request: &ServiceRequest, app: &App, route: Option<&str>) -> Option<Duration> {
    let lasting = route.is_some_and(routes::is_lasting);
    let operator = request.app_data::<web::Data<Operator>>();
    let operated = || operator.is_some_and(|own| extract::bearer(request.request()).is_some_and(|token| own.is(token)));
    (!lasting && !operated()).then(|| Duration::from_secs(app.config.server.limits.request_timeout_seconds))
}

/// Refuses a request that no SCIM connection and no user is counted for, when its address sends too many.
fn stranger(app: &App, face: ErrorFormat, route: Option<&str>, presented: bool, address: IpAddr) -> Option<HttpError> {
    let counted_elsewhere = presented && route.is_some_and(routes::counts_callers);
    if counted_elsewhere {
        return None;
    }
    app.strangers.admit(address).err().map(|wait| too_often(face, wait))
}

fn too_often(face: ErrorFormat, wait: Duration) -> HttpError {
    let seconds = wait.as_secs().saturating_add(1);
    let detail = format!("Too many requests come from your address; wait {seconds} s.");
    HttpError::new(face, StatusCode::TOO_MANY_REQUESTS, detail).with(header::RETRY_AFTER, &seconds.to_string())
}

/// While this server's clock is not to be trusted it answers nothing that depends on what time it is, which is
/// everything but how it is.
fn out_of_order(app: &App, face: ErrorFormat, route: Option<&str>) -> Option<HttpError> {
    let told = app.health.of(Trouble::Clock)?;
    (!is_about_itself(route)).then(|| HttpError::new(face, StatusCode::SERVICE_UNAVAILABLE, told))
}

/// Whether the server is asked how it is.
fn is_about_itself(route: Option<&str>) -> bool {
    matches!(route, Some("/livez" | "/readyz" | "/metrics"))
}

fn client_of(request: &ServiceRequest, app: &App, limit: Option<Duration>) -> ClientInfo {
    let peer = request.peer_addr().map_or_else(|| [0, 0, 0, 0].into(), |peer| peer.ip());
    let tls = app.config.server.tls.files().is_some();
    let (ip, https) = extract::origin(peer, tls, request.headers(), &app.config.server.trusted_proxies);
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    ClientInfo { ip, https: https || app.public_url.is_https(), request_id: app.fresh_id(), until }
}

/// Refuses a head that no handler should see.
fn fit(request: &ServiceRequest, face: ErrorFormat, most: usize) -> Result<(), HttpError> {
    let refuse = |status, detail| Err(HttpError::new(face, status, detail));
    let address = request.uri().path_and_query().map_or("", |address| address.as_str());
    if address.len() > ADDRESS_BYTES {
        return refuse(StatusCode::URI_TOO_LONG, sentence(StatusCode::URI_TOO_LONG));
    }
    if !extract::is_text(address) {
        return refuse(StatusCode::BAD_REQUEST, "The address holds bytes that are no UTF-8 text.");
    }
    if let Some(objection) = request_head::objection(request.head()) {
        return refuse(StatusCode::BAD_REQUEST, objection);
    }
    if headers_size(request.headers()) > most {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return refuse(status, sentence(status));
    }
    Ok(())
}

fn headers_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Whether an answer is an error that did not come in the form of its connection.
fn wants_form<B>(face: ErrorFormat, response: &ServiceResponse<B>) -> bool {
    if face == ErrorFormat::Plain || response.status().as_u16() < 400 {
        return false;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    !kind.is_some_and(|kind| kind.starts_with(face.media_type()))
}

fn in_form<B>(face: ErrorFormat, response: ServiceResponse<EitherBody<B>>) -> ServiceResponse<EitherBody<B>> {
    let status = response.status();
    let allow = response.headers().get(header::ALLOW).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut refusal = HttpError::new(face, status, sentence(status));
    if let Some(allow) = allow {
        refusal = refusal.with(header::ALLOW, &allow);
    }
    response.into_response(refusal.error_response()).map_into_right_body()
}

/// The headers every answer carries.
fn dress(headers: &mut HeaderMap, status: StatusCode, face: ErrorFormat, id: &str, https: bool) {
    if status == StatusCode::SERVICE_UNAVAILABLE && !headers.contains_key(header::RETRY_AFTER) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    }
    if let (Ok(id), false) = (HeaderValue::from_str(id), headers.contains_key(REQUEST_ID)) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if face == ErrorFormat::Plain {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY));
        }
    }
    if face != ErrorFormat::Plain && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// A refusal with the headers of every answer, where no response can be returned any more.
#[derive(Debug)]
struct Dressed {
    refusal: HttpError,
    face: ErrorFormat,
    id: String,
    https: bool,
}

impl Dressed {
    fn new(refusal: HttpError, id: &str, https: bool) -> Self {
        Self { face: refusal.face(), refusal, id: id.to_owned(), https }
    }
}

impl std::fmt::Display for Dressed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.refusal.fmt(f)
    }
}

impl ResponseError for Dressed {
    fn status_code(&self) -> StatusCode {
        self.refusal.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.refusal.error_response();
        dress(response.headers_mut(), self.refusal.status_code(), self.face, &self.id, self.https);
        response
    }
}

fn reason_of(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}
