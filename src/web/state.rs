//! What every handler can reach.
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;
use crate::config::{Config, PublicUrl};
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::{ConnectionId, UserId};
use crate::jobs::health::Health;
use crate::provision::users::UserCreateBatcher;
use crate::secret::Keyring;
use crate::store::Store;
use crate::store::request_log::RequestLog;
use crate::store::tokens::TokenCache;
use crate::web::login::LoginState;
use crate::web::rate_limit::RequestLimiter;
use crate::web::scim::last_used::Uses;
use crate::web::scim::options_cache::ScimOptionsCache;

/// The state of the server; one for all its workers.
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// The store.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The address users and providers reach us by.
    pub public_url: PublicUrl,
    /// The keys that seal secrets.
    pub keyring: Arc<Keyring>,
    /// Signing in.
    pub desk: Arc<LoginState>,
    /// The log of SCIM requests.
    pub request_log: RequestLog,
    /// How often each SCIM connection may ask.
    pub fairness: RequestLimiter<ConnectionId>,
    /// Which refused requests of a connection the log still tells of, one a second: a flood must not fill it.
    pub refusals_told: RequestLimiter<ConnectionId>,
    /// The same of requests that may be anybody's: they must not hide the others.
    pub strangers_told: RequestLimiter<ConnectionId>,
    /// How often each user may ask the API.
    pub api_fairness: RequestLimiter<UserId>,
    /// What each SCIM connection offers.
    pub offers: ScimOptionsCache,
    /// Where users arrive over SCIM.
    pub pending_users: UserCreateBatcher,
    /// What the tokens of SCIM connections open.
    pub opened: TokenCache,
    /// When tokens were last used.
    pub uses: Uses,
    /// How often each address may ask where nobody else is counted.
    pub strangers: RequestLimiter<IpAddr>,
    /// What is wrong with this server, as far as it knows.
    pub health: Arc<Health>,
    stopping: AtomicBool,
}

impl App {
    /// The state of a server that answers at `public_url`.
    pub fn new(
        config: Config,
        store: Store,
        clock: Clock,
        public_url: PublicUrl,
        keyring: Arc<Keyring>,
        desk: Arc<LoginState>,
        (request_log, health): (RequestLog, Arc<Health>),
    ) -> Self {
        let limits = &config.server.limits;
        Self {
            fairness: RequestLimiter::new(config.scim.requests_per_second, config.scim.burst),
            refusals_told: RequestLimiter::new(1, 1),
            strangers_told: RequestLimiter::new(1, 1),
            api_fairness: RequestLimiter::new(config.api.requests_per_second, config.api.burst),
            offers: ScimOptionsCache::default(),
            pending_users: UserCreateBatcher::new(store.clone()),
            opened: TokenCache::default(),
            uses: Uses::default(),
            strangers: RequestLimiter::new(limits.requests_per_second, limits.burst),
            health,
            stopping: AtomicBool::new(false),
            config,
            store,
            clock,
            public_url,
            keyring,
            desk,
            request_log,
        }
    }

    /// The circumstances of an act that `actor` begins now.
    pub fn ctx(&self, actor: Actor) -> Ctx {
        self.clock.ctx(actor)
    }

    /// A short name for one request.
    pub fn fresh_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.ctx(Actor::System).random::<12>())
    }

    /// Whether the server has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// From now on `/readyz` says no.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}
