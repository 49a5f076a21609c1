//! Asking the server that runs on a data folder: a SQLite file belongs to one process.
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::web::operator::Notice;

/// A server that runs on this machine, asked with the operator's token.
pub(super) struct Running {
    client: reqwest::Client,
    base: String,
    token: String,
}

/// The server that runs on a data folder and answers; `None` when there is none.
///
/// # Errors
/// Its address cannot be read.
pub(super) async fn running(folder: &Path) -> anyhow::Result<Option<Running>> {
    let Some(notice) = Notice::read(folder) else { return Ok(None) };
    if !answers(notice.listens).await {
        return Ok(None);
    }
    let url: url::Url = notice.url.parse().context("the running server's address cannot be read")?;
    // The address as the server knows itself, so that its certificate fits, but always the server of this machine.
    let mut client = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_secs(24 * 3600));
    let mut base = format!("http://{}", notice.listens);
    if let (Some(host), "https") = (url.host_str(), url.scheme()) {
        client = client.resolve(host, notice.listens);
        base = format!("https://{host}:{}", notice.listens.port());
    }
    let client = client.build().context("cannot make a client")?;
    Ok(Some(Running { client, base, token: notice.token }))
}

impl Running {
    /// Posts JSON and reads the answer.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses: then in its own words.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.context("the running server cannot be asked")?;
        let (good, text) = (response.status().is_success(), response.text().await?);
        if !good {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let detail = problem.get("detail").and_then(Value::as_str);
            bail!("{}", detail.unwrap_or("the running server refused"));
        }
        serde_json::from_str(&text).context("the running server's answer cannot be read")
    }
}

async fn answers(address: SocketAddr) -> bool {
    let connect = tokio::net::TcpStream::connect(address);
    matches!(tokio::time::timeout(Duration::from_secs(2), connect).await, Ok(Ok(_)))
}
