//! Limits the requests of each connection and each user, so that one cannot starve the others.
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// The rate of everyone of a kind.
pub struct RequestLimiter<K: Clone + Eq + Hash> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    clock: DefaultClock,
}

impl<K: Clone + Eq + Hash> RequestLimiter<K> {
    /// So many requests a second, after a burst; a rate of 0 sets no limit.
    pub fn new(requests_per_second: u32, burst: u32) -> Self {
        let quota = NonZeroU32::new(requests_per_second)
            .zip(NonZeroU32::new(burst))
            .map(|(rate, burst)| Quota::per_second(rate).allow_burst(burst));
        Self { limiter: quota.map(RateLimiter::keyed), clock: DefaultClock::default() }
    }

    /// Counts a request of `one`.
    ///
    /// # Errors
    /// How long it should wait before the next.
    pub fn admit(&self, one: K) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(&one).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

impl<K: Clone + Eq + Hash> std::fmt::Debug for RequestLimiter<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fairness").field("limited", &self.limiter.is_some()).finish_non_exhaustive()
    }
}
