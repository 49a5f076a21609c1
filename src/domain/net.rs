//! Blocks of network addresses.
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;

/// An address range, written `10.0.0.0/8`, `fd00::/8` or as a single address. An IPv4 address written as IPv6 counts as
/// IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

/// A text that is no range.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotANetwork {
    /// It is nothing of the kind.
    #[error("`{0}` is not an address or a range such as 10.0.0.0/8")]
    Form(String),
    /// Bits are set behind the length: a slip, because 10.1.2.3/8 is rarely what was meant.
    #[error("`{0}` sets bits that its length leaves out; the range it lies in is {1}")]
    HostBits(String, Network),
}

impl Network {
    /// Whether `ip` lies inside.
    pub fn contains(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        // The range of every IPv6 address has the IPv4 addresses in it, each as its IPv4-mapped form.
        match (self.0, ip) {
            (IpNet::V6(range), IpAddr::V4(v4)) => range.contains(&v4.to_ipv6_mapped()),
            (range, ip) => range.contains(&ip),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        let range = text.parse::<IpNet>().or_else(|_| alone()).map_err(|_| NotANetwork::Form(text.to_owned()))?;
        match range.trunc() {
            whole if whole == range => Ok(Self(range)),
            whole => Err(NotANetwork::HostBits(text.to_owned(), Self(whole))),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_strictly_and_contain_their_addresses_only() {
        let contains = |range: &str, ip: &str| range.parse::<Network>().unwrap().contains(ip.parse().unwrap());
        for (range, ip, inside) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2606::1", false),
            ("::/0", "2606::1", true),
            ("::1", "::2", false),
        ] {
            assert_eq!(contains(range, ip), inside, "{range} {ip}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x/8", "10.0.0.0/-1", "10.0.0.0/", "ten"] {
            assert!(matches!(bad.parse::<Network>(), Err(NotANetwork::Form(_))), "{bad}");
        }
        let slip = "10.1.2.3/8".parse::<Network>().unwrap_err().to_string();
        assert!(slip.ends_with("is 10.0.0.0/8"), "{slip}");
        assert!("fd00::1/8".parse::<Network>().unwrap_err().to_string().ends_with("fd00::/8"));
    }
}
