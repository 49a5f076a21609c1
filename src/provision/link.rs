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
use crate::store::external_users::Link;
use crate::store::{Tx, identities, people};

/// Why a person is switched off by a connection, in the words administrators read.
pub(super) const INACTIVE: &str = "inactive at the source";
pub(super) const REMOVED: &str = "removed at the source";

/// The person for an external user that has none.
pub(super) async fn find(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    external: ExternalUserId,
    facts: &UserFacts,
    key: Option<&JoinKey>,
    effect: &mut Effect,
) -> Result<Option<(UserId, Link)>, ProvisionError> {
    let at = &source.extent;
    if let Some(key) = key
        && let Some(named) = identities::find(tx, at, key.bytes()).await?
    {
        if named.taken {
            review(source, external, Some(named.person), effect);
            return Ok(None);
        }
        return Ok(Some((named.person, Link::Joined)));
    }
    let profile = merge::alone(source, external, &facts.columns);
    if let Some(person) = people::lookalike(tx, at, &profile).await? {
        review(source, external, Some(person), effect);
        return Ok(None);
    }
    let person = ctx.id();
    if !people::insert(tx, at, person, &profile, ctx.now()).await? {
        review(source, external, None, effect);
        return Ok(None);
    }
    if let Some(key) = key
        && !identities::claim(tx, at, key.bytes(), key.lasting(), person, ctx.now()).await?
    {
        // Another door said the same key at the same moment and was first.
        people::discard(tx, at, person).await?;
        let named = identities::find(tx, at, key.bytes()).await?.ok_or(ProvisionError::Raced)?;
        return Ok(Some((named.person, Link::Joined)));
    }
    effect.person(at.connection(), person, What::Created);
    Ok(Some((person, Link::Created)))
}

fn review(source: &Source<'_>, external: ExternalUserId, resembles: Option<UserId>, effect: &mut Effect) {
    let connection = source.extent.connection();
    let mut event = Event::of(Kind::LinkReview, external).id("connection", connection);
    if let Some(person) = resembles {
        event = event.id("resembles", person);
        effect.person(connection, person, What::Resembled);
    }
    effect.event(event);
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
