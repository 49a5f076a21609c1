//! Rolecall: the map of the house. See `ARCHITECTURE.md`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod access;
pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod domain;
pub mod jobs;
pub mod ldap;
pub mod login;
pub mod provision;
pub mod scim;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod web;

pub use rolecall_db::{binds, from_row, statements};
