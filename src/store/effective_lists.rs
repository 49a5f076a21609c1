//! Lists of the view: what a user holds and why, who can do a thing, where, and what another rule set would change.
use std::collections::BTreeSet;

use serde::Serialize;

use super::effective::{permits, proof, row_support, witnesses};
use super::effective_tree::{CeilingRow, StoredTree, ceilings, conferred};
use super::extent::{ConnectionExtent, PartnerExtent};
use super::{Reader, Row, StoreError, effective_sql, first, scopes, tuple};
use crate::access::decide::Question;
use crate::access::delegation::{Authority, EffectiveGrant, ProposedGrant, covers, let_through};
use crate::access::derive::Bound;
use crate::access::explain::{GrantExplanation, InactiveReason, MembershipSummary, NamedRef, RuleSummary};
use crate::domain::capability::{CapabilityId, CoreCapability};
use crate::domain::directory::CeilingEntry;
use crate::domain::grant::{Resource, Scope};
use crate::domain::id::{DirectoryId, GrantId, Id, PartnerId, RoleId, ScopeId, UserGroupId, UserId};
use crate::domain::rule::ExternalSet;
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

statements! {
    HOLDINGS = effective_sql::holdings();
    MEMBERSHIPS = effective_sql::memberships();
    SETS = effective_sql::sets();
    MISPLACED: set = effective_sql::misplaced();
    CANDIDATES = effective_sql::candidates();
    USER_INSIDE = "SELECT p.id FROM live_users p JOIN partner_ancestors a ON a.partner_id = p.partner_id \
        WHERE p.id = $1 AND a.ancestor_id = $2 AND (a.depth = 0 OR $3)";
    AT_HOME = "SELECT p.id FROM live_users p WHERE p.id = $1 AND p.partner_id = $2";
    PARTNER_INSIDE = "SELECT partner_id FROM partner_ancestors WHERE partner_id = $1 AND ancestor_id = $2 AND (depth = 0 OR $3)";
    PARTNERS_BELOW = "SELECT partner_id FROM partner_ancestors WHERE ancestor_id = $1 AND partner_id > $2 \
        ORDER BY partner_id LIMIT $3";
    USERS_OF_DIRECTORY = "SELECT DISTINCT e.user_id FROM directories d CROSS JOIN connections c CROSS JOIN external_users e \
        WHERE d.id = $1 AND d.partner_id = $2 AND c.directory_id = d.id AND e.connection_id = c.id AND e.user_id > $3 ORDER BY e.user_id LIMIT $4";
}

/// A role over a scope, and when.
pub type ScopedRole = (RoleId, Scope, Window);

/// A grant that bears on a user, as the user's page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct UserGrant {
    /// Role, scope in brief and support.
    pub proof: GrantExplanation,
    /// The manual grant behind it, for taking it back; none for what a rule grants.
    pub grant: Option<GrantId>,
    /// The whole scope.
    pub scope: Scope,
    /// When it holds.
    pub window: Window,
    /// Why it is asleep now, if it is.
    pub inactive_reason: Option<InactiveReason>,
    /// How far the directory behind it is allowed to go.
    pub ceiling_effect: CeilingEffect,
}

/// How much of a grant the ceiling of its directory lets through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CeilingEffect {
    /// All of it, or no directory stands behind it.
    None,
    /// Part of it.
    Partial,
    /// None of it: it is shown, and confers nothing.
    Blocked,
}

/// A user group a user is in, and why. A group may come up for several reasons.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UserMembership {
    /// The group.
    pub group: NamedRef<UserGroupId>,
    /// The one place, or a label.
    pub is_primary: bool,
    /// Why.
    pub membership: MembershipSummary,
}

/// A set of a directory that a user is in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UserExternalSet {
    /// The directory that says so.
    pub directory: NamedRef<DirectoryId>,
    /// The external group, direct or by nesting, or the attribute condition.
    pub set: NamedRef<ExternalSet>,
}

/// What a rule-set version would change for one user.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AccessChange {
    /// The user.
    pub user: UserId,
    /// What would come.
    pub gained: Vec<AccessItem>,
    /// What would go.
    pub lost: Vec<AccessItem>,
}

/// One thing the view gives a user.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AccessItem {
    /// A place or label.
    Group {
        /// The group.
        group: NamedRef<UserGroupId>,
    },
    /// A role over a scope.
    Grant {
        /// The role.
        role: NamedRef<RoleId>,
        /// Over what.
        scope: Scope,
    },
}

/// The texts of the view by name, for whoever looks at how a database would run them.
pub fn texts() -> [(&'static str, String); 9] {
    [
        ("direct", effective_sql::direct()),
        ("decision", effective_sql::decision(false)),
        ("decision_owned", effective_sql::decision(true)),
        ("witnesses", effective_sql::witnesses()),
        ("holdings", effective_sql::holdings()),
        ("memberships", effective_sql::memberships()),
        ("sets", effective_sql::sets()),
        ("misplaced", effective_sql::misplaced()),
        ("candidates", effective_sql::candidates()),
    ]
}

/// Those of `users` whose stored placement is not what the view says, each with that one and the right one. For whoever writes
/// what placement rests on, in the same transaction, and for `doctor`.
///
/// # Errors
/// Only those of the store.
pub async fn misplaced(
    reader: &mut Reader,
    users: &[UserId],
) -> Result<Vec<(UserId, UserGroupId, UserGroupId)>, StoreError> {
    reader.all_in(&MISPLACED, binds![], users.iter().copied(), tuple).await
}

/// Every grant that bears on a user: by hand, through user groups, by rules; asleep and clipped ones too.
///
/// # Errors
/// `StoreError::NotFound` when the user is not within the extent.
pub async fn grants_of(
    reader: &mut Reader,
    at: &PartnerExtent,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<UserGrant>, StoreError> {
    inside(reader, at, user).await?;
    let mut grants = Vec::new();
    for mut held in holdings(reader, user, None).await? {
        if let Some(line) = row_support(&mut held.proof.origin) {
            line.matched = witnesses(reader, user, line.rule.id).await?;
        }
        let capabilities = conferred(reader, held.proof.role.id).await?;
        let clip = clip(reader, &held, &capabilities).await?;
        let dormant = held.dormant(now);
        let GrantOfUserRow { proof, grant, scope, window, .. } = held;
        grants.push(UserGrant { proof, grant, scope, window, inactive_reason: dormant, ceiling_effect: clip });
    }
    Ok(grants)
}

/// The user groups a user is in: the place first, then labels.
///
/// # Errors
/// `StoreError::NotFound` when the user is not within the extent.
pub async fn groups_of(
    reader: &mut Reader,
    at: &PartnerExtent,
    user: UserId,
) -> Result<Vec<UserMembership>, StoreError> {
    inside(reader, at, user).await?;
    memberships(reader, user, None).await
}

/// The external groups and attribute conditions a user is in, by directory.
///
/// # Errors
/// `StoreError::NotFound` when the user is not within the extent.
pub async fn sets_of(
    reader: &mut Reader,
    at: &PartnerExtent,
    user: UserId,
) -> Result<Vec<UserExternalSet>, StoreError> {
    inside(reader, at, user).await?;
    reader.all(&SETS, subject(user, None), set_of_user).await
}

/// The users after `after` who may do `capability` to `resource`, in id order, at most `limit`; each has been decided.
/// A page shorter than `limit` is the last.
///
/// # Errors
/// `StoreError::NotFound` when the resource is not within the extent.
pub async fn who_can(
    reader: &mut Reader,
    at: &PartnerExtent,
    capability: CapabilityId,
    resource: Resource,
    now: Timestamp,
    (after, limit): (Option<UserId>, usize),
) -> Result<Vec<UserId>, StoreError> {
    let asked = binds![resource.partner, at.partner(), at.subtree()];
    reader.one(&PARTNER_INSIDE, asked, |_| Ok(())).await?;
    let mut found = Vec::new();
    let mut after = after.unwrap_or(UserId::from_uuid(uuid::Uuid::nil()));
    loop {
        let page = binds![resource.partner, after, capability.0, CANDIDATE_PAGE];
        let candidates: Vec<UserId> = reader.all(&CANDIDATES, page, first).await?;
        for principal in &candidates {
            let question = Question { principal: *principal, capability, resource, now };
            if permits(reader, &question).await? {
                found.push(*principal);
            }
            if found.len() == limit {
                return Ok(found);
            }
        }
        match candidates.last() {
            Some(last) if i64::try_from(candidates.len()) == Ok(CANDIDATE_PAGE) => after = *last,
            _ => return Ok(found),
        }
    }
}

/// Candidates taken at a time.
const CANDIDATE_PAGE: i64 = 200;

/// The scopes over which a user may do `capability`, as far as their directories may go, asleep ones left out.
/// Status and level ceilings are not counted in: they belong to each partner.
///
/// # Errors
/// `StoreError::NotFound` when the user is not within the extent.
pub async fn what_can(
    reader: &mut Reader,
    at: &PartnerExtent,
    user: UserId,
    capability: CapabilityId,
    now: Timestamp,
) -> Result<Vec<UserGrant>, StoreError> {
    inside(reader, at, user).await?;
    let mut kept = Vec::new();
    for held in holdings(reader, user, None).await? {
        let carries = conferred(reader, held.proof.role.id).await?.contains(&capability);
        if !carries || held.dormant(now).is_some() {
            continue;
        }
        let clip = clip(reader, &held, &BTreeSet::from([capability])).await?;
        if clip != CeilingEffect::Blocked {
            let GrantOfUserRow { proof, grant, scope, window, .. } = held;
            kept.push(UserGrant { proof, grant, scope, window, inactive_reason: None, ceiling_effect: clip });
        }
    }
    Ok(kept)
}

/// The partners of the extent after `after` on which a user may do `capability`, in id order, at most `limit`; each
/// has been decided.
///
/// # Errors
/// Only those of the store.
pub async fn partners_where(
    reader: &mut Reader,
    at: &PartnerExtent,
    user: UserId,
    capability: CapabilityId,
    now: Timestamp,
    (after, limit): (Option<PartnerId>, usize),
) -> Result<Vec<PartnerId>, StoreError> {
    let mut found = Vec::new();
    let mut after = after.unwrap_or(PartnerId::from_uuid(uuid::Uuid::nil()));
    loop {
        let partners: Vec<PartnerId> =
            reader.all(&PARTNERS_BELOW, binds![at.partner(), after, CANDIDATE_PAGE], first).await?;
        for partner in &partners {
            let within = at.subtree() || *partner == at.partner();
            let resource = Resource { partner: *partner, group: None, owner: None };
            let question = Question { principal: user, capability, resource, now };
            if within && permits(reader, &question).await? {
                found.push(*partner);
            }
            if found.len() == limit {
                return Ok(found);
            }
        }
        match partners.last() {
            Some(last) if i64::try_from(partners.len()) == Ok(CANDIDATE_PAGE) => after = *last,
            _ => return Ok(found),
        }
    }
}

/// Everything a user holds now, for guards.
///
/// # Errors
/// Only those of the store.
pub async fn authority(reader: &mut Reader, user: UserId, now: Timestamp) -> Result<Authority, StoreError> {
    let mut all = Authority::default();
    for held in holdings(reader, user, None).await? {
        if held.dormant(now).is_some() {
            continue;
        }
        let capabilities = conferred(reader, held.proof.role.id).await?;
        let window = held.window;
        match held.bound {
            Bound::Free => all.holdings.push(EffectiveGrant { capabilities, within: vec![held.scope], window }),
            Bound::Ceiling(directory) => {
                let rows = ceilings(reader, directory).await?;
                let rows = rows.iter().map(|(most, over)| (most.clone(), over));
                all.holdings
                    .extend(rows.filter_map(|row| EffectiveGrant::under(&capabilities, &held.scope, row, window)));
            }
            Bound::Nobody => {}
        }
    }
    Ok(all)
}

/// Whether each of `proposed_grants` lies in what the holder of `authority` holds: everything its role confers, and the capability
/// `with` besides, over its whole scope and time (guards G1 and G6).
///
/// # Errors
/// Only those of the store.
pub async fn holds_all(
    reader: &mut Reader,
    authority: &Authority,
    proposed_grants: &[ScopedRole],
    with: Option<CoreCapability>,
) -> Result<bool, StoreError> {
    let held = authority.holdings.iter().flat_map(|holding| &holding.within);
    let tree = StoredTree::load(reader, held.chain(proposed_grants.iter().map(|(_, scope, _)| scope))).await?;
    for (role, scope, window) in proposed_grants {
        let mut capabilities = conferred(reader, *role).await?;
        capabilities.extend(with.map(CoreCapability::id));
        if !covers(authority, &ProposedGrant { capabilities: &capabilities, scope, window: *window }, &tree) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What rule-set version `version` of a directory would change for its users after `after`, in id order; looks at
/// `limit` users, and returns those for whom anything changes, with the last user looked at.
///
/// # Errors
/// Only those of the store.
pub async fn preview(
    reader: &mut Reader,
    at: &PartnerExtent,
    (directory, version): (DirectoryId, i64),
    (after, limit): (Option<UserId>, i64),
) -> Result<(Vec<AccessChange>, Option<UserId>), StoreError> {
    let users = users_of(reader, at, directory, after, limit).await?;
    let mut changes = Vec::new();
    for user in &users {
        let before = outcomes(reader, *user, None).await?;
        let then = outcomes(reader, *user, Some((directory, version))).await?;
        let gained: Vec<_> = then.iter().filter(|outcome| !before.contains(outcome)).cloned().collect();
        let lost: Vec<_> = before.into_iter().filter(|outcome| !then.contains(outcome)).collect();
        if !gained.is_empty() || !lost.is_empty() {
            changes.push(AccessChange { user: *user, gained, lost });
        }
    }
    Ok((changes, users.last().copied()))
}

/// What the view gives a user at home in the partner of the connection's directory; nothing for anybody else. For
/// telling what a push changes, before and after.
///
/// # Errors
/// Only those of the store.
pub async fn outcomes_of(
    reader: &mut Reader,
    at: &ConnectionExtent,
    user: UserId,
) -> Result<Vec<AccessItem>, StoreError> {
    match reader.optional(&AT_HOME, binds![user, at.partner()], |_| Ok(())).await? {
        Some(()) => outcomes(reader, user, None).await,
        None => Ok(Vec::new()),
    }
}

async fn outcomes(
    reader: &mut Reader,
    user: UserId,
    tried: Option<(DirectoryId, i64)>,
) -> Result<Vec<AccessItem>, StoreError> {
    let mut outcomes = Vec::new();
    // The same thing may come by several ways.
    for UserMembership { group, .. } in memberships(reader, user, tried).await? {
        let outcome = AccessItem::Group { group };
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }
    for GrantOfUserRow { proof, scope, .. } in holdings(reader, user, tried).await? {
        let outcome = AccessItem::Grant { role: proof.role, scope };
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

/// The binds of a statement about one user, with the rule-set version that is tried out, if any.
fn subject(user: UserId, tried: Option<(DirectoryId, i64)>) -> Vec<super::SqlValue> {
    let (directory, version) = tried.unzip();
    binds![user, directory, version]
}

pub(super) async fn memberships(
    reader: &mut Reader,
    user: UserId,
    tried: Option<(DirectoryId, i64)>,
) -> Result<Vec<UserMembership>, StoreError> {
    reader.all(&MEMBERSHIPS, subject(user, tried), group_of_user).await
}

/// One row of what a user holds.
pub(super) struct GrantOfUserRow {
    pub(super) proof: GrantExplanation,
    grant: Option<GrantId>,
    pub(super) scope: Scope,
    window: Window,
    aside: bool,
    pub(super) bound: Bound,
}

impl GrantOfUserRow {
    pub(super) fn dormant(&self, now: Timestamp) -> Option<InactiveReason> {
        if self.aside {
            return Some(InactiveReason::Suspended);
        }
        if self.window.contains(now) {
            return None;
        }
        Some(if self.window.from.is_some_and(|from| now < from) {
            InactiveReason::NotYetValid
        } else {
            InactiveReason::Expired
        })
    }
}

pub(super) async fn holdings(
    reader: &mut Reader,
    user: UserId,
    tried: Option<(DirectoryId, i64)>,
) -> Result<Vec<GrantOfUserRow>, StoreError> {
    let rows = reader.all(&HOLDINGS, subject(user, tried), held).await?;
    let mut holdings = Vec::new();
    for (make, scope) in rows {
        holdings.push(make(scopes::get(reader, scope).await?));
    }
    Ok(holdings)
}

/// Reads a row as far as it goes: the scope is read apart.
fn held(row: &Row) -> Result<(impl FnOnce(Scope) -> GrantOfUserRow + use<>, ScopeId), StoreError> {
    let proof = proof(row)?;
    let by_rule = row.get::<i64>("kind")? == 2;
    let grant = if by_rule { None } else { Some(row.get("source")?) };
    let window = Window { from: row.get("valid_from")?, until: row.get("valid_until")? };
    let aside = row.get::<Option<Timestamp>>("suspended_at")?.is_some();
    let bound = match (row.get("bounded")?, row.get("directory_id")?) {
        (false, _) => Bound::Free,
        (true, Some(directory)) => Bound::Ceiling(directory),
        (true, None) => Bound::Nobody,
    };
    Ok((move |scope| GrantOfUserRow { proof, grant, scope, window, aside, bound }, row.get("scope_id")?))
}

/// How much of `capabilities` over the scope of what is held its bound lets through.
async fn clip(
    reader: &mut Reader,
    held: &GrantOfUserRow,
    capabilities: &BTreeSet<CapabilityId>,
) -> Result<CeilingEffect, StoreError> {
    let directory = match held.bound {
        Bound::Free => return Ok(CeilingEffect::None),
        Bound::Nobody => return Ok(CeilingEffect::Blocked),
        Bound::Ceiling(directory) => directory,
    };
    let rows = ceilings(reader, directory).await?;
    clip_by(reader, &rows, capabilities, &held.scope).await
}

pub(super) async fn clip_by(
    reader: &mut Reader,
    rows: &[CeilingRow],
    capabilities: &BTreeSet<CapabilityId>,
    scope: &Scope,
) -> Result<CeilingEffect, StoreError> {
    let tree = StoredTree::load(reader, rows.iter().map(|(_, over)| over).chain([scope])).await?;
    Ok(match let_through(rows, capabilities, scope, &tree) {
        (true, _) => CeilingEffect::None,
        (false, true) => CeilingEffect::Blocked,
        (false, false) => CeilingEffect::Partial,
    })
}

/// How much of a role over a scope ceiling rows would let through, and which of its capabilities not at all.
///
/// # Errors
/// Only those of the store.
pub async fn clipped_by(
    reader: &mut Reader,
    ceiling: &[CeilingEntry],
    role: RoleId,
    scope: &Scope,
) -> Result<(CeilingEffect, BTreeSet<CapabilityId>), StoreError> {
    let mut rows: Vec<CeilingRow> = Vec::with_capacity(ceiling.len());
    for row in ceiling {
        rows.push((conferred(reader, row.role).await?, row.scope.clone()));
    }
    let capabilities = conferred(reader, role).await?;
    let clip = clip_by(reader, &rows, &capabilities, scope).await?;
    let mut missing = BTreeSet::new();
    for capability in capabilities {
        if clip_by(reader, &rows, &BTreeSet::from([capability]), scope).await? == CeilingEffect::Blocked {
            missing.insert(capability);
        }
    }
    Ok((clip, missing))
}

/// Whether a user is at home in the extent's partner itself.
pub(super) async fn at_home(reader: &mut Reader, at: &PartnerExtent, user: UserId) -> Result<bool, StoreError> {
    Ok(reader.optional(&AT_HOME, binds![user, at.partner()], |_| Ok(())).await?.is_some())
}

async fn inside(reader: &mut Reader, at: &PartnerExtent, user: UserId) -> Result<(), StoreError> {
    reader.one(&USER_INSIDE, binds![user, at.partner(), at.subtree()], |_| Ok(())).await
}

fn group_of_user(row: &Row) -> Result<UserMembership, StoreError> {
    let rule = match row.get::<Option<_>>("rule_id")? {
        None => None,
        Some(rule) => Some(RuleSummary {
            rule: NamedRef::new(rule, row.get::<String>("rule_name")?),
            directory: NamedRef::new(row.get("directory_id")?, row.get::<String>("directory_name")?),
            matched: Vec::new(),
        }),
    };
    let ground = match (row.get::<i64>("ground")?, rule) {
        (0, _) => MembershipSummary::Added,
        (1, _) => MembershipSummary::Pinned,
        (_, Some(rule)) => MembershipSummary::Rule(rule),
        (_, None) => MembershipSummary::Default,
    };
    let group = NamedRef::new(row.get("user_group_id")?, row.get::<String>("group_name")?);
    Ok(UserMembership { group, is_primary: row.get("is_primary")?, membership: ground })
}

fn set_of_user(row: &Row) -> Result<UserExternalSet, StoreError> {
    let directory = NamedRef::new(row.get("directory_id")?, row.get::<String>("directory_name")?);
    let set = match row.get::<Option<String>>("group_name")? {
        Some(name) => NamedRef::new(ExternalSet::Group(row.get("set_id")?), name),
        None => {
            let expression = row.get::<Option<String>>("expression")?.unwrap_or_default();
            NamedRef::new(ExternalSet::Condition(row.get("set_id")?), expression)
        }
    };
    Ok(UserExternalSet { directory, set })
}

/// A page of the users of whom a directory of the extent's partner speaks, by id: at most `limit` after `after`.
///
/// # Errors
/// Only those of the store.
pub async fn users_of(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    let after = after.unwrap_or(UserId::from_uuid(uuid::Uuid::nil()));
    reader.all(&USERS_OF_DIRECTORY, binds![directory, at.partner(), after, limit], first).await
}
