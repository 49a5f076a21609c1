//! `GET /users/{id}/access`.
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::explain::InactiveReason;
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id, UserId};
use crate::store::effective_lists::{CeilingEffect, UserGrant, grants_of};
use crate::store::visible_reasons::{self, Sight};
use crate::web::api::model::{ApiTimestamp, Ref, ScopeView};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A role that bears on a user, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
pub(in crate::web::api) struct GrantView {
    /// The role.
    role: Ref,
    /// Over what.
    scope: ScopeView,
    /// The manual grant behind it; null for what a rule grants.
    grant: Option<Uuid>,
    /// From when it holds; null: always.
    valid_from: Option<ApiTimestamp>,
    /// Until when it holds; null: always.
    valid_until: Option<ApiTimestamp>,
    /// Why it does not count at this moment: `not_yet_valid`, `expired` or `suspended`; null when it counts.
    #[schema(value_type = Option<String>)]
    inactive_reason: Option<InactiveReason>,
    /// What the ceiling of its directory takes away: `none`, `partial` (a part of it) or `blocked` (all of it).
    #[schema(value_type = String)]
    ceiling_effect: CeilingEffect,
    /// What stands behind it: an administrator's act, or a rule with the external groups that matched.
    #[schema(value_type = Object)]
    origin: Value,
    /// All of it in one sentence.
    summary: String,
}

/// Everything a user holds, as far as the caller may see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessOfUser)]
pub(in crate::web::api) struct Access {
    /// The lines.
    items: Vec<GrantView>,
    /// Always null: all lines are here.
    next: Option<String>,
    /// How many lines there are besides, over partners that the caller may not see: exact to 9, then `10+`.
    hidden_reasons: String,
}

/// What a user holds and why: by hand, through user groups, by rules; also what is asleep or clipped. What the caller may
/// not see is counted and not named; within a line, its id is the nil UUID and its name empty. Needs `core.role.view` over
/// the user.
#[utoipa::path(get, path = "/api/v1/users/{id}/access", tag = "Users", operation_id = "getAccess",
    params(("id" = Uuid, Path, description = "the user")),
    responses((status = 200, description = "all of it", body = Access)))]
pub(in crate::web::api) async fn access(call: ApiRequest) -> ApiResult {
    let id: UserId = call.id("id")?;
    let (grants, hidden) = call
        .read(async |reader| {
            let at = authority::at_user(reader, call.user(), CoreCapability::RoleView, id, call.now()).await?;
            let all = grants_of(reader, &at, id, call.now()).await?;
            Ok(visible_reasons::grants(reader, &mut Sight::of(call.user(), call.now()), id, all).await?)
        })
        .await?;
    let hidden_reasons = visible_reasons::counted(hidden);
    ok(&Access { items: grants.into_iter().map(view).collect(), next: None, hidden_reasons })
}

fn view(held: UserGrant) -> GrantView {
    let sentence = held.proof.to_string();
    GrantView {
        origin: serde_json::to_value(&held.proof.origin).unwrap_or_default(),
        role: held.proof.role.into(),
        scope: ScopeView::from(&held.scope),
        grant: held.grant.map(Id::uuid),
        valid_from: held.window.from.map(ApiTimestamp),
        valid_until: held.window.until.map(ApiTimestamp),
        inactive_reason: held.inactive_reason,
        ceiling_effect: held.ceiling_effect,
        summary: capital(sentence),
    }
}

/// The sentence with a capital letter and a full stop.
fn capital(text: String) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
