//! Users that a connection says for the first time.
use super::{NewExternalUser, ParsedUser, UserInput};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::text::fold;
use crate::domain::user::UserProfile;
use crate::provision::event::{Event, Kind};
use crate::provision::fit::full;
use crate::provision::matching::{self, UnlinkedUser};
use crate::provision::run::run;
use crate::provision::{
    Effect, Execution, Outcome, ProvisionError, ProvisionSource, conditions, events, fit, merge, primary_group,
};
use crate::store::external_users::{self, ExternalUser, LinkOrigin};
use crate::store::match_candidates::{DirectoryRules, MatchResult};
use crate::store::{ConnectionLimits, Store, Tx};

/// Creates a user, links it to a user or leaves it for review, and lets the user in or not.
///
/// # Errors
/// [`ProvisionError::Uniqueness`] when the connection has one of this name or stable key.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: NewExternalUser,
    mode: Execution,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    let pending_user = PendingUser::read(ctx, source, new)?;
    run(store, &source.extent, mode, async |tx: &mut Tx| pending_user.alone(tx, source).await).await
}

/// [`create`], in an open transaction.
///
/// # Errors
/// As [`create`].
pub async fn create_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: NewExternalUser,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    PendingUser::read(ctx, source, new)?.alone(tx, source).await
}

/// Writes a user down for whom nobody is to be made, when somebody of the partner resembles it: an administrator decides.
/// False, and nothing written, when nobody does.
///
/// # Errors
/// As [`create`].
pub async fn wait_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: NewExternalUser,
) -> Result<bool, ProvisionError> {
    let pending_user = PendingUser::read(ctx, source, new)?;
    let (house, met) = matching::meet(tx, source, &[pending_user.stranger()]).await?;
    if house.observed {
        return Ok(false);
    }
    let Some((met, resembles)) = met.first().and_then(|met| Some((*met, met.lookalike?))) else { return Ok(false) };
    if met.name_taken {
        return Err(ProvisionError::Uniqueness { attribute: "userName" });
    }
    if house.users >= ConnectionLimits::of(tx).users {
        return Err(full("users", ConnectionLimits::of(tx).users));
    }
    let mut entry = Entry::begin(source, &pending_user, met);
    matching::review(source, pending_user.id, resembles, &mut entry.effect);
    write(tx, source, &house, &mut [entry]).await?;
    Ok(true)
}

/// A new user, read from what its connection says and ready to be stored.
pub(super) struct PendingUser {
    ctx: Ctx,
    id: ExternalUserId,
    stable_key: String,
    reading: ParsedUser,
    profile: UserProfile,
}

/// Something of which a partner, or a connection, has one at most, or which makes users resemble each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum UniqueKey {
    StableKey(String),
    UserName(String),
    Join(Vec<u8>),
    Login(String),
    Email(String),
}

impl PendingUser {
    /// Reads what is said of somebody new.
    ///
    /// # Errors
    /// 400 when some text of it is too long.
    pub(super) fn read(ctx: &Ctx, source: &ProvisionSource<'_>, new: NewExternalUser) -> Result<Self, ProvisionError> {
        let id: ExternalUserId = ctx.id();
        let reading = ParsedUser::of(source, new.said, None)?;
        let profile = merge::alone(source, id, &reading.facts.user_name, &reading.facts.columns);
        let stable_key = new.stable_key.unwrap_or_else(|| id.to_string());
        fit::stable_key(&stable_key)?;
        Ok(Self { ctx: ctx.clone(), id, stable_key, reading, profile })
    }

    /// What makes it collide with another: two that share a mark are created one after the other.
    pub(super) fn marks(&self) -> Vec<UniqueKey> {
        let folded = |text: &Option<String>| text.as_deref().map(fold);
        let mut marks = vec![
            UniqueKey::StableKey(self.stable_key.clone()),
            UniqueKey::UserName(fold(&self.reading.facts.user_name)),
        ];
        marks.extend(self.reading.join_bytes().map(<[u8]>::to_vec).map(UniqueKey::Join));
        marks.extend(folded(&self.profile.login_name).map(UniqueKey::Login));
        marks.extend(folded(&self.profile.email).map(UniqueKey::Email));
        marks
    }

    /// Creates it.
    pub(super) async fn alone(
        &self,
        tx: &mut Tx,
        source: &ProvisionSource<'_>,
    ) -> Result<Outcome<ExternalUser>, ProvisionError> {
        create_all(tx, source, &[self]).await?.pop().unwrap_or(Err(ProvisionError::NotFound))
    }

    fn stranger(&self) -> UnlinkedUser<'_> {
        let ParsedUser { facts, match_key, .. } = &self.reading;
        let (user_name, key) = (facts.user_name.as_str(), match_key.as_ref());
        UnlinkedUser { ctx: &self.ctx, external: self.id, user_name, profile: &self.profile, key }
    }

    fn stored(&self, user: Option<(UserId, LinkOrigin)>) -> external_users::ExternalUserInsert<'_> {
        let (id, stable_key) = (self.id, self.stable_key.as_str());
        external_users::ExternalUserInsert { id, stable_key, said: self.reading.stored(), user, now: self.ctx.now() }
    }

    /// The user as it now is.
    fn value(&self, user: Option<(UserId, LinkOrigin)>) -> ExternalUser {
        let ParsedUser { said: UserInput { document, .. }, facts, .. } = &self.reading;
        ExternalUser {
            id: self.id,
            external_id: facts.external_id.clone(),
            user_name: facts.user_name.clone(),
            active: facts.active,
            doc: document.clone(),
            match_key: self.reading.join_bytes().map(<[u8]>::to_vec),
            user: user.map(|(user, _)| user),
            link: user.map(|(_, link)| link),
            version: 1,
            created_at: self.ctx.now(),
            changed_at: self.ctx.now(),
            in_groups: false,
        }
    }
}

/// A user on its way in.
struct Entry<'a> {
    pending_user: &'a PendingUser,
    met: MatchResult,
    effect: Effect,
    user: Option<(UserId, LinkOrigin)>,
    /// Whether a rule may place the user.
    movable: bool,
}

impl<'a> Entry<'a> {
    /// What is known to come of an arrival before anything is done.
    fn begin(source: &ProvisionSource<'_>, pending_user: &'a PendingUser, met: MatchResult) -> Self {
        let names = pending_user.reading.said.document.keys().filter(|name| *name != "schemas");
        let mut effect = Effect { attributes: names.cloned().collect(), ..Effect::default() };
        effect
            .event(Event::of(Kind::ExternalUserCreated, pending_user.id).id("connection", source.extent.connection()));
        Self { pending_user, met, effect, user: None, movable: false }
    }

    fn done(self) -> Outcome<ExternalUser> {
        Outcome { value: self.pending_user.value(self.user), changed: true, effect: self.effect }
    }
}

/// Creates users that have no mark in common, in as few trips as one of them takes; each as [`create`] has it. Those
/// whose name is known to be taken are refused by themselves; any other error is the error of all.
pub(super) async fn create_all(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    pending_users: &[&PendingUser],
) -> Result<Vec<Result<Outcome<ExternalUser>, ProvisionError>>, ProvisionError> {
    let strangers: Vec<UnlinkedUser<'_>> = pending_users.iter().map(|pending_user| pending_user.stranger()).collect();
    let (house, met) = matching::meet(tx, source, &strangers).await?;
    let most = ConnectionLimits::of(tx).users;
    let room = usize::try_from(most.saturating_sub(house.users)).unwrap_or(0);
    let entering = pending_users.iter().zip(&met).filter(|(_, met)| !met.name_taken).take(room);
    let mut entries: Vec<Entry<'_>> =
        entering.map(|(pending_user, met)| Entry::begin(source, pending_user, *met)).collect();
    let strangers = entries.iter_mut().map(|entry| (entry.pending_user.stranger(), entry.met, &mut entry.effect));
    let users = matching::introduce(tx, source, &house, strangers.collect()).await?;
    for (entry, user) in entries.iter_mut().zip(users) {
        entry.user = user;
    }
    write(tx, source, &house, &mut entries).await?;

    let mut done = entries.into_iter().map(Entry::done);
    let taken = ProvisionError::Uniqueness { attribute: "userName" };
    let answer = |met: MatchResult| match met.name_taken {
        true => Err(taken.clone()),
        false => done.next().ok_or_else(|| full("users", most)),
    };
    Ok(met.into_iter().map(answer).collect())
}

/// Writes those who enter, with their users known, and what follows from it.
async fn write(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    house: &DirectoryRules,
    entries: &mut [Entry<'_>],
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let stored: Vec<_> = entries.iter().map(|entry| entry.pending_user.stored(entry.user)).collect();
    external_users::insert(tx, at, &stored).await?;
    for Entry { pending_user, effect, user, .. } in entries.iter_mut() {
        let Some(linked) = *user else { continue };
        let active = pending_user.reading.facts.active;
        matching::arrive(tx, &pending_user.ctx, source, pending_user.id, linked, active, effect).await?;
    }
    let conditions = conditions::read(source, &house.conditions);
    for Entry { pending_user, user, movable, .. } in entries.iter_mut() {
        let holding = conditions::judge(tx, source, pending_user.id, &pending_user.reading.keys, &conditions).await?;
        *movable = match user {
            // Somebody who came to be just now is in no group yet.
            Some((_, LinkOrigin::Created)) => house.may_place(&holding),
            Some(_) => house.placing,
            None => false,
        };
    }
    // Said before the question where users belong, so that they travel with it.
    for Entry { pending_user, effect, .. } in entries.iter() {
        events::append(tx, &pending_user.ctx, at.partner(), &effect.events).await?;
    }
    let said: Vec<usize> = entries.iter().map(|entry| entry.effect.events.len()).collect();
    let moved = entries.iter_mut().filter(|entry| entry.movable);
    let mut moved: Vec<(&Ctx, &mut Effect)> = moved.map(|entry| (&entry.pending_user.ctx, &mut entry.effect)).collect();
    if moved.is_empty() {
        return Ok(());
    }
    primary_group::by_rules(tx, source, &mut moved).await?;
    for (Entry { pending_user, effect, .. }, said) in entries.iter().zip(said) {
        let rest = effect.events.get(said..).unwrap_or_default();
        events::append(tx, &pending_user.ctx, at.partner(), rest).await?;
    }
    Ok(())
}
