//! The law: from what is said and decided to what each user holds.
//!
//! Order: place, join, grants of the user, grants of the user groups the user is in. Linking is given.
//! What a directory stands behind is clipped to its ceiling when a decision asks (see [`crate::access::decide`]),
//! so a clipped output stays visible. That includes what comes to a user by existing alone, as the default group
//! does, as long as nobody has confirmed that the user belongs here: a directory vouches for whom it says to be
//! there, and lets through what its ceiling holds.
use std::collections::{BTreeMap, BTreeSet};

use super::scope::Tree;
use super::snapshot::{AccessSnapshot, SnapshotGrant};
use crate::domain::capability::CapabilityId;
use crate::domain::directory::{CeilingEntry, DirectoryMode};
use crate::domain::grant::{Holder, Scope};
use crate::domain::id::{
    ConditionId, DirectoryId, ExternalGroupId, ExternalUserId, GrantId, Id, PartnerId, RoleId, RuleId, UserGroupId,
    UserId,
};
use crate::domain::rule::{ExternalSet, Rule, RuleEffect, RuleFilter};

/// What a world yields: the derived state of everyone, and the shapes decisions ask about.
#[derive(Debug)]
pub struct AccessView<'w> {
    /// What it was derived from.
    pub world: &'w AccessSnapshot,
    users: BTreeMap<UserId, DerivedAccess>,
    /// Each partner with those above it, nearest first, itself leading.
    above: BTreeMap<PartnerId, Vec<PartnerId>>,
    /// Each role with those above it, itself leading.
    lines: BTreeMap<RoleId, Vec<RoleId>>,
}

/// What one user gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DerivedAccess {
    /// The one primary group, and why.
    pub primary_group: Option<Membership>,
    /// Labels, and why; one line for each ground.
    pub labels: BTreeSet<Membership>,
    /// The rules that match, with the first term that does.
    pub matched: BTreeMap<RuleId, usize>,
    /// Every grant held, live or not, clipped or not.
    pub holds: Vec<DerivedGrant>,
}

/// A user's place in a user group, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The user group.
    pub group: UserGroupId,
    /// Why the user is in it.
    pub ground: MembershipReason,
}

/// Why a user is in a user group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MembershipReason {
    /// An administrator added the user.
    Added,
    /// An administrator pinned the user there.
    Pinned,
    /// It is the default of the home partner, and no rule says otherwise.
    Default,
    /// The same, of somebody whom nobody has confirmed: by the word of a directory that vouches, or by no word at all.
    /// Only a [`DerivedGrant`] has this ground, one for each directory that vouches.
    Resting(Option<DirectoryId>),
    /// A rule of a directory says so.
    Rule(RuleId, DirectoryId),
}

/// A grant that bears on a user, and how it comes to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DerivedGrant {
    /// An administrator's grant to the user.
    Manual(GrantId),
    /// An administrator's grant to a user group the user is in.
    ThroughGroup(GrantId, Membership),
    /// A rule's grant.
    Rule(RuleId, DirectoryId),
}

/// What bounds a held grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// Nothing: an administrator's act about the user stands behind it.
    Free,
    /// The ceiling of the directory whose word it rests on.
    Ceiling(DirectoryId),
    /// It rests on a word that nobody gives any more: nothing comes of it.
    Nobody,
}

impl DerivedGrant {
    /// What bounds it.
    pub fn bound(self) -> Bound {
        match self {
            Self::Rule(_, directory) => Bound::Ceiling(directory),
            Self::Manual(_) => Bound::Free,
            Self::ThroughGroup(_, Membership { ground, .. }) => match ground {
                MembershipReason::Rule(_, directory) | MembershipReason::Resting(Some(directory)) => {
                    Bound::Ceiling(directory)
                }
                MembershipReason::Resting(None) => Bound::Nobody,
                MembershipReason::Added | MembershipReason::Pinned | MembershipReason::Default => Bound::Free,
            },
        }
    }

    /// The directory whose word this rests on, and whose ceiling clips it.
    pub fn directory(self) -> Option<DirectoryId> {
        match self.bound() {
            Bound::Ceiling(directory) => Some(directory),
            Bound::Free | Bound::Nobody => None,
        }
    }
}

/// What the world yields for everyone.
pub fn derive(world: &AccessSnapshot) -> AccessView<'_> {
    let above = lines_of(&world.partners, |partner| partner.parent);
    let lines = lines_of(&world.roles, |role| role.parent);
    let seats = Seats::of(world);
    let rules = Rules::of(world);
    let held_by = grants_by_holder(world);
    let added = added_labels(world);
    let vouchers = vouchers(world);
    let users = world
        .users
        .iter()
        .map(|(id, user)| {
            let matched = rules.matching(*id, &seats);
            let primary_group = user
                .pin
                .map(|group| Membership { group, ground: MembershipReason::Pinned })
                .or_else(|| rules.place(world, user.partner, &matched))
                .or_else(|| default_place(world, user.partner));
            let labels: BTreeSet<_> = (added.get(id).into_iter().flatten())
                .map(|group| Membership { group: *group, ground: MembershipReason::Added })
                .chain(rules.labels(world, user.partner, &matched))
                .collect();
            let holds =
                (held_by.get(&Holder::User(*id)).into_iter().flatten().map(|grant| DerivedGrant::Manual(*grant)))
                    .chain(primary_group.iter().chain(&labels).flat_map(|place| {
                        let grants = held_by.get(&Holder::Group(place.group)).into_iter().flatten();
                        let words = match (place.ground, user.confirmed) {
                            (MembershipReason::Default, false) => resting(*place, vouchers.get(id)),
                            _ => vec![*place],
                        };
                        grants.flat_map(move |grant| {
                            words.clone().into_iter().map(|at| DerivedGrant::ThroughGroup(*grant, at))
                        })
                    }))
                    .chain(rules.grants(&matched))
                    .collect();
            (*id, DerivedAccess { primary_group, labels, matched, holds })
        })
        .collect();
    AccessView { world, users, above, lines }
}

impl AccessView<'_> {
    /// What a user gets; `None` when there is no such user.
    pub fn user(&self, id: UserId) -> Option<&DerivedAccess> {
        self.users.get(&id)
    }

    /// Everyone, in id order.
    pub fn users(&self) -> impl Iterator<Item = (UserId, &DerivedAccess)> {
        self.users.iter().map(|(id, derived)| (*id, derived))
    }

    /// A partner and those above it, nearest first.
    pub fn above(&self, partner: PartnerId) -> &[PartnerId] {
        self.above.get(&partner).map_or(&[], Vec::as_slice)
    }

    /// A role and those above it.
    pub fn role_line(&self, role: RoleId) -> &[RoleId] {
        self.lines.get(&role).map_or(&[], Vec::as_slice)
    }

    /// Whether a role confers a capability: it and every role above it must have it.
    pub fn confers(&self, role: RoleId, capability: CapabilityId) -> bool {
        let line = self.role_line(role);
        let has = |id| self.world.roles.get(id).is_some_and(|role| role.capabilities.contains(&capability));
        !line.is_empty() && line.iter().all(has)
    }

    /// The capabilities a role confers.
    pub fn capabilities_of(&self, role: RoleId) -> BTreeSet<CapabilityId> {
        let own = self.world.roles.get(&role).map(|role| role.capabilities.clone()).unwrap_or_default();
        own.into_iter().filter(|capability| self.confers(role, *capability)).collect()
    }

    /// The role and scope a held grant speaks of.
    pub fn substance(&self, held: DerivedGrant) -> Option<(RoleId, &Scope)> {
        match held {
            DerivedGrant::Manual(id) | DerivedGrant::ThroughGroup(id, _) => {
                self.world.grants.get(&id).map(|grant| (grant.role, &grant.scope))
            }
            DerivedGrant::Rule(id, _) => match self.rule(id).map(|rule| &rule.effect) {
                Some(RuleEffect::GrantRole { role, scope }) => Some((*role, scope)),
                _ => None,
            },
        }
    }

    /// The manual grant behind a held one, when there is one.
    pub fn manual(&self, held: DerivedGrant) -> Option<&SnapshotGrant> {
        match held {
            DerivedGrant::Manual(id) | DerivedGrant::ThroughGroup(id, _) => self.world.grants.get(&id),
            DerivedGrant::Rule(..) => None,
        }
    }

    /// A rule by id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.world.rules.iter().find(|rule| rule.id == id)
    }

    /// The ceiling rows of a directory.
    pub fn ceilings(&self, directory: DirectoryId) -> impl Iterator<Item = &CeilingEntry> {
        self.world.directories.get(&directory).into_iter().flat_map(|directory| &directory.ceilings)
    }

    /// The user groups a user is in, for whatever ground.
    pub fn groups_of(&self, user: UserId) -> BTreeSet<UserGroupId> {
        let derived = self.users.get(&user);
        derived
            .into_iter()
            .flat_map(|derived| derived.primary_group.iter().chain(&derived.labels))
            .map(|at| at.group)
            .collect()
    }
}

impl Tree for AccessView<'_> {
    fn within(&self, partner: PartnerId, top: PartnerId) -> bool {
        self.above(partner).contains(&top)
    }
    fn owner(&self, group: UserGroupId) -> Option<PartnerId> {
        self.world.groups.get(&group).map(|group| group.partner)
    }
}

/// For each (user, directory): the sets of external users it is in, through any active external user.
struct Seats(BTreeMap<(UserId, DirectoryId), BTreeSet<ExternalSet>>);

impl Seats {
    fn of(world: &AccessSnapshot) -> Self {
        let outer = outer_groups(world);
        let mut groups: BTreeMap<ExternalUserId, Vec<ExternalGroupId>> = BTreeMap::new();
        for (group, member) in &world.external_members {
            groups.entry(*member).or_default().push(*group);
        }
        let mut conditions: BTreeMap<ExternalUserId, Vec<ConditionId>> = BTreeMap::new();
        for (condition, member) in &world.condition_members {
            conditions.entry(*member).or_default().push(*condition);
        }
        let mut seats: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (id, external) in world.external_users.iter().filter(|(_, external)| external.active) {
            let counts =
                world.directories.get(&external.directory).is_some_and(|from| from.mode != DirectoryMode::Observe);
            let (true, Some(user)) = (counts, external.user) else { continue };
            let sets = seats.entry((user, external.directory)).or_default();
            for direct in groups.get(id).into_iter().flatten() {
                sets.extend(outer.get(direct).into_iter().flatten().map(|group| ExternalSet::Group(*group)));
            }
            sets.extend(conditions.get(id).into_iter().flatten().map(|condition| ExternalSet::Condition(*condition)));
        }
        Self(seats)
    }
}

/// The rules in force, by directory in the order in which directories are asked.
struct Rules<'w>(Vec<(DirectoryId, Vec<&'w Rule>)>);

impl<'w> Rules<'w> {
    fn of(world: &'w AccessSnapshot) -> Self {
        let mut directories: Vec<_> = world.directories.iter().collect();
        directories.sort_by_key(|(id, directory)| (directory.authority, **id));
        let in_force = |id: DirectoryId, version: i64| {
            let mut rules: Vec<_> =
                world.rules.iter().filter(|rule| rule.directory == id && rule.version == version).collect();
            rules.sort_by_key(|rule| rule.ordinal);
            rules
        };
        Self(directories.into_iter().map(|(id, directory)| (*id, in_force(*id, directory.rule_version))).collect())
    }

    fn matching(&self, user: UserId, seats: &Seats) -> BTreeMap<RuleId, usize> {
        let per_directory = self.0.iter().filter_map(|(id, rules)| Some((seats.0.get(&(user, *id))?, rules)));
        per_directory
            .flat_map(|(sets, rules)| rules.iter().filter_map(|rule| Some((rule.id, matching_term(&rule.when, sets)?))))
            .collect()
    }

    fn matched<'a>(&'a self, matched: &'a BTreeMap<RuleId, usize>) -> impl Iterator<Item = &'w Rule> + 'a {
        self.0.iter().flat_map(|(_, rules)| rules.iter().copied()).filter(|rule| matched.contains_key(&rule.id))
    }

    fn place(&self, world: &AccessSnapshot, home: PartnerId, matched: &BTreeMap<RuleId, usize>) -> Option<Membership> {
        self.matched(matched).find_map(|rule| match rule.effect {
            RuleEffect::SetPrimaryGroup { user_group: group } if is_place(world, home, group) => {
                Some(Membership { group, ground: MembershipReason::Rule(rule.id, rule.directory) })
            }
            _ => None,
        })
    }

    fn labels(
        &self,
        world: &AccessSnapshot,
        home: PartnerId,
        matched: &BTreeMap<RuleId, usize>,
    ) -> BTreeSet<Membership> {
        self.matched(matched)
            .filter_map(|rule| match rule.effect {
                RuleEffect::AddToGroup { user_group: group } if is_label(world, home, group) => {
                    Some(Membership { group, ground: MembershipReason::Rule(rule.id, rule.directory) })
                }
                _ => None,
            })
            .collect()
    }

    fn grants<'a>(&'a self, matched: &'a BTreeMap<RuleId, usize>) -> impl Iterator<Item = DerivedGrant> + 'a {
        let grants = self.matched(matched).filter(|rule| matches!(rule.effect, RuleEffect::GrantRole { .. }));
        grants.map(|rule| DerivedGrant::Rule(rule.id, rule.directory))
    }
}

/// The first term that holds: every positive set, no negated one, and at least one positive.
pub fn matching_term(when: &RuleFilter, sets: &BTreeSet<ExternalSet>) -> Option<usize> {
    when.terms.iter().position(|term| {
        term.criteria.iter().any(|atom| !atom.negated)
            && term.criteria.iter().all(|atom| sets.contains(&atom.set) != atom.negated)
    })
}

/// A rule places only in an primary group of the user's home.
fn is_place(world: &AccessSnapshot, home: PartnerId, group: UserGroupId) -> bool {
    world.groups.get(&group).is_some_and(|group| group.is_primary && group.partner == home)
}

/// A rule joins only labels of the user's home.
fn is_label(world: &AccessSnapshot, home: PartnerId, group: UserGroupId) -> bool {
    world.groups.get(&group).is_some_and(|group| !group.is_primary && group.partner == home)
}

/// A place by existence alone, once for each directory that vouches.
fn resting(place: Membership, vouchers: Option<&BTreeSet<DirectoryId>>) -> Vec<Membership> {
    let by = |word| Membership { ground: MembershipReason::Resting(word), ..place };
    match vouchers {
        Some(vouchers) => vouchers.iter().map(|directory| by(Some(*directory))).collect(),
        None => vec![by(None)],
    }
}

/// The directories that vouch for each user: those that count and say that an active external user of theirs is them.
fn vouchers(world: &AccessSnapshot) -> BTreeMap<UserId, BTreeSet<DirectoryId>> {
    let mut vouchers: BTreeMap<UserId, BTreeSet<DirectoryId>> = BTreeMap::new();
    for external in world.external_users.values().filter(|external| external.active) {
        let counts = world.directories.get(&external.directory).is_some_and(|from| from.mode != DirectoryMode::Observe);
        if let (true, Some(user)) = (counts, external.user) {
            vouchers.entry(user).or_default().insert(external.directory);
        }
    }
    vouchers
}

fn default_place(world: &AccessSnapshot, home: PartnerId) -> Option<Membership> {
    let (id, _) = world.groups.iter().find(|(_, group)| group.partner == home && group.is_default)?;
    Some(Membership { group: *id, ground: MembershipReason::Default })
}

fn grants_by_holder(world: &AccessSnapshot) -> BTreeMap<Holder, Vec<GrantId>> {
    let mut by_holder: BTreeMap<Holder, Vec<GrantId>> = BTreeMap::new();
    for (id, grant) in &world.grants {
        by_holder.entry(grant.holder).or_default().push(*id);
    }
    by_holder
}

fn added_labels(world: &AccessSnapshot) -> BTreeMap<UserId, Vec<UserGroupId>> {
    let mut added: BTreeMap<UserId, Vec<UserGroupId>> = BTreeMap::new();
    for (group, user) in &world.members {
        added.entry(*user).or_default().push(*group);
    }
    added
}

/// Each external group with every group it is nested in, itself among them. Cycles end where they began.
fn outer_groups(world: &AccessSnapshot) -> BTreeMap<ExternalGroupId, BTreeSet<ExternalGroupId>> {
    let mut parents: BTreeMap<ExternalGroupId, Vec<ExternalGroupId>> = BTreeMap::new();
    for (outer, inner) in &world.subgroups {
        parents.entry(*inner).or_default().push(*outer);
    }
    let climb = |from: ExternalGroupId| {
        let mut seen = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for outer in parents.get(&at).into_iter().flatten() {
                if seen.insert(*outer) {
                    open.push(*outer);
                }
            }
        }
        seen
    };
    world.external_groups.keys().map(|id| (*id, climb(*id))).collect()
}

/// Each node of a forest with those above it, itself leading.
fn lines_of<K: Id + Ord, V>(nodes: &BTreeMap<K, V>, parent: impl Fn(&V) -> Option<K>) -> BTreeMap<K, Vec<K>> {
    let line = |from: K| {
        let mut line = vec![from];
        let mut at = from;
        while let Some(up) = nodes.get(&at).and_then(&parent) {
            if line.contains(&up) {
                break;
            }
            line.push(up);
            at = up;
        }
        line
    };
    nodes.keys().map(|id| (*id, line(*id))).collect()
}
