//! How many sign-ins one client may try.
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Tries a client may make at once.
const BURST: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Tries a client may keep up in a minute.
const A_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Counts tries by client.
pub struct Limits(DefaultKeyedRateLimiter<IpAddr>);

impl Limits {
    /// Nobody has tried yet.
    pub fn new() -> Self {
        Self(RateLimiter::keyed(Quota::per_minute(A_MINUTE).allow_burst(BURST)))
    }

    /// Whether this client may try now.
    pub fn admits(&self, client: IpAddr) -> bool {
        self.0.check_key(&household(client)).is_ok()
    }

    /// Forgets clients that have not tried for long.
    pub fn tidy(&self) {
        self.0.retain_recent();
    }
}

/// One subscriber holds a whole /64 of IPv6.
fn household(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_slowed_and_its_neighbour_is_not() {
        let limits = Limits::new();
        let client = "192.0.2.1".parse().unwrap();
        let admitted = (0..100).filter(|_| limits.admits(client)).count();
        assert!((60..65).contains(&admitted), "{admitted}");
        assert!(limits.admits("192.0.2.2".parse().unwrap()));
        assert_eq!(household("2001:db8:1:2:3::4".parse().unwrap()), "2001:db8:1:2::".parse::<IpAddr>().unwrap());
    }
}
