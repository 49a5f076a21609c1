//! Cursors as clients see them: sealed, so that nobody can make or read one, and bound to their connection.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::request::ScimRequest;
use crate::domain::ctx::Actor;
use crate::scim::cursor::Cursor;
use crate::scim::error::ScimError;
use crate::secret::SealPurpose;

impl ScimRequest {
    /// Seals a cursor for this connection (RFC 9865 §2: unreserved characters only).
    ///
    /// # Errors
    /// 500 when it cannot be sealed.
    pub fn seal(&self, cursor: &Cursor) -> Result<String, ScimError> {
        let failed = || ScimError::plain(500, "The next page cannot be named; use \"startIndex\" instead.");
        let plain = serde_json::to_vec(cursor).map_err(|_| failed())?;
        let purpose = SealPurpose::Cursor(self.connection.connection.id);
        let sealed = self.app.keyring.seal(&self.app.ctx(Actor::System), purpose, &plain).map_err(|_| failed())?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a cursor; `None` unless it was sealed for this connection.
    pub fn unseal(&self, text: &str) -> Option<Cursor> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = self.app.keyring.open(SealPurpose::Cursor(self.connection.connection.id), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}
