//! The order in which a plan is carried out: who is switched off goes first, removals that free a name come before
//! those who take it, and nobody leaves a group before having come into the other.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use crate::domain::text::fold;
use crate::provision::ProvisionError;

use super::apply::{
    AbortReason, Applier, EntryFacts, OperationResult, SyncOperation, group_member, in_parts, user_member,
};
use super::plan::{Baseline, ChangeKind, MissingRecords, RecordChange, RecordMatch, SyncPlan, stale_marks};
use super::report::{PairCounts, RecordCounts, Report};
use super::translate::DirectorySnapshot;

/// Where what is said stands here; `None` where it was refused.
struct Ids {
    users: Vec<Option<ExternalUserId>>,
    groups: Vec<Option<ExternalGroupId>>,
}

/// Carries out a plan and the removals that the safeguard let through.
pub(super) async fn execute(
    hand: &Applier<'_>,
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    removals: &MissingRecords,
    report: &mut Report,
) -> Result<(), AbortReason> {
    let matched = RecordMatch::new(said, accepted);
    let user = |at: Option<u32>| at.and_then(|at| accepted.users.get(at as usize)).map(|user| user.id);
    let group = |at: Option<u32>| at.and_then(|at| accepted.groups.get(at as usize)).map(|group| group.id);
    let mut ids = Ids {
        users: matched.known_user.iter().map(|at| user(*at)).collect(),
        groups: matched.known_group.iter().map(|at| group(*at)).collect(),
    };
    users(hand, said, accepted, plan, removals, report, &mut ids).await?;
    groups(hand, said, accepted, plan, report, &mut ids).await?;
    memberships(hand, accepted, plan, removals, report, &ids).await?;
    hand.note(&stale_marks(said, accepted)).await?;
    let gone: Vec<_> = removals.groups.iter().filter_map(|at| accepted.groups.get(*at as usize)).collect();
    let acts: Vec<SyncOperation<'_>> = gone.iter().map(|group| SyncOperation::RemoveGroup(group.id)).collect();
    for (group, outcome) in gone.into_iter().zip(hand.all(&acts).await?) {
        match outcome {
            Ok(_) => report.groups.removed += 1,
            Err(error) => {
                report.groups.not_removed += 1;
                report.refused(group.name.clone(), Some(group.key.clone()), in_words(&error));
            }
        }
    }
    Ok(())
}

async fn users(
    hand: &Applier<'_>,
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    removals: &MissingRecords,
    report: &mut Report,
    ids: &mut Ids,
) -> Result<(), AbortReason> {
    let is_off = |change: &&RecordChange| change.kind == ChangeKind::SwitchedOff;
    let off: Vec<Step<'_>> = plan.change_users.iter().filter(is_off).map(Step::Change).collect();
    let waiting = steps(hand, said, accepted, off, report, ids).await?;

    let gone: Vec<_> = removals.users.iter().filter_map(|at| accepted.users.get(*at as usize)).collect();
    let acts: Vec<SyncOperation<'_>> = gone.iter().map(|user| SyncOperation::RemoveUser(user.id)).collect();
    for (user, outcome) in gone.into_iter().zip(hand.all(&acts).await?) {
        match outcome {
            Ok(_) => report.users.removed += 1,
            Err(error) => {
                report.users.not_removed += 1;
                report.refused(user.user_name.clone(), Some(user.key.clone()), in_words(&error));
            }
        }
    }

    let changes = plan.change_users.iter().filter(|change| !is_off(change)).map(Step::Change);
    let creations = plan.create_users.iter().map(|at| Step::Create(*at));
    // Who was to be switched off first, and wants the login name of somebody who changes only now, is among them.
    let waiting = waiting.into_iter().map(|(step, _)| step);
    let open = waiting.chain(changes).chain(creations).collect();
    for (step, error) in steps(hand, said, accepted, open, report, ids).await? {
        aside(said, step, &error, report);
    }
    Ok(())
}

fn aside(said: &DirectorySnapshot, step: Step<'_>, error: &ProvisionError, report: &mut Report) {
    report.users.skipped += 1;
    if let Some(user) = said.users.get(step.said() as usize) {
        report.refused(user.user_name.clone(), Some(user.key.clone()), in_words(error));
    }
}

/// A user to change or to create.
#[derive(Clone, Copy)]
enum Step<'a> {
    Change(&'a RecordChange),
    Create(u32),
}

impl Step<'_> {
    fn said(self) -> u32 {
        match self {
            Self::Change(change) => change.said,
            Self::Create(at) => at,
        }
    }
}

/// Carries out steps until none is left or none of the rest can be done: a login may be free only after another
/// user's change, and where they wait for each other in a circle they change at once. Answers those that were refused
/// because somebody who does not change has their login.
async fn steps<'a>(
    hand: &Applier<'_>,
    said: &DirectorySnapshot,
    accepted: &Baseline,
    mut open: Vec<Step<'a>>,
    report: &mut Report,
    ids: &mut Ids,
) -> Result<Vec<(Step<'a>, ProvisionError)>, AbortReason> {
    loop {
        let acts: Vec<_> = open.iter().filter_map(|step| Some((*step, act(hand, said, accepted, *step)?))).collect();
        let (asked, acts): (Vec<Step<'a>>, Vec<SyncOperation<'_>>) = acts.into_iter().unzip();
        let outcomes = hand.all(&acts).await?;
        let mut again = Vec::new();
        for (step, outcome) in asked.into_iter().zip(outcomes) {
            match (outcome, step) {
                (Ok(OperationResult::User(id)), Step::Create(at)) => {
                    report.users.created += 1;
                    if let Some(slot) = ids.users.get_mut(at as usize) {
                        *slot = Some(id);
                    }
                }
                (Ok(_), Step::Create(_)) => {}
                (Ok(_), Step::Change(change)) => count(&mut report.users, change.kind),
                (Err(error @ ProvisionError::Uniqueness { .. }), step) => again.push((step, error)),
                (Err(error), step) => aside(said, step, &error, report),
            }
        }
        if again.len() == open.len() {
            let swapped = circles(hand, said, accepted, &again, report).await?;
            if swapped.is_empty() {
                return Ok(again);
            }
            again.retain(|(step, _)| !matches!(step, Step::Change(change) if swapped.contains(&change.said)));
        }
        if again.is_empty() {
            return Ok(again);
        }
        open = again.into_iter().map(|(step, _)| step).collect();
    }
}

fn act<'s>(
    hand: &Applier<'_>,
    said: &'s DirectorySnapshot,
    accepted: &Baseline,
    step: Step<'_>,
) -> Option<SyncOperation<'s>> {
    let user = said.users.get(step.said() as usize)?;
    let words = EntryFacts::of(user)?;
    match step {
        Step::Create(_) if hand.gone.contains(&user.key) => Some(SyncOperation::ReturnUser(words)),
        Step::Create(_) => Some(SyncOperation::CreateUser(words)),
        Step::Change(change) => Some(SyncOperation::ChangeUser(accepted.users.get(change.known as usize)?.id, words)),
    }
}

/// Changes those at once who want each other's login names in a circle; the positions of those who were changed.
async fn circles(
    hand: &Applier<'_>,
    said: &DirectorySnapshot,
    accepted: &Baseline,
    stuck: &[(Step<'_>, ProvisionError)],
    report: &mut Report,
) -> Result<BTreeSet<u32>, AbortReason> {
    let mut swapped = BTreeSet::new();
    let changes: Vec<&RecordChange> = stuck
        .iter()
        .filter_map(|(step, _)| match step {
            Step::Change(change) => Some(*change),
            Step::Create(_) => None,
        })
        .collect();
    let names = changes.iter().map(|change| {
        let has = accepted.users.get(change.known as usize).map(|user| fold(&user.user_name)).unwrap_or_default();
        let wants = said.users.get(change.said as usize).map(|user| fold(&user.user_name)).unwrap_or_default();
        (has, wants)
    });
    for circle in circles_of(&names.collect::<Vec<_>>()) {
        let members: Vec<&RecordChange> = circle.iter().filter_map(|at| changes.get(*at).copied()).collect();
        let of = |change: &&RecordChange| -> Option<(ExternalUserId, EntryFacts<'_>)> {
            Some((
                accepted.users.get(change.known as usize)?.id,
                EntryFacts::of(said.users.get(change.said as usize)?)?,
            ))
        };
        let acts = [SyncOperation::ChangeTogether(members.iter().filter_map(of).collect())];
        if hand.all(&acts).await?.iter().all(Result::is_ok) {
            for change in members {
                count(&mut report.users, change.kind);
                swapped.insert(change.said);
            }
        }
    }
    Ok(swapped)
}

/// Who would be refused because somebody who stays as before has the login name, by position in what is said: what
/// [`execute`] comes to, foreseen.
pub(super) fn blocked(
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    removals: &MissingRecords,
) -> Vec<u32> {
    let gone: BTreeSet<u32> = removals.users.iter().copied().collect();
    let staying = (0..).zip(&accepted.users).filter(|(at, _)| !gone.contains(at));
    let mut holders: HashMap<String, Option<u32>> =
        staying.map(|(at, user)| (fold(&user.user_name), Some(at))).collect();
    let changes = plan.change_users.iter().map(|change| (change.said, Some(change.known)));
    let mut open: Vec<(u32, Option<u32>)> = changes.chain(plan.create_users.iter().map(|at| (*at, None))).collect();
    let wants = |at: u32| said.users.get(at as usize).map(|user| fold(&user.user_name)).unwrap_or_default();
    let has = |known: Option<u32>| {
        known.and_then(|at| accepted.users.get(at as usize)).map(|user| fold(&user.user_name)).unwrap_or_default()
    };
    loop {
        let before = open.len();
        open.retain(|(at, known)| {
            let name = wants(*at);
            let free = holders.get(&name).is_none_or(|holder| known.is_some() && holder == known);
            if free {
                if known.is_some() {
                    holders.remove(&has(*known));
                }
                holders.insert(name, *known);
            }
            !free
        });
        if open.len() < before {
            continue;
        }
        let changes: Vec<u32> = open.iter().filter(|(_, known)| known.is_some()).map(|(at, _)| *at).collect();
        let names = open.iter().filter(|(_, known)| known.is_some()).map(|(at, known)| (has(*known), wants(*at)));
        let circles = circles_of(&names.collect::<Vec<_>>());
        let together: BTreeSet<u32> = circles.iter().flatten().filter_map(|at| changes.get(*at).copied()).collect();
        if together.is_empty() {
            return open.into_iter().map(|(at, _)| at).collect();
        }
        open.retain(|(at, _)| !together.contains(at));
    }
}

/// Of what each has and wants: the circles in which each wants what the next has, by position.
pub(super) fn circles_of(names: &[(String, String)]) -> Vec<Vec<usize>> {
    let holder: HashMap<&str, usize> = names.iter().enumerate().map(|(at, (has, _))| (has.as_str(), at)).collect();
    let next = |at: usize| names.get(at).and_then(|(_, wants)| holder.get(wants.as_str())).copied();
    let mut seen_from: Vec<Option<usize>> = vec![None; names.len()];
    let mut circles = Vec::new();
    for start in 0..names.len() {
        let mut at = Some(start);
        while let Some(here) = at {
            let Some(seen) = seen_from.get_mut(here) else { break };
            if seen.is_some() {
                // Met on this walk: a circle that nobody has met before. Met on an earlier one: known.
                if *seen == Some(start) {
                    let mut circle = vec![here];
                    let mut follow = next(here);
                    while let Some(one) = follow.filter(|one| *one != here) {
                        circle.push(one);
                        follow = next(one);
                    }
                    circles.push(circle);
                }
                break;
            }
            *seen = Some(start);
            at = next(here);
        }
    }
    circles
}

async fn groups(
    hand: &Applier<'_>,
    said: &DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    report: &mut Report,
    ids: &mut Ids,
) -> Result<(), AbortReason> {
    let new: Vec<_> = plan.create_groups.iter().filter_map(|at| Some((*at, said.groups.get(*at as usize)?))).collect();
    let acts: Vec<SyncOperation<'_>> = new.iter().map(|(_, group)| SyncOperation::CreateGroup(group)).collect();
    for ((at, group), outcome) in new.iter().zip(hand.all(&acts).await?) {
        match outcome {
            Ok(OperationResult::Group(id)) => {
                report.groups.created += 1;
                if let Some(slot) = ids.groups.get_mut(*at as usize) {
                    *slot = Some(id);
                }
            }
            Ok(_) => {}
            Err(error) => {
                report.groups.skipped += 1;
                report.refused(group.name.clone(), Some(group.key.clone()), in_words(&error));
            }
        }
    }
    let changed = plan.change_groups.iter().filter_map(|change| {
        let known = accepted.groups.get(change.known as usize)?;
        Some((change, SyncOperation::ChangeGroup(known.id, said.groups.get(change.said as usize)?)))
    });
    let (changes, acts): (Vec<&RecordChange>, Vec<SyncOperation<'_>>) = changed.unzip();
    for (change, outcome) in changes.iter().zip(hand.all(&acts).await?) {
        match (outcome, said.groups.get(change.said as usize)) {
            (Err(error), Some(group)) => {
                report.groups.skipped += 1;
                report.refused(group.name.clone(), Some(group.key.clone()), in_words(&error));
            }
            _ => count(&mut report.groups, change.kind),
        }
    }
    Ok(())
}

async fn memberships(
    hand: &Applier<'_>,
    accepted: &Baseline,
    plan: &SyncPlan,
    removals: &MissingRecords,
    report: &mut Report,
    ids: &Ids,
) -> Result<(), AbortReason> {
    let user = |at: u32| ids.users.get(at as usize).copied().flatten();
    let group = |at: u32| ids.groups.get(at as usize).copied().flatten();
    let known_user = |at: u32| accepted.users.get(at as usize).map(|user| user.id);
    let known_group = |at: u32| accepted.groups.get(at as usize).map(|group| group.id);

    let nested =
        plan.add_nested.iter().filter_map(|(outer, inner)| Some((group(*outer)?, group_member(group(*inner)?))));
    members(&mut report.nested, &hand.all(&additions(nested)).await?);
    let users = plan.add_members.iter().filter_map(|(outer, inner)| Some((group(*outer)?, user_member(user(*inner)?))));
    members(&mut report.members, &hand.all(&additions(users)).await?);

    let users = removals.members.iter();
    let users = users.filter_map(|(outer, inner)| Some((known_group(*outer)?, known_user(*inner)?.uuid().to_string())));
    members(&mut report.members, &hand.all(&departures(users)).await?);
    let nested = removals.nested.iter();
    let nested =
        nested.filter_map(|(outer, inner)| Some((known_group(*outer)?, known_group(*inner)?.uuid().to_string())));
    members(&mut report.nested, &hand.all(&departures(nested)).await?);
    Ok(())
}

fn additions<'a>(
    pairs: impl Iterator<Item = (ExternalGroupId, crate::scim::resource::MemberRef)>,
) -> Vec<SyncOperation<'a>> {
    let acts = by_group(pairs).into_iter();
    acts.flat_map(|(group, members)| {
        in_parts(&members).map(move |part| SyncOperation::AddMembers(group, part)).collect::<Vec<_>>()
    })
    .collect()
}

fn departures<'a>(pairs: impl Iterator<Item = (ExternalGroupId, String)>) -> Vec<SyncOperation<'a>> {
    let acts = by_group(pairs).into_iter();
    acts.flat_map(|(group, members)| {
        in_parts(&members).map(move |part| SyncOperation::RemoveMembers(group, part)).collect::<Vec<_>>()
    })
    .collect()
}

fn by_group<T>(pairs: impl Iterator<Item = (ExternalGroupId, T)>) -> BTreeMap<ExternalGroupId, Vec<T>> {
    let mut groups: BTreeMap<ExternalGroupId, Vec<T>> = BTreeMap::new();
    for (group, member) in pairs {
        groups.entry(group).or_default().push(member);
    }
    groups
}

fn members(counts: &mut PairCounts, outcomes: &[Result<OperationResult, ProvisionError>]) {
    for outcome in outcomes {
        match outcome {
            Ok(OperationResult::Members(came, left)) => {
                counts.added += came;
                counts.removed += left;
            }
            Ok(_) => {}
            Err(_) => counts.refused += 1,
        }
    }
}

/// Counts a change.
pub(super) fn count(counts: &mut RecordCounts, kind: ChangeKind) {
    counts.changed += 1;
    match kind {
        ChangeKind::Attributes => {}
        ChangeKind::Renamed => counts.renamed += 1,
        ChangeKind::SwitchedOff => counts.switched_off += 1,
        ChangeKind::SwitchedOn => counts.switched_on += 1,
    }
}

pub(super) fn in_words(error: &ProvisionError) -> String {
    match error {
        ProvisionError::Uniqueness { .. } => {
            "its login name still belongs to another entry of this connection".to_owned()
        }
        other => other.to_string(),
    }
}
