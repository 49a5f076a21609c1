//! `GET /partners`.
use std::collections::BTreeSet;

use super::view;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id as _, PartnerId};
use crate::store::visible_reasons::Sight;
use crate::store::{catalog, reach};
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Every partner that the caller may see, in id order, which is by age.
#[utoipa::path(get, path = "/api/v1/partners", tag = "Partners", operation_id = "listPartners",
    params(("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of partners", body = ApiPage<super::PartnerView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<PartnerId>::of(&call)?;
    let after = wanted.after.unwrap_or(PartnerId::from_uuid(uuid::Uuid::nil()));
    let (nodes, levels, seen) = call
        .read(async |reader| {
            let regions = reach::regions(reader, call.by(), CoreCapability::PartnerView, call.now()).await?;
            let nodes = reach::page(reader, &regions, after, wanted.limit.saturating_add(1)).await?;
            let mut sight = Sight::of(call.user(), call.now());
            let mut seen = BTreeSet::new();
            for parent in nodes.iter().filter_map(|node| node.partner.parent) {
                if sight.partner(reader, parent).await? {
                    seen.insert(parent.uuid());
                }
            }
            Ok((nodes, catalog::levels(reader).await?, seen))
        })
        .await?;
    let shown = |node| {
        let mut shown = view(node, &levels);
        shown.parent = shown.parent.filter(|parent| seen.contains(parent));
        shown
    };
    ok(&wanted.page(nodes, |node| node.partner.id, shown))
}
