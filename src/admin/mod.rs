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
pub mod export;
pub mod file;
pub mod holds;
pub mod keys;
pub mod links;
pub mod matches;
pub mod most;
pub mod operator;
pub mod partners;
pub mod people;
pub mod refused;
pub mod setup;
mod slug;
pub mod storms;
mod text;
pub mod when;

pub use self::slug::PATTERN as SLUG_PATTERN;
pub use self::text::NAME_CHARACTERS;

use crate::domain::ctx::Ctx;
use crate::domain::id::PartnerId;
use crate::provision::event::Event;
use crate::store::{StoreError, Tx};

/// Writes down what was done, in the transaction that does it.
async fn record(tx: &mut Tx, ctx: &Ctx, partner: PartnerId, event: Event) -> Result<(), StoreError> {
    crate::provision::events::append(tx, ctx, partner, &[event]).await
}
