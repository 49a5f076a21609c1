//! A certificate authority for one test run.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// What a server shows, and whom a client must trust to believe it; all PEM.
pub struct Certified {
    /// The authority's certificate.
    pub authority: String,
    /// The server's certificate, for 127.0.0.1 and localhost.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A new authority and one certificate of it.
///
/// # Errors
/// When the system gives no randomness.
pub fn certify() -> Result<Certified> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Rolecall lab authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?).context("the authority")?;
    let key = KeyPair::generate().context("the server's key")?;
    let params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let certificate = params.signed_by(&key, &authority).context("the server's certificate")?;
    Ok(Certified { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
}
