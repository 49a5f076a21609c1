//! The store: SQLite and PostgreSQL from one SQL text. The only place of the program that holds SQL.
//!
//! The engine that runs it is the crate `rolecall-db`, which knows no table. Here stand the tables:
//!
//! | file | what |
//! | --- | --- |
//! | `schema` | what the engine is told: migrations, statements, unique indexes |
//! | `constraint` | the unique indexes that use cases tell apart |
//! | `ids` | how ids and times are stored |
//! | `soundness` | whether what is stored is whole, and can be written to |
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
//! Then name it in this file (`pub mod user;`) and in `schema.rs` (`super::user::STATEMENTS`).
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
pub mod catalog;
pub mod condition_members;
pub mod conditions;
pub mod connections;
pub mod constraint;
pub mod declared;
pub mod delegated_access;
pub mod deleted;
pub mod directories;
pub mod directory_summaries;
pub mod effective;
pub mod effective_below;
pub mod effective_items;
pub mod effective_lists;
mod effective_many;
mod effective_sql;
pub mod effective_tree;
pub mod entrance;
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
mod ids;
pub mod invariants;
pub mod key_check;
pub mod leases;
pub mod login_attempts;
pub mod match_candidates;
pub mod match_keys;
pub mod matches;
pub mod members;
pub mod nesting;
pub mod oauth_clients;
pub mod one_time_links;
pub mod partners;
pub mod reach;
pub mod recent_events;
pub mod removal_alerts;
pub mod removal_events;
pub mod request_log;
pub mod reserved_groups;
pub mod resources;
pub mod roles;
pub mod rules;
pub mod runs;
mod schema;
pub mod scopes;
pub mod search;
pub mod sessions;
pub mod soundness;
pub mod stopped;
pub mod suspensions;
pub mod tokens;
pub mod totals;
pub mod user_groups;
pub mod user_summaries;
pub mod users;
mod visibility;
pub mod visible_reasons;

pub use ids::clock;
pub use rolecall_db::{
    BatchedQuery, Bind, ColumnIndex, Dialect, FromColumn, FromRow, IdSet, Insert, OpenError, Options, Reader, Row,
    Rows, Sql, SqlType, SqlValue, Statement, StatementSet, Statements, Store, StoreError, Tx, UniqueIndex, applied,
    first, open_transactions, tuple,
};
pub use schema::{ConnectionLimits, newest, open, texts};
