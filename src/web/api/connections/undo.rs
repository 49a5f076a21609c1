//! `POST /connections/{slug}/undo`.
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::removal_alerts::{self, UndoError, UndoRequest};
use crate::domain::ctx::Actor;
use crate::domain::id::Id as _;
use crate::provision::undo::{RemovedItem, Restorability, TimeRange, UndoEntry, UndoPlan, UndoResult};
use crate::store::members::MemberId;
use crate::web::api::model::ApiTimestamp;
use crate::web::api::request::{ApiOrOperatorRequest, ApiResult, ok};
use crate::web::error::PROBLEM_JSON;

/// Entries that an answer lists; the counts and the hash are of all.
const LISTED: usize = 1_000;

/// Which removals, and whether they are to be undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct UndoBody {
    /// From this moment on.
    from: ApiTimestamp,
    /// Before this moment; now, unless said.
    to: Option<ApiTimestamp>,
    /// The `plan_hash` of the plan that is to be carried out. Without it the plan is only shown.
    plan_hash: Option<String>,
}

/// What a connection took away within a time, and what undoing it would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoPlan)]
pub(in crate::web::api) struct UndoPlanView {
    /// From this moment on.
    from: ApiTimestamp,
    /// Before this moment.
    to: ApiTimestamp,
    /// Names exactly what would be restored; sent with the request, it carries that out.
    plan_hash: String,
    /// How much there is.
    counts: Counts,
    /// What was taken away; at most 1,000, those first that would be restored.
    entries: Vec<UndoEntryView>,
    /// What came of carrying it out; absent when it was only shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Applied>,
}

/// How much there is in a plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoCounts)]
struct Counts {
    /// What would be restored.
    restorable: usize,
    /// To how many users of the connection, each counted once.
    users: usize,
    /// What is back already.
    already_restored: usize,
    /// What cannot be restored, or must not.
    not_restorable: usize,
}

/// One thing that was taken away.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoEntry)]
struct UndoEntryView {
    /// `user` (deleted), `group` (deleted), `membership` or `active` (switched off).
    kind: &'static str,
    /// The external user it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Uuid>,
    /// The external group it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Uuid>,
    /// The nested group that left the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    subgroup: Option<Uuid>,
    /// The user's name, while it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    /// The group's name, while it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
    /// When it was taken away.
    removed_at: ApiTimestamp,
    /// `restorable`, `already_restored` or `not_restorable`.
    state: &'static str,
    /// Why it is not restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The user stays out all the same: an administrator or another connection keeps them out.
    still_suspended: bool,
}

/// What came of carrying a plan out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoApplied)]
struct Applied {
    /// How many things were given back.
    restored: usize,
    /// How many were not, because something was said of them while the plan was carried out.
    skipped: usize,
}

/// The refusal of a plan that would do something else by now.
#[derive(Debug, Serialize)]
struct UndoConflict {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    plan: UndoPlanView,
}

/// Shows what the connection took away between two moments (users switched off or deleted, members taken out, groups
/// deleted) and, with the plan's hash, gives it back: exactly that, in one go, and nothing that was given back or said
/// again meanwhile. Looking needs `core.connection.view` over the connection's partner; carrying out needs
/// `core.connection.write`, everything that the directory may confer, and what those who come back hold.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/undo", tag = "Removal alerts", operation_id = "undoRemovals",
    params(("slug" = String, Path, description = "the connection's name in addresses")),
    request_body = UndoBody,
    responses((status = 200, description = "the plan, carried out when `plan` named it", body = UndoPlanView),
        (status = 409, description = "the plan is another one by now; the new one is in `plan`, and nothing was changed")))]
pub(in crate::web::api) async fn undo(mut asked: ApiOrOperatorRequest) -> ApiResult {
    let body: UndoBody = asked.body().await?;
    let (actor, ctx) = match &asked {
        ApiOrOperatorRequest::User(call) => (Some(call.user()), call.ctx()),
        ApiOrOperatorRequest::Operator(sent) => (None, sent.app.ctx(Actor::Operator)),
    };
    let to = body.to.map_or_else(|| ctx.now().plus_seconds(1), |to| to.0);
    let wanted = UndoRequest { actor, slug: asked.slug()?, span: TimeRange { from: body.from.0, to } };
    let store = &asked.app.store;
    let Some(hash) = body.plan_hash else {
        return ok(&view(&removal_alerts::plan(store, &ctx, wanted).await?, None));
    };
    match removal_alerts::carry_out(store, &ctx, wanted, &hash).await {
        Ok((plan, carried)) => ok(&view(&plan, Some(carried))),
        Err(UndoError::Refused(why)) => Err(why.into()),
        Err(UndoError::Changed(plan)) => {
            let detail = "The plan has changed since you saw it, so nothing was changed. The new one is in `plan`.";
            let plan = view(&plan, None);
            let body =
                UndoConflict { r#type: "about:blank", title: "Conflict", status: 409, detail: detail.to_owned(), plan };
            Ok(HttpResponse::Conflict()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .insert_header((header::CONTENT_TYPE, PROBLEM_JSON))
                .body(serde_json::to_string(&body).unwrap_or_default()))
        }
    }
}

/// The plan as the API and the command line show it.
pub(in crate::web::api) fn view(plan: &UndoPlan, carried: Option<UndoResult>) -> UndoPlanView {
    let count = |wanted: fn(&Restorability) -> bool| plan.entries.iter().filter(|entry| wanted(&entry.fate)).count();
    let (first, rest): (Vec<&UndoEntry>, Vec<&UndoEntry>) =
        plan.entries.iter().partition(|entry| matches!(entry.fate, Restorability::Restored { .. }));
    UndoPlanView {
        from: ApiTimestamp(plan.span.from),
        to: ApiTimestamp(plan.span.to),
        plan_hash: plan.hash(),
        counts: Counts {
            restorable: first.len(),
            users: plan.users(),
            already_restored: count(|fate| matches!(fate, Restorability::Back(_))),
            not_restorable: count(|fate| matches!(fate, Restorability::Lost(_))),
        },
        entries: first.into_iter().chain(rest).take(LISTED).map(|entry| line(plan, entry)).collect(),
        applied: carried.map(|carried| Applied { restored: carried.restored, skipped: carried.passed }),
    }
}

fn line(plan: &UndoPlan, entry: &UndoEntry) -> UndoEntryView {
    let (kind, user, group, nested) = match entry.item {
        RemovedItem::User(user) => ("user", Some(user), None, None),
        RemovedItem::Active(user) => ("active", Some(user), None, None),
        RemovedItem::Group(group) => ("group", None, Some(group), None),
        RemovedItem::Member(group, MemberId::User(user)) => ("membership", Some(user), Some(group), None),
        RemovedItem::Member(group, MemberId::Group(child)) => ("membership", None, Some(group), Some(child)),
    };
    UndoEntryView {
        kind,
        user_name: user.and_then(|user| plan.users.get(&user).cloned()),
        group_name: group.and_then(|group| plan.groups.get(&group).cloned()),
        user: user.map(|user| user.uuid()),
        group: group.map(|group| group.uuid()),
        subgroup: nested.map(|nested| nested.uuid()),
        removed_at: ApiTimestamp(entry.at),
        state: entry.fate.word(),
        reason: entry.fate.why(),
        still_suspended: entry.kept_out,
    }
}
