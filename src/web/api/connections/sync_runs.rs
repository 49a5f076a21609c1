//! Runs of an LDAP connection.
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connection;
use crate::domain::capability::CoreCapability;
use crate::domain::id::Id as _;
use crate::domain::time::Timestamp;
use crate::store::runs::{self, SyncRunRow};
use crate::web::api::error::Fault;
use crate::web::api::model::ApiTimestamp;
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A synchronisation run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncRunRow)]
pub(in crate::web::api) struct SyncRunView {
    /// Its id; on every event it caused.
    id: Uuid,
    /// Whether it only looked.
    dry_run: bool,
    /// `running`, `done`, `held` (removals wait for approval) or `failed`.
    status: String,
    /// When it began.
    started_at: ApiTimestamp,
    /// When it ended.
    finished_at: Option<ApiTimestamp>,
    /// Why it failed, as a sentence.
    #[schema(value_type = Option<String>)]
    error: Value,
    /// What it found and did; long lists are cut off. Lists of runs leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    report: Option<Value>,
}

/// The runs of an LDAP connection, newest first. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/sync-runs", tag = "Runs", operation_id = "listSyncRuns",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of runs", body = ApiPage<SyncRunView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<Timestamp>::of(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let before = wanted.after.unwrap_or(Timestamp::from_micros(i64::MAX));
    let limit = wanted.rows();
    let found = call.read(async |reader| Ok(runs::newest(reader, &connection.extent, before, limit).await?)).await?;
    ok(&wanted.page(found, |run| run.started_at, |run| view(run, false)))
}

/// One run, also while it goes on. Needs `core.connection.view` over the connection's partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/sync-runs/{id}", tag = "Runs", operation_id = "getSyncRun",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the run")),
    responses((status = 200, description = "the run", body = SyncRunView)))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let id = call.id("id")?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let found = call.read(async |reader| Ok(runs::get(reader, &connection.extent, id).await?)).await?;
    ok(&view(found.ok_or_else(Fault::hidden)?, true))
}

fn view(run: SyncRunRow, whole: bool) -> SyncRunView {
    let report: Value = serde_json::from_str(&run.report).unwrap_or_default();
    SyncRunView {
        id: run.id.uuid(),
        dry_run: run.dry_run,
        status: run.status,
        started_at: ApiTimestamp(run.started_at),
        finished_at: run.finished_at.map(ApiTimestamp),
        error: report.get("failure").cloned().unwrap_or_default(),
        report: whole.then_some(report),
    }
}
