//! `rolecall doctor`: looks at the store and says in sentences what is wrong.
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ConfigFileArgs;
use super::running::running;
use crate::jobs::doctor::{self, DoctorReport};
pub use crate::jobs::doctor::{examine, remarks};
use crate::store::{self, Options, key_check};

/// Check the store.
#[derive(Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigFileArgs,
}

impl DoctorArgs {
    /// Runs it, through the server that runs on the data folder when there is one; the exit code is 1 when something is
    /// wrong.
    ///
    /// # Errors
    /// The database cannot be opened or does not answer.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let told: DoctorReport = match running(&config).await? {
            Some(server) if config.store.is_a_file() => {
                let told = server.get("/operator/doctor").await?;
                serde_json::from_value(told).context("the running server's answer cannot be read")?
            }
            _ => {
                let options = Options { migrate: false, ..Options::default() };
                let store = super::explained(&config, store::open(&config.store.url(), &options).await)?;
                // Of an old schema, only that it is old can be told.
                let secrets = match store.check().await {
                    Ok(()) => key_check::any(&mut store.reader().await?).await?,
                    Err(_) => false,
                };
                let keyring = if secrets { Some(super::keyring(&config, &store).await?) } else { None };
                let told = doctor::told(&store, &config.store.data_dir, keyring.as_ref()).await?;
                store.close().await;
                told
            }
        };
        for line in told.remarks.iter().chain(&told.findings) {
            println!("{line}");
        }
        if told.findings.is_empty() {
            println!("Nothing is wrong.");
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }
}
