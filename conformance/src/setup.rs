//! Pointing the demo's paused connections at a lab, through the administration interface.

use crate::http::Client;
use crate::server::Server;
use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

/// Points a sign-in connection at a provider and opens it.
///
/// # Errors
/// When the interface refuses.
pub async fn open_oidc(server: &Server, slug: &str, issuer: &str, client_id: &str, secret: &str) -> Result<Value> {
    let settings = json!({"issuer": issuer, "client_id": client_id});
    open(server, slug, settings, secret).await
}

async fn open(server: &Server, slug: &str, settings: Value, secret: &str) -> Result<Value> {
    let api = Client::api(&server.ready.api)?;
    let change = json!({"settings": settings, "secret": secret, "paused": false});
    api.send(Method::PATCH, &format!("/connections/{slug}"), Some(&change)).await?.good("opening a connection")
}
