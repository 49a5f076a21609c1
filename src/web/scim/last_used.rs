//! When tokens were last used: collected in memory, written apart from requests, because reads never write.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::web;
use tokio::sync::watch;

use crate::domain::id::TokenId;
use crate::domain::time::Timestamp;
use crate::store::{StoreError, tokens};
use crate::web::App;

/// How often they are written.
const INTERVAL: Duration = Duration::from_secs(30);
/// Most rows in one transaction.
const BATCH: usize = 500;

/// Uses that are not written yet.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<TokenId, Timestamp>>);

impl Uses {
    /// Notes a use.
    pub fn note(&self, token: TokenId, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token, at);
    }

    fn take(&self) -> Vec<(TokenId, Timestamp)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

/// Writes what is collected until `told` turns, and once more then.
pub async fn keep(app: web::Data<App>, mut told: watch::Receiver<bool>) {
    loop {
        let stop = tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_ok();
        if let Err(error) = write(&app).await {
            tracing::warn!(%error, "the last use of tokens was not noted");
        }
        if stop {
            return;
        }
    }
}

/// Writes what is collected.
///
/// # Errors
/// Those of the store.
pub async fn write(app: &App) -> Result<(), StoreError> {
    for batch in app.uses.take().chunks(BATCH) {
        app.store.write(async |tx| tokens::used(tx, batch).await).await?;
    }
    Ok(())
}
