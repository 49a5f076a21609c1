//! Keeps the database server's picture of tables that grow fast: the first synchronisation of a directory fills empty
//! tables within seconds, and until the server has looked at them it reads them by the wrong index.
use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Dialect, Store};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(2);

/// Looks until `told` turns true. Every process does: what one looks at, the others pass over.
pub async fn run(store: Store, mut told: watch::Receiver<bool>) {
    if store.dialect() == Dialect::Sqlite {
        return;
    }
    while tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        match store.look_again().await {
            Ok(tables) if tables.is_empty() => {}
            Ok(tables) => tracing::debug!(?tables, "the database server looked at tables again"),
            Err(error) => tracing::debug!(%error, "the database server did not look again; it will by itself"),
        }
    }
}
