//! What is sealed: whether there is anything, for then the keys must be there, and the mark that tells whose keys.
use super::{Reader, Row, StoreError, Tx};
use crate::{binds, statements};

statements! {
    ANY = "SELECT id FROM connection WHERE secret IS NOT NULL LIMIT 1";
    MARK = "SELECT key_mark FROM installation WHERE id = 1";
    SET_MARK = "UPDATE installation SET key_mark = $1 WHERE id = 1";
}

/// Whether the store holds a sealed secret.
///
/// # Errors
/// Only those of the store.
pub async fn any(reader: &mut Reader) -> Result<bool, StoreError> {
    Ok(reader.optional(&ANY, binds![], |_: &Row| Ok(())).await?.is_some())
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
