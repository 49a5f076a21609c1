//! Forgets deleted users and groups when their time is over.
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Retention;
use crate::store::extent::OperatorExtent;
use crate::store::{Store, StoreError, deleted};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(60);

/// Rows of each kind in one transaction.
const BATCH: u32 = 500;

/// Looks until `told` turns true. Every process does: forgetting twice is harmless.
pub async fn run(store: Store, clock: Clock, kept: Retention, mut told: watch::Receiver<bool>) {
    while tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = turn(&store, clock, kept.deleted_days).await {
            tracing::warn!(%error, "deleted users and groups could not be forgotten; that is tried again");
        }
    }
}

/// Forgets what was deleted more than `days` days ago.
///
/// # Errors
/// Only those of the store.
pub async fn turn(store: &Store, clock: Clock, days: u32) -> Result<(), StoreError> {
    let by = OperatorExtent::assume();
    let moment = clock.now().plus_seconds(-i64::from(days) * 86_400);
    while deleted::any_older(&mut store.reader().await?, &by, moment).await? {
        store.write(async |tx| deleted::forget_older(tx, &by, moment, BATCH).await).await?;
    }
    Ok(())
}
