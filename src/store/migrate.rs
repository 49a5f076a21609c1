//! The schema: one folder of numbered texts, run on either database before anything else is opened.
use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::OpenError;

/// `migrations/`, built into the program. On PostgreSQL an advisory lock lets many nodes start at once.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Brings the schema of the connected database to this program's version.
pub(super) async fn run(connection: &mut impl Migrate) -> Result<(), OpenError> {
    MIGRATIONS.run_direct(None, connection, false).await.map_err(sentence)
}

/// The number of the newest migration this program has.
pub fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn sentence(error: MigrateError) -> OpenError {
    OpenError(match error {
        MigrateError::VersionMissing(version) => format!(
            "the database was written by a newer version of this program (its schema has migration {version}, \
             this program knows up to {}); start the newer version",
            newest()
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
