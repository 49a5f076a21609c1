//! `POST /partners/{id}/reactivate`.
use crate::admin::partners;
use crate::web::api::model::{LiftedView, Which};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Lifts what the caller may lift of what keeps a partner off: what was decided in the name of a partner over which they may
/// do the same, and what they decided themselves and still might. What stands above them stays, and keeps it off. Needs
/// `core.partner.suspend` over it, or `core.billing.hold` or `core.security.hold` for those kinds; whoever decided something
/// for safety waits a day before lifting it alone.
#[utoipa::path(post, path = "/api/v1/partners/{id}/reactivate", tag = "Partners", operation_id = "reactivatePartner",
    params(("id" = uuid::Uuid, Path, description = "the partner")),
    request_body = Which,
    responses((status = 200, description = "what was lifted, and what is left", body = LiftedView)))]
pub(in crate::web::api) async fn reactivate(mut call: ApiRequest) -> ApiResult {
    let id = call.id("id")?;
    let Which { kind } = call.body_or_default().await?;
    let kind = kind.map(Into::into);
    let lifted = partners::reactivate(&call.app.store, &call.ctx(), call.user(), id, kind).await?;
    ok(&LiftedView::from(lifted))
}
