//! The store itself: opening, writing, reading, closing.
use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tempfile::TempDir;

use crate::batcher::Gather;
use crate::postgres::pool::Pool;
use crate::reader::{DbConnection, Reader, Shared};
use crate::sqlite::lock::OwnerLock;
use crate::sqlite::readers::Readers;
use crate::sqlite::writer::Writer;
use crate::state::State;
use crate::tx::Tx;
use crate::unique_index::IndexNames;
use crate::{BatchedQuery, Dialect, OpenError, Row, Schema, SqlValue, StoreError, check, migrate, postgres};

/// Statements a connection keeps prepared; more than the program has. Of those that are put together at run time it keeps
/// few, by their length: see [`kept`](crate::kept).
const KEPT_STATEMENTS: usize = 2_048;

/// No read transaction lasts longer: it would keep SQLite's log from being folded in, PostgreSQL's rows from being
/// swept. Longer work pages by key.
const LONGEST_SNAPSHOT: Duration = Duration::from_secs(1);

/// How often a write waits for rows that another holds as long as it may. A node that hangs leaves others of its own
/// in line before us, and each has its time.
const MOST_WAITS: usize = 2;

/// Runs of one write that meets other writers, before it is given up (PostgreSQL).
const MOST_TRIES: u32 = 12;

tokio::task_local! {
    /// Set while a write closure runs: a store call inside it would wait for itself.
    pub(crate) static WRITING: ();
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most connections that write (PostgreSQL; SQLite has one).
    pub connections: u32,
    /// Most connections that read.
    pub readers: u32,
    /// How long a caller waits for a free connection (PostgreSQL).
    pub patience: Duration,
    /// How long a transaction may pause before the server takes its node for hung and ends it (PostgreSQL).
    pub longest_pause: Duration,
    /// How long a write waits for rows that another holds (PostgreSQL).
    pub longest_lock: Duration,
    /// What the application wants to find again in a transaction: see [`Reader::attached`].
    pub attached: Option<Attached>,
    /// Whether to bring the schema up to date first. Off for a command that only looks.
    pub migrate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 10,
            readers: 8,
            patience: Duration::from_secs(10),
            longest_pause: Duration::from_secs(5),
            longest_lock: Duration::from_secs(10),
            attached: None,
            migrate: true,
        }
    }
}

/// A value of the application that a store carries.
pub type Attached = Arc<dyn Any + Send + Sync>;

/// How strictly concurrent writes are kept apart on PostgreSQL. SQLite runs them one after another anyway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IsolationLevel {
    ReadCommitted,
    Serializable,
}

/// What became of one try of a write.
pub(crate) enum WriteAttempt<T, E> {
    /// It is durable.
    Done(T),
    /// The closure failed, or must not be run again.
    Refused(E),
    /// Others were in the way; it may be run again.
    Again(StoreError),
}

/// An open database. Cheap to clone; the last clone closes it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    schema: &'static Schema,
    shared: Arc<Shared>,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Sqlite(Box<Sqlite>),
    Postgres { writers: Pool, readers: Pool, gather: Gather, options: Box<PgConnectOptions> },
}

#[derive(Debug)]
struct Sqlite {
    file: PathBuf,
    readers: Arc<Readers>,
    writer: Writer,
}

impl Store {
    /// Opens `sqlite:PATH`, `postgres://…`, or `sqlite::memory:` (a file that is deleted with the store).
    ///
    /// Brings the schema up to date and prepares every statement. SQLite: takes the file's lock, so a second process
    /// is refused. PostgreSQL: refuses servers that would lose acknowledged writes.
    pub async fn open(schema: &'static Schema, url: &str, options: &Options) -> Result<Self, OpenError> {
        let store = match url.strip_prefix("sqlite:") {
            Some(path) => Self::open_sqlite(schema, path, options).await?,
            None if url.starts_with("postgres:") || url.starts_with("postgresql:") => {
                Self::open_postgres(schema, url, options).await?
            }
            None => return Err(OpenError("the database URL must begin with sqlite: or postgres:".to_owned())),
        };
        if options.migrate {
            store.check().await?;
        }
        Ok(store)
    }

    /// Whether an address has a form that [`Store::open`] takes. Opens nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_url(url: &str) -> Result<(), OpenError> {
        match url.strip_prefix("sqlite:") {
            Some(_) => Ok(()),
            None if url.starts_with("postgres:") || url.starts_with("postgresql:") => {
                postgres::options(url, KEPT_STATEMENTS).map(drop)
            }
            None => Err(OpenError("the database URL must begin with sqlite: or postgres:".to_owned())),
        }
    }

    async fn open_sqlite(schema: &'static Schema, path: &str, options: &Options) -> Result<Self, OpenError> {
        let passing = if path == ":memory:" { Some(temporary_folder()?) } else { None };
        let path = match &passing {
            Some(folder) => folder.path().join("main.db"),
            None => PathBuf::from(path.strip_prefix("//").unwrap_or(path)),
        };
        let owner = OwnerLock::take(&path)?;
        let failed = |error: sqlx::Error| OpenError(format!("cannot open {}: {error}", path.display()));
        let connect = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(KEPT_STATEMENTS)
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", "-16384")
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "67108864")
            .disable_statement_logging();
        let mut first = connect.connect().await.map_err(failed)?;
        if options.migrate {
            migrate::run(schema, &mut first).await?;
            sqlx::query(schema.when_file_is_taken).execute(&mut first).await.map_err(failed)?;
        }
        let catalog =
            IndexNames::new(schema.unique_indexes, check::sqlite_unique_columns(&mut first).await.map_err(failed)?);
        drop(first);
        let readers = Readers::new(connect.clone(), usize::try_from(options.readers).unwrap_or(1).max(1));
        let writer = Writer::open(connect, (owner, passing)).await.map_err(failed)?;
        let sqlite = Sqlite { file: path, readers, writer };
        let shared = Arc::new(Shared {
            dialect: Dialect::Sqlite,
            catalog,
            state: State::default(),
            attached: options.attached.clone(),
        });
        Ok(Self(Arc::new(Inner { schema, shared, backend: Backend::Sqlite(Box::new(sqlite)) })))
    }

    async fn open_postgres(schema: &'static Schema, url: &str, given: &Options) -> Result<Self, OpenError> {
        let options = postgres::options(url, KEPT_STATEMENTS)?;
        let unreachable = |error: sqlx::Error| OpenError(format!("cannot reach the PostgreSQL database: {error}"));
        let objections = postgres::objections(&options).await.map_err(unreachable)?;
        if !objections.is_empty() {
            return Err(OpenError(objections.join("\n")));
        }
        if given.migrate {
            let mut connection = options.connect().await.map_err(unreachable)?;
            migrate::run(schema, &mut connection).await?;
        }
        let shared = Arc::new(Shared {
            dialect: Dialect::Postgres,
            catalog: IndexNames::by_name(schema.unique_indexes),
            state: State::default(),
            attached: given.attached.clone(),
        });
        let backend = Backend::Postgres {
            writers: postgres::writing(&options, given),
            gather: Gather::new(postgres::gathering(&options, given), Arc::clone(&shared)),
            readers: postgres::reading(&options, given),
            options: Box::new(options),
        };
        Ok(Self(Arc::new(Inner { schema, shared, backend })))
    }

    /// The database behind it.
    pub fn dialect(&self) -> Dialect {
        self.0.shared.dialect
    }

    /// Runs `work` in one transaction. `Ok`: all of it is on disk. `Err`: none of it is kept.
    ///
    /// `work` may be run more than once (a conflict, a failed shared commit), and awaits nothing but its transaction.
    /// On PostgreSQL it runs READ COMMITTED: for `provision`.
    pub async fn write<T, E: From<StoreError>>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        self.tried(IsolationLevel::ReadCommitted, work).await
    }

    /// Like [`Self::write`], and on PostgreSQL as if writes ran one after another: for `admin`, whose decisions rest
    /// on what they read.
    pub async fn write_serializable<T, E: From<StoreError>>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        self.tried(IsolationLevel::Serializable, work).await
    }

    async fn tried<T, E: From<StoreError>>(
        &self,
        isolation: IsolationLevel,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        refuse_inside_a_write()?;
        let shared = &self.0.shared;
        let (mut tries, mut held) = (0, 0);
        loop {
            let (once, most) = match &self.0.backend {
                // Whoever shared a commit that failed is run once more, alone.
                Backend::Sqlite(sqlite) => (sqlite.writer.once(shared, tries > 0, work.clone()).await, 2),
                Backend::Postgres { writers, .. } => {
                    (postgres::once(writers, shared, isolation, work.clone()).await, MOST_TRIES)
                }
            };
            let error = match once {
                WriteAttempt::Done(value) => return Ok(value),
                WriteAttempt::Refused(error) => return Err(error),
                WriteAttempt::Again(error) => error,
            };
            tries += 1;
            held += usize::from(error == StoreError::Held);
            metrics::counter!("rolecall_db_transaction_retries_total").increment(1);
            if tries == most || held == MOST_WAITS {
                shared.state.noticed(Some(&error));
                return Err(error.into());
            }
            if self.dialect() == Dialect::Postgres {
                tokio::time::sleep(back_off(tries)).await;
            }
        }
    }

    /// Whether writes that follow each other at once share a commit (SQLite).
    pub fn shares_commits(&self) -> bool {
        matches!(self.0.backend, Backend::Sqlite(_))
    }

    /// A number that changes whenever anything may have been written: what was read at one holds while it stays. Read it
    /// before what it is to stand for. `None` on PostgreSQL, where others write too.
    pub fn moment(&self) -> Option<u64> {
        match &self.0.backend {
            Backend::Sqlite(sqlite) => Some(sqlite.writer.commits()),
            Backend::Postgres { .. } => None,
        }
    }

    /// A connection on which each statement sees the newest commit. For one or two statements; several that must
    /// agree belong in [`Self::snapshot`].
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        refuse_inside_a_write()?;
        let link = match &self.0.backend {
            Backend::Sqlite(sqlite) => DbConnection::Sqlite(sqlite.readers.take().await?),
            Backend::Postgres { readers, .. } => {
                DbConnection::Postgres(readers.take().await.map_err(|error| StoreError::unreachable(&error))?)
            }
        };
        Ok(Reader::new(link, Arc::clone(&self.0.shared), false))
    }

    /// The row that `question` finds for a key, if there is one; see [`Self::ask_all`].
    pub async fn ask<T>(
        &self,
        question: &'static BatchedQuery,
        key: Vec<SqlValue>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.ask_all(question, key, read).await?.into_iter().next())
    }

    /// Every row that `question` finds for a key, as of the newest commit. On PostgreSQL those who ask at the same moment
    /// share a trip.
    pub async fn ask_all<T>(
        &self,
        question: &'static BatchedQuery,
        key: Vec<SqlValue>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match &self.0.backend {
            Backend::Sqlite(_) => self.reader().await?.all(question.one(), key, read).await,
            Backend::Postgres { gather, .. } => {
                refuse_inside_a_write()?;
                gather.ask(question, key).await?.iter().map(read).collect()
            }
        }
    }

    /// Runs `work` over one moment of the database, at most a second long; then [`StoreError::TooLong`].
    pub async fn snapshot<T, E: From<StoreError>>(
        &self,
        work: impl AsyncFnOnce(&mut Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        self.snapshot_within(LONGEST_SNAPSHOT, work).await
    }

    /// Like [`Self::snapshot`], with a shorter time: substring searches that may be given up. The statement that runs
    /// when time is over is stopped on both databases.
    pub async fn snapshot_within<T, E: From<StoreError>>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        refuse_inside_a_write()?;
        let limit = limit.min(LONGEST_SNAPSHOT);
        let link = match &self.0.backend {
            Backend::Sqlite(sqlite) => {
                let mut pooled = sqlite.readers.take().await?;
                pooled.begin().await.map_err(|error| self.error(error))?;
                DbConnection::Sqlite(pooled)
            }
            Backend::Postgres { readers, .. } => {
                let lent = postgres::snapshot(readers, limit).await;
                DbConnection::Postgres(lent.map_err(|error| StoreError::unreachable(&error))?)
            }
        };
        let mut reader = Reader::new(link, Arc::clone(&self.0.shared), true);
        let result = in_time(limit, work(&mut reader)).await?;
        match reader.link {
            DbConnection::Sqlite(mut pooled) => {
                // A failure here only means that the connection is not used again.
                let _ = pooled.end().await;
            }
            DbConnection::Postgres(mut lent) => {
                let _ = lent.end("ROLLBACK").await;
            }
            DbConnection::Turn(_) => {}
        }
        result
    }

    /// Like [`Self::snapshot_within`], for one statement, which sees one moment by itself: a count that may be given up.
    pub async fn statement_within<T, E: From<StoreError>>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        refuse_inside_a_write()?;
        let limit = limit.min(LONGEST_SNAPSHOT);
        let link = match &self.0.backend {
            Backend::Sqlite(sqlite) => DbConnection::Sqlite(sqlite.readers.take().await?),
            Backend::Postgres { readers, .. } => {
                let lent = readers.take_within(limit).await;
                DbConnection::Postgres(lent.map_err(|error| StoreError::unreachable(&error))?)
            }
        };
        let mut reader = Reader::new(link, Arc::clone(&self.0.shared), true);
        in_time(limit, work(&mut reader)).await?
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        StoreError::of("a connection", error, self.dialect(), &self.0.shared.catalog)
    }

    /// Prepares every statement of the program on the connected database and compares parameters and names.
    pub async fn check(&self) -> Result<(), OpenError> {
        let mut problems = match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite
                .writer
                .between_groups(async |connection| check::on_sqlite(self.0.schema, connection).await)
                .await
                .map_err(|error| OpenError(error.to_string()))?,
            Backend::Postgres { options, .. } => {
                check::on_postgres(self.0.schema, options).await.map_err(|error| OpenError(error.to_string()))?
            }
        };
        if self.dialect() == Dialect::Sqlite {
            problems.extend(check::missing(self.0.schema.unique_indexes, self.0.shared.catalog.names()));
        }
        if problems.is_empty() { Ok(()) } else { Err(OpenError(problems.join("\n"))) }
    }

    /// What speaks against the database server as it is set up now, each as a sentence: for `doctor`.
    pub async fn objections(&self) -> Result<Vec<String>, OpenError> {
        match &self.0.backend {
            Backend::Sqlite(_) => Ok(Vec::new()),
            Backend::Postgres { options, .. } => {
                postgres::objections(options).await.map_err(|error| OpenError(error.to_string()))
            }
        }
    }

    /// The database server's clock in microseconds since 1970, to compare with one's own; `None` when both are the same machine's (SQLite).
    pub async fn clock_micros(&self) -> Result<Option<i64>, StoreError> {
        match &self.0.backend {
            Backend::Sqlite(_) => Ok(None),
            Backend::Postgres { readers, .. } => postgres::clock(readers).await.map(Some).map_err(|e| self.error(e)),
        }
    }

    /// Has the database server look again at tables that grew much since it last did; the tables. SQLite plans by what
    /// the indexes say, so there are none.
    pub async fn look_again(&self) -> Result<Vec<String>, StoreError> {
        match &self.0.backend {
            Backend::Sqlite(_) => Ok(Vec::new()),
            Backend::Postgres { writers, .. } => postgres::look_again(writers).await.map_err(|error| self.error(error)),
        }
    }

    /// Whether the database answers: for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.reader().await?.control("SELECT 1".to_owned()).await
    }

    /// Whether damage was met since the store was opened.
    pub fn damaged(&self) -> bool {
        self.0.shared.state.damaged()
    }

    /// Whether the database itself has refused a write, and [`Self::has_room`] has not been said since.
    pub fn refuses_writes(&self) -> bool {
        self.0.shared.state.refuses_writes()
    }

    /// Takes note that a write that needed room has become durable.
    pub fn has_room(&self) {
        self.0.shared.state.has_room();
    }

    /// The bytes that are free on the disk of a SQLite file; `None` on PostgreSQL, and when nobody can tell.
    pub fn room(&self) -> Option<u64> {
        let Backend::Sqlite(sqlite) = &self.0.backend else { return None };
        let disk = rustix::fs::statvfs(&sqlite.file).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Commits what is under way and closes every connection. Without it the same happens, unobserved, on drop.
    pub async fn close(&self) {
        match &self.0.backend {
            Backend::Sqlite(sqlite) => {
                sqlite.readers.close().await;
                sqlite.writer.close().await;
            }
            Backend::Postgres { writers, readers, gather, .. } => {
                gather.close().await;
                readers.close().await;
                writers.close().await;
            }
        }
    }
}

/// What `work` comes to; [`StoreError::TooLong`] when it takes longer.
async fn in_time<T, E: From<StoreError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<Result<T, E>, StoreError> {
    tokio::time::timeout(limit, work).await.map_err(|_| StoreError::TooLong)
}

fn refuse_inside_a_write() -> Result<(), StoreError> {
    if WRITING.try_with(|()| ()).is_ok() { Err(StoreError::Nested) } else { Ok(()) }
}

/// Waits longer each time, and never the same for two writers that met: 1 ms to about 250 ms.
fn back_off(tries: u32) -> Duration {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let spread = TURN.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed) >> 54;
    let most = 2_000_u64 << tries.min(7);
    Duration::from_micros(1_000 + most * spread / 1_024)
}

/// Creates a file that only its owner may read; SQLite gives its companions the same mode.
pub fn create_private(path: &Path) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    open.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map(drop)
}

/// A folder for a database in memory. It is deleted with the store.
fn temporary_folder() -> Result<TempDir, OpenError> {
    let made = tempfile::Builder::new().prefix("rolecall-").tempdir();
    made.map_err(|error| OpenError(format!("cannot create a temporary folder: {error}")))
}
