//! The one way out: every request to a provider goes through here.
//!
//! TLS always (but to this machine, if allowed), the address guard at connect time, no redirects, no
//! proxy from the environment, bounded time and size.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::address_policy::{BlockedAddress, Policy};

/// Largest discovery document, in bytes.
pub const DISCOVERY_LIMIT: usize = 256 * 1024;
/// Largest of any other answer, in bytes.
pub const ANSWER_LIMIT: usize = 512 * 1024;

const CONNECT_TIME: Duration = Duration::from_secs(2);
const TOTAL_TIME: Duration = Duration::from_secs(5);
/// Parsing more than this takes long enough to be moved off the runtime's threads.
const LARGE: usize = 64 * 1024;

/// Sends requests to providers.
#[derive(Clone)]
pub struct Fetch {
    client: reqwest::Client,
    policy: Arc<Policy>,
}

/// Why a request brought nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// Not an address we ever ask: no TLS, a password in it, no host.
    #[error("the address must be https and without a user name")]
    Url,
    /// The guard turned it away.
    #[error("{0}")]
    Address(#[from] RefusedAddress),
    /// Too slow.
    #[error("no answer within 5 seconds")]
    Time,
    /// No connection, or it broke.
    #[error("no connection: {0}")]
    Connection(String),
    /// Too much.
    #[error("the answer is larger than {0} bytes")]
    Size(usize),
    /// An HTTP status that is not 200; with the OAuth error code of the body, if it had one.
    #[error("status {status}{}", error.as_ref().map(|code| format!(", error {code}")).unwrap_or_default())]
    Status {
        /// The status.
        status: u16,
        /// RFC 6749 §5.2 `error`, when the body has one of the permitted form.
        error: Option<String>,
    },
    /// Not the JSON that was expected. The body is not kept: it may hold tokens.
    #[error("not the expected JSON: {0}")]
    Json(String),
}

/// The guard's refusal, as part of a [`FetchError`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct RefusedAddress(BlockedAddress);

/// An answer of userinfo (OpenID Connect Core 1.0 §5.3.2).
#[derive(Debug)]
pub enum FetchedBody<T> {
    /// In the clear.
    Plain(T),
    /// Signed.
    Signed(String),
}

/// How the client names itself at a token endpoint.
pub enum ClientAuth<'a> {
    /// HTTP Basic, id and secret form-encoded first (RFC 6749 §2.3.1).
    Basic {
        /// Client id.
        id: &'a str,
        /// Client secret.
        secret: &'a str,
    },
    /// In the form.
    InForm,
}

impl Fetch {
    /// A sender under `policy`, trusting the system's certificates and `extra_roots` (PEM).
    ///
    /// # Errors
    /// When the TLS set-up or a certificate is unusable, in words for the operator.
    pub fn new(policy: Policy, extra_roots: &[u8]) -> Result<Self, String> {
        let policy = Arc::new(policy);
        let client = reqwest::Client::builder()
            .user_agent("Rolecall")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIME)
            .timeout(TOTAL_TIME)
            .dns_resolver(Guard(Arc::clone(&policy)))
            .tls_backend_preconfigured(tls(extra_roots)?)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, policy })
    }

    /// GETs JSON of at most `limit` bytes, with a bearer token if given.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get<T>(&self, url: &Url, limit: usize, bearer: Option<&str>) -> Result<T, FetchError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.check(url)?;
        let mut request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, secret_header(&format!("Bearer {token}"))?);
        }
        decode(receive(request, limit).await?.1).await
    }

    /// GETs claims about the holder of an access token, in either form.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn userinfo<T>(&self, url: &Url, token: &str) -> Result<FetchedBody<T>, FetchError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.check(url)?;
        let request = self.client.get(url.clone()).header(ACCEPT, "application/json, application/jwt;q=0.9");
        let request = request.header(AUTHORIZATION, secret_header(&format!("Bearer {token}"))?);
        let (kind, body) = receive(request, ANSWER_LIMIT).await?;
        if kind.eq_ignore_ascii_case("application/jwt") {
            let text = String::from_utf8(body).map_err(|_| FetchError::Json("it is not text".to_owned()))?;
            return Ok(FetchedBody::Signed(text.trim().to_owned()));
        }
        decode(body).await.map(FetchedBody::Plain)
    }

    /// POSTs a form and reads JSON of at most [`ANSWER_LIMIT`] bytes.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn post<T>(&self, url: &Url, form: &[(&str, &str)], auth: ClientAuth<'_>) -> Result<T, FetchError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.check(url)?;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self
            .client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let ClientAuth::Basic { id, secret } = auth {
            request = request.header(AUTHORIZATION, secret_header(&basic(id, secret))?);
        }
        decode(receive(request, ANSWER_LIMIT).await?.1).await
    }

    /// Whether `url` may be asked at all, as far as its text tells. Names are checked when resolved.
    ///
    /// # Errors
    /// [`FetchError::Url`] and [`FetchError::Address`].
    pub fn check(&self, url: &Url) -> Result<(), FetchError> {
        let literal: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(FetchError::Url),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Url);
        }
        let here = literal.map_or(url.host_str() == Some("localhost"), |address| address.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && here && self.policy.loopback) {
            return Err(FetchError::Url);
        }
        match literal {
            Some(address) if !self.policy.permits(address) => Err(RefusedAddress(BlockedAddress).into()),
            _ => Ok(()),
        }
    }
}

/// Resolves names and lets through only the addresses the policy permits: those are what is connected to.
struct Guard(Arc<Policy>);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let some = !found.is_empty();
            let open: Vec<_> = found.into_iter().filter(|address| policy.permits(address.ip())).collect();
            if some && open.is_empty() {
                return Err(BlockedAddress.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

fn tls(extra_roots: &[u8]) -> Result<rustls::ClientConfig, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in CertificateDer::pem_slice_iter(extra_roots) {
        let root = root.map_err(|error| format!("extra certificate: {error}"))?;
        roots.add(root).map_err(|error| format!("extra certificate: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The media type and the body of an answer.
async fn receive(request: reqwest::RequestBuilder, limit: usize) -> Result<(String, Vec<u8>), FetchError> {
    let mut response = request.send().await.map_err(fault)?;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let status = response.status().as_u16();
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(FetchError::Size(limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fault)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::Size(limit));
        }
        body.extend_from_slice(&chunk);
    }
    if status == 200 { Ok((kind, body)) } else { Err(FetchError::Status { status, error: oauth_error(&body) }) }
}

async fn decode<T>(body: Vec<u8>) -> Result<T, FetchError>
where
    T: DeserializeOwned + Send + 'static,
{
    let large = body.len() > LARGE;
    let parse = move || serde_json::from_slice(&body).map_err(|error| FetchError::Json(place(&error)));
    if !large {
        return parse();
    }
    tokio::task::spawn_blocking(parse).await.unwrap_or_else(|_| Err(FetchError::Json("the reader stopped".to_owned())))
}

/// Where JSON went wrong. Never the error's own text: it may quote a token.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a member is missing, repeated or of the wrong type",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Eof => "it ends too early",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// The `error` member of an OAuth error answer, if it keeps to the characters such a code has.
fn oauth_error(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        error: String,
    }
    let code = serde_json::from_slice::<Body>(body).ok()?.error;
    let plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then_some(code)
}

fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

fn secret_header(text: &str) -> Result<HeaderValue, FetchError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| FetchError::Json("a token with line breaks".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn fault(error: reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<BlockedAddress>() {
            return RefusedAddress(refused.clone()).into();
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        return FetchError::Time;
    }
    FetchError::Connection(root_cause(&error))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(loopback: bool) -> Fetch {
        Fetch::new(Policy { loopback, ..Policy::default() }, b"").unwrap()
    }

    fn check(fetch: &Fetch, url: &str) -> Result<(), FetchError> {
        fetch.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn only_https_and_no_private_literals() {
        let open = fetch(false);
        assert_eq!(check(&open, "https://login.example.com/x"), Ok(()));
        assert_eq!(check(&open, "https://8.8.8.8/"), Ok(()));
        for shut in ["http://login.example.com/", "http://127.0.0.1/", "file:///etc/passwd", "https://a:b@example.com/"]
        {
            assert_eq!(check(&open, shut), Err(FetchError::Url), "{shut}");
        }
        for shut in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(matches!(check(&open, shut), Err(FetchError::Address(_))), "{shut}");
        }
        let local = fetch(true);
        assert_eq!(check(&local, "http://127.0.0.1:9/"), Ok(()));
        assert_eq!(check(&local, "http://localhost:9/"), Ok(()));
        assert_eq!(check(&local, "http://login.example.com/"), Err(FetchError::Url));
        assert!(matches!(check(&local, "https://10.0.0.1/"), Err(FetchError::Address(_))));
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_when_it_is_resolved() {
        let url = Url::parse("https://localhost:9/").unwrap();
        let answer = fetch(false).get::<serde_json::Value>(&url, 100, None).await;
        assert!(matches!(answer, Err(FetchError::Address(_))), "{answer:?}");
    }

    #[test]
    fn the_secret_is_form_encoded_before_basic() {
        use base64::Engine;
        let header = basic("a:b", "p w/ä");
        let plain = base64::engine::general_purpose::STANDARD.decode(header.trim_start_matches("Basic ")).unwrap();
        assert_eq!(String::from_utf8(plain).unwrap(), "a%3Ab:p+w%2F%C3%A4");
    }

    #[test]
    fn only_a_plain_oauth_error_code_is_kept() {
        assert_eq!(
            oauth_error(br#"{"error":"invalid_grant","error_description":"t0ken"}"#).as_deref(),
            Some("invalid_grant")
        );
        assert_eq!(oauth_error(br#"{"error":"t0ken AAA"}"#), None);
        assert_eq!(oauth_error(b"<html>"), None);
    }
}
