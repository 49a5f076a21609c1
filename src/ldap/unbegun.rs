//! A run that could not begin is told where runs are told: as a run of the connection that failed, with the reason. Nobody
//! may be looking when the schedule begins one.
use super::run::{self, SyncContext, SyncOptions, SyncRun, SyncStartError};
use crate::domain::ctx::Actor;
use crate::domain::directory::ConnectionKind;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::store::{StoreError, Tx, connections, runs};

/// The same reason again within this time adds no line, in seconds.
const QUIET: i64 = 60;

/// Begins a run: checks what can be checked at once, takes the lease and writes the run's row. What keeps it from beginning is
/// told as a run that failed.
pub async fn prepare(env: &SyncContext, slug: &str, order: SyncOptions) -> Result<SyncRun, SyncStartError> {
    let prepared = run::checked(env, slug, order).await;
    if let Err(why) = &prepared {
        note(env, slug, order, why).await;
    }
    prepared
}

/// Notes why a run did not begin, when it was to change something and the connection is to blame. A failure to note it is
/// told in the server's log only: the reason itself is answered to whoever asked.
async fn note(env: &SyncContext, slug: &str, order: SyncOptions, why: &SyncStartError) {
    let told = match why {
        SyncStartError::Paused(_)
        | SyncStartError::DirectoryPaused(_)
        | SyncStartError::Suspended(_)
        | SyncStartError::Settings(_)
        | SyncStartError::Secret(_) => true,
        SyncStartError::Unknown(_)
        | SyncStartError::Busy(_)
        | SyncStartError::NothingHeld(_)
        | SyncStartError::Store(_) => false,
    };
    if !told || order.dry {
        return;
    }
    if let Err(error) = write(env, slug, &why.to_string()).await {
        tracing::warn!(connection = slug, %error, "why a run did not begin could not be written down");
    }
}

async fn write(env: &SyncContext, slug: &str, why: &str) -> Result<(), StoreError> {
    let connection =
        connections::open_connection_named(&mut env.store.reader().await?, slug, ConnectionKind::Ldap).await?;
    let Some(connection) = connection else { return Ok(()) };
    let ctx = env.clock.ctx(Actor::System);
    let (at, run): (_, RunId) = (connection.extent, ctx.id());
    let report = serde_json::json!({"failure": format!("It did not begin: {why}")}).to_string();
    let work = async |tx: &mut Tx| -> Result<(), StoreError> {
        let newest = runs::newest(tx, &at, Timestamp::from_micros(i64::MAX), 1).await?;
        let recent = |started: Timestamp| started > ctx.now().plus_seconds(-QUIET);
        if newest.iter().any(|one| one.report == report && recent(one.started_at)) {
            return Ok(());
        }
        runs::insert(tx, &at, run, false, ctx.now()).await?;
        runs::finish(tx, &at, run, "failed", &report, ctx.now()).await
    };
    env.store.write(work).await
}
