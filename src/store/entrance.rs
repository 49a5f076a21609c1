//! Whether anybody can come in at all.
use super::extent::OperatorExtent;
use super::{Reader, StoreError, first};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

statements! {
    SHUT = "SELECT EXISTS (SELECT 1 FROM installation) \
        AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.expires_at > $1) \
        AND NOT EXISTS (SELECT 1 FROM one_time_links l WHERE l.used_at IS NULL AND l.expires_at > $1) \
        AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.kind = 'oidc' AND c.state = 'active')";
}

/// Whether an installation has no session, no one-time link and no active OpenID connection left at `now`.
///
/// # Errors
/// Only those of the store.
pub async fn is_shut(reader: &mut Reader, _by: &OperatorExtent, now: Timestamp) -> Result<bool, StoreError> {
    reader.one(&SHUT, binds![now], first).await
}
