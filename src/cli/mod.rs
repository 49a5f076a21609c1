//! The command line: one file a command.
pub mod admin;
pub mod apply;
pub mod config_check;
pub mod demo;
pub mod doctor;
pub mod export;
pub mod migrate;
mod prepare;
mod running;
pub mod serve;
pub mod sync;
pub mod undo;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::domain::ctx::Actor;
use crate::secret::Keyring;
use crate::store::{self, ConnectionLimits, OpenError, Options, Store, key_check};
use crate::web::operator_token::ServerNotice;

/// The exit code of a command that showed what it would do, and was not told to do it.
const NOT_AGREED: u8 = 3;

/// Identity provisioning for partner platforms.
#[derive(Parser)]
#[command(name = "rolecall", version, about)]
struct RolecallArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop
    Serve(serve::ServeArgs),
    /// Bring the database to this version's schema
    Migrate(migrate::MigrateArgs),
    /// Look at the configuration without starting anything
    #[command(subcommand)]
    Config(config_check::ConfigCommand),
    /// Check the store and say in sentences what is wrong
    Doctor(doctor::DoctorArgs),
    /// Show the whole idea at work, in a folder of its own
    Demo(demo::DemoArgs),
    /// Declare partners, roles, directories and rules in one file
    Apply(apply::ApplyArgs),
    /// Write what is declared in the store as one file, without secrets
    Export(export::ExportArgs),
    /// What only the operator may do
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Synchronise with directories
    #[command(subcommand)]
    Sync(sync::SyncCommand),
    /// Show what a connection took away between two moments, and give it back
    Undo(undo::UndoArgs),
}

/// Where the configuration comes from; part of every command that needs one.
#[derive(Args)]
pub struct ConfigFileArgs {
    /// The configuration file; every key is explained in config/rolecall.toml
    #[arg(long, env = "ROLECALL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFileArgs {
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
    let limits = ConnectionLimits {
        users: config.store.max_users_per_connection.into(),
        groups: config.store.max_groups_per_connection.into(),
    };
    let options = limits.within(Options {
        connections: config.store.max_write_connections,
        longest_pause: Duration::from_secs(config.store.idle_transaction_timeout_seconds.into()),
        longest_lock: Duration::from_secs(config.store.lock_timeout_seconds.into()),
        ..Options::default()
    });
    explained(config, store::open(&config.store.url(), &options).await)
}

/// Says of a store that cannot be had who may have it.
fn explained(config: &Config, opened: Result<Store, OpenError>) -> anyhow::Result<Store> {
    let notice = ServerNotice::read(&config.store.data_dir).filter(|_| config.store.is_a_file());
    match (opened, notice) {
        (Err(error), Some(notice)) => Err(error).with_context(|| {
            format!(
                "the server that was started at {} does not answer there, and the store cannot be opened",
                notice.listens
            )
        }),
        (opened, _) => Ok(opened?),
    }
}

/// The keys that seal secrets.
///
/// # Errors
/// They are missing although secrets exist, or cannot be read or made.
pub async fn keyring(config: &Config, store: &Store) -> anyhow::Result<Keyring> {
    let secrets_exist = key_check::any(&mut store.reader().await?).await?;
    Ok(config.keyring(&Clock.ctx(Actor::Operator), secrets_exist)?)
}

/// Reads the command line and runs one command.
pub fn run() -> ExitCode {
    let line = RolecallArgs::parse();
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
    let code = runtime.block_on(async {
        match command {
            Command::Serve(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::Config(command) => command.run(),
            Command::Doctor(command) => command.run().await,
            Command::Demo(command) => command.run().await,
            Command::Apply(command) => command.run().await,
            Command::Admin(command) => command.run().await,
            Command::Export(command) => command.run().await,
            Command::Sync(command) => command.run().await,
            Command::Undo(command) => command.run().await,
        }
    });
    // What still waits for a peer by now is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}
