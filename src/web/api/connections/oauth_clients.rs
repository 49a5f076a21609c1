//! OAuth 2.0 clients of SCIM connections: list, make, withdraw.
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin::authority;
use crate::admin::clients::{self, Credential};
use crate::domain::capability::CoreCapability;
use crate::domain::id::Id as _;
use crate::login::client::check_keys;
use crate::store::oauth_clients::{self, OauthClient};
use crate::web::api::error::Fault;
use crate::web::api::model::ApiTimestamp;
use crate::web::api::page::ApiPage;
use crate::web::api::request::{ApiRequest, ApiResult, created, ok};

/// An OAuth client, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OAuthClient)]
pub(in crate::web::api) struct ClientView {
    /// Its id, which is its `client_id` too.
    id: Uuid,
    /// What it was called.
    name: String,
    /// The first characters of its secret; null when it proves itself with a key.
    prefix: Option<String>,
    /// Its public keys, when they were given.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// Where it publishes its keys, when it does.
    jwks_uri: Option<String>,
    /// When it was made.
    created_at: ApiTimestamp,
    /// When it was withdrawn.
    revoked_at: Option<ApiTimestamp>,
    /// When it was last given a token.
    last_used_at: Option<ApiTimestamp>,
}

/// An OAuth client to make. Without keys it gets a secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web::api) struct NewClientBody {
    /// What it is for.
    name: String,
    /// Its public keys, a JWK set: it proves itself by `private_key_jwt`.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// Where it publishes its keys, instead of `jwks`.
    jwks_uri: Option<String>,
}

/// A new client. Its secret is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewOAuthClient)]
pub(in crate::web::api) struct CreatedClient {
    /// Its id.
    id: Uuid,
    /// What it names itself at the token endpoint.
    client_id: String,
    /// Its secret: keep it now, it cannot be shown again. Null when it proves itself with a key.
    client_secret: Option<String>,
    /// Where it gets its tokens.
    token_endpoint: String,
}

/// The OAuth clients of a connection, oldest first, withdrawn ones too. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/oauth-clients", tag = "Connections", operation_id = "listOAuthClients",
    params(("slug" = String, Path, description = "the connection's name in addresses")),
    responses((status = 200, description = "all of them", body = ApiPage<ClientView>)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let slug = call.slug()?;
    let found = call
        .read(async |reader| {
            let (at, connection) =
                authority::at_connection(reader, call.user(), CoreCapability::ConnectionView, slug, call.now()).await?;
            Ok(oauth_clients::list(reader, &at, connection.connection.id).await?)
        })
        .await?;
    ok(&ApiPage { items: found.into_iter().map(view).collect(), next: None })
}

fn view(client: OauthClient) -> ClientView {
    ClientView {
        id: client.id.uuid(),
        name: client.name,
        prefix: client.prefix,
        jwks: client.jwks.and_then(|keys| serde_json::from_str(&keys).ok()),
        jwks_uri: client.jwks_uri,
        created_at: ApiTimestamp(client.created_at),
        revoked_at: client.revoked_at.map(ApiTimestamp),
        last_used_at: client.last_used_at.map(ApiTimestamp),
    }
}

/// Makes an OAuth client of a SCIM connection, which gets short-lived tokens at the connection's token endpoint. Needs
/// `core.connection.write` over its partner, and holding all that the directory may confer.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/oauth-clients", tag = "Connections",
    operation_id = "createOAuthClient",
    params(("slug" = String, Path, description = "the connection's name in addresses")), request_body = NewClientBody,
    responses((status = 201, description = "the client, its secret this once", body = CreatedClient)))]
pub(in crate::web::api) async fn create(mut call: ApiRequest) -> ApiResult {
    let body: NewClientBody = call.body().await?;
    let slug = call.slug()?;
    let wrong = |field, why: String| Fault::bad(format!("The field `{field}` will not do: {why}."));
    let credential = match (body.jwks, body.jwks_uri) {
        (None, None) => Credential::Secret,
        (Some(keys), None) => {
            check_keys(&keys).map_err(|why| wrong("jwks", why))?;
            Credential::Keys(keys.to_string())
        }
        (None, Some(place)) => {
            call.app.desk.login.check_place(&place).map_err(|why| wrong("jwks_uri", why))?;
            Credential::KeysAt(place)
        }
        (Some(_), Some(_)) => return Err(wrong("jwks_uri", "the keys are in `jwks` already".to_owned())),
    };
    let (id, secret) =
        clients::create(&call.app.store, &call.ctx(), call.user(), slug, &body.name, &credential).await?;
    let made = CreatedClient {
        id: id.uuid(),
        client_id: id.to_string(),
        client_secret: secret.map(|secret| secret.reveal().to_owned()),
        token_endpoint: call.app.public_url.join(&format!("/oauth/{slug}/token")),
    };
    created(&format!("/api/v1/connections/{slug}/oauth-clients/{id}"), &made)
}

/// Withdraws an OAuth client and every token it was given: the next request with one is refused. Needs
/// `core.connection.write` over the connection's partner.
#[utoipa::path(delete, path = "/api/v1/connections/{slug}/oauth-clients/{id}", tag = "Connections",
    operation_id = "revokeOAuthClient",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("id" = Uuid, Path, description = "the client")),
    responses((status = 204, description = "it is withdrawn")))]
pub(in crate::web::api) async fn revoke(call: ApiRequest) -> ApiResult {
    let (slug, id) = (call.slug()?, call.id("id")?);
    clients::end(&call.app.store, &call.ctx(), call.user(), slug, id).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
