//! `PATCH /connections/{slug}`.
use actix_web::http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionView, tagged};
use crate::admin::connections::{self, ConnectionPatch};
use crate::web::api::model::{ConnectionStateView, SecretIn};
use crate::web::api::request::{ApiRequest, ApiResult};

/// What becomes different. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct ChangeBody {
    /// Another client profile or product.
    profile: Option<String>,
    /// Another join; null for none any more.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    matching_attribute: Option<Option<String>>,
    /// Other settings, whole: what is not among them is gone.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// Open or closed.
    state: Option<ConnectionStateView>,
    /// Another bind password or client secret; null for none any more.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<SecretIn>)]
    secret: Option<Option<SecretIn>>,
}

/// Tells a null from what is left out.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

/// Changes a connection; sessions and runs of a paused one end. Needs `core.connection.write` over its partner, and
/// holding all that the directory may confer. With `If-Match`, only when it still has that version.
#[utoipa::path(patch, path = "/api/v1/connections/{slug}", tag = "Connections", operation_id = "changeConnection",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that was read")),
    request_body = ChangeBody,
    responses((status = 200, description = "the connection as it is now", body = ConnectionView),
        (status = 412, description = "it has changed since it was read")))]
pub(in crate::web::api) async fn change(mut call: ApiRequest) -> ApiResult {
    let expected = call.if_match()?;
    let body: ChangeBody = call.body().await?;
    let change = ConnectionPatch {
        profile: body.profile,
        join: body.matching_attribute,
        settings: body.settings.map(Value::Object),
        state: body.state.map(Into::into),
        secret: body.secret.map(|secret| secret.map(|secret| secret.0)),
    };
    let slug = call.slug()?;
    let (store, keyring) = (&call.app.store, &call.app.keyring);
    let now = connections::change(store, &call.ctx(), call.user(), (slug, expected), &change, keyring).await?;
    tagged(&call, StatusCode::OK, now)
}
