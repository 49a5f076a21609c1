//! Names that rules gave to groups before the directory said them: bound to the group that has the name, once there is
//! one and only one. A second one soon after takes the binding back, so that it does not matter in which order groups
//! come, nor by which connection; later the rule keeps its group, and neither a rename nor a newcomer retargets it.
use super::event::{Event, Kind};
use super::{Effect, ProvisionError, ProvisionSource};
use crate::domain::ctx::Ctx;
use crate::domain::id::ExternalGroupId;
use crate::store::{Tx, nesting, reserved_groups};

/// How long another group of the name still takes a binding back, in seconds: a day, in which a directory that is being
/// connected has said what it has.
const OPEN_SECONDS: i64 = 86_400;

/// Looks whether a name that a group got or lost is waited for, and binds it, takes the binding back or lets it be.
pub(super) async fn settle(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    name: &str,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let Some(waiting) = reserved_groups::lock(tx, at, name).await? else { return Ok(()) };
    let having = reserved_groups::candidates(tx, at, name, waiting.bound).await?;
    match (waiting.bound, having.as_slice()) {
        (None, [one]) => {
            reserved_groups::rebind(tx, at, waiting.id, *one).await?;
            reserved_groups::set_bound(tx, at, name, Some((*one, ctx.now()))).await?;
            tell(tx, source, *one, "bound", effect).await
        }
        (None, _) => Ok(()),
        (Some(bound), [first, more @ ..]) if *first == bound => {
            let open = waiting.bound_at.is_some_and(|since| ctx.now() < since.plus_seconds(OPEN_SECONDS));
            match (more.is_empty(), open) {
                (true, true) => Ok(()),
                (false, true) => {
                    reserved_groups::rebind(tx, at, bound, waiting.id).await?;
                    reserved_groups::set_bound(tx, at, name, None).await?;
                    tell(tx, source, bound, "several", effect).await
                }
                (_, false) => Ok(reserved_groups::forget(tx, at, name).await?),
            }
        }
        // Its group was renamed or is gone: the rule stays with it.
        (Some(_), _) => Ok(reserved_groups::forget(tx, at, name).await?),
    }
}

/// Says what became of a name, and that those in the group may hold something else now.
async fn tell(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    group: ExternalGroupId,
    outcome: &'static str,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let event = Event::of(Kind::RuleSetBound, at.directory()).id("group", group).word("outcome", outcome);
    effect.event(event);
    effect.touch(nesting::users_inside_any(tx, at, group).await?);
    Ok(())
}
