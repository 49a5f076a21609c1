//! Who may do what, as a law: pure functions from what directories say and administrators decided.
//!
//! Access is a view, not a copy. [`world::AccessSnapshot`] holds the accepted external state and the stored
//! decisions; [`derive`] computes from it, in a fixed order, what each person holds (link, place, join,
//! grants of the person, grants of the user groups the person is in); [`decide`] answers one question and
//! says why. `store::effective` computes the same in SQL; the world tests keep the two equal.
pub mod decide;
pub mod derive;
pub mod dominates;
pub mod explain;
pub mod matcher;
pub mod merge;
pub mod scope;
#[cfg(test)]
mod tests;
pub mod world;

pub use decide::{Decision, Question, decide};
pub use derive::{AccessView, derive};
pub use explain::DecisionReason;
pub use world::AccessSnapshot;
