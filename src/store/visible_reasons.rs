//! What somebody is told of grounds: each name only as far as they may see what it names. Whoever prints what stands behind
//! an answer asks here first, whatever the connection; what is hidden is counted, and never named.
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::effective::RankedGrant;
use super::effective_lists::{UserGrant, UserMembership};
use super::exceptions::{Exception, Exemption};
use super::extent::PartnerExtent;
use super::fact_cache::{FactCache, FactResult, every};
use super::suspensions::{self, Hold};
pub use super::visibility::{Sight, Viewer};
use super::{Reader, StoreError, recent_events};
use crate::access::decide::{ClosestGrant, Decision, Question, Rank, near_miss};
use crate::access::explain::{
    DecisionReason, DenialReason, GrantExplanation, GrantOrigin, MembershipSummary, NamedRef, RuleSummary, ViaGroup,
};
use crate::domain::grant::{Resource, Scope, ScopeBase};
use crate::domain::id::{ConnectionId, DirectoryId, Id as _, PartnerId, RoleId, UserGroupId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;

/// An answer as one asker is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisibleDecision {
    /// Yes or no.
    pub allowed: bool,
    /// Why, in a sentence.
    pub sentence: String,
    /// Why, with nothing in it that the asker may not see; none when all that stands behind a yes is hidden.
    pub reason: Option<DecisionReason>,
    /// The exception of the nearest grant that is in the way, when it is one and the asker may see it.
    pub exception: Option<Exception>,
    /// The capability that nothing carries.
    pub missing: Option<String>,
}

/// What `sight` is told of the answer to a question about `capability`.
///
/// # Errors
/// Only those of the store.
pub async fn decision(
    reader: &mut Reader,
    sight: &mut Sight,
    question: &Question,
    capability: &str,
    decision: Decision,
) -> Result<VisibleDecision, StoreError> {
    sight.settle(reader, |known, eyes| answer(known, eyes, question, capability, &decision)).await
}

/// [`decision`], worked out from what is known.
///
/// # Errors
/// Something had to be known first.
pub fn answer(
    known: &mut FactCache,
    eyes: &Viewer,
    question: &Question,
    capability: &str,
    decision: &Decision,
) -> FactResult<VisibleDecision> {
    let allowed = decision.allowed;
    let told = |sentence, reason| VisibleDecision { allowed, sentence, reason, exception: None, missing: None };
    match &decision.reason {
        DecisionReason::Allowed(first) => {
            let shown = match proof(known, eyes, question.principal, first)? {
                Some(proof) => Some(proof),
                None => nearest(known, eyes, question, true)?.0.map(|nearest| nearest.proof),
            };
            let Some(proof) = shown else {
                return Ok(told("Allowed. A ground you may not see stands behind it.".to_owned(), None));
            };
            let reason = DecisionReason::Allowed(Box::new(proof));
            Ok(told(reason.to_string(), Some(reason)))
        }
        DecisionReason::Denied { denials: misses } => {
            let shown = every(misses.iter().map(|one| miss(known, eyes, question, one)))?;
            let mut exception = None;
            for one in &shown {
                if let DenialReason::OutOfScope { closest_grant: nearest } = one {
                    exception = seen_exception(known, eyes, nearest, question.resource)?;
                }
            }
            let sentence = match (shown.first(), &exception) {
                (Some(DenialReason::NoGrant), _) => {
                    format!("No grant of the user carries the capability {capability}.")
                }
                (Some(first @ DenialReason::OutOfScope { .. }), Some(exception)) => {
                    let first = first.to_string();
                    format!("{}; {} is an exception of it.", first.trim_end_matches('.'), exception.name())
                }
                _ => DecisionReason::Denied { denials: shown.clone() }.to_string(),
            };
            let missing = shown.contains(&DenialReason::NoGrant).then(|| capability.to_owned());
            Ok(VisibleDecision {
                allowed,
                sentence,
                reason: Some(DecisionReason::Denied { denials: shown }),
                exception,
                missing,
            })
        }
    }
}

impl Exception {
    fn name(&self) -> String {
        match self {
            Self::Partner(partner) => partner.name.clone(),
            Self::Group(group) => format!("the user group {}", group.name),
        }
    }
}

fn seen_exception(
    known: &mut FactCache,
    eyes: &Viewer,
    nearest: &GrantExplanation,
    resource: Resource,
) -> FactResult<Option<Exception>> {
    let Some(of) = Exemption::of(nearest, resource) else { return Ok(None) };
    let Some(found) = known.exception(of)? else { return Ok(None) };
    let seen = match &found {
        Exception::Partner(partner) => eyes.partner(known, partner.id)?,
        Exception::Group(group) => eyes.group(known, group.id)?,
    };
    Ok(Some(found).filter(|_| seen))
}

/// The grant that gets furthest of those that are shown, and how many are not. With `allowing`, only one that allows.
fn nearest(
    known: &mut FactCache,
    eyes: &Viewer,
    question: &Question,
    allowing: bool,
) -> FactResult<(Option<ClosestGrant>, usize)> {
    let (mut found, mut hidden) = (None, 0_usize);
    let lines = known.grants(*question)?;
    let proofs = every(lines.iter().map(|line| proof(known, eyes, question.principal, &line.proof)))?;
    for (RankedGrant { rank, inactive_reason: asleep, .. }, proof) in lines.into_iter().zip(proofs) {
        match proof {
            None => hidden = hidden.saturating_add(1),
            Some(_) if found.is_some() || (allowing && rank != Rank::Allows) => {}
            Some(proof) => found = Some(ClosestGrant { rank, proof, inactive_reason: asleep }),
        }
    }
    Ok((found, hidden))
}

fn miss(known: &mut FactCache, eyes: &Viewer, question: &Question, miss: &DenialReason) -> FactResult<DenialReason> {
    let whole = match miss {
        DenialReason::HomePartnerSuspended { partner, source } => {
            let partner = partner_or_hidden(known, eyes, partner)?;
            return Ok(DenialReason::HomePartnerSuspended { partner, source: *source });
        }
        DenialReason::PartnerSuspended { partner, source } => {
            let partner = partner_or_hidden(known, eyes, partner)?;
            return Ok(DenialReason::PartnerSuspended { partner, source: *source });
        }
        DenialReason::GrantInactive { closest_grant: nearest, inactive_reason: cause } => {
            ClosestGrant { rank: Rank::Inactive, proof: (**nearest).clone(), inactive_reason: Some(*cause) }
        }
        DenialReason::OutOfScope { closest_grant: nearest } => {
            ClosestGrant { rank: Rank::OutOfScope, proof: (**nearest).clone(), inactive_reason: None }
        }
        DenialReason::OutsideCeiling { closest_grant: nearest, .. }
        | DenialReason::Unconfirmed { closest_grant: nearest } => {
            ClosestGrant { rank: Rank::OutsideCeiling, proof: (**nearest).clone(), inactive_reason: None }
        }
        other => return Ok(other.clone()),
    };
    if let Some(proof) = proof(known, eyes, question.principal, &whole.proof)?
        && let Some(miss) = near_miss(ClosestGrant { proof, ..whole })
    {
        return Ok(miss);
    }
    let (shown, hidden) = nearest(known, eyes, question, false)?;
    Ok(shown.and_then(near_miss).unwrap_or_else(|| DenialReason::Hidden { hidden_reasons: counted(hidden) }))
}

fn partner_or_hidden(
    known: &mut FactCache,
    eyes: &Viewer,
    partner: &NamedRef<PartnerId>,
) -> FactResult<NamedRef<PartnerId>> {
    Ok(if eyes.partner(known, partner.id)? { partner.clone() } else { NamedRef::hidden() })
}

/// How many grounds are hidden: exact to 9, then `10+`.
pub fn counted(hidden: usize) -> String {
    if hidden > 9 { "10+".to_owned() } else { hidden.to_string() }
}

/// What a user holds as one asker is told of it, and how many lines are hidden.
///
/// # Errors
/// Only those of the store.
pub async fn grants(
    reader: &mut Reader,
    sight: &mut Sight,
    holder: UserId,
    all: Vec<UserGrant>,
) -> Result<(Vec<UserGrant>, usize), StoreError> {
    let one =
        |known: &mut FactCache, eyes: &Viewer, line: &UserGrant| -> FactResult<Option<(GrantExplanation, Scope)>> {
            let Some(proof) = proof(known, eyes, holder, &line.proof)? else { return Ok(None) };
            Ok(Some((proof, cut(known, eyes, &line.scope)?)))
        };
    let told = sight.settle(reader, |known, eyes| every(all.iter().map(|line| one(known, eyes, line)))).await?;
    let (mut shown, mut hidden) = (Vec::with_capacity(all.len()), 0_usize);
    for (line, told) in all.into_iter().zip(told) {
        match told {
            Some((proof, scope)) => shown.push(UserGrant { proof, scope, ..line }),
            None => hidden = hidden.saturating_add(1),
        }
    }
    Ok((shown, hidden))
}

/// The user groups a user is in as one asker is told of them.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    sight: &mut Sight,
    user: UserId,
    all: Vec<UserMembership>,
) -> Result<Vec<UserMembership>, StoreError> {
    let grounds = |known: &mut FactCache, eyes: &Viewer| {
        every(all.iter().map(|line| ground(known, eyes, user, &line.membership)))
    };
    let grounds = sight.settle(reader, grounds).await?;
    Ok(all.into_iter().zip(grounds).map(|(line, ground)| UserMembership { membership: ground, ..line }).collect())
}

/// A scope without what the asker may not see; it says nothing of how much that is.
///
/// # Errors
/// Only those of the store.
pub async fn scope(reader: &mut Reader, sight: &mut Sight, whole: Scope) -> Result<Scope, StoreError> {
    sight.settle(reader, |known, eyes| cut(known, eyes, &whole)).await
}

fn cut(known: &mut FactCache, eyes: &Viewer, whole: &Scope) -> FactResult<Scope> {
    let mut groups: BTreeSet<UserGroupId> = whole.excluded_user_groups.clone();
    if let ScopeBase::UserGroups { user_groups: reached, .. } = &whole.base {
        groups.extend(reached);
    }
    let partners = every(whole.excluded_partners.iter().map(|id| Ok((*id, eyes.partner(known, *id)?))));
    let groups = every(groups.into_iter().map(|id| Ok((id, eyes.group(known, id)?))));
    let (partners, groups): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (partners?.into_iter().collect(), groups?.into_iter().collect());
    let mut scope = whole.clone();
    scope.excluded_partners.retain(|id| partners.get(id) == Some(&true));
    scope.excluded_user_groups.retain(|id| groups.get(id) == Some(&true));
    if let ScopeBase::UserGroups { user_groups: reached, .. } = &mut scope.base {
        reached.retain(|id| groups.get(id) == Some(&true));
    }
    Ok(scope)
}

/// A scope as [`scope`] has it, hanging on no partner when the asker may not see that one.
///
/// # Errors
/// Only those of the store.
pub async fn scope_of_directory(reader: &mut Reader, sight: &mut Sight, whole: Scope) -> Result<Scope, StoreError> {
    let mut scope = scope(reader, sight, whole).await?;
    if !sight.partner(reader, scope.partner()).await? {
        let partner = PartnerId::from_uuid(Uuid::nil());
        scope.base = match scope.base {
            ScopeBase::Own { .. } => ScopeBase::Own { partner },
            ScopeBase::Partner { .. } => ScopeBase::Partner { partner },
            ScopeBase::Subtree { .. } => ScopeBase::Subtree { partner },
            ScopeBase::UserGroups { .. } => ScopeBase::UserGroups { partner, user_groups: Default::default() },
        };
    }
    Ok(scope)
}

/// A ground with nothing in it that the asker may not see; none when all of it is hidden.
fn proof(
    known: &mut FactCache,
    eyes: &Viewer,
    holder: UserId,
    whole: &GrantExplanation,
) -> FactResult<Option<GrantExplanation>> {
    let own = holder == eyes.asker;
    let (partner, roles) = (own || eyes.partner(known, whole.scope.partner.id)?, eyes.roles_of(known, holder)?);
    if !partner || !roles {
        return Ok(None);
    }
    let usable = if own { Ok(true) } else { usable(known, eyes, &whole.role, whole.scope.partner.id) };
    let support = support(known, eyes, holder, &whole.origin);
    let role = if usable? { whole.role.clone() } else { NamedRef::hidden() };
    Ok(Some(GrantExplanation { role, scope: whole.scope.clone(), origin: support? }))
}

fn support(known: &mut FactCache, eyes: &Viewer, holder: UserId, whole: &GrantOrigin) -> FactResult<GrantOrigin> {
    let own = holder == eyes.asker;
    let (grant, granted_by, granted_at, via_group) = match whole {
        GrantOrigin::Rule(line) => return Ok(GrantOrigin::Rule(rule(known, eyes, own, line)?)),
        GrantOrigin::Manual { grant, granted_by, granted_at, via_group } => {
            (*grant, granted_by, *granted_at, via_group)
        }
    };
    let granted_by = granted_by.as_ref().map(|by| {
        let seen = eyes.user(known, by.id)?;
        Ok(if seen { by.clone() } else { NamedRef::hidden() })
    });
    let via_group = via_group.as_ref().map(|ViaGroup { group, membership: whole }| {
        let (seen, ground) = (eyes.group_of(known, holder, group.id), ground(known, eyes, holder, whole));
        let group = if seen? { group.clone() } else { NamedRef::hidden() };
        Ok(ViaGroup { group, membership: ground? })
    });
    Ok(GrantOrigin::Manual {
        grant,
        granted_by: granted_by.transpose()?,
        granted_at,
        via_group: via_group.transpose()?,
    })
}

/// Whether the asker may know a role that is held over a partner they see: its owner is one they see, or above one.
fn usable(known: &mut FactCache, eyes: &Viewer, role: &NamedRef<RoleId>, over: PartnerId) -> FactResult<bool> {
    let Some(owner) = known.owner(role.id)? else { return Ok(true) };
    Ok(owner == over || known.within(over, owner)? || eyes.partner(known, owner)?)
}

fn ground(
    known: &mut FactCache,
    eyes: &Viewer,
    user: UserId,
    whole: &MembershipSummary,
) -> FactResult<MembershipSummary> {
    Ok(match whole {
        MembershipSummary::Rule(line) => MembershipSummary::Rule(rule(known, eyes, user == eyes.asker, line)?),
        MembershipSummary::Resting { directory: Some(directory) } => {
            let seen = eyes.directory(known, directory.id)?;
            MembershipSummary::Resting { directory: Some(if seen { directory.clone() } else { NamedRef::hidden() }) }
        }
        plain => plain.clone(),
    })
}

fn rule(known: &mut FactCache, eyes: &Viewer, own: bool, line: &RuleSummary) -> FactResult<RuleSummary> {
    if eyes.directory(known, line.directory.id)? {
        return Ok(line.clone());
    }
    let witnesses = if own { line.matched.clone() } else { Vec::new() };
    Ok(RuleSummary { rule: NamedRef::hidden(), directory: NamedRef::hidden(), matched: witnesses })
}

/// The names of things as one asker may read them; what they may not see has none.
///
/// # Errors
/// Only those of the store.
pub async fn names(reader: &mut Reader, sight: &mut Sight, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, StoreError> {
    let all = recent_events::kinds(reader, ids).await?;
    let may = |known: &mut FactCache, eyes: &Viewer, kind: &recent_events::Thing, id: Uuid| match kind {
        recent_events::Thing::User => eyes.user(known, UserId::from_uuid(id)),
        recent_events::Thing::Partner => eyes.partner(known, PartnerId::from_uuid(id)),
        recent_events::Thing::Directory => eyes.directory(known, DirectoryId::from_uuid(id)),
        recent_events::Thing::UserGroup => eyes.group(known, UserGroupId::from_uuid(id)),
        recent_events::Thing::Other => Ok(true),
    };
    let seen =
        |known: &mut FactCache, eyes: &Viewer| every(all.iter().map(|(kind, id, _)| may(known, eyes, kind, *id)));
    let seen = sight.settle(reader, seen).await?;
    Ok(all.into_iter().zip(seen).filter(|(_, seen)| *seen).map(|((_, id, name), _)| (id, name)).collect())
}

/// A suspension as one asker is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisibleSuspension {
    /// `partner`, `billing`, `security`, `end` or `directory`.
    pub kind: &'static str,
    /// The partner in whose name it was decided, when the asker may see it.
    pub standing: Option<NamedRef<PartnerId>>,
    /// The connection that says so.
    pub connection: Option<ConnectionId>,
    /// By whom, in words.
    pub words: String,
    /// Why, when the asker may see in whose name; else what those below are told, when anything is said to them.
    pub cause: Option<String>,
    /// When it was decided.
    pub since: Timestamp,
    /// From when on it holds; none: since it was decided.
    pub from: Option<Timestamp>,
}

/// Suspensions of a partner, or of a user at home there, as one asker is told of them.
///
/// # Errors
/// Only those of the store.
pub async fn holds(
    reader: &mut Reader,
    sight: &mut Sight,
    at: &PartnerExtent,
    home: PartnerId,
    found: Vec<Hold>,
) -> Result<Vec<VisibleSuspension>, StoreError> {
    let mut told = Vec::with_capacity(found.len());
    for hold in found {
        let kind = hold.source.kind();
        let standing = match hold.source {
            SuspensionSource::Decided(_, standing) => Some(standing),
            SuspensionSource::Admin => suspensions::names(reader, at, home).await?.last().copied(),
            SuspensionSource::Connection(connection) => {
                let words = "its directory".to_owned();
                let (cause, since) = (Some(hold.cause), hold.since);
                told.push(VisibleSuspension {
                    kind,
                    standing: None,
                    connection: Some(connection),
                    words,
                    cause,
                    since,
                    from: None,
                });
                continue;
            }
        };
        let seen = match standing {
            Some(partner) => sight.partner(reader, partner).await?,
            None => false,
        };
        let standing = match standing.filter(|_| seen) {
            Some(partner) => {
                let names = recent_events::names(reader, &[partner.uuid()]).await?;
                names.into_iter().next().map(|(_, name)| NamedRef::new(partner, name))
            }
            None => None,
        };
        let words = match &standing {
            Some(partner) => format!("an administrator, in the name of {}", partner.name),
            None => "a partner above".to_owned(),
        };
        let cause = if standing.is_some() { Some(hold.cause) } else { hold.notice };
        told.push(VisibleSuspension {
            kind,
            standing,
            connection: None,
            words,
            cause,
            since: hold.since,
            from: hold.from,
        });
    }
    Ok(told)
}
