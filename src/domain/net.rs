//! Blocks of network addresses.
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use serde::Deserialize;

/// An address range, written `10.0.0.0/8`, `fd00::/8` or as a single address. An IPv4 address written as IPv6 counts as
/// IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

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
        wide(ip) & self.mask() == wide(self.address)
    }

    fn mask(self) -> u128 {
        let offset = if self.address.is_ipv4() { 96 } else { 0 };
        u128::MAX.checked_shl(128 - offset - self.bits).unwrap_or(0)
    }

    /// The range without what is set behind its length.
    fn masked(self) -> Self {
        let bits = wide(self.address) & self.mask();
        let address = match self.address {
            IpAddr::V4(_) => core::net::Ipv6Addr::from_bits(bits).to_canonical(),
            IpAddr::V6(_) => IpAddr::V6(core::net::Ipv6Addr::from_bits(bits)),
        };
        Self { address, ..self }
    }
}

/// Both families in one number: IPv4 as its IPv4-mapped IPv6 address.
fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NotANetwork::Form(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| fault())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let network = Self { address, bits: bits.unwrap_or(most) };
        if network.bits > most {
            return Err(fault());
        }
        match network.masked() {
            masked if masked == network => Ok(network),
            masked => Err(NotANetwork::HostBits(text.to_owned(), masked)),
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
