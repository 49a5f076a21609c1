//! The line to a directory server: dialled, protected, and with every message looked at before it is decoded.
//!
//! The crate that speaks LDAP gets one end of a pair of sockets; what the server sends reaches the other end message by
//! message, after [`wire`](super::wire) has looked at it.
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;

use futures_util::FutureExt as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use url::Url;

use super::bounds::WireBounds;
use super::client::{Guard, LdapFailure, code_in_words};
use super::decode;
use super::framing::{Breach, Inspector};
use crate::connection::ldap::{ResolvedLdapSettings, TlsMode};

/// How a line ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// We hung up.
    Ours,
    /// The server hung up, or the network did; in words.
    Theirs(String),
    /// The server sent what is not taken.
    Breach(Breach),
}

/// An open line. Dropping it hangs up.
pub(super) struct LdapStream {
    pump: JoinHandle<()>,
    ended: watch::Receiver<Option<Ending>>,
}

impl LdapStream {
    /// How it ended; waits until it has.
    pub async fn ended(&mut self) -> Option<Ending> {
        self.ended.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Drop for LdapStream {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Opens a line to the server at `url`, and gives the end that is to be spoken at.
pub(super) async fn open(
    settings: &ResolvedLdapSettings,
    tls: &Arc<rustls::ClientConfig>,
    guard: &Guard,
    bounds: WireBounds,
    url: &str,
) -> Result<(LdapStream, Socket), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    // The address that was looked at is the one that is connected to: a name may answer differently the next time.
    let mut stream = dial(guard, host, url.port().unwrap_or(if url.scheme() == "ldaps" { 636 } else { 389 })).await?;
    let mut inspector = Inspector::new(bounds);
    match settings.security {
        TlsMode::None => begin(stream, inspector),
        TlsMode::StartTls => {
            start_tls(&mut stream, &mut inspector).await?;
            begin(protect(stream, tls, host).await?, inspector)
        }
        TlsMode::Ldaps => begin(protect(stream, tls, host).await?, inspector),
    }
}

/// Connects to the first address of the host that is permitted and answers.
async fn dial(guard: &Guard, host: &str, port: u16) -> Result<TcpStream, String> {
    let found = lookup_host((host, port)).await.map_err(|error| format!("the name cannot be resolved ({error})"))?;
    let mut why = "the name has no address".to_owned();
    for address in found {
        if !guard.permits(address.ip()) {
            why = format!("the address {} is private or reserved and not in `outbound.allowed_networks`", address.ip());
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

async fn protect(
    stream: TcpStream,
    tls: &Arc<rustls::ClientConfig>,
    host: &str,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("TLS failed: {error}"))?;
    let connector = TlsConnector::from(tls.clone());
    connector.connect(name, stream).await.map_err(|error| format!("TLS failed: {error}"))
}

/// Asks the server to go on with TLS (RFC 4511 §4.14). Whatever came in clear beside the answer is not trusted.
async fn start_tls(stream: &mut TcpStream, inspector: &mut Inspector) -> Result<(), String> {
    const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
    stream.write_all(REQUEST).await.map_err(|error| error.to_string())?;
    let mut held = Vec::new();
    let length = loop {
        if let Some(length) = inspector.message(&held).map_err(|breach| breach.to_string())? {
            break length;
        }
        if stream.read_buf(&mut held).await.map_err(|error| error.to_string())? == 0 {
            return Err("the server closed the connection".to_owned());
        }
    };
    if held.len() > length {
        return Err("the server went on in clear when TLS was to begin".to_owned());
    }
    let (code, text) = decode::extended_result(&held).map_err(|malformed| malformed.to_string())?;
    if code != 0 {
        return Err(format!("TLS cannot begin: {}", code_in_words(code, &text)));
    }
    Ok(())
}

/// Lets messages through between the server and a fresh pair of sockets.
fn begin<S>(stream: S, inspector: Inspector) -> Result<(LdapStream, Socket), String>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (near, far) = Socket::pair().map_err(|error| error.to_string())?;
    near.set_nonblocking(true).map_err(|error| error.to_string())?;
    let near = UnixStream::from_std(near).map_err(|error| error.to_string())?;
    let (tell, ended) = watch::channel(None);
    let pump = tokio::spawn(async move {
        // Said before the sockets close, so that who sees them closed can learn why.
        pump(stream, near, inspector, &tell).await;
    });
    Ok((LdapStream { pump, ended }, far))
}

async fn pump<S>(stream: S, near: UnixStream, mut inspector: Inspector, tell: &watch::Sender<Option<Ending>>)
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from_server, mut to_server) = split(stream);
    let (mut from_client, mut to_client) = near.into_split();
    let incoming = async {
        let mut held = Vec::new();
        loop {
            match inspected(&mut inspector, &held) {
                Ok(0) => {}
                Ok(whole) => {
                    if to_client.write_all(held.get(..whole).unwrap_or_default()).await.is_err() {
                        return Ending::Ours;
                    }
                    held.drain(..whole);
                    held.shrink_to(LARGE);
                }
                Err(breach) => return Ending::Breach(breach),
            }
            held.reserve(AT_ONCE);
            match from_server.read_buf(&mut held).await {
                Ok(0) => return Ending::Theirs("the server closed it".to_owned()),
                Ok(_) => {}
                Err(error) => return Ending::Theirs(error.to_string()),
            }
        }
    };
    let outgoing = async {
        match copy(&mut from_client, &mut to_server).await {
            Ok(_) => Ending::Ours,
            Err(error) => Ending::Theirs(error.to_string()),
        }
    };
    let ending = tokio::select! {
        ending = incoming => ending,
        ending = outgoing => ending,
    };
    let ours = ending == Ending::Ours;
    tell.send_replace(Some(ending));
    if ours {
        // That it arrives is not waited for: the server may not read.
        let _gone = to_server.shutdown().now_or_never();
    }
}

/// Bytes that are asked for at once.
const AT_ONCE: usize = 32 * 1024;
/// What is kept for the next message.
const LARGE: usize = 1024 * 1024;

/// How many bytes at the beginning are whole messages.
fn inspected(inspector: &mut Inspector, held: &[u8]) -> Result<usize, Breach> {
    let mut whole = 0;
    while let Some(length) = inspector.message(held.get(whole..).unwrap_or_default())? {
        whole += length;
    }
    Ok(whole)
}

/// How TLS is spoken with the servers of these settings.
pub(super) fn tls_config(settings: &ResolvedLdapSettings) -> Result<Arc<rustls::ClientConfig>, LdapFailure> {
    let broken = |why: String| LdapFailure::Certificates(why);
    let mut roots = rustls::RootCertStore::empty();
    match &settings.config.ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| broken(error.to_string()))?;
                roots.add(certificate).map_err(|error| broken(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(broken("no certificate is in the text".to_owned()));
            }
        }
        None if settings.security == TlsMode::None => {}
        None => {
            let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
