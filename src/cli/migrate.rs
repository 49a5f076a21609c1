//! `rolecall migrate`: brings the schema of the database up to this version.
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::running::running;
use super::{ConfigFileArgs, NOT_AGREED};
use crate::store;

/// Bring the schema up to date.
#[derive(Args)]
pub struct MigrateArgs {
    /// Only say whether there is something to do: the exit code is 3 then. Changes nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    config: ConfigFileArgs,
}

impl MigrateArgs {
    /// Runs it. A server that runs on the data folder has brought the schema to its own version when it started.
    ///
    /// # Errors
    /// The database cannot be opened, or a step fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let newest = store::newest();
        let server = running(&config).await?.filter(|_| config.store.is_a_file());
        let applied = match server.as_ref().and_then(|server| server.schema()) {
            Some(applied) => applied,
            None if self.check => store::applied(&config.store.url()).await?,
            None => {
                super::open_store(&config).await?.close().await;
                newest
            }
        };
        if applied > newest {
            bail!("the database has schema {applied}, and this version knows up to {newest}; use the newer version");
        }
        if applied == newest {
            println!("The database has the schema of this version.");
            return Ok(ExitCode::SUCCESS);
        }
        println!("The database has schema {applied}; this version's is {newest}.");
        if server.is_some() {
            println!("A server of an older version runs on it: stop it, then start this version or run `migrate`.");
        }
        Ok(ExitCode::from(NOT_AGREED))
    }
}
