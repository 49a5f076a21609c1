//! What users come to hold, as somebody agrees to it beforehand: user groups, and roles as far as ceilings let them through.
use std::collections::BTreeSet;

use serde::Serialize;

use super::effective_lists::{CeilingEffect, at_home, clip_by, holdings, memberships};
use super::effective_tree::{ceilings, conferred};
use super::extent::PartnerExtent;
use super::{Reader, StoreError, first};
use crate::access::derive::Bound;
use crate::access::explain::{InactiveReason, NamedRef};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{ExternalUserId, RoleId, RuleId, UserGroupId, UserId};
use crate::domain::rule::RuleEffect;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

statements! {
    RISKY = "SELECT id FROM capabilities WHERE risk >= 2 ORDER BY id";
    HELD_BY_GROUP = "SELECT g.role_id FROM grants g WHERE g.user_group_id = $1 AND g.suspended_at IS NULL";
    // Of a rule, from its groups and conditions to those who are in them; a rule for everybody names none of them.
    MEANT = "SELECT DISTINCT hit.id FROM ( \
            SELECT said.id FROM ( \
                SELECT a.term, a.set_id, a.negated, e.id FROM rule_criteria a CROSS JOIN external_group_ancestors c \
                CROSS JOIN external_group_members m CROSS JOIN external_users e \
                WHERE a.rule_id = $1 AND c.ancestor_id = a.set_id AND m.external_group_id = c.external_group_id \
                    AND e.id = m.external_user_id AND e.active AND COALESCE(e.user_id IS NULL, FALSE) \
                UNION \
                SELECT a.term, a.set_id, a.negated, e.id FROM rule_criteria a CROSS JOIN attribute_condition_members k \
                CROSS JOIN external_users e \
                WHERE a.rule_id = $1 AND k.condition_id = a.set_id AND e.id = k.external_user_id AND e.active \
                    AND COALESCE(e.user_id IS NULL, FALSE) \
            ) said JOIN rule_terms t ON t.rule_id = $1 AND t.term = said.term \
            GROUP BY said.id, said.term, t.positive_count \
            HAVING COUNT(*) = t.positive_count AND MAX(CASE WHEN said.negated THEN 1 ELSE 0 END) = 0 \
        ) hit ORDER BY hit.id LIMIT $2";
}

/// One thing that a user holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EffectiveItem {
    /// A user group.
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
        /// How much of it comes through: all, or a part.
        ceiling_effect: CeilingEffect,
        /// Whether it lets its holder change what others may do, over more than their own things.
        privileged: bool,
    },
}

impl EffectiveItem {
    /// Whether it lets its holder change what others may do.
    pub fn is_privileged(&self) -> bool {
        matches!(self, Self::Grant { privileged: true, .. })
    }
}

/// Reads what users hold. What is the same for many of them is read once: for one moment of one transaction.
#[derive(Debug, Default)]
pub struct EffectiveItemReader {
    risky: Option<BTreeSet<CapabilityId>>,
    bounded: Vec<(RoleId, Scope, Bound, CeilingEffect, bool)>,
}

impl EffectiveItemReader {
    /// What a user at home in the extent's partner holds, now or later; nothing of anybody else. What a ceiling lets
    /// nothing of through, what has ended and what was put aside is left out.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn of(
        &mut self,
        reader: &mut Reader,
        at: &PartnerExtent,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<EffectiveItem>, StoreError> {
        let mut items = Vec::new();
        if !at_home(reader, at, user).await? {
            return Ok(items);
        }
        for membership in memberships(reader, user, None).await? {
            let item = EffectiveItem::Group { group: membership.group };
            if !items.contains(&item) {
                items.push(item);
            }
        }
        for held in holdings(reader, user, None).await? {
            if matches!(held.dormant(now), Some(InactiveReason::Suspended | InactiveReason::Expired)) {
                continue;
            }
            let (ceiling_effect, privileged) =
                self.bounded(reader, held.proof.role.id, &held.scope, held.bound).await?;
            let item = EffectiveItem::Grant { role: held.proof.role, scope: held.scope, ceiling_effect, privileged };
            if ceiling_effect != CeilingEffect::Blocked && !items.contains(&item) {
                items.push(item);
            }
        }
        Ok(items)
    }

    /// How much of a role over a scope its bound lets through, and whether that is privileged.
    async fn bounded(
        &mut self,
        reader: &mut Reader,
        role: RoleId,
        scope: &Scope,
        bound: Bound,
    ) -> Result<(CeilingEffect, bool), StoreError> {
        let known = self.bounded.iter().find(|(of, over, by, ..)| *of == role && over == scope && *by == bound);
        if let Some((.., ceiling_effect, privileged)) = known {
            return Ok((*ceiling_effect, *privileged));
        }
        let capabilities = conferred(reader, role).await?;
        let risky: BTreeSet<CapabilityId> = capabilities.intersection(self.risky(reader).await?).copied().collect();
        let own = matches!(scope.base, ScopeBase::Own { .. });
        let (ceiling_effect, risk) = match bound {
            Bound::Free => (CeilingEffect::None, CeilingEffect::None),
            Bound::Nobody => (CeilingEffect::Blocked, CeilingEffect::Blocked),
            Bound::Ceiling(directory) => {
                let rows = ceilings(reader, directory).await?;
                (clip_by(reader, &rows, &capabilities, scope).await?, clip_by(reader, &rows, &risky, scope).await?)
            }
        };
        let privileged = !own && !risky.is_empty() && risk != CeilingEffect::Blocked;
        self.bounded.push((role, scope.clone(), bound, ceiling_effect, privileged));
        Ok((ceiling_effect, privileged))
    }

    async fn risky(&mut self, reader: &mut Reader) -> Result<&BTreeSet<CapabilityId>, StoreError> {
        if self.risky.is_none() {
            let numbers: Vec<i64> = reader.all(&RISKY, binds![], first).await?;
            self.risky = Some(numbers.into_iter().map(CapabilityId).collect());
        }
        Ok(self.risky.get_or_insert_default())
    }

    /// Whether a rule may make somebody privileged: by the role it grants, or one that the user group holds.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn elevates(&mut self, reader: &mut Reader, effect: &RuleEffect) -> Result<bool, StoreError> {
        let roles: Vec<RoleId> = match effect {
            RuleEffect::GrantRole { role, scope } if !matches!(scope.base, ScopeBase::Own { .. }) => vec![*role],
            RuleEffect::GrantRole { .. } => Vec::new(),
            RuleEffect::SetPrimaryGroup { user_group } | RuleEffect::AddToGroup { user_group } => {
                reader.all(&HELD_BY_GROUP, binds![*user_group], first).await?
            }
        };
        for role in roles {
            let capabilities = conferred(reader, role).await?;
            if !capabilities.is_disjoint(self.risky(reader).await?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// External users that are linked to nobody and that a rule of the extent's partner matches as it is, by id: at most
/// `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn meant_by(
    reader: &mut Reader,
    _at: &PartnerExtent,
    rule: RuleId,
    limit: usize,
) -> Result<Vec<ExternalUserId>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    reader.all(&MEANT, binds![rule, limit], first).await
}
