//! The LDAP door: read a directory whole, prove it, compare, brake, and apply through the one room.
//!
//! `line` and `wire` let nothing in that is out of bounds, `client` and `ber` talk to the server, `read` proves, `entry` and `said` translate, `plan` and `brake`
//! decide and are pure, `run` ties them together.
mod apply;
pub mod ber;
pub mod bounds;
pub mod brake;
pub mod client;
mod compare;
pub mod dn;
pub mod entry;
mod execute;
mod faults;
pub mod identity;
#[cfg(test)]
mod laws;
mod line;
mod look;
pub mod mark;
pub mod plan;
pub mod preset;
pub mod read;
pub mod reason;
pub mod report;
pub mod run;
pub mod said;
pub mod settings;
pub mod source;
mod unbegun;
mod unseen;
pub mod window;
mod wire;
