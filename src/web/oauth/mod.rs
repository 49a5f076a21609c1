//! OAuth 2.0 for the clients of SCIM connections: a token endpoint for each (RFC 6749 §4.4) and its description
//! (RFC 8414). A connection that does not exist looks like one whose clients are others.
mod fault;
mod metadata;
mod request;
mod token;

use actix_web::web;

use super::App;
use super::routes::{RouteAccess, RouteSpec, TenantIsolation};
use crate::login::client::Endpoint;

/// Every address of the connection. The token endpoint asks for a client's own credential, not for one of ours.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec { path: "/oauth/{slug}/token", post: Some(|| web::to(token::token)), ..OPEN },
    RouteSpec {
        path: "/.well-known/oauth-authorization-server/oauth/{slug}",
        get: Some(|| web::to(metadata::show)),
        ..OPEN
    },
];

const OPEN: RouteSpec =
    RouteSpec { access: RouteAccess::Open, isolation: TenantIsolation::NoTenant, ..RouteSpec::NONE };

/// What all tokens of the endpoint are for.
const SCOPE: &str = "scim";

/// The addresses of a connection's token endpoint.
pub(super) fn endpoint(app: &App, slug: &str) -> Endpoint {
    let issuer = app.public_url.join(&format!("/oauth/{slug}"));
    Endpoint { token: format!("{issuer}/token"), issuer }
}
