//! Pointing the demo's paused connections at a lab, through the administration interface.

use crate::http::Client;
use crate::server::{Server, Start};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

/// Points a sign-in connection at a provider and opens it.
///
/// # Errors
/// When the interface refuses.
pub async fn open_oidc(server: &Server, slug: &str, issuer: &str, client_id: &str, secret: &str) -> Result<Value> {
    let settings = json!({"issuer": issuer, "client_id": client_id});
    open(server, slug, settings, secret).await
}

/// Points a directory connection at a server and opens it.
///
/// # Errors
/// When the interface refuses.
pub async fn open_ldap(server: &Server, slug: &str, settings: Value, password: &str) -> Result<Value> {
    open(server, slug, settings, password).await
}

/// Runs a synchronisation to its end; its report.
///
/// # Errors
/// When no report comes back: a run that failed has one too.
pub async fn sync(start: &Start, _server: &Server, slug: &str, dry: bool) -> Result<Value> {
    let mut command = Command::new(&start.program);
    command.args(["sync", "run", slug, "--json", "--data"]).arg(&start.keep);
    if dry {
        command.arg("--dry-run");
    }
    let output = command.output().await.context("rolecall sync run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("no report: {}", said.trim()))
}

async fn open(server: &Server, slug: &str, settings: Value, secret: &str) -> Result<Value> {
    let api = Client::api(&server.ready.api)?;
    let change = json!({"settings": settings, "secret": secret, "paused": false});
    api.send(Method::PATCH, &format!("/connections/{slug}"), Some(&change)).await?.good("opening a connection")
}
