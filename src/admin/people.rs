//! People switched off and on again, and confirmed, by an administrator.
use super::authority;
use super::refused::Refused;
use crate::domain::capability::Core;
use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::store::extent::PartnerExtent;
use crate::store::{Store, Tx, effective_lists, people, spoken_for, visible};

/// The longest cause, in characters.
const LONGEST_CAUSE: usize = 200;

/// Switches a person off in the name of an administrator: sessions end, nothing is allowed until it is lifted. False when an
/// administrator already had.
///
/// # Errors
/// [`Refused`]: the actor may not, or holds less than the person; the cause is missing or too long; it is the actor.
pub async fn suspend(store: &Store, ctx: &Ctx, actor: UserId, person: UserId, cause: &str) -> Result<bool, Refused> {
    let cause = cause.trim();
    if cause.is_empty() || cause.chars().count() > LONGEST_CAUSE {
        let rule = format!("Say why, in at most {LONGEST_CAUSE} characters; the person's page and the log show it.");
        return Err(Refused::Invalid(rule));
    }
    if actor == person {
        return Err(Refused::Invalid("Nobody switches themselves off: you could not come back.".to_owned()));
    }
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = guarded(tx, ctx, actor, person).await?;
            let changed = people::suspend_by_admin(tx, &at, person, cause, ctx.now()).await?;
            if changed {
                let line = Event::of(Kind::UserSuspended, person).word("source", "admin");
                events::append(tx, ctx, at.partner(), &[line]).await?;
            }
            Ok(changed)
        })
        .await
}

/// Lifts the administrators' suspension; others stay. False when there was none.
///
/// # Errors
/// [`Refused`]: the actor may not, or holds less than the person.
pub async fn resume(store: &Store, ctx: &Ctx, actor: UserId, person: UserId) -> Result<bool, Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = guarded(tx, ctx, actor, person).await?;
            let changed = people::resume_by_admin(tx, &at, person).await?;
            if changed {
                let line = Event::of(Kind::UserResumed, person).word("source", "admin");
                events::append(tx, ctx, at.partner(), &[line]).await?;
            }
            Ok(changed)
        })
        .await
}

/// Says that a person whom a directory made belongs here: what comes to them by existing is bounded by its ceiling no
/// longer. False when that was said before.
///
/// # Errors
/// [`Refused`]: the actor may not change the person, could not give what would come to them (guard G4), or is that person.
pub async fn confirm(store: &Store, ctx: &Ctx, actor: UserId, person: UserId) -> Result<bool, Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_person(tx, actor, Core::UserWrite, person, ctx.now()).await?;
            if actor == person {
                return Err(Refused::Forbidden("Nobody confirms themselves; ask another administrator.".to_owned()));
            }
            let gained = spoken_for::by_existing(tx, &at, person, ctx.now()).await?;
            let mine = effective_lists::authority(tx, actor, ctx.now()).await?;
            if !effective_lists::holds_all(tx, &mine, &gained, Some(Core::RoleAssign)).await? {
                let why = "The default group of this person's partner holds something that you could not give \
                    yourself, so you may not confirm them.";
                return Err(Refused::Forbidden(why.to_owned()));
            }
            let changed = people::confirm(tx, &at, person, Some(actor), ctx.now()).await?;
            if changed {
                events::append(tx, ctx, at.partner(), &[Event::of(Kind::UserConfirmed, person)]).await?;
            }
            Ok(changed)
        })
        .await
}

/// Takes back that a person belongs here: they rest on the directories that vouch for them, and without any get nothing by
/// existing. False when nobody had said so.
///
/// # Errors
/// [`Refused`]: the actor may not, or holds less than the person.
pub async fn unconfirm(store: &Store, ctx: &Ctx, actor: UserId, person: UserId) -> Result<bool, Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = guarded(tx, ctx, actor, person).await?;
            let changed = people::unconfirm(tx, &at, person, ctx.now()).await?;
            if changed {
                events::append(tx, ctx, at.partner(), &[Event::of(Kind::UserUnconfirmed, person)]).await?;
            }
            Ok(changed)
        })
        .await
}

/// The extent in which `actor` may change `person`: allowed to, and holding at least as much.
async fn guarded(tx: &mut Tx, ctx: &Ctx, actor: UserId, person: UserId) -> Result<PartnerExtent, Refused> {
    let at = authority::at_person(tx, actor, Core::UserWrite, person, ctx.now()).await?;
    if !visible::outranks(tx, actor, person, ctx.now()).await? {
        let why = "This person holds something that you do not hold yourself, so you may not change them.";
        return Err(Refused::Forbidden(why.to_owned()));
    }
    Ok(at)
}
