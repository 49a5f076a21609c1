//! Users switched off and on again, and confirmed, by an administrator.
use super::authority;
use super::error::AdminError;
use super::suspensions::{self as holding, Case, Lifted, SuspensionOrder};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::domain::user::{HoldKind, SuspensionSource};
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::store::extent::PartnerExtent;
use crate::store::suspensions::{self, Hold};
use crate::store::{Reader, Store, Tx, delegated_access, effective_lists, reach, resources, users};

/// Switches a user off in the name of a partner: sessions end, nothing is allowed until it is lifted. False when that was
/// done in the same name already; the first cause stays.
///
/// # Errors
/// [`AdminError`]: the actor may not, or holds less than the user (but for a bill and for safety); the cause is missing or
/// too long; it is the actor.
pub async fn suspend(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    user: UserId,
    order: &SuspensionOrder<'_>,
) -> Result<bool, AdminError> {
    if actor == user {
        return Err(AdminError::Invalid("Nobody switches themselves off: you could not come back.".to_owned()));
    }
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = match order.kind {
                HoldKind::Partner | HoldKind::End => guarded(tx, ctx, actor, user).await?,
                kind => authority::at_user(tx, actor, holding::needs(kind, true), user, ctx.now()).await?,
            };
            let target = resources::of_user(tx, user).await?.ok_or(AdminError::NotFound)?;
            let case = Case { actor, at, target, now: ctx.now() };
            let hold = case.hold(tx, ctx, order).await?;
            let changed = suspensions::suspend_user(tx, &at, user, &hold).await?;
            if changed {
                let still = suspensions::of_user(tx, &at, user).await?.len();
                let line = holding::line(Kind::UserSuspended, user, &hold, still);
                events::append(tx, ctx, at.partner(), &[line]).await?;
            }
            Ok(changed)
        })
        .await
}

/// Lifts what the administrator may lift of what keeps a user off, of one kind or of any; what directories say stays.
///
/// # Errors
/// [`AdminError`]: the actor may not, or nothing of what was decided is theirs to lift.
pub async fn reactivate(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    user: UserId,
    kind: Option<HoldKind>,
) -> Result<Lifted, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let target = resources::of_user(tx, user).await?.ok_or(AdminError::NotFound)?;
            let at = holding::extent_to_lift(tx, actor, target, kind, ctx.now()).await?;
            let case = Case { actor, at, target, now: ctx.now() };
            let found = suspensions::of_user(tx, &at, user).await?;
            let (mut still, mut lifted, mut asked) = (found.len(), 0_usize, 0_usize);
            let decided = |hold: &&Hold| !matches!(hold.source, SuspensionSource::Connection(_));
            let wanted = |hold: &&Hold| kind.is_none_or(|kind| hold.source.kind() == kind.as_str());
            for hold in found.iter().filter(decided).filter(wanted) {
                asked += 1;
                let guard = async |reader: &mut Reader| Ok(reach::outranks(reader, actor, user, ctx.now()).await?);
                if case.may_lift(tx, hold, guard).await? && suspensions::lift_user(tx, &at, user, hold.source).await? {
                    (still, lifted) = (still.saturating_sub(1), lifted + 1);
                    if hold.from.is_some() && hold.holds(ctx.now()) {
                        // Sessions of before do not come back: as with every suspension of a user.
                        suspensions::end_sessions(tx, &at, user, ctx.now()).await?;
                    }
                    let line = holding::line(Kind::UserReactivated, user, hold, still);
                    events::append(tx, ctx, at.partner(), &[line]).await?;
                }
            }
            if asked > 0 && lifted == 0 {
                return Err(holding::not_yours());
            }
            Ok(Lifted { changed: lifted > 0, still })
        })
        .await
}

/// Says that a user whom a directory made belongs here: what comes to them by existing is bounded by its ceiling no
/// longer. False when that was said before.
///
/// # Errors
/// [`AdminError`]: the actor may not change the user, could not give what would come to them (guard G4), or is that user.
pub async fn confirm(store: &Store, ctx: &Ctx, actor: UserId, user: UserId) -> Result<bool, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_user(tx, actor, CoreCapability::UserWrite, user, ctx.now()).await?;
            if actor == user {
                return Err(AdminError::Forbidden("Nobody confirms themselves; ask another administrator.".to_owned()));
            }
            let gained = delegated_access::by_existing(tx, &at, user, ctx.now()).await?;
            let mine = effective_lists::authority(tx, actor, ctx.now()).await?;
            if !effective_lists::holds_all(tx, &mine, &gained, Some(CoreCapability::RoleAssign)).await? {
                let why = "The default group of this user's partner holds something that you could not give \
                    yourself, so you may not confirm them.";
                return Err(AdminError::Forbidden(why.to_owned()));
            }
            let changed = users::confirm(tx, &at, user, Some(actor), ctx.now()).await?;
            if changed {
                events::append(tx, ctx, at.partner(), &[Event::of(Kind::UserConfirmed, user)]).await?;
            }
            Ok(changed)
        })
        .await
}

/// Takes back that a user belongs here: they rest on the directories that vouch for them, and without any get nothing by
/// existing. False when nobody had said so.
///
/// # Errors
/// [`AdminError`]: the actor may not, or holds less than the user.
pub async fn unconfirm(store: &Store, ctx: &Ctx, actor: UserId, user: UserId) -> Result<bool, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = guarded(tx, ctx, actor, user).await?;
            let changed = users::unconfirm(tx, &at, user, ctx.now()).await?;
            if changed {
                events::append(tx, ctx, at.partner(), &[Event::of(Kind::UserUnconfirmed, user)]).await?;
            }
            Ok(changed)
        })
        .await
}

/// The extent in which `actor` may change `user`: allowed to, and holding at least as much.
async fn guarded(tx: &mut Tx, ctx: &Ctx, actor: UserId, user: UserId) -> Result<PartnerExtent, AdminError> {
    let at = authority::at_user(tx, actor, CoreCapability::UserWrite, user, ctx.now()).await?;
    if !reach::outranks(tx, actor, user, ctx.now()).await? {
        let why = "This user holds something that you do not hold yourself, so you may not change them.";
        return Err(AdminError::Forbidden(why.to_owned()));
    }
    Ok(at)
}
