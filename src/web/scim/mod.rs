//! The SCIM connection: `/scim/{slug}/v2/…`, one file a verb.
//!
//! A request is authenticated, admitted and written down by [`request::visit`]; in between it is brought into its strict
//! form by the connection's profile, understood by the engine, carried out by one use case and rendered.
mod bulk;
mod create;
mod cursors;
mod delete;
mod discovery;
pub mod last_used;
mod list;
pub mod log;
mod members;
mod not_found;
pub mod options_cache;
mod patch;
mod read;
mod redact;
mod replace;
mod request;
mod resource;
mod response;
mod roles;

pub use self::request::PAUSED_SECONDS;

use actix_web::{HttpRequest, web};

use super::App;
use super::routes::{RouteAccess, RouteSpec, TenantIsolation};

/// A handler that runs one verb inside a visit.
macro_rules! verb {
    ($work:path) => {
        Some(|| {
            web::to(|request: HttpRequest, app: web::Data<App>, payload: web::Payload| {
                request::visit(request, app, payload, $work)
            })
        })
    };
}

/// Every address of the connection, in the order they are tried: what is asked most comes first.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec { post: verb!(list::search_users), ..at("/scim/{slug}/v2/Users/.search") },
    RouteSpec { get: verb!(list::users), post: verb!(create::user), ..at("/scim/{slug}/v2/Users") },
    RouteSpec {
        get: verb!(read::user),
        put: verb!(replace::user),
        patch: verb!(patch::user),
        delete: verb!(delete::user),
        ..at("/scim/{slug}/v2/Users/{id}")
    },
    RouteSpec { post: verb!(list::search_groups), ..at("/scim/{slug}/v2/Groups/.search") },
    RouteSpec { get: verb!(list::groups), post: verb!(create::group), ..at("/scim/{slug}/v2/Groups") },
    RouteSpec {
        get: verb!(read::group),
        put: verb!(replace::group),
        patch: verb!(patch::group),
        delete: verb!(delete::group),
        ..at("/scim/{slug}/v2/Groups/{id}")
    },
    RouteSpec {
        post: verb!(roles::search_roles),
        other: verb!(roles::unchangeable),
        ..at("/scim/{slug}/v2/Roles/.search")
    },
    RouteSpec { get: verb!(roles::roles), other: verb!(roles::unchangeable), ..at("/scim/{slug}/v2/Roles") },
    RouteSpec { get: verb!(roles::role), other: verb!(roles::unchangeable), ..at("/scim/{slug}/v2/Roles/{id}") },
    RouteSpec {
        post: verb!(roles::search_entitlements),
        other: verb!(roles::unchangeable),
        ..at("/scim/{slug}/v2/Entitlements/.search")
    },
    RouteSpec {
        get: verb!(roles::entitlements),
        other: verb!(roles::unchangeable),
        ..at("/scim/{slug}/v2/Entitlements")
    },
    RouteSpec {
        get: verb!(roles::entitlement),
        other: verb!(roles::unchangeable),
        ..at("/scim/{slug}/v2/Entitlements/{id}")
    },
    RouteSpec { get: Some(|| web::to(discovery::config)), ..at("/scim/{slug}/v2/ServiceProviderConfig") },
    RouteSpec { get: Some(|| web::to(discovery::types)), ..at("/scim/{slug}/v2/ResourceTypes") },
    RouteSpec { get: Some(|| web::to(discovery::one_type)), ..at("/scim/{slug}/v2/ResourceTypes/{id}") },
    RouteSpec { get: Some(|| web::to(discovery::schemas)), ..at("/scim/{slug}/v2/Schemas") },
    RouteSpec { get: Some(|| web::to(discovery::schema)), ..at("/scim/{slug}/v2/Schemas/{id}") },
    RouteSpec { post: verb!(list::search_everything), ..at("/scim/{slug}/v2/.search") },
    RouteSpec { get: verb!(list::everything), ..at("/scim/{slug}/v2") },
    RouteSpec { post: verb!(bulk::bulk), ..at("/scim/{slug}/v2/Bulk") },
    RouteSpec { other: verb!(not_found::me), ..at("/scim/{slug}/v2/Me") },
    RouteSpec { other: verb!(not_found::nothing), ..at("/scim/{slug}/{version}/{tail:.*}") },
    RouteSpec { other: verb!(not_found::nothing), ..at("/scim/{slug}/{version}") },
    RouteSpec { other: verb!(not_found::nothing), ..at("/scim/{slug}") },
];

const fn at(path: &'static str) -> RouteSpec {
    RouteSpec { path, access: RouteAccess::Connection, isolation: TenantIsolation::Connection, ..RouteSpec::NONE }
}
