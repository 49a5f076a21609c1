//! What signing in needs, together.
use std::sync::Arc;

use url::Url;

use super::client::ClientJwksCache;
use super::error::{LoginError, LoginErrorKind};
use super::fetch::Fetch;
use super::provider::Providers;
use super::session::LastUsed;
use crate::connection::oidc::OidcSettings;
use crate::domain::directory::{ConnectionKind, ConnectionState, DirectoryMode};
use crate::domain::id::{SessionId, TokenId};
use crate::scim::schema::SchemaSet;
use crate::secret::{Keyring, SealPurpose};
use crate::store::Store;
use crate::store::connections::{self, ConnectionContext};

/// The place where users sign in; one for the whole server.
pub struct LoginService {
    pub(super) store: Store,
    pub(super) providers: Providers,
    pub(super) published: ClientJwksCache,
    pub(super) keys: Arc<Keyring>,
    pub(super) public_url: Url,
    pub(super) seen: LastUsed<SessionId>,
    pub(super) used: LastUsed<TokenId>,
    pub(super) schemas: SchemaSet,
}

/// An open sign-in connection.
pub(super) struct OidcConnection {
    pub(super) connection: ConnectionContext,
    pub(super) config: OidcSettings,
}

impl OidcConnection {
    /// The claim whose value names the same user at every connection of the directory.
    pub(super) fn matching_claim(&self) -> &str {
        self.connection.matching_attribute.as_deref().unwrap_or("sub")
    }
}

impl LoginService {
    /// Signing in at `public_url`, with providers asked through `fetch`.
    pub fn new(store: Store, fetch: Fetch, keys: Arc<Keyring>, public_url: Url) -> Self {
        Self {
            store,
            providers: Providers::new(fetch),
            published: ClientJwksCache::default(),
            keys,
            public_url,
            seen: LastUsed::default(),
            used: LastUsed::default(),
            schemas: SchemaSet::base(),
        }
    }

    /// Whether cookies can be bound to TLS: not on this machine without it.
    pub fn secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// The sign-in connection called `slug`, if it is open. An unknown one and a closed one are told apart only in the
    /// log.
    pub(super) async fn open(&self, slug: &str) -> Result<OidcConnection, LoginError> {
        let mut reader = self.store.reader().await?;
        let connection = connections::open_connection_named(&mut reader, slug, ConnectionKind::Oidc).await?;
        let connection = connection.ok_or_else(|| {
            LoginError::new(LoginErrorKind::Unknown, "connection.unknown", format!("no sign-in {slug:?}"))
        })?;
        if connection.connection.state != ConnectionState::Active {
            let why = format!("{slug:?} is switched off");
            return Err(
                LoginError::new(LoginErrorKind::Unknown, "connection.unknown", why).at(connection.connection.id)
            );
        }
        if connection.mode == DirectoryMode::Observe {
            let why = format!("the directory of {slug:?} is only observed");
            return Err(
                LoginError::new(LoginErrorKind::Observed, "connection.observed", why).at(connection.connection.id)
            );
        }
        let config = OidcSettings::read(&connection.connection.settings)
            .map_err(|problem| LoginError::setup("connection.config", problem).at(connection.connection.id))?;
        Ok(OidcConnection { connection, config })
    }

    /// The client secret of a connection, opened.
    pub(super) async fn client_secret(
        &self,
        open: &OidcConnection,
    ) -> Result<Option<zeroize::Zeroizing<String>>, LoginError> {
        let mut reader = self.store.reader().await?;
        let Some(sealed) = connections::secret(&mut reader, &open.connection.extent).await? else { return Ok(None) };
        let fault = |detail: String| LoginError::setup("connection.secret", detail);
        let plain = self
            .keys
            .open(SealPurpose::secret_of(&open.connection.connection), &sealed)
            .map_err(|error| fault(error.to_string()))?;
        let text = std::str::from_utf8(&plain).map_err(|_| fault("the secret is not text".to_owned()))?;
        Ok(Some(zeroize::Zeroizing::new(text.to_owned())))
    }
}
