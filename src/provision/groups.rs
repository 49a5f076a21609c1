//! Groups as a connection says them.
use serde_json::Value as Json;

use super::attributes::{GroupAttributes, differences};
use super::event::{Event, Kind, listing};
use super::listing::{ListQuery, ListResult, counted, in_time};
use super::members::MemberChanges;
use super::run::run;
use super::users::{check, finish};
use super::{Change, Effect, Execution, Outcome, ProvisionError, ProvisionSource, additive_mode, bind, events, fit};
use crate::domain::ctx::Ctx;
use crate::domain::id::ExternalGroupId;
use crate::scim::etag::Precondition;
use crate::scim::patch::MemberOp;
use crate::scim::resource::{self, Document, MemberRef};
use crate::store::external_groups::{ExternalGroup, ExternalGroupColumns};
use crate::store::{
    ConnectionLimits, Reader, Store, StoreError, Tx, deleted, external_groups, members, nesting, search, users,
};

/// A group that the connection says for the first time.
#[derive(Clone, PartialEq, Debug)]
pub struct NewExternalGroup {
    /// The source's own immutable key (an entryUUID); none where our id is the key (SCIM).
    pub stable_key: Option<String>,
    /// The document, accepted by the schema; without members.
    pub document: Document,
    /// Its members.
    pub members: Vec<MemberRef>,
    /// A hash of the source's row, for connections that compare before they write.
    pub row_hash: Option<Vec<u8>>,
}

/// What is to become of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupInput {
    /// The document, accepted by the schema; without members.
    pub document: Document,
    /// What becomes of its members, in order. Empty: they stay.
    pub members: Vec<MemberOp>,
    /// A hash of the source's row, for connections that compare before they write.
    pub row_hash: Option<Vec<u8>>,
}

/// What was read from a document, ready to be stored.
struct ParsedGroup<'r> {
    document: &'r Document,
    facts: GroupAttributes,
    keys: Json,
    row_hash: Option<&'r [u8]>,
}

impl<'r> ParsedGroup<'r> {
    fn of(source: &ProvisionSource<'_>, document: &'r Document, row_hash: Option<&'r Vec<u8>>) -> Self {
        Self {
            document,
            facts: GroupAttributes::of(document),
            keys: resource::keys(source.schemas.groups(), document),
            row_hash: row_hash.map(Vec::as_slice),
        }
    }

    fn stored(&self) -> ExternalGroupColumns<'_> {
        ExternalGroupColumns {
            doc: self.document,
            keys: &self.keys,
            display_name: &self.facts.display_name,
            external_id: self.facts.external_id.as_deref(),
            row_hash: self.row_hash,
        }
    }
}

/// Creates a group with its members. One that this connection had and deleted, known by its stable key or else by its
/// external id, comes back as what it was: rules that ask for it count again. When rules wait for a group of this name,
/// they are bound to it.
///
/// # Errors
/// [`ProvisionError::Uniqueness`] when the connection has one of this stable key or external id;
/// [`ProvisionError::UnknownMembers`] when the source refuses them.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: &NewExternalGroup,
    mode: Execution,
) -> Result<Outcome<ExternalGroup>, ProvisionError> {
    run(store, &source.extent, mode, async |tx: &mut Tx| create_in(tx, ctx, source, new).await).await
}

/// [`create`], in an open transaction.
///
/// # Errors
/// As [`create`].
pub async fn create_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: &NewExternalGroup,
) -> Result<Outcome<ExternalGroup>, ProvisionError> {
    let at = &source.extent;
    fit::group(&new.document, None)?;
    let reading = ParsedGroup::of(source, &new.document, new.row_hash.as_ref());
    if let Some(key) = &new.stable_key {
        fit::stable_key(key)?;
    }
    let mut effect = Effect {
        attributes: new.document.keys().filter(|name| *name != "schemas").cloned().collect(),
        ..Effect::default()
    };
    let external_id = reading.facts.external_id.as_deref();
    let known = deleted::group_of(tx, at, new.stable_key.as_deref(), external_id).await?;
    let id = match known {
        Some(id) => {
            deleted::restore_group(tx, at, id, ctx.now()).await?;
            external_groups::update(tx, at, id, reading.stored()).await?;
            effect.event(Event::of(Kind::ExternalGroupRestored, id).id("connection", at.connection()));
            id
        }
        None => {
            let most = ConnectionLimits::of(tx).groups;
            if external_groups::about(tx, at).await? >= most {
                return Err(fit::full("groups", most));
            }
            let id = ctx.id();
            let stable_key = new.stable_key.clone().unwrap_or_else(|| ExternalGroupId::to_string(&id));
            external_groups::insert(tx, at, id, &stable_key, reading.stored(), ctx.now()).await?;
            effect.event(Event::of(Kind::ExternalGroupCreated, id).id("connection", at.connection()));
            id
        }
    };
    nesting::start(tx, at, id).await?;
    bind::settle(tx, ctx, source, &reading.facts.display_name, &mut effect).await?;
    if !new.members.is_empty() {
        let mut changes = MemberChanges::new(source, id);
        changes.add(tx, &new.members).await?;
        changes.report(tx, &mut effect).await?;
    }
    finish(tx, ctx, source, &mut effect).await?;
    let value = match known {
        Some(id) => external_groups::get(tx, at, id).await?.ok_or(ProvisionError::NotFound)?,
        None => ExternalGroup {
            id,
            external_id: reading.facts.external_id,
            display_name: reading.facts.display_name,
            doc: new.document.clone(),
            version: 1,
            created_at: ctx.now(),
            changed_at: ctx.now(),
        },
    };
    Ok(Outcome { value, changed: true, effect })
}

/// Changes a group: PUT and PATCH, its name and its members in order. A change that changes nothing leaves version, time
/// and log alone; no member is read that the change does not speak of.
///
/// # Errors
/// [`ProvisionError::NotFound`], [`ProvisionError::PreconditionFailed`], [`ProvisionError::Uniqueness`],
/// [`ProvisionError::UnknownMembers`] when the source refuses them or a whole list is mostly unknown, and what `change`
/// refuses.
pub async fn update(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalGroupId,
    condition: Option<&Precondition>,
    change: Change<'_, GroupInput>,
    mode: Execution,
) -> Result<Outcome<ExternalGroup>, ProvisionError> {
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
    id: ExternalGroupId,
    condition: Option<&Precondition>,
    change: Change<'_, GroupInput>,
) -> Result<Outcome<ExternalGroup>, ProvisionError> {
    let at = &source.extent;
    let before = external_groups::lock(tx, at, id).await?.ok_or(ProvisionError::NotFound)?;
    check(condition, before.version)?;
    let wanted = change(&before.doc)?;
    fit::group(&wanted.document, Some(&before.doc))?;
    let reading = ParsedGroup::of(source, &wanted.document, wanted.row_hash.as_ref());
    let mut effect = Effect { attributes: differences(&before.doc, &wanted.document), ..Effect::default() };
    let renamed = reading.facts.display_name != before.display_name;
    if !effect.attributes.is_empty() {
        let kind = if renamed { Kind::ExternalGroupRenamed } else { Kind::ExternalGroupUpdated };
        let event = Event::of(kind, id).id("connection", at.connection());
        effect.event(event.names("attributes", &effect.attributes));
        external_groups::update(tx, at, id, reading.stored()).await?;
        if renamed {
            bind::settle(tx, ctx, source, &before.display_name, &mut effect).await?;
            bind::settle(tx, ctx, source, &reading.facts.display_name, &mut effect).await?;
        }
    } else if let Some(hash) = reading.row_hash {
        external_groups::set_row_hash(tx, at, id, hash).await?;
    }

    let mut changes = MemberChanges::new(source, id);
    for op in &wanted.members {
        changes.apply(tx, op).await?;
    }
    let changed = changes.any() || !effect.attributes.is_empty();
    if changed {
        external_groups::touch(tx, at, id, ctx.now()).await?;
    }
    additive_mode::check(tx, at, changes.removes()).await?;
    changes.report(tx, &mut effect).await?;
    if !changed {
        // Ids it does not know are told of, but what did not happen is not written down.
        effect.events.clear();
        return Ok(Outcome { value: before, changed, effect });
    }
    // Who is in a group that no placing rule asks for may change without moving anybody: none of them is looked at.
    if renamed || users::placed_by_group(tx, at, id).await? {
        finish(tx, ctx, source, &mut effect).await?;
    } else {
        events::append(tx, ctx, at.partner(), &effect.events).await?;
    }
    let value = ExternalGroup {
        external_id: reading.facts.external_id,
        display_name: reading.facts.display_name,
        doc: wanted.document,
        version: before.version + 1,
        changed_at: ctx.now(),
        ..before
    };
    Ok(Outcome { value, changed, effect })
}

/// Deletes a group with its memberships, at once.
///
/// # Errors
/// [`ProvisionError::NotFound`], [`ProvisionError::PreconditionFailed`].
pub async fn delete(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalGroupId,
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
    id: ExternalGroupId,
    condition: Option<&Precondition>,
) -> Result<Outcome<()>, ProvisionError> {
    let at = &source.extent;
    nesting::lock(tx, at).await?;
    external_groups::lock_outer(tx, at, id).await?;
    let before = external_groups::lock_to_delete(tx, at, id).await?.ok_or(ProvisionError::NotFound)?;
    check(condition, before.version)?;
    additive_mode::check(tx, at, true).await?;

    let mut effect = Effect::default();
    effect.event(Event::of(Kind::ExternalGroupDeleted, id).id("connection", at.connection()));
    effect.touch(nesting::users_inside(tx, at, id).await?);
    let inner = nesting::children(tx, at, id).await?;
    external_groups::touch_outer(tx, at, id, ctx.now()).await?;
    let mut outer = nesting::drop_group(tx, at, id).await?;
    outer.sort_unstable();
    for group in outer {
        effect.events.extend(listing(Kind::ExternalGroupMemberRemoved, group, "groups", &[id]));
    }
    let mut left = members::clear(tx, at, id).await?;
    left.sort_unstable();
    effect.members_removed = left.len() + inner.len();
    effect.events.extend(listing(Kind::ExternalGroupMemberRemoved, id, "members", &left));
    effect.events.extend(listing(Kind::ExternalGroupMemberRemoved, id, "groups", &inner));
    deleted::keep_group(tx, at, id, ctx.now()).await?;
    external_groups::delete(tx, at, id).await?;
    bind::settle(tx, ctx, source, &before.display_name, &mut effect).await?;
    finish(tx, ctx, source, &mut effect).await?;
    Ok(Outcome { value: (), changed: true, effect })
}

/// One group without its members, if the connection has it.
///
/// # Errors
/// Only those of the store.
pub async fn get(
    reader: &mut Reader,
    source: &ProvisionSource<'_>,
    id: ExternalGroupId,
) -> Result<Option<ExternalGroup>, StoreError> {
    external_groups::get(reader, &source.extent, id).await
}

/// A page of the connection's groups, without their members.
///
/// # Errors
/// Only those of the store.
pub async fn list(
    store: &Store,
    source: &ProvisionSource<'_>,
    wanted: ListQuery<'_>,
) -> Result<ListResult<ExternalGroup>, StoreError> {
    let at = &source.extent;
    let page = async |reader: &mut Reader| {
        if wanted.is_everything() {
            return search::all_groups(reader, at, wanted.page).await;
        }
        search::groups(reader, at, wanted.filter, wanted.sort, wanted.page).await
    };
    let found = if wanted.is_everything() {
        page(&mut store.reader().await?).await?
    } else if wanted.filter.is_some_and(search::leads_to_groups) {
        store.statement_within(wanted.searching, page).await?
    } else {
        store.snapshot_within(wanted.searching, page).await?
    };
    let told = found.total;
    let (beside, more) = (found.beside, found.more);
    let rows = found.rows;
    let total = match told.or_else(|| counted(wanted.page, rows.len(), more)) {
        None if !wanted.counting.is_zero() => {
            let count = store.statement_within(wanted.counting, async |reader: &mut Reader| {
                search::count_groups(reader, &source.extent, wanted.filter).await
            });
            in_time(count.await)?
        }
        known => known,
    };
    Ok(ListResult { rows, total, beside })
}
