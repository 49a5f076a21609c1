//! What the pages of signing in share, and what runs beside them.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::watch;
use url::Url;

use super::limits::AttemptLimiter;
use crate::clock::Clock;
use crate::config::{Config, PublicUrl};
use crate::domain::time::Timestamp;
use crate::login::LoginService;
use crate::login::address_policy::Policy;
use crate::login::fetch::Fetch;
use crate::secret::Keyring;
use crate::store::Store;

/// How often last uses are written.
const FLUSH: Duration = Duration::from_secs(60);

/// Signing in, as the server holds it.
pub struct LoginState {
    /// The use cases.
    pub login: LoginService,
    pub(super) limits: AttemptLimiter,
    pub(super) begun: AttemptLimiter,
    clients: AttemptLimiter,
}

impl LoginState {
    /// Sets signing in up.
    ///
    /// # Errors
    /// A sentence for the operator: a setting for requests to providers is unusable.
    pub fn open(config: &Config, store: &Store, keys: Arc<Keyring>, public_url: &PublicUrl) -> Result<Self, String> {
        let fetch = fetch(config)?;
        let public_url = Url::parse(public_url.as_str()).map_err(|error| error.to_string())?;
        Ok(Self {
            login: LoginService::new(store.clone(), fetch, keys, public_url),
            limits: AttemptLimiter::of_failures(),
            begun: AttemptLimiter::of_begun(),
            clients: AttemptLimiter::of_failures(),
        })
    }

    /// Whether the machine at this address may ask for an access token now: not when too many of its tries have failed.
    pub fn admits_client(&self, address: IpAddr, now: Timestamp) -> bool {
        self.clients.admits(address, now)
    }

    /// Counts a client that did not prove itself, from this address.
    pub fn count_client(&self, address: IpAddr, now: Timestamp) {
        self.clients.count(address, now);
    }

    /// Writes now and then when sessions and tokens were last used, and once more at the end; forgets ended sessions.
    pub async fn keep(self: Arc<Self>, clock: Clock, mut told: watch::Receiver<bool>) {
        for minute in 0_u64.. {
            let stopping = tokio::time::timeout(FLUSH, told.wait_for(|stop| *stop)).await.is_ok();
            if let Err(error) = self.login.flush_uses().await {
                tracing::warn!(%error, "when sessions and tokens were last used could not be written");
            }
            if stopping {
                return;
            }
            for limits in [&self.limits, &self.begun, &self.clients] {
                limits.tidy(clock.now());
            }
            if minute.is_multiple_of(60) {
                match self.login.purge_ended(clock.now()).await {
                    Ok(count) => tracing::debug!(count, "ended sessions were forgotten"),
                    Err(error) => tracing::warn!(%error, "ended sessions could not be forgotten"),
                }
            }
        }
    }
}

/// Where the server may make connections to, by the operator's word.
pub fn policy(config: &Config) -> Policy {
    Policy { allow: config.outbound.allowed_networks.clone(), loopback: config.outbound.allow_loopback }
}

/// What asks providers, under the operator's settings.
///
/// # Errors
/// A sentence for the operator: certificates that cannot be used.
pub fn fetch(config: &Config) -> Result<Fetch, String> {
    Fetch::new(policy(config), &extra_roots(config)?)
}

fn extra_roots(config: &Config) -> Result<Vec<u8>, String> {
    match &config.outbound.ca_file {
        Some(path) => {
            let at = path.display();
            let pem = std::fs::read(path).map_err(|error| format!("{at}: {error}"))?;
            match CertificateDer::pem_slice_iter(&pem).next() {
                Some(_) => Ok(pem),
                None => Err(format!("{at} holds no certificate")),
            }
        }
        None => Ok(Vec::new()),
    }
}
