//! What a read would change: the difference between what the directory says and the accepted state.
//!
//! Additions, changes and explicit deactivations need only what was read. Removals by absence are
//! computed only from a [`Complete`] read.
use std::collections::{HashMap, HashSet};

use crate::domain::id::{ExternalGroupId, ExternalUserId};
use crate::domain::text::fold;

use super::mark::Mark;
use super::read::Complete;
use super::translate::DirectorySnapshot;

/// The accepted state of one connection. Members are named by position.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Users.
    pub users: Vec<BaselineUser>,
    /// Groups.
    pub groups: Vec<BaselineGroup>,
    /// Direct members: position in `groups`, position in `users`.
    pub members: Vec<(u32, u32)>,
    /// Groups in groups: outer, inner.
    pub nested: Vec<(u32, u32)>,
}

/// An accepted user.
#[derive(Clone, Debug)]
pub struct BaselineUser {
    /// Its identity here.
    pub id: ExternalUserId,
    /// The stable id.
    pub key: String,
    /// The login name.
    pub user_name: String,
    /// The join key.
    pub match_key: Option<Vec<u8>>,
    /// Of the last accepted entry.
    pub mark: Option<Mark>,
    /// Not switched off.
    pub active: bool,
    /// An owner, or someone who may change what others may do.
    pub privileged: bool,
}

/// An accepted group.
#[derive(Clone, Debug)]
pub struct BaselineGroup {
    /// Its identity here.
    pub id: ExternalGroupId,
    /// The stable id.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Of the last accepted entry.
    pub hash: Option<Vec<u8>>,
    /// A rule names it.
    pub mapped: bool,
}

/// What to add and to change. Positions are those of `DirectorySnapshot` and `Baseline`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncPlan {
    /// New users.
    pub create_users: Vec<u32>,
    /// Changed users.
    pub change_users: Vec<RecordChange>,
    /// New groups.
    pub create_groups: Vec<u32>,
    /// Changed groups.
    pub change_groups: Vec<RecordChange>,
    /// New members: said group, said user.
    pub add_members: Vec<(u32, u32)>,
    /// New groups in groups: said outer, said inner.
    pub add_nested: Vec<(u32, u32)>,
    /// Users and groups without change.
    pub unchanged: u64,
}

/// A change of something known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// Position in what is said.
    pub said: u32,
    /// Position in the accepted state.
    pub known: u32,
    /// What kind, for the report.
    pub kind: ChangeKind,
}

/// What changed about a user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Attributes only.
    Attributes,
    /// The login name or the group's name.
    Renamed,
    /// Held only where it follows from what the entry does not show.
    SwitchedOff,
    /// Many at once are held.
    SwitchedOn,
}

/// Removals whose only evidence is that something is not there any more. Positions of `Baseline`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MissingRecords {
    /// Missing users.
    pub users: Vec<u32>,
    /// Missing groups.
    pub groups: Vec<u32>,
    /// Members no longer listed in a group that is there, of users who are there: group, user.
    pub members: Vec<(u32, u32)>,
    /// Groups no longer in groups, both there: outer, inner.
    pub nested: Vec<(u32, u32)>,
}

impl MissingRecords {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.members.is_empty() && self.nested.is_empty()
    }
}

/// For each side, where the same thing is on the other side.
pub(super) struct RecordMatch {
    pub known_user: Vec<Option<u32>>,
    pub known_group: Vec<Option<u32>>,
    pub said_user: Vec<Option<u32>>,
    pub said_group: Vec<Option<u32>>,
}

impl RecordMatch {
    pub fn new(said: &DirectorySnapshot, accepted: &Baseline) -> Self {
        let (known_user, said_user) = pair(said.users.iter().map(|u| &u.key), accepted.users.iter().map(|u| &u.key));
        let (known_group, said_group) =
            pair(said.groups.iter().map(|g| &g.key), accepted.groups.iter().map(|g| &g.key));
        Self { known_user, known_group, said_user, said_group }
    }
}

fn pair<'a>(
    said: impl ExactSizeIterator<Item = &'a String>,
    known: impl ExactSizeIterator<Item = &'a String>,
) -> (Vec<Option<u32>>, Vec<Option<u32>>) {
    let mut found_said = vec![None; known.len()];
    let known: HashMap<&String, u32> = known.zip(0..).collect();
    let found_known = said.zip(0..).map(|(key, at)| {
        let known = *known.get(key)?;
        if let Some(slot) = found_said.get_mut(known as usize) {
            *slot = Some(at);
        }
        Some(known)
    });
    let found_known = found_known.collect();
    (found_known, found_said)
}

fn get<T: Copy>(list: &[Option<T>], at: u32) -> Option<T> {
    list.get(at as usize).copied().flatten()
}

/// What to add and to change; needs no proof that the read is whole.
pub fn plan(said: &DirectorySnapshot, accepted: &Baseline) -> SyncPlan {
    let matched = RecordMatch::new(said, accepted);
    let mut plan = SyncPlan::default();
    for (at, user) in (0..).zip(&said.users) {
        match get(&matched.known_user, at).and_then(|known| Some((known, accepted.users.get(known as usize)?))) {
            None => plan.create_users.push(at),
            Some((_, old)) if old.mark.is_some_and(|old| old.same(&user.mark)) => plan.unchanged += 1,
            Some((known, old)) => {
                let kind = match (old.active, user.active) {
                    (true, false) => ChangeKind::SwitchedOff,
                    (false, true) => ChangeKind::SwitchedOn,
                    _ if fold(&old.user_name) != fold(&user.user_name) => ChangeKind::Renamed,
                    _ => ChangeKind::Attributes,
                };
                plan.change_users.push(RecordChange { said: at, known, kind });
            }
        }
    }
    for (at, group) in (0..).zip(&said.groups) {
        match get(&matched.known_group, at).and_then(|known| Some((known, accepted.groups.get(known as usize)?))) {
            None => plan.create_groups.push(at),
            Some((_, old)) if old.hash.as_deref() == Some(&group.hash) => plan.unchanged += 1,
            Some((known, old)) => {
                let kind = if old.name == group.name { ChangeKind::Attributes } else { ChangeKind::Renamed };
                plan.change_groups.push(RecordChange { said: at, known, kind });
            }
        }
    }
    let held: HashSet<(u32, u32)> = accepted.members.iter().copied().collect();
    let known_pair = |outer: Option<u32>, inner: Option<u32>| outer.zip(inner);
    plan.add_members = said
        .members
        .iter()
        .copied()
        .filter(|(group, user)| {
            known_pair(get(&matched.known_group, *group), get(&matched.known_user, *user))
                .is_none_or(|pair| !held.contains(&pair))
        })
        .collect();
    let held: HashSet<(u32, u32)> = accepted.nested.iter().copied().collect();
    plan.add_nested = said
        .nested
        .iter()
        .copied()
        .filter(|(outer, inner)| {
            known_pair(get(&matched.known_group, *outer), get(&matched.known_group, *inner))
                .is_none_or(|pair| !held.contains(&pair))
        })
        .collect();
    plan
}

/// Marks that are to be written anew, though nothing changed: the entry is another one and says the same, or another way of
/// reading it came to the same.
pub(super) fn stale_marks(said: &DirectorySnapshot, accepted: &Baseline) -> Vec<(ExternalUserId, Mark)> {
    let matched = RecordMatch::new(said, accepted);
    let known = |at: &Option<u32>| accepted.users.get((*at)? as usize);
    let pairs = matched.known_user.iter().map(known).zip(&said.users);
    let stale = pairs.filter_map(|(known, user)| {
        let known = known?;
        known.mark.is_some_and(|before| before.same(&user.mark) && before != user.mark).then_some((known.id, user.mark))
    });
    stale.collect()
}

/// What is missing. What was set aside is there and not missing, and so are its memberships, and those of a group of
/// which some cannot be read; where what was read contradicts itself, nobody is missing.
pub fn absences(said: &Complete<DirectorySnapshot>, accepted: &Baseline) -> MissingRecords {
    let said = said.get();
    if said.doubt.is_some() {
        return MissingRecords::default();
    }
    let matched = RecordMatch::new(said, accepted);
    let users = (0..).zip(&accepted.users);
    let users =
        users.filter(|(at, user)| get(&matched.said_user, *at).is_none() && !said.present_users.contains(&user.key));
    let groups = (0..).zip(&accepted.groups);
    let groups = groups
        .filter(|(at, group)| get(&matched.said_group, *at).is_none() && !said.present_groups.contains(&group.key));
    let unclear = |group: u32| get(&matched.said_group, group).is_none_or(|group| said.unclear.contains(&group));
    let listed: HashSet<(u32, u32)> = said.members.iter().copied().collect();
    let members = accepted.members.iter().copied().filter(|(group, user)| {
        let pair = get(&matched.said_group, *group).zip(get(&matched.said_user, *user));
        pair.is_some_and(|pair| !listed.contains(&pair)) && !unclear(*group)
    });
    let listed: HashSet<(u32, u32)> = said.nested.iter().copied().collect();
    let nested = accepted.nested.iter().copied().filter(|(outer, inner)| {
        let pair = get(&matched.said_group, *outer).zip(get(&matched.said_group, *inner));
        pair.is_some_and(|pair| !listed.contains(&pair)) && !unclear(*outer)
    });
    MissingRecords {
        users: users.map(|(at, _)| at).collect(),
        groups: groups.map(|(at, _)| at).collect(),
        members: members.collect(),
        nested: nested.collect(),
    }
}
