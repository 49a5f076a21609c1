//! `/livez`: the process runs. `/readyz`: it can answer reads and decisions, and what else is wrong; with `?for=writes`,
//! whether writes belong here too.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{Error, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::error::{ErrorFormat, HttpError};
use super::routes::{RouteAccess, RouteSpec, TenantIsolation};
use crate::jobs::health::Trouble;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The routes of this module.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec {
        path: "/livez",
        access: RouteAccess::Open,
        isolation: TenantIsolation::NoTenant,
        get: Some(|| web::to(live)),
        ..RouteSpec::NONE
    },
    RouteSpec {
        path: "/readyz",
        access: RouteAccess::Open,
        isolation: TenantIsolation::NoTenant,
        get: Some(|| web::to(ready)),
        ..RouteSpec::NONE
    },
];

async fn live() -> HttpResponse {
    fine()
}

/// What readiness is asked for.
#[derive(Deserialize)]
struct Query {
    #[serde(rename = "for")]
    purpose: Option<Purpose>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    Reads,
    Writes,
}

async fn ready(app: web::Data<App>, query: Result<web::Query<Query>, Error>) -> Result<HttpResponse, HttpError> {
    let refuse = |status, detail: String| HttpError::new(ErrorFormat::Plain, status, detail);
    let unready = |detail: &str| refuse(StatusCode::SERVICE_UNAVAILABLE, detail.to_owned());
    let query = query.map_err(|_| refuse(StatusCode::BAD_REQUEST, "`for` is \"reads\" or \"writes\".".to_owned()))?;
    let writes = query.purpose == Some(Purpose::Writes);
    if app.is_stopping() {
        return Err(unready("The server is stopping."));
    }
    match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not answer");
            return Err(unready("The store does not answer."));
        }
        Err(_) => return Err(unready("The store does not answer in time.")),
    }
    // What a request has met since the last look counts at once.
    let mut wrong = app.health.all();
    let mut add = |trouble: Trouble, on: bool, told: &str| {
        if on && !wrong.iter().any(|(known, _)| *known == trouble) {
            wrong.push((trouble, told.to_owned()));
        }
    };
    add(Trouble::Writes, app.store.refuses_writes(), "The store has refused a write.");
    add(Trouble::Damage, app.store.damaged(), "The store has met damage.");
    // It answered just now.
    wrong.retain(|(trouble, _)| *trouble != Trouble::Store);
    let stops = |trouble: Trouble| if writes { trouble.stops_writes() } else { trouble.stops_reads() };
    if let Some((_, told)) = wrong.iter().find(|(trouble, _)| stops(*trouble)) {
        return Err(unready(told));
    }
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({
        "status": if wrong.is_empty() { "ready" } else { "degraded" },
        "degraded": wrong.iter().map(|(trouble, _)| trouble.word()).collect::<Vec<_>>(),
        "details": wrong.iter().map(|(_, told)| told).collect::<Vec<_>>(),
    })))
}

fn fine() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body("ok\n")
}
