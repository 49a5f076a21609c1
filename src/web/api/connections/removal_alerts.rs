//! Removal alerts of a connection: `GET /connections/{slug}/removal-alerts`, `POST …/removal-alerts/{id}/dismiss`.
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connection;
use crate::admin;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id as _, RemovalAlertId};
use crate::domain::time::Timestamp;
use crate::store::removal_alerts::{self, RemovalAlert};
use crate::web::api::model::{ApiTimestamp, ChangeResult};
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A removal alert: the connection took away much in a short time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemovalAlert)]
pub(in crate::web::api) struct RemovalAlertView {
    /// Its id.
    id: Uuid,
    /// Its first removal.
    first_removal_at: ApiTimestamp,
    /// Its last removal so far.
    last_removal_at: ApiTimestamp,
    /// From how many users of the connection something was taken, each counted once.
    user_count: i64,
    /// How many were switched off.
    users_deactivated: i64,
    /// How many were deleted.
    users_deleted: i64,
    /// How many memberships ended.
    memberships_removed: i64,
    /// How many groups were deleted.
    groups_deleted: i64,
    /// When the alarm was raised.
    raised_at: ApiTimestamp,
    /// When an administrator put the notice away.
    dismissed_at: Option<ApiTimestamp>,
}

/// The removal alerts of a connection, newest first. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/removal-alerts", tag = "Removal alerts", operation_id = "listRemovalAlerts",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of removal alerts", body = ApiPage<RemovalAlertView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<Timestamp>::of(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let before = wanted.after.unwrap_or(Timestamp::from_micros(i64::MAX));
    let limit = wanted.rows();
    let found =
        call.read(async |reader| Ok(removal_alerts::list(reader, &connection.extent, before, limit).await?)).await?;
    ok(&wanted.page(found, |removal_alert| removal_alert.first_removal_at, view))
}

/// Puts the notice of a removal alert away, for everybody. Needs `core.connection.write` over the connection's partner, and
/// everything that its directory may confer.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/removal-alerts/{id}/dismiss", tag = "Removal alerts",
    operation_id = "dismissRemovalAlert",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the removal alert")),
    responses((status = 200, description = "whether it was shown until now", body = ChangeResult)))]
pub(in crate::web::api) async fn dismiss(call: ApiRequest) -> ApiResult {
    let (slug, removal_alert) = (call.slug()?, call.id::<RemovalAlertId>("id")?);
    let changed =
        admin::removal_alerts::dismiss(&call.app.store, &call.ctx(), call.user(), slug, removal_alert).await?;
    ok(&ChangeResult { changed })
}

fn view(removal_alert: RemovalAlert) -> RemovalAlertView {
    RemovalAlertView {
        id: removal_alert.id.uuid(),
        first_removal_at: ApiTimestamp(removal_alert.first_removal_at),
        last_removal_at: ApiTimestamp(removal_alert.last_removal_at),
        user_count: removal_alert.user_count,
        users_deactivated: removal_alert.users_deactivated,
        users_deleted: removal_alert.users_deleted,
        memberships_removed: removal_alert.memberships_removed,
        groups_deleted: removal_alert.groups_deleted,
        raised_at: ApiTimestamp(removal_alert.raised_at),
        dismissed_at: removal_alert.dismissed_at.map(ApiTimestamp),
    }
}
