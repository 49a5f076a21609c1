//! Use cases of administrators and of the operator: setting up, and changing what was decided.
pub mod api_tokens;
pub mod apply;
pub mod authority;
pub mod catalog;
pub mod clients;
pub mod confirmations;
pub mod connections;
pub mod declaration;
pub mod directories;
pub mod error;
pub mod export;
pub mod file;
pub mod introductions;
pub mod keys;
pub mod links;
pub mod matches;
pub mod most;
pub mod operator;
pub mod partners;
pub mod removal_alerts;
pub mod rule_filter_text;
pub mod setup;
mod slug;
pub mod suspensions;
pub mod users;
mod validate;

pub use self::slug::PATTERN as SLUG_PATTERN;
pub use self::validate::NAME_CHARACTERS;

use crate::domain::ctx::Ctx;
use crate::domain::id::PartnerId;
use crate::provision::event::Event;
use crate::store::{StoreError, Tx};

/// Writes down what was done, in the transaction that does it.
async fn record(tx: &mut Tx, ctx: &Ctx, partner: PartnerId, event: Event) -> Result<(), StoreError> {
    crate::provision::events::append(tx, ctx, partner, &[event]).await
}
