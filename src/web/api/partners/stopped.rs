//! `GET /partners/{id}/suspend`: who would be stopped.
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::partners;
use crate::domain::id::PartnerId;
use crate::web::api::model::Ref;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Who is stopped when a partner is switched off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stopped)]
pub(in crate::web::api) struct View {
    /// How many partners: this one and all below.
    partners: i64,
    /// How many users are at home in them.
    users: i64,
    /// How many of them are signed in.
    signed_in: i64,
    /// How many API tokens of theirs have not ended.
    tokens: i64,
    /// By partner, the nearest first: of the first 100 those that the caller may see.
    by_partner: Vec<OfView>,
}

/// One of the partners.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoppedPartner)]
struct OfView {
    /// Which.
    partner: Ref,
    /// How many users are at home there.
    users: i64,
    /// How many of them are signed in.
    signed_in: i64,
}

/// Whom switching a partner off would stop. What its directories say is taken meanwhile, and counts when it is on again.
/// Needs `core.partner.suspend` over it, or `core.billing.hold` or `core.security.hold`.
#[utoipa::path(get, path = "/api/v1/partners/{id}/suspend", tag = "Partners", operation_id = "whomSuspendingStops",
    params(("id" = uuid::Uuid, Path, description = "the partner")),
    responses((status = 200, description = "who would be stopped", body = View)))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let mut reader = call.app.store.reader().await?;
    let found = partners::stopped(&mut reader, call.user(), id, call.now()).await?;
    let by_partner = found.by_partner.into_iter().map(|one| OfView {
        partner: one.partner.into(),
        users: one.users,
        signed_in: one.signed_in,
    });
    let counts = found.counts;
    ok(&View {
        partners: counts.partners,
        users: counts.users,
        signed_in: counts.signed_in,
        tokens: counts.tokens,
        by_partner: by_partner.collect(),
    })
}
