//! `GET /partners/{id}/matches`.
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{ExternalUserId, PartnerId};
use crate::store::matches;
use crate::web::api::connections::matches::{MatchView, page};
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// The external users of all connections of a partner that wait to be matched. Needs `core.connection.view` and
/// `core.user.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}/matches", tag = "Matching", operation_id = "listPartnerMatches",
    params(("id" = uuid::Uuid, Path, description = "the partner"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of those who wait", body = ApiPage<MatchView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let wanted = PageParams::<ExternalUserId>::of(&call)?;
    let found = call.read(async |reader| {
        let at = authority::at_partner(reader, call.user(), CoreCapability::ConnectionView, id, call.now()).await?;
        authority::at_partner(reader, call.user(), CoreCapability::UserView, id, call.now()).await?;
        Ok(matches::of_partner(reader, &at, wanted.from(), wanted.rows()).await?)
    });
    ok(&page(&wanted, found.await?))
}
