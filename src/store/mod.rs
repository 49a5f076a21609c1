//! The store: SQLite and PostgreSQL from one SQL text. The only place of the program that holds SQL.
//!
//! | file | what |
//! | --- | --- |
//! | `db` | [`Store`]: open, write, read, check, close |
//! | `tx`, `reader`, `waiting` | [`Tx`] and [`Reader`]: the verbs; inserts that travel together |
//! | `group` | group commit on SQLite |
//! | `postgres`, `pool` | retries, demands on the server, its connections |
//! | `gather` | reads on PostgreSQL that share a trip |
//! | `statement`, `bulk` | static texts and their many-row sizes |
//! | `value`, `row` | values in, rows out |
//! | `error`, `constraint`, `state` | what callers may know of a failure |
//! | `dialect` | the few fragments that differ |
//! | `soundness` | whether what is stored is whole, and can be written to |
//! | `registry`, `check`, `migrate`, `lock`, `readers` | start-up: statements, schema, the file's owner, connections |
//! | everything else | one file a table, and `search` |
//!
//! # Adding a table module
//!
//! ```ignore
//! //! Users.                                             src/store/user.rs
//! use super::{Reader, StoreError, Tx};
//! use crate::{binds, from_row, statements};
//!
//! statements! {
//!     BY_ID = "SELECT id, partner, display_name AS name FROM live_person WHERE id = $1";
//!     INSERT = "INSERT INTO person (id, partner, display_name) VALUES ($1, $2, $3)";
//!     JOIN: rows = "INSERT INTO user_group_member (user_group, person) VALUES ($1, $2) ON CONFLICT DO NOTHING";
//! }
//!
//! from_row!(User { id, partner, name });               // field name = column name; see `from_row!` for others
//!
//! /// The user, if alive.
//! pub async fn find(db: &mut Reader, id: UserId) -> Result<Option<User>, StoreError> {
//!     db.optional(&BY_ID, binds![id], User::from_row).await
//! }
//! pub async fn insert(tx: &mut Tx, new: &User) -> Result<(), StoreError> {
//!     tx.execute(&INSERT, binds![new.id, new.partner, &new.name]).await.map(drop)
//! }
//! ```
//!
//! Then name it in this file (`pub mod user;`) and in `registry.rs` (`super::user::STATEMENTS`).
//!
//! - Functions that only read take `&mut Reader`; a `&mut Tx` may be given to them. Those that write take `&mut Tx`.
//! - A scalar is read with [`first`], a tuple with [`tuple`]: `db.all(&PAIRS, binds![], tuple::<(UserId, i64)>)`.
//! - A unique index that callers tell apart gets a line in `constraint.rs`; they match `StoreError::Unique(…)`.
//! - What differs between the databases comes from [`Dialect`]: `NAME(dialect) = format!("… {}", dialect.…())`.
//! - Not portable, so not used: `::` casts, `ILIKE`, `= ANY`, `now()`, `CAST` to UUID or BYTEA, JSON types, `sum` without
//!   `CAST(sum(…) AS BIGINT)` (PostgreSQL makes it NUMERIC), a parameter whose type PostgreSQL cannot infer (declare
//!   the types of all: `NAME[Uuid, Text] = "…"`).
pub mod api_tokens;
pub mod baseline;
mod batcher;
mod bulk;
pub mod catalog;
mod check;
pub mod condition_members;
pub mod conditions;
pub mod connections;
mod constraint;
mod db;
pub mod declared;
mod deferred_inserts;
pub mod delegated_access;
pub mod deleted;
mod dialect;
pub mod directories;
pub mod directory_summaries;
pub mod effective;
pub mod effective_below;
pub mod effective_lists;
mod effective_many;
mod effective_sql;
pub mod effective_tree;
pub mod entrance;
mod error;
pub mod events;
pub mod exceptions;
pub mod extent;
mod external_emails;
pub mod external_groups;
pub mod external_read;
pub mod external_users;
pub mod fact_cache;
pub mod feed;
pub mod grantable_roles;
pub mod grants;
mod group;
pub mod invariants;
pub mod key_check;
pub mod leases;
mod lock;
pub mod login_attempts;
pub mod match_candidates;
pub mod match_keys;
pub mod matches;
pub mod members;
pub mod migrate;
pub mod nesting;
pub mod oauth_clients;
pub mod one_time_links;
pub mod open_transactions;
pub mod partners;
mod pool;
mod postgres;
pub mod reach;
mod reader;
mod readers;
pub mod recent_events;
mod registry;
pub mod removal_alerts;
pub mod removal_events;
pub mod request_log;
pub mod reserved_groups;
pub mod resources;
pub mod roles;
mod row;
pub mod rules;
pub mod runs;
pub mod scopes;
pub mod search;
pub mod sessions;
pub mod soundness;
mod state;
mod statement;
mod statement_cache;
pub mod stopped;
pub mod suspensions;
pub mod tokens;
pub mod totals;
mod tx;
pub mod user_groups;
pub mod user_summaries;
pub mod users;
mod value;
mod visibility;
pub mod visible_reasons;

pub use batcher::BatchedQuery;
pub use bulk::{IdSet, Insert, Rows};
pub use constraint::Constraint;
pub use db::{Most, Options, Store};
pub use dialect::Dialect;
pub use error::{OpenError, StoreError};
pub use reader::Reader;
pub use registry::{Text, texts};
pub use row::{ColumnIndex, FromColumn, FromRow, Row, first, tuple};
pub use statement::{Sql, Statement, StatementSet, Statements};
pub use tx::Tx;
pub use value::{Bind, SqlType, SqlValue};
