//! Goes on with introducing those who waited at a directory while it was only observed, where whoever put it in force did
//! not come to the end.
use std::time::Duration;

use tokio::sync::watch;

use super::leader::LeaderLease;
use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::provision::{ProvisionError, introduce};
use crate::store::extent::OperatorExtent;
use crate::store::{Store, directories};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(30);

/// Looks until `told` turns true.
pub async fn run(store: Store, clock: Clock, mut told: watch::Receiver<bool>) {
    let mut duty = LeaderLease::new("introductions", clock);
    while tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        match duty.hold(&store).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::debug!(%error, "who waits at directories is looked at later");
                continue;
            }
        }
        if let Err(error) = turn(&store, clock).await {
            tracing::warn!(%error, "who waits at a directory that was observed could not be looked at; that is tried again");
        }
    }
    duty.end(&store).await;
}

/// One look.
///
/// # Errors
/// Those of the store.
pub async fn turn(store: &Store, clock: Clock) -> Result<(), ProvisionError> {
    let by = OperatorExtent::assume();
    let begun = directories::introducing(&mut store.reader().await?, &by).await?;
    for (directory, partner) in begun {
        introduce::directory(store, &clock.ctx(Actor::System), &by.at(partner), directory).await?;
    }
    Ok(())
}
