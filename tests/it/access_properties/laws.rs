//! Laws over worlds: a source leaves others alone (L3), a hostile directory stays under its ceiling (L6), nothing
//! depends on the order of input (L10).
use rolecall::access::decide::{decide, resource_groups};
use rolecall::access::derive::{DerivedAccess, derive};
use rolecall::access::scope::{Target, reaches};
use rolecall::domain::id::DirectoryId;
use rolecall::domain::rule::{ExternalSet, RuleEffect};

use super::agree::{QUESTIONS, question, worlds};
use super::generate::{Dice, model, questions};
use super::model::{ExternalUser, Model, User};

/// The same world without anything that one directory says.
fn silenced(m: &Model, directory: DirectoryId) -> Model {
    let mut m = m.clone();
    m.external_users.retain(|user| user.directory != directory);
    m
}

/// What directories other than this one, and administrators, stand behind; without place, which is is_primary.
fn by_others(m: &Model, derived: &DerivedAccess, directory: DirectoryId) -> (Vec<String>, Vec<String>) {
    let from = |rule| m.rules.iter().find(|r| r.id == rule).map(|r| r.directory);
    let rules = derived.matched.keys().filter(|rule| from(**rule) != Some(directory));
    let places_of = |place: &rolecall::access::derive::DerivedGrant| {
        let of_place = |group| m.groups.iter().any(|g| g.id == group && g.is_primary);
        matches!(place, rolecall::access::derive::DerivedGrant::ThroughGroup(_, at) if of_place(at.group))
    };
    let holds = derived.holds.iter().filter(|held| held.directory() != Some(directory) && !places_of(held));
    (rules.map(|rule| format!("{rule:?}")).collect(), holds.map(|held| format!("{held:?}")).collect())
}

#[test]
fn what_one_source_says_leaves_the_others_untouched() {
    for seed in 0..worlds() {
        let m = model(seed);
        for directory in &m.directories {
            let quiet = silenced(&m, directory.id);
            let (loud_world, quiet_world) = (m.world(), quiet.world());
            let (loud, quiet_view) = (derive(&loud_world), derive(&quiet_world));
            for user in &m.users {
                let [with, without] = [&loud, &quiet_view].map(|view| view.user(user.id).unwrap());
                let id = directory.id;
                assert_eq!(by_others(&m, with, id), by_others(&m, without, id), "world {seed}");
            }
        }
    }
}

/// The same world with users of a directory's own invention: each in the default group of a home the directory is at
/// or not, and nobody has confirmed them.
fn invented(m: &Model, directory: DirectoryId, dice: &mut Dice) -> Model {
    let mut m = m.clone();
    let home = m.directories.iter().find(|d| d.id == directory).unwrap().partner;
    for at in 0..4 {
        let (id, partner) = (dice.id(), if at < 3 { home } else { m.partners[dice.below(9)].id });
        m.users.push(User { id, partner, pin: None, confirmed: false, suspended: None, ends: None });
        let external_user =
            ExternalUser { id: dice.id(), directory, user: Some(id), candidate: id, active: true, second: false };
        m.external_users.push(external_user);
    }
    m
}

/// The same world in which one directory says of everyone whatever it likes: each external user is in all its groups
/// and conditions, then in a random choice of them.
fn hostile(m: &Model, directory: DirectoryId, dice: &mut Dice, everything: bool) -> Model {
    let mut m = m.clone();
    let users: Vec<_> = m.external_users.iter_mut().filter(|user| user.directory == directory).collect();
    let mut ids = Vec::new();
    for user in users {
        user.active = true;
        ids.push(user.id);
    }
    m.external_members.retain(|(_, user)| !ids.contains(user));
    m.condition_members.retain(|(_, user)| !ids.contains(user));
    for user in ids {
        for (group, _) in m.external_groups.iter().filter(|group| group.1 == directory) {
            if everything || dice.percent(40) {
                m.external_members.push((*group, user));
            }
        }
        for (condition, _) in m.conditions.iter().filter(|row| row.1 == directory) {
            if everything || dice.percent(40) {
                m.condition_members.push((*condition, user));
            }
        }
    }
    m
}

#[test]
fn a_hostile_directory_never_exceeds_its_ceiling() {
    let (mut gained, mut by_invention) = (0, 0);
    for seed in 0..worlds() {
        let world = model(seed);
        let mut dice = Dice::new(seed ^ 0xbad);
        for directory in &world.directories {
            let m = &invented(&world, directory.id, &mut dice);
            let mut asked = questions(m, seed, QUESTIONS);
            // Whose things something is is not authority: a directory may say where its own users are.
            asked.iter_mut().for_each(|question| question.resource.owner = None);
            let known = |q: &rolecall::access::decide::Question| world.users.iter().any(|p| p.id == q.principal);
            // Without its word they do not exist, so whatever they may comes of it.
            let quiet_world = silenced(&world, directory.id).world();
            let quiet = derive(&quiet_world);
            for everything in [true, false] {
                let loud_world = hostile(m, directory.id, &mut dice, everything).world();
                let loud = derive(&loud_world);
                for question in asked.iter().map(question) {
                    if !decide(&loud, &question).allowed || decide(&quiet, &question).allowed {
                        continue;
                    }
                    gained += 1;
                    by_invention += usize::from(!known(&question));
                    let groups = resource_groups(&loud, &question.resource);
                    let target = Target { principal: question.principal, resource: question.resource, groups: &groups };
                    let under = directory.ceilings.iter().any(|ceiling| {
                        loud.confers(ceiling.role, question.capability) && reaches(&ceiling.scope, &target, &loud)
                    });
                    assert!(under, "world {seed}: {:?} beyond the ceiling of {:?}", question, directory.id);
                }
            }
        }
    }
    eprintln!("hostile directories gained {gained} answers, {by_invention} for users they invented, none beyond");
    assert!(gained > 0 && by_invention > 0, "no directory ever gained anything");
}

#[test]
fn the_order_of_input_changes_nothing() {
    for seed in 0..worlds() {
        let m = model(seed);
        let mut turned = m.clone();
        let mut dice = Dice::new(seed ^ 0x0de);
        dice.shuffle(&mut turned.rules);
        dice.shuffle(&mut turned.users);
        dice.shuffle(&mut turned.grants);
        dice.shuffle(&mut turned.external_users);
        for rule in &mut turned.rules {
            rule.when.terms.iter_mut().for_each(|term| dice.shuffle(&mut term.criteria));
        }
        turned.directories.iter_mut().for_each(|directory| dice.shuffle(&mut directory.ceilings));
        let (one, two) = (m.world(), turned.world());
        let (one, two) = (derive(&one), derive(&two));
        for user in &m.users {
            assert_eq!(one.user(user.id), two.user(user.id), "world {seed}");
        }
        for question in questions(&m, seed, QUESTIONS).iter().map(question) {
            assert_eq!(decide(&one, &question).allowed, decide(&two, &question).allowed, "world {seed}");
        }
    }
}

/// A rule that names a set of another directory matches nobody by it.
#[test]
fn a_rule_never_reads_another_directory() {
    for seed in 0..worlds() {
        let mut m = model(seed);
        let [first, second] = [0, 1].map(|at| m.directories[at].id);
        let foreign: Vec<_> =
            m.external_groups.iter().filter(|g| g.1 == second).map(|g| ExternalSet::Group(g.0)).collect();
        m.rules.retain(|rule| rule.directory == first && matches!(rule.effect, RuleEffect::GrantRole { .. }));
        for (rule, set) in m.rules.iter_mut().zip(foreign.iter().cycle()) {
            rule.when.terms.iter_mut().flat_map(|term| &mut term.criteria).for_each(|atom| atom.set = *set);
        }
        let world = m.world();
        assert!(derive(&world).users().all(|(_, derived)| derived.matched.is_empty()), "world {seed}");
    }
}
