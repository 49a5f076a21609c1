//! What a directory may confer at most, and whether a rule reaches beyond it.
use std::collections::{BTreeMap, BTreeSet};

use super::said::role_name;
use super::{ApplyError, Run};
use crate::access::scope::{Tree, contains, disjoint};
use crate::admin::declaration::DirectoryDecl;
use crate::admin::record;
use crate::domain::directory::Ceiling;
use crate::domain::grant::{Reach, Scope};
use crate::domain::id::{DirectoryId, PartnerId, RoleId, UserGroupId};
use crate::domain::rule::Effect;
use crate::provision::event::{Event, Kind};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, directories, partners, roles};

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
    at: &PartnerExtent,
    ceilings: &[Ceiling],
    effect: &Effect,
) -> Result<&'static str, ApplyError> {
    let Effect::Grant { role, scope } = effect else { return Ok("") };
    let line = line(tx, at, *role).await?;
    let rows: Vec<&Scope> = ceilings.iter().filter(|row| line.contains(&row.role)).map(|row| &row.scope).collect();
    let mut shape = Shape::default();
    for scope in rows.iter().copied().chain([scope]) {
        shape.learn(tx, run, scope).await?;
    }
    if rows.iter().all(|most| disjoint(most, scope, &shape)) {
        return Ok(" (outside the ceiling: confers nothing)");
    }
    let whole = rows.iter().any(|most| contains(most, scope, &shape));
    Ok(if whole { "" } else { " (clipped by the ceiling)" })
}

/// A role with those above it: a ceiling row counts for its role and the ones below.
async fn line(tx: &mut Tx, at: &PartnerExtent, role: RoleId) -> Result<BTreeSet<RoleId>, ApplyError> {
    let mut line = BTreeSet::new();
    let mut next = Some(role);
    while let Some(id) = next.filter(|id| line.insert(*id)) {
        next = roles::usable_by_id(tx, at, id).await?.and_then(|role| role.parent);
    }
    Ok(line)
}

/// The part of the partner tree that some scopes speak of.
#[derive(Default)]
struct Shape {
    above: BTreeMap<PartnerId, BTreeSet<PartnerId>>,
    owners: BTreeMap<UserGroupId, PartnerId>,
}

impl Shape {
    async fn learn(&mut self, tx: &mut Tx, run: &Run<'_>, scope: &Scope) -> Result<(), ApplyError> {
        if let Reach::Groups { partner, groups } = &scope.reach {
            self.owners.extend(groups.iter().map(|group| (*group, *partner)));
        }
        for partner in scope.without_partners.iter().copied().chain([scope.partner()]) {
            let path = partners::path(tx, &run.by.at(partner)).await?;
            self.above.insert(partner, path.into_iter().map(|above| above.id).collect());
        }
        Ok(())
    }
}

impl Tree for Shape {
    fn within(&self, partner: PartnerId, top: PartnerId) -> bool {
        self.above.get(&partner).is_some_and(|above| above.contains(&top))
    }
    fn owner(&self, group: UserGroupId) -> Option<PartnerId> {
        self.owners.get(&group).copied()
    }
}
