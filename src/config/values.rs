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

/// Scheme, host and port people reach us by, with nothing behind: `https://id.example.com`.
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

/// An address range, written `10.0.0.0/8` or as a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `ip` lies inside; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (base.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (base.to_bits() ^ ip.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "must be an address or a range such as 10.0.0.0/8";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.as_str(), None),
        };
        let base: IpAddr = address.parse().map_err(|_| wrong)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(wrong)?,
            None => most,
        };
        Ok(Self { base, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn networks_contain_their_addresses_only() {
        let ten = network("10.0.0.0/8");
        assert!(ten.contains("10.255.1.2".parse().unwrap()));
        assert!(ten.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!ten.contains("11.0.0.1".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("1.2.3.4".parse().unwrap()));
        assert!(network("::1").contains("::1".parse().unwrap()));
        assert!(!network("::1").contains("::2".parse().unwrap()));
        assert!(Network::try_from("10.0.0.0/33".to_owned()).is_err());
        assert!(Network::try_from("ten".to_owned()).is_err());
    }

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
