//! Whether what is stored is whole and can be written to: asked of the database itself.
use super::extent::OperatorExtent;
use super::{Dialect, Reader, Sql, Store, StoreError, Tx, first, tuple};
use crate::{binds, statements};

/// Sentences about damage that are told, at most.
const MOST_TOLD: usize = 20;

/// What is written to see whether anything can be, in bytes: more than one page, so that there must be room.
const TRIED: usize = 64 << 10;

statements! {
    TRY = "INSERT INTO leases (name, holder, fencing_token, expires_at) VALUES ($1, $2, 1, 0) \
        ON CONFLICT (name) DO UPDATE SET fencing_token = leases.fencing_token + 1";
    TRIED_OUT = "DELETE FROM leases WHERE name = $1";
}

/// PostgreSQL: pages that did not have the checksum they were written with, since the counters began.
const CHECKSUMS: &str =
    "SELECT COALESCE(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()";

/// PostgreSQL: whether this database has the extension that checks tables and indexes.
const CHECKER: &str = "SELECT COUNT(*) FROM pg_extension WHERE extname = 'amcheck' AND EXISTS (SELECT 1 FROM pg_proc p \
    WHERE p.proname = 'bt_index_check' AND has_function_privilege(p.oid, 'EXECUTE'))";

/// PostgreSQL: what can be checked. B-trees, and tables.
const CHECKED: &str = "SELECT CAST(c.oid AS BIGINT), CAST(c.relname AS TEXT), c.relkind = 'i' FROM pg_class c \
    LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_am a ON a.oid = c.relam \
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relpersistence = 'p' \
    AND ((c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid) OR c.relkind = 'r') ORDER BY c.relname";

/// Writes a row that nothing reads and deletes it, so that a full or read-only database is found out.
///
/// # Errors
/// Why nothing can be written.
pub async fn try_write(store: &Store) -> Result<(), StoreError> {
    let name = format!("probe {}", "x".repeat(TRIED));
    let work = async |tx: &mut Tx| {
        tx.execute(&TRY, binds![&name, uuid::Uuid::nil()]).await?;
        tx.execute(&TRIED_OUT, binds![&name]).await.map(drop)
    };
    store.write(work).await.inspect(|()| store.has_room())
}

/// Has the database look through everything it has stored; what is wrong, in its own words. Takes as long as it takes to
/// read everything.
///
/// # Errors
/// The database does not answer.
pub async fn examine(store: &Store, _by: &OperatorExtent) -> Result<Vec<String>, StoreError> {
    let mut reader = store.reader().await?;
    let mut found = match reader.dialect() {
        Dialect::Sqlite => sqlite(&mut reader).await?,
        Dialect::Postgres => postgres(store, &mut reader).await?,
    };
    found.truncate(MOST_TOLD);
    Ok(found)
}

async fn sqlite(reader: &mut Reader) -> Result<Vec<String>, StoreError> {
    let text = format!("PRAGMA integrity_check({MOST_TOLD})");
    let told = match reader.all(composed(text), binds![], first::<String>).await {
        Ok(told) => told,
        Err(StoreError::Damaged) => return Ok(vec!["the file cannot be read through".to_owned()]),
        Err(error) => return Err(error),
    };
    let mut found: Vec<String> = told.into_iter().filter(|line| line != "ok").collect();
    let strays = reader.all(composed("PRAGMA foreign_key_check"), binds![], tuple::<(String, Option<i64>)>).await;
    let strays = match strays {
        Err(StoreError::Damaged) => Vec::new(),
        strays => strays?,
    };
    found.extend(strays.into_iter().map(|(table, row)| {
        let row = row.map(|row| format!(" {row}")).unwrap_or_default();
        format!("row{row} of {table} refers to a row that is not there")
    }));
    Ok(found)
}

async fn postgres(store: &Store, reader: &mut Reader) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let failures = reader.one(composed(CHECKSUMS), binds![], first::<i64>).await?;
    if failures > 0 {
        found.push(format!("{failures} pages were read whose checksum was wrong"));
    }
    if reader.one(composed(CHECKER), binds![], first::<i64>).await? == 0 {
        return Ok(found);
    }
    for (oid, name, index) in reader.all(composed(CHECKED), binds![], tuple::<(i64, String, bool)>).await? {
        let text = match index {
            true => format!("SELECT '' FROM (SELECT bt_index_check({oid}::regclass, true)) AS checked"),
            false => format!("SELECT msg FROM verify_heapam({oid}::regclass) LIMIT {MOST_TOLD}"),
        };
        // On a reader of its own: one that met an error is not to be gone on with.
        let told = store.reader().await?.all(composed(text), binds![], first::<String>).await;
        match told {
            Ok(told) => {
                found.extend(told.into_iter().filter(|told| !told.is_empty()).map(|told| format!("{name}: {told}")));
            }
            Err(StoreError::Damaged) => found.push(format!("{name}: the index does not hold what the table holds")),
            // May not be looked at, or is gone since: says nothing of damage.
            Err(error) => tracing::warn!(%error, name, "could not be checked"),
        }
    }
    Ok(found)
}

/// Statements of the database's own, which are not kept.
fn composed(text: impl Into<String>) -> Sql {
    Sql::composed("a check of what is stored", text.into())
}
