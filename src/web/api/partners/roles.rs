//! `GET /partners/{id}/roles`.
use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id, PartnerId};
use crate::store::{catalog, roles as stored};
use crate::web::api::page::ApiPage;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A role that can be used at a partner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub(in crate::web::api) struct RoleView {
    /// Its id.
    id: Uuid,
    /// The partner that owns it: this one or one above.
    partner: Uuid,
    /// The name.
    name: String,
    /// The role it never exceeds.
    parent: Option<Uuid>,
    /// Its key, when it comes from the catalog.
    catalog_key: Option<String>,
    /// What it confers, by the names of the catalog.
    capabilities: Vec<String>,
}

/// The roles that can be used at a partner: its own and those of the partners above. Needs `core.role.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}/roles", tag = "Partners", operation_id = "listRoles",
    params(("id" = Uuid, Path, description = "the partner")),
    responses((status = 200, description = "all of them", body = ApiPage<RoleView>)))]
pub(in crate::web::api) async fn roles(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let items = call
        .read(async |reader| {
            let at = authority::at_partner(reader, call.user(), CoreCapability::RoleView, id, call.now()).await?;
            let names = catalog::capabilities(reader).await?;
            let names: HashMap<_, _> = names.into_iter().map(|known| (known.id, known.name)).collect();
            let mut items = Vec::new();
            for role in stored::usable(reader, &at).await? {
                let conferred = stored::conferred(reader, &at, role.id).await?;
                items.push(RoleView {
                    id: role.id.uuid(),
                    partner: role.partner.uuid(),
                    name: role.name,
                    parent: role.parent.map(Id::uuid),
                    catalog_key: role.catalog_key,
                    capabilities: conferred.iter().filter_map(|id| names.get(id).cloned()).collect(),
                });
            }
            Ok(items)
        })
        .await?;
    ok(&ApiPage { items, next: None })
}
