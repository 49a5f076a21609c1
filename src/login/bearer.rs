//! Bearer tokens of the API at the connection.
use super::LoginService;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::api_tokens::{self, TokenOwner};

impl LoginService {
    /// Whose API token this is, if it still counts. One indexed statement, nothing kept in memory.
    ///
    /// # Errors
    /// Only those of the store: then nobody is let in.
    pub async fn bearer(&self, presented: &str, now: Timestamp) -> Result<Option<TokenOwner>, StoreError> {
        let mut reader = self.store.reader().await?;
        let bearer = api_tokens::authenticate(&mut reader, presented, now).await?;
        if let Some(bearer) = &bearer {
            self.used.note(bearer.token, now);
        }
        Ok(bearer)
    }
}
