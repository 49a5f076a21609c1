//! `/.well-known/oauth-authorization-server/oauth/{slug}`: the description of a token endpoint (RFC 8414 §3).
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{SCOPE, endpoint};
use crate::login::jwks::ALGORITHMS;
use crate::web::App;
use crate::web::error::{HttpError, sentence};

/// Says how tokens are to be had. It is the same for every name, so it tells nothing about which exist.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    slug: web::Path<String>,
) -> Result<HttpResponse, HttpError> {
    if !slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(HttpError::at(&request, StatusCode::NOT_FOUND, sentence(StatusCode::NOT_FOUND)));
    }
    let endpoint = endpoint(&app, &slug);
    let body = json!({
        "issuer": endpoint.issuer,
        "token_endpoint": endpoint.token,
        "grant_types_supported": ["client_credentials"],
        // Required and never empty (§2, §3.2); there is no authorization endpoint to ask anything of.
        "response_types_supported": ["none"],
        "scopes_supported": [SCOPE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
    });
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=3600")).json(body))
}
