//! `GET /partners/{id}/directories`.
use super::{DirectoryView, view};
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::PartnerId;
use crate::store::directories;
use crate::web::api::page::ApiPage;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// The directories of a partner, by name. Needs `core.connection.view` over it.
#[utoipa::path(get, path = "/api/v1/partners/{id}/directories", tag = "Directories", operation_id = "listDirectories",
    params(("id" = uuid::Uuid, Path, description = "the partner")),
    responses((status = 200, description = "all of them", body = ApiPage<DirectoryView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let id: PartnerId = call.id("id")?;
    let found = call
        .read(async |reader| {
            let at = authority::at_partner(reader, call.user(), CoreCapability::ConnectionView, id, call.now()).await?;
            Ok(directories::of_partner(reader, &at).await?)
        })
        .await?;
    ok(&ApiPage { items: found.into_iter().map(view).collect(), next: None })
}
