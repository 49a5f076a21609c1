//! Undoing what a connection took away between two moments: a plan, read from the event log beside what is there now,
//! and carried out only as it was shown.
//!
//! A removal is undone when it is the last word on its thing, when this connection said it, and when it said it within
//! the time. So nothing is touched that was removed earlier or later, by another connection or an administrator, or that
//! was put back meanwhile; and only the connection's own word is restored: who is kept out by somebody else stays out.
//!
//! | file | what |
//! | --- | --- |
//! | `word` | what a line of the log says was taken or given |
//! | `ledger` | the last word on each thing; pure |
//! | `plan` | what of it can be restored, and what cannot and why; pure |
//! | `look` | reads the log and what is there |
//! | `carry` | carries a part of a plan out |
mod apply;
mod ledger;
mod load;
mod plan;
mod removal;

pub(super) use apply::user;
pub use apply::{UndoResult, carry_in};
pub use ledger::TimeRange;
pub use load::{UndoPlanError, look};
pub use plan::{Restorability, UndoEntry, UndoPlan};
pub use removal::{ItemChange, RemovedItem, taker, turns};
