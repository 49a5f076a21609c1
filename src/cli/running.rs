//! Asking the server that runs on a data folder: a SQLite file belongs to one process.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{RequestBuilder, Response};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;

use crate::config::Config;
use crate::secret::sha256;
use crate::web::operator_token::{ServerNotice, database, hex};

/// How long a server may take to say that it is one.
const GREETING: Duration = Duration::from_secs(5);

/// A server that runs on this machine, asked with the operator's token.
pub(super) struct RunningServer {
    client: reqwest::Client,
    base: String,
    token: String,
    /// What it said of itself.
    about: Value,
}

/// The server that runs on the data folder and the database of a configuration, and answers; `None` when there is none. A
/// notice that a killed server left behind names none.
///
/// # Errors
/// A client cannot be made.
pub(super) async fn running(config: &Config) -> anyhow::Result<Option<RunningServer>> {
    let Some(notice) = ServerNotice::read(&config.store.data_dir) else { return Ok(None) };
    if notice.database != database(&config.store) {
        return Ok(None);
    }
    let mut client = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_secs(24 * 3600));
    let scheme = match &notice.certificate {
        Some(digest) => {
            client = client.tls_backend_preconfigured(knowing(digest)?);
            "https"
        }
        None => "http",
    };
    let base = format!("{scheme}://{}", reached(notice.listens));
    let client = client.build().context("cannot make a client")?;
    let mut server = RunningServer { client, base, token: notice.token, about: Value::Null };
    let greeting = server.request(reqwest::Method::GET, "/operator/server").timeout(GREETING).send().await;
    match greeting {
        Ok(answer) if answer.status().is_success() => {
            server.about = answer.json().await.unwrap_or_default();
            Ok(Some(server))
        }
        // Another program has the port by now, or nobody.
        _ => Ok(None),
    }
}

/// An address that a listener on every address is reached at.
fn reached(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listens.port())
}

impl RunningServer {
    /// The number of the newest migration that the server has.
    pub fn schema(&self) -> Option<i64> {
        self.about.get("schema").and_then(Value::as_i64)
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses: then in its own words.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        read(self.request(reqwest::Method::GET, path)).await
    }

    /// Posts JSON and reads the answer.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.post_text(path, body.to_string()).await
    }

    /// Posts JSON that is text already.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub async fn post_text(&self, path: &str, body: String) -> anyhow::Result<Value> {
        let request = self.request(reqwest::Method::POST, path);
        read(request.header("content-type", "application/json").body(body)).await
    }

    /// Gets an answer of any length and hands it on as it comes.
    ///
    /// # Errors
    /// As [`RunningServer::get`]; also when it ends before its end.
    pub async fn stream(&self, path: &str, mut each: impl FnMut(&[u8]) -> std::io::Result<()>) -> anyhow::Result<()> {
        let mut answer = accepted(self.request(reqwest::Method::GET, path)).await?;
        while let Some(part) = answer.chunk().await.context("the running server's answer ended too early")? {
            each(&part)?;
        }
        Ok(())
    }

    fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }
}

async fn accepted(request: RequestBuilder) -> anyhow::Result<Response> {
    let response = request.send().await.context("the running server cannot be asked")?;
    if response.status().is_success() {
        return Ok(response);
    }
    let problem: Value = serde_json::from_str(&response.text().await?).unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str);
    bail!("{}", detail.unwrap_or("the running server refused"));
}

async fn read(request: RequestBuilder) -> anyhow::Result<Value> {
    let text = accepted(request).await?.text().await?;
    serde_json::from_str(&text).context("the running server's answer cannot be read")
}

/// TLS with exactly the server that shows this certificate.
fn knowing(digest: &str) -> anyhow::Result<ClientConfig> {
    let provider = ring::default_provider();
    let algorithms = provider.signature_verification_algorithms;
    let settings = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
    let own = Own { digest: digest.to_owned(), algorithms };
    Ok(settings.dangerous().with_custom_certificate_verifier(Arc::new(own)).with_no_client_auth())
}

/// Knows one certificate, whoever issued it and for whatever name: the data folder says which.
#[derive(Debug)]
struct Own {
    digest: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if hex(&sha256(end_entity)) == self.digest {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
