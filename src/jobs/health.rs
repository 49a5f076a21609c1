//! What this server knows to be wrong with itself and its store, looked at every few seconds: `/readyz`, the figures and
//! `doctor` tell it, and what depends on it stops.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock::Clock;
use crate::domain::id::EventId;
use crate::store::extent::OperatorExtent;
use crate::store::request_log::RequestLog;
use crate::store::{self, Store, StoreError, events, soundness};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(5);

/// How far a clock may be off, in microseconds.
pub const MOST_OFF: i64 = 5_000_000;

/// How long a line of the event log may wait for its number.
const LATEST_SEAL: Duration = Duration::from_secs(30);

/// Less room than this on the disk of a SQLite file is told, in bytes.
pub const LITTLE_ROOM: u64 = 64 << 20;

/// A kind of trouble.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trouble {
    /// The database does not answer.
    Store,
    /// This server's clock and that of its database differ: nothing is decided by either.
    Clock,
    /// The database takes no writes.
    Writes,
    /// What is stored is damaged.
    Damage,
    /// Events are not numbered: the feed and the audit stand still.
    Sealer,
    /// The newest event lies in the future: the clock was, or is, wrong.
    Future,
    /// Hardly any room is left on the disk.
    Disk,
    /// Work beside the requests has ended by itself.
    Job,
    /// The log of requests loses entries.
    RequestLog,
}

impl Trouble {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Store,
        Self::Clock,
        Self::Writes,
        Self::Damage,
        Self::Sealer,
        Self::Future,
        Self::Disk,
        Self::Job,
        Self::RequestLog,
    ];

    /// The word that machines know it by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Clock => "clock",
            Self::Writes => "writes",
            Self::Damage => "damage",
            Self::Sealer => "sealer",
            Self::Future => "future",
            Self::Disk => "disk",
            Self::Job => "job",
            Self::RequestLog => "request_log",
        }
    }

    /// Whether reads and decisions cannot be had of this server while it lasts.
    pub fn stops_reads(self) -> bool {
        matches!(self, Self::Store | Self::Clock)
    }

    /// Whether writes should go to another server while it lasts.
    pub fn stops_writes(self) -> bool {
        self.stops_reads() || matches!(self, Self::Writes | Self::Damage | Self::Sealer)
    }
}

/// What is wrong at the moment, each kind with a sentence.
#[derive(Debug, Default)]
pub struct Health(Mutex<BTreeMap<Trouble, String>>);

impl Health {
    /// Nothing is known to be wrong; every figure begins.
    pub fn new() -> Self {
        for trouble in Trouble::ALL {
            gauge(trouble, false);
        }
        Self::default()
    }

    /// Takes down that something is wrong, or no longer.
    pub fn set(&self, trouble: Trouble, told: Option<String>) {
        gauge(trouble, told.is_some());
        let mut known = self.known();
        match told {
            Some(told) => {
                if !known.contains_key(&trouble) {
                    tracing::error!(trouble = trouble.word(), "{told}");
                }
                known.insert(trouble, told);
            }
            None => {
                if known.remove(&trouble).is_some() {
                    tracing::info!(trouble = trouble.word(), "this is over");
                }
            }
        }
    }

    /// The sentence about one kind, while it lasts.
    pub fn of(&self, trouble: Trouble) -> Option<String> {
        self.known().get(&trouble).cloned()
    }

    /// Everything that is wrong.
    pub fn all(&self) -> Vec<(Trouble, String)> {
        self.known().iter().map(|(trouble, told)| (*trouble, told.clone())).collect()
    }

    /// Whether the moment can be trusted far enough to forget anything by it.
    pub fn knows_the_time(&self) -> bool {
        let known = self.known();
        !known.contains_key(&Trouble::Clock) && !known.contains_key(&Trouble::Future)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Trouble, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gauge(trouble: Trouble, on: bool) {
    metrics::gauge!("rolecall_degraded", "what" => trouble.word()).set(if on { 1.0 } else { 0.0 });
}

/// Looks at a store again and again.
pub struct Look {
    store: Store,
    clock: Clock,
    log: RequestLog,
    /// How long a line may wait for its number.
    latest_seal: Duration,
    /// The oldest line without a number, and since when it is seen.
    oldest: Option<(EventId, Instant)>,
}

impl Look {
    /// Nothing has been looked at yet.
    pub fn new(store: Store, clock: Clock, log: RequestLog) -> Self {
        Self { store, clock, log, latest_seal: LATEST_SEAL, oldest: None }
    }

    /// With another time that events may wait.
    #[must_use]
    pub fn sealed_within(self, latest_seal: Duration) -> Self {
        Self { latest_seal, ..self }
    }

    /// Looks once.
    pub async fn turn(&mut self, health: &Health) {
        let told = "The log of requests cannot be written: its entries wait, and too many are lost.".to_owned();
        health.set(Trouble::RequestLog, self.log.is_failing().then_some(told));
        let answers = self.store.ping().await;
        health.set(Trouble::Store, answers.err().map(|error| format!("The store does not answer: {error}.")));
        if health.of(Trouble::Store).is_some() {
            return;
        }
        if let Ok(off) = off(&self.store, self.clock).await {
            health.set(Trouble::Clock, off);
        }
        health.set(Trouble::Damage, self.store.damaged().then(|| DAMAGE.to_owned()));
        health.set(Trouble::Writes, self.writes().await);
        health.set(Trouble::Disk, self.store.room().filter(|room| *room < LITTLE_ROOM).map(little));
        if let Ok(future) = future(&self.store, self.clock).await {
            health.set(Trouble::Future, future);
        }
        if let Ok(late) = self.late().await {
            health.set(Trouble::Sealer, late);
        }
    }

    /// A database that refused a write is asked again: by a write of its own, and only then.
    async fn writes(&self) -> Option<String> {
        if !self.store.refuses_writes() {
            return None;
        }
        let refused = soundness::try_write(&self.store).await.err()?;
        Some(format!("The store takes no writes: {refused}."))
    }

    async fn late(&mut self) -> Result<Option<String>, StoreError> {
        let oldest = events::oldest_unsealed(&mut self.store.reader().await?, &OperatorExtent::assume()).await?;
        self.oldest = match (oldest.map(|(id, _)| id), self.oldest) {
            (Some(now), Some((before, since))) if now == before => Some((now, since)),
            (Some(now), _) => Some((now, Instant::now())),
            (None, _) => None,
        };
        let waits = self.oldest.map(|(_, since)| since.elapsed()).filter(|waits| *waits > self.latest_seal);
        Ok(waits.map(|waits| {
            format!("Events have waited {} s for their number: the feed and the audit stand still.", waits.as_secs())
        }))
    }
}

/// What damage comes to.
const DAMAGE: &str = "The database met damage in what it has stored: `rolecall doctor` says where. Put a backup back.";

/// The sentence about it.
pub fn little(room: u64) -> String {
    format!("Only {} MiB are free on the disk of the database.", room >> 20)
}

/// How far this server's clock is off the database's, as a sentence, when that is too much.
///
/// # Errors
/// Only those of the store.
pub async fn off(store: &Store, clock: Clock) -> Result<Option<String>, StoreError> {
    let before = clock.now();
    let Some(there) = store::clock(store).await? else { return Ok(None) };
    let after = clock.now();
    // Somewhere between the two it was read.
    let behind = there.micros().saturating_sub(after.micros());
    let ahead = before.micros().saturating_sub(there.micros());
    let off = behind.max(ahead);
    if off <= MOST_OFF {
        return Ok(None);
    }
    let side = if behind > 0 { "behind" } else { "ahead of" };
    Ok(Some(format!(
        "The clock of this server is {} s {side} that of its database, and no decision can rest on it: set both right.",
        off / 1_000_000
    )))
}

/// That the newest event lies in the future, as a sentence.
///
/// # Errors
/// Only those of the store.
pub async fn future(store: &Store, clock: Clock) -> Result<Option<String>, StoreError> {
    let newest = events::newest(&mut store.reader().await?, &OperatorExtent::assume()).await?;
    let newest = newest.filter(|at| at.micros().saturating_sub(clock.now().micros()) > MOST_OFF);
    Ok(newest.map(|at| {
        format!("The newest event is of {at}, which lies in the future: the clock was wrong then, or is wrong now.")
    }))
}

/// Looks until `told` turns true.
pub async fn run(mut look: Look, health: std::sync::Arc<Health>, mut told: watch::Receiver<bool>) {
    loop {
        look.turn(&health).await;
        if tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}
