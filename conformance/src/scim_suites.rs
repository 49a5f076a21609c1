//! The public SCIM suites against a demo server's own directory.

use crate::args::Args;
use crate::report::Report;
use crate::server::{Server, Start};
use crate::setup;
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Output;
use tokio::process::Command;

/// scim2-tester: reads the schemas and tries every attribute of every resource.
///
/// # Errors
/// When the server or the suite cannot be started.
pub async fn tester(args: &Args, report: &mut Report) -> Result<()> {
    let server = Server::start(&Start::new(args, "server")?).await?;
    let scim = server.ready.scim.clone();
    let mut suite = python(args);
    suite.arg("conformance/scim/tester.py").args([&scim.base, &scim.token]);
    let output = suite.output().await.context("starting scim2-tester")?;
    let text = String::from_utf8_lossy(&output.stdout);
    report.take(&text);
    ended_well(report, "scim2-tester came to its end", &output, text.contains(" passed, "));
    server.stop().await?;
    Ok(())
}

/// scim-sanity in its strict mode: life cycles, errors, paging edges. It wants every PATCH answered with the resource,
/// which some products do not; hence a connection of the generic profile.
///
/// # Errors
/// When the server or the suite cannot be started.
pub async fn sanity(args: &Args, report: &mut Report) -> Result<()> {
    let server = Server::start(&Start::new(args, "server")?).await?;
    let scim = setup::generic_scim(&server).await?;
    let mut suite = Command::new(args.lab.join("python/bin/scim-sanity"));
    suite.args(["probe", &scim.base, "--token", &scim.token]);
    suite.args(["--strict", "--json-output", "--i-accept-side-effects"]);
    let output = suite.output().await.context("starting scim-sanity")?;
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let results = found["results"].as_array().cloned().unwrap_or_default();
    for result in &results {
        let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        let case = format!("{}: {}", text("phase"), text("name"));
        match text("status").as_str() {
            "pass" => report.pass(&case),
            // It skips resource types that only a draft knows, when the server has none of them.
            "skip" | "skipped" => report.note(&format!("skipped {case}")),
            other => report.fail(&case, &format!("{other}: {}", text("message"))),
        }
    }
    ended_well(report, "scim-sanity came to its end", &output, !results.is_empty());
    server.stop().await?;
    Ok(())
}

fn python(args: &Args) -> Command {
    let mut command = Command::new(args.lab.join("python/bin/python"));
    command.kill_on_drop(true);
    command
}

fn ended_well(report: &mut Report, case: &str, output: &Output, said_something: bool) {
    let errors = String::from_utf8_lossy(&output.stderr);
    report.check(case, said_something, || errors.trim().to_owned());
}
