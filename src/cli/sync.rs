//! `rolecall sync run NAME`: runs an LDAP connection now.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::ConfigFile;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::id::RunId;
use crate::ldap::client::Guard;
use crate::ldap::report::{Report, Status};
use crate::ldap::run::{self, Env, Order};
use crate::web::login::policy;
use crate::web::operator::Notice;

/// Synchronise with directories
#[derive(Subcommand)]
pub enum SyncCommand {
    /// Read a directory now and take over what changed
    Run(SyncRun),
}

/// Read a directory now and take over what changed
#[derive(Args)]
pub struct SyncRun {
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
    config: ConfigFile,
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

impl SyncRun {
    /// Through the server that runs on the data folder; without one, in this process. The exit code is 0 when everything
    /// is as the directory says, 3 when removals wait for approval, 1 when the run failed.
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut config = self.config.load()?;
        if let Some(folder) = &self.data {
            config.store.data_dir.clone_from(folder);
        }
        let report = match Notice::read(&config.store.data_dir) {
            Some(notice) if answers(notice.listens).await => self.ask(&notice).await?,
            _ => self.here(&config).await?,
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
        let policy = policy(config).map_err(anyhow::Error::msg)?;
        let guard = Guard::new(move |address| policy.permits(address));
        let env = Env { store: store.clone(), keys, clock: Clock, guard, stop: Arc::new(|| false) };
        let report = run::start(&env, &self.name, Order { dry: self.dry_run, approve: self.approve }).await;
        store.close().await;
        Ok(report?)
    }

    async fn ask(&self, notice: &Notice) -> anyhow::Result<Report> {
        let url: url::Url = notice.url.parse().context("the running server's address cannot be read")?;
        // The address as the server knows itself, so that its certificate fits, but always the server of this machine.
        let mut client = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_secs(24 * 3600));
        let mut base = format!("http://{}", notice.listens);
        if let (Some(host), "https") = (url.host_str(), url.scheme()) {
            client = client.resolve(host, notice.listens);
            base = format!("https://{host}:{}", notice.listens.port());
        }
        let client = client.build().context("cannot make a client")?;
        let address = format!("{base}/api/v1/connections/{}/sync", self.name);
        let body = json!({"dry_run": self.dry_run, "approve": self.approve, "wait": true});
        let request = client.post(address).bearer_auth(&notice.token).header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await.context("the running server cannot be asked")?;
        let (good, text) = (response.status().is_success(), response.text().await?);
        if !good {
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            bail!(
                "{}",
                problem.get("detail").and_then(|detail| detail.as_str()).unwrap_or("the running server refused")
            );
        }
        serde_json::from_str(&text).context("the running server's answer cannot be read")
    }
}

async fn answers(address: SocketAddr) -> bool {
    let connect = tokio::net::TcpStream::connect(address);
    matches!(tokio::time::timeout(Duration::from_secs(2), connect).await, Ok(Ok(_)))
}
