//! Trying a provider, for whoever sets a connection up.
use super::LoginService;
use super::discovery::discover;
use super::jwks::fetch_keys;
use crate::connection::oidc::OidcSettings;
use crate::store::connections::ConnectionContext;

impl LoginService {
    /// Asks the provider of a connection for its description and its keys, past everything that is kept of it; what it
    /// answered, or what is wrong, as a sentence.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn probe(&self, connection: &ConnectionContext) -> Result<String, String> {
        let config =
            OidcSettings::read(&connection.connection.settings).map_err(|why| format!("The settings: {why}."))?;
        let fetch = self.providers.fetch();
        let metadata = discover(fetch, &config.issuer).await.map_err(|refusal| said(&refusal.detail))?;
        fetch_keys(fetch, &metadata.jwks_uri).await.map_err(|refusal| said(&refusal.detail))?;
        Ok(format!("{} answers, and its keys can be read.", metadata.issuer))
    }
}

fn said(detail: &str) -> String {
    format!("The provider cannot be used: {detail}.")
}
