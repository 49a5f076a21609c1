//! PostgreSQL: its settings, and the demands made on a server before it is trusted with anything.
pub(crate) mod pool;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::postgres::pool::{Pool, PooledConnection};
use crate::reader::{DbConnection, Reader, Shared};
use crate::store::{IsolationLevel, Options, WRITING, WriteAttempt};
use crate::tx::Tx;
use crate::{OpenError, SqlType, StoreError};

/// Oldest server version the texts are written for, as `server_version_num` has it.
const OLDEST: i32 = 140_000;

/// A statement of a reader that runs longer is ended by the server, whatever became of its caller.
const LONGEST_READ: Duration = Duration::from_secs(10);

/// The same for a writer. Nobody's rows are held longer by one statement.
const LONGEST_WRITE: Duration = Duration::from_secs(30);

/// How the server notices that a node is not there any more, on TCP: it asks after 10 s of silence, three times.
const VANISHED: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
];

/// Connections for gathered reads: each kind of question has up to two trips under way, and seldom more than two kinds
/// are asked at the same moment.
const GATHERING: u32 = 4;

/// How the server is to plan. Every text is prepared and asks for few rows by index, so a plan is made once and kept:
/// making one for a decision costs ten times as much as running it, and the server would make it anew at each call,
/// because it takes a plan for known values to be cheaper. Compiling a plan to machine code costs more still. Long
/// chains of joins stay in the order written, from the fewest rows on, instead of being tried in every other.
const PLANNING: [(&str, &str); 3] =
    [("plan_cache_mode", "force_generic_plan"), ("jit", "off"), ("join_collapse_limit", "4")];

/// Indexes are followed from row to row, whatever the statistics say: a plan is kept while tables grow, and one that was
/// made for a small table would read a large one whole. Nor are the rows of two indexes met with each other: the second
/// would be that of everything a tenant has.
const BY_INDEX: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_bitmapscan", "off")];

pub(crate) fn options(url: &str, statements: usize) -> Result<PgConnectOptions, OpenError> {
    // The parser's own message may repeat the URL, and with it a password.
    let options: PgConnectOptions = url.parse().map_err(|_| {
        OpenError("the database URL is not of the form postgres://user:password@host:port/database".to_owned())
    })?;
    let options = options.application_name("rolecall").options(PLANNING).options(BY_INDEX);
    Ok(options.statement_cache_capacity(statements).disable_statement_logging())
}

/// The same for the rest of one transaction.
pub(crate) fn by_index() -> String {
    BY_INDEX.map(|(name, value)| format!("SET LOCAL {name} = {value}")).join("; ")
}

/// What keeps a node that hangs or vanishes from holding others up: the server ends a transaction in which it says
/// nothing any more, and nobody waits for a row without end.
fn bounded(options: &PgConnectOptions, given: &Options) -> PgConnectOptions {
    let waits = [("idle_in_transaction_session_timeout", given.longest_pause), ("lock_timeout", given.longest_lock)];
    let waits = waits.map(|(name, time)| (name, time.as_millis().max(1).to_string()));
    options.clone().options(waits).options(VANISHED)
}

/// Connections for writes.
pub(crate) fn writing(options: &PgConnectOptions, given: &Options) -> Pool {
    Pool::new(bounded(options, given), given.connections, given.patience, LONGEST_WRITE, true)
}

/// Connections that the server itself keeps from writing.
pub(crate) fn reading(options: &PgConnectOptions, given: &Options) -> Pool {
    readers(options, given, given.readers)
}

/// Connections for reads that are gathered: of their own, because one that waited for a long read would hold up many.
pub(crate) fn gathering(options: &PgConnectOptions, given: &Options) -> Pool {
    readers(options, given, GATHERING)
}

fn readers(options: &PgConnectOptions, given: &Options, most: u32) -> Pool {
    let options = bounded(options, given).options([("default_transaction_read_only", "on")]);
    Pool::new(options, most, given.patience, LONGEST_READ, false)
}

/// One try of a write.
pub(crate) async fn once<T, E: From<StoreError>>(
    pool: &Pool,
    shared: &Arc<Shared>,
    isolation: IsolationLevel,
    work: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
) -> WriteAttempt<T, E> {
    let begin = match isolation {
        IsolationLevel::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
        IsolationLevel::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
    };
    let translate = |error| StoreError::of("begin or commit", error, shared.dialect, &shared.catalog);
    let lent = match pool.begin(None, begin).await {
        Ok(lent) => lent,
        Err(error) => return WriteAttempt::Refused(StoreError::unreachable(&error).into()),
    };
    let mut tx = Tx::new(Reader::new(DbConnection::Postgres(lent), Arc::clone(shared), true));
    let result = WRITING.scope((), work(&mut tx)).await;
    if let Some(conflict) = tx.conflict.take() {
        return WriteAttempt::Again(conflict);
    }
    let value = match result {
        Ok(value) => value,
        Err(error) => return WriteAttempt::Refused(error),
    };
    let mut lent = match tx.settled().await {
        Ok(DbConnection::Postgres(lent)) => lent,
        Ok(_) => return WriteAttempt::Refused(StoreError::Refused("a write").into()),
        Err(conflict @ (StoreError::Conflict | StoreError::Held)) => return WriteAttempt::Again(conflict),
        Err(error) => return WriteAttempt::Refused(error.into()),
    };
    match lent.end("COMMIT").await.map_err(translate) {
        Ok(()) => WriteAttempt::Done(value),
        Err(conflict @ (StoreError::Conflict | StoreError::Held)) => WriteAttempt::Again(conflict),
        // The connection broke: whether it was kept is not known, so it must not be run again.
        Err(StoreError::Unavailable | StoreError::Unanswered) => WriteAttempt::Refused(StoreError::Lost.into()),
        Err(error) => WriteAttempt::Refused(error.into()),
    }
}

/// The name of a type.
pub(crate) fn type_name(kind: SqlType) -> &'static str {
    match kind {
        SqlType::Uuid => "uuid",
        SqlType::Bool => "boolean",
        SqlType::I64 => "bigint",
        SqlType::Text => "text",
        SqlType::Bytes => "bytea",
    }
}

/// Begins a snapshot of which the server ends a statement by itself after `limit`.
pub(crate) async fn snapshot(pool: &Pool, limit: Duration) -> Result<PooledConnection, sqlx::Error> {
    pool.begin(Some(limit), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

/// Tables of which the server has an old picture: much has been written since it last looked. Its own autovacuum finds
/// them too, but after a minute.
const OUTGROWN: &str = "SELECT CAST(s.relid::regclass AS TEXT) FROM pg_stat_user_tables s \
    JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname = current_schema() AND pg_has_role(c.relowner, 'USAGE') \
    AND s.n_mod_since_analyze > 500 AND s.n_mod_since_analyze > s.n_live_tup / 4";

/// How closely it looks: at three hundred times as many rows. Its own default is 100.
const GLANCE: u32 = 10;

/// Has the server look again at tables that grew much since it last did; the tables. A plan is kept (see [`PLANNING`])
/// until the server knows better, and one made for an empty table takes any index for as good as the right one.
pub(crate) async fn look_again(pool: &Pool) -> Result<Vec<String>, sqlx::Error> {
    let mut lent = pool.take().await?;
    let tables: Vec<String> = sqlx::query_scalar(OUTGROWN).fetch_all(lent.connection()?).await?;
    for table in &tables {
        // Whoever looks at it already, autovacuum among them, is left in peace. A glance is enough: what matters is how
        // large a table is, and how many rows a key has.
        let text =
            format!("BEGIN; SET LOCAL default_statistics_target = {GLANCE}; ANALYZE (SKIP_LOCKED) {table}; COMMIT");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(lent.connection()?).await?;
    }
    lent.answered();
    Ok(tables)
}

/// The server's clock, in microseconds since the epoch.
pub(crate) async fn clock(pool: &Pool) -> Result<i64, sqlx::Error> {
    let mut lent = pool.take().await?;
    let question = sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)");
    let micros = lent.ear().hear(async { question.fetch_one(lent.connection()?).await }).await?;
    lent.answered();
    Ok(micros)
}

/// What speaks against this server, each as a sentence. Empty when all is well.
pub(crate) async fn objections(options: &PgConnectOptions) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = options.connect().await?;
    let mut found = Vec::new();
    let version: i32 = sqlx::query_scalar("SELECT CAST(current_setting('server_version_num') AS INT4)")
        .fetch_one(&mut connection)
        .await?;
    if version < OLDEST {
        found.push("the PostgreSQL server is too old; version 14 or later is needed".to_owned());
    }
    if setting(&mut connection, "fsync").await? != "on" {
        found.push(
            "the PostgreSQL server runs with fsync=off: it may lose everything in a crash; set fsync=on".to_owned(),
        );
    }
    if setting(&mut connection, "synchronous_commit").await? == "off" {
        let advice = "set it to on (or to local, remote_write, remote_apply)";
        found.push(format!("synchronous_commit is off: writes that were acknowledged may be lost; {advice}"));
    }
    if setting(&mut connection, "server_encoding").await? != "UTF8" {
        found.push("the database is not encoded in UTF-8; create it with ENCODING 'UTF8'".to_owned());
    }
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut connection).await? {
        found.push("the server is a read replica; connect to the primary".to_owned());
    }
    if let Err(error) = prepared_statements_last(&mut connection, options).await {
        tracing::debug!(%error, "prepared statements");
        found.push(
            "prepared statements do not outlive a transaction here, as behind a pooler in transaction mode; \
             connect directly, or let the pooler keep prepared statements"
                .to_owned(),
        );
    }
    Ok(found)
}

async fn setting(connection: &mut PgConnection, name: &str) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(connection).await
}

/// Two clients prepare different texts and run them in turn: a pooler that swaps servers beneath them mixes them up.
async fn prepared_statements_last(first: &mut PgConnection, options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut second = options.connect().await?;
    for round in 0..4_i64 {
        let one: i64 = sqlx::query_scalar("SELECT CAST($1 AS BIGINT) + 1").bind(round).fetch_one(&mut *first).await?;
        let two: i64 = sqlx::query_scalar("SELECT CAST($1 AS BIGINT) + 2").bind(round).fetch_one(&mut second).await?;
        if one != round + 1 || two != round + 2 {
            return Err(sqlx::Error::Protocol("statements were mixed up".to_owned()));
        }
    }
    Ok(())
}

/// The unique indexes of the schema, by name.
pub(crate) async fn unique_indexes(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT CAST(c.relname AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE i.indisunique AND c.relnamespace = current_schema()::regnamespace",
    )
    .fetch_all(connection)
    .await
}
