//! Placements: the one exclusive user group a person is in, stored when what it rests on changes.
use super::{Effect, ProvisionError, Source, What};
use crate::domain::ctx::Ctx;
use crate::store::{Tx, effective_lists, people};

/// Places those anew whom the act touched: their memberships, conditions, links or activity changed.
pub(super) async fn refresh(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    // Without a rule that places, nothing this directory says can move anybody.
    if effect.touched.is_empty() || !people::placed_by_rules(tx, at).await? {
        return Ok(());
    }
    for (person, group) in effective_lists::misplaced(tx, &effect.touched).await? {
        if people::place(tx, at, person, group, ctx.now()).await? {
            effect.person(at.connection(), person, What::Placed { group });
        }
    }
    Ok(())
}
