//! Forgets deleted users and groups when their time is over.
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::health::Health;
use crate::clock::Clock;
use crate::config::RetentionConfig;
use crate::store::extent::OperatorExtent;
use crate::store::{Store, StoreError, deleted};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(60);

/// Rows of each kind in one transaction.
const BATCH: u32 = 500;

/// Looks until `told` turns true. Every process does: forgetting twice is harmless. Nothing is
/// forgotten while it is not sure what time it is.
pub async fn run(
    store: Store,
    clock: Clock,
    kept: RetentionConfig,
    health: Arc<Health>,
    mut told: watch::Receiver<bool>,
) {
    while tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = look(&store, clock, &kept, &health).await {
            tracing::warn!(%error, "deleted users and groups could not be forgotten; that is tried again");
        }
    }
}

/// One look.
///
/// # Errors
/// Only those of the store.
pub async fn look(store: &Store, clock: Clock, kept: &RetentionConfig, health: &Health) -> Result<(), StoreError> {
    match health.knows_the_time() {
        true => turn(store, clock, kept.deleted_records_days).await,
        false => Ok(()),
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
