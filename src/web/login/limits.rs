//! How much one client may try. Guards count what fails: whoever signs in, or is who they say, uses nothing up, however
//! many share an address.
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::time::Timestamp;

/// Failures of one client that count for nothing.
const FAILURES: i64 = 60;
/// Sign-ins one client may have begun without finishing them: each is a row of ours.
const BEGUN: i64 = 600;
/// Micros in which an allowance is whole again.
const MINUTE: i64 = 60_000_000;

/// What each client has left, and gets back over a minute.
pub struct AttemptLimiter {
    most: i64,
    /// By client: micros of the minute that are used up, and when that was so.
    used: Mutex<HashMap<IpAddr, (i64, Timestamp)>>,
}

impl AttemptLimiter {
    /// For what may fail 60 times a minute.
    pub fn of_failures() -> Self {
        Self { most: FAILURES, used: Mutex::default() }
    }

    /// For sign-ins that are begun: 600 a minute.
    pub fn of_begun() -> Self {
        Self { most: BEGUN, used: Mutex::default() }
    }

    /// Whether this client has anything left.
    pub fn admits(&self, client: IpAddr, now: Timestamp) -> bool {
        self.left(self.used().get(&household(client)), now) >= self.cost()
    }

    /// Uses up one.
    pub fn count(&self, client: IpAddr, now: Timestamp) {
        self.change(client, now, self.cost());
    }

    /// Gives one back: what looked like a try was good.
    pub fn give_back(&self, client: IpAddr, now: Timestamp) {
        self.change(client, now, -self.cost());
    }

    /// Forgets clients that have everything left.
    pub fn tidy(&self, now: Timestamp) {
        self.used().retain(|_, used| self.left(Some(used), now) < MINUTE);
    }

    fn used(&self) -> MutexGuard<'_, HashMap<IpAddr, (i64, Timestamp)>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn cost(&self) -> i64 {
        MINUTE / self.most
    }

    fn left(&self, used: Option<&(i64, Timestamp)>, now: Timestamp) -> i64 {
        let Some((used, since)) = used else { return MINUTE };
        let back = now.micros().saturating_sub(since.micros()).max(0);
        MINUTE - used.saturating_sub(back).max(0)
    }

    fn change(&self, client: IpAddr, now: Timestamp, by: i64) {
        let mut all = self.used();
        let client = household(client);
        let used = MINUTE - self.left(all.get(&client), now);
        all.insert(client, (used.saturating_add(by).clamp(0, MINUTE), now));
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
    fn failures_slow_a_client_and_what_is_good_does_not() {
        let limits = AttemptLimiter::of_failures();
        let [client, neighbour] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse::<IpAddr>().unwrap());
        let at = |seconds: i64| Timestamp::from_micros(1_000_000_000 + seconds * 1_000_000);
        assert!((0..10_000).all(|_| limits.admits(client, at(0))), "asking uses nothing up");
        for _ in 0..60 {
            assert!(limits.admits(client, at(0)));
            limits.count(client, at(0));
        }
        assert!(!limits.admits(client, at(0)) && limits.admits(neighbour, at(0)));
        limits.count(client, at(0));
        assert!(limits.admits(client, at(1)), "one a second comes back");
        limits.count(client, at(1));
        assert!(!limits.admits(client, at(1)));
        limits.give_back(client, at(1));
        assert!(limits.admits(client, at(1)));
        // A clock that goes back gives nothing and takes nothing.
        assert!(limits.admits(neighbour, at(-100)));
        limits.tidy(at(30));
        assert_eq!(limits.used().len(), 1);
        limits.tidy(at(120));
        assert_eq!(limits.used().len(), 0);
        let begun = AttemptLimiter::of_begun();
        for _ in 0..600 {
            assert!(begun.admits(client, at(0)));
            begun.count(client, at(0));
        }
        assert!(!begun.admits(client, at(0)));
    }

    #[test]
    fn a_subscriber_is_one_client() {
        assert_eq!(household("2001:db8:1:2:3::4".parse().unwrap()), "2001:db8:1:2::".parse::<IpAddr>().unwrap());
        assert_eq!(household("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
