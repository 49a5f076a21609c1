//! Tokens of SCIM connections: list, make, withdraw.
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::{authority, connections};
use crate::domain::capability::CoreCapability;
use crate::domain::id::Id as _;
use crate::store::tokens::{self, TokenRecord};
use crate::web::api::model::ApiTimestamp;
use crate::web::api::page::ApiPage;
use crate::web::api::request::{ApiRequest, ApiResult, created, ok};

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenRecord)]
pub(in crate::web::api) struct TokenView {
    /// Its id.
    id: Uuid,
    /// What it was called.
    name: String,
    /// Its first characters.
    prefix: String,
    /// When it was made.
    created_at: ApiTimestamp,
    /// From when on it opens nothing; null: never.
    expires_at: Option<ApiTimestamp>,
    /// When it was withdrawn.
    revoked_at: Option<ApiTimestamp>,
    /// When it was last used, to within a minute.
    last_used_at: Option<ApiTimestamp>,
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct NewTokenBody {
    /// What it is for.
    name: String,
    /// From when on it opens nothing; never unless said.
    expires_at: Option<ApiTimestamp>,
}

/// A new token. Its text is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub(in crate::web::api) struct CreatedToken {
    /// Its id.
    id: Uuid,
    /// The token itself: keep it now, it cannot be shown again.
    token: String,
    /// From when on it opens nothing; null: never.
    expires_at: Option<ApiTimestamp>,
}

/// The tokens of a connection, oldest first, withdrawn ones too. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/tokens", tag = "Connections", operation_id = "listTokens",
    params(("slug" = String, Path, description = "the connection's name in addresses")),
    responses((status = 200, description = "all of them", body = ApiPage<TokenView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let slug = call.slug()?;
    let found = call
        .read(async |reader| {
            let (at, connection) =
                authority::at_connection(reader, call.user(), CoreCapability::ConnectionView, slug, call.now()).await?;
            Ok(tokens::list(reader, &at, connection.connection.id).await?)
        })
        .await?;
    ok(&ApiPage { items: found.into_iter().map(view).collect(), next: None })
}

fn view(token: TokenRecord) -> TokenView {
    TokenView {
        id: token.id.uuid(),
        name: token.name,
        prefix: token.prefix,
        created_at: ApiTimestamp(token.created_at),
        expires_at: token.expires_at.map(ApiTimestamp),
        revoked_at: token.revoked_at.map(ApiTimestamp),
        last_used_at: token.last_used_at.map(ApiTimestamp),
    }
}

/// Makes a token of a SCIM connection; a connection may have several, so that a new one is in use before the old one
/// ends. Needs `core.connection.write` over its partner, and holding all that the directory may confer.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/tokens", tag = "Connections", operation_id = "createToken",
    params(("slug" = String, Path, description = "the connection's name in addresses")), request_body = NewTokenBody,
    responses((status = 201, description = "the token, this once", body = CreatedToken)))]
pub(in crate::web::api) async fn create(mut call: ApiRequest) -> ApiResult {
    let body: NewTokenBody = call.body().await?;
    let slug = call.slug()?;
    let end = body.expires_at.map(|moment| moment.0);
    let (id, token) =
        connections::issue_token(&call.app.store, &call.ctx(), call.user(), slug, (&body.name, end)).await?;
    let issued = CreatedToken { id: id.uuid(), token: token.reveal().to_owned(), expires_at: body.expires_at };
    created(&format!("/api/v1/connections/{slug}/tokens/{id}"), &issued)
}

/// Withdraws a token: the next request with it is refused. Needs `core.connection.write` over the connection's partner.
#[utoipa::path(delete, path = "/api/v1/connections/{slug}/tokens/{id}", tag = "Connections",
    operation_id = "revokeToken",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the token")),
    responses((status = 204, description = "it is withdrawn")))]
pub(in crate::web::api) async fn revoke(call: ApiRequest) -> ApiResult {
    let (slug, id) = (call.slug()?, call.id("id")?);
    connections::end_token(&call.app.store, &call.ctx(), call.user(), slug, id).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
