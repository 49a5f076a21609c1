//! From an external user to a user.
//!
//! 0. In a directory that is only observed nobody is linked, and nobody is made: the external user waits.
//! 1. The directory's join names somebody: joined; when this connection had removed that user, revived.
//! 2. Somebody of the partner has the same sign-in name or address: nobody is linked, an administrator decides.
//! 3. Else a new user is made.
use std::borrow::Cow;
use std::collections::BTreeSet;

use super::event::{Event, Kind};
use super::match_key::MatchKey;
use super::{Effect, ProvisionError, ProvisionSource, UserChangeKind, additive_mode, merge};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::user::UserProfile;
use crate::store::external_users::LinkOrigin;
use crate::store::match_candidates::{self, DirectoryRules, MatchQuery, MatchResult, MatchedUser};
use crate::store::{Tx, external_users, match_keys, users};

/// Why a user is switched off by a connection, in the words administrators read.
pub(super) const INACTIVE: &str = "inactive at the source";
pub(super) const REMOVED: &str = "removed at the source";

/// An external user that has no user yet.
#[derive(Clone, Copy)]
pub(super) struct UnlinkedUser<'s> {
    /// The circumstances in which it was said.
    pub(super) ctx: &'s Ctx,
    /// The external user.
    pub(super) external: ExternalUserId,
    /// Its unique name.
    pub(super) user_name: &'s str,
    /// What a user made for it would be called.
    pub(super) profile: &'s UserProfile,
    /// What names the user at every connection of the directory.
    pub(super) key: Option<&'s MatchKey>,
}

impl<'s> UnlinkedUser<'s> {
    fn newcomer(&self) -> MatchQuery<'s> {
        let match_key = self.key.map(MatchKey::bytes);
        MatchQuery { external: self.external, user_name: self.user_name, match_key, profile: self.profile }
    }

    /// The user, as far as it is known by `met`; none when an administrator has to decide.
    fn user(
        &self,
        source: &ProvisionSource<'_>,
        met: MatchResult,
        effect: &mut Effect,
    ) -> Option<(UserId, LinkOrigin)> {
        match (met.named, met.lookalike) {
            (Some(named), _) if named.living && !named.taken && !named.refused => {
                Some((named.user, LinkOrigin::Joined))
            }
            (Some(MatchedUser { user, living: true, refused: false, .. }), _) | (_, Some(user)) => {
                review(source, self.external, user, effect);
                None
            }
            _ => {
                let user = self.ctx.id();
                effect.user(source.extent.connection(), user, UserChangeKind::Created);
                Some((user, LinkOrigin::Created))
            }
        }
    }
}

/// What stands where strangers arrive, and whom each of them meets there.
pub(super) async fn meet(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    strangers: &[UnlinkedUser<'_>],
) -> Result<(DirectoryRules, Vec<MatchResult>), ProvisionError> {
    let newcomers: Vec<MatchQuery<'_>> = strangers.iter().map(UnlinkedUser::newcomer).collect();
    Ok(match_candidates::meet(tx, &source.extent, &newcomers).await?)
}

/// The user of each stranger who met somebody or nobody, in order; those who are made for it are written, all
/// together. None of the strangers may resemble another.
pub(super) async fn introduce(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    house: &DirectoryRules,
    strangers: Vec<(UnlinkedUser<'_>, MatchResult, &mut Effect)>,
) -> Result<Vec<Option<(UserId, LinkOrigin)>>, ProvisionError> {
    if house.observed {
        return Ok(vec![None; strangers.len()]);
    }
    let at = &source.extent;
    let (mut users, mut made, mut new) = (Vec::with_capacity(strangers.len()), Vec::new(), Vec::new());
    let mut joined = BTreeSet::new();
    for (stranger, mut met, effect) in strangers {
        if let Some(named) = &mut met.named {
            // A user may have several keys, and is joined once at a connection.
            named.taken |= !joined.insert(named.user);
        }
        let user = stranger.user(source, met, effect);
        if let Some((user, LinkOrigin::Created)) = user {
            // Somebody has the sign-in name whom an administrator refused.
            let profile = if met.login_taken {
                Cow::Owned(UserProfile { login_name: None, ..stranger.profile.clone() })
            } else {
                Cow::Borrowed(stranger.profile)
            };
            new.push((user, profile, stranger.ctx.now()));
            made.push((stranger, met, user));
        }
        users.push(user);
    }
    users::insert(tx, at, &new).await?;
    // Apart from the users, so that each are rows of one statement.
    for (stranger, met, user) in made {
        // Whose key names somebody else for good, by an administrator's word, has none.
        let Some(key) = stranger.key.filter(|_| !met.named.is_some_and(|named| named.refused)) else { continue };
        let (bytes, lasting, now) = (key.bytes(), key.lasting(), stranger.ctx.now());
        if met.named.is_none() {
            match_keys::insert(tx, at, bytes, lasting, user, now).await?;
        } else if !match_keys::claim(tx, at, bytes, lasting, user, now).await? {
            // It named somebody who is gone, and another connection was faster to take it over.
            return Err(ProvisionError::Raced);
        }
    }
    Ok(users)
}

/// An administrator decides whether it is this user.
pub(super) fn review(source: &ProvisionSource<'_>, external: ExternalUserId, resembles: UserId, effect: &mut Effect) {
    let connection = source.extent.connection();
    effect.user(connection, resembles, UserChangeKind::MatchProposed);
    effect.event(Event::of(Kind::MatchProposed, external).id("connection", connection).id("candidate", resembles));
}

/// What follows once the external user is stored with its new user.
pub(super) async fn arrive(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    external: ExternalUserId,
    (user, link): (UserId, LinkOrigin),
    active: bool,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    effect.event(Event::of(Kind::ExternalUserLinked, external).id("user", user).word("link_origin", link.as_str()));
    effect.touch([user]);
    if link == LinkOrigin::Created && active {
        return Ok(());
    }
    if link != LinkOrigin::Created {
        additive_mode::check(tx, at, !active).await?;
        users::lock(tx, at, user).await?;
        if link == LinkOrigin::Joined && external_users::another_here(tx, at, user, external).await? {
            // Another request of this connection was faster to join.
            return Err(ProvisionError::Raced);
        }
        if link == LinkOrigin::Joined {
            effect.user(at.connection(), user, UserChangeKind::Matched);
        }
        let own = at.source().to_string();
        if users::suspended_by(tx, at, user).await?.contains(&own) {
            let suspended_grants = users::set_suspended_grants(tx, at, user, ctx.now()).await?;
            effect.user(at.connection(), user, UserChangeKind::Returned { suspended_grants });
        }
        merge::refresh(tx, ctx, source, user, None, effect).await?;
    }
    switch(tx, ctx, source, user, active, INACTIVE, effect).await
}

/// Lets a linked user in or keeps the user out, in the name of the connection.
pub(super) async fn switch(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    user: UserId,
    active: bool,
    cause: &str,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    effect.touch([user]);
    if active {
        if users::reactivate(tx, at, user).await? {
            effect.user(at.connection(), user, UserChangeKind::Reactivated);
        }
    } else if users::suspend(tx, at, user, cause, ctx.now()).await? {
        effect.user(at.connection(), user, UserChangeKind::Suspended);
    }
    Ok(())
}
