//! Which addresses a request to the outside may go to.
//!
//! A partner's administrator types the address of a provider, and a provider names further ones; none of
//! them may make the server talk to its own neighbourhood (RFC 9700 §4.16 is silent, the registry of
//! special-purpose addresses, RFC 6890, is the measure).
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::domain::net::Network;

/// What requests to the outside may do, by the operator's word.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Private blocks that providers may live in.
    pub allow: Vec<Network>,
    /// Whether this machine itself may be asked, and without TLS: demo and tests.
    pub loopback: bool,
}

impl Policy {
    /// Whether a connection to `address` may be made.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !special(address)
            || (self.loopback && address.is_loopback())
            || self.allow.iter().any(|net| net.contains(address))
    }
}

/// An address the guard turned away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockedAddress;

impl fmt::Display for BlockedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is private or reserved and not on the operator's allow-list")
    }
}

impl std::error::Error for BlockedAddress {}

/// Not part of the public internet.
fn special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., ..)
    )
}

fn special_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    // NAT64 carries an IPv4 address; it is that address that is reached.
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        let [g1, g2] = g.to_be_bytes();
        let [h1, h2] = h.to_be_bytes();
        return special_v4(Ipv4Addr::new(g1, g2, h1, h2));
    }
    let global = a & 0xe000 == 0x2000;
    let protocol = a == 0x2001 && b < 0x200;
    let documentation = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
    let six_to_four = a == 0x2002;
    !global || protocol || documentation || six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(policy: &Policy, address: &str) -> bool {
        policy.permits(address.parse().unwrap())
    }

    #[test]
    fn only_the_public_internet_is_reached_by_default() {
        let policy = Policy::default();
        for open in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(permits(&policy, open), "{open}");
        }
        let closed = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for shut in closed {
            assert!(!permits(&policy, shut), "{shut}");
        }
    }

    #[test]
    fn the_operator_opens_exactly_what_he_names() {
        let policy =
            Policy { allow: vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()], loopback: false };
        assert!(permits(&policy, "10.1.255.1"));
        assert!(permits(&policy, "::ffff:10.1.0.1"));
        assert!(!permits(&policy, "10.2.0.1"));
        assert!(permits(&policy, "fd00:1::5"));
        assert!(!permits(&policy, "fd00:2::5"));
        assert!(!permits(&policy, "127.0.0.1"));
        let local = Policy { loopback: true, ..Policy::default() };
        assert!(permits(&local, "127.0.0.1") && permits(&local, "::1"));
        assert!(!permits(&local, "10.1.0.1"));
    }
}
