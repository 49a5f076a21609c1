//! `rolecall migrate`: brings the schema of the database up to this version.
use std::process::ExitCode;

use clap::Args;

use super::ConfigFile;

/// Bring the schema up to date.
#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    config: ConfigFile,
}

impl Migrate {
    /// Runs it.
    ///
    /// # Errors
    /// The database cannot be opened, or a step fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let store = super::open_store(&config).await?;
        store.close().await;
        println!("The database has the schema of this version.");
        Ok(ExitCode::SUCCESS)
    }
}
