//! Group commit: on SQLite one connection writes, and everyone who waits for the disk at the same moment shares one
//! commit.
//!
//! Callers stand in line (tokio's mutex is a fair queue). Each has its turn on the connection, inside one open
//! transaction and between savepoints of its own, and then waits for the group's commit. The first of a group wakes
//! the committer, which stands in the same line: whoever stood before it is in the group. So the disk's own time is
//! the window in which a group gathers.
//!
//! That alone would halve groups on a slow disk: those whom one commit sets free come back while the next is under way,
//! and wait for the one after. So the committer first gives as many as wrote last time a moment to come back, at most
//! half of what the disk last took. A lone writer, or a fast disk, never waits for anybody.
//!
//! A caller may vanish at any await: its future dropped, its closure panicking. Every step here is therefore one
//! statement that may be repeated, and is recorded only when its answer has been seen. The next in line finds the
//! record and sets right what is left. Commits run in tasks of their own, so no caller can interrupt one.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::StoreError;
use crate::reader::{DbConnection, Reader, Shared};
use crate::statement_cache::{MOST_WRITING, StatementCache};
use crate::store::{WRITING, WriteAttempt};
use crate::tx::Tx;

/// The most callers in line at once, which bounds a group and how long anyone waits behind others.
const PLACES: usize = 256;

/// Shorter moments are not waited for: the timer is no finer.
const MOMENT: Duration = Duration::from_millis(1);

/// How long nobody must have written before the write-ahead log is folded in.
const QUIET: Duration = Duration::from_secs(1);

/// Runs write closures one after another and answers each after a durable commit.
#[derive(Debug)]
pub(crate) struct Writer {
    line: Arc<Mutex<WriterState>>,
    places: Arc<Semaphore>,
    wake: Arc<Notify>,
    closing: Arc<AtomicBool>,
    committer: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

/// Ends groups. Lives in a task of its own, which no caller can interrupt.
struct Committer {
    line: Arc<Mutex<WriterState>>,
    places: Arc<Semaphore>,
    wake: Arc<Notify>,
    closing: Arc<AtomicBool>,
    gathered: Arc<AtomicUsize>,
    /// How many are likely to write again at once: those of the last group, and those who stood in line behind it.
    likely: usize,
    /// What the last commit took.
    took: Duration,
}

/// What is known of the open transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// None is open, as far as it matters: at most an empty one.
    Idle,
    /// Everything in it belongs to accepted turns.
    Accepted,
    /// Something after the last savepoint belongs to a turn that was not accepted.
    Unfinished,
    /// A commit was begun and its answer not seen.
    Unknown,
}

/// The connection, and the transaction that is open on it.
#[derive(Debug)]
pub(crate) struct WriterState {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// What of composed texts the connection keeps prepared.
    kept: StatementCache,
    /// Nobody is left to commit, and the file may be another process's by now.
    closed: bool,
    state: State,
    group: Option<Group>,
    wake: Arc<Notify>,
    /// Raised by every commit, before anybody learns of it.
    commits: Arc<AtomicU64>,
    /// How many are accepted in the open group, for the committer, who looks without standing in line.
    gathered: Arc<AtomicUsize>,
}

/// Those who share the next commit.
#[derive(Debug)]
struct Group {
    outcome: watch::Sender<Option<Result<(), StoreError>>>,
    /// Whether its one member shares with nobody, having seen a shared commit fail.
    alone: bool,
}

impl Writer {
    /// Opens the writing connection. What is `held` (the file's lock) is let go when that connection has been closed.
    pub(crate) async fn open(options: SqliteConnectOptions, held: impl Send + 'static) -> Result<Self, sqlx::Error> {
        let wake = Arc::new(Notify::new());
        let connection = Some(options.connect().await?);
        let commits = Arc::<AtomicU64>::default();
        let gathered = Arc::<AtomicUsize>::default();
        let line = WriterState {
            options,
            connection,
            kept: StatementCache::new(MOST_WRITING),
            closed: false,
            state: State::Idle,
            group: None,
            wake: Arc::clone(&wake),
            commits: Arc::clone(&commits),
            gathered: Arc::clone(&gathered),
        };
        let line = Arc::new(Mutex::new(line));
        let places = Arc::new(Semaphore::new(PLACES));
        let closing = Arc::new(AtomicBool::new(false));
        let committer = Committer {
            line: Arc::clone(&line),
            places: Arc::clone(&places),
            wake: Arc::clone(&wake),
            closing: Arc::clone(&closing),
            gathered,
            likely: 1,
            took: Duration::ZERO,
        };
        let committer = tokio::spawn(async move {
            committer.run().await;
            drop(held);
        });
        Ok(Self { line, places, wake, closing, committer: Mutex::new(Some(committer)), commits })
    }

    /// How many commits there have been. What was read at a number holds as long as the number does.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// One try of a write: its turn, then the group's commit.
    pub(crate) async fn once<T, E: From<StoreError>>(
        &self,
        shared: &Arc<Shared>,
        alone: bool,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> WriteAttempt<T, E> {
        let Ok(place) = self.places.acquire().await else {
            return WriteAttempt::Refused(StoreError::Unavailable.into());
        };
        let entered = async {
            let mut turn = self.turn(alone).await?;
            turn.line.enter(alone).await?;
            Ok(turn)
        };
        let turn = match entered.await {
            Ok(turn) => turn,
            Err(error) => return WriteAttempt::Again(error),
        };
        let mut tx = Tx::new(Reader::new(DbConnection::Turn(turn), Arc::clone(shared), true));
        let value = match WRITING.scope((), work(&mut tx)).await {
            Ok(value) => value,
            Err(error) => return WriteAttempt::Refused(error),
        };
        let outcome = match tx.settled().await {
            Ok(DbConnection::Turn(turn)) => turn.accept(),
            Ok(_) => return WriteAttempt::Refused(StoreError::Refused("a write").into()),
            Err(error) => return WriteAttempt::Refused(error.into()),
        };
        drop(place);
        match committed(outcome).await {
            Ok(()) => WriteAttempt::Done(value),
            Err(error) => WriteAttempt::Again(error),
        }
    }

    /// Waits for a turn. A group that may not be joined, or not by this caller, is committed first: by a task of its
    /// own, so that this caller may still vanish.
    async fn turn(&self, alone: bool) -> Result<WriterGuard, StoreError> {
        let mut line = Arc::clone(&self.line).lock_owned().await;
        if line.group.as_ref().is_some_and(|group| alone || group.alone) {
            let commit = async move {
                line.commit().await;
                line
            };
            line = tokio::spawn(commit).await.map_err(|_| StoreError::Unavailable)?;
        }
        Ok(WriterGuard { line })
    }

    /// The connection, between groups, for the store's own needs (migrations are done before; checks).
    pub(crate) async fn between_groups<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> T,
    ) -> Result<T, StoreError> {
        let mut turn = self.turn(true).await?;
        turn.line.connect().await?;
        Ok(work(turn.connection()?).await)
    }

    /// Commits what is accepted, then closes the connection.
    pub(crate) async fn close(&self) {
        self.places.close();
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
        if let Some(committer) = self.committer.lock().await.take() {
            let _ = committer.await;
        }
    }
}

impl Drop for Writer {
    /// Callers who stopped waiting may have been accepted: the committer ends after their commit.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

/// The group's fate, once known.
async fn committed(mut outcome: watch::Receiver<Option<Result<(), StoreError>>>) -> Result<(), StoreError> {
    match outcome.wait_for(Option::is_some).await {
        Ok(fate) => fate.clone().unwrap_or(Err(StoreError::Lost)),
        Err(_) => Err(StoreError::Lost),
    }
}

impl Committer {
    async fn run(mut self) {
        let mut to_fold = false;
        loop {
            if to_fold && tokio::time::timeout(QUIET, self.wake.notified()).await.is_err() {
                let options = self.line.lock().await.options.clone();
                fold_log(&options).await;
                to_fold = false;
                continue;
            }
            if !to_fold {
                self.wake.notified().await;
            }
            self.gather().await;
            let mut line = self.line.lock().await;
            if let Some((gathered, took)) = line.commit().await {
                self.likely = gathered + PLACES.saturating_sub(self.places.available_permits());
                self.took = took;
            }
            if self.closing.load(Ordering::Acquire) {
                line.closed = true;
                line.disconnect().await;
                return;
            }
            to_fold = true;
        }
    }

    /// Gives those who are likely to write again a moment to join the open group.
    async fn gather(&self) {
        let patience = self.took / 2;
        if patience < MOMENT {
            return;
        }
        let complete = async {
            while self.gathered.load(Ordering::Acquire) < self.likely && !self.closing.load(Ordering::Acquire) {
                self.wake.notified().await;
            }
        };
        let _ = tokio::time::timeout(patience, complete).await;
    }
}

/// Folds the write-ahead log into the file while nobody waits, on a connection of its own: then a commit seldom has to.
async fn fold_log(options: &SqliteConnectOptions) {
    let folded = async {
        let mut connection = options.connect().await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await?;
        connection.close().await
    };
    if let Err(error) = folded.await {
        tracing::warn!(%error, "the write-ahead log could not be folded in; a later commit will");
    }
}

/// The right to use the connection. Dropping it hands the line on; unless accepted, what was done will be undone.
#[derive(Debug)]
pub(crate) struct WriterGuard {
    line: OwnedMutexGuard<WriterState>,
}

impl WriterGuard {
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.line.connection.as_mut().ok_or(StoreError::Unavailable)
    }

    pub(crate) fn kept(&mut self) -> &mut StatementCache {
        &mut self.line.kept
    }

    /// Makes this turn's work part of the group. No await lies between the closure's answer and this record.
    fn accept(mut self) -> watch::Receiver<Option<Result<(), StoreError>>> {
        self.line.state = State::Accepted;
        self.line.gathered.fetch_add(1, Ordering::AcqRel);
        match &self.line.group {
            Some(group) => group.outcome.subscribe(),
            // Cannot be: a turn has entered a group. Its sender is dropped here, which reads as lost.
            None => watch::channel(None).1,
        }
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        // The committer counts one permit however often it is woken, so every turn may wake it: it will stand in
        // line once, behind those who stand there now.
        if self.line.group.is_some() {
            self.line.wake.notify_one();
        }
    }
}

impl WriterState {
    /// Opens a turn: sets right what a vanished predecessor left, and draws the line behind which this turn works.
    async fn enter(&mut self, alone: bool) -> Result<(), StoreError> {
        if self.state == State::Unfinished && self.run("ROLLBACK TO turn").await.is_err() {
            // The database itself has dropped the whole transaction (disk full, for one).
            self.state = State::Unknown;
        }
        if self.state == State::Unknown {
            self.lose().await;
        }
        self.connect().await?;
        if self.state != State::Unfinished {
            // Opens the transaction too when none is open; nobody else writes, so it need not be IMMEDIATE.
            if let Err(error) = self.run("SAVEPOINT turn").await {
                tracing::error!(%error, "cannot begin a turn");
                self.state = State::Unknown;
                return Err(StoreError::Unavailable);
            }
            self.state = State::Unfinished;
        }
        if self.group.is_none() {
            self.group = Some(Group { outcome: watch::Sender::new(None), alone });
        }
        Ok(())
    }

    /// Commits the open group and answers everyone in it; how many, and what the disk took. Called only from tasks that
    /// no caller can cancel.
    async fn commit(&mut self) -> Option<(usize, Duration)> {
        self.group.as_ref()?;
        let gathered = self.gathered.swap(0, Ordering::AcqRel);
        if self.state == State::Unfinished && self.run("ROLLBACK TO turn").await.is_ok() {
            self.state = State::Accepted;
        }
        if self.state != State::Accepted {
            self.lose().await;
            return None;
        }
        let begun = Instant::now();
        self.state = State::Unknown;
        let committed = self.run("COMMIT").await;
        // Also when it failed: whether it reached the disk is not always known.
        self.commits.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = committed {
            tracing::error!(%error, "a group commit failed; each of its writes is tried once more alone");
            self.lose().await;
            return None;
        }
        let took = begun.elapsed();
        self.state = State::Idle;
        let group = self.group.take()?;
        metrics::histogram!("rolecall_db_commit_duration_seconds").record(took.as_secs_f64());
        metrics::histogram!("rolecall_db_commit_batch_size").record(gathered as f64);
        group.outcome.send_replace(Some(Ok(())));
        Some((gathered, took))
    }

    /// Gives up the transaction and the connection, and tells everyone in the group.
    async fn lose(&mut self) {
        metrics::counter!("rolecall_db_commit_failures_total").increment(1);
        self.gathered.store(0, Ordering::Release);
        let group = self.group.take();
        self.disconnect().await;
        if let Some(group) = group {
            group.outcome.send_replace(Some(Err(StoreError::Lost)));
        }
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        if self.closed {
            return Err(StoreError::Unavailable);
        }
        if self.connection.is_none() {
            let connection = self.options.connect().await.map_err(|error| {
                tracing::error!(%error, "cannot open the database file again");
                StoreError::Unavailable
            })?;
            self.connection = Some(connection);
            self.kept = StatementCache::new(MOST_WRITING);
        }
        Ok(())
    }

    /// Closes the connection, which undoes what is open on it.
    async fn disconnect(&mut self) {
        let connection = self.connection.take();
        self.state = State::Idle;
        if let Some(mut connection) = connection {
            let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
            let _ = connection.close().await;
        }
    }

    async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        sqlx::query(text).execute(connection).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A committer whose disk last took `took`, with `gathered` in the open group, of whom `likely` are expected.
    fn committer(took: Duration, gathered: usize, likely: usize) -> Committer {
        let wake = Arc::new(Notify::new());
        let gathered = Arc::new(AtomicUsize::new(gathered));
        let line = WriterState {
            options: SqliteConnectOptions::new(),
            connection: None,
            kept: StatementCache::new(MOST_WRITING),
            closed: false,
            state: State::Idle,
            group: None,
            wake: Arc::clone(&wake),
            commits: Arc::default(),
            gathered: Arc::clone(&gathered),
        };
        Committer {
            line: Arc::new(Mutex::new(line)),
            places: Arc::new(Semaphore::new(PLACES)),
            wake,
            closing: Arc::default(),
            gathered,
            likely,
            took,
        }
    }

    const FOREVER: Duration = Duration::from_secs(1_000_000);

    #[tokio::test]
    async fn a_lone_writer_waits_for_nobody() {
        committer(FOREVER, 1, 1).gather().await;
    }

    #[tokio::test]
    async fn on_a_fast_disk_nobody_is_waited_for() {
        committer(Duration::from_micros(100), 1, 16).gather().await;
    }

    #[tokio::test]
    async fn those_who_wrote_last_time_are_waited_for() {
        let committer = committer(FOREVER, 1, 3);
        let (wake, gathered) = (Arc::clone(&committer.wake), Arc::clone(&committer.gathered));
        let (whole, ()) = tokio::join!(
            async {
                committer.gather().await;
                committer.gathered.load(Ordering::Acquire)
            },
            async {
                for _ in 0..2 {
                    tokio::task::yield_now().await;
                    gathered.fetch_add(1, Ordering::AcqRel);
                    wake.notify_one();
                }
            }
        );
        assert_eq!(whole, 3);
    }

    #[tokio::test]
    async fn those_who_do_not_come_back_are_not_waited_for_long() {
        committer(2 * MOMENT, 1, 16).gather().await;
    }

    #[tokio::test]
    async fn closing_waits_for_nobody() {
        let committer = committer(FOREVER, 1, 16);
        committer.closing.store(true, Ordering::Release);
        committer.gather().await;
    }
}
