//! The LDAP connection: read a directory whole, prove it, compare, safeguard, and apply through the one room.
//!
//! `line` and `wire` let nothing in that is out of bounds, `client` and `ber` talk to the server, `read` proves, `entry` and `said` translate, `plan` and `safeguard`
//! decide and are pure, `run` ties them together.
mod apply;
pub mod bounds;
pub mod client;
mod compare;
pub mod decode;
pub mod entry;
mod execute;
mod framing;
pub mod identity;
mod lookup;
pub mod mark;
pub mod plan;
#[cfg(test)]
mod property_tests;
pub mod read;
pub mod reason;
pub mod report;
pub mod run;
pub mod safeguard;
pub mod snapshot;
mod stream;
pub mod translate;
mod unbegun;
mod unseen;
pub mod window;
