//! Whoever has a transaction open at this moment: what they read is as old as its beginning, and what they write is not
//! seen yet.
use std::time::{Duration, Instant};

use crate::{Dialect, Store, StoreError, first};
use crate::{binds, statements};

statements! {
    NOW(dialect) = match dialect {
        Dialect::Sqlite => "SELECT ''",
        Dialect::Postgres => "SELECT CAST(clock_timestamp() AS TEXT)",
    };
    OLDER(dialect) = match dialect {
        Dialect::Sqlite => "SELECT $1 IS NULL",
        Dialect::Postgres => "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
            AND backend_type = 'client backend' AND pid <> pg_backend_pid() \
            AND xact_start < CAST(CAST($1 AS TEXT) AS TIMESTAMPTZ))",
    };
}

/// How often it is asked whether they are done.
const OFTEN: Duration = Duration::from_millis(20);

/// Waits until every transaction that is open now has ended, at most `longest`; whether all have. At once on SQLite: its
/// one writer is the caller's own.
///
/// # Errors
/// Only those of the store.
pub async fn done(store: &Store, longest: Duration) -> Result<bool, StoreError> {
    if store.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let began = Instant::now();
    let now: String = store.reader().await?.one(&NOW, binds![], first).await?;
    while store.reader().await?.one(&OLDER, binds![&now], first).await? {
        if began.elapsed() > longest {
            return Ok(false);
        }
        tokio::time::sleep(OFTEN).await;
    }
    Ok(true)
}
