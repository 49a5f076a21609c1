//! Seeded random worlds, thick with the odd cases.
use std::collections::BTreeSet;

use rolecall::domain::capability::CapabilityId;
use rolecall::domain::directory::{CeilingEntry, DirectoryMode};
use rolecall::domain::grant::{Holder, Resource, Scope, ScopeBase};
use rolecall::domain::id::{DirectoryId, Id, PartnerId, RoleId, UserGroupId, UserId};
use rolecall::domain::partner::LevelId;
use rolecall::domain::rule::{Criterion, ExternalSet, FilterTerm, Rule, RuleEffect, RuleFilter};
use rolecall::domain::time::{Timestamp, Window};
use rolecall::domain::user::SuspensionSource;
use uuid::Uuid;

use super::model::{Asked, Directory, ExternalUser, Grant, Group, Model, Partner, Role, User};

/// Capabilities every world shares; the last works on suspended partners.
pub const CAPABILITIES: [CapabilityId; 5] =
    [CapabilityId(1), CapabilityId(2), CapabilityId(3), CapabilityId(4), CapabilityId(5)];

/// A small generator of its own: a seed gives the same world for ever.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// splitmix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn shuffle<T>(&mut self, rows: &mut [T]) {
        for at in (1..rows.len()).rev() {
            rows.swap(at, self.below(at + 1));
        }
    }

    pub fn id<T: Id>(&mut self) -> T {
        T::from_uuid(Uuid::from_u64_pair(self.next(), self.next()))
    }

    fn some<T: Copy + Ord>(&mut self, from: &[T], most: usize) -> BTreeSet<T> {
        let count = 1 + self.below(most);
        (0..count).map(|_| *self.pick(from)).collect()
    }
}

/// The world of a seed.
pub fn model(seed: u64) -> Model {
    let mut dice = Dice::new(seed);
    let mut m = Model { capabilities: CAPABILITIES.map(|id| (id, id == CapabilityId(5))).to_vec(), ..Model::default() };
    tree(&mut m, &mut dice, seed);
    groups_and_users(&mut m, &mut dice);
    roles_and_grants(&mut m, &mut dice);
    for authority in 0..3 {
        directory(&mut m, &mut dice, authority);
    }
    rules(&mut m, &mut dice);
    m
}

fn tree(m: &mut Model, dice: &mut Dice, seed: u64) {
    for level in 0..3 {
        let mut ceiling: BTreeSet<_> = CAPABILITIES.into_iter().collect();
        if dice.percent(40) {
            ceiling.remove(dice.pick(&CAPABILITIES));
        }
        m.levels.push((LevelId(i64::try_from(seed).unwrap() * 3 + level + 1), ceiling));
    }
    for at in 0..9 {
        let parent = (at > 0).then(|| m.partners[dice.below(at)].id);
        let level = m.levels[at.min(2)].0;
        m.partners.push(Partner { id: dice.id(), parent, level, suspended: at > 0 && dice.percent(10) });
    }
}

fn groups_and_users(m: &mut Model, dice: &mut Dice) {
    for partner in m.partners.clone() {
        for (is_primary, is_default) in [(true, true), (true, false), (true, false), (false, false), (false, false)] {
            m.groups.push(Group { id: dice.id(), partner: partner.id, is_primary, is_default });
        }
    }
    // Most users live in few partners, so that their groups and directories meet.
    for at in 0..14 {
        let partner = m.partners[if at < 9 { dice.below(3) } else { dice.below(9) }].id;
        let places: Vec<_> = groups_of(m, partner, |group| group.is_primary);
        let labels: Vec<_> = groups_of(m, partner, |group| !group.is_primary);
        let id: UserId = dice.id();
        let pin = dice.percent(15).then(|| *dice.pick(&places));
        let suspended = dice
            .percent(8)
            .then(|| if dice.percent(50) { SuspensionSource::Admin } else { SuspensionSource::Connection(dice.id()) });
        let confirmed = dice.percent(45);
        let ends = dice.percent(12).then(|| Timestamp::from_micros([10, 40, 50, 90][dice.below(4)]));
        m.users.push(User { id, partner, pin, confirmed, suspended, ends });
        if dice.percent(30) {
            m.members.push((*dice.pick(&labels), id));
        }
    }
}

fn groups_of(m: &Model, partner: PartnerId, which: impl Fn(&Group) -> bool) -> Vec<UserGroupId> {
    m.groups.iter().filter(|group| group.partner == partner && which(group)).map(|group| group.id).collect()
}

fn roles_and_grants(m: &mut Model, dice: &mut Dice) {
    for at in 0..5 {
        let parent = (at > 0 && dice.percent(50)).then(|| m.roles[dice.below(at)].id);
        let mut capabilities: BTreeSet<_> = CAPABILITIES.into_iter().filter(|_| dice.percent(75)).collect();
        capabilities.insert(CAPABILITIES[0]);
        m.roles.push(Role { id: dice.id(), parent, capabilities });
    }
    for _ in 0..20 {
        let holder = if dice.percent(35) {
            Holder::User(dice.pick(&m.users).id)
        } else {
            let home = dice.pick(&m.users).partner;
            Holder::Group(*dice.pick(&groups_of(m, home, |_| true)))
        };
        let window = match dice.below(10) {
            0 => Window { from: Some(at(50)), until: None },
            1 => Window { from: None, until: Some(at(50)) },
            2 => Window { from: Some(at(20)), until: Some(at(60)) },
            _ => Window::default(),
        };
        let (role, scope) = (dice.pick(&m.roles).id, scope(m, dice));
        m.grants.push(Grant { id: dice.id(), role, holder, scope, window, suspended: dice.percent(10) });
    }
}

fn scope(m: &Model, dice: &mut Dice) -> Scope {
    let partner = m.partners[if dice.percent(60) { dice.below(3) } else { dice.below(9) }].id;
    let reach = match dice.below(10) {
        0 => ScopeBase::Own { partner },
        1 | 2 => ScopeBase::Partner { partner },
        3 | 4 => ScopeBase::UserGroups { partner, user_groups: dice.some(&groups_of(m, partner, |_| true), 2) },
        _ => ScopeBase::Subtree { partner },
    };
    let mut scope = Scope::of(reach);
    if dice.percent(20) {
        scope.excluded_partners.insert(dice.pick(&m.partners).id);
    }
    if dice.percent(25) {
        let home = m.partners[dice.below(4)].id;
        scope.excluded_user_groups.insert(*dice.pick(&groups_of(m, home, |_| true)));
    }
    scope
}

/// A directory with a chain of nested groups (every third one a ring), one group of everyone, attribute conditions,
/// and external users of whom some are inactive, unlinked, or a user's second source.
fn directory(m: &mut Model, dice: &mut Dice, authority: i64) {
    // Often the home of the first one, so that their authority decides who places.
    let shared = m.directories.first().map(|first| first.partner).filter(|_| dice.percent(60));
    let partner = shared.unwrap_or_else(|| m.partners[dice.below(3)].id);
    let mode = *dice.pick(&[
        DirectoryMode::Authoritative,
        DirectoryMode::Authoritative,
        DirectoryMode::Additive,
        DirectoryMode::Paused,
        DirectoryMode::Observe,
    ]);
    let id: DirectoryId = dice.id();
    let mut ceilings: Vec<CeilingEntry> = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let wide = Scope::of(ScopeBase::Subtree { partner: m.partners[0].id });
        let scope = if dice.percent(40) { wide } else { scope(m, dice) };
        ceilings.push(CeilingEntry { role: dice.pick(&m.roles).id, scope });
    }
    m.directories.push(Directory {
        id,
        connection: dice.id(),
        partner,
        mode,
        authority: authority / 2,
        rule_version: 1 + i64::from(dice.percent(30)),
        ceilings,
    });
    let groups: Vec<_> = (0..8).map(|_| (dice.id(), id)).collect();
    let conditions: Vec<_> = (0..3).map(|_| (dice.id(), id)).collect();
    let chain: Vec<_> = groups[1..6].iter().map(|group| group.0).collect();
    m.subgroups.extend(chain.windows(2).map(|pair| (pair[0], pair[1])));
    if dice.percent(35) {
        m.subgroups.push((chain[4], chain[2]));
    }
    for user in m.users.clone() {
        let here = user.partner == partner || dice.percent(30);
        for second in [false, true] {
            if !here || (second && !dice.percent(20)) {
                continue;
            }
            let external_user = dice.id();
            let user = Some(user.id).filter(|_| dice.percent(88));
            let candidate = m.users[dice.below(m.users.len())].id;
            let active = dice.percent(85);
            let candidate = user.unwrap_or(candidate);
            m.external_users.push(ExternalUser { id: external_user, directory: id, user, candidate, active, second });
            m.external_members.push((groups[0].0, external_user));
            let direct: BTreeSet<_> = (0..1 + dice.below(2)).map(|_| groups[1 + dice.below(7)].0).collect();
            m.external_members.extend(direct.into_iter().map(|group| (group, external_user)));
            for (condition, _) in &conditions {
                if dice.percent(35) {
                    m.condition_members.push((*condition, external_user));
                }
            }
        }
    }
    m.external_groups.extend(groups);
    m.conditions.extend(conditions);
}

/// Two rule-set versions for each directory.
fn rules(m: &mut Model, dice: &mut Dice) {
    for directory in m.directories.clone() {
        for version in 1..=2 {
            for ordinal in 0..10 {
                let effect = effect(m, dice, &directory);
                let when = RuleFilter { terms: (0..1 + dice.below(2)).map(|_| term(m, dice, directory.id)).collect() };
                let (id, directory, name) = (dice.id(), directory.id, format!("rule {version}.{ordinal}"));
                m.rules.push(Rule { id, directory, version, ordinal, name, when, effect });
            }
            if dice.percent(85) {
                let rule = rest(m, dice, &directory, version);
                m.rules.push(rule);
            }
        }
    }
}

/// Places everyone of a directory whom no rule before has placed, so that two directories of one home contend.
fn rest(m: &Model, dice: &mut Dice, directory: &Directory, version: i64) -> Rule {
    let everyone = m.external_groups.iter().find(|group| group.1 == directory.id).unwrap().0;
    let atoms = vec![Criterion { set: ExternalSet::Group(everyone), negated: false }];
    let group = *dice.pick(&groups_of(m, directory.partner, |group| group.is_primary));
    let (id, directory, name) = (dice.id(), directory.id, format!("rule {version}.rest"));
    let (when, effect) =
        (RuleFilter { terms: vec![FilterTerm { criteria: atoms }] }, RuleEffect::SetPrimaryGroup { user_group: group });
    Rule { id, directory, version, ordinal: 10, name, when, effect }
}

fn effect(m: &Model, dice: &mut Dice, directory: &Directory) -> RuleEffect {
    // Now and then a group of another partner, which no rule may fill.
    let home = if dice.percent(85) { directory.partner } else { dice.pick(&m.partners).id };
    // Now and then a place that is a label, or a label that is a place: no rule may do that either.
    let fits = dice.percent(90);
    match dice.below(12) {
        0..4 => RuleEffect::SetPrimaryGroup {
            user_group: *dice.pick(&groups_of(m, home, |group| group.is_primary == fits)),
        },
        4..6 => {
            RuleEffect::AddToGroup { user_group: *dice.pick(&groups_of(m, home, |group| group.is_primary != fits)) }
        }
        _ => RuleEffect::GrantRole { role: granted_role(m, dice, directory), scope: scope(m, dice) },
    }
}

/// Mostly a role the ceiling speaks of, or one below it.
fn granted_role(m: &Model, dice: &mut Dice, directory: &Directory) -> RoleId {
    let ceiling = dice.pick(&directory.ceilings).role;
    let below = m.roles.iter().find(|role| role.parent == Some(ceiling)).map(|role| role.id);
    match dice.below(10) {
        0..4 => ceiling,
        4..7 => below.unwrap_or(ceiling),
        _ => dice.pick(&m.roles).id,
    }
}

fn term(m: &Model, dice: &mut Dice, directory: DirectoryId) -> FilterTerm {
    let groups = m.external_groups.iter().filter(|group| group.1 == directory).map(|group| ExternalSet::Group(group.0));
    let conditions = m.conditions.iter().filter(|row| row.1 == directory).map(|row| ExternalSet::Condition(row.0));
    let mut sets: Vec<ExternalSet> = groups.chain(conditions).collect();
    dice.shuffle(&mut sets);
    let positives = 1 + usize::from(dice.percent(20));
    let negatives = usize::from(dice.percent(35));
    let negated = |at: usize| at >= positives;
    let atoms = sets.into_iter().take(positives + negatives).enumerate();
    FilterTerm { criteria: atoms.map(|(at, set)| Criterion { set, negated: negated(at) }).collect() }
}

/// Questions about a world; a few name things that are not there.
pub fn questions(m: &Model, seed: u64, count: usize) -> Vec<Asked> {
    let mut dice = Dice::new(seed ^ 0xabcd);
    (0..count).map(|_| question(m, &mut dice)).collect()
}

fn question(m: &Model, dice: &mut Dice) -> Asked {
    let user = dice.pick(&m.users).clone();
    let principal = if dice.percent(2) { dice.id() } else { user.id };
    let capability = if dice.percent(2) { CapabilityId(99) } else { *dice.pick(&CAPABILITIES) };
    let home = dice.percent(30).then_some(user.partner);
    let partner = home.unwrap_or_else(|| if dice.percent(2) { dice.id() } else { dice.pick(&m.partners).id });
    let here: Vec<_> = m.users.iter().filter(|other| other.partner == partner).map(|other| other.id).collect();
    let owner = match dice.below(10) {
        0..2 => Some(principal),
        2..5 if !here.is_empty() => Some(*dice.pick(&here)),
        5 => Some(dice.pick(&m.users).id),
        _ => None,
    };
    let groups = groups_of(m, partner, |_| true);
    let group = match dice.below(10) {
        0..4 if !groups.is_empty() => Some(*dice.pick(&groups)),
        4 => Some(dice.pick(&m.groups).id),
        _ => None,
    };
    let now = at([10, 20, 40, 50, 60, 90][dice.below(6)]);
    Asked { principal, capability, resource: Resource { partner, group, owner }, now }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}
