//! Runs LDAP connections when they are due. Every node looks; the lease of each connection lets one of them run it.
//!
//! Each run is on its own: one that waits for its directory keeps nobody else from looking or running. So that the
//! directories of one partner, however many and however slow, leave places to others, a partner has a few at a time.
use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use crate::connection::ldap::ResolvedLdapSettings;
use crate::domain::id::PartnerId;
use crate::domain::time::Timestamp;
use crate::ldap::run::{self, SyncContext, SyncOptions, SyncStartError};
use crate::store::connections::{self, ConnectionContext};
use crate::store::extent::OperatorExtent;
use crate::store::{StoreError, runs};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(30);

/// Connections that run at the same time on one node. Most of that time goes into waiting for directories; how many
/// compare at the same time is bounded where they do.
pub const AT_ONCE: usize = 128;

/// How often a connection is tried whose settings are no longer read, in minutes, at most.
const UNREADABLE_MINUTES: i64 = 60;

/// Connections of one partner that run at the same time on one node.
pub const OF_A_PARTNER: usize = 4;

/// Looks for due connections until `told` turns true, and then waits for the runs, which end by themselves when the
/// process is stopping.
pub fn start(env: SyncContext, told: watch::Receiver<bool>) -> JoinHandle<()> {
    start_every(LOOK, env, told)
}

/// [`start`], looking this often. On a thread of its own, which does nothing but look: runs go on elsewhere.
pub fn start_every(interval: Duration, env: SyncContext, told: watch::Receiver<bool>) -> JoinHandle<()> {
    spawn_blocking(move || Handle::current().block_on(look(interval, env, told)))
}

async fn look(interval: Duration, env: SyncContext, mut told: watch::Receiver<bool>) {
    let stop = told.wait_for(|stop| *stop);
    tokio::pin!(stop);
    let mut next = tokio::time::interval_at(Instant::now() + interval, interval);
    // The runs that this node began and that have not ended, and whose they are.
    let mut runs = FuturesUnordered::new();
    let mut going: HashMap<String, PartnerId> = HashMap::new();
    loop {
        tokio::select! {
            _ = &mut stop => break,
            Some(slug) = runs.next() => {
                going.remove(&slug);
            }
            _ = next.tick() => match due(&env).await {
                Ok(connections) => {
                    for slug in places(connections, &mut going) {
                        runs.push(one(&env, slug));
                    }
                }
                Err(error) => tracing::warn!(%error, "the schedule of LDAP connections could not be read"),
            },
        }
    }
    while runs.next().await.is_some() {}
}

/// Which of those that are due find a place; who finds none is still due the next time.
fn places(due: Vec<ConnectionContext>, going: &mut HashMap<String, PartnerId>) -> Vec<String> {
    let mut begin = Vec::new();
    for connection in due {
        let (slug, partner) = (connection.connection.slug, connection.extent.partner());
        let of_the_partner = going.values().filter(|other| **other == partner).count();
        let full = going.len() >= AT_ONCE || of_the_partner >= OF_A_PARTNER;
        if !full && !going.contains_key(&slug) {
            going.insert(slug.clone(), partner);
            begin.push(slug);
        }
    }
    begin
}

async fn one(env: &SyncContext, slug: String) -> String {
    match run::prepare(env, &slug, SyncOptions::default()).await {
        Ok(prepared) => {
            let report = prepared.run_apart().await;
            tracing::info!(connection = slug, status = report.status.as_str(), "a scheduled run ended");
        }
        // Another node was faster.
        Err(SyncStartError::Busy(_)) => {}
        Err(error) => tracing::warn!(connection = slug, %error, "a scheduled run did not begin"),
    }
    slug
}

/// The connections whose last run began longer ago than they want; who waits longest is first.
async fn due(env: &SyncContext) -> Result<Vec<ConnectionContext>, StoreError> {
    let mut waiting = Vec::new();
    let connections = connections::active_ldap(&mut env.store.reader().await?, &OperatorExtent::assume()).await?;
    for connection in connections {
        let now = env.clock.now();
        let last = runs::last_start(&mut env.store.reader().await?, &connection.extent, now).await?;
        if is_due(&connection, last, now) {
            waiting.push((last, connection));
        }
    }
    waiting.sort_by_key(|(last, _)| *last);
    Ok(waiting.into_iter().map(|(_, connection)| connection).collect())
}

fn is_due(connection: &ConnectionContext, last: Option<Timestamp>, now: Timestamp) -> bool {
    let minutes = match ResolvedLdapSettings::from_json(&connection.connection.profile, &connection.connection.settings)
    {
        Ok(settings) => settings.config.every_minutes.map(i64::from),
        // It is tried, so that its page says what is wrong; as often as it says, if that at least can be read.
        Err(_) => match connection.connection.settings.get("every_minutes") {
            None | Some(serde_json::Value::Null) => None,
            Some(said) => Some(said.as_i64().map_or(UNREADABLE_MINUTES, |said| said.clamp(1, UNREADABLE_MINUTES))),
        },
    };
    let Some(minutes) = minutes else { return false };
    last.is_none_or(|last| last.plus_seconds(minutes * 60) <= now)
}
