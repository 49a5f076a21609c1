//! The law on one small world that can be read at a glance.
use std::collections::BTreeSet;

use uuid::Uuid;

use super::decide::{Question, decide};
use super::delegation::{ProposedGrant, authority, covers, dominates};
use super::derive::{MembershipReason, derive};
use super::explain::DecisionReason;
use super::snapshot::{
    AccessSnapshot, SnapshotDirectory, SnapshotExternalGroup, SnapshotExternalUser, SnapshotGrant, SnapshotGroup,
    SnapshotLevel, SnapshotPartner, SnapshotRole, SnapshotUser,
};
use crate::domain::capability::CapabilityId;
use crate::domain::directory::{CeilingEntry, DirectoryMode};
use crate::domain::grant::{Holder, Resource, Scope, ScopeBase};
use crate::domain::id::Id;
use crate::domain::partner::LevelId;
use crate::domain::rule::{Criterion, ExternalSet, FilterTerm, Rule, RuleEffect, RuleFilter};
use crate::domain::time::{Timestamp, Window};
use crate::domain::user::SuspensionSource;

const READ: CapabilityId = CapabilityId(1);
const WRITE: CapabilityId = CapabilityId(2);
const RESUME: CapabilityId = CapabilityId(3);
const LEVEL: LevelId = LevelId(1);

fn id<T: Id>(n: u128) -> T {
    T::from_uuid(Uuid::from_u128(n))
}
fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}
fn subtree(n: u128) -> Scope {
    Scope::of(ScopeBase::Subtree { partner: id(n) })
}
fn is(n: u128) -> Criterion {
    Criterion { set: ExternalSet::Group(id(n)), negated: false }
}
fn is_not(n: u128) -> Criterion {
    Criterion { negated: true, ..is(n) }
}

/// Partners 1 ─ 2 ─ 3 and 1 ─ 4. Ada (11) at home in 2, Bea (12) in 1. Role 21 Help desk: read, write, resume.
/// Directory 31 of partner 2 may give role 21 over the subtree of 2; its group 41 holds group 42, Ada is in 42.
fn world() -> AccessSnapshot {
    let mut world = AccessSnapshot::default();
    let all = BTreeSet::from([READ, WRITE, RESUME]);
    world.levels.insert(LEVEL, SnapshotLevel { name: "Reseller".into(), ceiling: all.clone() });
    world.capabilities.extend([(READ, false), (WRITE, false), (RESUME, true)]);
    for (n, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1))] {
        let partner = SnapshotPartner {
            name: format!("Partner {n}"),
            parent: parent.map(id),
            level: LEVEL,
            suspended_by: vec![],
        };
        world.partners.insert(id(n), partner);
        let place = SnapshotGroup { name: "Everyone".into(), partner: id(n), is_primary: true, is_default: true };
        world.groups.insert(id(60 + n), place);
    }
    for (n, name, home) in [(11, "Ada", 2), (12, "Bea", 1)] {
        let (partner, pin, confirmed) = (id(home), None, true);
        world.users.insert(
            id(n),
            SnapshotUser { name: name.into(), partner, pin, confirmed, suspended_by: vec![], ends: None },
        );
    }
    world.roles.insert(id(21), SnapshotRole { name: "Help desk".into(), parent: None, capabilities: all });
    let ceilings = vec![CeilingEntry { role: id(21), scope: subtree(2) }];
    let directory = SnapshotDirectory {
        name: "Entra".into(),
        mode: DirectoryMode::Authoritative,
        authority: 0,
        rule_version: 1,
        ceilings,
    };
    world.directories.insert(id(31), directory);
    world.external_users.insert(id(51), SnapshotExternalUser { directory: id(31), user: Some(id(11)), active: true });
    for n in [41, 42, 43] {
        world.external_groups.insert(id(n), SnapshotExternalGroup { name: format!("Group {n}"), directory: id(31) });
    }
    world.subgroups.extend([(id(41), id(42)), (id(42), id(41))]);
    world.external_members.insert((id(42), id(51)));
    world
}

fn rule(n: u128, atoms: Vec<Criterion>, effect: RuleEffect) -> Rule {
    let when = RuleFilter { terms: vec![FilterTerm { criteria: atoms }] };
    let ordinal = i64::try_from(n).unwrap();
    Rule { id: id(n), directory: id(31), version: 1, ordinal, name: format!("Rule {n}"), when, effect }
}

/// A label of a partner.
fn label(world: &mut AccessSnapshot, n: u128, partner: u128) {
    let group =
        SnapshotGroup { name: format!("Label {n}"), partner: id(partner), is_primary: false, is_default: false };
    world.groups.insert(id(n), group);
}

/// A second directory, 32, that says of Ada that she is in its group 44.
fn second_directory(world: &mut AccessSnapshot, authority: i64) {
    let directory = SnapshotDirectory { name: "Okta".into(), authority, ..world.directories[&id(31)].clone() };
    world.directories.insert(id(32), directory);
    world.external_users.insert(id(52), SnapshotExternalUser { directory: id(32), user: Some(id(11)), active: true });
    world.external_groups.insert(id(44), SnapshotExternalGroup { name: "Group 44".into(), directory: id(32) });
    world.external_members.insert((id(44), id(52)));
}

fn grant(scope: Scope) -> RuleEffect {
    RuleEffect::GrantRole { role: id(21), scope }
}

fn manual(holder: Holder, scope: Scope) -> SnapshotGrant {
    SnapshotGrant {
        role: id(21),
        holder,
        scope,
        window: Window::default(),
        suspended: false,
        granted_by: Some(id(12)),
        created_at: at(0),
    }
}

fn ask(capability: CapabilityId, partner: u128) -> Question {
    let resource = Resource { partner: id(partner), group: None, owner: None };
    Question { principal: id(11), capability, resource, now: at(100) }
}

/// "allowed", or the word of the weightiest miss.
fn answer(world: &AccessSnapshot, question: &Question) -> &'static str {
    match decide(&derive(world), question).reason {
        DecisionReason::Allowed(_) => "allowed",
        DecisionReason::Denied { denials: misses } => misses[0].word(),
    }
}

#[test]
fn a_nested_group_reaches_through_a_rule_and_the_sentence_says_how() {
    let mut world = world();
    world.rules.push(rule(71, vec![is(41)], grant(subtree(2))));
    let view = derive(&world);
    let decision = decide(&view, &ask(READ, 3));
    assert!(decision.allowed);
    assert_eq!(
        decision.reason.to_string(),
        "Allowed by the role Help desk over Partner 2 and everything below, granted by the rule Rule 71 of the \
         directory Entra (matched the external group Group 41)."
    );
    assert_eq!(answer(&world, &ask(READ, 4)), "out_of_scope");
}

#[test]
fn a_rule_never_exceeds_the_ceiling_of_its_directory() {
    let mut world = world();
    world.rules.push(rule(71, vec![is(41)], grant(subtree(1))));
    assert_eq!(answer(&world, &ask(READ, 3)), "allowed");
    assert_eq!(answer(&world, &ask(READ, 4)), "outside_ceiling");
}

#[test]
fn a_group_reached_by_a_rule_confers_no_more_than_the_ceiling() {
    let mut world = world();
    label(&mut world, 69, 2);
    world.rules.push(rule(71, vec![is(41)], RuleEffect::AddToGroup { user_group: id(69) }));
    world.grants.insert(id(81), manual(Holder::Group(id(69)), subtree(1)));
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    assert_eq!(answer(&world, &ask(READ, 4)), "outside_ceiling");
    world.members.insert((id(69), id(11)));
    assert_eq!(answer(&world, &ask(READ, 4)), "allowed");
}

#[test]
fn negated_atoms_and_inactive_or_observed_sources_match_nothing() {
    let mut world = world();
    world.rules.push(rule(71, vec![is(41), is_not(43)], grant(subtree(2))));
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    world.external_members.insert((id(43), id(51)));
    assert_eq!(answer(&world, &ask(READ, 2)), "no_grant");
    world.external_members.remove(&(id(43), id(51)));
    world.directories.get_mut(&id(31)).unwrap().mode = DirectoryMode::Observe;
    assert_eq!(answer(&world, &ask(READ, 2)), "no_grant");
    world.directories.get_mut(&id(31)).unwrap().mode = DirectoryMode::Paused;
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    world.external_users.get_mut(&id(51)).unwrap().active = false;
    assert_eq!(answer(&world, &ask(READ, 2)), "no_grant");
}

#[test]
fn a_rule_counts_in_its_version_and_for_its_directory_alone() {
    let mut world = world();
    second_directory(&mut world, 0);
    let foreign = Rule { directory: id(32), ..rule(71, vec![is(41)], grant(subtree(2))) };
    let draft = Rule { version: 2, ..rule(72, vec![is(41)], grant(subtree(2))) };
    world.rules.extend([foreign, draft]);
    assert_eq!(answer(&world, &ask(READ, 2)), "no_grant");
    world.directories.get_mut(&id(31)).unwrap().rule_version = 2;
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
}

#[test]
fn a_scope_of_groups_reaches_what_is_said_to_be_in_them_and_what_their_users_own() {
    let mut world = world();
    let groups = BTreeSet::from([id(62), id(63)]);
    world.grants.insert(
        id(81),
        manual(Holder::User(id(11)), Scope::of(ScopeBase::UserGroups { partner: id(2), user_groups: groups })),
    );
    let about = |group: Option<u128>, owner: Option<u128>| {
        let resource = Resource { partner: id(2), group: group.map(id), owner: owner.map(id) };
        answer(&world, &Question { resource, ..ask(READ, 2) })
    };
    assert_eq!(about(Some(62), None), "allowed");
    assert_eq!(about(Some(61), Some(11)), "allowed", "Ada is in the group 62");
    assert_eq!(about(None, Some(12)), "out_of_scope", "Bea is elsewhere");
    assert_eq!(about(Some(63), None), "out_of_scope", "the group 63 is another partner's");
    assert_eq!(about(None, None), "out_of_scope");
}

#[test]
fn suspension_of_either_side_refuses_unless_the_capability_is_for_it() {
    let mut world = world();
    world.grants.insert(id(81), manual(Holder::User(id(11)), subtree(1)));
    world.partners.get_mut(&id(4)).unwrap().suspended_by.push(SuspensionSource::Admin);
    assert_eq!(answer(&world, &ask(READ, 4)), "partner_suspended");
    assert_eq!(answer(&world, &ask(RESUME, 4)), "allowed");
    assert_eq!(answer(&world, &ask(READ, 3)), "allowed");
    world.partners.get_mut(&id(1)).unwrap().suspended_by.push(SuspensionSource::Admin);
    assert_eq!(answer(&world, &ask(RESUME, 4)), "home_partner_suspended");
    world.users.get_mut(&id(11)).unwrap().suspended_by.push(SuspensionSource::Connection(id(7)));
    assert_eq!(answer(&world, &ask(RESUME, 4)), "user_suspended");
}

#[test]
fn levels_parent_roles_and_windows_cut_down() {
    let mut world = world();
    world.grants.insert(id(81), manual(Holder::User(id(11)), subtree(1)));
    world.levels.get_mut(&LEVEL).unwrap().ceiling.remove(&WRITE);
    assert_eq!(answer(&world, &ask(WRITE, 2)), "level_forbids");
    let readers = SnapshotRole { name: "Readers".into(), parent: None, capabilities: BTreeSet::from([READ]) };
    world.roles.insert(id(22), readers);
    world.roles.get_mut(&id(21)).unwrap().parent = Some(id(22));
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    assert_eq!(answer(&world, &ask(RESUME, 2)), "no_grant");
    world.grants.get_mut(&id(81)).unwrap().window = Window { from: Some(at(100)), until: Some(at(101)) };
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    assert_eq!(answer(&world, &Question { now: at(101), ..ask(READ, 2) }), "grant_inactive");
    world.grants.get_mut(&id(81)).unwrap().suspended = true;
    assert_eq!(answer(&world, &ask(READ, 2)), "grant_inactive");
}

#[test]
fn a_grant_asleep_says_whether_it_begins_has_ended_or_was_put_aside() {
    let mut world = world();
    let why = |world: &AccessSnapshot, now: i64| {
        let sentence = decide(&derive(world), &Question { now: at(now), ..ask(READ, 2) }).reason.to_string();
        sentence.split(": the role").next().unwrap().to_owned()
    };
    let window = Window { from: Some(at(100)), until: Some(at(200)) };
    world.grants.insert(id(81), SnapshotGrant { window, ..manual(Holder::User(id(11)), subtree(2)) });
    assert_eq!(why(&world, 99), "The nearest grant begins later");
    assert_eq!(why(&world, 200), "The nearest grant has ended");
    world.grants.get_mut(&id(81)).unwrap().window.until = Some(at(100));
    assert_eq!(why(&world, 100), "The nearest grant has ended", "a window of no length is never open");
    world.grants.get_mut(&id(81)).unwrap().suspended = true;
    assert_eq!(why(&world, 99), "The nearest grant is put aside until an administrator returns it");
}

#[test]
fn what_does_not_exist_is_said_and_nothing_more() {
    let world = world();
    assert_eq!(answer(&world, &ask(READ, 9)), "partner_not_found");
    assert_eq!(answer(&world, &Question { principal: id(99), ..ask(READ, 2) }), "user_not_found");
    assert_eq!(answer(&world, &ask(CapabilityId(9), 2)), "unknown_capability");
}

#[test]
fn primary_group_is_the_pin_else_the_first_rule_else_the_default() {
    let mut world = world();
    for n in [68, 69] {
        world
            .groups
            .insert(id(n), SnapshotGroup { name: n.to_string(), partner: id(2), is_primary: true, is_default: false });
    }
    let place = |world: &AccessSnapshot| derive(world).user(id(11)).unwrap().primary_group.unwrap();
    assert_eq!((place(&world).group, place(&world).ground), (id(62), MembershipReason::Default));
    world.rules.push(rule(72, vec![is(41)], RuleEffect::SetPrimaryGroup { user_group: id(69) }));
    world.rules.push(rule(71, vec![is(42)], RuleEffect::SetPrimaryGroup { user_group: id(68) }));
    world.rules.push(rule(70, vec![is(42)], RuleEffect::SetPrimaryGroup { user_group: id(63) })); // another partner's: not a place
    assert_eq!((place(&world).group, place(&world).ground), (id(68), MembershipReason::Rule(id(71), id(31))));
    world.users.get_mut(&id(11)).unwrap().pin = Some(id(69));
    assert_eq!((place(&world).group, place(&world).ground), (id(69), MembershipReason::Pinned));
}

#[test]
fn the_directory_of_the_lower_authority_places_and_the_older_one_of_equals() {
    let mut world = world();
    for n in [68, 69] {
        world
            .groups
            .insert(id(n), SnapshotGroup { name: n.to_string(), partner: id(2), is_primary: true, is_default: false });
    }
    second_directory(&mut world, 1);
    world.rules.push(Rule { ordinal: 9, ..rule(71, vec![is(41)], RuleEffect::SetPrimaryGroup { user_group: id(68) }) });
    world
        .rules
        .push(Rule { directory: id(32), ..rule(1, vec![is(44)], RuleEffect::SetPrimaryGroup { user_group: id(69) }) });
    let place = |world: &AccessSnapshot| derive(world).user(id(11)).unwrap().primary_group.unwrap().group;
    for (authority, group) in [(1, id(68)), (0, id(68)), (-1, id(69))] {
        world.directories.get_mut(&id(32)).unwrap().authority = authority;
        assert_eq!(place(&world), group, "authority {authority}");
    }
}

#[test]
fn a_rule_joins_labels_of_the_home_and_nothing_else() {
    let mut world = world();
    label(&mut world, 68, 2);
    label(&mut world, 69, 3);
    for (n, group) in [(71, 68), (72, 69), (73, 61), (74, 62)] {
        world.rules.push(rule(n, vec![is(41)], RuleEffect::AddToGroup { user_group: id(group) }));
    }
    world.rules.push(rule(75, vec![is(43)], RuleEffect::AddToGroup { user_group: id(68) })); // Ada is not in 43
    let view = derive(&world);
    let labels: Vec<_> = view.user(id(11)).unwrap().labels.iter().map(|label| (label.group, label.ground)).collect();
    assert_eq!(labels, [(id(68), MembershipReason::Rule(id(71), id(31)))]);
    assert_eq!(view.users().map(|(id, _)| id).collect::<Vec<_>>(), [id(11), id(12)], "everyone, in order");
}

#[test]
fn authority_covers_what_lies_inside_and_no_more() {
    let mut world = world();
    world.grants.insert(id(81), manual(Holder::User(id(12)), subtree(1)));
    world.grants.insert(id(82), manual(Holder::User(id(11)), subtree(2)));
    world.rules.push(rule(71, vec![is(41)], grant(subtree(1))));
    let view = derive(&world);
    let [ada, bea] = [11, 12].map(|n| authority(&view, id(n), at(0)));
    assert!(dominates(&bea, &ada, &view), "what the ceiling clips does not count");
    assert!(!dominates(&ada, &bea, &view));
    let proposed_grant = |capabilities: &BTreeSet<CapabilityId>, scope: &Scope, window: Window| {
        covers(&ada, &ProposedGrant { capabilities, scope, window }, &view)
    };
    let (few, many) = (BTreeSet::from([READ]), BTreeSet::from([READ, CapabilityId(9)]));
    let open = Window::default();
    assert!(proposed_grant(&few, &subtree(3), open));
    assert!(!proposed_grant(&few, &subtree(1), open));
    assert!(!proposed_grant(&many, &subtree(3), open));
}

#[test]
fn nobody_gives_for_longer_than_they_hold() {
    let mut world = world();
    let mut held = manual(Holder::User(id(11)), subtree(2));
    held.window = Window { from: None, until: Some(at(50)) };
    world.grants.insert(id(81), held);
    let view = derive(&world);
    let ada = authority(&view, id(11), at(0));
    let few = BTreeSet::from([READ]);
    let until = |until| Window { from: None, until };
    let proposed_grant =
        |window| covers(&ada, &ProposedGrant { capabilities: &few, scope: &subtree(2), window }, &view);
    assert!(proposed_grant(until(Some(at(50)))));
    assert!(!proposed_grant(until(Some(at(51)))));
    assert!(!proposed_grant(until(None)));
    assert!(authority(&view, id(11), at(50)).holdings.is_empty());
}

#[test]
fn nobody_gives_from_sooner_than_they_hold() {
    let mut world = world();
    let window = Window { from: Some(at(50)), until: None };
    world.grants.insert(id(81), SnapshotGrant { window, ..manual(Holder::User(id(11)), subtree(2)) });
    world.grants.insert(id(82), SnapshotGrant { suspended: true, ..manual(Holder::User(id(11)), subtree(1)) });
    let view = derive(&world);
    assert!(authority(&view, id(11), at(49)).holdings.is_empty(), "not yet, and put aside");
    let ada = authority(&view, id(11), at(50));
    let few = BTreeSet::from([READ]);
    let proposed_grant = |from, scope: &Scope| {
        let window = Window { from, until: None };
        covers(&ada, &ProposedGrant { capabilities: &few, scope, window }, &view)
    };
    assert!(proposed_grant(Some(at(50)), &subtree(2)));
    assert!(!proposed_grant(Some(at(49)), &subtree(2)));
    assert!(!proposed_grant(None, &subtree(2)));
    assert!(!proposed_grant(Some(at(50)), &subtree(1)), "what is put aside gives nothing");
}

#[test]
fn a_proposed_grant_over_several_groups_may_be_covered_group_by_group() {
    let mut world = world();
    label(&mut world, 68, 2);
    label(&mut world, 69, 2);
    let over = |groups: &[u128]| {
        Scope::of(ScopeBase::UserGroups {
            partner: id(2),
            user_groups: groups.iter().map(|group| id(*group)).collect(),
        })
    };
    world.grants.insert(id(81), manual(Holder::User(id(11)), over(&[62])));
    world.grants.insert(id(82), manual(Holder::User(id(11)), over(&[68])));
    let view = derive(&world);
    let ada = authority(&view, id(11), at(0));
    let proposed_grant = |scope: &Scope| {
        covers(&ada, &ProposedGrant { capabilities: &BTreeSet::from([READ]), scope, window: Window::default() }, &view)
    };
    assert!(proposed_grant(&over(&[62, 68])));
    assert!(!proposed_grant(&over(&[62, 69])));
}

#[test]
fn an_excluded_group_is_not_given_with_its_partner() {
    let mut world = world();
    let mut most = subtree(1);
    most.excluded_user_groups.insert(id(62));
    world.grants.insert(id(81), manual(Holder::User(id(12)), most));
    world.grants.insert(id(82), manual(Holder::User(id(11)), subtree(2)));
    let dominated = |world: &AccessSnapshot| {
        let view = derive(world);
        let [ada, bea] = [11, 12].map(|n| authority(&view, id(n), at(0)));
        dominates(&bea, &ada, &view)
    };
    assert!(!dominated(&world), "the group 62 is in the partner 2");
    world.grants.get_mut(&id(82)).unwrap().scope = subtree(3);
    assert!(dominated(&world));
}
