//! The SCIM 2.0 protocol (RFC 7643, 7644, 9865), pure: bytes and values in,
//! values and errors out. No clock, no store, no network.
//!
//! A request goes through it like this:
//!
//! ```text
//! bytes ─ json::read(_group) ─► Value ─ profile (Switches::translate_*) ─► strict Value + acts for the log
//!   POST      resource::create               ─► Accepted { document, members, password, ignored }
//!   PUT       resource::replace              ─► Accepted
//!   PATCH     patch::parse, patch::apply     ─► Patched { document, changed, members: MemberOps, … }
//!   list      query::Params, Query, resolve  ─► domain::filter::Filter, domain::page::{Sort, Page}
//!   bulk      bulk::parse, Execution         ─► one Ready call after another
//! use case and store: documents, their resource::keys, member rows
//! Document ─ resource::render ─► projection::View::apply ─► message::ListPage ─► Value
//! ```
//!
//! One table, [`schema`], describes every attribute; validation, mutability,
//! projection, filter typing, PATCH and discovery all read it. Group members and
//! passwords are never part of a document.

pub mod bulk;
pub mod cursor;
pub mod error;
pub mod etag;
pub mod filter;
pub mod in_memory;
pub mod json;
pub mod member_list;
pub mod message;
pub mod patch;
pub mod path;
pub mod profile;
pub mod projection;
pub mod query;
pub mod reference;
pub mod resource;
pub mod schema;
pub mod value;
