//! Manual grants. A declared grant is a holder, a role and a scope; another scope takes the place of the old one.
use std::collections::BTreeMap;

use super::error::Spot;
use super::{ApplyError, Run};
use crate::admin::declaration::{GrantDecl, PartnerDecl};
use crate::admin::record;
use crate::domain::grant::{Holder, ManualGrant, Scope, ScopeBase};
use crate::domain::id::RoleId;
use crate::domain::time::Window;
use crate::provision::event::{Event, Kind};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, grants as stored, partners, roles};

/// A declared grant, its names looked up.
struct Wanted {
    place: Spot,
    at: PartnerExtent,
    role: RoleId,
    holder: Holder,
    scope: Scope,
    reason: Option<String>,
}

pub(super) async fn all(tx: &mut Tx, run: &mut Run<'_>, decls: &[GrantDecl]) -> Result<(), ApplyError> {
    let mut together: Vec<Vec<Wanted>> = Vec::new();
    let mut places: BTreeMap<(Holder, RoleId), usize> = BTreeMap::new();
    for (number, decl) in decls.iter().enumerate() {
        let wanted = look_up(tx, run, decl.spot(number), decl).await;
        let Some(wanted) = run.note(wanted)? else { continue };
        let place = *places.entry((wanted.holder, wanted.role)).or_insert(together.len());
        match together.get_mut(place) {
            Some(others) => others.push(wanted),
            None => together.push(vec![wanted]),
        }
    }
    for wanted in &together {
        let done = settle(tx, run, wanted).await;
        run.note(done)?;
    }
    Ok(run.written(tx).await?)
}

async fn look_up(tx: &mut Tx, run: &mut Run<'_>, place: Spot, decl: &GrantDecl) -> Result<Wanted, ApplyError> {
    let reason = decl.reason.as_deref().map_or(Ok(()), |reason| super::long(&place, "reason", reason));
    run.note(reason)?;
    let scope = run.scope(tx, &place.part("scope"), &decl.scope).await;
    let scope = run.note(scope)?;
    let at = run.partner(tx, &place.part("partner"), &decl.partner).await?;
    let role = run.role(tx, &place.part("role"), &at, &decl.role).await;
    let role = run.note(role)?;
    let holder = match (&decl.user, &decl.user_group) {
        (Some(login), None) => Holder::User(run.user(tx, &place.part("user"), &at, login).await?),
        (None, Some(group)) => Holder::Group(run.group(tx, &place.part("user_group"), &at, group).await?.id),
        _ => return Err(place.wrong("name either `user` or `group`")),
    };
    let (role, scope) = role.zip(scope).ok_or_else(ApplyError::follows)?;
    Ok(Wanted { place, at, role: role.id, holder, scope, reason: decl.reason.clone() })
}

/// Brings the grants of one role to one holder to what is declared of them. Where exactly one is stored that is not
/// declared, and others are declared that are not stored, these take its place: else a narrowed grant would leave the
/// wide one behind.
async fn settle(tx: &mut Tx, run: &mut Run<'_>, wanted: &[Wanted]) -> Result<(), ApplyError> {
    let Some(Wanted { at, holder, role, .. }) = wanted.first() else { return Ok(()) };
    let mut held = match run.known.is_complete(at.partner()) {
        true => run.known.grants_of(*holder).to_vec(),
        false => stored::of_holder(tx, at, *holder).await?,
    };
    held.retain(|grant| grant.role == *role);
    let mut fresh = Vec::new();
    for (index, one) in wanted.iter().enumerate() {
        if let Some(twin) = wanted.iter().take(index).find(|twin| twin.scope == one.scope) {
            if twin.reason != one.reason {
                return Err(one.place.wrong("the file declares it twice, with different reasons"));
            }
            continue;
        }
        let mut there = held.iter().filter(|grant| grant.scope == one.scope).peekable();
        if there.peek().is_none() {
            fresh.push(one);
        }
        for grant in there {
            keep(tx, run, one, grant).await?;
        }
    }
    let mut loose = held.iter().filter(|grant| wanted.iter().all(|one| one.scope != grant.scope));
    let mut old = match (loose.next(), loose.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    for one in fresh {
        give(tx, run, one, old.take()).await?;
    }
    Ok(())
}

/// A grant that is declared and there: only its reason may differ. None declared leaves it.
async fn keep(tx: &mut Tx, run: &mut Run<'_>, wanted: &Wanted, grant: &ManualGrant) -> Result<(), ApplyError> {
    run.named.insert(grant.id);
    let Some(reason) = wanted.reason.as_ref().filter(|reason| grant.reason.as_ref() != Some(*reason)) else {
        return Ok(());
    };
    stored::set_reason(tx, &wanted.at, grant.id, reason).await?;
    let event = Event::of(Kind::GrantUpdated, grant.id).names("attributes", &["reason".to_owned()]);
    record(tx, run.ctx, wanted.at.partner(), event).await?;
    let before = grant.reason.as_ref().map_or_else(|| "none".to_owned(), |before| format!("“{before}”"));
    let over = run.over(tx, &grant.scope).await?;
    run.plan.changed(format!("{} over {over}: reason {before} → “{reason}”", wanted.place));
    Ok(())
}

/// Gives a declared grant, in the place of an old one when there is one.
async fn give(tx: &mut Tx, run: &mut Run<'_>, wanted: &Wanted, old: Option<&ManualGrant>) -> Result<(), ApplyError> {
    let new = ManualGrant {
        id: run.ctx.id(),
        role: wanted.role,
        holder: wanted.holder,
        scope: wanted.scope.clone(),
        // A grant that ends still ends then.
        window: old.map_or_else(Window::default, |old| old.window),
        granted_by: None,
        reason: wanted.reason.clone().or_else(|| old.and_then(|old| old.reason.clone())),
        created_at: run.ctx.now(),
    };
    let event = told(Event::of(Kind::GrantCreated, new.id), &new);
    run.named.insert(new.id);
    let over = run.over(tx, &new.scope).await?;
    run.make_grant(tx, wanted.at.partner(), new, event).await?;
    match old {
        None => run.plan.created(format!("{} over {over}", wanted.place)),
        Some(old) => {
            // Whether somebody is left who holds it is asked of the store.
            run.written(tx).await?;
            take_back(tx, run, &wanted.at, &wanted.place, old).await?;
            let before = run.over(tx, &old.scope).await?;
            run.plan.changed(format!("{}: {before} → {over}", wanted.place));
        }
    }
    Ok(())
}

async fn take_back(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    place: &Spot,
    grant: &ManualGrant,
) -> Result<(), ApplyError> {
    stored::delete(tx, at, grant.id).await?;
    run.replaced.insert(grant.id);
    record(tx, run.ctx, at.partner(), told(Event::of(Kind::GrantDeleted, grant.id), grant)).await?;
    somebody_left(tx, run, place, grant).await
}

fn told(event: Event, grant: &ManualGrant) -> Event {
    let event = event.id("role", grant.role);
    match grant.holder {
        Holder::User(id) => event.id("user", id),
        Holder::Group(id) => event.id("user_group", id),
    }
}

/// Somebody must go on holding each role of the catalog that stands under no other over the whole tree: else nobody
/// could ever give it again.
async fn somebody_left(tx: &mut Tx, run: &Run<'_>, place: &Spot, gone: &ManualGrant) -> Result<(), ApplyError> {
    let Some(root) = partners::root(tx, &run.by).await? else { return Ok(()) };
    let top = run.by.at(root.id);
    if gone.scope.base != (ScopeBase::Subtree { partner: root.id }) {
        return Ok(());
    }
    let role = roles::usable_by_id(tx, &top, gone.role).await?;
    let owners = role.filter(|role| role.parent.is_none() && role.catalog_key.is_some());
    match owners {
        Some(role) if stored::holders_over(tx, &top, role.id).await? == 0 => {
            let why = format!("nobody would hold {} over the whole tree any more; give it to someone first", role.name);
            Err(place.wrong(why))
        }
        _ => Ok(()),
    }
}

/// The grants at declared partners that the declaration does not name: told, or taken back when the operator said so.
pub(super) async fn others(tx: &mut Tx, run: &mut Run<'_>, decls: &[PartnerDecl]) -> Result<(), ApplyError> {
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        let at = run.partner(tx, &spot, &decl.key).await?.alone();
        for grant in run.known.held_at(at.partner()) {
            if run.named.contains(&grant.id) || run.replaced.contains(&grant.id) {
                continue;
            }
            let (role, who) = (run.role_name(tx, &at, grant.role).await?, run.holder(tx, &at, grant.holder).await?);
            let place = format!("grant of {role} to {who}");
            let line = format!("{place} over {}", run.over(tx, &grant.scope).await?);
            if run.means.prune {
                let done = take_back(tx, run, &at, &Spot::new(place, spot.at()), &grant).await;
                if run.note(done)?.is_some() {
                    run.plan.removed(line);
                }
            } else {
                run.plan.beside("grants", line);
            }
        }
    }
    Ok(())
}
