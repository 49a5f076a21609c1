//! Certificate and key of the server, read again when they change.
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How often the files are looked at.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or not PEM.
    #[error("{0}: {1}")]
    File(PathBuf, rustls::pki_types::pem::Error),
    /// There is no certificate in the file.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// Key and certificate do not fit, or the key is of an unknown kind.
    #[error("the key {0} cannot be used with the certificate: {1}")]
    Key(PathBuf, rustls::Error),
}

/// The certificate in use, and where it comes from.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<(Arc<CertifiedKey>, Stamp)>,
}

/// When the two files were last changed.
type Stamp = [Option<SystemTime>; 2];

impl Certificate {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// [`TlsError`]: the files cannot be used.
    pub fn open(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let stamp = stamp(certificate, key);
        let pair = read(certificate, key)?;
        let current = RwLock::new((Arc::new(pair), stamp));
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), current }))
    }

    /// Reads both again when `forced` or when a file has changed; a broken pair leaves the old
    /// one in use. Says whether there is a new one.
    ///
    /// # Errors
    /// [`TlsError`]: the files cannot be used.
    pub fn reload(&self, forced: bool) -> Result<bool, TlsError> {
        let now = stamp(&self.certificate, &self.key);
        let known = self.current.read().map(|current| current.1).unwrap_or_default();
        if !forced && now == known {
            return Ok(false);
        }
        let pair = read(&self.certificate, &self.key)?;
        if let Ok(mut current) = self.current.write() {
            *current = (Arc::new(pair), now);
        }
        Ok(true)
    }

    /// SHA-256 of the certificate in use.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let current = self.current.read().ok()?;
        current.0.cert.first().map(|leaf| crate::secret::sha256(leaf))
    }

    /// The settings of a listener that uses this certificate.
    pub fn settings(self: &Arc<Self>) -> ServerConfig {
        let mut settings = ServerConfig::builder().with_no_client_auth().with_cert_resolver(self.clone());
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        settings
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().ok().map(|current| current.0.clone())
    }
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let file = |error| TlsError::File(certificate.to_owned(), error);
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(certificate).map_err(file)?.collect::<Result<_, _>>().map_err(file)?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.to_owned()));
    }
    let wrong = |error| TlsError::Key(key.to_owned(), error);
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File(key.to_owned(), error))?;
    let pair = CertifiedKey::new(chain, any_supported_type(&private).map_err(wrong)?);
    pair.keys_match().map_err(wrong)?;
    Ok(pair)
}
