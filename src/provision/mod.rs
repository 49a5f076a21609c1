//! The one room: everything a directory says comes in here, whichever connection it comes through.
//!
//! | file | what |
//! | --- | --- |
//! | `users`, `groups` | the use cases: create, update, delete, get, list |
//! | `users/together` | users who arrive at the same moment are created together |
//! | `listing` | what a list asks for, and when its total is known |
//! | `members` | changes of a group's members, as sets |
//! | `link`, `merge`, `join`, `review` | from external users to users, and back into a user's own columns |
//! | `introduce` | users for those who waited while their directory was only observed |
//! | `succession`, `nameless` | a user whom the source knows by another key; users without a sign-in name |
//! | `conditions`, `place` | what is kept up to date for the view: condition members and placements |
//! | `fit` | how long texts may be |
//! | `additive` | what a directory that only adds may not say |
//! | `event`, `events` | what is written down of an act; sealing and verifying the log |
//! | `undo` | what a connection took away within a time, as a plan that gives it back |
//! | `effect`, `run` | what an act did or, in a dry run, would do |
//!
//! Every use case comes twice: `verb(store, ctx, source, …, mode)` in a transaction of its own, and `verb_in(tx, ctx,
//! source, …)` inside one that is open, for bulk requests and batches (each item in a `tx.attempt`). Its events commit
//! with it or not at all. A write that changes nothing leaves version, time and log alone.
mod additive_mode;
mod attributes;
mod bind;
pub mod conditions;
mod error;
pub mod event;
pub mod events;
pub mod fit;
pub mod groups;
pub mod introduce;
pub mod listing;
pub mod match_key;
pub mod match_review;
mod matching;
mod members;
mod merge;
pub mod nameless;
mod outcome;
pub mod primary_group;
mod run;
pub mod succession;
pub mod undo;
pub mod users;

pub use error::ProvisionError;
pub use outcome::{AccessChanges, Effect, Outcome, UserChange, UserChangeKind};

use crate::scim::error::ScimError;
use crate::scim::resource::Document;
use crate::scim::schema::SchemaSet;
use crate::store::extent::ConnectionExtent;

/// The connection that speaks, and how it is understood. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct ProvisionSource<'a> {
    /// The connection.
    pub extent: ConnectionExtent,
    /// What its documents may hold.
    pub schemas: &'a SchemaSet,
    /// The attribute that names the same user at every connection of the directory; see [`match_key::MatchKey::of_document`].
    pub matching_attribute: Option<&'a str>,
    /// What becomes of members it names that do not exist.
    pub unknown_members: UnknownMembers,
}

/// What becomes of ids named as members that the connection does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownMembers {
    /// They are left out and reported in the [`Effect`]; the others are taken.
    Skip,
    /// The whole request is refused.
    Reject,
}

/// Whether an act is done, or only tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Execution {
    /// It is done.
    Real,
    /// It is done, and what it changes of what users hold is worked out too.
    Told,
    /// It is done and undone: what comes back is what the real act would bring.
    Dry,
}

/// How a stored document becomes the next one: the pure part of PUT and PATCH. May be called more than once.
pub type Change<'a, T> = &'a (dyn Fn(&Document) -> Result<T, ScimError> + Send + Sync);
