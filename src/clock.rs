//! The only place that reads the clock and draws randomness of the machine.
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::ctx::{Actor, Ctx, Entropy};
use crate::domain::time::Timestamp;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// The present moment.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    /// The circumstances of an act that `actor` begins now.
    pub fn ctx(self, actor: Actor) -> Ctx {
        Ctx::new(self.now(), actor, Arc::new(System))
    }
}

/// The machine's randomness.
struct System;

impl Entropy for System {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }
}
