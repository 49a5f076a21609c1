//! Signing in and out over HTTP. One file a page.
mod account;
mod api_caller;
mod begin;
mod callback;
mod error_page;
mod form;
mod limits;
mod link;
mod logout;
mod page;
mod session_user;
pub mod state;

use actix_web::web;

use super::routes::{RouteAccess, RouteSpec, TenantIsolation};

pub use api_caller::ApiCaller;
pub use form::Form;
pub use session_user::SessionUser;
pub use state::{LoginState, fetch, policy};

/// The routes of signing in.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec {
        path: "/login",
        get: Some(|| web::to(page::show)),
        post: Some(|| web::to(page::choose)),
        ..RouteSpec::NONE
    },
    RouteSpec { path: "/login/{slug}", get: Some(|| web::to(begin::begin)), acts: true, ..RouteSpec::NONE },
    RouteSpec { path: "/sso/{slug}/callback", get: Some(|| web::to(callback::answer)), acts: true, ..RouteSpec::NONE },
    RouteSpec {
        path: "/link",
        get: Some(|| web::to(link::show)),
        post: Some(|| web::to(link::consume)),
        ..RouteSpec::NONE
    },
    RouteSpec {
        path: "/logout",
        access: RouteAccess::Session,
        isolation: TenantIsolation::Own,
        post: Some(|| web::to(logout::sign_out)),
        ..RouteSpec::NONE
    },
    RouteSpec {
        path: "/account",
        access: RouteAccess::Session,
        isolation: TenantIsolation::Own,
        get: Some(|| web::to(account::show)),
        ..RouteSpec::NONE
    },
];
