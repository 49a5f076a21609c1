//! What every use case is told from outside: when it is, who acts, and where fresh ids come from.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ConnectionId, Id, RunId, UserId};
use super::time::Timestamp;

/// Who stands behind an act. Written on every event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A user in the console or over the API.
    User {
        /// The user.
        user: UserId,
    },
    /// A directory, through one of its connections.
    Connection {
        /// The connection.
        connection: ConnectionId,
        /// The synchronisation run, when there is one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        run: Option<RunId>,
    },
    /// The operator, on the command line.
    Operator,
    /// The server itself: sealing, expiry.
    System,
}

/// Where fresh ids and random bytes come from.
pub trait Entropy: Send + Sync {
    /// A new UUID v7 of the moment `now`.
    fn uuid(&self, now: Timestamp) -> Uuid;
    /// Fills `bytes` with unpredictable values.
    fn fill(&self, bytes: &mut [u8]);
}

/// The circumstances of one act. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    now: Timestamp,
    actor: Actor,
    entropy: Arc<dyn Entropy>,
}

impl Ctx {
    /// The circumstances of an act by `actor` at `now`.
    pub fn new(now: Timestamp, actor: Actor, entropy: Arc<dyn Entropy>) -> Self {
        Self { now, actor, entropy }
    }

    /// The moment of the act.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// The same moment, another actor.
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// A fresh, time-ordered id of any kind.
    pub fn id<T: Id>(&self) -> T {
        T::from_uuid(self.entropy.uuid(self.now))
    }

    /// Unpredictable bytes, for tokens and keys.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("now", &self.now).field("actor", &self.actor).finish()
    }
}
