//! `rolecall serve`: runs the server until it is told to stop.
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ConfigFile;
use crate::clock::Clock;
use crate::telemetry;
use crate::web::server;

/// Run the server.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigFile,
}

impl Serve {
    /// Runs it; returns after a graceful stop.
    ///
    /// # Errors
    /// What keeps the server from starting.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        telemetry::start(&config.log).context("`log.filter`")?;
        let store = super::open_store(&config).await?;
        let running = server::start(config, store.clone(), Clock).await?;
        tracing::info!(address = %running.address(), url = %running.app().public_url, "serving");
        running.until_signal().await.context("cannot be told of signals")?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
