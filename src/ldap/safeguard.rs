//! The safeguard: which removals by absence go ahead and which wait for a user's approval.
//!
//! What an entry says explicitly (a user switched off) never waits. Many users switched on at once wait as removals
//! do, and so does a whole read that is not one of the directory read before.
use std::collections::{HashMap, HashSet};

use super::plan::{Baseline, ChangeKind, MissingRecords, RecordMatch, SyncPlan};
use super::reason::PendingReason;
use super::translate::DirectorySnapshot;
use crate::connection::ldap::SafeguardLimits;

/// One thing that may wait; positions of `Baseline`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Removal {
    /// A user.
    User(u32),
    /// A group.
    Group(u32),
    /// A user from a group.
    Member(u32, u32),
    /// A group from a group: outer, inner.
    Nested(u32, u32),
    /// Removes what keeps a user out.
    SwitchOn(u32),
    /// Switches a user off for want of a sign.
    SwitchOff(u32),
}

/// What the safeguard decided. Every absence is in exactly one of the first two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafeguardDecision {
    /// Go ahead.
    pub apply: MissingRecords,
    /// Wait, each with the first reason that holds it.
    pub held: Vec<(Removal, PendingReason)>,
    /// Why nothing at all of the read is taken.
    pub whole: Option<PendingReason>,
}

/// Removals without approval, of this run or of those before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnapprovedRemovals {
    /// Memberships, of users and of groups.
    pub memberships: u64,
    /// Groups.
    pub groups: u64,
    /// Of a group that a rule names, by its stable id: how many users fell out of it.
    pub mapped: HashMap<String, u64>,
}

/// The hours over which removals of groups and memberships are added up.
pub const WINDOW_HOURS: i64 = 24;

/// What else the safeguard looks at.
#[derive(Clone, Debug, Default)]
pub struct SafeguardInput {
    /// Why the read may not be one of the directory read before.
    pub strange: Option<PendingReason>,
    /// What was changed in how the directory is read, so that less is found.
    pub narrowed: Option<PendingReason>,
    /// A user has approved this read as a whole.
    pub approved_read: bool,
    /// Removals that a user has approved.
    pub approved: HashSet<Removal>,
    /// What runs have removed in the last hours.
    pub before: UnapprovedRemovals,
}

/// What goes ahead that nobody has approved: it counts against the runs of the next hours.
pub fn taken(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    apply: &MissingRecords,
    approved: &HashSet<Removal>,
) -> UnapprovedRemovals {
    let (memberships, groups) = counted(accepted, all(apply).filter(|removal| !approved.contains(removal)));
    let mut mapped = HashMap::new();
    // Whom an approval let go is no slow leak, and who falls out beside it is not told apart.
    if approved.is_empty() && !apply.is_empty() {
        let graph = Graph::new(said, accepted, plan, apply);
        for (at, group) in (0..).zip(&accepted.groups).filter(|(_, group)| group.mapped) {
            let lost = graph.lost(at).1.len();
            if lost > 0 {
                mapped.insert(group.key.clone(), lost as u64);
            }
        }
    }
    UnapprovedRemovals { memberships, groups, mapped }
}

/// Decides over every absence, and over who is switched on or off at once.
pub fn safeguard(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    absences: &MissingRecords,
    limits: SafeguardLimits,
    about: &SafeguardInput,
) -> SafeguardDecision {
    let whole = whole_read(said, accepted, plan, limits, about);
    if let Some(reason) = whole {
        let held = all(absences).map(|removal| (removal, reason.clone())).collect();
        return SafeguardDecision { held, whole: Some(reason), ..SafeguardDecision::default() };
    }
    let mut held: HashMap<Removal, PendingReason> = HashMap::new();
    if !absences.is_empty() {
        users_or_nothing(said, absences, limits, accepted, about, &mut held);
        privileged(accepted, absences, &mut held);
        mapped_groups(said, accepted, plan, absences, limits, about, &mut held);
        shares(accepted, absences, limits, about, &mut held);
    }
    let mut verdict = SafeguardDecision::default();
    for removal in all(absences) {
        let approved = about.approved.contains(&removal);
        match held.remove(&removal) {
            Some(reason) if !approved => verdict.held.push((removal, reason)),
            _ => verdict.let_through(removal),
        }
    }
    switches(said, accepted, plan, limits, about, &mut verdict.held);
    verdict
}

impl SafeguardDecision {
    fn let_through(&mut self, removal: Removal) {
        match removal {
            Removal::User(user) => self.apply.users.push(user),
            Removal::Group(group) => self.apply.groups.push(group),
            Removal::Member(group, user) => self.apply.members.push((group, user)),
            Removal::Nested(outer, inner) => self.apply.nested.push((outer, inner)),
            Removal::SwitchOn(_) | Removal::SwitchOff(_) => {}
        }
    }
}

/// Why the read as a whole waits: additions to another directory's users are as wrong as removals.
fn whole_read(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    limits: SafeguardLimits,
    about: &SafeguardInput,
) -> Option<PendingReason> {
    if about.approved_read || (accepted.users.is_empty() && accepted.groups.is_empty()) {
        return None;
    }
    if about.strange.is_some() {
        return about.strange.clone();
    }
    // Whatever the server shows of itself: most are not found again, and more others are there.
    let of = accepted.users.len();
    let matched = RecordMatch::new(said, accepted);
    let present = |(at, user): (usize, &super::plan::BaselineUser)| {
        matched.said_user.get(at).is_some_and(Option::is_some) || said.present_users.contains(&user.key)
    };
    let found = accepted.users.iter().enumerate().filter(|known| present(*known)).count();
    let new = plan.create_users.len();
    let strangers = of >= limits.at_least as usize && found * 2 < of && new > found;
    strangers.then_some(PendingReason::Strangers { found: found as u64, of: of as u64, new: new as u64 })
}

/// Every absence as one removal.
pub fn all(absences: &MissingRecords) -> impl Iterator<Item = Removal> + '_ {
    let users = absences.users.iter().map(|user| Removal::User(*user));
    let groups = absences.groups.iter().map(|group| Removal::Group(*group));
    let members = absences.members.iter().map(|(group, user)| Removal::Member(*group, *user));
    let nested = absences.nested.iter().map(|(outer, inner)| Removal::Nested(*outer, *inner));
    users.chain(groups).chain(members).chain(nested)
}

/// More than the limit, and enough to matter.
pub(super) fn exceeds(lost: usize, of: usize, at_least: u32, percent: u32) -> bool {
    lost >= at_least as usize && (lost as u64) * 100 > (of as u64) * u64::from(percent)
}

fn users_or_nothing(
    said: &DirectorySnapshot,
    absences: &MissingRecords,
    limits: SafeguardLimits,
    accepted: &Baseline,
    about: &SafeguardInput,
    held: &mut HashMap<Removal, PendingReason>,
) {
    if let Some(reason) = &about.narrowed {
        held.extend(all(absences).map(|removal| (removal, reason.clone())));
        return;
    }
    let no_users = said.users.is_empty() && said.present_users.is_empty();
    let no_groups = said.groups.is_empty() && said.present_groups.is_empty();
    if no_users {
        let reason = PendingReason::EmptyRead { what: "users".to_owned() };
        held.extend(all(absences).map(|removal| (removal, reason.clone())));
    }
    if no_groups {
        let reason = PendingReason::EmptyRead { what: "groups".to_owned() };
        let groups = all(absences).filter(|removal| !matches!(removal, Removal::User(_)));
        held.extend(groups.map(|removal| (removal, reason.clone())));
    }
    let (missing, of) = (absences.users.len(), accepted.users.len());
    if !no_users && exceeds(missing, of, limits.at_least, limits.users_percent) {
        let reason = PendingReason::ManyUsers { missing: missing as u64, of: of as u64, limit: limits.users_percent };
        for user in &absences.users {
            held.entry(Removal::User(*user)).or_insert_with(|| reason.clone());
        }
    }
}

/// How many memberships, and how many groups, removals take away. Those of users who go are theirs: users have a
/// limit of their own.
fn counted(accepted: &Baseline, removals: impl Iterator<Item = Removal>) -> (u64, u64) {
    let (mut memberships, mut groups) = (0, HashSet::new());
    for removal in removals {
        match removal {
            Removal::Member(..) | Removal::Nested(..) => memberships += 1,
            Removal::Group(group) => drop(groups.insert(group)),
            Removal::User(_) | Removal::SwitchOn(_) | Removal::SwitchOff(_) => {}
        }
    }
    if !groups.is_empty() {
        memberships += accepted.members.iter().filter(|(group, _)| groups.contains(group)).count() as u64;
        let gone = |(outer, inner): &&(u32, u32)| groups.contains(outer) || groups.contains(inner);
        memberships += accepted.nested.iter().filter(gone).count() as u64;
    }
    (memberships, groups.len() as u64)
}

/// Groups and memberships by their share of all, whether or not a rule names them, together with what the last hours
/// took away.
fn shares(
    accepted: &Baseline,
    absences: &MissingRecords,
    limits: SafeguardLimits,
    about: &SafeguardInput,
    held: &mut HashMap<Removal, PendingReason>,
) {
    let open = |removal: &Removal| !about.approved.contains(removal);
    let (memberships, groups) = counted(accepted, all(absences).filter(open));
    let (limit, hours) = (limits.members_percent, WINDOW_HOURS);
    let lost = groups + about.before.groups;
    let of = accepted.groups.len() as u64 + about.before.groups;
    if groups > 0 && exceeds(lost as usize, of as usize, limits.at_least, limit) {
        let reason = PendingReason::ManyGroups { lost, of, limit, hours };
        for group in &absences.groups {
            held.entry(Removal::Group(*group)).or_insert_with(|| reason.clone());
        }
    }
    let lost = memberships + about.before.memberships;
    let of = (accepted.members.len() + accepted.nested.len()) as u64 + about.before.memberships;
    if memberships > 0 && exceeds(lost as usize, of as usize, limits.at_least, limit) {
        let reason = PendingReason::ManyMemberships { lost, of, limit, hours };
        for removal in all(absences).filter(|removal| !matches!(removal, Removal::User(_))) {
            held.entry(removal).or_insert_with(|| reason.clone());
        }
    }
}

/// Many who are switched on at once, and many who are switched off only because a sign is not shown.
fn switches(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    limits: SafeguardLimits,
    about: &SafeguardInput,
    held: &mut Vec<(Removal, PendingReason)>,
) {
    let silent = |said_at: u32| said.users.get(said_at as usize).is_some_and(|user| user.silent);
    let of = |kind: ChangeKind| plan.change_users.iter().filter(move |change| change.kind == kind);
    let on = of(ChangeKind::SwitchedOn).map(|change| Removal::SwitchOn(change.known));
    let off = of(ChangeKind::SwitchedOff).filter(|change| silent(change.said));
    let off = off.map(|change| Removal::SwitchOff(change.known));
    let users = accepted.users.len();
    for (on, all) in [(true, on.collect::<Vec<_>>()), (false, off.collect())] {
        let open: Vec<Removal> = all.into_iter().filter(|switch| !about.approved.contains(switch)).collect();
        if exceeds(open.len(), users, limits.at_least, limits.users_percent) {
            let (count, of, limit) = (open.len() as u64, users as u64, limits.users_percent);
            held.extend(open.into_iter().map(|switch| (switch, PendingReason::ManySwitched { on, count, of, limit })));
        }
    }
}

fn privileged(accepted: &Baseline, absences: &MissingRecords, held: &mut HashMap<Removal, PendingReason>) {
    let is = |user: u32| accepted.users.get(user as usize).is_some_and(|user| user.privileged);
    for user in absences.users.iter().filter(|user| is(**user)) {
        held.entry(Removal::User(*user)).or_insert(PendingReason::Privileged);
    }
}

/// For every group that a rule names: who would fall out of it, through whatever nesting.
fn mapped_groups(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    absences: &MissingRecords,
    limits: SafeguardLimits,
    about: &SafeguardInput,
    held: &mut HashMap<Removal, PendingReason>,
) {
    let graph = Graph::new(said, accepted, plan, absences);
    for (at, group) in (0..).zip(&accepted.groups).filter(|(_, group)| group.mapped) {
        let below = reach(at, &graph.inner_before);
        let (before, lost) = graph.lost(at);
        if lost.is_empty() {
            continue;
        }
        let is_privileged = |user: &u32| accepted.users.get(*user as usize).is_some_and(|user| user.privileged);
        let earlier = about.before.mapped.get(&group.key).copied().unwrap_or_default();
        let (all_lost, all_of) = (lost.len() as u64 + earlier, before as u64 + earlier);
        let too_many = exceeds(all_lost as usize, all_of as usize, limits.at_least, limits.members_percent);
        let reason = if too_many {
            let (lost, of) = (all_lost, all_of);
            PendingReason::GroupShrinks { group: group.name.clone(), lost, of, limit: limits.members_percent }
        } else if lost.iter().any(is_privileged) {
            PendingReason::Privileged
        } else {
            continue;
        };
        // A privileged user holds only what takes them out; too many hold everything that takes anyone out.
        let counts = |user: u32| lost.contains(&user) && (too_many || is_privileged(&user));
        for removal in all(absences) {
            let takes_out = match removal {
                Removal::User(user) => counts(user),
                Removal::Member(group, user) => below.contains(&group) && counts(user),
                Removal::Group(inner) => below.contains(&inner),
                Removal::Nested(outer, _) => below.contains(&outer),
                Removal::SwitchOn(_) | Removal::SwitchOff(_) => false,
            };
            if takes_out {
                held.entry(removal).or_insert_with(|| reason.clone());
            }
        }
    }
}

/// Groups and members before the run and as they would be after it, in positions of `Baseline`. New users
/// cannot be lost and are left out.
struct Graph {
    inner_before: HashMap<u32, Vec<u32>>,
    inner_after: HashMap<u32, Vec<u32>>,
    members_before: HashMap<u32, Vec<u32>>,
    members_after: HashMap<u32, Vec<u32>>,
}

impl Graph {
    /// How many users are in a group, and who of them would fall out of it, through whatever nesting.
    fn lost(&self, group: u32) -> (usize, HashSet<u32>) {
        let before = members(&reach(group, &self.inner_before), &self.members_before);
        let after = members(&reach(group, &self.inner_after), &self.members_after);
        (before.len(), before.difference(&after).copied().collect())
    }

    fn new(said: &DirectorySnapshot, accepted: &Baseline, plan: &SyncPlan, absences: &MissingRecords) -> Self {
        let matched = RecordMatch::new(said, accepted);
        let known = |list: &[Option<u32>], at: u32| list.get(at as usize).copied().flatten();
        let gone_groups: HashSet<u32> = absences.groups.iter().copied().collect();
        let gone_users: HashSet<u32> = absences.users.iter().copied().collect();
        let gone_members: HashSet<(u32, u32)> = absences.members.iter().copied().collect();
        let gone_nested: HashSet<(u32, u32)> = absences.nested.iter().copied().collect();

        // New groups take positions behind the known ones, so that members who moved into them are still found.
        let first_new = accepted.groups.len() as u32;
        let position = |said: u32| known(&matched.known_group, said).unwrap_or(first_new + said);

        let kept = accepted.members.iter().copied().filter(|(group, user)| {
            !gone_groups.contains(group) && !gone_users.contains(user) && !gone_members.contains(&(*group, *user))
        });
        let added = plan
            .add_members
            .iter()
            .filter_map(|(group, user)| Some((position(*group), known(&matched.known_user, *user)?)));
        let members_after = by_group(kept.chain(added));
        let kept = accepted.nested.iter().copied().filter(|(outer, inner)| {
            !gone_groups.contains(outer) && !gone_groups.contains(inner) && !gone_nested.contains(&(*outer, *inner))
        });
        let added = plan.add_nested.iter().map(|(outer, inner)| (position(*outer), position(*inner)));
        let inner_after = by_group(kept.chain(added));
        Self {
            inner_before: by_group(accepted.nested.iter().copied()),
            inner_after,
            members_before: by_group(accepted.members.iter().copied()),
            members_after,
        }
    }
}

fn by_group(pairs: impl Iterator<Item = (u32, u32)>) -> HashMap<u32, Vec<u32>> {
    let mut map: HashMap<u32, Vec<u32>> = HashMap::new();
    for (group, member) in pairs {
        map.entry(group).or_default().push(member);
    }
    map
}

fn reach(from: u32, inner: &HashMap<u32, Vec<u32>>) -> HashSet<u32> {
    let mut reached = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(group) = open.pop() {
        open.extend(inner.get(&group).into_iter().flatten().copied().filter(|inner| reached.insert(*inner)));
    }
    reached
}

fn members(groups: &HashSet<u32>, members: &HashMap<u32, Vec<u32>>) -> HashSet<u32> {
    groups.iter().filter_map(|group| members.get(group)).flatten().copied().collect()
}
