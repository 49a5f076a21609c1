//! Whether a server has the keys of the installation. With others it would seal what the rest cannot open.
use crate::domain::ctx::Ctx;
use crate::secret::{Keyring, Purpose, SealFault};
use crate::store::{Store, StoreError, Tx, sealed};

/// Why the keys will not do.
#[derive(Debug, thiserror::Error)]
pub enum KeysRefused {
    /// They are another installation's, or a new file was made beside an old database.
    #[error(
        "the keys of this server do not open what the installation sealed with its own: give every server the same \
         `secret.key_file` or `secret.keys`, or put back the key file of this installation"
    )]
    Others,
    /// The mark could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealFault),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares the keys with the mark of the installation, and leaves one under the key in use.
///
/// # Errors
/// [`KeysRefused`].
pub async fn confirm(store: &Store, ctx: &Ctx, keyring: &Keyring) -> Result<(), KeysRefused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let mark = sealed::mark(tx).await?;
            if let Some(mark) = &mark {
                keyring.open(Purpose::Mark, mark).map_err(|_| KeysRefused::Others)?;
            }
            if mark.is_none_or(|mark| !keyring.in_use(&mark)) {
                sealed::set_mark(tx, &keyring.seal(ctx, Purpose::Mark, b"rolecall")?).await?;
            }
            Ok(())
        })
        .await
}
