//! Brings the schema up to date: numbered texts, run on either database before anything else is opened.
use sqlx::ConnectOptions as _;
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::sqlite::SqliteConnectOptions;

use crate::{OpenError, Schema};

/// Brings the schema of the connected database to this program's version. On PostgreSQL an advisory lock lets many nodes
/// start at once.
pub(crate) async fn run(schema: &Schema, connection: &mut impl Migrate) -> Result<(), OpenError> {
    schema.migrations.run_direct(None, connection, false).await.map_err(|error| sentence(schema, error))
}

/// The number of the newest migration that a database has; 0 when it has none, or is not there. Changes nothing, and
/// makes nothing.
///
/// # Errors
/// The database cannot be reached.
pub async fn applied(url: &str) -> Result<i64, OpenError> {
    let unreachable = |error: sqlx::Error| OpenError(format!("the database cannot be looked at: {error}"));
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if !std::path::Path::new(path).exists() {
            return Ok(0);
        }
        let mut connection =
            SqliteConnectOptions::new().filename(path).create_if_missing(false).connect().await.map_err(unreachable)?;
        let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut connection)
            .await
            .map_err(unreachable)?;
        return match there {
            0 => Ok(0),
            _ => sqlx::query_scalar(NEWEST).fetch_one(&mut connection).await.map_err(unreachable),
        };
    }
    let mut connection = crate::postgres::options(url, 1)?.connect().await.map_err(unreachable)?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut connection)
        .await
        .map_err(unreachable)?;
    match there {
        false => Ok(0),
        true => sqlx::query_scalar(NEWEST).fetch_one(&mut connection).await.map_err(unreachable),
    }
}

const NEWEST: &str = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM _sqlx_migrations WHERE success";

fn sentence(schema: &Schema, error: MigrateError) -> OpenError {
    OpenError(match error {
        MigrateError::VersionMissing(version) => format!(
            "the database was written by a newer version of this program (its schema has migration {version}, \
             this program knows up to {}); start the newer version",
            schema.newest()
        ),
        MigrateError::VersionMismatch(version) => {
            format!("migration {version} of the database is not the one this program has; it was changed after it ran")
        }
        MigrateError::Dirty(version) => {
            format!("migration {version} stopped half-way; restore the backup made before it")
        }
        other => format!("the schema could not be brought up to date: {other}"),
    })
}
