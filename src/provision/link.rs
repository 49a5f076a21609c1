//! From an external user to a person.
//!
//! 1. The directory's join names somebody: joined; when this connection had removed that person, revived.
//! 2. Somebody of the partner has the same sign-in name or address: nobody is linked, an administrator decides.
//! 3. Else a new person is made.
use super::event::{Event, Kind};
use super::facts::UserFacts;
use super::join::JoinKey;
use super::{Effect, ProvisionError, Source, What, merge};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::user::Profile;
use crate::store::external_users::Link;
use crate::store::newcomers::{self, Met};
use crate::store::{Tx, identities, people};

/// Why a person is switched off by a connection, in the words administrators read.
pub(super) const INACTIVE: &str = "inactive at the source";
pub(super) const REMOVED: &str = "removed at the source";

/// An external user that has no person yet, and what was found where it arrives.
pub(super) struct Stranger<'s> {
    external: ExternalUserId,
    profile: Profile,
    key: Option<&'s JoinKey>,
    met: Met,
}

impl<'s> Stranger<'s> {
    /// Looks around.
    pub(super) async fn meet(
        tx: &mut Tx,
        source: &Source<'_>,
        external: ExternalUserId,
        facts: &UserFacts,
        key: Option<&'s JoinKey>,
    ) -> Result<Self, ProvisionError> {
        let profile = merge::alone(source, external, &facts.columns);
        let met = newcomers::meet(tx, &source.extent, key.map(JoinKey::bytes), &profile).await?;
        Ok(Self { external, profile, key, met })
    }

    /// What was found.
    pub(super) fn met(&self) -> &Met {
        &self.met
    }

    /// The person; none when an administrator has to decide.
    pub(super) async fn person(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        source: &Source<'_>,
        effect: &mut Effect,
    ) -> Result<Option<(UserId, Link)>, ProvisionError> {
        let at = &source.extent;
        match self.met.named {
            Some(named) if named.living && named.taken => {
                review(source, self.external, named.person, effect);
                return Ok(None);
            }
            Some(named) if named.living => return Ok(Some((named.person, Link::Joined))),
            _ => {}
        }
        if let Some(person) = self.met.lookalike {
            review(source, self.external, person, effect);
            return Ok(None);
        }
        let person = ctx.id();
        people::insert(tx, at, person, &self.profile, ctx.now()).await?;
        if let Some(key) = self.key {
            let (bytes, lasting) = (key.bytes(), key.lasting());
            if self.met.named.is_none() {
                identities::insert(tx, at, bytes, lasting, person, ctx.now()).await?;
            } else if !identities::claim(tx, at, bytes, lasting, person, ctx.now()).await? {
                // It named somebody who is gone, and another door was faster to take it over.
                return Err(ProvisionError::Raced);
            }
        }
        effect.person(at.connection(), person, What::Created);
        Ok(Some((person, Link::Created)))
    }
}

fn review(source: &Source<'_>, external: ExternalUserId, resembles: UserId, effect: &mut Effect) {
    let connection = source.extent.connection();
    effect.person(connection, resembles, What::Resembled);
    effect.event(Event::of(Kind::LinkReview, external).id("connection", connection).id("resembles", resembles));
}

/// What follows once the external user is stored with its new person.
pub(super) async fn arrive(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    external: ExternalUserId,
    (person, link): (UserId, Link),
    active: bool,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    effect.event(Event::of(Kind::ExternalUserLinked, external).id("user", person).word("link", link.as_str()));
    effect.touch([person]);
    if link == Link::Created && active {
        return Ok(());
    }
    if link != Link::Created {
        people::lock(tx, at, person).await?;
        if link == Link::Joined {
            effect.person(at.connection(), person, What::Joined);
        }
        let own = at.source().to_string();
        if people::suspended_by(tx, at, person).await?.contains(&own) {
            let grants_aside = people::set_grants_aside(tx, at, person, ctx.now()).await?;
            effect.person(at.connection(), person, What::Revived { grants_aside });
        }
        merge::refresh(tx, ctx, source, person, None, effect).await?;
    }
    switch(tx, ctx, source, person, active, INACTIVE, effect).await
}

/// Lets a linked person in or keeps the person out, in the name of the connection.
pub(super) async fn switch(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    person: UserId,
    active: bool,
    cause: &str,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    effect.touch([person]);
    if active {
        if people::resume(tx, at, person).await? {
            effect.person(at.connection(), person, What::Resumed);
        }
    } else if people::suspend(tx, at, person, cause, ctx.now()).await? {
        effect.person(at.connection(), person, What::Suspended);
    }
    Ok(())
}
