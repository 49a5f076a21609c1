//! Synchronisation runs: what each did, and what their server was.
use super::extent::ConnectionExtent;
use super::{FromRow as _, Reader, StoreError, Tx, first};
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

const COLUMNS: &str = "id, dry_run, status, started_at, finished_at, report";

statements! {
    INSERT = "INSERT INTO sync_runs (id, connection_id, dry_run, status, started_at, report) \
        VALUES ($1, $2, $3, 'running', $4, '{}')";
    FINISH = "UPDATE sync_runs SET status = $3, finished_at = $4, report = $5 \
        WHERE id = $1 AND connection_id = $2 AND status = 'running'";
    ABANDON = "UPDATE sync_runs SET status = 'failed', finished_at = $2, report = $3 \
        WHERE connection_id = $1 AND status = 'running'";
    BY_ID = format!("SELECT {COLUMNS} FROM sync_runs WHERE id = $1 AND connection_id = $2");
    NEWEST = format!("SELECT {COLUMNS} FROM sync_runs WHERE connection_id = $1 AND started_at < $2 \
        ORDER BY started_at DESC, id DESC LIMIT $3");
    // A start in the future was written by a clock that was wrong; nothing waits for it.
    LAST_START = "SELECT MAX(started_at) FROM sync_runs WHERE connection_id = $1 AND NOT dry_run AND started_at <= $2";
    // The newest are kept, the one that says which server it was, and those of which removals are still added up.
    OLD = "SELECT r.id FROM sync_runs r WHERE r.connection_id = $1 AND r.status <> 'running' \
        AND NOT EXISTS (SELECT 1 FROM sync_states s WHERE s.connection_id = r.connection_id AND s.sync_run_id = r.id) \
        AND NOT EXISTS (SELECT 1 FROM sync_removals t WHERE t.sync_run_id = r.id AND t.at > $2) \
        ORDER BY r.started_at DESC, r.id DESC LIMIT 1000 OFFSET $3";
    FORGET_HELD: set = "DELETE FROM pending_changes WHERE sync_run_id IN ($1)";
    FORGET_TAKEN: set = "DELETE FROM sync_removals WHERE sync_run_id IN ($1)";
    FORGET: set = "DELETE FROM sync_runs WHERE id IN ($1)";
    SERVER = "SELECT server_fingerprint FROM sync_states WHERE connection_id = $1";
    SET_SERVER = "INSERT INTO sync_states (connection_id, server_fingerprint, sync_run_id, updated_at) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (connection_id) DO UPDATE SET server_fingerprint = excluded.server_fingerprint, sync_run_id = excluded.sync_run_id, \
        updated_at = excluded.updated_at";
}

/// Runs of one connection that are kept; beyond that the oldest are forgotten, with what they held.
pub const MOST_KEPT: u32 = 2_000;

/// How long what runs removed is added up, in seconds, and twice as much for care.
const ADDED_UP: i64 = 2 * 86_400;

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncRunRow {
    /// Its identity; on every event it caused.
    pub id: RunId,
    /// Whether it only looked.
    pub dry_run: bool,
    /// `running`, `done`, `held` (something waits for approval) or `failed`.
    pub status: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What it found and did, as JSON.
    pub report: String,
}

from_row!(SyncRunRow { id, dry_run, status, started_at, finished_at, report });

/// Notes that a run begins, and forgets the oldest beyond [`MOST_KEPT`].
///
/// # Errors
/// Only those of the store.
pub async fn insert(
    tx: &mut Tx,
    at: &ConnectionExtent,
    run: RunId,
    dry: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&INSERT, binds![run, at.connection(), dry, now]).await?;
    forget(tx, at, now).await
}

/// Forgets the oldest runs beyond those that are kept.
async fn forget(tx: &mut Tx, at: &ConnectionExtent, now: Timestamp) -> Result<(), StoreError> {
    let values = binds![at.connection(), now.plus_seconds(-ADDED_UP), MOST_KEPT];
    let old: Vec<RunId> = tx.all(&OLD, values, first).await?;
    if old.is_empty() {
        return Ok(());
    }
    for part in [&FORGET_HELD, &FORGET_TAKEN, &FORGET] {
        tx.execute_in(part, binds![], old.iter().copied()).await?;
    }
    Ok(())
}

/// Notes how a run ended.
///
/// # Errors
/// `StoreError::NotFound` when it is not running.
pub async fn finish(
    tx: &mut Tx,
    at: &ConnectionExtent,
    run: RunId,
    status: &str,
    report: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    match tx.execute(&FINISH, binds![run, at.connection(), status, now, report]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Ends the runs whose process is gone; only the holder of the connection's lease may say so.
///
/// # Errors
/// Only those of the store.
pub async fn abandon(tx: &mut Tx, at: &ConnectionExtent, report: &str, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(&ABANDON, binds![at.connection(), now, report]).await
}

/// One run of the connection.
///
/// # Errors
/// Only those of the store.
pub async fn get(reader: &mut Reader, at: &ConnectionExtent, run: RunId) -> Result<Option<SyncRunRow>, StoreError> {
    reader.optional(&BY_ID, binds![run, at.connection()], SyncRunRow::from_row).await
}

/// The connection's runs that began before `before`, newest first.
///
/// # Errors
/// Only those of the store.
pub async fn newest(
    reader: &mut Reader,
    at: &ConnectionExtent,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<SyncRunRow>, StoreError> {
    reader.all(&NEWEST, binds![at.connection(), before, limit], SyncRunRow::from_row).await
}

/// When the last run that was not dry began.
///
/// # Errors
/// Only those of the store.
pub async fn last_start(
    reader: &mut Reader,
    at: &ConnectionExtent,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    reader.one(&LAST_START, binds![at.connection(), now], first).await
}

/// What the server of the last run was.
///
/// # Errors
/// Only those of the store.
pub async fn server(reader: &mut Reader, at: &ConnectionExtent) -> Result<Option<Vec<u8>>, StoreError> {
    reader.optional(&SERVER, binds![at.connection()], first).await
}

/// Notes what the server of this run was.
///
/// # Errors
/// Only those of the store.
pub async fn set_server(
    tx: &mut Tx,
    at: &ConnectionExtent,
    server: &[u8],
    run: RunId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&SET_SERVER, binds![at.connection(), server, run, now]).await.map(drop)
}
