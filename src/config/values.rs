//! Values that need more than their type.
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

/// A value that is never printed.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

impl Secret {
    /// The value itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Scheme, host and port users reach us by, with nothing behind: `https://id.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl {
    text: String,
    https: bool,
    loopback: bool,
}

impl PublicUrl {
    /// The address of a listener that nothing stands before.
    pub fn of(bound: SocketAddr, tls: bool) -> Self {
        let host = match bound.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let scheme = if tls { "https" } else { "http" };
        let loopback = bound.ip().is_loopback() || bound.ip().is_unspecified();
        Self { text: format!("{scheme}://{host}:{}", bound.port()), https: tls, loopback }
    }

    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `path` (with its leading slash) at this address.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether browsers reach us by TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether only this machine can reach the address.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "must be scheme, host and perhaps port, such as https://id.example.com";
        let url = Url::parse(&text).map_err(|_| wrong)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !url.username().is_empty() {
            return Err(wrong);
        }
        let loopback = match url.host().ok_or(wrong)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { text, https: url.scheme() == "https", loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_host_and_port() {
        let url = PublicUrl::try_from("https://id.example.com/".to_owned()).unwrap();
        assert_eq!(url.join("/scim"), "https://id.example.com/scim");
        for wrong in ["id.example.com", "ftp://x", "https://x/y", "https://u@x", "https://x?y"] {
            assert!(PublicUrl::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        let local = PublicUrl::of(SocketAddr::from(([0, 0, 0, 0], 81)), false);
        assert_eq!(local.as_str(), "http://localhost:81");
        assert!(local.is_loopback());
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::from("x1".to_owned())), "[hidden]");
    }
}
