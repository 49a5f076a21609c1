//! Users that a connection had, no longer said, and says again under the same stable key.
use super::{NewExternalUser, create_in, finish, update_in};
use crate::domain::ctx::Ctx;
use crate::provision::{Effect, Outcome, ProvisionError, ProvisionSource, UserChangeKind, undo};
use crate::scim::resource::Document;
use crate::store::external_users::ExternalUser;
use crate::store::{Tx, deleted, users};

/// How soon somebody is back, in seconds, for whom being gone was a mistake: a read that was wrong, a move that was taken
/// back. Later it is somebody who had left, and manual grants wait for an administrator.
const MISTAKE_SECONDS: i64 = 86_400;

/// Puts a user back as it was, under its own id, and says of it what is said now. One that is not kept, or whose name or
/// user is somebody else's by now, is created as anybody is.
///
/// # Errors
/// As [`super::create`] and [`super::update`].
pub async fn return_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: NewExternalUser,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    let at = &source.extent;
    let known = match &new.stable_key {
        Some(key) => deleted::user_of(tx, at, key).await?,
        None => None,
    };
    let Some((id, deleted_at)) = known else { return create_in(tx, ctx, source, new).await };
    let mut effect = Effect::default();
    if !undo::user(tx, ctx, source, id, &mut effect).await? {
        return create_in(tx, ctx, source, new).await;
    }
    let said = new.said;
    if ctx.now() >= deleted_at.plus_seconds(MISTAKE_SECONDS)
        && let Some(user) =
            crate::store::external_users::get(tx, at, id).await?.and_then(|external_user| external_user.user)
    {
        let suspended_grants = users::set_suspended_grants(tx, at, user, ctx.now()).await?;
        effect.user(at.connection(), user, UserChangeKind::Returned { suspended_grants });
    }
    finish(tx, ctx, source, &mut effect).await?;
    let done = update_in(tx, ctx, source, id, None, &|_: &Document| Ok(said.clone())).await?;
    effect.attributes = done.effect.attributes;
    effect.users.extend(done.effect.users);
    effect.events.extend(done.effect.events);
    effect.touch(done.effect.touched);
    Ok(Outcome { value: done.value, changed: true, effect })
}
