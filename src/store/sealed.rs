//! Whether anything is sealed: then the keys must be there.
use super::{Reader, Row, StoreError};
use crate::{binds, statements};

statements! {
    ANY = "SELECT id FROM connection WHERE secret IS NOT NULL LIMIT 1";
}

/// Whether the store holds a sealed secret.
///
/// # Errors
/// Only those of the store.
pub async fn any(reader: &mut Reader) -> Result<bool, StoreError> {
    Ok(reader.optional(&ANY, binds![], |_: &Row| Ok(())).await?.is_some())
}
