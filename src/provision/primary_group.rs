//! Placements: the one primary user group a user is in, stored when what it rests on changes.
use super::event::{Event, Kind};
use super::{Effect, ProvisionError, ProvisionSource, UserChangeKind, events};
use crate::domain::ctx::Ctx;
use crate::domain::id::{DirectoryId, UserId};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, effective_lists, users};

/// Places those anew whom the act touched: their memberships, conditions, links or activity changed.
pub(super) async fn refresh(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    // Without a rule that places, nothing this directory says can move anybody.
    if effect.touched.is_empty() || !users::placed_by_rules(tx, &source.extent).await? {
        return Ok(());
    }
    // Two requests may each see half of why somebody belongs elsewhere: the later one looks when the other is done.
    users::hold(tx, &effect.touched).await?;
    by_rules(tx, source, &mut [(ctx, effect)]).await
}

/// [`refresh`] of several acts, where it is known that a rule places users, and nobody else changes those who are
/// touched. No act touched whom another did.
pub(super) async fn by_rules(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    acts: &mut [(&Ctx, &mut Effect)],
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let touched: Vec<UserId> = acts.iter().flat_map(|(_, effect)| effect.touched.iter().copied()).collect();
    for (user, from, group) in effective_lists::misplaced(tx, &touched).await? {
        let mut acts = acts.iter_mut();
        let Some((ctx, effect)) = acts.find(|(_, effect)| effect.touched.contains(&user)) else { continue };
        if users::place(tx, at, user, (from, group), ctx.now()).await? {
            effect.user(at.connection(), user, UserChangeKind::PrimaryGroupChanged { group });
        }
    }
    Ok(())
}

/// How many users are looked at together.
const PAGE: i64 = 500;

/// Places everyone anew of whom a directory speaks, after another rule set came into force there; how many moved.
///
/// # Errors
/// Those of the store.
pub async fn everyone(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<usize, ProvisionError> {
    let (mut moved, mut after) = (0, None);
    loop {
        let page = effective_lists::users_of(tx, at, directory, after, PAGE).await?;
        let Some(last) = page.last().copied() else { return Ok(moved) };
        after = Some(last);
        moved += anew(tx, ctx, at, &page).await?;
    }
}

/// Places those anew of the page of users behind `after` of whom a directory speaks, and keeps others from changing
/// them meanwhile; the last of them.
///
/// # Errors
/// Those of the store.
pub async fn page_again(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    directory: DirectoryId,
    after: Option<UserId>,
) -> Result<Option<UserId>, ProvisionError> {
    let page = effective_lists::users_of(tx, at, directory, after, PAGE).await?;
    users::hold(tx, &page).await?;
    anew(tx, ctx, at, &page).await?;
    Ok(page.last().copied())
}

/// Places those of `users` anew who are misplaced; how many moved.
async fn anew(tx: &mut Tx, ctx: &Ctx, at: &PartnerExtent, users: &[UserId]) -> Result<usize, ProvisionError> {
    let mut moved = 0;
    for (user, from, group) in effective_lists::misplaced(tx, users).await? {
        if users::place_at(tx, at, user, (from, group), ctx.now()).await? {
            let line = Event::of(Kind::UserPrimaryGroupChanged, user).id("group", group);
            events::append(tx, ctx, at.partner(), &[line]).await?;
            moved += 1;
        }
    }
    Ok(moved)
}
