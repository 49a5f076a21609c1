//! Adds up what writers wrote of how many users, groups and members came and left, so that few rows are read for a total.
use std::time::Duration;

use tokio::sync::watch;

use super::leader::LeaderLease;
use crate::clock::Clock;
use crate::store::extent::OperatorExtent;
use crate::store::{Store, StoreError, Tx, totals};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(2);

/// A connection, partner or user group may have so many rows before they are added up. All of them are looked at each time,
/// and there may be many partners.
const MOST: u32 = 16;

/// Adds up until `told` turns true.
pub async fn run(store: Store, clock: Clock, mut told: watch::Receiver<bool>) {
    let mut duty = LeaderLease::new("totals", clock);
    while tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = turn(&store, &mut duty).await {
            tracing::debug!(%error, "the numbers of users and groups were not added up; they are later");
        }
    }
    duty.end(&store).await;
}

async fn turn(store: &Store, duty: &mut LeaderLease) -> Result<(), StoreError> {
    let at = OperatorExtent::assume();
    if totals::long(&mut store.reader().await?, &at, MOST).await?.is_empty() || !duty.hold(store).await? {
        return Ok(());
    }
    store.write(async |tx: &mut Tx| totals::fold(tx, &at, MOST).await).await.map(drop)
}
