//! The admin API: `/api/v1/…`, one file a verb under its noun.
//!
//! A request carries an API token and acts with the authority its user has at that moment ([`request::ApiRequest`]). What the
//! user may not see answers like what does not exist; what they see but may not do answers 403 with the reason. Lists
//! come in pages ([`page`]); refusals are RFC 9457 problems ([`fault`]). The handlers' comments are the reference:
//! `openapi` collects them.
mod bounds;
mod connections;
mod directories;
mod error;
mod events;
mod model;
pub mod openapi;
mod page;
mod partners;
mod reference;
mod request;
mod users;

use actix_web::web;
use serde_json::Value;

use super::routes::{RouteAccess, RouteSpec, TenantIsolation};
use crate::provision::undo::{UndoPlan, UndoResult};

/// Every address of the API.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec { path: "/api/v1/openapi.json", get: Some(|| web::to(openapi::show)), ..RouteSpec::NONE },
    RouteSpec { path: "/api/v1/docs", get: Some(|| web::to(reference::show)), ..RouteSpec::NONE },
    RouteSpec {
        get: Some(|| web::to(partners::list::list)),
        post: Some(|| web::to(partners::create::create)),
        ..at("/api/v1/partners")
    },
    RouteSpec { get: Some(|| web::to(partners::show::show)), ..at("/api/v1/partners/{id}") },
    RouteSpec {
        get: Some(|| web::to(partners::stopped::show)),
        post: Some(|| web::to(partners::suspend::suspend)),
        ..at("/api/v1/partners/{id}/suspend")
    },
    RouteSpec { post: Some(|| web::to(partners::reactivate::reactivate)), ..at("/api/v1/partners/{id}/reactivate") },
    RouteSpec { get: Some(|| web::to(partners::users::users)), ..at("/api/v1/partners/{id}/users") },
    RouteSpec {
        lasting: true,
        post: Some(|| web::to(partners::confirmations::confirm)),
        ..at("/api/v1/partners/{id}/confirmations")
    },
    RouteSpec { get: Some(|| web::to(partners::groups::groups)), ..at("/api/v1/partners/{id}/user-groups") },
    RouteSpec { get: Some(|| web::to(partners::matches::list)), ..at("/api/v1/partners/{id}/matches") },
    RouteSpec { get: Some(|| web::to(partners::roles::roles)), ..at("/api/v1/partners/{id}/roles") },
    RouteSpec {
        get: Some(|| web::to(directories::list::list)),
        post: Some(|| web::to(directories::create::create)),
        ..at("/api/v1/partners/{id}/directories")
    },
    RouteSpec { get: Some(|| web::to(users::show::show)), ..at("/api/v1/users/{id}") },
    RouteSpec { get: Some(|| web::to(users::access::access)), ..at("/api/v1/users/{id}/access") },
    RouteSpec {
        post: Some(|| web::to(users::confirm::confirm)),
        delete: Some(|| web::to(users::confirm::unconfirm)),
        ..at("/api/v1/users/{id}/confirm")
    },
    RouteSpec { post: Some(|| web::to(users::suspend::suspend)), ..at("/api/v1/users/{id}/suspend") },
    RouteSpec { post: Some(|| web::to(users::reactivate::reactivate)), ..at("/api/v1/users/{id}/reactivate") },
    RouteSpec { get: Some(|| web::to(directories::show::show)), ..at("/api/v1/directories/{id}") },
    RouteSpec {
        lasting: true,
        get: Some(|| web::to(directories::introduction::show)),
        post: Some(|| web::to(directories::introduction::carry_out)),
        ..at("/api/v1/directories/{id}/introduction")
    },
    RouteSpec { post: Some(|| web::to(connections::create::create)), ..at("/api/v1/directories/{id}/connections") },
    RouteSpec {
        get: Some(|| web::to(connections::show::show)),
        patch: Some(|| web::to(connections::change::change)),
        ..at("/api/v1/connections/{slug}")
    },
    RouteSpec {
        get: Some(|| web::to(connections::oauth_clients::list)),
        post: Some(|| web::to(connections::oauth_clients::create)),
        ..at("/api/v1/connections/{slug}/oauth-clients")
    },
    RouteSpec {
        delete: Some(|| web::to(connections::oauth_clients::revoke)),
        ..at("/api/v1/connections/{slug}/oauth-clients/{id}")
    },
    RouteSpec {
        get: Some(|| web::to(connections::tokens::list)),
        post: Some(|| web::to(connections::tokens::create)),
        ..at("/api/v1/connections/{slug}/tokens")
    },
    RouteSpec { delete: Some(|| web::to(connections::tokens::revoke)), ..at("/api/v1/connections/{slug}/tokens/{id}") },
    RouteSpec { get: Some(|| web::to(connections::request_log::log)), ..at("/api/v1/connections/{slug}/request-log") },
    RouteSpec { get: Some(|| web::to(connections::matches::list)), ..at("/api/v1/connections/{slug}/matches") },
    RouteSpec {
        post: Some(|| web::to(connections::matches::confirm)),
        ..at("/api/v1/connections/{slug}/matches/{id}/confirm")
    },
    RouteSpec {
        post: Some(|| web::to(connections::matches::refuse)),
        ..at("/api/v1/connections/{slug}/matches/{id}/refuse")
    },
    RouteSpec {
        lasting: true,
        get: Some(|| web::to(connections::sync_runs::list)),
        post: Some(|| web::to(connections::sync::sync)),
        ..at("/api/v1/connections/{slug}/sync-runs")
    },
    RouteSpec {
        get: Some(|| web::to(connections::sync_runs::show)),
        ..at("/api/v1/connections/{slug}/sync-runs/{id}")
    },
    RouteSpec {
        lasting: true,
        post: Some(|| web::to(connections::test::test)),
        ..at("/api/v1/connections/{slug}/test")
    },
    RouteSpec {
        get: Some(|| web::to(connections::removal_alerts::list)),
        ..at("/api/v1/connections/{slug}/removal-alerts")
    },
    RouteSpec {
        post: Some(|| web::to(connections::removal_alerts::dismiss)),
        ..at("/api/v1/connections/{slug}/removal-alerts/{id}/dismiss")
    },
    RouteSpec {
        lasting: true,
        post: Some(|| web::to(connections::undo::undo)),
        ..at("/api/v1/connections/{slug}/undo")
    },
    RouteSpec {
        get: Some(|| web::to(connections::external::users)),
        ..at("/api/v1/connections/{slug}/external-users")
    },
    RouteSpec {
        get: Some(|| web::to(connections::external::groups)),
        ..at("/api/v1/connections/{slug}/external-groups")
    },
    RouteSpec {
        get: Some(|| web::to(connections::external::members)),
        ..at("/api/v1/connections/{slug}/external-groups/{stable_id}/members")
    },
    RouteSpec {
        get: Some(|| web::to(connections::external::effective_members)),
        ..at("/api/v1/connections/{slug}/external-groups/{stable_id}/effective-members")
    },
    RouteSpec { get: Some(|| web::to(events::list::list)), ..at("/api/v1/events") },
];

const fn at(path: &'static str) -> RouteSpec {
    RouteSpec { path, access: RouteAccess::Token, isolation: TenantIsolation::Partner, ..RouteSpec::NONE }
}

/// A plan of undoing in the words of the API, for the command line, which may do without a server.
pub fn undo_plan(plan: &UndoPlan, carried: Option<UndoResult>) -> Value {
    serde_json::to_value(connections::undo::view(plan, carried)).unwrap_or_default()
}
