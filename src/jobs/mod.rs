//! Work that goes on beside the requests. What only one process of an installation may do is done under a lease.
pub mod doctor;
mod duty;
pub mod forget;
pub mod health;
pub mod introductions;
pub mod schedule;
pub mod sealer;
pub mod statistics;
pub mod storms;
pub mod totals;
