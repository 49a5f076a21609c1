//! SQLite's read connections. A plain stack: a reader is taken and given back without a task or a trip to its thread,
//! which sqlx's own pool would make at every release.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::StoreError;
use crate::statement_cache::{MOST_READING, StatementCache};

/// How long a caller waits for a free reader.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running statement looks this often (in SQLite's own instructions) whether it is still wanted.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;

#[derive(Debug)]
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<Resting>>,
    places: Arc<Semaphore>,
}

/// A connection nobody uses.
#[derive(Debug)]
struct Resting {
    connection: SqliteConnection,
    /// Set to end the statement that is running.
    stop: Arc<AtomicBool>,
    kept: StatementCache,
}

impl Readers {
    pub(crate) fn new(options: SqliteConnectOptions, most: usize) -> Arc<Self> {
        let options = options.pragma("query_only", "ON");
        Arc::new(Self { options, idle: Mutex::default(), places: Arc::new(Semaphore::new(most)) })
    }

    /// A connection, opened when none is idle and the limit allows.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<PooledReader, StoreError> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| StoreError::Unavailable)?.map_err(|_| StoreError::Unavailable)?;
        let rested = self.idle().pop();
        let resting = match rested {
            Some(resting) => resting,
            None => self.open().await.map_err(|error| {
                tracing::error!(%error, "cannot open another connection to the database file");
                StoreError::Unavailable
            })?,
        };
        let Resting { connection, stop, kept } = resting;
        Ok(PooledReader {
            connection: Some(connection),
            stop,
            kept,
            running: false,
            snapshot: false,
            readers: Arc::clone(self),
            place: Some(place),
        })
    }

    async fn open(&self) -> Result<Resting, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let stop = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&stop);
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS_BETWEEN_LOOKS, move || !wanted.load(Ordering::Relaxed));
        Ok(Resting { connection, stop, kept: StatementCache::new(MOST_READING) })
    }

    /// Ends the pool and its idle connections; those in use end when they come back.
    pub(crate) async fn close(&self) {
        self.places.close();
        let idle = std::mem::take(&mut *self.idle());
        for resting in idle {
            let _ = resting.connection.close().await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Resting>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, resting: Resting) {
        if !self.places.is_closed() {
            self.idle().push(resting);
        }
    }
}

/// A connection in use; comes back when dropped, after whatever still runs on it has been stopped.
#[derive(Debug)]
pub(crate) struct PooledReader {
    connection: Option<SqliteConnection>,
    stop: Arc<AtomicBool>,
    kept: StatementCache,
    /// A statement was begun and its answer not seen.
    running: bool,
    /// A transaction is open.
    snapshot: bool,
    readers: Arc<Readers>,
    place: Option<OwnedSemaphorePermit>,
}

impl PooledReader {
    /// The connection, for one statement.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.running = true;
        self.connection.as_mut().ok_or(StoreError::Unavailable)
    }

    /// What of composed texts it keeps prepared.
    pub(crate) fn kept(&mut self) -> &mut StatementCache {
        &mut self.kept
    }

    /// The statement's answer has been seen.
    pub(crate) fn answered(&mut self) {
        self.running = false;
    }

    /// All statements from here on see one moment.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        if let Some(connection) = &mut self.connection {
            self.snapshot = true;
            sqlx::query("BEGIN").execute(connection).await?;
        }
        Ok(())
    }

    /// Ends the moment.
    pub(crate) async fn end(&mut self) -> Result<(), sqlx::Error> {
        if let Some(connection) = &mut self.connection {
            sqlx::query("ROLLBACK").execute(connection).await?;
            self.snapshot = false;
        }
        Ok(())
    }
}

impl Drop for PooledReader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let kept = std::mem::replace(&mut self.kept, StatementCache::new(0));
        let mut resting = Resting { connection, stop: Arc::clone(&self.stop), kept };
        if !self.running && !self.snapshot {
            return self.readers.give_back(resting);
        }
        // Someone stopped waiting, or a panic passed. Without a runtime the connection is simply closed.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (readers, snapshot, place) = (Arc::clone(&self.readers), self.snapshot, self.place.take());
        runtime.spawn(async move {
            resting.stop.store(true, Ordering::Relaxed);
            let answers = resting.connection.ping().await.is_ok();
            resting.stop.store(false, Ordering::Relaxed);
            let clean = !snapshot || sqlx::query("ROLLBACK").execute(&mut resting.connection).await.is_ok();
            if answers && clean {
                readers.give_back(resting);
            }
            drop(place);
        });
    }
}
