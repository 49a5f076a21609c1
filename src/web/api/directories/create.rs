//! `POST /partners/{id}/directories`.
use serde::Deserialize;
use utoipa::ToSchema;

use super::{DirectoryView, view};
use crate::admin::directories::{self, NewDirectory};
use crate::web::api::model::DirectoryModeView;
use crate::web::api::request::{ApiRequest, ApiResult, created};

/// A directory to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct NewDirectoryBody {
    /// The name, unique in the partner.
    name: String,
    /// `authoritative` unless said.
    mode: Option<DirectoryModeView>,
    /// Lower wins where two directories speak of one user; after those that are there unless said.
    authority: Option<i64>,
}

/// Makes a directory with an empty ceiling: it confers nothing until one is set. Needs `core.connection.write` over the
/// partner.
#[utoipa::path(post, path = "/api/v1/partners/{id}/directories", tag = "Directories", operation_id = "createDirectory",
    params(("id" = uuid::Uuid, Path, description = "the partner")), request_body = NewDirectoryBody,
    responses((status = 201, description = "the new directory", body = DirectoryView),
        (status = 409, description = "the partner has a directory of this name")))]
pub(in crate::web::api) async fn create(mut call: ApiRequest) -> ApiResult {
    let partner = call.id("id")?;
    let body: NewDirectoryBody = call.body().await?;
    let mode = body.mode.unwrap_or(DirectoryModeView::Authoritative).into();
    let new = NewDirectory { name: body.name, mode, authority: body.authority };
    let made = directories::create(&call.app.store, &call.ctx(), call.user(), partner, &new).await?;
    created(&format!("/api/v1/directories/{}", made.id), &view(made))
}
