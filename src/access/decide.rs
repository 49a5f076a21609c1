//! One question, one answer, and why.
use std::collections::BTreeSet;

use serde::Serialize;

use super::derive::{AccessView, Bound, DerivedGrant, MembershipReason};
use super::explain::{
    Absent, DecisionReason, DenialReason, GrantExplanation, GrantOrigin, InactiveReason, MembershipSummary, NamedRef,
    RuleSummary, ScopeSummary, ViaGroup,
};
use super::scope::{Target, reaches};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Resource;
use crate::domain::id::{DirectoryId, PartnerId, RuleId, UserGroupId, UserId};
use crate::domain::partner::LevelId;
use crate::domain::rule::ExternalSet;
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;

/// May this user do this, to this, now?
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
    pub reason: DecisionReason,
}

impl Decision {
    /// The decision a reason stands for.
    pub fn because(reason: DecisionReason) -> Self {
        Self { allowed: matches!(reason, DecisionReason::Allowed(_)), reason }
    }
}

/// How far a grant gets towards allowing, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// It allows.
    Allows,
    /// Everything fits, but the directory's ceiling.
    OutsideCeiling,
    /// It is live, but does not reach.
    OutOfScope,
    /// It carries the capability, but not now.
    Inactive,
}

/// Answers a question from a derived view.
///
/// There is no general deny: status, the level's ceiling, exclusions and directory ceilings only subtract,
/// so the answer does not depend on any order.
pub fn decide(view: &AccessView<'_>, question: &Question) -> Decision {
    let nearest = best_grant(view, question).and_then(|(rank, held)| {
        let proof = proof(view, question.principal, held)?;
        Some(ClosestGrant { rank, proof, inactive_reason: dormant(view, held, question.now) })
    });
    conclude(standing(view, question), nearest)
}

/// The grant that gets furthest.
#[derive(Clone, Debug)]
pub struct ClosestGrant {
    /// How far.
    pub rank: Rank,
    /// What stands behind it.
    pub proof: GrantExplanation,
    /// Why it is asleep, if it is.
    pub inactive_reason: Option<InactiveReason>,
}

/// Puts the decision together from the standing of both sides (what fails there, or what is not there at all)
/// and the grant that gets furthest, if any carries the capability.
pub fn conclude(standing: Result<Vec<DenialReason>, Absent>, nearest: Option<ClosestGrant>) -> Decision {
    let mut denials = match standing {
        Ok(denials) => denials,
        Err(absent) => return Decision::because(DecisionReason::Denied { denials: vec![absent.into()] }),
    };
    match nearest {
        Some(nearest) if nearest.rank == Rank::Allows && denials.is_empty() => {
            return Decision::because(DecisionReason::Allowed(Box::new(nearest.proof)));
        }
        Some(nearest) => denials.extend(near_miss(nearest)),
        None => denials.push(DenialReason::NoGrant),
    }
    Decision::because(DecisionReason::Denied { denials })
}

/// What a grant that gets near misses.
pub fn near_miss(nearest: ClosestGrant) -> Option<DenialReason> {
    let ClosestGrant { rank, proof, inactive_reason } = nearest;
    let directory = proof.origin.directory().cloned();
    let closest_grant = Box::new(proof);
    match rank {
        Rank::Allows => None,
        Rank::OutsideCeiling if closest_grant.origin.resting() => Some(DenialReason::Unconfirmed { closest_grant }),
        Rank::OutsideCeiling => Some(DenialReason::OutsideCeiling { closest_grant, directory: directory? }),
        Rank::OutOfScope => Some(DenialReason::OutOfScope { closest_grant }),
        Rank::Inactive => Some(DenialReason::GrantInactive { closest_grant, inactive_reason: inactive_reason? }),
    }
}

/// The conditions that do not depend on any grant; an error when there is nothing to speak of.
fn standing(view: &AccessView<'_>, question: &Question) -> Result<Vec<DenialReason>, Absent> {
    let world = view.world;
    let Some(user) = world.users.get(&question.principal) else { return Err(Absent::User) };
    let Some(partner) = world.partners.get(&question.resource.partner) else { return Err(Absent::Partner) };
    let Some(on_suspended) = world.capabilities.get(&question.capability) else { return Err(Absent::Capability) };
    let mut denials = Vec::new();
    let ended = user.ends.filter(|(at, _)| *at <= question.now).map(|(_, source)| source);
    if let Some(source) = user.suspended_by.first().copied().or(ended) {
        denials.push(DenialReason::UserSuspended { source });
    }
    if let Some((partner, source)) = suspended_above(view, user.partner) {
        denials.push(DenialReason::HomePartnerSuspended { partner, source });
    }
    let side = suspended_above(view, question.resource.partner).filter(|_| !on_suspended);
    denials.extend(side.map(|(partner, source)| DenialReason::PartnerSuspended { partner, source }));
    let level = world.levels.get(&partner.level);
    if !level.is_some_and(|level| level.ceiling.contains(&question.capability)) {
        let name = level.map(|level| level.name.clone()).unwrap_or_default();
        denials.push(DenialReason::LevelForbids { level: NamedRef::<LevelId>::new(partner.level, name) });
    }
    Ok(denials)
}

/// The nearest suspended partner at or above this one.
fn suspended_above(view: &AccessView<'_>, partner: PartnerId) -> Option<(NamedRef<PartnerId>, SuspensionSource)> {
    view.above(partner).iter().find_map(|id| {
        let partner = view.world.partners.get(id)?;
        Some((NamedRef::new(*id, &partner.name), *partner.suspended_by.first()?))
    })
}

/// The grant that gets furthest, of those that carry the capability.
fn best_grant(view: &AccessView<'_>, question: &Question) -> Option<(Rank, DerivedGrant)> {
    let groups = resource_groups(view, &question.resource);
    let target = Target { principal: question.principal, resource: question.resource, groups: &groups };
    let holds = &view.user(question.principal)?.holds;
    holds.iter().filter_map(|held| Some((rank(view, question, &target, *held)?, *held))).min()
}

/// The user groups of the resource's partner that it belongs to: the stated one and its owner's.
pub fn resource_groups(view: &AccessView<'_>, resource: &Resource) -> BTreeSet<UserGroupId> {
    let stated = resource.group.into_iter();
    let of_owner = resource.owner.into_iter().flat_map(|owner| view.groups_of(owner));
    let here = |id: &UserGroupId| view.world.groups.get(id).is_some_and(|group| group.partner == resource.partner);
    stated.chain(of_owner).filter(here).collect()
}

/// How far one held grant gets; `None` when it does not carry the capability.
fn rank(view: &AccessView<'_>, question: &Question, target: &Target<'_>, held: DerivedGrant) -> Option<Rank> {
    let (role, scope) = view.substance(held)?;
    if !view.confers(role, question.capability) {
        return None;
    }
    Some(if dormant(view, held, question.now).is_some() {
        Rank::Inactive
    } else if !reaches(scope, target, view) {
        Rank::OutOfScope
    } else if !lets_through(view, question, target, held.bound()) {
        Rank::OutsideCeiling
    } else {
        Rank::Allows
    })
}

/// Whether what bounds a held grant lets this capability through to this target: a ceiling row does so for what its role
/// confers, over what its scope reaches, whatever the role of the grant is called.
fn lets_through(view: &AccessView<'_>, question: &Question, target: &Target<'_>, bound: Bound) -> bool {
    match bound {
        Bound::Free => true,
        Bound::Nobody => false,
        Bound::Ceiling(directory) => view
            .ceilings(directory)
            .any(|row| view.confers(row.role, question.capability) && reaches(&row.scope, target, view)),
    }
}

fn dormant(view: &AccessView<'_>, held: DerivedGrant, now: Timestamp) -> Option<InactiveReason> {
    let grant = view.manual(held)?;
    if grant.suspended {
        return Some(InactiveReason::Suspended);
    }
    if grant.window.contains(now) {
        return None;
    }
    Some(if grant.window.from.is_some_and(|from| now < from) {
        InactiveReason::NotYetValid
    } else {
        InactiveReason::Expired
    })
}

/// What stands behind a grant that `user` holds.
pub fn proof(view: &AccessView<'_>, user: UserId, held: DerivedGrant) -> Option<GrantExplanation> {
    let world = view.world;
    let (role, scope) = view.substance(held)?;
    let partner = world.partners.get(&scope.partner()).map(|partner| partner.name.clone()).unwrap_or_default();
    let support = match held {
        DerivedGrant::Rule(rule, from) => GrantOrigin::Rule(rule_line(view, user, rule, from)),
        DerivedGrant::Manual(id) | DerivedGrant::ThroughGroup(id, _) => {
            let grant = world.grants.get(&id)?;
            let by = |id: UserId| Some(NamedRef::new(id, &world.users.get(&id)?.name));
            GrantOrigin::Manual {
                grant: id,
                granted_by: grant.granted_by.and_then(by),
                granted_at: grant.created_at,
                via_group: through(view, user, held),
            }
        }
    };
    let name = world.roles.get(&role).map(|role| role.name.clone()).unwrap_or_default();
    Some(GrantExplanation { role: NamedRef::new(role, name), scope: ScopeSummary::of(scope, partner), origin: support })
}

fn through(view: &AccessView<'_>, user: UserId, held: DerivedGrant) -> Option<ViaGroup> {
    let DerivedGrant::ThroughGroup(_, place) = held else { return None };
    let group = view.world.groups.get(&place.group)?;
    let ground = match place.ground {
        MembershipReason::Added => MembershipSummary::Added,
        MembershipReason::Pinned => MembershipSummary::Pinned,
        MembershipReason::Default => MembershipSummary::Default,
        MembershipReason::Resting(word) => MembershipSummary::Resting { directory: word.map(|id| directory(view, id)) },
        MembershipReason::Rule(rule, directory) => MembershipSummary::Rule(rule_line(view, user, rule, directory)),
    };
    Some(ViaGroup { group: NamedRef::new(place.group, &group.name), membership: ground })
}

/// A rule with its directory and the positive atoms of the term that matched.
fn rule_line(view: &AccessView<'_>, user: UserId, id: RuleId, from: DirectoryId) -> RuleSummary {
    let rule = view.rule(id);
    let term = view.user(user).and_then(|derived| derived.matched.get(&id)).copied();
    let terms = rule.map_or(&[][..], |rule| &rule.when.terms);
    let atoms = term.and_then(|term| terms.get(term)).into_iter().flat_map(|term| &term.criteria);
    RuleSummary {
        rule: NamedRef::new(id, rule.map(|rule| rule.name.clone()).unwrap_or_default()),
        directory: directory(view, from),
        matched: atoms.filter(|atom| !atom.negated).map(|atom| named_set(view, atom.set)).collect(),
    }
}

fn named_set(view: &AccessView<'_>, set: ExternalSet) -> NamedRef<ExternalSet> {
    let name = match set {
        ExternalSet::Group(id) => view.world.external_groups.get(&id).map(|group| group.name.clone()),
        ExternalSet::Condition(id) => view.world.conditions.get(&id).cloned(),
    };
    NamedRef::new(set, name.unwrap_or_default())
}

fn directory(view: &AccessView<'_>, id: DirectoryId) -> NamedRef<DirectoryId> {
    NamedRef::new(id, view.world.directories.get(&id).map(|directory| directory.name.clone()).unwrap_or_default())
}
