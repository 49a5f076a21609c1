//! Work that goes on beside the requests. What only one process of an installation may do is done under a lease.
pub mod doctor;
pub mod event_sealer;
pub mod health;
pub mod introductions;
mod leader;
pub mod purge;
pub mod removal_alerts;
pub mod schedule;
pub mod statistics;
pub mod totals;
