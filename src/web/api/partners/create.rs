//! `POST /partners`.
use serde::Deserialize;
use utoipa::ToSchema;

use super::show::PartnerDetail;
use super::{PartnerKindView, PartnerView};
use crate::admin::partners::{self, NewPartner};
use crate::domain::id::{Id as _, PartnerId};
use crate::domain::partner::PartnerKind;
use crate::store::catalog;
use crate::web::api::error::Fault;
use crate::web::api::model::ApiTimestamp;
use crate::web::api::request::{ApiRequest, ApiResult, created};

/// A partner to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct NewPartnerBody {
    /// The partner it stands below.
    #[schema(value_type = Uuid)]
    parent: PartnerId,
    /// The name users see.
    name: String,
    /// The name of a level in the catalog, below that of the parent; a department has the level of its parent.
    level: String,
    /// Company unless said.
    kind: Option<PartnerKindView>,
    /// The platform's own key for it, unique among those directly below that parent.
    external_id: Option<String>,
}

/// Makes a partner below another. Needs `core.partner.add` over the parent.
#[utoipa::path(post, path = "/api/v1/partners", tag = "Partners", operation_id = "createPartner",
    request_body = NewPartnerBody,
    responses((status = 201, description = "the new partner", body = PartnerDetail),
        (status = 409, description = "the external id is taken")))]
pub(in crate::web::api) async fn create(mut call: ApiRequest) -> ApiResult {
    let body: NewPartnerBody = call.body().await?;
    let levels = call.read(async |reader| Ok(catalog::levels(reader).await?)).await?;
    let Some(level) = levels.iter().find(|level| level.name == body.level) else {
        let known: Vec<_> = levels.iter().map(|level| level.name.as_str()).collect();
        return Err(Fault::bad(format!("`level`: must be one of {}", known.join(", "))));
    };
    let new = NewPartner {
        external_id: body.external_id,
        name: body.name,
        kind: body.kind.unwrap_or(PartnerKindView::Company).into(),
        level: level.id,
    };
    let parent = body.parent;
    let made = partners::create(&call.app.store, &call.ctx(), call.user(), parent, &new).await?;
    let view = PartnerView {
        id: made.id.uuid(),
        parent: made.parent.map(|id| id.uuid()),
        external_id: made.external_id,
        name: made.name,
        kind: if made.kind == PartnerKind::Company { PartnerKindView::Company } else { PartnerKindView::Department },
        level: level.name.clone(),
        user_count: 0,
        directory_count: 0,
        suspended: false,
        created_at: ApiTimestamp(made.created_at),
    };
    created(&format!("/api/v1/partners/{}", made.id), &PartnerDetail::fresh(view))
}
