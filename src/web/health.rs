//! `/livez`: the process runs. `/readyz`: it can do its work, because the store answers.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{HttpResponse, web};

use super::App;
use super::problem::{Face, Refusal};
use super::routes::{Access, Entry, Isolation};

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The routes of this module.
pub const ROUTES: &[Entry] = &[
    Entry {
        path: "/livez",
        access: Access::Open,
        isolation: Isolation::NoTenant,
        get: Some(|| web::to(live)),
        ..Entry::NONE
    },
    Entry {
        path: "/readyz",
        access: Access::Open,
        isolation: Isolation::NoTenant,
        get: Some(|| web::to(ready)),
        ..Entry::NONE
    },
];

async fn live() -> HttpResponse {
    fine()
}

async fn ready(app: web::Data<App>) -> Result<HttpResponse, Refusal> {
    let unready = |detail: &'static str| Refusal::new(Face::Plain, StatusCode::SERVICE_UNAVAILABLE, detail);
    if app.is_stopping() {
        return Err(unready("The server is stopping."));
    }
    match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => Ok(fine()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not answer");
            Err(unready("The store does not answer."))
        }
        Err(_) => Err(unready("The store does not answer in time.")),
    }
}

fn fine() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body("ok\n")
}
