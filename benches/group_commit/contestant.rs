//! Who writes: the store's group commit, and three plain ways with the same driver, rows and settings.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rolecall::store::{self, Options, Store};
use rolecall::{binds, statements};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

const CREATE: &str = "CREATE TABLE paper (id BIGINT PRIMARY KEY, words TEXT NOT NULL)";
const CREATE_KEYS: &str = "CREATE TABLE paper_key (key BYTEA PRIMARY KEY, paper BIGINT NOT NULL)";
const INSERT: &str = "INSERT INTO paper (id, words) VALUES ($1, $2)";
const INSERT_KEY: &str = "INSERT INTO paper_key (key, paper) VALUES ($1, $2)";

statements! {
    TABLE = CREATE;
    KEYS = CREATE_KEYS;
    PAPER = INSERT;
    KEY = INSERT_KEY;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The store.
    Group,
    /// One connection, one transaction a write.
    Alone,
    /// A pool of four connections, one transaction a write.
    Pool,
    /// One task that puts as many writes as there are writers into each transaction: what a group could reach at best.
    Batch,
}

pub const KINDS: [Kind; 4] = [Kind::Group, Kind::Alone, Kind::Pool, Kind::Batch];

#[derive(Clone)]
pub enum Contestant {
    Group(Store),
    Alone(Arc<Mutex<SqliteConnection>>),
    Pool(SqlitePool),
    Batch(Arc<Mutex<SqliteConnection>>, usize),
}

impl Contestant {
    pub async fn open(kind: Kind, file: &Path, writers: usize) -> Result<Self, Box<dyn std::error::Error>> {
        if kind == Kind::Group {
            let store = store::open(&format!("sqlite:{}", file.display()), &Options::default()).await?;
            store.write(async |tx| tx.execute(&TABLE, binds![]).await).await?;
            store.write(async |tx| tx.execute(&KEYS, binds![]).await).await?;
            return Ok(Self::Group(store));
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .pragma("cache_size", "-16384")
            .pragma("wal_autocheckpoint", "4000")
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::query(CREATE).execute(&mut connection).await?;
        sqlx::query(CREATE_KEYS).execute(&mut connection).await?;
        Ok(match kind {
            Kind::Group | Kind::Alone => Self::Alone(Arc::new(Mutex::new(connection))),
            Kind::Batch => Self::Batch(Arc::new(Mutex::new(connection)), writers),
            Kind::Pool => {
                connection.close().await?;
                let pool = SqlitePoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(60));
                Self::Pool(pool.connect_with(options).await?)
            }
        })
    }

    /// Whether one call writes many.
    pub fn batches(&self) -> bool {
        matches!(self, Self::Batch(..))
    }

    /// One durable write (or a batch of them), numbered from `next`; how many.
    pub async fn write(&self, next: &mut i64) -> Result<u64, sqlx::Error> {
        match self {
            Self::Group(store) => {
                let (id, words, key) = rows(next);
                let written = store.write(async |tx| {
                    tx.execute(&PAPER, binds![id, &words]).await?;
                    tx.execute(&KEY, binds![&key, id]).await
                });
                written.await.map_err(|error: store::StoreError| sqlx::Error::Protocol(error.to_string()))
            }
            Self::Alone(connection) => transaction(&mut *connection.lock().await, next, 1).await,
            Self::Pool(pool) => transaction(&mut *pool.acquire().await?, next, 1).await,
            Self::Batch(connection, size) => transaction(&mut *connection.lock().await, next, *size).await,
        }
    }

    pub async fn close(self) {
        match self {
            Self::Group(store) => store.close().await,
            Self::Pool(pool) => pool.close().await,
            Self::Alone(_) | Self::Batch(..) => {}
        }
    }
}

async fn transaction(connection: &mut SqliteConnection, next: &mut i64, size: usize) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut writes = 0;
    for _ in 0..size {
        let (id, words, key) = rows(next);
        sqlx::query(INSERT).bind(id).bind(words).execute(&mut *transaction).await?;
        sqlx::query(INSERT_KEY).bind(key).bind(id).execute(&mut *transaction).await?;
        writes += 1;
    }
    transaction.commit().await?;
    Ok(writes)
}

/// A row of 700 bytes and its key, which falls anywhere in the index as a folded name would.
fn rows(next: &mut i64) -> (i64, String, Vec<u8>) {
    *next += 1;
    let scattered = next.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    (*next, "w".repeat(700), [&scattered[..], &next.to_be_bytes()[..]].concat())
}
