//! What is sealed: whether there is anything, for then the keys must be there, and the mark that tells whose keys.
use super::extent::OperatorExtent;
use super::{FromRow, Reader, Row, StoreError, Tx};
use crate::domain::directory::ConnectionKind;
use crate::domain::id::ConnectionId;
use crate::secret::SealPurpose;
use crate::{binds, statements};

statements! {
    ANY = "SELECT id FROM connections WHERE secret IS NOT NULL LIMIT 1";
    MARK = "SELECT key_check FROM installation WHERE id = 1";
    SECRETS = "SELECT id, kind, slug, settings, secret FROM connections WHERE secret IS NOT NULL AND id > $1 \
        ORDER BY id LIMIT $2";
    RESEAL = "UPDATE connections SET secret = $3 WHERE id = $1 AND secret = $2";
    SET_MARK = "UPDATE installation SET key_check = $1 WHERE id = 1";
}

/// Whether the store holds a sealed secret.
///
/// # Errors
/// Only those of the store.
pub async fn any(reader: &mut Reader) -> Result<bool, StoreError> {
    Ok(reader.optional(&ANY, binds![], |_: &Row| Ok(())).await?.is_some())
}

/// A sealed secret with what it is bound to.
pub struct SealedSecret {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// Its name in addresses.
    pub slug: String,
    /// What it opens for.
    pub purpose: SealPurpose,
    /// The envelope.
    pub sealed: Vec<u8>,
}

impl FromRow for SealedSecret {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let connection = row.get("id")?;
        let kind = ConnectionKind::parse(&row.get::<String>("kind")?);
        let kind = kind.ok_or_else(|| StoreError::Decode("kind".to_owned()))?;
        let config = serde_json::from_str(&row.get::<String>("settings")?);
        let config = config.map_err(|_| StoreError::Decode("settings".to_owned()))?;
        let purpose = SealPurpose::secret(connection, kind, &config);
        Ok(Self { connection, slug: row.get("slug")?, purpose, sealed: row.get("secret")? })
    }
}

/// At most `limit` sealed secrets of connections behind `after`, by id.
///
/// # Errors
/// Only those of the store.
pub async fn secrets(
    reader: &mut Reader,
    _by: &OperatorExtent,
    after: ConnectionId,
    limit: u32,
) -> Result<Vec<SealedSecret>, StoreError> {
    reader.all(&SECRETS, binds![after, i64::from(limit)], SealedSecret::from_row).await
}

/// Puts another envelope in the place of one that is still there.
///
/// # Errors
/// Only those of the store.
pub async fn reseal(tx: &mut Tx, _by: &OperatorExtent, of: &SealedSecret, anew: &[u8]) -> Result<(), StoreError> {
    tx.execute(&RESEAL, binds![of.connection, of.sealed.as_slice(), anew]).await.map(drop)
}

/// The mark of the installation's keys, once it has one.
///
/// # Errors
/// Only those of the store.
pub async fn mark(reader: &mut Reader) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(reader.optional(&MARK, binds![], |row: &Row| row.get(0)).await?.flatten())
}

/// Sets it; an empty store has no place for one yet.
///
/// # Errors
/// Only those of the store.
pub async fn set_mark(tx: &mut Tx, mark: &[u8]) -> Result<(), StoreError> {
    tx.execute(&SET_MARK, binds![mark]).await.map(drop)
}
