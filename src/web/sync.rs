//! What runs of LDAP connections work with on a server.
use std::sync::Arc;

use actix_web::web;

use crate::ldap::client::Guard;
use crate::ldap::run::SyncContext;
use crate::web::App;
use crate::web::login::policy;

/// The surroundings of a run on this server.
pub fn env(app: &web::Data<App>) -> SyncContext {
    let watched = app.clone();
    let policy = policy(&app.config);
    SyncContext {
        guard: Guard::new(move |address| policy.permits(address)),
        store: app.store.clone(),
        keys: Arc::clone(&app.keyring),
        clock: app.clock,
        stop: Arc::new(move || watched.is_stopping()),
    }
}
