//! `GET /connections/{slug}/request-log`.
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connection;
use crate::domain::capability::CoreCapability;
use crate::domain::id::Id as _;
use crate::store::request_log::{LogPosition, RequestLogEntry};
use crate::web::api::error::Fault;
use crate::web::api::model::ApiTimestamp;
use crate::web::api::page::{ApiPage, PageParams, sealed};
use crate::web::api::request::{ApiRequest, ApiResult, ok};
use crate::web::error::sentence;

/// A request that a provider sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub(in crate::web::api) struct RequestLogEntryView {
    /// Its name, also in the `x-request-id` of the answer it got.
    request_id: String,
    /// When it came.
    at: ApiTimestamp,
    /// The token it carried; none for a request at the token endpoint.
    token: Option<Uuid>,
    /// From where.
    client_address: String,
    /// The method.
    method: String,
    /// The path below the base address; whole at the token endpoint.
    path: String,
    /// The body, secrets masked; cut when long. Of a refused sign-in, what the provider says who it was.
    request: Option<String>,
    /// Which tolerances of the profile were used.
    normalizations: Vec<String>,
    /// What it changed; nothing is said of what it did not.
    #[schema(value_type = Object)]
    effect: Value,
    /// Whether it was only tried.
    dry_run: bool,
    /// The status it got.
    status: u16,
    /// Why it was refused.
    error: Option<String>,
    /// How long it took, in microseconds.
    duration_us: i64,
}

/// The requests of a SCIM connection and the refused sign-ins of an OpenID connection, newest first. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/request-log", tag = "Connections", operation_id = "listRequestLog",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("q" = Option<String>, Query, description = "what a request must contain; each page looks through 20,000 at most"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of requests", body = ApiPage<RequestLogEntryView>)))]
pub(in crate::web::api) async fn log(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<LogPosition>::searching(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let page = call.app.request_log.page(&connection.extent, &wanted.search, wanted.after, wanted.limit).await;
    let (entries, next) = page.map_err(|error| {
        tracing::error!(%error, "the log of requests could not be read");
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, sentence(StatusCode::SERVICE_UNAVAILABLE))
    })?;
    ok(&ApiPage { items: entries.into_iter().map(view).collect(), next: next.as_ref().map(sealed) })
}

fn view(entry: RequestLogEntry) -> RequestLogEntryView {
    RequestLogEntryView {
        request_id: entry.request_id,
        at: ApiTimestamp(entry.at),
        token: entry.token.map(|token| token.uuid()),
        client_address: entry.client_address,
        method: entry.method,
        path: entry.path,
        request: entry.request.map(|body| body.text().into_owned()),
        normalizations: entry.normalizations,
        effect: entry.effect,
        dry_run: entry.dry_run,
        status: entry.status,
        error: entry.error,
        duration_us: entry.duration_us,
    }
}
