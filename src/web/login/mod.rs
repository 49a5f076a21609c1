//! Signing in and out over HTTP. One file a page.
mod account;
mod begin;
mod callback;
mod caller;
pub mod desk;
mod form;
mod limits;
mod link;
mod logout;
mod page;
mod refused;
mod visitor;

use actix_web::web;

use super::routes::{Access, Entry, Isolation};

pub use caller::Caller;
pub use desk::{Desk, fetch, policy};
pub use form::Form;
pub use visitor::Visitor;

/// The routes of signing in.
pub const ROUTES: &[Entry] = &[
    Entry { path: "/login", get: Some(|| web::to(page::show)), post: Some(|| web::to(page::choose)), ..Entry::NONE },
    Entry { path: "/login/{slug}", get: Some(|| web::to(begin::begin)), acts: true, ..Entry::NONE },
    Entry { path: "/sso/{slug}/callback", get: Some(|| web::to(callback::answer)), acts: true, ..Entry::NONE },
    Entry { path: "/link", get: Some(|| web::to(link::show)), post: Some(|| web::to(link::consume)), ..Entry::NONE },
    Entry {
        path: "/logout",
        access: Access::Session,
        isolation: Isolation::Own,
        post: Some(|| web::to(logout::sign_out)),
        ..Entry::NONE
    },
    Entry {
        path: "/account",
        access: Access::Session,
        isolation: Isolation::Own,
        get: Some(|| web::to(account::show)),
        ..Entry::NONE
    },
];
