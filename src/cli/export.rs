//! `rolecall export`: what is stored, in the form `apply` takes.
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ConfigFile;
use crate::admin::export;
use crate::store::extent::OperatorExtent;

/// Write what is declared in the store as one file, without secrets
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    config: ConfigFile,
}

impl Export {
    /// Prints the declaration.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let store = super::open_store(&config).await?;
        let declaration =
            store.snapshot(async |reader| export::export(reader, &OperatorExtent::assume()).await).await?;
        print!("{}", toml::to_string_pretty(&declaration).context("the declaration cannot be written as TOML")?);
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
