//! An LDAP server that answers what a test tells it to, however wrong that is.
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::slapd::Certificate;

/// How the line is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    Plain,
    StartTls,
    Ldaps,
}

impl Protection {
    pub const ALL: [Self; 3] = [Self::Plain, Self::StartTls, Self::Ldaps];
}

/// What a client asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Its number.
    pub id: u8,
    /// What: 0x60 bind, 0x63 search, 0x77 an extended operation.
    pub what: u8,
    /// How many of the kind came before on this line.
    pub before: usize,
}

/// What the server says.
pub enum Says {
    Bytes(Vec<u8>),
    /// These, a few at a time, with a pause after each.
    Slowly(Vec<u8>, Duration),
    /// The first, second, third … until nobody reads any more.
    Forever(Box<dyn FnMut(usize) -> Vec<u8> + Send>),
}

type Script = Arc<dyn Fn(Ask) -> Says + Send + Sync>;

/// The server; it ends with the test.
pub struct Peer {
    /// Its address as a URL.
    pub url: String,
    /// Its authority, as PEM.
    pub authority: String,
    serving: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Peer {
    /// Answers each request as `script` says.
    pub async fn start(protection: Protection, script: impl Fn(Ask) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let certificate = Certificate::fresh();
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let scheme = if protection == Protection::Ldaps { "ldaps" } else { "ldap" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (script, tls): (Script, _) = (Arc::new(script), TlsAcceptor::from(Arc::new(tls)));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, tls) = (script.clone(), tls.clone());
                tokio::spawn(async move { serve(stream, protection, &tls, &script).await });
            }
        });
        Self { url, authority: certificate.authority, serving }
    }
}

/// Ends with the line; what is wrong with it is the client's to tell.
async fn serve(mut stream: TcpStream, protection: Protection, tls: &TlsAcceptor, script: &Script) -> Option<()> {
    match protection {
        Protection::Plain => talk(stream, script).await,
        Protection::StartTls => {
            let asked = request(&mut stream).await?;
            say(&mut stream, script(Ask { before: 0, ..asked })).await?;
            talk(tls.accept(stream).await.ok()?, script).await
        }
        Protection::Ldaps => talk(tls.accept(stream).await.ok()?, script).await,
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &Script) -> Option<()> {
    let mut asked = Vec::new();
    loop {
        let ask = request(&mut stream).await?;
        let before = asked.iter().filter(|what| **what == ask.what).count();
        asked.push(ask.what);
        say(&mut stream, script(Ask { before, ..ask })).await?;
    }
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Ask> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.ok()?;
    let mut length = usize::from(head[1]);
    if length > 127 {
        let mut digits = vec![0; length - 128];
        stream.read_exact(&mut digits).await.ok()?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await.ok()?;
    Some(Ask { id: content[2], what: content[3], before: 0 })
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), says: Says) -> Option<()> {
    match says {
        Says::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
        Says::Slowly(bytes, pause) => {
            for few in bytes.chunks(3) {
                stream.write_all(few).await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        Says::Forever(mut next) => {
            for at in 0.. {
                stream.write_all(&next(at)).await.ok()?;
            }
        }
    }
    stream.flush().await.ok()
}

/// An element of BER.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, 0x84];
    bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A message with this number.
pub fn message(id: u8, content: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, id], content].concat())
}

/// A result of this kind with this code.
pub fn result(kind: u8, code: u8) -> Vec<u8> {
    element(kind, &[0x0a, 1, code, 4, 0, 4, 0])
}

/// The control that ends a page and says where the next begins.
pub fn paged(cookie: &[u8]) -> Vec<u8> {
    let value = element(0x30, &[&[2, 1, 0][..], &element(4, cookie)].concat());
    let control = [element(4, b"1.2.840.113556.1.4.319"), element(4, &value)].concat();
    element(0xa0, &element(0x30, &control))
}

/// An entry.
pub fn entry(dn: &str, attributes: &[(&str, Vec<Vec<u8>>)]) -> Vec<u8> {
    let attributes = attributes.iter().map(|(name, values)| {
        let values: Vec<u8> = values.iter().flat_map(|value| element(4, value)).collect();
        element(0x30, &[element(4, name.as_bytes()), element(0x31, &values)].concat())
    });
    element(0x64, &[element(4, dn.as_bytes()), element(0x30, &attributes.collect::<Vec<_>>().concat())].concat())
}

/// Lists inside each other.
pub fn nested(levels: usize) -> Vec<u8> {
    let mut heads = Vec::new();
    for level in (0..levels).rev() {
        heads.extend([0x30, 0x84]);
        heads.extend(u32::try_from(level * 6).unwrap().to_be_bytes());
    }
    heads
}
