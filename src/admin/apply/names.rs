//! What the names of a declaration stand for.
use std::collections::{BTreeMap, BTreeSet};

use super::{ApplyError, Run};
use crate::admin::declaration::ScopeDecl;
use crate::domain::grant::{Reach, Scope};
use crate::domain::group::UserGroup;
use crate::domain::id::{PartnerId, UserId};
use crate::domain::partner::Partner;
use crate::domain::role::Role;
use crate::store::extent::PartnerExtent;
use crate::store::{StoreError, Tx, partners, people, roles, user_groups};

/// Partners already looked up.
#[derive(Default)]
pub(super) struct Names {
    pub(super) partners: BTreeMap<String, PartnerExtent>,
    pub(super) keys: BTreeMap<PartnerId, String>,
}

impl Run<'_> {
    /// The partner of that key.
    pub(super) async fn partner(&mut self, tx: &mut Tx, place: &str, key: &str) -> Result<PartnerExtent, ApplyError> {
        if let Some(known) = self.names.partners.get(key) {
            return Ok(*known);
        }
        let partner = self.stored(tx, key).await?.ok_or_else(|| ApplyError::unknown(place, "partner", key))?;
        let extent = self.by.at(partner.id);
        self.names.partners.insert(key.to_owned(), extent);
        Ok(extent)
    }

    /// The partner of that key; one without a key goes by its id, as `export` writes it.
    pub(super) async fn stored(&self, tx: &mut Tx, key: &str) -> Result<Option<Partner>, StoreError> {
        let found = partners::by_key(tx, &self.by, key).await?;
        match (found, key.parse::<PartnerId>()) {
            (None, Ok(id)) => match partners::get(tx, &self.by.at(id)).await {
                Ok(partner) if partner.external_id.is_none() => Ok(Some(partner)),
                Ok(_) | Err(StoreError::NotFound) => Ok(None),
                Err(error) => Err(error),
            },
            (found, _) => Ok(found),
        }
    }

    /// The user group of that name.
    pub(super) async fn group(
        &self,
        tx: &mut Tx,
        place: &str,
        at: &PartnerExtent,
        name: &str,
    ) -> Result<UserGroup, ApplyError> {
        let group = user_groups::by_name(tx, at, name).await?;
        group.ok_or_else(|| ApplyError::unknown(place, "user group", name))
    }

    /// The role of that name that can be used at the partner: its own, or one of a partner above.
    pub(super) async fn role(
        &self,
        tx: &mut Tx,
        place: &str,
        at: &PartnerExtent,
        name: &str,
    ) -> Result<Role, ApplyError> {
        let role = roles::usable_by_name(tx, at, name).await?;
        role.ok_or_else(|| ApplyError::unknown(place, "role", name))
    }

    /// The person of that login name.
    pub(super) async fn user(
        &self,
        tx: &mut Tx,
        place: &str,
        at: &PartnerExtent,
        login: &str,
    ) -> Result<UserId, ApplyError> {
        let user = people::by_login(tx, at, login).await?;
        user.ok_or_else(|| ApplyError::unknown(place, "user", login))
    }

    /// The scope a declaration means.
    pub(super) async fn scope(&mut self, tx: &mut Tx, place: &str, decl: &ScopeDecl) -> Result<Scope, ApplyError> {
        let reach = match (&decl.subtree, &decl.partner, &decl.groups_of, &decl.own) {
            (Some(key), None, None, None) => Reach::Subtree { partner: self.partner(tx, place, key).await?.partner() },
            (None, Some(key), None, None) => Reach::Partner { partner: self.partner(tx, place, key).await?.partner() },
            (None, None, Some(key), None) if !decl.groups.is_empty() => {
                let at = self.partner(tx, place, key).await?;
                let mut groups = BTreeSet::new();
                for name in &decl.groups {
                    groups.insert(self.group(tx, place, &at, name).await?.id);
                }
                Reach::Groups { partner: at.partner(), groups }
            }
            (None, None, None, Some(key)) => Reach::Own { partner: self.partner(tx, place, key).await?.partner() },
            _ => {
                let why = "a scope names one of `subtree`, `partner`, `own`, or `groups_of` with `groups`";
                return Err(ApplyError::wrong(place, why));
            }
        };
        let mut scope = Scope::of(reach);
        for key in &decl.without {
            scope.without_partners.insert(self.partner(tx, place, key).await?.partner());
        }
        Ok(scope)
    }
}
