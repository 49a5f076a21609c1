//! Gives back what a plan says. Each part is one transaction that looks again, so a plan may be carried out in parts and
//! taken up again after a crash: what anybody said of a thing since the plan was read wins over it.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use uuid::Uuid;

use super::plan::{Restorability, UndoEntry, UndoPlan};
use super::removal::{RemovedItem, turns};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalGroupId, ExternalUserId};
use crate::provision::event::{Event, Kind};
use crate::provision::groups::{self, GroupInput};
use crate::provision::matching::{self, INACTIVE};
use crate::provision::users::{self, MatchKeySource, UserInput, finish};
use crate::provision::{Effect, ProvisionError, ProvisionSource, bind, conditions, merge};
use crate::scim::patch::MemberOp;
use crate::scim::resource::{self, Document, MemberKind, MemberRef};
use crate::store::members::MemberId;
use crate::store::{StoreError, Tx, deleted, external_groups, external_users, match_keys, nesting, removal_events};

/// What came of a part of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UndoResult {
    /// How many things were given back.
    pub restored: usize,
    /// How many were not, because something was said of them, or stood in their way, since the plan was read.
    pub passed: usize,
}

/// Gives back `part`, entries of `plan` that it would restore, in its order, in the name of `ctx`'s actor. One line of the
/// log says so for all of them, beside those of the single changes.
///
/// # Errors
/// [`ProvisionError::Raced`] when it met another act: nothing is changed, and the part can be tried again.
pub async fn carry_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    plan: &UndoPlan,
    part: &[UndoEntry],
) -> Result<UndoResult, ProvisionError> {
    hold(tx, source, part).await?;
    let changed = said_since(tx, source, plan, part).await?;
    let part: Vec<&UndoEntry> = part.iter().filter(|entry| !changed.contains(&entry.item)).collect();
    let mut restored = 0;
    let mut effect = Effect::default();
    let mut joining: BTreeMap<ExternalGroupId, Vec<MemberRef>> = BTreeMap::new();
    for entry in &part {
        match entry.item {
            RemovedItem::User(id) => restored += usize::from(user(tx, ctx, source, id, &mut effect).await?),
            RemovedItem::Group(id) => restored += usize::from(group(tx, ctx, source, id, &mut effect).await?),
            RemovedItem::Member(group, who) => joining.entry(group).or_default().push(member(who)),
            RemovedItem::Active(_) => {}
        }
    }
    finish(tx, ctx, source, &mut effect).await?;
    for (group, members) in joining {
        let change = |doc: &Document| {
            let members = vec![MemberOp::Add(members.clone())];
            Ok(GroupInput { document: doc.clone(), members, row_hash: None })
        };
        restored += match groups::update_in(tx, ctx, source, group, None, &change).await {
            Ok(done) => done.effect.members_added,
            Err(ProvisionError::NotFound) => 0,
            Err(error) => return Err(error),
        };
    }
    for entry in &part {
        if let (RemovedItem::Active(id), Restorability::Restored { was_implicit }) = (entry.item, entry.fate) {
            restored += usize::from(let_in(tx, ctx, source, id, was_implicit).await?);
        }
    }
    if restored > 0 {
        let event = Event::of(Kind::RemovalsUndone, plan.connection).count("restored", restored);
        let event = event.moment("from", plan.span.from).moment("to", plan.span.to);
        crate::provision::events::append(tx, ctx, source.extent.partner(), &[event]).await?;
    }
    Ok(UndoResult { restored, passed: (part.len() + changed.len()).saturating_sub(restored) })
}

/// Holds what the part touches, in the order in which every other act does: the nesting, groups by id, users by id.
async fn hold(tx: &mut Tx, source: &ProvisionSource<'_>, part: &[UndoEntry]) -> Result<(), StoreError> {
    let at = &source.extent;
    let (mut users, mut groups, mut nests) = (BTreeSet::new(), BTreeSet::new(), false);
    for entry in part {
        match entry.item {
            RemovedItem::User(user) | RemovedItem::Active(user) => drop(users.insert(user)),
            RemovedItem::Group(_) => nests = true,
            RemovedItem::Member(group, who) => {
                groups.insert(group);
                nests |= matches!(who, MemberId::Group(_));
            }
        }
    }
    if nests {
        nesting::lock(tx, at).await?;
    }
    for group in groups {
        external_groups::lock(tx, at, group).await?;
    }
    for user in users {
        external_users::lock(tx, at, user).await?;
    }
    Ok(())
}

/// The things of the part of which anything was said since the plan was read. What the part touches is held, so nothing
/// more can be said until it is done.
async fn said_since(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    plan: &UndoPlan,
    part: &[UndoEntry],
) -> Result<HashSet<RemovedItem>, StoreError> {
    let subjects: BTreeSet<Uuid> = part.iter().map(|entry| entry.item.subject()).collect();
    let subjects: Vec<Uuid> = subjects.into_iter().collect();
    let lines = removal_events::newer(tx, &source.extent, plan.head, &subjects).await?;
    let said = lines.iter().filter(|line| !plan.beyond.contains(&line.id)).flat_map(turns);
    let items: HashSet<RemovedItem> = part.iter().map(|entry| entry.item).collect();
    Ok(said.map(|(item, _)| item).filter(|item| items.contains(item)).collect())
}

/// Puts a deleted user back as it was, linked to the user it was linked to; false when that cannot be.
pub(in crate::provision) async fn user(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    effect: &mut Effect,
) -> Result<bool, ProvisionError> {
    let at = &source.extent;
    let Some(kept) = deleted::user(tx, at, id).await? else { return Ok(false) };
    if !deleted::users(tx, at, &[id]).await?.iter().all(deleted::DeletedItem::may_return) {
        return Ok(false);
    }
    match tx.attempt(false, async |tx: &mut Tx| deleted::restore_user(tx, at, (id, &kept), ctx.now()).await).await {
        Ok(true) => {}
        Ok(false) | Err(StoreError::Unique(_) | StoreError::ForeignKey) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    effect.event(Event::of(Kind::ExternalUserRestored, id).id("connection", at.connection()));
    if let Some(user) = kept.user {
        if let Some(key) = &kept.match_key {
            // A lasting key still names the user; one that may be given away was forgotten with the user.
            match_keys::claim(tx, at, key, false, user, ctx.now()).await?;
        }
        effect.touch([user]);
        if kept.active {
            matching::switch(tx, ctx, source, user, true, INACTIVE, effect).await?;
        }
        merge::refresh(tx, ctx, source, user, None, effect).await?;
    }
    conditions::keep(tx, source, id, &resource::keys(source.schemas.users(), &kept.doc)).await?;
    Ok(true)
}

/// Puts a deleted group back under its own id, so that rules that name it count again; its members follow by themselves.
async fn group(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalGroupId,
    effect: &mut Effect,
) -> Result<bool, ProvisionError> {
    let at = &source.extent;
    if !deleted::groups(tx, at, &[id]).await?.iter().all(deleted::DeletedItem::may_return) {
        return Ok(false);
    }
    match tx.attempt(false, async |tx: &mut Tx| deleted::restore_group(tx, at, id, ctx.now()).await).await {
        Ok(true) => {}
        Ok(false) | Err(StoreError::Unique(_) | StoreError::ForeignKey) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    nesting::start(tx, at, id).await?;
    effect.event(Event::of(Kind::ExternalGroupRestored, id).id("connection", at.connection()));
    if let Some(group) = external_groups::get(tx, at, id).await? {
        bind::settle(tx, ctx, source, &group.display_name, effect).await?;
    }
    Ok(true)
}

fn member(who: MemberId) -> MemberRef {
    let kind = match who {
        MemberId::User(_) => MemberKind::User,
        MemberId::Group(_) => MemberKind::Group,
    };
    MemberRef::of(who.uuid(), Some(kind))
}

/// Lets a user in again, in the words of before; false when it is gone or in already.
async fn let_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    was_implicit: bool,
) -> Result<bool, ProvisionError> {
    if external_users::get(tx, &source.extent, id).await?.is_none_or(|user| user.active) {
        return Ok(false);
    }
    let said = |active: Option<bool>| {
        move |doc: &Document| {
            let mut document = doc.clone();
            document.remove("active");
            document.extend(active.map(|active| ("active".to_owned(), active.into())));
            Ok(UserInput { document, join: MatchKeySource::Unchanged, row_hash: None })
        }
    };
    users::update_in(tx, ctx, source, id, None, &said(Some(true))).await?;
    if was_implicit {
        // Leaving it out keeps what holds.
        users::update_in(tx, ctx, source, id, None, &said(None)).await?;
    }
    Ok(true)
}
