//! Who may do what, as a law: pure functions from what directories say and administrators decided.
//!
//! Access is a view, not a copy. [`snapshot::AccessSnapshot`] holds the accepted external state and the stored
//! decisions; [`derive`] computes from it, in a fixed order, what each user holds (link, place, join,
//! grants of the user, grants of the user groups the user is in); [`decide`] answers one question and
//! says why. `store::effective` computes the same in SQL; the world tests keep the two equal.
pub mod decide;
pub mod delegation;
pub mod derive;
pub mod explain;
pub mod profile_merge;
pub mod rule_filter;
pub mod scope;
pub mod snapshot;
#[cfg(test)]
mod tests;

pub use decide::{Decision, Question, decide};
pub use derive::{AccessView, derive};
pub use explain::DecisionReason;
pub use snapshot::AccessSnapshot;
