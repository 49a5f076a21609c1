//! The database engine: SQLite and PostgreSQL from one SQL text. It knows no table: the application passes its schema
//! and its statements in.
//!
//! | file | what |
//! | --- | --- |
//! | `schema` | [`Schema`]: what the application passes in |
//! | `store` | [`Store`]: open, write, read, check, close |
//! | `tx`, `reader`, `deferred_inserts` | [`Tx`] and [`Reader`]: the verbs; inserts that travel together |
//! | `statement`, `bulk`, `statement_cache` | static texts and their many-row sizes; which texts stay prepared |
//! | `value`, `row` | values in, rows out |
//! | `error`, `unique_index`, `state` | what callers may know of a failure |
//! | `dialect` | the few fragments that differ |
//! | `migrate`, `check` | start-up: the schema, the statements |
//! | `batcher` | reads on PostgreSQL that share a trip |
//! | `sqlite` | group commit, the readers, the file's lock |
//! | `postgres` | the server's settings, retries, connections |
//! | `open_transactions` | waits until those that are open have ended |
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod batcher;
mod bulk;
mod check;
mod deferred_inserts;
mod dialect;
mod error;
mod migrate;
pub mod open_transactions;
mod postgres;
mod reader;
mod row;
mod schema;
mod sqlite;
mod state;
mod statement;
mod statement_cache;
mod store;
mod tx;
mod unique_index;
mod value;

pub use batcher::BatchedQuery;
pub use bulk::{IdSet, Insert, Rows};
pub use dialect::Dialect;
pub use error::{OpenError, StoreError};
pub use migrate::applied;
pub use reader::Reader;
pub use row::{ColumnIndex, FromColumn, FromRow, Row, first, tuple};
pub use schema::{Schema, StatementText};
pub use statement::{Sql, Statement, StatementSet, Statements};
pub use store::{Attached, Options, Store, create_private};
pub use tx::Tx;
pub use unique_index::UniqueIndex;
pub use value::{Bind, SqlType, SqlValue};
