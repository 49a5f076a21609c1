//! The admin API: `/api/v1/…`, one file a verb under its noun.
//!
//! A request carries an API token and acts with the authority its person has at that moment ([`call::Call`]). What the
//! person may not see answers like what does not exist; what they see but may not do answers 403 with the reason. Lists
//! come in pages ([`page`]); refusals are RFC 9457 problems ([`fault`]). The handlers' comments are the reference:
//! `openapi` collects them.
mod bounds;
mod call;
mod connections;
mod directories;
mod events;
mod fault;
mod model;
pub mod openapi;
mod page;
mod partners;
mod people;
mod reference;

use actix_web::web;
use serde_json::Value;

use super::routes::{Access, Entry, Isolation};
use crate::provision::undo::{Carried, Plan};

/// Every address of the API.
pub const ROUTES: &[Entry] = &[
    Entry { path: "/api/v1/openapi.json", get: Some(|| web::to(openapi::show)), ..Entry::NONE },
    Entry { path: "/api/v1/docs", get: Some(|| web::to(reference::show)), ..Entry::NONE },
    Entry {
        get: Some(|| web::to(partners::list::list)),
        post: Some(|| web::to(partners::create::create)),
        ..at("/api/v1/partners")
    },
    Entry { get: Some(|| web::to(partners::show::show)), ..at("/api/v1/partners/{id}") },
    Entry {
        get: Some(|| web::to(partners::stopped::show)),
        post: Some(|| web::to(partners::suspend::suspend)),
        ..at("/api/v1/partners/{id}/suspend")
    },
    Entry { post: Some(|| web::to(partners::resume::resume)), ..at("/api/v1/partners/{id}/resume") },
    Entry { get: Some(|| web::to(partners::people::people)), ..at("/api/v1/partners/{id}/people") },
    Entry {
        lasting: true,
        post: Some(|| web::to(partners::confirmations::confirm)),
        ..at("/api/v1/partners/{id}/confirmations")
    },
    Entry { get: Some(|| web::to(partners::groups::groups)), ..at("/api/v1/partners/{id}/groups") },
    Entry { get: Some(|| web::to(partners::matches::list)), ..at("/api/v1/partners/{id}/matches") },
    Entry { get: Some(|| web::to(partners::roles::roles)), ..at("/api/v1/partners/{id}/roles") },
    Entry {
        get: Some(|| web::to(directories::list::list)),
        post: Some(|| web::to(directories::create::create)),
        ..at("/api/v1/partners/{id}/directories")
    },
    Entry { get: Some(|| web::to(people::show::show)), ..at("/api/v1/people/{id}") },
    Entry { get: Some(|| web::to(people::access::access)), ..at("/api/v1/people/{id}/access") },
    Entry {
        post: Some(|| web::to(people::confirm::confirm)),
        delete: Some(|| web::to(people::confirm::unconfirm)),
        ..at("/api/v1/people/{id}/confirm")
    },
    Entry { post: Some(|| web::to(people::suspend::suspend)), ..at("/api/v1/people/{id}/suspend") },
    Entry { post: Some(|| web::to(people::resume::resume)), ..at("/api/v1/people/{id}/resume") },
    Entry { get: Some(|| web::to(directories::show::show)), ..at("/api/v1/directories/{id}") },
    Entry { post: Some(|| web::to(connections::create::create)), ..at("/api/v1/directories/{id}/connections") },
    Entry {
        get: Some(|| web::to(connections::show::show)),
        patch: Some(|| web::to(connections::change::change)),
        ..at("/api/v1/connections/{slug}")
    },
    Entry {
        get: Some(|| web::to(connections::clients::list)),
        post: Some(|| web::to(connections::clients::create)),
        ..at("/api/v1/connections/{slug}/clients")
    },
    Entry { delete: Some(|| web::to(connections::clients::revoke)), ..at("/api/v1/connections/{slug}/clients/{id}") },
    Entry {
        get: Some(|| web::to(connections::tokens::list)),
        post: Some(|| web::to(connections::tokens::create)),
        ..at("/api/v1/connections/{slug}/tokens")
    },
    Entry { delete: Some(|| web::to(connections::tokens::revoke)), ..at("/api/v1/connections/{slug}/tokens/{id}") },
    Entry { get: Some(|| web::to(connections::log::log)), ..at("/api/v1/connections/{slug}/log") },
    Entry { get: Some(|| web::to(connections::matches::list)), ..at("/api/v1/connections/{slug}/matches") },
    Entry {
        post: Some(|| web::to(connections::matches::confirm)),
        ..at("/api/v1/connections/{slug}/matches/{id}/confirm")
    },
    Entry {
        post: Some(|| web::to(connections::matches::refuse)),
        ..at("/api/v1/connections/{slug}/matches/{id}/refuse")
    },
    Entry { lasting: true, post: Some(|| web::to(connections::sync::sync)), ..at("/api/v1/connections/{slug}/sync") },
    Entry { get: Some(|| web::to(connections::runs::list)), ..at("/api/v1/connections/{slug}/runs") },
    Entry { get: Some(|| web::to(connections::runs::show)), ..at("/api/v1/connections/{slug}/runs/{id}") },
    Entry { lasting: true, post: Some(|| web::to(connections::test::test)), ..at("/api/v1/connections/{slug}/test") },
    Entry { get: Some(|| web::to(connections::storms::list)), ..at("/api/v1/connections/{slug}/storms") },
    Entry {
        post: Some(|| web::to(connections::storms::dismiss)),
        ..at("/api/v1/connections/{slug}/storms/{id}/dismiss")
    },
    Entry { lasting: true, post: Some(|| web::to(connections::undo::undo)), ..at("/api/v1/connections/{slug}/undo") },
    Entry { get: Some(|| web::to(connections::said::users)), ..at("/api/v1/connections/{slug}/external-users") },
    Entry { get: Some(|| web::to(connections::said::groups)), ..at("/api/v1/connections/{slug}/external-groups") },
    Entry {
        get: Some(|| web::to(connections::said::members)),
        ..at("/api/v1/connections/{slug}/external-groups/{stable_id}/members")
    },
    Entry {
        get: Some(|| web::to(connections::said::effective_members)),
        ..at("/api/v1/connections/{slug}/external-groups/{stable_id}/effective-members")
    },
    Entry { get: Some(|| web::to(events::list::list)), ..at("/api/v1/events") },
];

const fn at(path: &'static str) -> Entry {
    Entry { path, access: Access::Token, isolation: Isolation::Partner, ..Entry::NONE }
}

/// A plan of undoing in the words of the API, for the command line, which may do without a server.
pub fn undo_plan(plan: &Plan, carried: Option<Carried>) -> Value {
    serde_json::to_value(connections::undo::view(plan, carried)).unwrap_or_default()
}
