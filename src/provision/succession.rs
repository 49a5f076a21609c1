//! A user whom a source knows by another key than before: an application that was registered anew gives everybody a new
//! subject. Where the directory's declared join names the user, the external user stays who it is and changes its key;
//! whoever comes with the old key is a stranger.
use super::event::{Event, Kind};
use super::users::finish;
use super::{Effect, ProvisionError, ProvisionSource, match_review};
use crate::domain::ctx::Ctx;
use crate::domain::id::ExternalUserId;
use crate::store::{Tx, condition_members, external_users, members, users};

/// Lets `external` be known by `stable_key` from now on. The sessions of before end: they were begun by the old key.
///
/// # Errors
/// [`ProvisionError::NotFound`]; [`ProvisionError::Uniqueness`] when another one has the key.
pub async fn rekey_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    external: ExternalUserId,
    stable_key: &str,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let external_user = external_users::lock(tx, at, external).await?.ok_or(ProvisionError::NotFound)?;
    external_users::set_stable_key(tx, at, external, stable_key).await?;
    let mut effect = Effect::default();
    let mut event = Event::of(Kind::SubjectChanged, external).id("connection", at.connection());
    if let Some(user) = external_user.user {
        users::end_sessions(tx, at, user, ctx.now()).await?;
        event = event.id("user", user);
    }
    effect.event(event);
    finish(tx, ctx, source, &mut effect).await
}

/// Takes the user away from `external`: its own key names somebody else by now.
///
/// # Errors
/// [`ProvisionError::NotFound`].
pub async fn separate_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    external: ExternalUserId,
) -> Result<(), ProvisionError> {
    let external_user = external_users::lock(tx, &source.extent, external).await?.ok_or(ProvisionError::NotFound)?;
    let mut effect = Effect::default();
    if let Some(user) = external_user.user {
        match_review::separate(tx, ctx, source, &external_user, user, &mut effect).await?;
    }
    finish(tx, ctx, source, &mut effect).await
}

/// Forgets an external user whose place another one of the connection has: with the same user, or with none.
///
/// # Errors
/// [`ProvisionError::NotFound`].
pub async fn retire_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    external: ExternalUserId,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    separate_in(tx, ctx, source, external).await?;
    members::leave_all(tx, at, external).await?;
    condition_members::forget(tx, at, external).await?;
    Ok(external_users::delete(tx, at, external).await?)
}
