//! `GET /partners/{id}/users`.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{PartnerId, UserId};
use crate::store::users;
use crate::web::api::error::Fault;
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};
use crate::web::api::users::{UserView, view};

/// The users at home in a partner, by name. Needs `core.user.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}/users", tag = "Users", operation_id = "listUsers",
    params(("id" = uuid::Uuid, Path, description = "the partner"),
        ("q" = Option<String>, Query, description = "part of a name, address or sign-in name"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of users", body = ApiPage<UserView>)))]
pub(in crate::web::api) async fn users(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let wanted = PageParams::<(String, UserId)>::searching(&call)?;
    let unusable = || Fault::bad("`after` must be the `next` of the page before.");
    let after = match &wanted.after {
        None => None,
        Some((key, id)) => Some((URL_SAFE_NO_PAD.decode(key).map_err(|_| unusable())?, *id)),
    };
    let rows = call
        .read(async |reader| {
            let at =
                authority::at_partner(reader, call.user(), CoreCapability::UserView, id, call.now()).await?.alone();
            let after = after.as_ref().map(|(key, id)| (key.as_slice(), *id));
            let limit = wanted.rows();
            Ok(users::list(reader, &at, after, Some(&wanted.search), limit).await?)
        })
        .await?;
    ok(&wanted.page(rows, |user| (URL_SAFE_NO_PAD.encode(users::sort_key(user)), user.id), view))
}
