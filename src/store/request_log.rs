//! The log of SCIM requests: what was asked, how it was understood, what it did. Written apart from the requests
//! themselves, so it may lose its last second in a crash, and drops rows (counted) rather than delay anyone.
mod writer;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, Row as _};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::extent::ConnectionExtent;
use crate::domain::id::{ConnectionId, Id, TokenId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use rolecall_db::create_private;

pub use writer::LogWriter;

/// The newest rows of a connection before a moment.
const NEWEST: &str = "SELECT id, at, entry FROM request_log_entries WHERE connection_id = $1 AND (at < $2 OR (at = $2 AND id < $3)) \
     ORDER BY at DESC, id DESC LIMIT $4";
/// PostgreSQL: what its connections are opened with, so that none waits without end.
const POSTGRES: [(&str, &str); 4] = [
    ("synchronous_commit", "off"),
    ("statement_timeout", "10000"),
    ("lock_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "5000"),
];
/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows that may wait to be written.
const QUEUE: usize = 8_192;
/// Rows of a connection that a search looks through.
const SEARCHED: usize = 20_000;
/// Rows it looks at in one go.
const LOOK: usize = 500;

/// One request of a connection; `E` is what it changed, or would have changed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RequestLogEntry<E = serde_json::Value> {
    /// The name of the request, also in the answer's `x-request-id`.
    pub request_id: String,
    /// When it came.
    pub at: Timestamp,
    /// The token used; none for a request at the token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// The client's address.
    pub client_address: String,
    /// The method.
    pub method: String,
    /// The path below the base address, with the query; whole at the token endpoint.
    pub path: String,
    /// The body as it came, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<LoggedBody>,
    /// Which switch of the profile turned it into the strict form, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalizations: Vec<String>,
    /// What it changed, or would have changed.
    pub effect: E,
    /// Whether it was only tried.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The status of the answer.
    pub status: u16,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: i64,
}

/// The body of a request as JSON, which is kept as it stands; or a sentence about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoggedBody(Box<RawValue>);

impl LoggedBody {
    /// Of a document, or of a sentence. None when it cannot be written as JSON.
    pub fn of(said: &impl Serialize) -> Option<Self> {
        to_raw_value(said).ok().map(Self)
    }

    /// The text to show.
    pub fn text(&self) -> Cow<'_, str> {
        let text = self.0.get();
        let sentence = text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten();
        sentence.map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

impl PartialEq for LoggedBody {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// A place in the log: pages go from newest to oldest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogPosition {
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
    queue: mpsc::Sender<LogRow>,
    dropped: Arc<AtomicU64>,
    failing: Arc<AtomicBool>,
    backend: Backend,
}

/// An entry on its way into the table.
#[derive(Debug)]
struct LogRow {
    connection: Uuid,
    at: i64,
    id: Uuid,
    text: String,
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
use on;

/// Opens the log beside the store at `url`: a table on PostgreSQL, `log.db` in `data_dir` on SQLite. Kept for 0 days it
/// takes no entries.
///
/// # Errors
/// [`LogError`]: the file or the database cannot be opened.
pub async fn open(url: &str, data_dir: &Path, keep_days: u32) -> Result<(RequestLog, LogWriter), LogError> {
    let backend = if url.starts_with("postgres") {
        // A crash may take the last rows: nobody waits for the disk on their account.
        let options = url.parse::<PgConnectOptions>()?.options(POSTGRES);
        Backend::Postgres(PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE).connect_lazy_with(options))
    } else {
        Backend::Sqlite(file(&data_dir.join("log.db")).await?)
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (dropped, failing) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let log = RequestLog {
        on: keep_days > 0,
        queue: sender,
        dropped: Arc::clone(&dropped),
        failing: Arc::clone(&failing),
        backend: backend.clone(),
    };
    Ok((log, LogWriter { queue: receiver, backend, keep_seconds: i64::from(keep_days) * 86_400, dropped, failing }))
}

/// Has SQLite look through `log.db` in `data_dir`; what is wrong, in its own words. Nothing when there is no such file, as on
/// PostgreSQL, where the log is a table of the database.
///
/// # Errors
/// [`LogError`]: the file cannot be read at all.
pub async fn examine(data_dir: &Path) -> Result<Vec<String>, LogError> {
    let path = data_dir.join("log.db");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let told: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)").fetch_all(&pool).await?;
    pool.close().await;
    Ok(told.into_iter().filter(|line| line != "ok").collect())
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
    let known =
        sqlx::query("SELECT 1 FROM sqlite_master WHERE name = 'request_log_entries'").fetch_optional(&pool).await?;
    if known.is_none() {
        (&pool).execute(super::schema::REQUEST_LOG).await?;
    }
    Ok(pool)
}

impl RequestLog {
    /// Whether entries are kept at all.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Takes an entry of a connection without waiting; when too many wait already it is dropped and counted.
    pub fn record(&self, connection: ConnectionId, id: Uuid, entry: &RequestLogEntry<impl Serialize>) {
        // Written out here and at once, while what it is made of is at hand.
        let (connection, at) = (connection.uuid(), entry.at.micros());
        let line = serde_json::to_string(entry).ok().map(|text| LogRow { connection, at, id, text });
        if line.is_none_or(|line| self.queue.try_send(line).is_err()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("rolecall_request_log_dropped_entries_total").increment(1);
        }
    }

    /// Whether entries wait because they cannot be written.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
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
        before: Option<LogPosition>,
        count: usize,
    ) -> Result<(Vec<RequestLogEntry>, Option<LogPosition>), LogError> {
        let mut from = before.unwrap_or(LogPosition { at: Timestamp::from_micros(i64::MAX), id: Uuid::max() });
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
                let Ok(entry) = serde_json::from_str::<RequestLogEntry>(&text) else { continue };
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
        before: LogPosition,
        count: usize,
    ) -> Result<Vec<(LogPosition, String)>, LogError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        on!(&self.backend, pool => {
            let query = sqlx::query(NEWEST)
                .bind(extent.connection().uuid())
                .bind(before.at.micros())
                .bind(before.id)
                .bind(count);
            let rows = query.fetch_all(pool).await?;
            let place = |id, at| LogPosition { at: Timestamp::from_micros(at), id };
            rows.iter().map(|row| Ok((place(row.try_get(0)?, row.try_get(1)?), row.try_get(2)?))).collect()
        })
    }
}

/// What a search looks at.
fn searchable(entry: &RequestLogEntry) -> String {
    let mut text = format!("{} {} {} {} ", entry.method, entry.path, entry.status, entry.request_id);
    let body = entry.request.as_ref().map(LoggedBody::text);
    for part in
        body.as_deref().into_iter().chain(entry.error.as_deref()).chain(entry.normalizations.iter().map(|act| &**act))
    {
        text.push_str(part);
        text.push(' ');
    }
    if !entry.effect.is_null() {
        text.push_str(&entry.effect.to_string());
    }
    fold(&text)
}
