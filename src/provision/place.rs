//! Placements: the one exclusive user group a person is in, stored when it changes.
use super::{Effect, ProvisionError, Source};
use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::store::Tx;

/// Places people anew whose memberships, conditions or activity changed.
pub(super) async fn refresh(
    _tx: &mut Tx,
    _ctx: &Ctx,
    _source: &Source<'_>,
    _people: &[UserId],
    _effect: &mut Effect,
) -> Result<(), ProvisionError> {
    Ok(())
}
