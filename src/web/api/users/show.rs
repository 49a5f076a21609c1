//! `GET /users/{id}`.
use serde::Serialize;
use utoipa::ToSchema;

use super::{UserView, view};
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::UserId;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{effective_lists, suspensions, users};
use crate::web::api::error::Fault;
use crate::web::api::model::{Ref, SuspensionView};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A user with what bears on them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserWhole)]
pub(in crate::web::api) struct UserDetail {
    /// The user.
    #[serde(flatten)]
    user: UserView,
    /// Who switched them off; empty when nobody does.
    suspensions: Vec<SuspensionView>,
    /// The user groups they are in: the place first, then labels.
    groups: Vec<MembershipView>,
}

/// A user group somebody is in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupOfUser)]
struct MembershipView {
    /// The group.
    group: Ref,
    /// The one place, or a label.
    is_primary: bool,
    /// Why, in words.
    reason: String,
}

/// One user. Needs `core.user.view` over the user.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "Users", operation_id = "getUser",
    params(("id" = uuid::Uuid, Path, description = "the user")),
    responses((status = 200, description = "the user", body = UserDetail)))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let id: UserId = call.id("id")?;
    let (user, suspensions, groups) = call
        .read(async |reader| {
            let at = authority::at_user(reader, call.user(), CoreCapability::UserView, id, call.now()).await?;
            let user = users::get(reader, &at, id).await?.ok_or_else(Fault::hidden)?;
            let found = suspensions::of_user(reader, &at, id).await?;
            let mut sight = Sight::of(call.user(), call.now());
            let suspensions = visible_reasons::holds(reader, &mut sight, &at, user.partner, found).await?;
            let groups = effective_lists::groups_of(reader, &at, id).await?;
            Ok((user, suspensions, visible_reasons::groups(reader, &mut sight, id, groups).await?))
        })
        .await?;
    let suspensions = suspensions.into_iter().map(SuspensionView::from);
    let groups = groups.into_iter().map(|one| MembershipView {
        reason: one.membership.to_string(),
        is_primary: one.is_primary,
        group: one.group.into(),
    });
    ok(&UserDetail { user: view(user), suspensions: suspensions.collect(), groups: groups.collect() })
}
