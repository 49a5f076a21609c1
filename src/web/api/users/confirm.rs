//! `POST` and `DELETE /users/{id}/confirm`.
use crate::admin::users;
use crate::web::api::model::ChangeResult;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Says that a user whom a directory made belongs here: what their partner's default group holds reaches them in full,
/// and the ceiling of the directory bounds it no longer. Needs `core.user.write` over the user, and that the caller could
/// give all of that. Nobody confirms themselves.
#[utoipa::path(post, path = "/api/v1/users/{id}/confirm", tag = "Users", operation_id = "confirmUser",
    params(("id" = uuid::Uuid, Path, description = "the user")),
    responses((status = 200, description = "they are confirmed", body = ChangeResult)))]
pub(in crate::web::api) async fn confirm(call: ApiRequest) -> ApiResult {
    let id = call.id("id")?;
    let changed = users::confirm(&call.app.store, &call.ctx(), call.user(), id).await?;
    ok(&ChangeResult { changed })
}

/// Takes that back: the user rests on the directories that vouch for them, and without any gets nothing from the default
/// group. Needs `core.user.write` over the user, and holding all that the user holds.
#[utoipa::path(delete, path = "/api/v1/users/{id}/confirm", tag = "Users", operation_id = "unconfirmUser",
    params(("id" = uuid::Uuid, Path, description = "the user")),
    responses((status = 200, description = "they are not confirmed", body = ChangeResult)))]
pub(in crate::web::api) async fn unconfirm(call: ApiRequest) -> ApiResult {
    let id = call.id("id")?;
    let changed = users::unconfirm(&call.app.store, &call.ctx(), call.user(), id).await?;
    ok(&ChangeResult { changed })
}
