//! Work that goes on beside the requests. What only one process of an installation may do is done under a lease.
pub mod schedule;
pub mod sealer;
