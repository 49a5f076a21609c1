//! What a directory may confer at most, and whether a rule reaches beyond it.
use super::error::Spot;
use super::{ApplyError, Run};
use crate::admin::declaration::DirectoryDecl;
use crate::admin::record;
use crate::domain::capability::CapabilityId;
use crate::domain::directory::CeilingEntry;
use crate::domain::id::DirectoryId;
use crate::domain::rule::RuleEffect;
use crate::provision::event::{Event, Kind};
use crate::store::effective_lists::{self, CeilingEffect};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, directories};

/// Sets the ceiling to what is declared, whole.
pub(super) async fn set(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    id: DirectoryId,
    decl: &DirectoryDecl,
) -> Result<Vec<CeilingEntry>, ApplyError> {
    let known = run.known.ceilings_of(id).to_vec();
    let (mut wanted, mut whole): (Vec<CeilingEntry>, bool) = (Vec::new(), true);
    for (number, row) in decl.ceilings.iter().enumerate() {
        let spot = place.part(format_args!("ceiling/{number}"));
        let role = run.role(tx, &spot.part("role"), at, &row.role).await;
        let role = run.note(role)?;
        let scope = run.scope(tx, &spot.part("scope"), &row.scope).await;
        match role.zip(run.note(scope)?) {
            Some((role, scope)) => {
                let row = CeilingEntry { role: role.id, scope };
                if !wanted.contains(&row) {
                    wanted.push(row);
                }
            }
            None => whole = false,
        }
    }
    if !whole {
        return Err(ApplyError::follows());
    }
    let mut gone: Vec<&CeilingEntry> = known.iter().filter(|row| !wanted.contains(row)).collect();
    let fresh: Vec<&CeilingEntry> = wanted.iter().filter(|row| !known.contains(row)).collect();
    if gone.is_empty() && fresh.is_empty() {
        return Ok(wanted);
    }
    directories::set_ceilings(tx, at, id, &wanted, run.ctx).await?;
    record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryUpdated, id)).await?;
    for row in fresh {
        let (role, over) = (run.role_name(tx, at, row.role).await?, run.over(tx, &row.scope).await?);
        match gone.iter().position(|old| old.role == row.role) {
            Some(index) => {
                let before = run.over(tx, &gone.swap_remove(index).scope).await?;
                run.plan.changed(format!("ceiling of {place}: {role} over {before} → {over}"));
            }
            None => run.plan.created(format!("ceiling of {place}: {role} over {over}")),
        }
    }
    for row in gone {
        let (role, over) = (run.role_name(tx, at, row.role).await?, run.over(tx, &row.scope).await?);
        run.plan.removed(format!("ceiling of {place}: {role} over {over}"));
    }
    Ok(wanted)
}

/// How much of what a rule does the ceiling lets through, as a remark behind it; empty when all of it.
pub(super) async fn remark(
    tx: &mut Tx,
    run: &Run<'_>,
    ceilings: &[CeilingEntry],
    effect: &RuleEffect,
) -> Result<String, ApplyError> {
    let RuleEffect::GrantRole { role, scope } = effect else { return Ok(String::new()) };
    let (clip, missing) = effective_lists::clipped_by(tx, ceilings, *role, scope).await?;
    let named = |id: &CapabilityId| run.catalog.capabilities.iter().find(|one| one.id == *id).map(|one| &one.name);
    let missing: Vec<_> = missing.iter().filter_map(named).map(String::as_str).collect();
    Ok(match clip {
        CeilingEffect::None => String::new(),
        CeilingEffect::Blocked => " (outside the ceiling: confers nothing)".to_owned(),
        CeilingEffect::Partial if missing.is_empty() => " (clipped by the ceiling)".to_owned(),
        CeilingEffect::Partial => format!(" (clipped by the ceiling: without {})", missing.join(", ")),
    })
}
