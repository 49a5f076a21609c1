//! The command line: one file a command.
pub mod config_check;
pub mod doctor;
pub mod export;
pub mod migrate;
pub mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};
use crate::store::{Options, Store};

/// Identity provisioning for partner platforms.
#[derive(Parser)]
#[command(name = "rolecall", version, about)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop
    Serve(serve::Serve),
    /// Bring the database to this version's schema
    Migrate(migrate::Migrate),
    /// Look at the configuration without starting anything
    #[command(subcommand)]
    Config(config_check::ConfigCommand),
    /// Check the store and say in sentences what is wrong
    Doctor(doctor::Doctor),
    /// Write what is declared in the store as one file, without secrets
    Export(export::Export),
}

/// Where the configuration comes from; part of every command that needs one.
#[derive(Args)]
pub struct ConfigFile {
    /// The configuration file; every key is explained in config/rolecall.toml
    #[arg(long, env = "ROLECALL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn load(&self) -> Result<Config, config::ConfigError> {
        config::load(self.config.as_deref(), std::env::vars_os())
    }
}

/// Opens the store of a configuration and brings its schema up to date.
///
/// # Errors
/// The data folder cannot be made or the database not opened.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    if config.store.database_url.is_none() {
        let folder = &config.store.data_dir;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let options = Options { connections: config.store.connections, ..Options::default() };
    Ok(Store::open(&config.store.url(), &options).await?)
}

/// Reads the command line and runs one command.
pub fn run() -> ExitCode {
    let line = Line::parse();
    match start(line.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rolecall: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> anyhow::Result<ExitCode> {
    // Only fails when a provider is installed already, which is then the same one.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        match command {
            Command::Serve(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::Config(command) => command.run(),
            Command::Doctor(command) => command.run().await,
            Command::Export(command) => command.run().await,
        }
    })
}
