//! What a directory may confer at most, and whether a rule reaches beyond it.
use super::said::role_name;
use super::{ApplyError, Run};
use crate::admin::declaration::DirectoryDecl;
use crate::admin::record;
use crate::domain::capability::CapabilityId;
use crate::domain::directory::Ceiling;
use crate::domain::id::DirectoryId;
use crate::domain::rule::Effect;
use crate::provision::event::{Event, Kind};
use crate::store::effective_lists::{self, Clip};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, directories};

/// Sets the ceiling to what is declared, whole.
pub(super) async fn set(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    at: &PartnerExtent,
    id: DirectoryId,
    decl: &DirectoryDecl,
) -> Result<Vec<Ceiling>, ApplyError> {
    let known = directories::ceilings(tx, at, id).await?;
    let mut wanted: Vec<Ceiling> = Vec::new();
    for row in &decl.ceilings {
        let role = run.role(tx, place, at, &row.role).await?.id;
        let row = Ceiling { role, scope: run.scope(tx, place, &row.scope).await? };
        if !wanted.contains(&row) {
            wanted.push(row);
        }
    }
    let mut gone: Vec<&Ceiling> = known.iter().filter(|row| !wanted.contains(row)).collect();
    let fresh: Vec<&Ceiling> = wanted.iter().filter(|row| !known.contains(row)).collect();
    if gone.is_empty() && fresh.is_empty() {
        return Ok(wanted);
    }
    directories::set_ceilings(tx, at, id, &wanted, run.ctx).await?;
    record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryChanged, id)).await?;
    for row in fresh {
        let (role, over) = (role_name(tx, at, row.role).await?, run.over(tx, &row.scope).await?);
        match gone.iter().position(|old| old.role == row.role) {
            Some(index) => {
                let before = run.over(tx, &gone.swap_remove(index).scope).await?;
                run.plan.changed(format!("ceiling of {place}: {role} over {before} → {over}"));
            }
            None => run.plan.created(format!("ceiling of {place}: {role} over {over}")),
        }
    }
    for row in gone {
        let (role, over) = (role_name(tx, at, row.role).await?, run.over(tx, &row.scope).await?);
        run.plan.removed(format!("ceiling of {place}: {role} over {over}"));
    }
    Ok(wanted)
}

/// How much of what a rule does the ceiling lets through, as a remark behind it; empty when all of it.
pub(super) async fn remark(
    tx: &mut Tx,
    run: &Run<'_>,
    ceilings: &[Ceiling],
    effect: &Effect,
) -> Result<String, ApplyError> {
    let Effect::Grant { role, scope } = effect else { return Ok(String::new()) };
    let (clip, missing) = effective_lists::clipped_by(tx, ceilings, *role, scope).await?;
    let named = |id: &CapabilityId| run.catalog.capabilities.iter().find(|one| one.id == *id).map(|one| &one.name);
    let missing: Vec<_> = missing.iter().filter_map(named).map(String::as_str).collect();
    Ok(match clip {
        Clip::Whole => String::new(),
        Clip::Nothing => " (outside the ceiling: confers nothing)".to_owned(),
        Clip::Part if missing.is_empty() => " (clipped by the ceiling)".to_owned(),
        Clip::Part => format!(" (clipped by the ceiling: without {})", missing.join(", ")),
    })
}
