//! `POST /partners/{id}/resume`.
use crate::admin::partners;
use crate::web::api::call::{Answer, Call, ok};
use crate::web::api::model::Changed;

/// Lifts the suspension of a partner. Needs `core.partner.suspend` over it.
#[utoipa::path(post, path = "/api/v1/partners/{id}/resume", tag = "Partners", operation_id = "resumePartner",
    params(("id" = uuid::Uuid, Path, description = "the partner")),
    responses((status = 200, description = "no administrator suspends it any more", body = Changed)))]
pub(in crate::web::api) async fn resume(call: Call) -> Answer {
    let id = call.id("id")?;
    let changed = partners::resume(&call.app.store, &call.ctx(), call.person(), id).await?;
    ok(&Changed { changed })
}
