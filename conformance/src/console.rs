//! The console in a real browser: see `conformance/console/check.mjs` for what is checked.

use crate::args::Args;
use crate::report::Report;
use crate::server::{Server, Start};
use anyhow::{Context, Result};
use std::process::Stdio;
use tokio::process::Command;

/// Opens every page of a demo whose push has been played; screenshots go to `screenshots`.
///
/// # Errors
/// When the server or the browser cannot be started.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let server = Server::start(&Start { push: true, ..Start::new(args, "server")? }).await?;
    let screenshots = args.lab.join("screenshots");
    let program = args.chromium.clone().context("--chromium names the browser")?;
    let mut node = Command::new(args.node());
    node.arg("conformance/console/check.mjs").arg(program);
    node.args([&server.ready.setup_link, &server.ready.console]).arg(&screenshots);
    let output = node.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await;
    let output = output.context("cannot start node")?;
    report.take(&String::from_utf8_lossy(&output.stdout));
    // It answers 1 when a page failed, which the lines say too; anything else means that it did not get to its end.
    let ended = matches!(output.status.code(), Some(0 | 1)) && !output.stdout.is_empty();
    report.check("the check of the pages ran to its end", ended, || output.status.to_string());
    report.note(&format!("screenshots: {}", screenshots.display()));
    server.stop().await?;
    Ok(())
}
