//! Writing the log of requests, and deleting what is old.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::{Backend, LogRow, on};
use crate::domain::time::Timestamp;

/// PostgreSQL: any number of rows, a column each parameter.
const INSERT_COLUMNS: &str = "INSERT INTO request_log_entries (connection_id, at, id, entry) \
     SELECT item.connection_id, item.at, item.id, item.entry FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[]) \
     AS item (connection_id, at, id, entry)";
/// The first connection with rows behind another one.
const NEXT: &str =
    "SELECT connection_id FROM request_log_entries WHERE connection_id > $1 ORDER BY connection_id LIMIT 1";
/// Some of the rows of a connection before a moment.
const EXPIRE: &str = "DELETE FROM request_log_entries WHERE connection_id = $1 AND at < $2 AND (at, id) IN \
     (SELECT o.at, o.id FROM request_log_entries o WHERE o.connection_id = $1 AND o.at < $2 ORDER BY o.at, o.id LIMIT 1000)";

/// Most rows in one transaction.
const BATCH: usize = 256;
/// Rows of one statement on SQLite: a trip to its thread costs more than a row.
const ROWS: usize = 64;
/// How long rows are collected, unless a whole transaction of them waits.
const PAUSE: Duration = Duration::from_millis(200);
/// What is waited between two tries to write, at first and at last.
const SHORTEST_REST: Duration = Duration::from_millis(200);
const LONGEST_REST: Duration = Duration::from_secs(5);
/// PostgreSQL: how long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(15);
/// How often old rows are deleted.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Connections without old rows that are passed in one go.
const PASSED: usize = 500;

/// Writes what a [`RequestLog`](super::RequestLog) takes.
#[derive(Debug)]
pub struct LogWriter {
    pub(super) queue: mpsc::Receiver<LogRow>,
    pub(super) backend: Backend,
    pub(super) keep_seconds: i64,
    pub(super) dropped: Arc<AtomicU64>,
    /// Whether the last try to write has failed.
    pub(super) failing: Arc<AtomicBool>,
}

/// Where the deletion of rows from before a moment is: at this connection.
#[derive(Debug)]
struct Sweep {
    before: Timestamp,
    at: Uuid,
}

impl LogWriter {
    /// Writes entries until `told` turns, then those that wait still. `now` tells which rows are old; while it is not known
    /// what time it is, none is.
    pub async fn run<F: Future<Output = Option<Timestamp>>>(
        mut self,
        now: impl Fn() -> F,
        mut told: watch::Receiver<bool>,
    ) {
        let (mut due, mut sweep) = (tokio::time::interval(SWEEP), None);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut batch, BATCH) => if taken == 0 { break },
                _ = due.tick() => {
                    let Some(begun) = (match sweep.take() {
                        Some(begun) => Some(begun),
                        None => now().await.map(|now| Sweep { before: now.plus_seconds(-self.keep_seconds), at: Uuid::nil() }),
                    }) else {
                        continue;
                    };
                    // Some at a time: entries go on to be written.
                    match self.expire(sweep.insert(begun)).await {
                        Ok(true) => due.reset_immediately(),
                        Ok(false) => sweep = None,
                        Err(error) => {
                            tracing::error!(%error, "old rows of the log of requests cannot be deleted");
                            sweep = None;
                        }
                    }
                }
                () = stop(&mut told) => break,
            }
            let more = batch.len() == BATCH;
            self.write(&mut batch, &mut told).await;
            if !more {
                let _passed = tokio::time::timeout(PAUSE, stop(&mut told)).await;
            }
        }
        self.queue.close();
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            self.write(&mut batch, &mut told).await;
        }
    }

    /// Writes a batch, however often that has to be tried: a full disk and a locked file pass. Meanwhile entries wait in
    /// the queue, and only what finds no place there is lost. At the end it is tried once more, and then given up.
    async fn write(&self, batch: &mut Vec<LogRow>, told: &mut watch::Receiver<bool>) {
        let mut pause = SHORTEST_REST;
        while !batch.is_empty() {
            let stopping = *told.borrow();
            match self.insert(batch).await {
                Ok(()) => {
                    batch.clear();
                    self.failing.store(false, Ordering::Relaxed);
                }
                Err(error) if passes(&error) && !stopping => {
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "the log of requests cannot be written; it is tried again");
                    }
                    let _passed = tokio::time::timeout(pause, stop(told)).await;
                    pause = (pause * 2).min(LONGEST_REST);
                }
                Err(error) if passes(&error) => {
                    self.lose(batch.len(), &error);
                    batch.clear();
                }
                // Something is wrong with a row: the others are written.
                Err(_) => {
                    for line in batch.drain(..) {
                        if let Err(error) = self.insert(std::slice::from_ref(&line)).await {
                            self.lose(1, &error);
                        }
                    }
                }
            }
        }
    }

    fn lose(&self, rows: usize, error: &sqlx::Error) {
        tracing::error!(%error, rows, "the log of requests lost rows");
        self.dropped.fetch_add(rows as u64, Ordering::Relaxed);
        metrics::counter!("rolecall_request_log_dropped_entries_total").increment(rows as u64);
    }

    async fn insert(&self, batch: &[LogRow]) -> Result<(), sqlx::Error> {
        match &self.backend {
            Backend::Sqlite(pool) => {
                let mut transaction = pool.begin().await?;
                for part in batch.chunks(ROWS) {
                    let mut query = sqlx::query(insert(part.len()));
                    for LogRow { connection, at, id, text } in part {
                        query = query.bind(connection).bind(at).bind(id).bind(text);
                    }
                    query.execute(&mut *transaction).await?;
                }
                transaction.commit().await
            }
            Backend::Postgres(pool) => {
                let query = sqlx::query(INSERT_COLUMNS)
                    .bind(batch.iter().map(|line| line.connection).collect::<Vec<Uuid>>())
                    .bind(batch.iter().map(|line| line.at).collect::<Vec<i64>>())
                    .bind(batch.iter().map(|line| line.id).collect::<Vec<Uuid>>())
                    .bind(batch.iter().map(|line| &*line.text).collect::<Vec<&str>>());
                // A server that says nothing is asked again on another connection.
                let written = tokio::time::timeout(ANSWER, query.execute(pool)).await;
                written.map_err(|_| sqlx::Error::PoolTimedOut)?.map(drop)
            }
        }
    }

    /// Deletes some old rows, a thousand at most; whether there may be more.
    async fn expire(&self, sweep: &mut Sweep) -> Result<bool, sqlx::Error> {
        for _ in 0..PASSED {
            let deleted = on!(&self.backend, pool => {
                sqlx::query(EXPIRE).bind(sweep.at).bind(sweep.before.micros()).execute(pool).await?.rows_affected()
            });
            if deleted > 0 {
                return Ok(true);
            }
            let next = on!(&self.backend, pool => sqlx::query_scalar(NEXT).bind(sweep.at).fetch_optional(pool).await?);
            let Some(next) = next else { return Ok(false) };
            sweep.at = next;
        }
        Ok(true)
    }
}

/// Whether it says nothing against the rows, so that the same may be written a little later.
fn passes(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return !matches!(error, sqlx::Error::Encode(_)) };
    let code = database.code().unwrap_or_default();
    match database.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
        // Busy, locked, read-only, disk error, full, cannot be opened: <https://www.sqlite.org/rescode.html>.
        Some(_) => code.parse().is_ok_and(|code: i64| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14)),
        None => ["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)),
    }
}

/// SQLite: the insert of so many rows, at most [`ROWS`]. Its parameters have no names: the driver would look for each
/// among all of them.
fn insert(rows: usize) -> &'static str {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let text = |rows: usize| {
            let all = vec!["(?, ?, ?, ?)"; rows].join(", ");
            format!("INSERT INTO request_log_entries (connection_id, at, id, entry) VALUES {all}")
        };
        (0..=ROWS).map(text).collect()
    });
    TEXTS.get(rows).map_or("", String::as_str)
}

/// Waits for the word to stop; a sender that is gone says so too.
async fn stop(told: &mut watch::Receiver<bool>) {
    let _gone = told.wait_for(|stop| *stop).await.is_err();
}
