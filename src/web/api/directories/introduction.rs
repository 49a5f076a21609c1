//! `/directories/{id}/introduction`: what putting an observed directory in force would do, and doing it.
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::introductions::{self, IntroductionRequest, NotIntroduced};
use crate::domain::directory::DirectoryMode;
use crate::domain::id::{ExternalUserId, Id as _};
use crate::provision::introduce::{Introduced, Introduction, IntroductionEntry, IntroductionOutcome, MetUser};
use crate::store::effective_items::EffectiveItem;
use crate::store::effective_lists::CeilingEffect;
use crate::web::api::error::Fault;
use crate::web::api::model::{DirectoryModeView, Ref, ScopeView};
use crate::web::api::page::{opened, sealed};
use crate::web::api::request::{ApiRequest, ApiResult, ok};
use crate::web::error::PROBLEM_JSON;

/// How an observed directory is to be put in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct IntroductionBody {
    /// In which mode: `authoritative`, `additive` or `paused`.
    mode: DirectoryModeView,
    /// The `plan_hash` of the plan that is agreed to.
    plan_hash: String,
}

/// What putting a directory in force would do with those who wait there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Introduction)]
pub(in crate::web::api) struct IntroductionView {
    /// In which mode the directory would be.
    mode: DirectoryModeView,
    /// Names exactly what is shown; sent with the request, it carries that out. Only on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_hash: Option<String>,
    /// How many wait in all.
    waiting: i64,
    /// How many of those who are shown would become what.
    counts: IntroductionCountsView,
    /// Those who are shown, at most 500: privileged ones first.
    users: Vec<IntroductionEntryView>,
    /// Send it as `after` for those who are not shown. Null when all were.
    next: Option<String>,
    /// What came of carrying it out; absent when it was only shown, or goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    introduced: Option<IntroducedView>,
}

/// How many would become what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntroductionCounts)]
struct IntroductionCountsView {
    /// For whom a user would be made.
    created: usize,
    /// Who would be linked to a user.
    matched: usize,
    /// Who would wait for a match.
    match_proposed: usize,
    /// Who would go on waiting, because the directory may not do what it says.
    refused: usize,
    /// Whose user would be switched off.
    suspended: usize,
    /// Who would hold something that changes what others may do.
    privileged: usize,
}

/// What would become of one who waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntroductionEntry)]
struct IntroductionEntryView {
    /// The external user.
    external_user: Uuid,
    /// The connection that says it.
    connection: String,
    /// Its unique name.
    user_name: String,
    /// The name that people see.
    display_name: String,
    /// `created`, `matched`, `match_proposed` or `refused`.
    outcome: &'static str,
    /// Whether its user would be switched off.
    suspended: bool,
    /// Whether what its user gains or loses changes what others may do.
    privileged: bool,
    /// Whom it would be linked to, or may be.
    users: Vec<MetUserView>,
    /// Why it goes on waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What its user would hold that it does not hold now.
    gains: Vec<EffectiveItemView>,
    /// What its user holds now and would not hold.
    losses: Vec<EffectiveItemView>,
}

/// A user whom one who waits meets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MetUser)]
struct MetUserView {
    /// Its id; null when it would only be made.
    id: Option<Uuid>,
    /// The name that people see.
    name: String,
    /// The external user for whom it would be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_for: Option<Uuid>,
}

/// Something that a user holds: a user group, or a role over a scope.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectiveItem)]
struct EffectiveItemView {
    /// The user group.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_group: Option<Ref>,
    /// The role.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Ref>,
    /// Over what.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ScopeView>,
    /// `none` when all of it comes through, `partial` when the ceiling lets only a part of it through.
    #[schema(value_type = String)]
    ceiling_effect: CeilingEffect,
    /// Whether it changes what others may do.
    privileged: bool,
}

/// What came of carrying it out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Introduced)]
struct IntroducedView {
    /// Who is linked to a user now.
    linked: usize,
    /// Who waits for an administrator.
    waiting: usize,
    /// Who is looked at again shortly, because somebody else changed the same.
    again: usize,
}

/// The refusal of a plan that would do something else by now.
#[derive(Debug, Serialize)]
struct Changed {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    plan: IntroductionView,
}

/// Shows, user by user, what putting a directory in force would do that is only observed: who would be made, linked, wait
/// for a match or be switched off, and what each would gain or lose. Changes nothing. 500 are shown at once, and of more
/// those first whom a rule may make privileged; a later page is worked out as if nobody of the pages before had come. Needs
/// `core.connection.write` over the partner, and that the caller could give what the directory may confer.
#[utoipa::path(get, path = "/api/v1/directories/{id}/introduction", tag = "Directories",
    operation_id = "showIntroduction",
    params(("id" = Uuid, Path, description = "the directory"),
        ("mode" = Option<DirectoryModeView>, Query, description = "in which mode; `authoritative` unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "what it would do", body = IntroductionView),
        (status = 409, description = "the directory is not only observed"),
        (status = 503, description = "it could not be worked out within 20 seconds")))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let (mut mode, mut after) = (DirectoryMode::Authoritative, None);
    for (name, value) in url::form_urlencoded::parse(call.request.query_string().as_bytes()) {
        match name.as_ref() {
            "mode" => {
                let unknown = || Fault::bad("`mode` must be `authoritative`, `additive` or `paused`.");
                mode = DirectoryMode::parse(&value).ok_or_else(unknown)?;
            }
            "after" => after = Some(opened::<ExternalUserId>(&value)?),
            _ => return Err(Fault::bad("`mode` and `after` are the parameters of this list.")),
        }
    }
    let wanted = IntroductionRequest { actor: call.user(), directory: call.id("id")?, mode };
    let shown = introductions::plan(&call.app.store, &call.ctx(), wanted, after).await?;
    let mut view = view(shown, None);
    view.plan_hash = view.plan_hash.filter(|_| after.is_none());
    ok(&view)
}

/// Puts a directory in force that is only observed, as it was shown, and introduces those who waited. Of more than 500 that
/// goes on afterwards. Needs what showing it needs.
#[utoipa::path(post, path = "/api/v1/directories/{id}/introduction", tag = "Directories",
    operation_id = "introduceDirectory",
    params(("id" = Uuid, Path, description = "the directory")), request_body = IntroductionBody,
    responses((status = 200, description = "what was done", body = IntroductionView),
        (status = 409, description = "it would do something else by now; the new plan is in `plan`, and nothing was \
            changed. Or the directory is not only observed")))]
pub(in crate::web::api) async fn carry_out(mut call: ApiRequest) -> ApiResult {
    let directory = call.id("id")?;
    let body: IntroductionBody = call.body().await?;
    let wanted = IntroductionRequest { actor: call.user(), directory, mode: body.mode.into() };
    match introductions::carry_out(&call.app.store, &call.ctx(), wanted, &body.plan_hash).await {
        Ok((shown, done)) => ok(&view(shown, done)),
        Err(NotIntroduced::Refused(why)) => Err(why.into()),
        Err(NotIntroduced::Changed(shown)) => {
            let detail = "The plan has changed since you saw it, so nothing was changed. The new one is in `plan`.";
            let plan = view(*shown, None);
            let body = Changed { r#type: "about:blank", title: "Conflict", status: 409, detail, plan };
            Ok(HttpResponse::Conflict()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .insert_header((header::CONTENT_TYPE, PROBLEM_JSON))
                .body(serde_json::to_string(&body).unwrap_or_default()))
        }
    }
}

fn view(shown: Introduction, done: Option<Introduced>) -> IntroductionView {
    let counts = shown.counts();
    IntroductionView {
        mode: shown.mode.into(),
        counts: IntroductionCountsView {
            created: counts.created,
            matched: counts.matched,
            match_proposed: counts.match_proposed,
            refused: counts.refused,
            suspended: counts.suspended,
            privileged: counts.privileged,
        },
        plan_hash: Some(shown.hash),
        waiting: shown.waiting,
        users: shown.lines.into_iter().map(line).collect(),
        next: shown.next.map(|next| sealed(&next)),
        introduced: done.map(|done| IntroducedView { linked: done.linked, waiting: done.waiting, again: done.again }),
    }
}

fn line(line: IntroductionEntry) -> IntroductionEntryView {
    let (outcome, suspended, privileged) = (line.outcome.word(), line.outcome.is_suspended(), line.is_privileged());
    let (users, reason) = match line.outcome {
        IntroductionOutcome::Matched { user, .. } => (vec![met(user)], None),
        IntroductionOutcome::MatchProposed { candidates } => (candidates.into_iter().map(met).collect(), None),
        IntroductionOutcome::Refused(why) => (Vec::new(), Some(why)),
        IntroductionOutcome::Created { .. } => (Vec::new(), None),
    };
    IntroductionEntryView {
        external_user: line.external.uuid(),
        connection: line.slug,
        user_name: line.user_name,
        display_name: line.display_name,
        outcome,
        suspended,
        privileged,
        users,
        reason,
        gains: line.gains.into_iter().map(item).collect(),
        losses: line.losses.into_iter().map(item).collect(),
    }
}

fn met(met: MetUser) -> MetUserView {
    let created_for = met.created_for.map(|external| external.uuid());
    MetUserView { id: Some(met.user.uuid()).filter(|_| created_for.is_none()), name: met.name, created_for }
}

fn item(item: EffectiveItem) -> EffectiveItemView {
    let privileged = item.is_privileged();
    match item {
        EffectiveItem::Group { group } => EffectiveItemView {
            user_group: Some(group.into()),
            role: None,
            scope: None,
            ceiling_effect: CeilingEffect::None,
            privileged,
        },
        EffectiveItem::Grant { role, scope, ceiling_effect, .. } => EffectiveItemView {
            user_group: None,
            role: Some(role.into()),
            scope: Some(ScopeView::from(&scope)),
            ceiling_effect,
            privileged,
        },
    }
}
