//! The console: pages made on the server, for users who are signed in. One file a page.
//!
//! A handler reads the request, asks whether the visitor may, reads everything in one snapshot and fills a template.
//! Forms go to a use case of `admin` and lead on with 303. What a visitor may not see answers like what is not there.
//!
//! | beside the pages | what |
//! | --- | --- |
//! | `page`, `place`, `halt` | the frame, the partner at its head, why a page is not shown |
//! | `once`, `credentials` | a new secret shown one time, and secrets in lists |
//! | `tree`, `path` | the two pictures: the partners, and why a user holds a role |
//! | `removal_alerts` | the notice that much was taken away at once |
//! | `products`, `connect`, `words` | names of products and events |
mod connect;
mod connection;
mod credentials;
mod directories;
mod directory;
mod error;
mod event_labels;
mod events;
mod grant_path;
mod introduction;
mod layout;
mod one_time_secret;
mod partner;
mod partner_header;
mod partners;
mod products;
mod removal_alerts;
mod tokens;
mod tree;
mod user;
mod users;

use actix_web::web;

use super::routes::{RouteAccess, RouteSpec, TenantIsolation};

pub use error::PageError;

/// The routes of the console.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec {
        isolation: TenantIsolation::NoTenant,
        access: RouteAccess::Open,
        get: Some(|| web::to(partners::home)),
        ..at("/")
    },
    RouteSpec { get: Some(|| web::to(partners::show)), ..at("/partners") },
    RouteSpec { get: Some(|| web::to(partner::show)), ..at("/partners/{id}") },
    RouteSpec { post: Some(|| web::to(partner::act)), ..at("/partners/{id}/suspend") },
    RouteSpec { post: Some(|| web::to(partner::act)), ..at("/partners/{id}/reactivate") },
    RouteSpec { get: Some(|| web::to(users::show)), ..at("/partners/{id}/users") },
    RouteSpec { get: Some(|| web::to(user::show)), ..at("/users/{id}") },
    RouteSpec { post: Some(|| web::to(user::act)), ..at("/users/{id}/confirm") },
    RouteSpec { post: Some(|| web::to(user::act)), ..at("/users/{id}/unconfirm") },
    RouteSpec { post: Some(|| web::to(user::act)), ..at("/users/{id}/suspend") },
    RouteSpec { post: Some(|| web::to(user::act)), ..at("/users/{id}/reactivate") },
    RouteSpec {
        get: Some(|| web::to(directories::show)),
        post: Some(|| web::to(directories::connect)),
        ..at("/partners/{id}/directories")
    },
    RouteSpec {
        get: Some(|| web::to(directory::show)),
        post: Some(|| web::to(directory::add)),
        ..at("/directories/{id}")
    },
    RouteSpec {
        lasting: true,
        get: Some(|| web::to(introduction::show)),
        post: Some(|| web::to(introduction::carry_out)),
        ..at("/directories/{id}/introduction")
    },
    RouteSpec { get: Some(|| web::to(connection::show)), ..at("/connections/{slug}") },
    RouteSpec { post: Some(|| web::to(connection::set_state)), ..at("/connections/{slug}/state") },
    RouteSpec { post: Some(|| web::to(connection::settings::save)), ..at("/connections/{slug}/settings") },
    RouteSpec { post: Some(|| web::to(connection::tokens::make)), ..at("/connections/{slug}/tokens") },
    RouteSpec { post: Some(|| web::to(connection::tokens::end)), ..at("/connections/{slug}/tokens/{token}/revoke") },
    RouteSpec { post: Some(|| web::to(connection::clients::make)), ..at("/connections/{slug}/oauth-clients") },
    RouteSpec {
        post: Some(|| web::to(connection::clients::end)),
        ..at("/connections/{slug}/oauth-clients/{client}/revoke")
    },
    RouteSpec { lasting: true, post: Some(|| web::to(connection::runs::test)), ..at("/connections/{slug}/test") },
    RouteSpec { lasting: true, post: Some(|| web::to(connection::runs::start)), ..at("/connections/{slug}/sync-runs") },
    RouteSpec { get: Some(|| web::to(connection::runs::show)), ..at("/connections/{slug}/sync-runs/{run}") },
    RouteSpec {
        lasting: true,
        post: Some(|| web::to(connection::runs::approve)),
        ..at("/connections/{slug}/sync-runs/{run}/approve")
    },
    RouteSpec {
        lasting: true,
        get: Some(|| web::to(connection::undo::show)),
        post: Some(|| web::to(connection::undo::carry_out)),
        ..at("/connections/{slug}/undo")
    },
    RouteSpec {
        post: Some(|| web::to(connection::undo::dismiss)),
        ..at("/connections/{slug}/removal-alerts/{removal_alert}/dismiss")
    },
    RouteSpec { get: Some(|| web::to(events::show)), ..at("/activity") },
    RouteSpec {
        isolation: TenantIsolation::Own,
        get: Some(|| web::to(tokens::show)),
        post: Some(|| web::to(tokens::make)),
        ..at("/account/tokens")
    },
    RouteSpec {
        isolation: TenantIsolation::Own,
        post: Some(|| web::to(tokens::end)),
        ..at("/account/tokens/{token}/revoke")
    },
];

const fn at(path: &'static str) -> RouteSpec {
    RouteSpec { path, access: RouteAccess::Session, isolation: TenantIsolation::Partner, ..RouteSpec::NONE }
}
