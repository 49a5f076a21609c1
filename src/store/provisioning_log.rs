//! The log of SCIM requests: what was asked, how it was understood, what it did. Written apart from the requests
//! themselves, so it may lose its last second in a crash, and drops rows (counted) rather than delay anyone.
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, Row as _};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::db::create_private;
use super::extent::ConnectionExtent;
use crate::domain::id::{ConnectionId, Id, TokenId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;

const SCHEMA: &str = include_str!("../../migrations/0004_request_log.sql");
/// The newest rows of a connection before a moment.
const NEWEST: &str = "SELECT id, at, entry FROM request_log WHERE connection = $1 AND (at < $2 OR (at = $2 AND id < $3)) \
     ORDER BY at DESC, id DESC LIMIT $4";
/// PostgreSQL: any number of rows, a column each parameter. `search` held the entry a second time, folded; nobody reads it
/// any more.
const INSERT_COLUMNS: &str = "INSERT INTO request_log (id, connection, at, status, search, entry) \
     SELECT item.id, item.connection, item.at, item.status, '', item.entry \
     FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]) \
     AS item (id, connection, at, status, entry)";
const EXPIRE: &str = "DELETE FROM request_log WHERE id IN (SELECT id FROM request_log WHERE at < $1 LIMIT 1000)";

/// Rows that may wait to be written.
const QUEUE: usize = 8_192;
/// Most rows in one transaction.
const BATCH: usize = 256;
/// Rows of one statement on SQLite: a trip to its thread costs more than a row.
const ROWS: usize = 64;
/// How long rows are collected, unless a whole transaction of them waits.
const PAUSE: Duration = Duration::from_millis(200);
/// How often old rows are deleted.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Rows of a connection that a search looks through.
const SEARCHED: usize = 20_000;
/// Rows it looks at in one go.
const LOOK: usize = 500;

/// One request of a connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The name of the request, also in the answer's `x-request-id`.
    pub request_id: String,
    /// When it came.
    pub at: Timestamp,
    /// The connection.
    pub connection: ConnectionId,
    /// The token used; none for a request at the token endpoint.
    pub token: Option<TokenId>,
    /// The client's address.
    pub client: String,
    /// The method.
    pub method: String,
    /// The path below the base address, with the query; whole at the token endpoint.
    pub path: String,
    /// The body as it came, secrets masked; cut when long.
    pub request: Option<String>,
    /// Which switch of the profile turned it into the strict form, one sentence each.
    pub translation: Vec<String>,
    /// What it changed, or would have changed.
    pub effect: serde_json::Value,
    /// Whether it was only tried.
    pub dry: bool,
    /// The status of the answer.
    pub status: u16,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// How long it took, in microseconds.
    pub micros: i64,
}

/// A place in the log: pages go from newest to oldest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    at: Timestamp,
    id: Uuid,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the log of requests: {0}")]
pub struct LogError(#[from] sqlx::Error);

/// Takes entries and shows them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestLog {
    on: bool,
    queue: mpsc::Sender<(Uuid, Entry)>,
    dropped: Arc<AtomicU64>,
    backend: Backend,
}

/// Writes what a [`RequestLog`] takes.
#[derive(Debug)]
pub struct LogWriter {
    queue: mpsc::Receiver<(Uuid, Entry)>,
    backend: Backend,
    keep_seconds: i64,
}

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs the same statements on whichever database it is.
macro_rules! on {
    ($backend:expr, $pool:ident => $work:expr) => {
        match $backend {
            Backend::Sqlite($pool) => $work,
            Backend::Postgres($pool) => $work,
        }
    };
}

/// Opens the log beside the store at `url`: a table on PostgreSQL, `log.db` in `data_dir` on SQLite. Kept for 0 days it
/// takes no entries.
///
/// # Errors
/// [`LogError`]: the file or the database cannot be opened.
pub async fn open(url: &str, data_dir: &Path, keep_days: u32) -> Result<(RequestLog, LogWriter), LogError> {
    let backend = if url.starts_with("postgres") {
        // A crash may take the last rows: nobody waits for the disk on their account.
        let options = url.parse::<PgConnectOptions>()?.options([("synchronous_commit", "off")]);
        Backend::Postgres(PgPoolOptions::new().max_connections(2).connect_lazy_with(options))
    } else {
        Backend::Sqlite(file(&data_dir.join("log.db")).await?)
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let log = RequestLog { on: keep_days > 0, queue: sender, dropped: Arc::default(), backend: backend.clone() };
    Ok((log, LogWriter { queue: receiver, backend, keep_seconds: i64::from(keep_days) * 86_400 }))
}

async fn file(path: &Path) -> Result<SqlitePool, LogError> {
    create_private(path).map_err(sqlx::Error::Io)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
    let known = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = 'request_log'").fetch_optional(&pool).await?;
    if known.is_none() {
        pool.execute(SCHEMA).await?;
    }
    Ok(pool)
}

impl RequestLog {
    /// Whether entries are kept at all.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Takes an entry without waiting; when too many wait already it is dropped and counted.
    pub fn record(&self, id: Uuid, entry: Entry) {
        if self.queue.try_send((id, entry)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("rolecall_request_log_dropped_total").increment(1);
        }
    }

    /// How many entries were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The newest entries of a connection that contain `search`, from `before` on; with the place to go on from when
    /// there may be more. A search looks through the next 20,000.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn page(
        &self,
        extent: &ConnectionExtent,
        search: &str,
        before: Option<Place>,
        count: usize,
    ) -> Result<(Vec<Entry>, Option<Place>), LogError> {
        let mut from = before.unwrap_or(Place { at: Timestamp::from_micros(i64::MAX), id: Uuid::max() });
        let search = fold(search.trim());
        let (mut found, mut looked_at, mut more) = (Vec::new(), 0, true);
        while more && found.len() < count && looked_at < SEARCHED {
            let look = if search.is_empty() { count - found.len() } else { LOOK };
            let rows = self.newest(extent, from, look).await?;
            looked_at += rows.len();
            more = rows.len() == look;
            let mut rows = rows.into_iter();
            for (place, text) in rows.by_ref() {
                from = place;
                // A row of another version that this one cannot read is left out.
                let Ok(entry) = serde_json::from_str::<Entry>(&text) else { continue };
                if search.is_empty() || searchable(&entry).contains(&search) {
                    found.push(entry);
                }
                if found.len() == count {
                    break;
                }
            }
            more |= rows.len() > 0;
        }
        Ok((found, more.then_some(from)))
    }

    /// The newest rows of a connection from `before` on, at most `count`.
    async fn newest(
        &self,
        extent: &ConnectionExtent,
        before: Place,
        count: usize,
    ) -> Result<Vec<(Place, String)>, LogError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        on!(&self.backend, pool => {
            let query = sqlx::query(NEWEST)
                .bind(extent.connection().uuid())
                .bind(before.at.micros())
                .bind(before.id)
                .bind(count);
            let rows = query.fetch_all(pool).await?;
            let place = |id, at| Place { at: Timestamp::from_micros(at), id };
            rows.iter().map(|row| Ok((place(row.try_get(0)?, row.try_get(1)?), row.try_get(2)?))).collect()
        })
    }
}

/// What a search looks at.
fn searchable(entry: &Entry) -> String {
    let mut text = format!("{} {} {} {} ", entry.method, entry.path, entry.status, entry.request_id);
    for part in entry.request.iter().chain(&entry.refusal).chain(&entry.translation) {
        text.push_str(part);
        text.push(' ');
    }
    if !entry.effect.is_null() {
        text.push_str(&entry.effect.to_string());
    }
    fold(&text)
}

impl LogWriter {
    /// Writes entries until `told` turns, then those that wait still. `now` tells which rows are old.
    pub async fn run(mut self, now: impl Fn() -> Timestamp, mut told: watch::Receiver<bool>) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut batch, BATCH) => if taken == 0 { break },
                _ = sweep.tick() => self.expire(now().plus_seconds(-self.keep_seconds)).await,
                () = stop(&mut told) => break,
            }
            let more = batch.len() == BATCH;
            self.write(&mut batch).await;
            if !more {
                let _passed = tokio::time::timeout(PAUSE, stop(&mut told)).await;
            }
        }
        self.queue.close();
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            self.write(&mut batch).await;
        }
    }

    async fn write(&self, batch: &mut Vec<(Uuid, Entry)>) {
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.insert(batch).await {
            tracing::error!(%error, rows = batch.len(), "the log of requests lost rows");
            metrics::counter!("rolecall_request_log_dropped_total").increment(batch.len() as u64);
        }
        batch.clear();
    }

    async fn insert(&self, batch: &[(Uuid, Entry)]) -> Result<(), sqlx::Error> {
        let text = |entry| serde_json::to_string(entry).map_err(|error| sqlx::Error::Encode(error.into()));
        match &self.backend {
            Backend::Sqlite(pool) => {
                let mut transaction = pool.begin().await?;
                for part in batch.chunks(ROWS) {
                    let mut query = sqlx::query(insert(part.len()));
                    for (id, entry) in part {
                        query = query.bind(*id).bind(entry.connection.uuid()).bind(entry.at.micros());
                        query = query.bind(i64::from(entry.status)).bind(text(entry)?);
                    }
                    query.execute(&mut *transaction).await?;
                }
                transaction.commit().await
            }
            Backend::Postgres(pool) => {
                let entries = || batch.iter().map(|(_, entry)| entry);
                let texts = entries().map(text).collect::<Result<Vec<String>, _>>()?;
                let query = sqlx::query(INSERT_COLUMNS)
                    .bind(batch.iter().map(|(id, _)| *id).collect::<Vec<Uuid>>())
                    .bind(entries().map(|entry| entry.connection.uuid()).collect::<Vec<Uuid>>())
                    .bind(entries().map(|entry| entry.at.micros()).collect::<Vec<i64>>())
                    .bind(entries().map(|entry| i64::from(entry.status)).collect::<Vec<i64>>())
                    .bind(texts);
                query.execute(pool).await.map(drop)
            }
        }
    }

    async fn expire(&self, before: Timestamp) {
        loop {
            let deleted: Result<u64, sqlx::Error> = on!(&self.backend, pool => {
                sqlx::query(EXPIRE).bind(before.micros()).execute(pool).await.map(|done| done.rows_affected())
            });
            match deleted {
                Ok(0) => return,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::error!(%error, "old rows of the log of requests cannot be deleted");
                    return;
                }
            }
        }
    }
}

/// SQLite: the insert of so many rows, at most [`ROWS`]. Its parameters have no names: the driver would look for each
/// among all of them.
fn insert(rows: usize) -> &'static str {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let text = |rows: usize| {
            let all = vec!["(?, ?, ?, ?, '', ?)"; rows].join(", ");
            format!("INSERT INTO request_log (id, connection, at, status, search, entry) VALUES {all}")
        };
        (0..=ROWS).map(text).collect()
    });
    TEXTS.get(rows).map_or("", String::as_str)
}

/// Waits for the word to stop; a sender that is gone says so too.
async fn stop(told: &mut watch::Receiver<bool>) {
    let _gone = told.wait_for(|stop| *stop).await.is_err();
}
