//! `rolecall sync run NAME`: runs an LDAP connection now.
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::ConfigFileArgs;
use super::running::{RunningServer, running};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::id::RunId;
use crate::ldap::client::Guard;
use crate::ldap::report::{Report, Status};
use crate::ldap::run::{self, SyncContext, SyncOptions};
use crate::web::login::policy;

/// Synchronise with directories
#[derive(Subcommand)]
pub enum SyncCommand {
    /// Read a directory now and take over what changed
    Run(SyncRunArgs),
}

/// Read a directory now and take over what changed
#[derive(Args)]
pub struct SyncRunArgs {
    /// The connection, by its name in addresses
    name: String,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Make the removals that an earlier run held
    #[arg(long, value_name = "RUN", conflicts_with = "dry_run")]
    approve: Option<RunId>,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
    /// The folder of the installation, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFileArgs,
}

impl SyncCommand {
    /// Runs it.
    ///
    /// # Errors
    /// The run could not begin.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(command) => command.run().await,
        }
    }
}

impl SyncRunArgs {
    /// Through the server that runs on the data folder; without one, in this process. The exit code is 0 when everything
    /// is as the directory says, 3 when removals wait for approval, 1 when the run failed.
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut config = self.config.load()?;
        if let Some(folder) = &self.data {
            config.store.data_dir.clone_from(folder);
        }
        let report = match running(&config).await? {
            Some(server) => self.ask(&server).await?,
            None => self.here(&config).await?,
        };
        if self.json {
            println!("{}", serde_json::to_string(&report).context("the report cannot be written")?);
        } else {
            println!("{report}");
        }
        Ok(match report.status {
            Status::Done => ExitCode::SUCCESS,
            Status::Held => ExitCode::from(3),
            Status::Failed => ExitCode::FAILURE,
        })
    }

    async fn here(&self, config: &Config) -> anyhow::Result<Report> {
        let store = super::open_store(config).await?;
        let keys = Arc::new(super::keyring(config, &store).await?);
        let policy = policy(config);
        let guard = Guard::new(move |address| policy.permits(address));
        let env = SyncContext { store: store.clone(), keys, clock: Clock, guard, stop: Arc::new(|| false) };
        let report = run::start(&env, &self.name, SyncOptions { dry: self.dry_run, approve: self.approve }).await;
        store.close().await;
        Ok(report?)
    }

    async fn ask(&self, server: &RunningServer) -> anyhow::Result<Report> {
        let path = format!("/api/v1/connections/{}/sync-runs", self.name);
        let body = json!({"dry_run": self.dry_run, "approve_run": self.approve, "wait": true});
        let report = server.post(&path, &body).await?;
        serde_json::from_value(report).context("the running server's answer cannot be read")
    }
}
