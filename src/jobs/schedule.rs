//! Runs LDAP connections when they are due. Every node looks; the lease of each connection lets one of them run it.
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::domain::time::Timestamp;
use crate::ldap::run::{self, Env, NotStarted, Order};
use crate::ldap::settings::Settings;
use crate::store::connections::{self, Door};
use crate::store::extent::OperatorExtent;
use crate::store::{StoreError, runs};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(30);

/// Connections that run at the same time on one node.
const AT_ONCE: usize = 4;

/// Looks for due connections until told to stop, on a thread of its own: comparing large directories takes processor
/// time that requests should not wait for.
pub fn start(env: Env, told: watch::Receiver<bool>) -> JoinHandle<()> {
    spawn_blocking(move || Handle::current().block_on(look(env, told)))
}

async fn look(env: Env, mut told: watch::Receiver<bool>) {
    while tokio::time::timeout(LOOK, told.wait_for(|stop| *stop)).await.is_err() {
        match due(&env).await {
            Ok(slugs) => iter(slugs).for_each_concurrent(AT_ONCE, async |slug| one(&env, &slug).await).await,
            Err(error) => tracing::warn!(%error, "the schedule of LDAP connections could not be read"),
        }
    }
}

async fn one(env: &Env, slug: &str) {
    match run::start(env, slug, Order::default()).await {
        Ok(report) => tracing::info!(connection = slug, status = report.status.as_str(), "a scheduled run ended"),
        // Another node was faster.
        Err(NotStarted::Busy(_)) => {}
        Err(error) => tracing::warn!(connection = slug, %error, "a scheduled run did not begin"),
    }
}

/// The connections whose last run began longer ago than they want.
async fn due(env: &Env) -> Result<Vec<String>, StoreError> {
    let mut slugs = Vec::new();
    let doors = connections::active_ldap(&mut env.store.reader().await?, &OperatorExtent::assume()).await?;
    for door in doors {
        let last = runs::last_start(&mut env.store.reader().await?, &door.extent).await?;
        if is_due(&door, last, env.clock.now()) {
            slugs.push(door.connection.slug);
        }
    }
    Ok(slugs)
}

fn is_due(door: &Door, last: Option<Timestamp>, now: Timestamp) -> bool {
    let Ok(settings) = Settings::from_json(&door.connection.profile, &door.connection.config) else { return false };
    let Some(minutes) = settings.config.every_minutes else { return false };
    last.is_none_or(|last| last.plus_seconds(i64::from(minutes) * 60) <= now)
}
