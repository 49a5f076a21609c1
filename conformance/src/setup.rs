//! Preparing a demo server for a lab, through its administration interface.

use crate::http::Client;
use crate::server::{Door, Server};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

/// The demo's own SCIM connection, whose directory takes further ones.
const DEMO_SCIM: &str = "harbor-entra";

/// Gives a connection its settings and its secret, and opens it.
///
/// # Errors
/// When the interface refuses.
pub async fn open(server: &Server, slug: &str, settings: Value, secret: &str) -> Result<()> {
    let api = Client::api(&server.ready.api)?;
    let change = json!({"settings": settings, "secret": secret, "state": "active"});
    api.send(Method::PATCH, &format!("/connections/{slug}"), Some(&change)).await?.good("opening a connection")?;
    Ok(())
}

/// Runs a synchronisation to its end; its report, also when it failed.
///
/// # Errors
/// When the interface refuses to run it.
pub async fn sync(server: &Server, slug: &str, dry: bool) -> Result<Value> {
    let api = Client::api(&server.ready.api)?;
    api.post(&format!("/connections/{slug}/sync-runs"), &json!({"dry_run": dry})).await?.good("synchronising")
}

/// A new SCIM connection for clients of no particular product.
///
/// # Errors
/// When the interface refuses.
pub async fn generic_scim(server: &Server) -> Result<Door> {
    let api = Client::api(&server.ready.api)?;
    let demo = api.get(&format!("/connections/{DEMO_SCIM}")).await?.good("the demo's connection")?;
    let directory = demo["directory"].as_str().context("its directory")?;
    let new = json!({"kind": "scim", "slug": "lab-generic", "profile": "generic"});
    let made = api.post(&format!("/directories/{directory}/connections"), &new).await?.good("a new connection")?;
    let base = made["address"].as_str().context("its address")?.to_owned();
    let token = api.post("/connections/lab-generic/tokens", &json!({"name": "lab"})).await?.good("a token")?;
    Ok(Door { base, token: token["token"].as_str().context("its token")?.to_owned() })
}
