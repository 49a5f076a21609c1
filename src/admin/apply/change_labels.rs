//! Stored things in words: the names behind ids, as the declaration would write them.
use super::{ApplyError, Run};
use crate::domain::grant::{Holder, Scope, ScopeBase};
use crate::domain::id::{PartnerId, RoleId, UserGroupId};
use crate::domain::rule::RuleEffect;
use crate::store::extent::PartnerExtent;
use crate::store::{StoreError, Tx, partners, roles, user_groups, users};

impl Run<'_> {
    /// The key of a partner; its id when it has none.
    pub(super) async fn key(&mut self, tx: &mut Tx, id: PartnerId) -> Result<String, ApplyError> {
        if let Some(known) = self.known.partners.get(&id) {
            return Ok(known.external_id.clone().unwrap_or_else(|| id.to_string()));
        }
        match partners::get(tx, &self.by.at(id)).await {
            Ok(partner) => {
                let key = partner.external_id.clone().unwrap_or_else(|| id.to_string());
                self.known.add_partner(partner);
                Ok(key)
            }
            Err(StoreError::NotFound) => Ok(id.to_string()),
            Err(error) => Err(error.into()),
        }
    }

    /// A scope: `subtree of harbor without saltmarsh`.
    pub(super) async fn over(&mut self, tx: &mut Tx, scope: &Scope) -> Result<String, ApplyError> {
        let key = self.key(tx, scope.partner()).await?;
        let mut said = match &scope.base {
            ScopeBase::Subtree { .. } => format!("subtree of {key}"),
            ScopeBase::Partner { .. } => format!("{key} alone"),
            ScopeBase::Own { .. } => format!("own things at {key}"),
            ScopeBase::UserGroups { partner, user_groups: groups } => {
                let at = self.by.at(*partner);
                let mut names = Vec::new();
                for group in groups {
                    names.push(self.group_name(tx, &at, *group).await?);
                }
                names.sort();
                format!("groups {} of {key}", names.join(", "))
            }
        };
        let mut without = Vec::new();
        for cut in &scope.excluded_partners {
            without.push(self.key(tx, *cut).await?);
        }
        without.sort();
        match scope.excluded_user_groups.len() {
            0 => {}
            1 => without.push("a user group".to_owned()),
            many => without.push(format!("{many} user groups")),
        }
        if !without.is_empty() {
            said = format!("{said} without {}", without.join(", "));
        }
        Ok(said)
    }

    /// Whoever holds a grant: `group Technicians of harbor`.
    pub(super) async fn holder(&mut self, tx: &mut Tx, at: &PartnerExtent, who: Holder) -> Result<String, ApplyError> {
        let name = match who {
            Holder::Group(id) => format!("group {}", self.group_name(tx, at, id).await?),
            Holder::User(id) => match self.known.user_name(id) {
                Some(known) => known.to_owned(),
                None => match users::get(tx, at, id).await? {
                    Some(user) => user.profile.login_name.unwrap_or(user.profile.display_name),
                    None => id.to_string(),
                },
            },
        };
        Ok(format!("{name} of {}", self.key(tx, at.partner()).await?))
    }

    /// What a rule does: `grant Operator over subtree of harbor`.
    pub(super) async fn effect(
        &mut self,
        tx: &mut Tx,
        at: &PartnerExtent,
        effect: &RuleEffect,
    ) -> Result<String, ApplyError> {
        Ok(match effect {
            RuleEffect::SetPrimaryGroup { user_group: group } => {
                format!("primary group {}", self.group_name(tx, at, *group).await?)
            }
            RuleEffect::AddToGroup { user_group: group } => {
                format!("add to group {}", self.group_name(tx, at, *group).await?)
            }
            RuleEffect::GrantRole { role, scope } => {
                format!("grant role {} over {}", self.role_name(tx, at, *role).await?, self.over(tx, scope).await?)
            }
        })
    }

    /// The name of a role that can be used at the partner.
    pub(super) async fn role_name(&self, tx: &mut Tx, at: &PartnerExtent, id: RoleId) -> Result<String, StoreError> {
        if let Some(known) = self.known.role_name(id) {
            return Ok(known.to_owned());
        }
        let role = roles::usable_by_id(tx, at, id).await?;
        Ok(role.map_or_else(|| id.to_string(), |role| role.name))
    }

    async fn group_name(&self, tx: &mut Tx, at: &PartnerExtent, id: UserGroupId) -> Result<String, StoreError> {
        if let Some(known) = self.known.group_name(id) {
            return Ok(known.to_owned());
        }
        let group = user_groups::get(tx, at, id).await?;
        Ok(group.map_or_else(|| id.to_string(), |group| group.name))
    }
}
