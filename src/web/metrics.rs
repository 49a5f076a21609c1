//! Figures for a monitoring system, in the Prometheus text format.
use std::sync::OnceLock;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use subtle::ConstantTimeEq;

use super::error::{ErrorFormat, HttpError, sentence};
use super::routes::{RouteAccess, RouteSpec, TenantIsolation};
use super::{App, extract};
use crate::domain::time::Timestamp;

/// The one recorder of this process: the `metrics` facade takes no second one.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Buckets of durations, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Buckets of what a disk takes, in seconds.
const DISK_SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Buckets of how many went together.
const COUNTS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counters without labels.
const COUNTERS: [(&str, &str); 6] = [
    ("rolecall_http_connections_refused_total", "Connections refused because their address had as many as it may"),
    ("rolecall_request_log_dropped_entries_total", "Entries that the log of requests lost"),
    ("rolecall_scim_authentication_failures_total", "SCIM requests whose token opened nothing"),
    ("rolecall_removal_alerts_total", "Alarms raised because much was taken away"),
    ("rolecall_db_commit_failures_total", "Shared commits that failed"),
    ("rolecall_db_transaction_retries_total", "Writes that were run again"),
];

/// Why the server ends connections.
const ENDS: [&str; 4] = ["write", "answer", "rest", "frames"];

/// Distributions.
const OTHERS: [(&str, &str); 4] = [
    ("rolecall_http_request_duration_seconds", "From the head of a request to the head of its answer"),
    ("rolecall_db_commit_duration_seconds", "What the disk took for a commit"),
    ("rolecall_db_commit_batch_size", "Writes that shared a commit"),
    ("rolecall_user_create_batch_size", "Users written by one statement"),
];

/// The routes of this module.
pub const ROUTES: &[RouteSpec] = &[RouteSpec {
    path: "/metrics",
    access: RouteAccess::Metrics,
    isolation: TenantIsolation::NoTenant,
    get: Some(|| web::to(show)),
    ..RouteSpec::NONE
}];

/// Starts to collect; does so once, however often it is called.
pub fn collect() {
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .ok()?
            .set_buckets_for_metric(Matcher::Full("rolecall_db_commit_duration_seconds".to_owned()), &DISK_SECONDS)
            .ok()?
            .set_buckets_for_metric(Matcher::Full("rolecall_db_commit_batch_size".to_owned()), &COUNTS)
            .ok()?
            .set_buckets_for_metric(Matcher::Full("rolecall_user_create_batch_size".to_owned()), &COUNTS)
            .ok()?
            .build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).ok()?;
        begin();
        Some(handle)
    });
}

/// What each series is, and every counter from nought on: one that appears with its first count hides it from whoever
/// watches how fast it grows.
fn begin() {
    for (name, told) in COUNTERS {
        ::metrics::describe_counter!(name, told);
        ::metrics::counter!(name).increment(0);
    }
    for why in ENDS {
        ::metrics::counter!("rolecall_http_connections_ended_total", "why" => why).increment(0);
    }
    for (name, told) in OTHERS {
        ::metrics::describe_histogram!(name, told);
    }
    ::metrics::describe_counter!(
        "rolecall_http_connections_ended_total",
        "Connections that the server ended because their client stalled or sent too many empty frames"
    );
    ::metrics::describe_counter!("rolecall_http_requests_total", "Answered requests");
    ::metrics::describe_gauge!("rolecall_degraded", "1 while this is wrong; /readyz names the same");
    for entry in super::routes::all() {
        for method in entry.methods() {
            for status in ["200", "500", "503"] {
                let labels = [("route", entry.path), ("method", method), ("status", status)];
                ::metrics::counter!("rolecall_http_requests_total", &labels).increment(0);
            }
        }
    }
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
    ::metrics::histogram!("rolecall_http_request_duration_seconds", "route" => route.to_owned()).record(seconds);
}

/// Counts a request whose token opens nothing.
pub fn refused_tokens() {
    ::metrics::counter!("rolecall_scim_authentication_failures_total").increment(1);
}

/// `GET /metrics` on the main address: only with the token; without one set there is no such page.
async fn show(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let Some(token) = &app.config.metrics.token else {
        return Err(HttpError::new(ErrorFormat::Plain, StatusCode::NOT_FOUND, sentence(StatusCode::NOT_FOUND)));
    };
    let given = extract::bearer(&request).unwrap_or_default();
    if given.as_bytes().ct_eq(token.expose().as_bytes()).unwrap_u8() == 0 {
        return Err(HttpError::new(
            ErrorFormat::Plain,
            StatusCode::UNAUTHORIZED,
            "Send the token of the metrics page.",
        )
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
