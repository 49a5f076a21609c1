//! The law on one small world that can be read at a glance.
use std::collections::BTreeSet;

use uuid::Uuid;

use super::decide::{Question, decide};
use super::derive::{Ground, derive};
use super::dominates::{Gift, authority, covers, dominates};
use super::explain::Reason;
use super::world::{Directory, ExternalGroup, ExternalUser, Grant, Group, Level, Partner, Person, Role, World};
use crate::domain::capability::CapabilityId;
use crate::domain::directory::{Ceiling, Mode};
use crate::domain::grant::{Holder, Reach, Resource, Scope};
use crate::domain::id::Id;
use crate::domain::partner::LevelId;
use crate::domain::rule::{Atom, Effect, Matcher, PeopleSet, Rule, Term};
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
    Scope::of(Reach::Subtree { partner: id(n) })
}
fn is(n: u128) -> Atom {
    Atom { set: PeopleSet::Group(id(n)), negated: false }
}
fn is_not(n: u128) -> Atom {
    Atom { negated: true, ..is(n) }
}

/// Partners 1 ─ 2 ─ 3 and 1 ─ 4. Ada (11) at home in 2, Bea (12) in 1. Role 21 Help desk: read, write, resume.
/// Directory 31 of partner 2 may give role 21 over the subtree of 2; its group 41 holds group 42, Ada is in 42.
fn world() -> World {
    let mut world = World::default();
    let all = BTreeSet::from([READ, WRITE, RESUME]);
    world.levels.insert(LEVEL, Level { name: "Reseller".into(), ceiling: all.clone() });
    world.capabilities.extend([(READ, false), (WRITE, false), (RESUME, true)]);
    for (n, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1))] {
        let partner =
            Partner { name: format!("Partner {n}"), parent: parent.map(id), level: LEVEL, suspended_by: vec![] };
        world.partners.insert(id(n), partner);
        let place = Group { name: "Everyone".into(), partner: id(n), exclusive: true, is_default: true };
        world.groups.insert(id(60 + n), place);
    }
    for (n, name, home) in [(11, "Ada", 2), (12, "Bea", 1)] {
        world.people.insert(id(n), Person { name: name.into(), partner: id(home), pin: None, suspended_by: vec![] });
    }
    world.roles.insert(id(21), Role { name: "Help desk".into(), parent: None, capabilities: all });
    let ceilings = vec![Ceiling { role: id(21), scope: subtree(2) }];
    let directory =
        Directory { name: "Entra".into(), mode: Mode::Authoritative, authority: 0, rule_version: 1, ceilings };
    world.directories.insert(id(31), directory);
    world.external_users.insert(id(51), ExternalUser { directory: id(31), person: Some(id(11)), active: true });
    for n in [41, 42, 43] {
        world.external_groups.insert(id(n), ExternalGroup { name: format!("Group {n}"), directory: id(31) });
    }
    world.subgroups.extend([(id(41), id(42)), (id(42), id(41))]);
    world.external_members.insert((id(42), id(51)));
    world
}

fn rule(n: u128, atoms: Vec<Atom>, effect: Effect) -> Rule {
    let when = Matcher { terms: vec![Term { atoms }] };
    let ordinal = i64::try_from(n).unwrap();
    Rule { id: id(n), directory: id(31), version: 1, ordinal, name: format!("Rule {n}"), when, effect }
}

fn grant(scope: Scope) -> Effect {
    Effect::Grant { role: id(21), scope }
}

fn manual(holder: Holder, scope: Scope) -> Grant {
    Grant {
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
fn answer(world: &World, question: &Question) -> &'static str {
    match decide(&derive(world), question).reason {
        Reason::Granted(_) => "allowed",
        Reason::Refused { misses } => misses[0].word(),
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
    assert_eq!(answer(&world, &ask(READ, 4)), "clipped");
}

#[test]
fn a_group_reached_by_a_rule_confers_no_more_than_the_ceiling() {
    let mut world = world();
    world.groups.insert(id(69), Group { name: "VIP".into(), partner: id(2), exclusive: false, is_default: false });
    world.rules.push(rule(71, vec![is(41)], Effect::Join { group: id(69) }));
    world.grants.insert(id(81), manual(Holder::Group(id(69)), subtree(1)));
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    assert_eq!(answer(&world, &ask(READ, 4)), "clipped");
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
    world.directories.get_mut(&id(31)).unwrap().mode = Mode::Observe;
    assert_eq!(answer(&world, &ask(READ, 2)), "no_grant");
    world.directories.get_mut(&id(31)).unwrap().mode = Mode::Paused;
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    world.external_users.get_mut(&id(51)).unwrap().active = false;
    assert_eq!(answer(&world, &ask(READ, 2)), "no_grant");
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
    assert_eq!(answer(&world, &ask(RESUME, 4)), "home_suspended");
    world.people.get_mut(&id(11)).unwrap().suspended_by.push(SuspensionSource::Connection(id(7)));
    assert_eq!(answer(&world, &ask(RESUME, 4)), "person_suspended");
}

#[test]
fn levels_parent_roles_and_windows_cut_down() {
    let mut world = world();
    world.grants.insert(id(81), manual(Holder::User(id(11)), subtree(1)));
    world.levels.get_mut(&LEVEL).unwrap().ceiling.remove(&WRITE);
    assert_eq!(answer(&world, &ask(WRITE, 2)), "beyond_level");
    let readers = Role { name: "Readers".into(), parent: None, capabilities: BTreeSet::from([READ]) };
    world.roles.insert(id(22), readers);
    world.roles.get_mut(&id(21)).unwrap().parent = Some(id(22));
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    assert_eq!(answer(&world, &ask(RESUME, 2)), "no_grant");
    world.grants.get_mut(&id(81)).unwrap().window = Window { from: Some(at(100)), until: Some(at(101)) };
    assert_eq!(answer(&world, &ask(READ, 2)), "allowed");
    assert_eq!(answer(&world, &Question { now: at(101), ..ask(READ, 2) }), "not_now");
    world.grants.get_mut(&id(81)).unwrap().suspended = true;
    assert_eq!(answer(&world, &ask(READ, 2)), "not_now");
}

#[test]
fn what_does_not_exist_is_said_and_nothing_more() {
    let world = world();
    assert_eq!(answer(&world, &ask(READ, 9)), "no_partner");
    assert_eq!(answer(&world, &Question { principal: id(99), ..ask(READ, 2) }), "no_person");
    assert_eq!(answer(&world, &ask(CapabilityId(9), 2)), "no_capability");
}

#[test]
fn placement_is_the_pin_else_the_first_rule_else_the_default() {
    let mut world = world();
    for n in [68, 69] {
        world.groups.insert(id(n), Group { name: n.to_string(), partner: id(2), exclusive: true, is_default: false });
    }
    let place = |world: &World| derive(world).person(id(11)).unwrap().placement.unwrap();
    assert_eq!((place(&world).group, place(&world).ground), (id(62), Ground::Default));
    world.rules.push(rule(72, vec![is(41)], Effect::Place { group: id(69) }));
    world.rules.push(rule(71, vec![is(42)], Effect::Place { group: id(68) }));
    world.rules.push(rule(70, vec![is(42)], Effect::Place { group: id(63) })); // another partner's: not a place
    assert_eq!((place(&world).group, place(&world).ground), (id(68), Ground::Rule(id(71), id(31))));
    world.people.get_mut(&id(11)).unwrap().pin = Some(id(69));
    assert_eq!((place(&world).group, place(&world).ground), (id(69), Ground::Pinned));
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
    let gift = |capabilities: &BTreeSet<CapabilityId>, scope: &Scope, window: Window| {
        covers(&ada, &Gift { capabilities, scope, window }, &view)
    };
    let (few, many) = (BTreeSet::from([READ]), BTreeSet::from([READ, CapabilityId(9)]));
    let open = Window::default();
    assert!(gift(&few, &subtree(3), open));
    assert!(!gift(&few, &subtree(1), open));
    assert!(!gift(&many, &subtree(3), open));
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
    let gift = |window| covers(&ada, &Gift { capabilities: &few, scope: &subtree(2), window }, &view);
    assert!(gift(until(Some(at(50)))));
    assert!(!gift(until(Some(at(51)))));
    assert!(!gift(until(None)));
    assert!(authority(&view, id(11), at(50)).holdings.is_empty());
}
