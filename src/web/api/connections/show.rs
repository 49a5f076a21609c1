//! `GET /connections/{slug}`.
use actix_web::http::StatusCode;

use super::{ConnectionView, connection, tagged};
use crate::domain::capability::CoreCapability;
use crate::web::api::request::{ApiRequest, ApiResult};

/// One connection. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}", tag = "Connections", operation_id = "getConnection",
    params(("slug" = String, Path, description = "the connection's name in addresses")),
    responses((status = 200, description = "the connection", body = ConnectionView)))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    tagged(&call, StatusCode::OK, connection)
}
