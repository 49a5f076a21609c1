//! Users as a connection says them.
mod back;
mod create;
mod create_batcher;
mod exchange;
mod many;
mod read;

use serde_json::Value as Json;

pub use self::back::return_in;
pub use self::create::{create, create_in, wait_in};
pub use self::create_batcher::UserCreateBatcher;
pub use self::exchange::exchange_in;
pub use self::many::{MOST_TOGETHER, create_many_in};
pub use self::read::{UserWithGroups, get, list, named, names_somebody};

use super::attributes::{UserAttributes, columns, differences};
use super::event::{Event, Kind, listing};
use super::match_key::MatchKey;
use super::matching::{self, REMOVED, UnlinkedUser};
use super::run::run;
use super::{
    Change, Effect, Execution, Outcome, ProvisionError, ProvisionSource, additive_mode, conditions, events, fit, merge,
    primary_group,
};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalGroupId, ExternalUserId, UserId};
use crate::scim::etag::{Precondition, Version};
use crate::scim::resource::{self, Document};
use crate::store::external_users::{ExternalUser, LinkOrigin};
use crate::store::{Store, Tx, condition_members, deleted, external_groups, external_users, match_keys, members};

/// How often one of many is tried again that met a change of another writer.
const TRIES: usize = 3;

/// What a directory says of a user.
#[derive(Clone, PartialEq, Debug)]
pub struct UserInput {
    /// The document, accepted by the schema.
    pub document: Document,
    /// What names the same user at every connection of the directory.
    pub join: MatchKeySource,
    /// A hash of the source's row, for connections that compare before they write.
    pub row_hash: Option<Vec<u8>>,
}

impl From<Document> for UserInput {
    fn from(document: Document) -> Self {
        Self { document, join: MatchKeySource::OfDocument, row_hash: None }
    }
}

/// Where the join key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MatchKeySource {
    /// From the document, by the source's join attribute.
    OfDocument,
    /// From the connection: it is no attribute of the document (LDAP, OpenID Connect).
    Key(Option<MatchKey>),
    /// It stays what it was.
    Unchanged,
}

/// A user that the connection says for the first time.
#[derive(Clone, PartialEq, Debug)]
pub struct NewExternalUser {
    /// The source's own immutable key (an entryUUID, a subject); none where our id is the key (SCIM).
    pub stable_key: Option<String>,
    /// What it says.
    pub said: UserInput,
}

/// What was read from [`UserInput`], ready to be stored.
struct ParsedUser {
    said: UserInput,
    facts: UserAttributes,
    keys: Json,
    match_key: Option<MatchKey>,
}

impl ParsedUser {
    fn of(
        source: &ProvisionSource<'_>,
        said: UserInput,
        before: Option<&ExternalUser>,
    ) -> Result<Self, ProvisionError> {
        let of_document = || source.matching_attribute.and_then(|name| MatchKey::of_document(name, &said.document));
        let match_key = match &said.join {
            MatchKeySource::OfDocument => of_document(),
            MatchKeySource::Key(key) => key.clone(),
            MatchKeySource::Unchanged => before.and_then(|user| user.match_key.clone()).map(|stored| {
                of_document().filter(|key| key.bytes() == stored).unwrap_or_else(|| MatchKey::stored(stored))
            }),
        };
        let old_key = before.and_then(|user| user.match_key.as_deref());
        let new_key = match_key.as_ref().filter(|key| Some(key.bytes()) != old_key);
        fit::user(&said.document, before.map(|user| &user.doc), new_key)?;
        let mut facts = UserAttributes::of(&said.document);
        if let Some(before) = before.filter(|_| !said.document.contains_key("active")) {
            // Taking `active` away lets nobody in who was kept out, and keeps nobody out (O04).
            facts.active = before.active;
        }
        let mut keys = resource::keys(source.schemas.users(), &said.document);
        if let Some(keys) = keys.as_object_mut() {
            // What counts is the value in force, said or not.
            keys.insert("active".to_owned(), facts.active.into());
        }
        Ok(Self { facts, keys, match_key, said })
    }

    fn join_bytes(&self) -> Option<&[u8]> {
        self.match_key.as_ref().map(MatchKey::bytes)
    }

    fn stored(&self) -> external_users::ExternalUserColumns<'_> {
        external_users::ExternalUserColumns {
            doc: &self.said.document,
            keys: &self.keys,
            user_name: &self.facts.user_name,
            external_id: self.facts.external_id.as_deref(),
            active: self.facts.active,
            match_key: self.join_bytes(),
            row_hash: self.said.row_hash.as_deref(),
        }
    }
}

/// Changes what is said of a user: PUT and PATCH. A change that says nothing new leaves version, time and log alone.
///
/// # Errors
/// [`ProvisionError::NotFound`], [`ProvisionError::PreconditionFailed`], [`ProvisionError::Uniqueness`], and what
/// `change` refuses.
pub async fn update(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    condition: Option<&Precondition>,
    change: Change<'_, UserInput>,
    mode: Execution,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    run(store, &source.extent, mode, async |tx: &mut Tx| update_in(tx, ctx, source, id, condition, change).await).await
}

/// [`update`], in an open transaction.
///
/// # Errors
/// As [`update`].
pub async fn update_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    condition: Option<&Precondition>,
    change: Change<'_, UserInput>,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    let at = &source.extent;
    let before = external_users::lock(tx, at, id).await?.ok_or(ProvisionError::NotFound)?;
    check(condition, before.version)?;
    let reading = ParsedUser::of(source, change(&before.doc)?, Some(&before))?;
    if reading.said.document == before.doc && reading.join_bytes() == before.match_key.as_deref() {
        if let Some(hash) = &reading.said.row_hash {
            external_users::set_row_hash(tx, at, id, hash).await?;
        }
        return Ok(Outcome { value: before, changed: false, effect: Effect::default() });
    }

    additive_mode::check(tx, at, before.active && !reading.facts.active).await?;
    let mut effect = Effect { attributes: differences(&before.doc, &reading.said.document), ..Effect::default() };
    let event = Event::of(Kind::ExternalUserUpdated, id).id("connection", at.connection());
    effect.event(switched(event.names("attributes", &effect.attributes), &before, reading.facts.active));
    external_users::update(tx, at, &before, reading.stored(), ctx.now()).await?;
    let linked = follow(tx, ctx, source, &before, &reading, &mut effect).await?;
    conditions::keep(tx, source, id, &reading.keys).await?;
    finish(tx, ctx, source, &mut effect).await?;

    let match_key = reading.join_bytes().map(<[u8]>::to_vec);
    let value = ExternalUser {
        external_id: reading.facts.external_id,
        user_name: reading.facts.user_name,
        active: reading.facts.active,
        doc: reading.said.document,
        match_key,
        user: linked.map(|(user, _)| user),
        link: linked.map(|(_, link)| link),
        version: before.version + 1,
        changed_at: ctx.now(),
        ..before
    };
    Ok(Outcome { value, changed: true, effect })
}

/// Looks once more who a user that waits is: an administrator has said who it is not.
///
/// # Errors
/// [`ProvisionError::NotFound`].
pub async fn reconsider_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
) -> Result<Effect, ProvisionError> {
    let before = external_users::lock(tx, &source.extent, id).await?.ok_or(ProvisionError::NotFound)?;
    let mut effect = Effect::default();
    if before.user.is_none() {
        let said = UserInput { document: before.doc.clone(), join: MatchKeySource::Unchanged, row_hash: None };
        let reading = ParsedUser::of(source, said, Some(&before))?;
        follow(tx, ctx, source, &before, &reading, &mut effect).await?;
        finish(tx, ctx, source, &mut effect).await?;
    }
    Ok(effect)
}

/// Says in which direction `active` changed; and when it was left unsaid before, so that undoing leaves it unsaid again.
fn switched(event: Event, before: &ExternalUser, active: bool) -> Event {
    if active == before.active {
        return event;
    }
    let event = event.flag("active", active);
    if before.doc.contains_key("active") { event } else { event.flag("was_implicit", true) }
}

type Linked = Option<(UserId, LinkOrigin)>;

/// What a changed document means for the user it is linked to; one that waits for review is tried again.
async fn follow(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    before: &ExternalUser,
    reading: &ParsedUser,
    effect: &mut Effect,
) -> Result<Linked, ProvisionError> {
    let (at, id, active) = (&source.extent, before.id, reading.facts.active);
    let Some(linked) = before.user.zip(before.link) else {
        let mut tried = Effect::default();
        let profile = merge::alone(source, id, &reading.facts.user_name, &reading.facts.columns);
        let (user_name, key) = (reading.facts.user_name.as_str(), reading.match_key.as_ref());
        let stranger = UnlinkedUser { ctx, external: id, user_name, profile: &profile, key };
        let (house, met) = matching::meet(tx, source, &[stranger]).await?;
        let strangers = met.into_iter().zip([&mut tried]).map(|(met, tried)| (stranger, met, tried)).collect();
        let found = matching::introduce(tx, source, &house, strangers).await?.into_iter().next().flatten();
        if let Some(linked) = found {
            // Had nobody been found, it would still wait for review, and that is known.
            effect.users.append(&mut tried.users);
            effect.events.append(&mut tried.events);
            external_users::link(tx, at, id, Some(linked)).await?;
            matching::arrive(tx, ctx, source, id, linked, active, effect).await?;
        }
        return Ok(found);
    };
    let (user, _) = linked;
    if reading.join_bytes() != before.match_key.as_deref() {
        if let Some(key) = &reading.match_key {
            match_keys::claim(tx, at, key.bytes(), key.lasting(), user, ctx.now()).await?;
        }
        if let Some(old) = &before.match_key {
            match_keys::release(tx, at, old, true).await?;
        }
    }
    if active != before.active {
        matching::switch(tx, ctx, source, user, active, matching::INACTIVE, effect).await?;
    }
    if columns(&before.doc, &before.user_name) != reading.facts.columns {
        merge::refresh(tx, ctx, source, user, None, effect).await?;
    }
    effect.touch([user]);
    Ok(Some(linked))
}

/// Lets a user in, or keeps it out: `active`.
///
/// # Errors
/// As [`update`].
pub async fn set_active(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    active: bool,
    mode: Execution,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    let change = |doc: &Document| {
        let mut document = doc.clone();
        document.insert("active".to_owned(), active.into());
        Ok(UserInput { document, join: MatchKeySource::Unchanged, row_hash: None })
    };
    update(store, ctx, source, id, None, &change, mode).await
}

/// Deletes a user: its name is free at once, its memberships are gone, its user is switched off until the same lasting
/// join key comes back.
///
/// # Errors
/// [`ProvisionError::NotFound`], [`ProvisionError::PreconditionFailed`].
pub async fn delete(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    condition: Option<&Precondition>,
    mode: Execution,
) -> Result<Outcome<()>, ProvisionError> {
    run(store, &source.extent, mode, async |tx: &mut Tx| delete_in(tx, ctx, source, id, condition).await).await
}

/// [`delete`], in an open transaction.
///
/// # Errors
/// As [`delete`].
pub async fn delete_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    condition: Option<&Precondition>,
) -> Result<Outcome<()>, ProvisionError> {
    let at = &source.extent;
    // Groups before the user, in the order of those who add members: two that meet wait for each other, not in a circle.
    external_groups::lock_groups_of(tx, at, id).await?;
    let before = external_users::lock_to_delete(tx, at, id).await?.ok_or(ProvisionError::NotFound)?;
    check(condition, before.version)?;
    additive_mode::check(tx, at, true).await?;

    let mut effect = Effect::default();
    effect.event(Event::of(Kind::ExternalUserDeleted, id).id("connection", at.connection()));
    if let Some(user) = before.user {
        matching::switch(tx, ctx, source, user, false, REMOVED, &mut effect).await?;
        merge::refresh(tx, ctx, source, user, Some(id), &mut effect).await?;
    }
    external_groups::touch_groups_of(tx, at, id, ctx.now()).await?;
    let mut left: Vec<ExternalGroupId> = members::leave_all(tx, at, id).await?;
    left.sort_unstable();
    for group in left {
        effect.events.extend(listing(Kind::ExternalGroupMemberRemoved, group, "members", &[id]));
    }
    condition_members::forget(tx, at, id).await?;
    deleted::keep_user(tx, at, id, ctx.now()).await?;
    external_users::delete(tx, at, id).await?;
    if let Some(key) = &before.match_key {
        match_keys::release(tx, at, key, false).await?;
    }
    finish(tx, ctx, source, &mut effect).await?;
    Ok(Outcome { value: (), changed: true, effect })
}

/// Places the users touched and writes the events.
pub(super) async fn finish(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    primary_group::refresh(tx, ctx, source, effect).await?;
    Ok(events::append(tx, ctx, source.extent.partner(), &effect.events).await?)
}

/// If-Match: the version the caller named must be the one that is stored.
pub(super) fn check(condition: Option<&Precondition>, version: i64) -> Result<(), ProvisionError> {
    let current = Version::new(u64::try_from(version).unwrap_or(0));
    match condition {
        Some(condition) if !condition.holds(current) => Err(ProvisionError::PreconditionFailed),
        _ => Ok(()),
    }
}
