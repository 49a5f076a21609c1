//! Matching: `GET /connections/{slug}/matches`, `POST …/matches/{id}/confirm` and `…/refuse`.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::authority;
use crate::admin::matches::{self as acts, MatchDecision};
use crate::domain::capability::CoreCapability;
use crate::domain::id::{ExternalUserId, Id, UserId};
use crate::store::matches::{self, Candidate, MatchEvidence, Waiting};
use crate::web::api::model::{ApiTimestamp, ChangeResult, Ref};
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// An external user that waits: somebody here may be it, and an administrator says who.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Match)]
pub(in crate::web::api) struct MatchView {
    /// The id of the external user.
    id: Uuid,
    /// Its connection.
    connection: String,
    /// The directory's own id: `entryUUID`, the issuer and the subject; over SCIM our id of the resource.
    stable_id: String,
    /// The unique name.
    user_name: String,
    /// Whether the directory lets the user in.
    active: bool,
    /// All that is said, as SCIM attributes. What users say of themselves when they sign in need not be true.
    #[schema(value_type = Object)]
    document: Value,
    /// When the directory last said something new.
    updated_at: ApiTimestamp,
    /// What it waits for: `match`, an administrator's word; `observe`, that its directory is no longer only observed.
    waits_for: &'static str,
    /// Whom it may be, the strongest evidence first; nobody when all were refused.
    proposals: Vec<ProposalView>,
}

/// A user whom an external user may be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchProposal)]
pub(in crate::web::api) struct ProposalView {
    /// The user.
    user: Ref,
    /// What speaks for it.
    evidence: Vec<MatchEvidenceView>,
}

/// What two have in common.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MatchEvidence)]
pub(in crate::web::api) enum MatchEvidenceView {
    /// The value of the attribute that joins.
    MatchingAttribute,
    /// The sign-in name.
    LoginName,
    /// A mail address.
    Email,
}

/// The user that is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchDecision)]
pub(in crate::web::api) struct DecisionBody {
    /// The user's id.
    #[schema(value_type = Uuid)]
    user: UserId,
}

/// The external users of a connection that wait to be matched. Needs `core.connection.view` and `core.user.view` over
/// its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/matches", tag = "Matching", operation_id = "listMatches",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of those who wait", body = ApiPage<MatchView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<ExternalUserId>::of(&call)?;
    let slug = call.slug()?;
    let rows = call.read(async |reader| {
        let (_, connection) =
            authority::at_connection(reader, call.user(), CoreCapability::ConnectionView, slug, call.now()).await?;
        authority::at_connection(reader, call.user(), CoreCapability::UserView, slug, call.now()).await?;
        Ok(matches::of_connection(reader, &connection.extent, wanted.from(), wanted.rows()).await?)
    });
    ok(&page(&wanted, rows.await?))
}

/// Says who an external user is: it is linked to the user, and a link that the connection had to them before ends.
/// Needs `core.user.write` over the user and the connection's partner, and holding everything that the user holds
/// and would hold afterwards.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/matches/{id}/confirm", tag = "Matching",
    operation_id = "confirmMatch", request_body = DecisionBody,
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the external user")),
    responses((status = 200, description = "it is linked", body = ChangeResult),
        (status = 409, description = "it does not wait any more")))]
pub(in crate::web::api) async fn confirm(mut call: ApiRequest) -> ApiResult {
    let (external, user) = decision(&mut call).await?;
    let wanted = MatchDecision { actor: call.user(), slug: call.slug()?, external, user };
    acts::confirm(&call.app.store, &call.ctx(), wanted).await?;
    ok(&ChangeResult { changed: true })
}

/// Says that an external user is not a user. When nobody else resembles it, it becomes a user of its own, where the
/// connection makes users. Needs what confirming needs.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/matches/{id}/refuse", tag = "Matching",
    operation_id = "refuseMatch", request_body = DecisionBody,
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the external user")),
    responses((status = 200, description = "it is not proposed again", body = ChangeResult),
        (status = 409, description = "it does not wait any more")))]
pub(in crate::web::api) async fn refuse(mut call: ApiRequest) -> ApiResult {
    let (external, user) = decision(&mut call).await?;
    let wanted = MatchDecision { actor: call.user(), slug: call.slug()?, external, user };
    acts::refuse(&call.app.store, &call.ctx(), wanted).await?;
    ok(&ChangeResult { changed: true })
}

async fn decision(call: &mut ApiRequest) -> Result<(ExternalUserId, UserId), crate::web::api::error::Fault> {
    let external = call.id("id")?;
    let body: DecisionBody = call.body().await?;
    Ok((external, body.user))
}

/// A page of those who wait.
pub(in crate::web::api) fn page(wanted: &PageParams<ExternalUserId>, rows: Vec<Waiting>) -> ApiPage<MatchView> {
    wanted.page(rows, |row| row.id, view)
}

fn view(row: Waiting) -> MatchView {
    MatchView {
        id: row.id.uuid(),
        connection: row.slug,
        stable_id: row.stable_key,
        user_name: row.user_name,
        active: row.active,
        document: Value::Object(row.doc),
        updated_at: ApiTimestamp(row.changed_at),
        waits_for: if row.observed { "observe" } else { "match" },
        proposals: row.candidates.into_iter().map(proposal).collect(),
    }
}

fn proposal(candidate: Candidate) -> ProposalView {
    let word = |evidence: MatchEvidence| match evidence {
        MatchEvidence::Key => MatchEvidenceView::MatchingAttribute,
        MatchEvidence::Login => MatchEvidenceView::LoginName,
        MatchEvidence::Email => MatchEvidenceView::Email,
    };
    ProposalView {
        user: Ref::new(candidate.user, candidate.display_name),
        evidence: candidate.evidence.into_iter().map(word).collect(),
    }
}
