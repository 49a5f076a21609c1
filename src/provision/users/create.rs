//! Users that a connection says for the first time.
use super::{NewUser, Reading, Said};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::text::fold;
use crate::domain::user::Profile;
use crate::provision::event::{Event, Kind};
use crate::provision::join::JoinKey;
use crate::provision::link::{self, Stranger};
use crate::provision::run::run;
use crate::provision::{Done, Effect, Mode, ProvisionError, Source, conditions, events, merge, place};
use crate::store::external_users::{self, ExternalUser, Link};
use crate::store::{Store, Tx};

/// Creates a user, links it to a person or leaves it for review, and lets the person in or not.
///
/// # Errors
/// [`ProvisionError::Uniqueness`] when the connection has one of this name or stable key.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    source: &Source<'_>,
    new: NewUser,
    mode: Mode,
) -> Result<Done<ExternalUser>, ProvisionError> {
    let arrival = Arrival::read(ctx, source, new);
    run(store, &source.extent, mode, async |tx: &mut Tx| arrival.alone(tx, source).await).await
}

/// [`create`], in an open transaction.
///
/// # Errors
/// As [`create`].
pub async fn create_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    new: NewUser,
) -> Result<Done<ExternalUser>, ProvisionError> {
    Arrival::read(ctx, source, new).alone(tx, source).await
}

/// A new user, read from what its connection says and ready to be stored.
pub(super) struct Arrival {
    ctx: Ctx,
    id: ExternalUserId,
    stable_key: String,
    reading: Reading,
    profile: Profile,
}

/// Something of which a partner, or a connection, has one at most, or which makes people resemble each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Mark {
    StableKey(String),
    UserName(String),
    Join(Vec<u8>),
    Login(String),
    Email(String),
}

impl Arrival {
    pub(super) fn read(ctx: &Ctx, source: &Source<'_>, new: NewUser) -> Self {
        let id: ExternalUserId = ctx.id();
        let reading = Reading::of(source, new.said, None);
        let profile = merge::alone(source, id, &reading.facts.columns);
        let stable_key = new.stable_key.unwrap_or_else(|| id.to_string());
        Self { ctx: ctx.clone(), id, stable_key, reading, profile }
    }

    /// What makes it collide with another: two that share a mark are created one after the other.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let folded = |text: &Option<String>| text.as_deref().map(fold);
        let mut marks =
            vec![Mark::StableKey(self.stable_key.clone()), Mark::UserName(fold(&self.reading.facts.user_name))];
        marks.extend(self.reading.join_bytes().map(<[u8]>::to_vec).map(Mark::Join));
        marks.extend(folded(&self.profile.login_name).map(Mark::Login));
        marks.extend(folded(&self.profile.email).map(Mark::Email));
        marks
    }

    /// Creates it.
    pub(super) async fn alone(&self, tx: &mut Tx, source: &Source<'_>) -> Result<Done<ExternalUser>, ProvisionError> {
        let mut done = create_all(tx, source, &[self]).await?;
        done.pop().ok_or(ProvisionError::NotFound)
    }

    fn stranger(&self) -> Stranger<'_> {
        let key: Option<&JoinKey> = self.reading.join_key.as_ref();
        Stranger { ctx: &self.ctx, external: self.id, profile: &self.profile, key }
    }

    fn stored(&self, person: Option<(UserId, Link)>) -> external_users::New<'_> {
        let (id, stable_key) = (self.id, self.stable_key.as_str());
        external_users::New { id, stable_key, said: self.reading.stored(), person, now: self.ctx.now() }
    }

    /// The user as it now is.
    fn value(&self, person: Option<(UserId, Link)>) -> ExternalUser {
        let Reading { said: Said { document, .. }, facts, .. } = &self.reading;
        ExternalUser {
            id: self.id,
            external_id: facts.external_id.clone(),
            user_name: facts.user_name.clone(),
            active: facts.active,
            doc: document.clone(),
            join_key: self.reading.join_bytes().map(<[u8]>::to_vec),
            person: person.map(|(person, _)| person),
            link: person.map(|(_, link)| link),
            version: 1,
            created_at: self.ctx.now(),
            changed_at: self.ctx.now(),
            in_groups: false,
        }
    }
}

/// Creates users that have no mark in common, in as few trips as one of them takes; each as [`create`] has it. The error
/// of one is the error of all.
pub(super) async fn create_all(
    tx: &mut Tx,
    source: &Source<'_>,
    arrivals: &[&Arrival],
) -> Result<Vec<Done<ExternalUser>>, ProvisionError> {
    let at = &source.extent;
    let mut effects: Vec<Effect> = arrivals.iter().map(|arrival| begun(source, arrival)).collect();
    let strangers: Vec<Stranger<'_>> = arrivals.iter().map(|arrival| arrival.stranger()).collect();
    let mut each: Vec<&mut Effect> = effects.iter_mut().collect();
    let (house, people) = link::introduce(tx, source, &strangers, &mut each).await?;

    let stored: Vec<_> = arrivals.iter().zip(&people).map(|(arrival, person)| arrival.stored(*person)).collect();
    external_users::insert(tx, at, &stored).await?;
    for ((arrival, person), effect) in arrivals.iter().zip(&people).zip(&mut effects) {
        let Some(linked) = *person else { continue };
        let active = arrival.reading.facts.active;
        link::arrive(tx, &arrival.ctx, source, arrival.id, linked, active, effect).await?;
    }
    let conditions = conditions::read(source, &house.conditions);
    let mut movable = Vec::with_capacity(arrivals.len());
    for (arrival, person) in arrivals.iter().zip(&people) {
        let holding = conditions::judge(tx, source, arrival.id, &arrival.reading.keys, &conditions).await?;
        movable.push(match person {
            // Somebody who came to be just now is in no group yet.
            Some((_, Link::Created)) => house.may_place(&holding),
            Some(_) => house.placing,
            None => false,
        });
    }

    // Said before the question where people belong, so that they travel with it.
    let mut said = Vec::with_capacity(arrivals.len());
    for (arrival, effect) in arrivals.iter().zip(&effects) {
        events::append(tx, &arrival.ctx, at.partner(), &effect.events).await?;
        said.push(effect.events.len());
    }
    let moved = arrivals.iter().zip(&mut effects).zip(&movable).filter(|(_, movable)| **movable);
    let mut moved: Vec<(&Ctx, &mut Effect)> = moved.map(|((arrival, effect), _)| (&arrival.ctx, effect)).collect();
    if !moved.is_empty() {
        place::by_rules(tx, source, &mut moved).await?;
        for ((arrival, effect), said) in arrivals.iter().zip(&effects).zip(said) {
            let rest = effect.events.get(said..).unwrap_or_default();
            events::append(tx, &arrival.ctx, at.partner(), rest).await?;
        }
    }

    let values = arrivals.iter().zip(people).map(|(arrival, person)| arrival.value(person));
    Ok(values.zip(effects).map(|(value, effect)| Done { value, changed: true, effect }).collect())
}

/// What is known to come of an arrival before anything is asked.
fn begun(source: &Source<'_>, arrival: &Arrival) -> Effect {
    let names = arrival.reading.said.document.keys().filter(|name| *name != "schemas");
    let mut effect = Effect { attributes: names.cloned().collect(), ..Effect::default() };
    effect.event(Event::of(Kind::ExternalUserCreated, arrival.id).id("connection", source.extent.connection()));
    effect
}
