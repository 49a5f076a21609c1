//! `rolecall export`: what is stored, in the form `apply` takes.
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ConfigFileArgs;
use super::running::running;
use crate::admin::operator;

/// Write what is declared in the store as one file, without secrets
#[derive(Args)]
pub struct ExportArgs {
    #[command(flatten)]
    config: ConfigFileArgs,
}

impl ExportArgs {
    /// Prints the declaration, part by part. Through the server that runs on the data folder; without one, in this
    /// process.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        if let Some(server) = running(&config).await?.filter(|_| config.store.is_a_file()) {
            let mut out = std::io::stdout().lock();
            server.stream("/operator/export", |part| out.write_all(part)).await?;
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let store = super::open_store(&config).await?;
        let mut export = operator::export(&store).await?;
        while let Some(part) = export.next().await? {
            let text = toml::to_string_pretty(&part).context("the declaration cannot be written as TOML")?;
            super::apply::print(&(text + "\n"))?;
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
