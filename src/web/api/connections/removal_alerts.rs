//! Storms of a connection: `GET /connections/{slug}/storms`, `POST …/storms/{id}/dismiss`.
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::door;
use crate::admin;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id as _, StormId};
use crate::domain::time::Timestamp;
use crate::store::removal_alerts::{self, RemovalAlert};
use crate::web::api::model::{ApiTimestamp, ChangeResult};
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A storm: the connection took away much in a short time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemovalAlert)]
pub(in crate::web::api) struct RemovalAlertView {
    /// Its id.
    id: Uuid,
    /// Its first removal.
    since: ApiTimestamp,
    /// Its last removal so far.
    last_at: ApiTimestamp,
    /// From how many users of the connection something was taken, each counted once.
    people: i64,
    /// How many were switched off.
    deactivated: i64,
    /// How many were deleted.
    deleted: i64,
    /// How many memberships ended.
    memberships: i64,
    /// How many groups were deleted.
    groups_deleted: i64,
    /// When the alarm was raised.
    raised_at: ApiTimestamp,
    /// When an administrator put the notice away.
    dismissed_at: Option<ApiTimestamp>,
}

/// The storms of a connection, newest first. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/storms", tag = "Storms", operation_id = "listStorms",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of storms", body = ApiPage<RemovalAlertView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<Timestamp>::of(&call)?;
    let door = door(&call, CoreCapability::ConnectionView).await?;
    let before = wanted.after.unwrap_or(Timestamp::from_micros(i64::MAX));
    let limit = wanted.rows();
    let found = call.read(async |reader| Ok(removal_alerts::list(reader, &door.extent, before, limit).await?)).await?;
    ok(&wanted.page(found, |storm| storm.first_removal_at, view))
}

/// Puts the notice of a storm away, for everybody. Needs `core.connection.write` over the connection's partner, and
/// everything that its directory may confer.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/storms/{id}/dismiss", tag = "Storms",
    operation_id = "dismissStorm",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the storm")),
    responses((status = 200, description = "whether it was shown until now", body = ChangeResult)))]
pub(in crate::web::api) async fn dismiss(call: ApiRequest) -> ApiResult {
    let (slug, storm) = (call.slug()?, call.id::<StormId>("id")?);
    let changed = admin::removal_alerts::dismiss(&call.app.store, &call.ctx(), call.person(), slug, storm).await?;
    ok(&ChangeResult { changed })
}

fn view(storm: RemovalAlert) -> RemovalAlertView {
    RemovalAlertView {
        id: storm.id.uuid(),
        since: ApiTimestamp(storm.first_removal_at),
        last_at: ApiTimestamp(storm.last_removal_at),
        people: storm.user_count,
        deactivated: storm.users_deactivated,
        deleted: storm.users_deleted,
        memberships: storm.memberships_removed,
        groups_deleted: storm.groups_deleted,
        raised_at: ApiTimestamp(storm.raised_at),
        dismissed_at: storm.dismissed_at.map(ApiTimestamp),
    }
}
