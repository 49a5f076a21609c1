//! Numbers and chains the event log.
use std::time::Duration;

use tokio::sync::watch;

use super::leader::LeaderLease;
use crate::clock::Clock;
use crate::provision::events;
use crate::store::{Store, StoreError, events as lines};

/// How soon a line is sealed after it was written.
const INTERVAL: Duration = Duration::from_millis(200);

/// Seals until `told` turns true, and once more then.
pub async fn run(store: Store, clock: Clock, mut told: watch::Receiver<bool>) {
    let mut duty = LeaderLease::new("sealer", clock);
    loop {
        let stopping = tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_ok();
        match turn(&store, &mut duty).await {
            // Another process seals, or was faster: nothing is lost.
            Ok(()) | Err(StoreError::Unique(_) | StoreError::Conflict | StoreError::NotFound) => {}
            Err(error) => tracing::warn!(%error, "events could not be sealed; they stay and are sealed later"),
        }
        if stopping {
            duty.end(&store).await;
            return;
        }
    }
}

/// Writes only when there is something to seal, so an idle installation writes nothing.
async fn turn(store: &Store, duty: &mut LeaderLease) -> Result<(), StoreError> {
    if !lines::any_unsealed(&mut store.reader().await?).await? || !duty.hold(store).await? {
        return Ok(());
    }
    // Those who come meanwhile are sealed next time: many at once cost little more than a few.
    while events::seal(store).await? == events::BATCH as usize {}
    Ok(())
}
