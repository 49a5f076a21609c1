//! Seals events beside the server: numbers and chains them, so that feed and audit can read them.
use std::time::Duration;

use actix_web::web;
use tokio::sync::watch;

use super::App;
use crate::provision::events;
use crate::store::{StoreError, events as log};

/// How often it looks for new events.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long it stays away after another server was faster, or the store did not answer.
const AWAY: Duration = Duration::from_secs(2);

/// Seals until `told` turns, and once more then.
pub async fn run(app: web::Data<App>, mut told: watch::Receiver<bool>) {
    let mut pause = INTERVAL;
    loop {
        let stop = tokio::time::timeout(pause, told.wait_for(|stop| *stop)).await.is_ok();
        pause = match seal(&app).await {
            Ok(()) => INTERVAL,
            // Another server seals the same lines: only one of the two can win.
            Err(StoreError::Unique(_) | StoreError::NotFound | StoreError::Conflict) => AWAY,
            Err(error) => {
                tracing::warn!(%error, "events could not be sealed");
                AWAY
            }
        };
        if stop {
            return;
        }
    }
}

async fn seal(app: &App) -> Result<(), StoreError> {
    let waiting = {
        let mut reader = app.store.reader().await?;
        log::any_unsealed(&mut reader).await?
    };
    while waiting && events::seal(&app.store).await? > 0 {}
    Ok(())
}
