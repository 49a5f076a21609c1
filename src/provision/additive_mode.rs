//! What a directory in additive mode may not say.
use super::ProvisionError;
use crate::domain::directory::DirectoryMode;
use crate::scim::error::ScimError;
use crate::store::extent::ConnectionExtent;
use crate::store::{Tx, directories};

/// Refuses an act that takes something away when the directory only adds: the caller learns that nothing happened,
/// instead of hearing of a success that conferred nothing. The mode is read here, in the act's own transaction and only
/// by acts that take away, so that a change of mode counts from the next act on and nobody else pays for it.
///
/// # Errors
/// 403 with the reason.
pub(super) async fn check(tx: &mut Tx, at: &ConnectionExtent, removes: bool) -> Result<(), ProvisionError> {
    if !removes || directories::mode(tx, at).await? != DirectoryMode::Additive {
        return Ok(());
    }
    let text = "This directory only adds: nobody is switched off, deleted or taken out of a group by it. Nothing was \
        changed.";
    Err(ScimError::plain(403, text).into())
}
