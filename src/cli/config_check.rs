//! `rolecall config check`: reads the configuration and says whether it can be used.
use std::process::ExitCode;

use clap::Subcommand;

use super::ConfigFileArgs;

/// Commands about the configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Read the file and the environment and say what is wrong
    Check(ConfigFileArgs),
}

impl ConfigCommand {
    /// Runs it.
    ///
    /// # Errors
    /// What is wrong, with file, line and key.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Check(file) = self;
        let config = file.load()?;
        super::prepare::usable(&config)?;
        println!("The configuration can be used.");
        Ok(ExitCode::SUCCESS)
    }
}
