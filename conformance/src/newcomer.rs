//! A fresh clone and the first command of the README: how long until it serves, and does it.

use crate::args::Args;
use crate::http::Client;
use crate::report::Report;
use crate::server::Server;
use anyhow::{Context, Result};
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Builds and runs the clone as its README says.
///
/// # Errors
/// When cargo cannot be started or the server never gets ready.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let clone = args.clone.as_ref().context("--clone names the fresh clone")?;
    let log = args.lab.join("logs/newcomer.log");
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--release", "--", "demo", "--port", "0", "--json"]).current_dir(clone);
    cargo.env_remove("CARGO_TARGET_DIR").stdin(Stdio::null()).stdout(Stdio::piped());
    cargo.stderr(File::create(&log).context("making the log")?).kill_on_drop(true);
    let server = Server::launch(cargo, &log, Duration::from_secs(3000)).await?;
    report.pass("cargo run --release -- demo");
    report.note(&format!("{:.0} s from clone to ready", server.took.as_secs_f64()));
    let users = Client::scim(&server.ready.scim)?.get("/Users").await?;
    report.equal("the printed SCIM token opens the printed address", users.status, 200);
    let partners = Client::api(&server.ready.api)?.get("/partners").await?;
    report.equal("the printed API token opens the printed address", partners.status, 200);
    let console = reqwest::get(&server.ready.console).await.context("the console")?;
    report.check("the console answers", !console.status().is_server_error(), || console.status().to_string());
    let link = reqwest::get(&server.ready.setup_link).await.context("the sign-in link")?;
    report.check("the sign-in link answers", link.status().is_success(), || link.status().to_string());
    let status = server.stop().await?;
    report.check("it stops when asked", status.success(), || status.to_string());
    Ok(())
}
