//! One question, one answer, and why.
use std::collections::BTreeSet;

use serde::Serialize;

use super::derive::{Bound, Ground, Held, View};
use super::explain::{Absent, Dormant, GroundLine, Miss, Named, Proof, Reason, RuleLine, ScopeLine, Support, Through};
use super::scope::{Target, reaches};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Resource;
use crate::domain::id::{DirectoryId, PartnerId, RuleId, UserGroupId, UserId};
use crate::domain::partner::LevelId;
use crate::domain::rule::PeopleSet;
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;

/// May this person do this, to this, now?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Who.
    pub principal: UserId,
    /// What.
    pub capability: CapabilityId,
    /// To what.
    pub resource: Resource,
    /// When.
    pub now: Timestamp,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Decision {
    /// Yes or no.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
}

impl Decision {
    /// The decision a reason stands for.
    pub fn because(reason: Reason) -> Self {
        Self { allowed: matches!(reason, Reason::Granted(_)), reason }
    }
}

/// How far a grant gets towards allowing, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// It allows.
    Allows,
    /// Everything fits, but the directory's ceiling.
    Clipped,
    /// It is live, but does not reach.
    OutOfScope,
    /// It carries the capability, but not now.
    Dormant,
}

/// Answers a question from a derived view.
///
/// There is no general deny: status, the level's ceiling, exclusions and directory ceilings only subtract,
/// so the answer does not depend on any order.
pub fn decide(view: &View<'_>, question: &Question) -> Decision {
    let nearest = best_grant(view, question).and_then(|(rank, held)| {
        let proof = proof(view, question.principal, held)?;
        Some(Nearest { rank, proof, dormant: dormant(view, held, question.now) })
    });
    conclude(standing(view, question), nearest)
}

/// The grant that gets furthest.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// How far.
    pub rank: Rank,
    /// What stands behind it.
    pub proof: Proof,
    /// Why it is asleep, if it is.
    pub dormant: Option<Dormant>,
}

/// Puts the decision together from the standing of both sides (what fails there, or what is not there at all)
/// and the grant that gets furthest, if any carries the capability.
pub fn conclude(standing: Result<Vec<Miss>, Absent>, nearest: Option<Nearest>) -> Decision {
    let mut misses = match standing {
        Ok(misses) => misses,
        Err(absent) => return Decision::because(Reason::Refused { misses: vec![absent.into()] }),
    };
    match nearest {
        Some(nearest) if nearest.rank == Rank::Allows && misses.is_empty() => {
            return Decision::because(Reason::Granted(Box::new(nearest.proof)));
        }
        Some(nearest) => misses.extend(near_miss(nearest)),
        None => misses.push(Miss::NoGrant),
    }
    Decision::because(Reason::Refused { misses })
}

/// What a grant that gets near misses.
pub fn near_miss(nearest: Nearest) -> Option<Miss> {
    let Nearest { rank, proof, dormant } = nearest;
    let directory = proof.support.directory().cloned();
    let nearest = Box::new(proof);
    match rank {
        Rank::Allows => None,
        Rank::Clipped if nearest.support.resting() => Some(Miss::Unconfirmed { nearest }),
        Rank::Clipped => Some(Miss::Clipped { nearest, directory: directory? }),
        Rank::OutOfScope => Some(Miss::OutOfScope { nearest }),
        Rank::Dormant => Some(Miss::NotNow { nearest, cause: dormant? }),
    }
}

/// The conditions that do not depend on any grant; an error when there is nothing to speak of.
fn standing(view: &View<'_>, question: &Question) -> Result<Vec<Miss>, Absent> {
    let world = view.world;
    let Some(person) = world.people.get(&question.principal) else { return Err(Absent::Person) };
    let Some(partner) = world.partners.get(&question.resource.partner) else { return Err(Absent::Partner) };
    let Some(on_suspended) = world.capabilities.get(&question.capability) else { return Err(Absent::Capability) };
    let mut misses = Vec::new();
    let ended = person.ends.filter(|(at, _)| *at <= question.now).map(|(_, source)| source);
    if let Some(source) = person.suspended_by.first().copied().or(ended) {
        misses.push(Miss::PersonSuspended { source });
    }
    if let Some((partner, source)) = suspended_above(view, person.partner) {
        misses.push(Miss::HomeSuspended { partner, source });
    }
    let side = suspended_above(view, question.resource.partner).filter(|_| !on_suspended);
    misses.extend(side.map(|(partner, source)| Miss::PartnerSuspended { partner, source }));
    let level = world.levels.get(&partner.level);
    if !level.is_some_and(|level| level.ceiling.contains(&question.capability)) {
        let name = level.map(|level| level.name.clone()).unwrap_or_default();
        misses.push(Miss::BeyondLevel { level: Named::<LevelId>::new(partner.level, name) });
    }
    Ok(misses)
}

/// The nearest suspended partner at or above this one.
fn suspended_above(view: &View<'_>, partner: PartnerId) -> Option<(Named<PartnerId>, SuspensionSource)> {
    view.above(partner).iter().find_map(|id| {
        let partner = view.world.partners.get(id)?;
        Some((Named::new(*id, &partner.name), *partner.suspended_by.first()?))
    })
}

/// The grant that gets furthest, of those that carry the capability.
fn best_grant(view: &View<'_>, question: &Question) -> Option<(Rank, Held)> {
    let groups = resource_groups(view, &question.resource);
    let target = Target { principal: question.principal, resource: question.resource, groups: &groups };
    let holds = &view.person(question.principal)?.holds;
    holds.iter().filter_map(|held| Some((rank(view, question, &target, *held)?, *held))).min()
}

/// The user groups of the resource's partner that it belongs to: the stated one and its owner's.
pub fn resource_groups(view: &View<'_>, resource: &Resource) -> BTreeSet<UserGroupId> {
    let stated = resource.group.into_iter();
    let of_owner = resource.owner.into_iter().flat_map(|owner| view.groups_of(owner));
    let here = |id: &UserGroupId| view.world.groups.get(id).is_some_and(|group| group.partner == resource.partner);
    stated.chain(of_owner).filter(here).collect()
}

/// How far one held grant gets; `None` when it does not carry the capability.
fn rank(view: &View<'_>, question: &Question, target: &Target<'_>, held: Held) -> Option<Rank> {
    let (role, scope) = view.substance(held)?;
    if !view.confers(role, question.capability) {
        return None;
    }
    Some(if dormant(view, held, question.now).is_some() {
        Rank::Dormant
    } else if !reaches(scope, target, view) {
        Rank::OutOfScope
    } else if !lets_through(view, question, target, held.bound()) {
        Rank::Clipped
    } else {
        Rank::Allows
    })
}

/// Whether what bounds a held grant lets this capability through to this target: a ceiling row does so for what its role
/// confers, over what its scope reaches, whatever the role of the grant is called.
fn lets_through(view: &View<'_>, question: &Question, target: &Target<'_>, bound: Bound) -> bool {
    match bound {
        Bound::Free => true,
        Bound::Nobody => false,
        Bound::Ceiling(directory) => view
            .ceilings(directory)
            .any(|row| view.confers(row.role, question.capability) && reaches(&row.scope, target, view)),
    }
}

fn dormant(view: &View<'_>, held: Held, now: Timestamp) -> Option<Dormant> {
    let grant = view.manual(held)?;
    if grant.suspended {
        return Some(Dormant::Suspended);
    }
    if grant.window.contains(now) {
        return None;
    }
    Some(if grant.window.from.is_some_and(|from| now < from) { Dormant::NotYet } else { Dormant::Over })
}

/// What stands behind a grant that `person` holds.
pub fn proof(view: &View<'_>, person: UserId, held: Held) -> Option<Proof> {
    let world = view.world;
    let (role, scope) = view.substance(held)?;
    let partner = world.partners.get(&scope.partner()).map(|partner| partner.name.clone()).unwrap_or_default();
    let support = match held {
        Held::Rule(rule, from) => Support::Rule(rule_line(view, person, rule, from)),
        Held::Manual(id) | Held::ThroughGroup(id, _) => {
            let grant = world.grants.get(&id)?;
            let by = |id: UserId| Some(Named::new(id, &world.people.get(&id)?.name));
            Support::Manual {
                grant: id,
                granted_by: grant.granted_by.and_then(by),
                at: grant.created_at,
                through: through(view, person, held),
            }
        }
    };
    let name = world.roles.get(&role).map(|role| role.name.clone()).unwrap_or_default();
    Some(Proof { role: Named::new(role, name), scope: ScopeLine::of(scope, partner), support })
}

fn through(view: &View<'_>, person: UserId, held: Held) -> Option<Through> {
    let Held::ThroughGroup(_, place) = held else { return None };
    let group = view.world.groups.get(&place.group)?;
    let ground = match place.ground {
        Ground::Added => GroundLine::Added,
        Ground::Pinned => GroundLine::Pinned,
        Ground::Default => GroundLine::Default,
        Ground::Resting(word) => GroundLine::Resting { directory: word.map(|id| directory(view, id)) },
        Ground::Rule(rule, directory) => GroundLine::Rule(rule_line(view, person, rule, directory)),
    };
    Some(Through { group: Named::new(place.group, &group.name), ground })
}

/// A rule with its directory and the positive atoms of the term that matched.
fn rule_line(view: &View<'_>, person: UserId, id: RuleId, from: DirectoryId) -> RuleLine {
    let rule = view.rule(id);
    let term = view.person(person).and_then(|derived| derived.matched.get(&id)).copied();
    let terms = rule.map_or(&[][..], |rule| &rule.when.terms);
    let atoms = term.and_then(|term| terms.get(term)).into_iter().flat_map(|term| &term.atoms);
    RuleLine {
        rule: Named::new(id, rule.map(|rule| rule.name.clone()).unwrap_or_default()),
        directory: directory(view, from),
        witnesses: atoms.filter(|atom| !atom.negated).map(|atom| named_set(view, atom.set)).collect(),
    }
}

fn named_set(view: &View<'_>, set: PeopleSet) -> Named<PeopleSet> {
    let name = match set {
        PeopleSet::Group(id) => view.world.external_groups.get(&id).map(|group| group.name.clone()),
        PeopleSet::Condition(id) => view.world.conditions.get(&id).cloned(),
    };
    Named::new(set, name.unwrap_or_default())
}

fn directory(view: &View<'_>, id: DirectoryId) -> Named<DirectoryId> {
    Named::new(id, view.world.directories.get(&id).map(|directory| directory.name.clone()).unwrap_or_default())
}
