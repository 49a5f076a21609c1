//! `POST /users/{id}/suspend`.
use crate::admin::users;
use crate::web::api::model::{ChangeResult, SuspensionBody};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Switches a user off, from the next request on, in the name of a partner at or above their home; their sessions end.
/// Needs `core.user.write` over the user and holding all that the user holds; or `core.billing.hold` or
/// `core.security.hold`, for those kinds. Of the kind `end` they are off from the moment `effective_at` on, and whoever may set it may
/// move or lift it.
#[utoipa::path(post, path = "/api/v1/users/{id}/suspend", tag = "Users", operation_id = "suspendUser",
    params(("id" = uuid::Uuid, Path, description = "the user")), request_body = SuspensionBody,
    responses((status = 200, description = "they are off", body = ChangeResult)))]
pub(in crate::web::api) async fn suspend(mut call: ApiRequest) -> ApiResult {
    let id = call.id("id")?;
    let body: SuspensionBody = call.body().await?;
    let changed = users::suspend(&call.app.store, &call.ctx(), call.user(), id, &body.order()).await?;
    ok(&ChangeResult { changed })
}
