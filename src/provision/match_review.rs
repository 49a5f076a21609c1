//! External users that wait for an administrator: somebody of the partner resembles them.
use super::event::{Event, Kind};
use super::match_key::MatchKey;
use super::users::finish;
use super::{Effect, ProvisionError, ProvisionSource, UnknownMembers, matching, merge};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::scim::schema::SchemaSet;
use crate::store::extent::PartnerExtent;
use crate::store::external_users::{self, ExternalUser, LinkOrigin};
use crate::store::{Reader, StoreError, Tx, match_keys, users};

/// A page of those who wait at the connections of the extent's partner, by id, those after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn waiting(
    reader: &mut Reader,
    at: &PartnerExtent,
    after: Option<ExternalUserId>,
    limit: u32,
) -> Result<Vec<ExternalUser>, StoreError> {
    external_users::waiting(reader, at, after, limit).await
}

/// Links an external user that has no user to a user of the extent's partner, as an administrator decided. From
/// then on the user is in or out as the directory says.
///
/// # Errors
/// [`ProvisionError::NotFound`] when either is not within the extent, or the external user is linked already;
/// [`ProvisionError::Uniqueness`] when the user is linked at this connection already.
pub async fn attach_in(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    schemas: &SchemaSet,
    external: ExternalUserId,
    user: UserId,
) -> Result<Effect, ProvisionError> {
    let (source, external_user) = found(tx, at, schemas, external).await?;
    let home = users::get(tx, at, user).await?;
    if external_user.user.is_some() || home.is_none_or(|home| home.partner != source.extent.partner()) {
        return Err(ProvisionError::NotFound);
    }
    if external_users::another_here(tx, &source.extent, user, external).await? {
        return Err(ProvisionError::Uniqueness { attribute: "user" });
    }
    let mut effect = Effect::default();
    let linked = (user, LinkOrigin::Reviewed);
    external_users::link(tx, &source.extent, external, Some(linked)).await?;
    if let Some(key) = external_user.match_key.map(MatchKey::stored) {
        // Whether the key lasts is not known here; one that may be given away is safe either way.
        match_keys::claim(tx, &source.extent, key.bytes(), false, user, ctx.now()).await?;
    }
    matching::arrive(tx, ctx, &source, external, linked, external_user.active, &mut effect).await?;
    finish(tx, ctx, &source, &mut effect).await?;
    Ok(effect)
}

/// Separates an external user from its user, as an administrator decided: it confers nothing from then on, its
/// suspension is lifted, and the sessions of before end.
///
/// # Errors
/// [`ProvisionError::NotFound`] when it is not within the extent or has no user.
pub async fn detach_in(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    schemas: &SchemaSet,
    external: ExternalUserId,
) -> Result<Effect, ProvisionError> {
    let (source, external_user) = found(tx, at, schemas, external).await?;
    let user = external_user.user.ok_or(ProvisionError::NotFound)?;
    let mut effect = Effect::default();
    separate(tx, ctx, &source, &external_user, user, &mut effect).await?;
    finish(tx, ctx, &source, &mut effect).await?;
    Ok(effect)
}

/// Takes a user away from an external user that is held.
pub(super) async fn separate(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    external_user: &ExternalUser,
    user: UserId,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    effect.event(Event::of(Kind::ExternalUserUnlinked, external_user.id).id("user", user));
    users::end_sessions(tx, &source.extent, user, ctx.now()).await?;
    matching::switch(tx, ctx, source, user, true, matching::INACTIVE, effect).await?;
    merge::refresh(tx, ctx, source, user, Some(external_user.id), effect).await?;
    external_users::link(tx, &source.extent, external_user.id, None).await?;
    if let Some(key) = &external_user.match_key {
        match_keys::release(tx, &source.extent, key, true).await?;
    }
    Ok(())
}

/// The external user, held, with the connection it came through.
async fn found<'a>(
    tx: &mut Tx,
    at: &PartnerExtent,
    schemas: &'a SchemaSet,
    external: ExternalUserId,
) -> Result<(ProvisionSource<'a>, ExternalUser), ProvisionError> {
    let extent = external_users::connection_of(tx, at, external).await?.ok_or(ProvisionError::NotFound)?;
    let user = external_users::lock(tx, &extent, external).await?.ok_or(ProvisionError::NotFound)?;
    let source = ProvisionSource { extent, schemas, matching_attribute: None, unknown_members: UnknownMembers::Skip };
    Ok((source, user))
}
