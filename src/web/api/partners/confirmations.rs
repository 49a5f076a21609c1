//! `POST /partners/{id}/confirmations`.
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::confirmations::{self, Fate, NotConfirmed, Plan, UserToConfirm, Whom};
use crate::domain::id::{PartnerId, UserId};
use crate::store::visible_reasons;
use crate::web::api::error::Fault;
use crate::web::api::model::{Ref, ScopeView};
use crate::web::api::request::{ApiRequest, ApiResult, ok};
use crate::web::error::PROBLEM_JSON;

/// Who is to be confirmed, and whether that is to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmationsBody)]
pub(in crate::web::api) struct Body {
    /// These users; at most 200. Either this or `q`.
    #[schema(value_type = Option<Vec<uuid::Uuid>>, max_items = 200)]
    users: Option<Vec<UserId>>,
    /// Everybody at home there whom nobody has confirmed and whose name, address or sign-in name contains this; empty:
    /// everybody. More than 200 are refused.
    #[schema(max_length = 500)]
    q: Option<String>,
    /// The `plan_hash` of the plan that is to be carried out. Without it the plan is only shown.
    plan_hash: Option<String>,
}

/// Who would be confirmed, and what would come to each of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfirmationPlan)]
pub(in crate::web::api) struct PlanView {
    /// Names exactly who would be confirmed and what would come to them; sent with the request, it carries that out.
    plan_hash: String,
    /// How many would be confirmed.
    confirmable: usize,
    /// Everybody who is meant.
    users: Vec<UserToConfirmView>,
    /// How many were confirmed; absent when it was only shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<usize>,
}

/// One of those who are meant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfirmationLine)]
struct UserToConfirmView {
    /// The user.
    user: Ref,
    /// `confirmable`, `confirmed` (before) or `refused`.
    state: &'static str,
    /// Why they would not be confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What would reach them in full that does not now.
    gains: Vec<GainView>,
    /// How much would come to them besides, over partners that the caller may not see: exact to 9, then `10+`.
    hidden_gains: String,
}

/// Something that would reach somebody in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfirmationGain)]
struct GainView {
    /// The role.
    role: Ref,
    /// Over what.
    scope: ScopeView,
    /// What the ceiling of its directory takes away now: `partial` (a part of it) or `blocked` (all of it).
    #[schema(value_type = String)]
    ceiling_effect: crate::store::effective_lists::CeilingEffect,
}

/// The refusal of a plan that would do something else by now.
#[derive(Debug, Serialize)]
struct Changed {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    plan: PlanView,
}

/// Shows what confirming many users of a partner would give to each of them and, with the plan's hash, confirms them:
/// exactly those, with exactly that. Needs `core.user.write` over the partner and over each user, and that the caller
/// could give what the default group holds; whoever is refused is told and left out.
#[utoipa::path(post, path = "/api/v1/partners/{id}/confirmations", tag = "Users", operation_id = "confirmUsers",
    params(("id" = uuid::Uuid, Path, description = "the partner they are at home in")), request_body = Body,
    responses((status = 200, description = "the plan, carried out when `plan` named it", body = PlanView),
        (status = 409, description = "the plan is another one by now; the new one is in `plan`, and nothing was changed")))]
pub(in crate::web::api) async fn confirm(mut call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let body: Body = call.body().await?;
    let whom = match (body.users, body.q) {
        (Some(users), None) => Whom::These(users),
        (None, Some(text)) => Whom::Found(searched(text)?),
        _ => return Err(Fault::bad("Name either `users` or `q`.")),
    };
    let (of, ctx) = ((call.user(), id), call.ctx());
    let Some(hash) = body.plan_hash else {
        let mut reader = call.app.store.reader().await?;
        return ok(&view(confirmations::plan(&mut reader, &ctx, of, &whom).await?, None));
    };
    match confirmations::carry_out(&call.app.store, &ctx, of, &whom, &hash).await {
        Ok((plan, confirmed)) => ok(&view(plan, Some(confirmed))),
        Err(NotConfirmed::Refused(why)) => Err(why.into()),
        Err(NotConfirmed::Changed(plan)) => {
            let detail = "The plan has changed since you saw it, so nobody was confirmed. The new one is in `plan`.";
            let plan = view(*plan, None);
            let body = Changed { r#type: "about:blank", title: "Conflict", status: 409, detail, plan };
            Ok(HttpResponse::Conflict()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .insert_header((header::CONTENT_TYPE, PROBLEM_JSON))
                .body(serde_json::to_string(&body).unwrap_or_default()))
        }
    }
}

fn searched(text: String) -> Result<String, Fault> {
    let most = crate::web::api::page::MOST_SEARCHED;
    if text.chars().any(char::is_control) || text.len() > most {
        return Err(Fault::bad(format!("`q` must be at most {most} bytes without control characters.")));
    }
    Ok(text.trim().to_owned())
}

fn view(plan: Plan, confirmed: Option<usize>) -> PlanView {
    let (hash, confirmable) = (plan.hash(), plan.confirmable());
    PlanView { plan_hash: hash, confirmable, users: plan.lines.into_iter().map(line).collect(), confirmed }
}

fn line(line: UserToConfirm) -> UserToConfirmView {
    let (state, why) = match line.fate {
        Fate::Confirmable => ("confirmable", None),
        Fate::Confirmed => ("confirmed", None),
        Fate::Refused(why) => ("refused", Some(why)),
    };
    let gains = line.gains.into_iter().map(|one| GainView {
        scope: ScopeView::from(&one.scope),
        ceiling_effect: one.ceiling_effect,
        role: one.proof.role.into(),
    });
    UserToConfirmView {
        user: Ref::new(line.user.id, line.user.profile.display_name),
        state,
        reason: why,
        gains: gains.collect(),
        hidden_gains: visible_reasons::counted(line.hidden),
    }
}
