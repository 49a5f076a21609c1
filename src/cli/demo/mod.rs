//! `rolecall demo`: a believable partner tree, a server on loopback, and a real push against it.
mod push;
mod sample_data;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::config::{self, Config, Secret};
use crate::telemetry;
use crate::web::server;

/// Show the whole idea at work, in a folder of its own
#[derive(Args)]
pub struct DemoArgs {
    /// The port on loopback; 0 takes any free one
    #[arg(long, default_value_t = 8642)]
    port: u16,
    /// Keep the data in this folder, and go on with it next time
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// A PostgreSQL address instead of SQLite
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Do not push anything
    #[arg(long)]
    no_push: bool,
    /// One line of JSON on standard output once ready, for scripts
    #[arg(long)]
    json: bool,
}

impl DemoArgs {
    /// Serves until Ctrl-C.
    ///
    /// # Errors
    /// What keeps the demo from starting.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let folder = Folder::open(self.keep.clone())?;
        let config = self.config(&folder)?;
        telemetry::start(&config.log).context("the log cannot be started")?;
        let store = super::open_store(&config).await?;
        let keyring = super::keyring(&config, &store).await?;
        let handles = sample_data::prepare(&store, &keyring).await?;
        let running = server::start(config, store.clone(), Clock).await?;
        let base = running.app().public_url.to_string().trim_end_matches('/').to_owned();
        let places = DemoFolders::new(&base, &handles);
        if self.json {
            println!("{}", places.json());
        } else {
            places.print(&folder);
        }
        if !self.no_push {
            let told = push::play(&store, &places).await.context("the push did not go as it should")?;
            if !self.json {
                println!("{told}");
            }
        }
        if !self.json {
            println!("Serving until Ctrl-C.");
        }
        running.until_signal().await.context("cannot be told of signals")?;
        store.close().await;
        folder.remove();
        Ok(ExitCode::SUCCESS)
    }

    /// Settings of a server that is tried out; the environment may say otherwise, except of where the demo lives.
    fn config(&self, folder: &Folder) -> anyhow::Result<Config> {
        let defaults = toml::toml! {
            server.shutdown_timeout_seconds = 2
            scim.requests_per_second = 0
            api.requests_per_second = 0
            log.filter = "warn"
            // Providers may run beside the demo.
            outbound.allow_loopback = true
        };
        let mut config = config::over(defaults, std::env::vars_os())?;
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], self.port));
        config.store.data_dir = folder.path().to_owned();
        config.store.database_url = self.database.clone().map(Secret::from);
        Ok(config)
    }
}

/// Where the demo keeps its data.
enum Folder {
    /// One that was asked for; it stays.
    Kept(PathBuf),
    /// One that goes with the demo.
    Temporary(TempDir),
}

impl Folder {
    fn open(keep: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = keep else {
            let made = tempfile::Builder::new().prefix("rolecall-demo-").tempdir();
            return made.map(Self::Temporary).context("cannot make a temporary folder");
        };
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self::Kept(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// Removes what nobody asked to keep.
    fn remove(self) {
        if let Self::Temporary(folder) = self
            && let Err(error) = folder.close()
        {
            tracing::warn!(%error, "the demo's folder could not be removed");
        }
    }
}

/// The addresses and tokens a visitor needs.
struct DemoFolders {
    base: String,
    setup_link: String,
    scim: String,
    scim_token: String,
    api: String,
    api_token: String,
}

impl DemoFolders {
    fn new(base: &str, handles: &sample_data::Handles) -> Self {
        Self {
            base: base.to_owned(),
            setup_link: crate::admin::links::address(base, &handles.link).to_string(),
            scim: format!("{base}/scim/{}/v2", sample_data::SCIM_SLUG),
            scim_token: handles.scim_token.reveal().to_owned(),
            api: format!("{base}/api/v1"),
            api_token: handles.api_token.reveal().to_owned(),
        }
    }

    /// One line that scripts depend on: it only ever grows.
    fn json(&self) -> String {
        json!({
            "ready": true,
            "console": self.base,
            "setup_link": self.setup_link,
            "scim": { "base": self.scim, "token": self.scim_token },
            "api": { "base": self.api, "token": self.api_token },
        })
        .to_string()
    }

    fn print(&self, folder: &Folder) {
        let Self { base, setup_link, scim, scim_token, api, api_token } = self;
        println!("Rolecall demo: a distributor, two resellers, six customers, one directory of each kind.\n");
        println!("  Console      {setup_link}");
        println!("               (signs in the first owner, once; then {base})");
        println!("  SCIM base    {scim}");
        println!("  SCIM token   {scim_token}");
        println!("  API token    {api_token}\n");
        println!("Try:\n");
        println!("  curl -s '{scim}/Users?filter=active+eq+true' -H 'Authorization: Bearer {scim_token}'\n");
        println!(
            "  curl -s '{scim}/Users' -H 'Authorization: Bearer {scim_token}' \\\n    \
             -H 'Content-Type: application/scim+json' -d '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\
             \"userName\":\"ada@harbor.example\",\"externalId\":\"ada\"}}'\n"
        );
        println!("  curl -s '{api}/partners' -H 'Authorization: Bearer {api_token}'\n");
        if matches!(folder, Folder::Temporary(_)) {
            println!("The data goes when the demo ends, except from a --database; --keep DIR keeps it.\n");
        }
    }
}
