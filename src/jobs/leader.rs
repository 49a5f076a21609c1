//! A job that one process of the installation does at a time, under a lease that is renewed while there is work.
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::store::leases::{self, Lease};
use crate::store::{Store, StoreError, Tx};

/// How long a process that vanished keeps others from the job.
const HOLD: Duration = Duration::from_secs(10);

/// When the lease is renewed.
const AGE: Duration = Duration::from_secs(5);

/// A process's part in a job.
pub(super) struct LeaderLease {
    name: &'static str,
    holder: Uuid,
    /// With the moment at which it was asked for: no clock that somebody can set.
    held: Option<(Lease, Instant)>,
}

impl LeaderLease {
    /// Nobody's yet.
    pub fn new(name: &'static str, clock: Clock) -> Self {
        let holder = Uuid::from_bytes(clock.ctx(Actor::System).random());
        Self { name, holder, held: None }
    }

    /// Whether this process is the one that does the job; takes it up when nobody does.
    pub async fn hold(&mut self, store: &Store) -> Result<bool, StoreError> {
        let now = Instant::now();
        if self.held.as_ref().is_some_and(|(_, since)| since.elapsed() < AGE) {
            return Ok(true);
        }
        let (before, holder, name) = (self.held.take(), self.holder, self.name);
        let lease = store
            .write(async |tx| match &before {
                Some((lease, _)) if leases::renew(tx, lease, HOLD).await? => Ok::<_, StoreError>(Some(lease.clone())),
                _ => leases::acquire(tx, name, holder, HOLD).await,
            })
            .await?;
        self.held = lease.map(|lease| (lease, now));
        Ok(self.held.is_some())
    }

    /// Whether the job is still this process's; until the transaction ends nobody else can take it.
    pub async fn confirm(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        match &self.held {
            Some((lease, _)) => leases::renew(tx, lease, HOLD).await,
            None => Ok(false),
        }
    }

    /// Whoever takes the job up next begins anew.
    pub fn lose(&mut self) {
        self.held = None;
    }

    /// Gives the job back, so that another process takes it up at once.
    pub async fn end(self, store: &Store) {
        let Some((lease, _)) = self.held else { return };
        if let Err(error) = store.write(async |tx| leases::release(tx, &lease).await).await {
            tracing::debug!(%error, job = self.name, "the lease runs out by itself");
        }
    }
}
