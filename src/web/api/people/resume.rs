//! `POST /people/{id}/resume`.
use crate::admin::people;
use crate::web::api::call::{Answer, Call, ok};
use crate::web::api::model::Changed;

/// Lifts the administrators' suspension of a person; what directories say stays. Needs `core.user.write` over the
/// person, and holding all that the person holds.
#[utoipa::path(post, path = "/api/v1/people/{id}/resume", tag = "People", operation_id = "resumePerson",
    params(("id" = uuid::Uuid, Path, description = "the person")),
    responses((status = 200, description = "no administrator suspends them any more", body = Changed)))]
pub(in crate::web::api) async fn resume(call: Call) -> Answer {
    let id = call.id("id")?;
    let changed = people::resume(&call.app.store, &call.ctx(), call.person(), id).await?;
    ok(&Changed { changed })
}
