//! `GET /partners/{id}/suspend`: who would be stopped.
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::partners;
use crate::domain::id::PartnerId;
use crate::web::api::model::Ref;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Who and what is stopped when a partner is switched off.
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
    /// How many connections are open there: SCIM, LDAP and sign-in. Pushes are answered with 503 meanwhile.
    connections: i64,
    /// How many directories have one that pushes or is synchronised: what they say is not taken meanwhile.
    directories: i64,
    /// Directories with open connections, the nearest first: of the first 100 those that the caller may see.
    by_directory: Vec<OfDirectoryView>,
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

/// One of the directories.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoppedDirectory)]
struct OfDirectoryView {
    /// Which.
    directory: Ref,
    /// Whose it is.
    partner: Ref,
    /// How many of its connections are open.
    connections: i64,
}

/// Whom and what switching a partner off would stop. What its directories say is not taken meanwhile; the next push or
/// synchronisation after it is on again brings it.
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
    let by_directory = found.by_directory.into_iter().map(|one| OfDirectoryView {
        directory: one.directory.into(),
        partner: one.partner.into(),
        connections: one.connections,
    });
    let counts = found.counts;
    ok(&View {
        partners: counts.partners,
        users: counts.users,
        signed_in: counts.signed_in,
        tokens: counts.tokens,
        by_partner: by_partner.collect(),
        connections: counts.connections,
        directories: counts.directories,
        by_directory: by_directory.collect(),
    })
}
