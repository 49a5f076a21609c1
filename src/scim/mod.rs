//! The SCIM 2.0 protocol (RFC 7643, 7644, 9865), pure: bytes and values in,
//! values and errors out. No clock, no store, no network.
//!
//! A request goes through it like this:
//!
//! ```text
//! bytes ── json::read ──► Value ── profile::translate_* ──► strict Value
//!   POST, PUT   resource::create / replace ──► Accepted { document, members, … }
//!   PATCH       patch::parse, patch::apply ──► Patched { document, members: MemberOps, … }
//!   GET list    query::Params ─► Query ─► resolve ──► domain::filter, Sort, Page
//!   bulk        bulk::parse ──► Plan, step by step
//! use case, store
//! Document ── resource::render ── projection::View::apply ── message ──► Value
//! ```
//!
//! One table, [`schema`], describes every attribute; validation, mutability,
//! projection, filter typing, PATCH and discovery all read it.

pub mod bulk;
pub mod cursor;
pub mod error;
pub mod etag;
pub mod filter;
pub mod json;
pub mod message;
pub mod patch;
pub mod path;
pub mod profile;
pub mod projection;
pub mod query;
pub mod resource;
pub mod schema;
pub mod value;
