//! Laws of plan and safeguard on random directories: converging, repeating without effect (L3), removing nothing
//! without proof (L4, P14), never more than the safeguard lets through (P13).
use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::entry::{LdapGroup, LdapUser};
use super::execute::circles_of;
use super::mark::Mark;
use super::plan::{Baseline, BaselineGroup, BaselineUser, ChangeKind, MissingRecords, absences, plan};
use super::read::Complete;
use super::reason::PendingReason;
use super::safeguard::{Removal, SafeguardDecision, SafeguardInput, UnapprovedRemovals, all, safeguard, taken};
use super::translate::DirectorySnapshot;
use crate::connection::ldap::SafeguardLimits;
use crate::domain::id::Id;

/// A directory, or what we hold of it: everything by stable id.
#[derive(Clone, Debug, Default, PartialEq)]
struct GeneratedDirectory {
    /// Stable id to (login, active).
    users: BTreeMap<u8, (u8, bool)>,
    /// Stable id to name.
    groups: BTreeMap<u8, u8>,
    members: BTreeSet<(u8, u8)>,
    nested: BTreeSet<(u8, u8)>,
}

impl GeneratedDirectory {
    /// Only pairs whose ends exist.
    fn tidy(mut self) -> Self {
        self.members.retain(|(group, user)| self.groups.contains_key(group) && self.users.contains_key(user));
        self.nested.retain(|(outer, inner)| self.groups.contains_key(outer) && self.groups.contains_key(inner));
        self
    }

    fn said(&self) -> DirectorySnapshot {
        let user = |(key, (login, active)): (&u8, &(u8, bool))| LdapUser {
            key: key.to_string(),
            user_name: login.to_string(),
            match_key: None,
            active: *active,
            silent: false,
            doc: Some(Default::default()),
            mark: Mark::of(std::array::from_fn(|at| match at {
                0 => *login,
                1 => u8::from(*active),
                _ => 0,
            })),
        };
        let group = |(key, name): (&u8, &u8)| LdapGroup {
            key: key.to_string(),
            name: name.to_string(),
            doc: Default::default(),
            hash: [*name; 32],
        };
        let users: Vec<LdapUser> = self.users.iter().map(user).collect();
        let groups: Vec<LdapGroup> = self.groups.iter().map(group).collect();
        let user_at = |key: u8| self.users.keys().position(|k| *k == key).unwrap() as u32;
        let group_at = |key: u8| self.groups.keys().position(|k| *k == key).unwrap() as u32;
        DirectorySnapshot {
            members: self.members.iter().map(|(group, user)| (group_at(*group), user_at(*user))).collect(),
            nested: self.nested.iter().map(|(outer, inner)| (group_at(*outer), group_at(*inner))).collect(),
            users,
            groups,
            ..DirectorySnapshot::default()
        }
    }

    fn accepted(&self, privileged: &BTreeSet<u8>, mapped: &BTreeSet<u8>) -> Baseline {
        let said = self.said();
        Baseline {
            users: said
                .users
                .iter()
                .map(|user| BaselineUser {
                    id: Id::from_uuid(Uuid::nil()),
                    key: user.key.clone(),
                    user_name: user.user_name.clone(),
                    match_key: None,
                    mark: Some(user.mark),
                    active: user.active,
                    privileged: privileged.contains(&user.key.parse().unwrap()),
                })
                .collect(),
            groups: said
                .groups
                .iter()
                .map(|group| BaselineGroup {
                    id: Id::from_uuid(Uuid::nil()),
                    key: group.key.clone(),
                    name: group.name.clone(),
                    hash: Some(group.hash.to_vec()),
                    mapped: mapped.contains(&group.key.parse().unwrap()),
                })
                .collect(),
            members: said.members,
            nested: said.nested,
        }
    }

    /// Does what a plan and a verdict say.
    fn apply(&self, said: &DirectorySnapshot, removals: &MissingRecords) -> Self {
        let accepted = self.accepted(&BTreeSet::new(), &BTreeSet::new());
        let plan = plan(said, &accepted);
        let mut next = self.clone();
        let user = |at: u32| accepted.users[at as usize].key.parse::<u8>().unwrap();
        let group = |at: u32| accepted.groups[at as usize].key.parse::<u8>().unwrap();
        for at in &removals.users {
            next.users.remove(&user(*at));
        }
        for at in &removals.groups {
            next.groups.remove(&group(*at));
        }
        for (outer, inner) in &removals.members {
            next.members.remove(&(group(*outer), user(*inner)));
        }
        for (outer, inner) in &removals.nested {
            next.nested.remove(&(group(*outer), group(*inner)));
        }
        let changed = plan.change_users.iter().map(|change| change.said);
        for at in plan.create_users.iter().copied().chain(changed) {
            let user = &said.users[at as usize];
            next.users.insert(user.key.parse().unwrap(), (user.user_name.parse().unwrap(), user.active));
        }
        let changed = plan.change_groups.iter().map(|change| change.said);
        for at in plan.create_groups.iter().copied().chain(changed) {
            let group = &said.groups[at as usize];
            next.groups.insert(group.key.parse().unwrap(), group.name.parse().unwrap());
        }
        let user = |at: u32| said.users[at as usize].key.parse::<u8>().unwrap();
        let group = |at: u32| said.groups[at as usize].key.parse::<u8>().unwrap();
        next.members.extend(plan.add_members.iter().map(|(outer, inner)| (group(*outer), user(*inner))));
        next.nested.extend(plan.add_nested.iter().map(|(outer, inner)| (group(*outer), group(*inner))));
        next.tidy()
    }

    /// Everyone in a group through any nesting.
    fn effective(&self, group: u8) -> BTreeSet<u8> {
        let mut reached = BTreeSet::from([group]);
        loop {
            let more: Vec<u8> = self
                .nested
                .iter()
                .filter(|(outer, inner)| reached.contains(outer) && !reached.contains(inner))
                .map(|(_, inner)| *inner)
                .collect();
            if more.is_empty() {
                break;
            }
            reached.extend(more);
        }
        self.members.iter().filter(|(group, _)| reached.contains(group)).map(|(_, user)| *user).collect()
    }
}

fn world() -> impl Strategy<Value = GeneratedDirectory> {
    let users = proptest::collection::btree_map(0..30u8, (0..40u8, any::<bool>()), 0..25);
    let groups = proptest::collection::btree_map(0..8u8, 0..20u8, 0..7);
    let members = proptest::collection::btree_set((0..8u8, 0..30u8), 0..60);
    let nested = proptest::collection::btree_set((0..8u8, 0..8u8), 0..8);
    (users, groups, members, nested)
        .prop_map(|(users, groups, members, nested)| GeneratedDirectory { users, groups, members, nested }.tidy())
}

/// A directory and a later state of it that differs a little.
fn two_states() -> impl Strategy<Value = (GeneratedDirectory, GeneratedDirectory)> {
    let lost = (proptest::collection::btree_set(0..30u8, 0..6), proptest::collection::btree_set(0..8u8, 0..2));
    let pairs = (
        proptest::collection::btree_set((0..8u8, 0..30u8), 0..20),
        proptest::collection::btree_set((0..8u8, 0..8u8), 0..3),
    );
    (world(), world(), lost, pairs).prop_map(|(before, new, (users, groups), (members, nested))| {
        let mut after = before.clone();
        after.users.retain(|key, _| !users.contains(key));
        after.groups.retain(|key, _| !groups.contains(key));
        after.members.retain(|pair| !members.contains(pair));
        after.nested.retain(|pair| !nested.contains(pair));
        after.users.extend(new.users.into_iter().filter(|(key, _)| key % 5 == 0));
        after.members.extend(new.members.into_iter().filter(|(group, _)| group % 3 == 0));
        (before, after.tidy())
    })
}

fn subset() -> impl Strategy<Value = BTreeSet<u8>> {
    proptest::collection::btree_set(0..30u8, 0..6)
}

/// The absences that wait; switches have a law of their own.
fn removals(verdict: &SafeguardDecision) -> impl Iterator<Item = Removal> + '_ {
    let held = verdict.held.iter().map(|(removal, _)| *removal);
    held.filter(|removal| !matches!(removal, Removal::SwitchOn(_) | Removal::SwitchOff(_)))
}

fn decide(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    limits: SafeguardLimits,
    about: &SafeguardInput,
) -> (MissingRecords, SafeguardDecision) {
    let plan = plan(said, accepted);
    let missing = absences(&Complete::assume(said.clone()), accepted);
    let verdict = safeguard(said, accepted, &plan, &missing, limits, about);
    (missing, verdict)
}

proptest! {
    #[test]
    fn a_run_arrives_at_what_the_directory_says_and_a_second_does_nothing((before, after) in two_states()) {
        let said = after.said();
        let missing = absences(&Complete::assume(said.clone()), &before.accepted(&BTreeSet::new(), &BTreeSet::new()));
        let arrived = before.apply(&said, &missing);
        prop_assert_eq!(&arrived, &after);
        let accepted = arrived.accepted(&BTreeSet::new(), &BTreeSet::new());
        let again = plan(&said, &accepted);
        prop_assert!(again.create_users.is_empty() && again.change_users.is_empty() && again.add_members.is_empty());
        prop_assert!(again.create_groups.is_empty() && again.change_groups.is_empty() && again.add_nested.is_empty());
        prop_assert!(absences(&Complete::assume(said), &accepted).is_empty());
    }

    #[test]
    fn without_proof_nothing_is_ever_removed((before, after) in two_states()) {
        let arrived = before.apply(&after.said(), &MissingRecords::default());
        prop_assert!(before.users.keys().all(|key| arrived.users.contains_key(key)));
        prop_assert!(before.groups.keys().all(|key| arrived.groups.contains_key(key)));
        prop_assert!(arrived.members.is_superset(&before.members) && arrived.nested.is_superset(&before.nested));
    }

    #[test]
    fn nobody_is_missing_while_what_was_read_is_in_doubt((before, after) in two_states()) {
        let said = DirectorySnapshot { doubt: Some("two entries have one id".to_owned()), ..after.said() };
        prop_assert!(absences(&Complete::assume(said), &before.accepted(&BTreeSet::new(), &BTreeSet::new())).is_empty());
    }

    #[test]
    fn what_was_skipped_is_not_missing((before, after) in two_states(), aside in subset()) {
        let mut without = after.clone();
        without.users.retain(|key, _| !aside.contains(key));
        let present_users = aside.iter().map(u8::to_string).collect();
        let said = DirectorySnapshot { present_users, ..without.tidy().said() };
        let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::new());
        let missing = absences(&Complete::assume(said), &accepted);
        let key = |at: u32| accepted.users[at as usize].key.parse::<u8>().unwrap();
        prop_assert!(missing.users.iter().all(|at| !aside.contains(&key(*at))));
        prop_assert!(missing.members.iter().all(|(_, user)| !aside.contains(&key(*user))));
    }

    #[test]
    fn the_safeguard_loses_no_removal_and_lets_no_removal_alert_through(
        (before, after) in two_states(), privileged in subset(), mapped in subset()
    ) {
        let accepted = before.accepted(&privileged, &mapped);
        let said = after.said();
        let limits = SafeguardLimits::default();
        let (missing, verdict) = decide(&said, &accepted, limits, &SafeguardInput::default());
        let mut decided: Vec<Removal> = all(&verdict.apply).chain(removals(&verdict)).collect();
        let mut asked: Vec<Removal> = all(&missing).collect();
        decided.sort_unstable();
        asked.sort_unstable();
        prop_assert_eq!(decided, asked);

        let gone = verdict.apply.users.len();
        prop_assert!(gone < 2 || gone * 100 <= accepted.users.len() * 5);
        let key = |at: u32| accepted.users[at as usize].key.parse::<u8>().unwrap();
        prop_assert!(verdict.apply.users.iter().all(|at| !privileged.contains(&key(*at))));

        let arrived = before.apply(&said, &verdict.apply);
        for group in mapped.iter().filter(|group| before.groups.contains_key(group)) {
            let had = before.effective(*group);
            let has = if arrived.groups.contains_key(group) { arrived.effective(*group) } else { BTreeSet::new() };
            let lost: BTreeSet<u8> = had.difference(&has).copied().collect();
            prop_assert!(lost.len() < 2 || lost.len() * 100 <= had.len() * 20, "{group}: lost {lost:?} of {had:?}");
            prop_assert!(lost.is_disjoint(&privileged), "{group}: lost {lost:?}");
        }
    }

    #[test]
    fn an_approval_lets_through_exactly_what_it_names((before, after) in two_states(), mapped in subset()) {
        let accepted = before.accepted(&BTreeSet::new(), &mapped);
        let said = after.said();
        let (_, first) = decide(&said, &accepted, SafeguardLimits::default(), &SafeguardInput::default());
        let approved: HashSet<Removal> = first.held.iter().map(|(removal, _)| *removal).step_by(2).collect();
        let read = first.whole.is_some();
        let about = SafeguardInput { approved: approved.clone(), approved_read: read, ..SafeguardInput::default() };
        let (_, second) = decide(&said, &accepted, SafeguardLimits::default(), &about);
        prop_assert!(second.held.iter().all(|(removal, _)| !approved.contains(removal)));
        if !read {
            prop_assert!(second.held.len() + approved.len() <= first.held.len(), "what was approved counts no more");
        }
    }

    #[test]
    fn explicit_deactivation_never_waits((before, after) in two_states(), privileged in subset()) {
        let accepted = before.accepted(&privileged, &BTreeSet::new());
        let off = before.users.iter().filter(|(key, (_, active))| *active && after.users.get(key).is_some_and(|(_, active)| !active)).count();
        let plan = plan(&after.said(), &accepted);
        prop_assert_eq!(plan.change_users.iter().filter(|change| change.kind == ChangeKind::SwitchedOff).count(), off);
    }

    #[test]
    fn another_server_or_an_empty_read_holds_everything((before, after) in two_states()) {
        let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::new());
        let about = SafeguardInput { strange: Some(PendingReason::OtherServer), ..SafeguardInput::default() };
        let (missing, verdict) = decide(&after.said(), &accepted, SafeguardLimits::default(), &about);
        prop_assert!(verdict.apply.is_empty());
        prop_assert_eq!(verdict.held.len(), all(&missing).count());
        let nothing_known = before.users.is_empty() && before.groups.is_empty();
        prop_assert_eq!(verdict.whole, (!nothing_known).then_some(PendingReason::OtherServer));
        let (_, verdict) = decide(&GeneratedDirectory::default().said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
        prop_assert!(verdict.apply.is_empty());
        let narrowed = Some(PendingReason::Narrowed { what: "x".to_owned() });
        let about = SafeguardInput { narrowed, ..SafeguardInput::default() };
        let (missing, verdict) = decide(&after.said(), &accepted, SafeguardLimits::default(), &about);
        prop_assert!(verdict.apply.is_empty());
        prop_assert_eq!(removals(&verdict).count(), all(&missing).count());
    }

    /// Runs one after another, each below the limits alone: what they take together stays below them too.
    #[test]
    fn a_slow_leak_stops_at_the_same_share(
        (world, _) in two_states(), mapped in subset(), leaks in proptest::collection::vec((0..8u8, 0..30u8), 0..60)
    ) {
        let mut here = world.clone();
        let mut source = world.clone();
        let mut before = UnapprovedRemovals::default();
        for leak in leaks {
            source.members.remove(&leak);
            let accepted = here.accepted(&BTreeSet::new(), &mapped);
            let about = SafeguardInput { before: before.clone(), ..SafeguardInput::default() };
            let (_, verdict) = decide(&source.said(), &accepted, SafeguardLimits::default(), &about);
            let next = taken(&source.said(), &accepted, &plan(&source.said(), &accepted), &verdict.apply, &HashSet::new());
            before.memberships += next.memberships;
            before.groups += next.groups;
            for (group, lost) in next.mapped {
                *before.mapped.entry(group).or_default() += lost;
            }
            here = here.apply(&source.said(), &verdict.apply);
        }
        let (all, left) = (world.members.len() + world.nested.len(), here.members.len() + here.nested.len());
        prop_assert!(all - left < 2 || (all - left) * 100 <= all * 20, "{left} of {all} are left");
        for group in mapped.iter().filter(|group| world.groups.contains_key(group)) {
            let (had, has) = (world.effective(*group).len(), here.effective(*group).len());
            prop_assert!(had - has < 2 || (had - has) * 100 <= had * 20, "{group}: {has} of {had} are left");
        }
    }

    #[test]
    fn groups_and_memberships_wait_by_their_share_of_all((before, after) in two_states()) {
        let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::new());
        let (_, verdict) = decide(&after.said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
        let groups = verdict.apply.groups.len();
        prop_assert!(groups < 2 || groups * 100 <= accepted.groups.len() * 20);
        let gone = |group: u32| verdict.apply.groups.contains(&group);
        let inside = accepted.members.iter().filter(|(group, _)| gone(*group)).count()
            + accepted.nested.iter().filter(|(outer, inner)| gone(*outer) || gone(*inner)).count();
        let lost = verdict.apply.members.len() + verdict.apply.nested.len() + inside;
        let of = accepted.members.len() + accepted.nested.len();
        prop_assert!(lost < 2 || lost * 100 <= of * 20, "{lost} of {of}");
    }

    #[test]
    fn many_switched_on_at_once_wait_and_switched_off_by_a_sign_never((before, after) in two_states()) {
        let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::new());
        let (_, verdict) = decide(&after.said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
        let both = before.users.iter().filter_map(|(key, (_, was))| Some((was, &after.users.get(key)?.1)));
        let on = both.filter(|(was, is)| !**was && **is).count();
        let held = verdict.held.iter().filter(|(removal, _)| matches!(removal, Removal::SwitchOn(_))).count();
        let many = on >= 2 && on * 100 > before.users.len() * 5;
        if verdict.whole.is_none() {
            prop_assert_eq!(held, if many { on } else { 0 });
        }
        prop_assert!(!verdict.held.iter().any(|(removal, _)| matches!(removal, Removal::SwitchOff(_))));
    }

    /// Logins passed on in circles and chains, with users who go and come among them.
    #[test]
    fn circles_are_found_once_each(wants in proptest::sample::subsequence((0..12usize).collect::<Vec<_>>(), 0..12).prop_shuffle()) {
        let mut has = wants.clone();
        has.sort_unstable();
        let names: Vec<(String, String)> = has.iter().zip(&wants).map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let circles = circles_of(&names);
        let mut met: Vec<usize> = circles.iter().flatten().copied().collect();
        met.sort_unstable();
        prop_assert_eq!(met, (0..names.len()).collect::<Vec<_>>(), "a permutation is nothing but circles");
        for circle in &circles {
            for (at, one) in circle.iter().enumerate() {
                let next = circle[(at + 1) % circle.len()];
                prop_assert_eq!(&names[*one].1, &names[next].0);
            }
        }
        let chain: Vec<(String, String)> = (0..5).map(|at| (at.to_string(), (at + 1).to_string())).collect();
        prop_assert!(circles_of(&chain).is_empty());
    }
}

fn users(count: u8) -> GeneratedDirectory {
    GeneratedDirectory { users: (0..count).map(|key| (key, (key, true))).collect(), ..GeneratedDirectory::default() }
}

#[test]
fn one_of_few_goes_and_two_wait() {
    let before = users(10);
    let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::new());
    let without = |gone: u8| GeneratedDirectory {
        users: before.users.clone().into_iter().skip(gone.into()).collect(),
        ..GeneratedDirectory::default()
    };
    let (_, one) = decide(&without(1).said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
    assert_eq!((one.apply.users.len(), one.held.len()), (1, 0));
    let (_, two) = decide(&without(2).said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
    assert_eq!(two.apply.users.len(), 0);
    assert_eq!(two.held[0].1, PendingReason::ManyUsers { missing: 2, of: 10, limit: 5 });
    assert_eq!(two.held[0].1.to_string(), "2 of 10 users are missing, more than 5 %");
}

#[test]
fn a_group_with_a_rule_waits_also_through_nesting_and_one_without_by_its_share_of_all() {
    let mut before = users(20);
    before.groups.extend([(1, 1), (2, 2), (3, 3)]);
    before.nested.insert((1, 2));
    before.members.extend((0..10).flat_map(|user| [(2, user), (3, user)]));
    let mut after = before.clone();
    after.members.retain(|(_, user)| *user >= 5);
    let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::from([1]));
    let (_, verdict) = decide(&after.said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
    assert_eq!(verdict.apply.members.len(), 0, "10 of 21 memberships is more than a fifth of all, rule or no rule");
    let mapped =
        verdict.held.iter().filter(|(removal, _)| matches!(removal, Removal::Member(1, _))).collect::<Vec<_>>();
    assert_eq!((mapped.len(), verdict.held.len()), (5, 10));
    assert_eq!(mapped[0].1, PendingReason::GroupShrinks { group: "1".into(), lost: 5, of: 10, limit: 20 });
    let other = verdict.held.iter().find(|(removal, _)| matches!(removal, Removal::Member(2, _))).unwrap();
    assert_eq!(other.1.to_string(), "10 of 21 memberships would be gone within 24 hours, more than 20 %");
}

#[test]
fn another_directory_with_the_same_names_waits_as_a_whole() {
    let before = users(10);
    let other = GeneratedDirectory {
        users: (10..20).map(|key| (key, (key - 10, true))).collect(),
        ..GeneratedDirectory::default()
    };
    let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::new());
    let (_, verdict) = decide(&other.said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
    assert_eq!(verdict.whole, Some(PendingReason::Strangers { found: 0, of: 10, new: 10 }));
    assert_eq!((verdict.apply.users.len(), verdict.held.len()), (0, 10));
}

#[test]
fn users_who_stay_in_by_another_way_are_not_lost() {
    let mut before = users(10);
    before.groups.extend([(1, 1), (2, 2)]);
    before.nested.insert((1, 2));
    before.groups.extend((3..8).map(|key| (key, key)));
    before.members.extend((0..10).flat_map(|user| (2..8).map(move |group| (group, user))));
    let mut after = before.clone();
    after.members.retain(|(group, _)| *group != 2);
    after.members.extend((0..10).map(|user| (1, user)));
    let accepted = before.accepted(&BTreeSet::new(), &BTreeSet::from([1]));
    let (_, verdict) = decide(&after.said(), &accepted, SafeguardLimits::default(), &SafeguardInput::default());
    assert_eq!(verdict.held, []);
}
