//! Reads what a connection took away, and what is there now.
use std::collections::{BTreeSet, HashSet};

use super::ledger::{Ledger, TimeRange};
use super::plan::{CurrentState, UndoPlan};
use super::removal::{RemovedItem, taker, turns};
use crate::domain::id::{EventId, ExternalGroupId, ExternalUserId};
use crate::store::extent::ConnectionExtent;
use crate::store::members::MemberId;
use crate::store::removal_events::RemovalEvent;
use crate::store::{Reader, StoreError, deleted, removal_events};

/// Lines read in one go.
const BATCH: u32 = 1_000;

/// The most things that one plan speaks of.
const MOST: usize = 200_000;

/// A line is sealed after it was written, at most this much later, in seconds: a long transaction and a pause of the
/// sealer.
const LATEST: i64 = 300;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum UndoPlanError {
    /// More was taken away than one plan may hold.
    #[error("In this time more than {MOST} things were taken away. Undo it in parts: choose a shorter time.")]
    TooMuch,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the connection took away within `span`, and what undoing it would do. It reads and changes nothing.
///
/// # Errors
/// [`UndoPlanError`].
pub async fn look(reader: &mut Reader, at: &ConnectionExtent, span: TimeRange) -> Result<UndoPlan, UndoPlanError> {
    let mut ledger = Ledger::new(span);
    let mut note = |line: &RemovalEvent| {
        let ours = taker(line) == Some(at.connection());
        for (item, turn) in turns(line) {
            ledger.note(line.at, ours, item, turn);
        }
        ledger.len() <= MOST
    };
    // Lines that wait are read first: one that is sealed meanwhile is then met twice, and never missed.
    let mut waiting = removal_events::unsealed(reader, at).await?;
    let beyond: HashSet<EventId> = waiting.iter().map(|line| line.id).collect();
    let mut sealed: HashSet<EventId> = HashSet::new();
    let head = removal_events::head(reader, at).await?;
    let mut seq = removal_events::start(reader, at, span.from.plus_seconds(-LATEST)).await?;
    while seq < head {
        let lines = removal_events::sealed(reader, at, (seq, head), BATCH).await?;
        seq = lines.last().and_then(|line| line.seq).unwrap_or(head);
        if !lines.iter().all(&mut note) {
            return Err(UndoPlanError::TooMuch);
        }
        sealed.extend(lines.iter().map(|line| line.id).filter(|id| beyond.contains(id)));
    }
    waiting.retain(|line| !sealed.contains(&line.id));
    if !waiting.iter().all(&mut note) {
        return Err(UndoPlanError::TooMuch);
    }
    let present = present(reader, at, &ledger).await?;
    let entries = present.decide(&ledger);
    let mut users: std::collections::BTreeMap<_, _> =
        present.users.into_iter().map(|(id, there)| (id, there.name)).collect();
    users.extend(present.gone_users.into_iter().map(|(id, gone)| (id, gone.name)));
    let mut groups = present.groups;
    groups.extend(present.gone_groups.into_iter().map(|(id, gone)| (id, gone.name)));
    Ok(UndoPlan { connection: at.connection(), span, entries, users, groups, head, beyond })
}

async fn present(reader: &mut Reader, at: &ConnectionExtent, ledger: &Ledger) -> Result<CurrentState, StoreError> {
    let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
    let mut pairs: std::collections::BTreeMap<ExternalGroupId, Pairs> = std::collections::BTreeMap::new();
    for (item, _) in ledger.items() {
        users.extend(item.user());
        match item {
            RemovedItem::Group(group) => drop(groups.insert(group)),
            RemovedItem::Member(group, who) => {
                groups.insert(group);
                let pairs = pairs.entry(group).or_default();
                match who {
                    MemberId::User(user) => pairs.users.push(user),
                    MemberId::Group(child) => {
                        groups.insert(child);
                        pairs.groups.push(child);
                    }
                }
            }
            RemovedItem::User(_) | RemovedItem::Active(_) => {}
        }
    }
    let users: Vec<ExternalUserId> = users.into_iter().collect();
    let groups: Vec<ExternalGroupId> = groups.into_iter().collect();
    let mut found = CurrentState {
        users: removal_events::users(reader, at, &users).await?.into_iter().map(|user| (user.id, user)).collect(),
        gone_users: deleted::users(reader, at, &users).await?.into_iter().map(|gone| (gone.id, gone)).collect(),
        groups: removal_events::groups(reader, at, &groups).await?.into_iter().collect(),
        gone_groups: deleted::groups(reader, at, &groups).await?.into_iter().map(|gone| (gone.id, gone)).collect(),
        members: HashSet::new(),
        kept_out: removal_events::kept_out_by_others(reader, at, &users).await?.into_iter().collect(),
    };
    for (group, pairs) in pairs {
        let members = removal_events::members(reader, at, group, &pairs.users).await?;
        found.members.extend(members.into_iter().map(|user| (group, MemberId::User(user))));
        let nested = removal_events::nested(reader, at, group, &pairs.groups).await?;
        found.members.extend(nested.into_iter().map(|child| (group, MemberId::Group(child))));
    }
    Ok(found)
}

/// Those whose membership of one group is in question.
#[derive(Default)]
struct Pairs {
    users: Vec<ExternalUserId>,
    groups: Vec<ExternalGroupId>,
}
