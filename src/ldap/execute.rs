//! The order in which a plan is carried out: who is switched off goes first, removals that free a name come before
//! those who take it, and nobody leaves a group before having come into the other.
use std::collections::BTreeMap;

use crate::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use crate::provision::ProvisionError;

use super::apply::{Act, Ended, Hand, Outcome, group_member, in_parts, user_member};
use super::plan::{Absences, Accepted, Change, ChangeKind, Match, Plan};
use super::report::{AsideLine, Counts, Report};
use super::said::Said;

/// Where what is said stands here; `None` where it was refused.
struct Ids {
    users: Vec<Option<ExternalUserId>>,
    groups: Vec<Option<ExternalGroupId>>,
}

/// Carries out a plan and the removals that the brake let through.
pub(super) async fn execute(
    hand: &Hand<'_>,
    said: &Said,
    accepted: &Accepted,
    plan: &Plan,
    removals: &Absences,
    report: &mut Report,
) -> Result<(), Ended> {
    let matched = Match::new(said, accepted);
    let user = |at: Option<u32>| at.and_then(|at| accepted.users.get(at as usize)).map(|user| user.id);
    let group = |at: Option<u32>| at.and_then(|at| accepted.groups.get(at as usize)).map(|group| group.id);
    let mut ids = Ids {
        users: matched.known_user.iter().map(|at| user(*at)).collect(),
        groups: matched.known_group.iter().map(|at| group(*at)).collect(),
    };
    people(hand, said, accepted, plan, removals, report, &mut ids).await?;
    groups(hand, said, accepted, plan, report, &mut ids).await?;
    memberships(hand, accepted, plan, removals, report, &ids).await?;
    let gone = removals.groups.iter().filter_map(|at| accepted.groups.get(*at as usize));
    let acts: Vec<Act<'_>> = gone.map(|group| Act::RemoveGroup(group.id)).collect();
    report.groups.removed += done(&hand.all(&acts).await?);
    Ok(())
}

async fn people(
    hand: &Hand<'_>,
    said: &Said,
    accepted: &Accepted,
    plan: &Plan,
    removals: &Absences,
    report: &mut Report,
    ids: &mut Ids,
) -> Result<(), Ended> {
    let is_off = |change: &&Change| change.kind == ChangeKind::SwitchedOff;
    let off: Vec<Step<'_>> = plan.change_users.iter().filter(is_off).map(Step::Change).collect();
    steps(hand, said, accepted, off, report, ids).await?;

    let gone = removals.users.iter().filter_map(|at| accepted.users.get(*at as usize));
    let acts: Vec<Act<'_>> = gone.map(|user| Act::RemoveUser(user.id)).collect();
    report.users.removed += done(&hand.all(&acts).await?);

    let changes = plan.change_users.iter().filter(|change| !is_off(change)).map(Step::Change);
    let creations = plan.create_users.iter().map(|at| Step::Create(*at));
    steps(hand, said, accepted, changes.chain(creations).collect(), report, ids).await
}

/// A person to change or to create.
#[derive(Clone, Copy)]
enum Step<'a> {
    Change(&'a Change),
    Create(u32),
}

/// Carries out steps until none is left or none of the rest can be done: a login may be free only after another
/// person's change.
async fn steps(
    hand: &Hand<'_>,
    said: &Said,
    accepted: &Accepted,
    mut open: Vec<Step<'_>>,
    report: &mut Report,
    ids: &mut Ids,
) -> Result<(), Ended> {
    loop {
        let mut acts = Vec::with_capacity(open.len());
        let mut asked = Vec::with_capacity(open.len());
        for step in &open {
            let at = match step {
                Step::Change(change) => change.said,
                Step::Create(at) => *at,
            };
            let Some(user) = said.users.get(at as usize) else { continue };
            let act = match step {
                Step::Create(_) => Some(Act::CreateUser(user)),
                Step::Change(change) => {
                    accepted.users.get(change.known as usize).map(|known| Act::ChangeUser(known.id, user))
                }
            };
            if let Some(act) = act {
                acts.push(act);
                asked.push((*step, at, user));
            }
        }
        let outcomes = hand.all(&acts).await?;
        let mut again = Vec::new();
        let mut refused = Vec::new();
        for ((step, at, user), outcome) in asked.into_iter().zip(outcomes) {
            match (outcome, step) {
                (Ok(Outcome::User(id)), Step::Create(_)) => {
                    report.users.created += 1;
                    if let Some(slot) = ids.users.get_mut(at as usize) {
                        *slot = Some(id);
                    }
                }
                (Ok(_), Step::Create(_)) => {}
                (Ok(_), Step::Change(change)) => count(&mut report.users, change.kind),
                (Err(error), step) => {
                    if matches!(error, ProvisionError::Uniqueness { .. }) {
                        again.push(step);
                    }
                    refused.push((user, error));
                }
            }
        }
        let stuck = again.len() == open.len() || again.is_empty();
        if stuck {
            for (user, error) in refused {
                report.users.set_aside += 1;
                report.set_aside.push(AsideLine {
                    dn: user.user_name.clone(),
                    id: Some(user.key.clone()),
                    why: in_words(&error),
                });
            }
            return Ok(());
        }
        let lasting = refused.into_iter().filter(|(_, error)| !matches!(error, ProvisionError::Uniqueness { .. }));
        for (user, error) in lasting {
            report.users.set_aside += 1;
            let (dn, id) = (user.user_name.clone(), Some(user.key.clone()));
            report.set_aside.push(AsideLine { dn, id, why: in_words(&error) });
        }
        open = again;
    }
}

async fn groups(
    hand: &Hand<'_>,
    said: &Said,
    accepted: &Accepted,
    plan: &Plan,
    report: &mut Report,
    ids: &mut Ids,
) -> Result<(), Ended> {
    let new: Vec<_> = plan.create_groups.iter().filter_map(|at| Some((*at, said.groups.get(*at as usize)?))).collect();
    let acts: Vec<Act<'_>> = new.iter().map(|(_, group)| Act::CreateGroup(group)).collect();
    for ((at, group), outcome) in new.iter().zip(hand.all(&acts).await?) {
        match outcome {
            Ok(Outcome::Group(id)) => {
                report.groups.created += 1;
                if let Some(slot) = ids.groups.get_mut(*at as usize) {
                    *slot = Some(id);
                }
            }
            Ok(_) => {}
            Err(error) => {
                report.groups.set_aside += 1;
                let (dn, id) = (group.name.clone(), Some(group.key.clone()));
                report.set_aside.push(AsideLine { dn, id, why: in_words(&error) });
            }
        }
    }
    let changed = plan.change_groups.iter().filter_map(|change| {
        let known = accepted.groups.get(change.known as usize)?;
        Some((change, Act::ChangeGroup(known.id, said.groups.get(change.said as usize)?)))
    });
    let (changes, acts): (Vec<&Change>, Vec<Act<'_>>) = changed.unzip();
    for (change, outcome) in changes.iter().zip(hand.all(&acts).await?) {
        if outcome.is_ok() {
            count(&mut report.groups, change.kind);
        }
    }
    Ok(())
}

async fn memberships(
    hand: &Hand<'_>,
    accepted: &Accepted,
    plan: &Plan,
    removals: &Absences,
    report: &mut Report,
    ids: &Ids,
) -> Result<(), Ended> {
    let user = |at: u32| ids.users.get(at as usize).copied().flatten();
    let group = |at: u32| ids.groups.get(at as usize).copied().flatten();
    let known_user = |at: u32| accepted.users.get(at as usize).map(|user| user.id);
    let known_group = |at: u32| accepted.groups.get(at as usize).map(|group| group.id);

    let nested =
        plan.add_nested.iter().filter_map(|(outer, inner)| Some((group(*outer)?, group_member(group(*inner)?))));
    report.nested.added += members(&hand.all(&additions(nested)).await?).0;
    let people =
        plan.add_members.iter().filter_map(|(outer, inner)| Some((group(*outer)?, user_member(user(*inner)?))));
    report.members.added += members(&hand.all(&additions(people)).await?).0;

    let people = removals.members.iter();
    let people =
        people.filter_map(|(outer, inner)| Some((known_group(*outer)?, known_user(*inner)?.uuid().to_string())));
    report.members.removed += members(&hand.all(&departures(people)).await?).1;
    let nested = removals.nested.iter();
    let nested =
        nested.filter_map(|(outer, inner)| Some((known_group(*outer)?, known_group(*inner)?.uuid().to_string())));
    report.nested.removed += members(&hand.all(&departures(nested)).await?).1;
    Ok(())
}

fn additions<'a>(pairs: impl Iterator<Item = (ExternalGroupId, crate::scim::resource::MemberRef)>) -> Vec<Act<'a>> {
    let acts = by_group(pairs).into_iter();
    acts.flat_map(|(group, members)| {
        in_parts(&members).map(move |part| Act::AddMembers(group, part)).collect::<Vec<_>>()
    })
    .collect()
}

fn departures<'a>(pairs: impl Iterator<Item = (ExternalGroupId, String)>) -> Vec<Act<'a>> {
    let acts = by_group(pairs).into_iter();
    acts.flat_map(|(group, members)| {
        in_parts(&members).map(move |part| Act::RemoveMembers(group, part)).collect::<Vec<_>>()
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

fn done(outcomes: &[Result<Outcome, ProvisionError>]) -> u64 {
    outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64
}

fn members(outcomes: &[Result<Outcome, ProvisionError>]) -> (u64, u64) {
    outcomes.iter().fold((0, 0), |(came, left), outcome| match outcome {
        Ok(Outcome::Members(in_, out)) => (came + in_, left + out),
        _ => (came, left),
    })
}

/// Counts a change.
pub(super) fn count(counts: &mut Counts, kind: ChangeKind) {
    counts.changed += 1;
    match kind {
        ChangeKind::Attributes => {}
        ChangeKind::Renamed => counts.renamed += 1,
        ChangeKind::SwitchedOff => counts.switched_off += 1,
        ChangeKind::SwitchedOn => counts.switched_on += 1,
    }
}

fn in_words(error: &ProvisionError) -> String {
    match error {
        ProvisionError::Uniqueness { .. } => {
            "its login name still belongs to another entry of this connection".to_owned()
        }
        other => other.to_string(),
    }
}
