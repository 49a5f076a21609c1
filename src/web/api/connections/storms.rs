//! Storms of a connection: `GET /connections/{slug}/storms`, `POST …/storms/{id}/dismiss`.
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::door;
use crate::admin;
use crate::domain::capability::Core;
use crate::domain::id::{Id as _, StormId};
use crate::domain::time::Timestamp;
use crate::store::storms::{self, Storm};
use crate::web::api::call::{Answer, Call, ok};
use crate::web::api::model::{Changed, Moment};
use crate::web::api::page::{Page, Wanted};

/// A storm: the connection took away much in a short time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Storm)]
pub(in crate::web::api) struct StormView {
    /// Its id.
    id: Uuid,
    /// Its first removal.
    since: Moment,
    /// Its last removal so far.
    last_at: Moment,
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
    raised_at: Moment,
    /// When an administrator put the notice away.
    dismissed_at: Option<Moment>,
}

/// The storms of a connection, newest first. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/storms", tag = "Storms", operation_id = "listStorms",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of storms", body = Page<StormView>)))]
pub(in crate::web::api) async fn list(call: Call) -> Answer {
    let wanted = Wanted::<Timestamp>::of(&call)?;
    let door = door(&call, Core::ConnectionView).await?;
    let before = wanted.after.unwrap_or(Timestamp::from_micros(i64::MAX));
    let limit = wanted.rows();
    let found = call.read(async |reader| Ok(storms::list(reader, &door.extent, before, limit).await?)).await?;
    ok(&wanted.page(found, |storm| storm.since, view))
}

/// Puts the notice of a storm away, for everybody. Needs `core.connection.write` over the connection's partner, and
/// everything that its directory may confer.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/storms/{id}/dismiss", tag = "Storms",
    operation_id = "dismissStorm",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the storm")),
    responses((status = 200, description = "whether it was shown until now", body = Changed)))]
pub(in crate::web::api) async fn dismiss(call: Call) -> Answer {
    let (slug, storm) = (call.slug()?, call.id::<StormId>("id")?);
    let changed = admin::storms::dismiss(&call.app.store, &call.ctx(), call.person(), slug, storm).await?;
    ok(&Changed { changed })
}

fn view(storm: Storm) -> StormView {
    StormView {
        id: storm.id.uuid(),
        since: Moment(storm.since),
        last_at: Moment(storm.last_at),
        people: storm.people,
        deactivated: storm.deactivated,
        deleted: storm.deleted,
        memberships: storm.memberships,
        groups_deleted: storm.groups_deleted,
        raised_at: Moment(storm.raised_at),
        dismissed_at: storm.dismissed_at.map(Moment),
    }
}
