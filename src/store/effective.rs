//! The view: who may do what, computed from the tables at the moment of the question.
//!
//! The law is `access::derive` and `access::decide`; the same in SQL is in `effective_sql`. World tests compare the two
//! on both databases. Lists of the view are in `effective_lists`.
use uuid::Uuid;

use super::extent::PartnerExtent;
use super::visible_reasons::{self, Sight, VisibleDecision};
use super::{Reader, Row, StoreError, effective_sql};
use crate::access::decide::{ClosestGrant, Decision, Question, Rank, conclude};
use crate::access::explain::{
    Absent, DecisionReason, DenialReason, GrantExplanation, GrantOrigin, InactiveReason, MembershipSummary, NamedRef,
    RuleSummary, ScopeSummary, ViaGroup,
};
use crate::domain::capability::{CapabilityId, CoreCapability};
use crate::domain::grant::{Resource, ScopeKind};
use crate::domain::id::{DirectoryId, GrantId, PartnerId, RuleId, UserId};
use crate::domain::partner::LevelId;
use crate::domain::rule::ExternalSet;
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;
use crate::{binds, statements};

statements! {
    DIRECT = effective_sql::direct();
    DECISION = effective_sql::decision(false);
    DECISION_OWNED = effective_sql::decision(true);
    WITNESSES = effective_sql::witnesses();
}

/// Most grants an explanation lists.
pub(super) const MOST_GRANTS: i64 = 50;

/// A decision with every grant that carries the capability, the one that gets furthest first.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explanation {
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
    /// The grants, and how far each gets; at most 50.
    pub grants: Vec<RankedGrant>,
}

/// A grant and how far it gets towards allowing.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RankedGrant {
    /// How far.
    pub rank: Rank,
    /// What stands behind it.
    pub proof: GrantExplanation,
    /// Why it is asleep, if it is.
    pub inactive_reason: Option<InactiveReason>,
}

/// Why an act is not authorized.
#[derive(Debug, thiserror::Error)]
pub enum AuthzError {
    /// The caller may not even know that it exists: to be answered like an unknown id.
    #[error("not found")]
    Hidden,
    /// The caller may see it, but not do this.
    #[error("{}", .0.sentence)]
    Forbidden(Box<VisibleDecision>),
    /// The store could not answer; nothing is allowed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// May this user do this, to this, now? One statement when a grant in the user's own name allows it, else two; both
/// say the same wherever the first says yes.
///
/// # Errors
/// `StoreError`; treat it as a refusal.
pub async fn decide(reader: &mut Reader, question: &Question) -> Result<Decision, StoreError> {
    match direct(reader, question).await? {
        Some(proof) => Ok(Decision::because(DecisionReason::Allowed(Box::new(proof)))),
        None => concluded(lines(reader, question, 1).await?).map(|explanation| explanation.decision),
    }
}

/// [`decide`], with the external groups and conditions that made the rule match when a rule allows it.
///
/// # Errors
/// `StoreError`; treat it as a refusal.
pub async fn decide_with_witnesses(reader: &mut Reader, question: &Question) -> Result<Decision, StoreError> {
    let mut decision = decide(reader, question).await?;
    if let DecisionReason::Allowed(proof) = &mut decision.reason
        && let Some(rule) = row_support(&mut proof.origin)
    {
        rule.matched = witnesses(reader, question.principal, rule.rule.id).await?;
    }
    Ok(decision)
}

/// [`decide`] for whoever only wants to know whether.
///
/// # Errors
/// `StoreError`; treat it as a refusal.
pub async fn permits(reader: &mut Reader, question: &Question) -> Result<bool, StoreError> {
    decide(reader, question).await.map(|decision| decision.allowed)
}

/// Like [`decide`], with the external groups and conditions behind each rule, and every other grant that bears on it.
///
/// # Errors
/// `StoreError`.
pub async fn explain(reader: &mut Reader, question: &Question) -> Result<Explanation, StoreError> {
    let mut rows = lines(reader, question, MOST_GRANTS).await?;
    for rule in rows.iter_mut().filter_map(DecisionRow::rule) {
        rule.matched = witnesses(reader, question.principal, rule.rule.id).await?;
    }
    concluded(rows)
}

/// The extent in which `principal` may do `capability`, when it may.
///
/// # Errors
/// [`AuthzError`]: hidden when the principal may not even see the partner, else forbidden with the decision.
pub async fn authorize(
    reader: &mut Reader,
    principal: UserId,
    capability: CoreCapability,
    resource: Resource,
    now: Timestamp,
) -> Result<PartnerExtent, AuthzError> {
    let question = Question { principal, capability: capability.id(), resource, now };
    // A grant that reaches all below settles it; one that does not may stand before one that does.
    let certain = direct(reader, &question).await?;
    if certain.is_some_and(|proof| proof.scope.kind == ScopeKind::Subtree && !proof.scope.has_exclusions) {
        return Ok(PartnerExtent::new(resource.partner, true, principal));
    }
    let rows = lines(reader, &question, MOST_GRANTS).await?;
    let whole = rows.iter().any(|line| line.whole_below && line.allows());
    let decision = concluded(rows)?.decision;
    if decision.allowed {
        return Ok(PartnerExtent::new(resource.partner, whole, principal));
    }
    if capability == CoreCapability::PartnerView {
        return Err(AuthzError::Hidden);
    }
    let see = Question { capability: CoreCapability::PartnerView.id(), ..question };
    if !permits(reader, &see).await? {
        return Err(AuthzError::Hidden);
    }
    let mut sight = Sight::of(principal, now);
    let told = visible_reasons::decision(reader, &mut sight, &question, capability.name(), decision).await?;
    Err(AuthzError::Forbidden(Box::new(told)))
}

/// The grant in the user's own name that allows, when there is one and no user group could make a difference.
async fn direct(reader: &mut Reader, question: &Question) -> Result<Option<GrantExplanation>, StoreError> {
    let Question { principal, capability: CapabilityId(capability), resource, now } = *question;
    let values = binds![principal, resource.owner, capability, resource.partner, now];
    reader.optional(&DIRECT, values, direct_proof).await.map(Option::flatten)
}

pub(super) fn direct_proof(row: &Row) -> Result<Option<GrantExplanation>, StoreError> {
    if !row.get::<bool>("certain")? {
        return Ok(None);
    }
    let (scope, support) = (scope_of(row)?, manual(row, None)?);
    Ok(Some(GrantExplanation { role: named(row, row.get("role_id")?, "role_name")?, scope, origin: support }))
}

/// The rows of the whole decision, in no order.
async fn lines(reader: &mut Reader, question: &Question, limit: i64) -> Result<Vec<DecisionRow>, StoreError> {
    let Question { principal, capability: CapabilityId(capability), resource, now } = *question;
    let Resource { partner, group, owner } = resource;
    let values = binds![principal, owner, capability, partner, now, group, limit];
    let statement = if owner.is_some() { &DECISION_OWNED } else { &DECISION };
    reader.all(statement, values, line).await
}

/// The positive sets of the first term of a rule that matches a user, with their names.
pub(super) async fn witnesses(
    reader: &mut Reader,
    user: UserId,
    rule: RuleId,
) -> Result<Vec<NamedRef<ExternalSet>>, StoreError> {
    reader.all(&WITNESSES, binds![user, rule], witness).await
}

pub(super) fn witness(row: &Row) -> Result<NamedRef<ExternalSet>, StoreError> {
    let kind: String = row.get("set_kind")?;
    let set = match kind.as_str() {
        "group" => ExternalSet::Group(row.get("set_id")?),
        _ => ExternalSet::Condition(row.get("set_id")?),
    };
    Ok(NamedRef::new(set, row.get::<Option<String>>("name")?.unwrap_or_default()))
}

/// Distance, kind, and then source, ground, rule and directory of a grant: the one that gets furthest first, always in
/// the same order.
type Order = (Option<i64>, Option<i64>, (Option<Uuid>, Option<i64>, Option<Uuid>, Option<Uuid>));

/// One row of the decision.
pub(super) struct DecisionRow {
    order: Order,
    standing: Result<Vec<DenialReason>, Absent>,
    nearest: Option<ClosestGrant>,
    whole_below: bool,
}

impl DecisionRow {
    pub(super) fn allows(&self) -> bool {
        self.nearest.as_ref().is_some_and(|nearest| nearest.rank == Rank::Allows)
    }

    /// The rule behind its grant.
    pub(super) fn rule(&mut self) -> Option<&mut RuleSummary> {
        row_support(&mut self.nearest.as_mut()?.proof.origin)
    }
}

/// What rows of a decision, in any order, come to: the grant that gets furthest stands first.
pub(super) fn concluded(mut rows: Vec<DecisionRow>) -> Result<Explanation, StoreError> {
    rows.sort_by_key(|line| line.order);
    let grants = rows.iter().filter_map(|line| line.nearest.as_ref());
    let grants = grants
        .map(|nearest| RankedGrant {
            rank: nearest.rank,
            proof: nearest.proof.clone(),
            inactive_reason: nearest.inactive_reason,
        })
        .collect();
    let first = rows.into_iter().next().ok_or(StoreError::NotFound)?;
    Ok(Explanation { decision: conclude(first.standing, first.nearest), grants })
}

pub(super) fn line(row: &Row) -> Result<DecisionRow, StoreError> {
    let whole_below = row.get::<Option<bool>>("whole_below")?.unwrap_or(false);
    let source = (row.get("source")?, row.get("ground")?, row.get("rule_id")?, row.get("directory_id")?);
    let order = (row.get("distance")?, row.get("kind")?, source);
    Ok(DecisionRow { order, standing: standing(row)?, nearest: nearest(row)?, whole_below })
}

fn standing(row: &Row) -> Result<Result<Vec<DenialReason>, Absent>, StoreError> {
    if row.get::<Option<UserId>>("user_id")?.is_none() {
        return Ok(Err(Absent::User));
    }
    let Some(level) = row.get::<Option<i64>>("level_id")?.map(LevelId) else { return Ok(Err(Absent::Partner)) };
    let Some(on_suspended) = row.get::<Option<bool>>("on_suspended")? else { return Ok(Err(Absent::Capability)) };
    let mut misses = Vec::new();
    if let Some(source) = source(row, "person_off")? {
        misses.push(DenialReason::UserSuspended { source });
    }
    if let Some((partner, source)) = switched_off(row, "home_off", "home_off_name", "home_off_by")? {
        misses.push(DenialReason::HomePartnerSuspended { partner, source });
    }
    let side = switched_off(row, "side_off", "side_off_name", "side_off_by")?.filter(|_| !on_suspended);
    misses.extend(side.map(|(partner, source)| DenialReason::PartnerSuspended { partner, source }));
    if !row.get::<bool>("in_level")? {
        misses.push(DenialReason::LevelForbids { level: named(row, level, "level_name")? });
    }
    Ok(Ok(misses))
}

fn switched_off(
    row: &Row,
    id: &str,
    name: &str,
    by: &str,
) -> Result<Option<(NamedRef<PartnerId>, SuspensionSource)>, StoreError> {
    let (partner, source) = (row.get::<Option<PartnerId>>(id)?, source(row, by)?);
    let Some((partner, source)) = partner.zip(source) else { return Ok(None) };
    Ok(Some((named(row, partner, name)?, source)))
}

fn source(row: &Row, column: &str) -> Result<Option<SuspensionSource>, StoreError> {
    let Some(text) = row.get::<Option<String>>(column)? else { return Ok(None) };
    SuspensionSource::parse(&text).map(Some).ok_or_else(|| StoreError::Decode(column.to_owned()))
}

fn nearest(row: &Row) -> Result<Option<ClosestGrant>, StoreError> {
    let Some(distance) = row.get::<Option<i64>>("distance")? else { return Ok(None) };
    let rank = match distance {
        0 => Rank::Allows,
        1 => Rank::OutsideCeiling,
        2 => Rank::OutOfScope,
        _ => Rank::Inactive,
    };
    let dormant = match row.get::<Option<i64>>("dormant")? {
        Some(0) => InactiveReason::NotYetValid,
        Some(2) => InactiveReason::Suspended,
        _ => InactiveReason::Expired,
    };
    let proof = proof(row)?;
    Ok(Some(ClosestGrant { rank, proof, inactive_reason: (rank == Rank::Inactive).then_some(dormant) }))
}

/// What stands behind the grant in a row.
pub(super) fn proof(row: &Row) -> Result<GrantExplanation, StoreError> {
    let scope = scope_of(row)?;
    let rule = row.get::<Option<RuleId>>("rule_id")?.map(|id| rule_of(row, id)).transpose()?;
    let support = match (row.get::<i64>("kind")?, rule) {
        (2, Some(rule)) => GrantOrigin::Rule(rule),
        (_, rule) => manual(row, through(row, rule)?)?,
    };
    Ok(GrantExplanation { role: named(row, row.get("role_id")?, "role_name")?, scope, origin: support })
}

fn scope_of(row: &Row) -> Result<ScopeSummary, StoreError> {
    let reach: String = row.get("scope_kind")?;
    Ok(ScopeSummary {
        kind: ScopeKind::parse(&reach).ok_or_else(|| StoreError::Decode("scope_kind".to_owned()))?,
        partner: named(row, row.get("scope_partner")?, "scope_name")?,
        has_exclusions: row.get("exclusions")?,
    })
}

fn manual(row: &Row, via_group: Option<ViaGroup>) -> Result<GrantOrigin, StoreError> {
    let granted_by =
        row.get::<Option<UserId>>("granted_by")?.map(|id| named(row, id, "granted_by_name")).transpose()?;
    Ok(GrantOrigin::Manual {
        grant: row.get::<GrantId>("source")?,
        granted_by,
        granted_at: row.get("created_at")?,
        via_group,
    })
}

fn through(row: &Row, rule: Option<RuleSummary>) -> Result<Option<ViaGroup>, StoreError> {
    let Some(group) = row.get::<Option<_>>("user_group_id")? else { return Ok(None) };
    let ground = match (row.get::<i64>("ground")?, rule) {
        (0, _) => MembershipSummary::Added,
        (1, _) => MembershipSummary::Pinned,
        (_, Some(rule)) => MembershipSummary::Rule(rule),
        (_, None) if row.get("bounded")? => MembershipSummary::Resting { directory: directory_of(row)? },
        (_, None) => MembershipSummary::Default,
    };
    Ok(Some(ViaGroup { group: named(row, group, "group_name")?, membership: ground }))
}

fn directory_of(row: &Row) -> Result<Option<NamedRef<DirectoryId>>, StoreError> {
    row.get::<Option<DirectoryId>>("directory_id")?.map(|id| named(row, id, "directory_name")).transpose()
}

fn rule_of(row: &Row, rule: RuleId) -> Result<RuleSummary, StoreError> {
    let directory = named(row, row.get("directory_id")?, "directory_name")?;
    Ok(RuleSummary { rule: named(row, rule, "rule_name")?, directory, matched: Vec::new() })
}

/// An id with its name; a thing that has gone since has none.
fn named<T>(row: &Row, id: T, name: &str) -> Result<NamedRef<T>, StoreError> {
    Ok(NamedRef::new(id, row.get::<Option<String>>(name)?.unwrap_or_default()))
}

pub(super) fn row_support(support: &mut GrantOrigin) -> Option<&mut RuleSummary> {
    match support {
        GrantOrigin::Rule(line) => Some(line),
        GrantOrigin::Manual { via_group: Some(ViaGroup { membership: MembershipSummary::Rule(line), .. }), .. } => {
            Some(line)
        }
        GrantOrigin::Manual { .. } => None,
    }
}
