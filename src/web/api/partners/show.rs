//! `GET /partners/{id}`.
use serde::Serialize;
use utoipa::ToSchema;

use super::{PartnerView, view};
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::PartnerId;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{catalog, reach, suspensions};
use crate::web::api::error::Fault;
use crate::web::api::model::SuspensionView;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A partner with what keeps it off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartnerWhole)]
pub(in crate::web::api) struct PartnerDetail {
    /// The partner.
    #[serde(flatten)]
    partner: PartnerView,
    /// Its own suspensions, not those of partners above; empty when there is none.
    suspensions: Vec<SuspensionView>,
}

impl PartnerDetail {
    /// A partner that nobody has switched off yet.
    pub(super) fn fresh(partner: PartnerView) -> Self {
        Self { partner, suspensions: Vec::new() }
    }
}

/// One partner. Needs `core.partner.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}", tag = "Partners", operation_id = "getPartner",
    params(("id" = uuid::Uuid, Path, description = "the partner")),
    responses((status = 200, description = "the partner", body = PartnerDetail)))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    ok(&read(&call, id).await?)
}

/// A partner as the caller may see it.
pub(super) async fn read(call: &ApiRequest, id: PartnerId) -> Result<PartnerDetail, Fault> {
    call.read(async |reader| {
        let at = authority::at_partner(reader, call.user(), CoreCapability::PartnerView, id, call.now()).await?;
        let node = reach::node(reader, &at).await?;
        let found = suspensions::of_partner(reader, &at).await?;
        let mut sight = Sight::of(call.user(), call.now());
        let suspensions = visible_reasons::holds(reader, &mut sight, &at, id, found).await?;
        let mut partner = view(node, &catalog::levels(reader).await?);
        super::hide_parent(reader, &mut sight, &mut partner).await?;
        Ok(PartnerDetail { partner, suspensions: suspensions.into_iter().map(SuspensionView::from).collect() })
    })
    .await
}
