//! A client that carries one bearer token and answers status and JSON.

use crate::server::Door;
use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// One door, opened.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
    content_type: &'static str,
}

/// A status and what came with it; `Null` when the body is empty or no JSON.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Client {
    /// A client of the SCIM door.
    ///
    /// # Errors
    /// When no client can be built.
    pub fn scim(door: &Door) -> Result<Client> {
        Client::new(door, "application/scim+json")
    }

    /// A client of the administration interface.
    ///
    /// # Errors
    /// When no client can be built.
    pub fn api(door: &Door) -> Result<Client> {
        Client::new(door, "application/json")
    }

    fn new(door: &Door, content_type: &'static str) -> Result<Client> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(600)).no_proxy();
        let http = http.build().context("building a client")?;
        let base = door.base.trim_end_matches('/').to_owned();
        Ok(Client { http, base, token: door.token.clone(), content_type })
    }

    /// Sends one request.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", self.content_type).body(body.to_string());
        }
        let response = request.send().await.with_context(|| format!("no answer for {path}"))?;
        let status = response.status().as_u16();
        let text = response.text().await.with_context(|| format!("half an answer for {path}"))?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// Reads a path.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// Posts a document.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }
}

impl Answer {
    /// The body, if the status is one of 200 to 299.
    ///
    /// # Errors
    /// Any other status, with the body in the message.
    pub fn good(self, what: &str) -> Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("{what}: {} {}", self.status, self.body);
        }
        Ok(self.body)
    }
}
