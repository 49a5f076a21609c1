//! What the database engine is told of this program: its migrations, its statements, its unique indexes. A new table
//! module adds one line here; a test finds modules that forgot it.
use std::sync::Arc;

use rolecall_db::{OpenError, Options, Schema, StatementText, Statements, Store};
use sqlx::migrate::Migrator;

use super::{Dialect, constraint};

/// `migrations/`, built into the program.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The table of the request log. On SQLite a file of its own has this table alone.
pub(super) const REQUEST_LOG: &str = include_str!("../../migrations/0002_request_log.sql");

/// The tables and statements of this program.
static SCHEMA: Schema = Schema {
    migrations: &MIGRATIONS,
    statements: TABLES,
    unique_indexes: constraint::ALL,
    // Whoever held a job is gone: the file is ours alone. What its clock said must not keep us from the work.
    when_file_is_taken: "UPDATE leases SET expires_at = 0",
};

static TABLES: &[Statements] = &[
    super::api_tokens::STATEMENTS,
    super::baseline::STATEMENTS,
    super::catalog::STATEMENTS,
    super::condition_members::STATEMENTS,
    super::conditions::STATEMENTS,
    super::connections::STATEMENTS,
    super::declared::STATEMENTS,
    super::delegated_access::STATEMENTS,
    super::deleted::STATEMENTS,
    super::directories::STATEMENTS,
    super::directory_summaries::STATEMENTS,
    super::effective::STATEMENTS,
    super::effective_below::STATEMENTS,
    super::effective_items::STATEMENTS,
    super::effective_lists::STATEMENTS,
    super::effective_many::STATEMENTS,
    super::effective_tree::STATEMENTS,
    super::entrance::STATEMENTS,
    super::events::STATEMENTS,
    super::exceptions::STATEMENTS,
    super::extent::STATEMENTS,
    super::external_emails::STATEMENTS,
    super::external_groups::STATEMENTS,
    super::external_read::STATEMENTS,
    super::external_users::STATEMENTS,
    super::fact_cache::STATEMENTS,
    super::feed::STATEMENTS,
    super::grantable_roles::STATEMENTS,
    super::grants::STATEMENTS,
    super::invariants::STATEMENTS,
    super::key_check::STATEMENTS,
    super::leases::STATEMENTS,
    super::login_attempts::STATEMENTS,
    super::match_candidates::STATEMENTS,
    super::match_keys::STATEMENTS,
    super::matches::STATEMENTS,
    super::members::STATEMENTS,
    super::nesting::STATEMENTS,
    super::oauth_clients::STATEMENTS,
    super::one_time_links::STATEMENTS,
    super::partners::STATEMENTS,
    super::reach::STATEMENTS,
    super::recent_events::STATEMENTS,
    super::removal_alerts::STATEMENTS,
    super::removal_events::STATEMENTS,
    super::reserved_groups::STATEMENTS,
    super::resources::STATEMENTS,
    super::roles::STATEMENTS,
    super::rules::STATEMENTS,
    super::runs::STATEMENTS,
    super::scopes::STATEMENTS,
    super::sessions::STATEMENTS,
    super::soundness::STATEMENTS,
    super::stopped::STATEMENTS,
    super::suspensions::STATEMENTS,
    super::tokens::STATEMENTS,
    super::totals::STATEMENTS,
    super::user_groups::STATEMENTS,
    super::user_summaries::STATEMENTS,
    super::users::STATEMENTS,
];

/// The most that one connection may describe. What is beyond it is refused before anything is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    /// External users.
    pub users: i64,
    /// External groups.
    pub groups: i64,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { users: 2_000_000, groups: 1_000_000 }
    }
}

impl ConnectionLimits {
    /// Has a store carry them.
    #[must_use]
    pub fn within(self, options: Options) -> Options {
        Options { attached: Some(Arc::new(self)), ..options }
    }

    /// Those of the store behind a reader.
    pub fn of(reader: &super::Reader) -> Self {
        reader.attached().copied().unwrap_or_default()
    }
}

/// Opens `sqlite:PATH`, `postgres://…`, or `sqlite::memory:` with this program's schema; see [`Store::open`].
///
/// # Errors
/// Why the database cannot be used, as a sentence for the operator.
pub async fn open(url: &str, options: &Options) -> Result<Store, OpenError> {
    Store::open(&SCHEMA, url, options).await
}

/// The number of the newest migration this program has.
pub fn newest() -> i64 {
    SCHEMA.newest()
}

/// Every statement as `dialect` gets it.
pub fn texts(dialect: Dialect) -> Vec<StatementText> {
    SCHEMA.texts(dialect)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A module with `statements! {` that is not named above would be prepared only when first used.
    #[test]
    fn every_module_with_statements_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
        let schema = include_str!("schema.rs");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() || module == "schema" {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let declares = text.lines().any(|line| line.starts_with("statements! {"));
            assert!(
                !declares || schema.contains(&format!("super::{module}::STATEMENTS")),
                "src/store/{module}.rs declares statements; add super::{module}::STATEMENTS to src/store/schema.rs"
            );
        }
    }
}
