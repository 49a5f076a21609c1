//! The brake: which removals by absence go ahead and which wait for a person's approval.
//!
//! Only absences come here. What an entry says explicitly (a person switched off) never waits.
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::plan::{Absences, Accepted, Match, Plan};
use super::said::Said;
use super::settings::Brake;

/// Why a removal waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The read found no people at all, or no groups at all.
    EmptyRead {
        /// `people` or `groups`.
        what: String,
    },
    /// The server is not the one of the runs before.
    OtherServer,
    /// Too many people at once.
    ManyUsers {
        /// How many are missing.
        missing: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
    },
    /// A group that a rule names would lose too many members at once.
    GroupShrinks {
        /// The group's name.
        group: String,
        /// How many it would lose.
        lost: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
    },
    /// It touches an owner or someone who may change what others may do.
    Privileged,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EmptyRead { what } => write!(f, "the read found no {what} at all"),
            Self::OtherServer => f.write_str("the server is not the one of the runs before"),
            Self::ManyUsers { missing, of, limit } => {
                write!(f, "{missing} of {of} people are missing, more than {limit} %")
            }
            Self::GroupShrinks { group, lost, of, limit } => {
                write!(f, "the group \"{group}\" would lose {lost} of {of} members, more than {limit} %")
            }
            Self::Privileged => f.write_str("it touches an owner or someone who decides over others"),
        }
    }
}

/// One removal by absence; positions of `Accepted`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Removal {
    /// A person.
    User(u32),
    /// A group.
    Group(u32),
    /// A person from a group.
    Member(u32, u32),
    /// A group from a group: outer, inner.
    Nested(u32, u32),
}

/// What the brake decided. Every absence is in exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Go ahead.
    pub apply: Absences,
    /// Wait, each with the first reason that holds it.
    pub held: Vec<(Removal, Reason)>,
}

/// What else the brake looks at.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The server is not the one of the last run.
    pub other_server: bool,
    /// Removals that a person has approved.
    pub approved: HashSet<Removal>,
}

/// Decides over every absence.
pub fn brake(
    said: &Said,
    accepted: &Accepted,
    plan: &Plan,
    absences: &Absences,
    limits: Brake,
    about: &Circumstances,
) -> Verdict {
    let mut held: HashMap<Removal, Reason> = HashMap::new();
    if !absences.is_empty() {
        whole_read(said, absences, limits, accepted, about, &mut held);
        privileged(accepted, absences, &mut held);
        mapped_groups(said, accepted, plan, absences, limits, &mut held);
    }
    let mut verdict = Verdict::default();
    for removal in all(absences) {
        match held.remove(&removal) {
            Some(reason) if !about.approved.contains(&removal) => verdict.held.push((removal, reason)),
            _ => match removal {
                Removal::User(user) => verdict.apply.users.push(user),
                Removal::Group(group) => verdict.apply.groups.push(group),
                Removal::Member(group, user) => verdict.apply.members.push((group, user)),
                Removal::Nested(outer, inner) => verdict.apply.nested.push((outer, inner)),
            },
        }
    }
    verdict
}

/// Every absence as one removal.
pub fn all(absences: &Absences) -> impl Iterator<Item = Removal> + '_ {
    let users = absences.users.iter().map(|user| Removal::User(*user));
    let groups = absences.groups.iter().map(|group| Removal::Group(*group));
    let members = absences.members.iter().map(|(group, user)| Removal::Member(*group, *user));
    let nested = absences.nested.iter().map(|(outer, inner)| Removal::Nested(*outer, *inner));
    users.chain(groups).chain(members).chain(nested)
}

/// More than the limit, and enough to matter.
fn exceeds(lost: usize, of: usize, at_least: u32, percent: u32) -> bool {
    lost >= at_least as usize && (lost as u64) * 100 > (of as u64) * u64::from(percent)
}

fn whole_read(
    said: &Said,
    absences: &Absences,
    limits: Brake,
    accepted: &Accepted,
    about: &Circumstances,
    held: &mut HashMap<Removal, Reason>,
) {
    if about.other_server {
        held.extend(all(absences).map(|removal| (removal, Reason::OtherServer)));
        return;
    }
    let no_people = said.users.is_empty() && said.present_users.is_empty();
    let no_groups = said.groups.is_empty() && said.present_groups.is_empty();
    if no_people {
        let reason = Reason::EmptyRead { what: "people".to_owned() };
        held.extend(all(absences).map(|removal| (removal, reason.clone())));
    }
    if no_groups {
        let reason = Reason::EmptyRead { what: "groups".to_owned() };
        let groups = all(absences).filter(|removal| !matches!(removal, Removal::User(_)));
        held.extend(groups.map(|removal| (removal, reason.clone())));
    }
    let (missing, of) = (absences.users.len(), accepted.users.len());
    if !no_people && exceeds(missing, of, limits.at_least, limits.users_percent) {
        let reason = Reason::ManyUsers { missing: missing as u64, of: of as u64, limit: limits.users_percent };
        for user in &absences.users {
            held.entry(Removal::User(*user)).or_insert_with(|| reason.clone());
        }
    }
}

fn privileged(accepted: &Accepted, absences: &Absences, held: &mut HashMap<Removal, Reason>) {
    let is = |user: u32| accepted.users.get(user as usize).is_some_and(|user| user.privileged);
    for user in absences.users.iter().filter(|user| is(**user)) {
        held.entry(Removal::User(*user)).or_insert(Reason::Privileged);
    }
}

/// For every group that a rule names: who would fall out of it, through whatever nesting.
fn mapped_groups(
    said: &Said,
    accepted: &Accepted,
    plan: &Plan,
    absences: &Absences,
    limits: Brake,
    held: &mut HashMap<Removal, Reason>,
) {
    let graph = Graph::new(said, accepted, plan, absences);
    for (at, group) in (0..).zip(&accepted.groups).filter(|(_, group)| group.mapped) {
        let below = reach(at, &graph.inner_before);
        let before = members(&below, &graph.members_before);
        let after = members(&reach(at, &graph.inner_after), &graph.members_after);
        let lost: HashSet<u32> = before.difference(&after).copied().collect();
        if lost.is_empty() {
            continue;
        }
        let is_privileged = |user: &u32| accepted.users.get(*user as usize).is_some_and(|user| user.privileged);
        let too_many = exceeds(lost.len(), before.len(), limits.at_least, limits.members_percent);
        let reason = if too_many {
            let (lost, of) = (lost.len() as u64, before.len() as u64);
            Reason::GroupShrinks { group: group.name.clone(), lost, of, limit: limits.members_percent }
        } else if lost.iter().any(is_privileged) {
            Reason::Privileged
        } else {
            continue;
        };
        // A privileged person holds only what takes them out; too many hold everything that takes anyone out.
        let counts = |user: u32| lost.contains(&user) && (too_many || is_privileged(&user));
        for removal in all(absences) {
            let takes_out = match removal {
                Removal::User(user) => counts(user),
                Removal::Member(group, user) => below.contains(&group) && counts(user),
                Removal::Group(inner) => below.contains(&inner),
                Removal::Nested(outer, _) => below.contains(&outer),
            };
            if takes_out {
                held.entry(removal).or_insert_with(|| reason.clone());
            }
        }
    }
}

/// Groups and members before the run and as they would be after it, in positions of `Accepted`. New people
/// cannot be lost and are left out.
struct Graph {
    inner_before: HashMap<u32, Vec<u32>>,
    inner_after: HashMap<u32, Vec<u32>>,
    members_before: HashMap<u32, Vec<u32>>,
    members_after: HashMap<u32, Vec<u32>>,
}

impl Graph {
    fn new(said: &Said, accepted: &Accepted, plan: &Plan, absences: &Absences) -> Self {
        let matched = Match::new(said, accepted);
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
