//! Decisions for products: OpenID AuthZEN Authorization API 1.0.
//!
//! The subject is a user (`type` "user"), the action a capability by its name in the catalog, the resource a partner, a
//! user, a user group, or a product's own thing with the properties `partner`, `group` and `owner`. Who asks is the
//! user of the API token: they need `core.access.ask` over the resource's partner, or ask about themselves.
mod ask;
mod evaluation;
mod evaluations;
mod metadata;
mod model;

use actix_web::web;

pub use evaluations::answers;
pub use model::{EvaluationBatch, Object, Wrong, batch};

use super::routes::{RouteAccess, RouteSpec, TenantIsolation};

/// The routes of decisions.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec { path: "/.well-known/authzen-configuration", get: Some(|| web::to(metadata::show)), ..RouteSpec::NONE },
    RouteSpec {
        path: "/access/v1/evaluation",
        access: RouteAccess::Token,
        isolation: TenantIsolation::Partner,
        post: Some(|| web::to(evaluation::evaluate)),
        ..RouteSpec::NONE
    },
    RouteSpec {
        path: "/access/v1/evaluations",
        access: RouteAccess::Token,
        isolation: TenantIsolation::Partner,
        post: Some(|| web::to(evaluations::evaluate)),
        ..RouteSpec::NONE
    },
];
