//! What each connection offers its client, built from its settings once.
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::connection::scim::ScimOptions;
use crate::domain::directory::Connection;
use crate::domain::id::ConnectionId;

/// The offers in use, each for the version of its connection it was built from.
#[derive(Debug, Default)]
pub struct ScimOptionsCache(RwLock<HashMap<ConnectionId, (i64, Arc<ScimOptions>)>>);

impl ScimOptionsCache {
    /// The offer of a connection.
    ///
    /// # Errors
    /// What in its settings cannot be used.
    pub fn of(&self, connection: &Connection) -> Result<Arc<ScimOptions>, String> {
        if let Some((version, offer)) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&connection.id)
            && *version == connection.version
        {
            return Ok(offer.clone());
        }
        let offer = Arc::new(ScimOptions::build(&connection.profile, &connection.settings)?);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(connection.id, (connection.version, offer.clone()));
        Ok(offer)
    }
}
