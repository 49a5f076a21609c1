//! The vocabulary of the house, as types. Pure: no I/O, no clock, no randomness.
pub mod bounds;
pub mod capability;
pub mod catalog;
pub mod ctx;
pub mod directory;
pub mod filter;
pub mod grant;
pub mod group;
pub mod id;
pub mod net;
pub mod page;
pub mod partner;
pub mod role;
pub mod rule;
pub mod text;
pub mod time;
pub mod user;
