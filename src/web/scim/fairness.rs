//! Limits each connection's requests, so that one cannot starve the others.
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::Scim;
use crate::domain::id::ConnectionId;

/// The rate of every connection.
pub struct Fairness {
    limiter: Option<DefaultKeyedRateLimiter<ConnectionId>>,
    clock: DefaultClock,
}

impl Fairness {
    /// As configured; a rate of 0 sets no limit.
    pub fn new(settings: &Scim) -> Self {
        let quota = NonZeroU32::new(settings.requests_per_second)
            .zip(NonZeroU32::new(settings.burst))
            .map(|(rate, burst)| Quota::per_second(rate).allow_burst(burst));
        Self { limiter: quota.map(RateLimiter::keyed), clock: DefaultClock::default() }
    }

    /// Counts a request of `connection`.
    ///
    /// # Errors
    /// How long it should wait before the next.
    pub fn admit(&self, connection: ConnectionId) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(&connection).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

impl std::fmt::Debug for Fairness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fairness").field("limited", &self.limiter.is_some()).finish_non_exhaustive()
    }
}
