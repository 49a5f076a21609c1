//! The certified provider of `conformance/oidc`, as a process.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The client that the provider knows.
pub const CLIENT_ID: &str = "rolecall";
/// Its secret; the provider listens on loopback for the length of a test.
pub const CLIENT_SECRET: &str = "a-secret-for-loopback-tests-only-0123456789";

/// Someone who can sign in there.
#[derive(Serialize)]
pub struct Account {
    /// What is typed into its form.
    pub login: &'static str,
    /// The subject.
    pub sub: &'static str,
    /// Further claims of the ID token.
    pub claims: Value,
}

/// A running provider. Dropping it ends it.
pub struct Provider {
    /// Its issuer.
    pub issuer: String,
    child: Child,
}

impl Provider {
    /// Starts one that accepts these redirect URIs, with this Node.js.
    ///
    /// # Errors
    /// When it does not say within 30 s that it is ready; the message names its log.
    pub async fn start(node: &Path, folder: &Path, redirects: &[String], accounts: &[Account]) -> Result<Provider> {
        let file = folder.join("accounts.json");
        std::fs::write(&file, serde_json::to_vec(accounts)?).context("writing the accounts")?;
        let log = folder.join("provider.log");
        let mut command = Command::new(node);
        command.arg("conformance/oidc/provider.mjs").arg("--accounts").arg(&file);
        command.args(["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET]);
        for redirect in redirects {
            command.args(["--redirect", redirect]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).context("making the log")?);
        let mut child = command.kill_on_drop(true).spawn().context("cannot start node")?;
        let output = child.stdout.take().context("no output pipe")?;
        let line = timeout(Duration::from_secs(30), BufReader::new(output).lines().next_line()).await;
        let see = || format!("the provider did not get ready; see {}", log.display());
        let line = line.with_context(see)?.with_context(see)?.with_context(see)?;
        let ready: Value = serde_json::from_str(&line).with_context(see)?;
        let issuer = ready["issuer"].as_str().with_context(see)?.to_owned();
        Ok(Provider { issuer, child })
    }

    /// Ends it, as an outage would.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("ending the provider")
    }
}
