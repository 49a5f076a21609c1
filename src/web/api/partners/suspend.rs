//! `POST /partners/{id}/suspend`.
use crate::admin::partners;
use crate::web::api::model::{ChangeResult, SuspensionBody};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Switches a partner and everything below it off, from the next request on, in the name of a partner at or above it. Needs
/// `core.partner.suspend` over it and holding all that is held at home there or below; or `core.billing.hold` or
/// `core.security.hold`, for those kinds, in the name of a partner above.
#[utoipa::path(post, path = "/api/v1/partners/{id}/suspend", tag = "Partners", operation_id = "suspendPartner",
    params(("id" = uuid::Uuid, Path, description = "the partner")), request_body = SuspensionBody,
    responses((status = 200, description = "it is off", body = ChangeResult)))]
pub(in crate::web::api) async fn suspend(mut call: ApiRequest) -> ApiResult {
    let id = call.id("id")?;
    let body: SuspensionBody = call.body().await?;
    let changed = partners::suspend(&call.app.store, &call.ctx(), call.user(), id, &body.order()).await?;
    ok(&ChangeResult { changed })
}
