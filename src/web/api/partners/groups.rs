//! `GET /partners/{id}/user-groups`.
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id as _, PartnerId};
use crate::store::user_groups;
use crate::web::api::page::ApiPage;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A user group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserGroup)]
pub(in crate::web::api) struct UserGroupView {
    /// Its id.
    id: Uuid,
    /// The name.
    name: String,
    /// Everyone is in exactly one primary group; any number of others are additional groups.
    is_primary: bool,
    /// The place of those whom no rule places.
    is_default: bool,
    /// How many users are placed there or were added by an administrator; rules add further ones to labels.
    member_count: u64,
}

/// The user groups of a partner, by name. Needs `core.group.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}/user-groups", tag = "Partners", operation_id = "listUserGroups",
    params(("id" = Uuid, Path, description = "the partner")),
    responses((status = 200, description = "all of them", body = ApiPage<UserGroupView>)))]
pub(in crate::web::api) async fn groups(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let groups = call
        .read(async |reader| {
            let at = authority::at_partner(reader, call.user(), CoreCapability::GroupView, id, call.now()).await?;
            Ok(user_groups::of_partner(reader, &at).await?)
        })
        .await?;
    let items = groups.into_iter().map(|(group, users)| UserGroupView {
        id: group.id.uuid(),
        name: group.name,
        is_primary: group.is_primary,
        is_default: group.is_default,
        member_count: users,
    });
    ok(&ApiPage { items: items.collect(), next: None })
}
