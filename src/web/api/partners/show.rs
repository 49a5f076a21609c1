//! `GET /partners/{id}`.
use super::{PartnerView, view};
use crate::admin::authority;
use crate::domain::capability::Core;
use crate::domain::id::PartnerId;
use crate::store::{catalog, visible};
use crate::web::api::call::{Answer, Call, ok};
use crate::web::api::fault::Fault;

/// One partner. Needs `core.partner.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}", tag = "Partners", operation_id = "getPartner",
    params(("id" = uuid::Uuid, Path, description = "the partner")),
    responses((status = 200, description = "the partner", body = PartnerView)))]
pub(in crate::web::api) async fn show(call: Call) -> Answer {
    let id: PartnerId = call.id("id")?;
    ok(&read(&call, id).await?)
}

/// A partner as the caller may see it.
pub(super) async fn read(call: &Call, id: PartnerId) -> Result<PartnerView, Fault> {
    call.read(async |reader| {
        let at = authority::at_partner(reader, call.person(), Core::PartnerView, id, call.now()).await?;
        let node = visible::node(reader, &at).await?;
        Ok(view(node, &catalog::levels(reader).await?))
    })
    .await
}
