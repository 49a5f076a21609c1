//! The only place that reads the clock and draws randomness of the machine.
use std::sync::{Arc, Mutex};
use std::time::Instant;

use uuid::{ContextV7, Uuid};

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

/// A moment that goes on: the circumstances of an act say when it began, and an act that waits for others needs to know
/// how late it has become. Not moved by a clock that is set meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    began: Timestamp,
    since: Instant,
}

impl Running {
    /// It is `now` now.
    pub fn from(now: Timestamp) -> Self {
        Self { began: now, since: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        let micros = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.began.micros().saturating_add(micros))
    }
}

/// The machine's randomness.
struct System;

/// Ids of the same moment are counted up, so that what one act makes keeps its order.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

impl Entropy for System {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let micros = u64::try_from(now.micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&ORDER, micros / 1_000_000, nanos))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{EventId, Id as _};

    #[test]
    fn ids_of_one_act_keep_their_order() {
        let ctx = Clock.ctx(Actor::System);
        let ids: Vec<EventId> = (0..10_000).map(|_| ctx.id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        let millis = u64::try_from(ctx.now().micros() / 1_000).unwrap();
        let (seconds, nanos) = ids[0].uuid().get_timestamp().unwrap().to_unix();
        assert_eq!(seconds * 1_000 + u64::from(nanos) / 1_000_000, millis);
    }
}
