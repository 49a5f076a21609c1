//! `rolecall doctor`: looks at the store and says in sentences what is wrong.
use std::process::ExitCode;

use clap::Args;

use super::ConfigFile;
use crate::store::{Options, Store};

/// Check the store.
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigFile,
}

impl Doctor {
    /// Runs it; the exit code is 1 when something is wrong.
    ///
    /// # Errors
    /// The database cannot be opened.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let store = Store::open(&config.store.url(), &Options { migrate: false, ..Options::default() }).await?;
        let mut findings = store.objections().await?;
        if let Err(error) = store.check().await {
            findings.extend(error.to_string().lines().map(str::to_owned));
        }
        store.close().await;
        for finding in &findings {
            println!("{finding}");
        }
        if findings.is_empty() {
            println!("Nothing is wrong.");
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }
}
