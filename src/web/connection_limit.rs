//! How many connections there may be: from one address, and altogether.
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{LimitsConfig, Network};

/// Files that the process needs besides its clients: the store, the log, directories, providers.
const OWN_FILES: u64 = 256;

/// Counts the connections of each address.
#[derive(Clone)]
pub struct ConnectionLimiter(Arc<Inner>);

struct Inner {
    most: usize,
    /// Proxies speak for many.
    uncounted: Vec<Network>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place; free again when dropped.
pub struct ConnectionSlot {
    connections: ConnectionLimiter,
    address: IpAddr,
}

impl ConnectionLimiter {
    /// At most so many connections from one address; 0 sets no limit. The `uncounted` may have any number.
    pub fn new(most: usize, uncounted: Vec<Network>) -> Self {
        Self(Arc::new(Inner { most, uncounted, open: Mutex::default() }))
    }

    /// Lets a connection in: with a place where its address is counted.
    ///
    /// # Errors
    /// The address has as many as it may.
    pub fn enter(&self, address: IpAddr) -> Result<Option<ConnectionSlot>, Crowded> {
        let address = address.to_canonical();
        let inner = &self.0;
        if inner.most == 0 || inner.uncounted.iter().any(|network| network.contains(address)) {
            return Ok(None);
        }
        let address = counted_as(address);
        let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= inner.most {
            metrics::counter!("rolecall_http_connections_refused_total").increment(1);
            return Err(Crowded);
        }
        *count += 1;
        Ok(Some(ConnectionSlot { connections: self.clone(), address }))
    }
}

/// An address has as many connections as it may.
#[derive(Debug)]
pub struct Crowded;

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.connections.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Whoever has one address of IPv6 has a whole /64.
fn counted_as(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Lets the process open as many files as it ever may, and says how many connections each worker may then have.
pub fn open_files(limits: &LimitsConfig, workers: usize) -> usize {
    let now = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, "the number of files this process may open could not be raised");
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return limits.max_connections_per_worker };
    let each = files.saturating_sub(OWN_FILES.min(files / 2)) / workers.max(1) as u64;
    let most = limits.max_connections_per_worker.min(usize::try_from(each).unwrap_or(usize::MAX)).max(1);
    if most < limits.max_connections_per_worker {
        tracing::warn!(
            files,
            connections = most,
            "this process may open too few files for `server.limits.max_connections_per_worker`; each worker takes fewer"
        );
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_the_others_theirs() {
        let connections = ConnectionLimiter::new(2, vec![Network::try_from("10.0.0.0/8".to_owned()).unwrap()]);
        let first = connections.enter(address("192.0.2.1")).unwrap();
        let _second = connections.enter(address("::ffff:192.0.2.1")).unwrap();
        assert!(connections.enter(address("192.0.2.1")).is_err());
        assert!(connections.enter(address("192.0.2.2")).is_ok());
        drop(first);
        let _third = connections.enter(address("192.0.2.1")).unwrap();
        let proxied: Vec<_> = (0..5).map(|_| connections.enter(address("10.1.1.1")).unwrap()).collect();
        assert!(proxied.iter().all(Option::is_none));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let connections = ConnectionLimiter::new(1, Vec::new());
        let _first = connections.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(connections.enter(address("2001:db8:1:2:ffff::9")).is_err());
        assert!(connections.enter(address("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn no_limit_counts_nothing() {
        let connections = ConnectionLimiter::new(0, Vec::new());
        let all: Vec<_> = (0..9).map(|_| connections.enter(address("192.0.2.1")).unwrap()).collect();
        assert!(all.iter().all(Option::is_none));
    }
}
