//! Figures for a monitoring system, in the Prometheus text format.
use std::sync::OnceLock;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use subtle::ConstantTimeEq;

use super::problem::{Face, Refusal, sentence};
use super::routes::{Access, Entry, Isolation};
use super::{App, extract};
use crate::domain::time::Timestamp;

/// The one recorder of this process: the `metrics` facade takes no second one.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The routes of this module.
pub const ROUTES: &[Entry] = &[Entry {
    path: "/metrics",
    access: Access::Metrics,
    isolation: Isolation::NoTenant,
    get: Some(|| web::to(show)),
    ..Entry::NONE
}];

/// Starts to collect; does so once, however often it is called.
pub fn collect() {
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
            .ok()?
            .build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).ok()?;
        Some(handle)
    });
}

/// Everything collected so far.
pub fn text() -> Option<String> {
    let handle = RECORDER.get()?.as_ref()?;
    handle.run_upkeep();
    Some(handle.render())
}

/// Counts one answered request.
pub fn answered(route: &str, method: &Method, status: StatusCode, begun: Timestamp, ended: Timestamp) {
    // Clients can make methods up; a label must not.
    let method = match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    };
    let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.as_u16().to_string())];
    ::metrics::counter!("rolecall_http_requests_total", &labels).increment(1);
    let micros = ended.micros().saturating_sub(begun.micros()).max(0);
    // A request lasts far less than the 2^52 microseconds where this would round.
    #[allow(clippy::cast_precision_loss, reason = "see above")]
    let seconds = micros as f64 / 1e6;
    ::metrics::histogram!("rolecall_http_request_seconds", "route" => route.to_owned()).record(seconds);
}

/// Counts a request whose token opens nothing.
pub fn refused_tokens() {
    ::metrics::counter!("rolecall_scim_tokens_refused_total").increment(1);
}

/// `GET /metrics` on the main address: only with the token; without one set there is no such page.
async fn show(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, Refusal> {
    let Some(token) = &app.config.metrics.token else {
        return Err(Refusal::new(Face::Plain, StatusCode::NOT_FOUND, sentence(StatusCode::NOT_FOUND)));
    };
    let given = extract::bearer(&request).unwrap_or_default();
    if given.as_bytes().ct_eq(token.expose().as_bytes()).unwrap_u8() == 0 {
        return Err(Refusal::new(Face::Plain, StatusCode::UNAUTHORIZED, "Send the token of the metrics page.")
            .with(header::WWW_AUTHENTICATE, "Bearer realm=\"metrics\""));
    }
    Ok(page())
}

/// The page itself.
pub fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text().unwrap_or_default())
}
