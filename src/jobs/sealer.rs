//! Numbers and chains the event log.
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::provision::events;
use crate::store::leases::{self, Lease};
use crate::store::{Store, StoreError, events as lines};

/// How soon a line is sealed after it was written.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long a process that vanished keeps others from sealing, in seconds.
const HOLD: i64 = 10;

/// How long before its end the lease is renewed, in seconds.
const MARGIN: i64 = 5;

/// Seals until `told` turns true, and once more then.
pub async fn run(store: Store, clock: Clock, mut told: watch::Receiver<bool>) {
    let mut sealer = Sealer::new(store, clock);
    loop {
        let stopping = tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_ok();
        match sealer.turn().await {
            // Another process seals, or was faster: nothing is lost.
            Ok(()) | Err(StoreError::Unique(_) | StoreError::Conflict | StoreError::NotFound) => {}
            Err(error) => tracing::warn!(%error, "events could not be sealed; they stay and are sealed later"),
        }
        if stopping {
            sealer.end().await;
            return;
        }
    }
}

struct Sealer {
    store: Store,
    clock: Clock,
    holder: Uuid,
    held: Option<(Lease, i64)>,
}

impl Sealer {
    fn new(store: Store, clock: Clock) -> Self {
        let holder = Uuid::from_bytes(clock.ctx(Actor::System).random());
        Self { store, clock, holder, held: None }
    }

    /// Writes only when there is something to seal, so an idle installation writes nothing.
    async fn turn(&mut self) -> Result<(), StoreError> {
        if !lines::any_unsealed(&mut self.store.reader().await?).await? || !self.hold().await? {
            return Ok(());
        }
        while events::seal(&self.store).await? > 0 {}
        Ok(())
    }

    /// Whether this process is the one that seals.
    async fn hold(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if self.held.as_ref().is_some_and(|(_, until)| now.seconds() + MARGIN < *until) {
            return Ok(true);
        }
        let until = now.plus_seconds(HOLD);
        let (before, holder) = (self.held.take(), self.holder);
        let lease = self
            .store
            .write(async |tx| match &before {
                Some((lease, _)) if leases::renew(tx, lease, until).await? => Ok::<_, StoreError>(Some(lease.clone())),
                _ => leases::acquire(tx, "sealer", holder, now, until).await,
            })
            .await?;
        self.held = lease.map(|lease| (lease, until.seconds()));
        Ok(self.held.is_some())
    }

    /// Gives the lease back, so that another process seals at once.
    async fn end(self) {
        let Some((lease, _)) = self.held else { return };
        if let Err(error) = self.store.write(async |tx| leases::release(tx, &lease).await).await {
            tracing::debug!(%error, "the sealer's lease runs out by itself");
        }
    }
}
