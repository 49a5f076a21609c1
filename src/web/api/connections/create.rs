//! `POST /directories/{id}/connections`.
use actix_web::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionView, tagged};
use crate::admin::connections::{self, ConnectionInit, NewConnection};
use crate::web::api::model::{ConnectionKindView, ConnectionStateView, SecretIn};
use crate::web::api::request::{ApiRequest, ApiResult};

/// A connection to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct NewConnectionBody {
    /// Which connection.
    kind: ConnectionKindView,
    /// Its name in addresses: 1 to 60 of `a-z`, `0-9` and `-`. It can never be changed.
    slug: String,
    /// The client profile (SCIM: `generic`, `entra`, …) or product (LDAP: `openldap`, `active_directory`, …); `generic`
    /// unless said.
    profile: Option<String>,
    /// The attribute or claim that names the same user at every connection of the directory.
    matching_attribute: Option<String>,
    /// Settings of its kind; may be left out while it is paused.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// `active` unless said.
    state: Option<ConnectionStateView>,
    /// The bind password or client secret. It is sealed and never shown.
    secret: Option<SecretIn>,
}

/// Makes a connection of a directory. Needs `core.connection.write` over its partner, and holding all that the directory may
/// confer.
#[utoipa::path(post, path = "/api/v1/directories/{id}/connections", tag = "Connections",
    operation_id = "createConnection",
    params(("id" = uuid::Uuid, Path, description = "the directory")), request_body = NewConnectionBody,
    responses((status = 201, description = "the new connection", body = ConnectionView),
        (status = 409, description = "the name in addresses is taken")))]
pub(in crate::web::api) async fn create(mut call: ApiRequest) -> ApiResult {
    let directory = call.id("id")?;
    let body: NewConnectionBody = call.body().await?;
    let connection = NewConnection {
        kind: body.kind.into(),
        slug: body.slug,
        profile: body.profile.unwrap_or_else(|| "generic".to_owned()),
        matching_attribute: body.matching_attribute,
    };
    let filling = ConnectionInit {
        settings: Value::Object(body.settings.unwrap_or_default()),
        state: body.state.unwrap_or(ConnectionStateView::Active).into(),
        secret: body.secret.map(|secret| secret.0),
    };
    let (store, keyring) = (&call.app.store, &call.app.keyring);
    let made =
        connections::create(store, &call.ctx(), call.user(), directory, (&connection, &filling), keyring).await?;
    tagged(&call, StatusCode::CREATED, made)
}
