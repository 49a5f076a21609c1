//! What the names of a declaration stand for.
use std::collections::{BTreeSet, HashMap};

use super::error::Spot;
use super::{ApplyError, Run};
use crate::admin::declaration::{PartnerDecl, ScopeDecl};
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::group::UserGroup;
use crate::domain::id::{PartnerId, RoleId, UserId};
use crate::domain::partner::Partner;
use crate::domain::role::Role;
use crate::domain::text::fold;
use crate::store::extent::PartnerExtent;
use crate::store::{StoreError, Tx, partners, roles, user_groups, users};

/// Names already looked up, and names of what is declared wrongly.
#[derive(Default)]
pub(super) struct Names {
    pub(super) partners: HashMap<String, PartnerExtent>,
    broken: BTreeSet<(&'static str, String)>,
}

impl Run<'_> {
    /// Goes on after something that is wrong in the declaration, so that all of it is told at once: `None`. What the
    /// store says is returned.
    pub(super) fn note<T>(&mut self, result: Result<T, ApplyError>) -> Result<Option<T>, ApplyError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(ApplyError::Refused(faults)) => {
                self.faults.0.extend(faults.0);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Does what one declaration says, and goes on when it is wrong: then those who name it say nothing.
    pub(super) fn done<T>(
        &mut self,
        kind: &'static str,
        name: &str,
        result: Result<T, ApplyError>,
    ) -> Result<(), ApplyError> {
        if self.note(result)?.is_none() {
            self.names.broken.insert((kind, fold(name)));
        }
        Ok(())
    }

    fn missing(&self, spot: &Spot, kind: &'static str, name: &str) -> ApplyError {
        if self.names.broken.contains(&(kind, fold(name))) { ApplyError::follows() } else { spot.unknown(kind, name) }
    }

    /// The partner of that key.
    pub(super) async fn partner(&mut self, tx: &mut Tx, spot: &Spot, key: &str) -> Result<PartnerExtent, ApplyError> {
        if let Some(known) = self.names.partners.get(key) {
            return Ok(*known);
        }
        let found = self.stored(tx, spot, key).await?;
        let partner = found.ok_or_else(|| self.missing(spot, "partner", key))?;
        let extent = self.by.at(partner.id);
        self.names.partners.insert(key.to_owned(), extent);
        Ok(extent)
    }

    /// The partner of that key; one whose key does not tell it from others goes by its id, as `export` writes it.
    pub(super) async fn stored(&mut self, tx: &mut Tx, spot: &Spot, key: &str) -> Result<Option<Partner>, ApplyError> {
        match self.known.keyed(key).to_vec().as_slice() {
            [] => {}
            [one] => return Ok(self.known.partners.get(one).cloned()),
            many => {
                // Whoever makes partners in the tree takes no key away from the operator.
                let made = self.made_by_operator(tx, many).await?;
                let [one] = made.as_slice() else {
                    let why = format!("more than one partner has the key `{key}`; write the id instead");
                    return Err(spot.wrong(why));
                };
                return Ok(self.known.partners.get(one).cloned());
            }
        }
        let Ok(id) = key.parse::<PartnerId>() else { return Ok(None) };
        let found = match self.known.partners.get(&id) {
            Some(partner) => Some(partner.clone()),
            None => match partners::get(tx, &self.by.at(id)).await {
                Ok(partner) => Some(partner),
                Err(StoreError::NotFound) => None,
                Err(error) => return Err(error.into()),
            },
        };
        let Some(partner) = found else { return Ok(None) };
        let unnamed = match &partner.external_id {
            None => true,
            Some(key) => partners::keyed(tx, &self.by, key).await? > 1,
        };
        Ok(unnamed.then_some(partner))
    }

    /// Those of these partners that the operator made.
    async fn made_by_operator(&self, tx: &mut Tx, of: &[PartnerId]) -> Result<Vec<PartnerId>, ApplyError> {
        let mut made = Vec::new();
        for id in of {
            if partners::made_by_operator(tx, &self.by, *id).await? {
                made.push(*id);
            }
        }
        Ok(made)
    }

    /// The partner that a declaration is about: the one of its key directly below the declared parent, else one of that key
    /// that the operator made elsewhere, which is not moved. One that somebody else made elsewhere is another partner.
    pub(super) async fn declared(
        &mut self,
        tx: &mut Tx,
        spot: &Spot,
        decl: &PartnerDecl,
    ) -> Result<Option<Partner>, ApplyError> {
        let keyed = self.known.keyed(&decl.key).to_vec();
        if keyed.is_empty() {
            return self.stored(tx, &spot.part("key"), &decl.key).await;
        }
        let parent = match &decl.parent {
            None => None,
            Some(key) => match self.names.partners.get(key) {
                Some(known) => Some(known.partner()),
                None => self.stored(tx, &spot.part("parent"), key).await?.map(|parent| parent.id),
            },
        };
        let resolved = parent.is_some() || decl.parent.is_none();
        let stands = |id: &&PartnerId| self.known.partners.get(id).is_some_and(|one| one.parent == parent);
        let found = match keyed.iter().find(stands).filter(|_| resolved) {
            Some(here) => Some(*here),
            None => self.made_by_operator(tx, &keyed).await?.into_iter().next(),
        };
        Ok(found.and_then(|id| self.known.partners.get(&id).cloned()))
    }

    /// The user group of that name.
    pub(super) async fn group(
        &mut self,
        tx: &mut Tx,
        spot: &Spot,
        at: &PartnerExtent,
        name: &str,
    ) -> Result<UserGroup, ApplyError> {
        if let Some(known) = self.known.group(at.partner(), name) {
            return Ok(known.clone());
        }
        let found = user_groups::by_name(tx, at, name).await?;
        found.ok_or_else(|| self.missing(spot, "user group", name))
    }

    /// The role of that name that can be used at the partner: its own, or that of the nearest partner above. One that
    /// another of its name hides goes by its id, as `export` writes it.
    pub(super) async fn role(
        &mut self,
        tx: &mut Tx,
        spot: &Spot,
        at: &PartnerExtent,
        name: &str,
    ) -> Result<Role, ApplyError> {
        if let Some(known) = self.known.usable_role(at.partner(), name) {
            return Ok(known.clone());
        }
        let mut found = roles::usable_by_name(tx, at, name).await?;
        if let (None, Ok(id)) = (&found, name.parse::<RoleId>()) {
            found = roles::usable_by_id(tx, at, id).await?;
        }
        found.ok_or_else(|| self.missing(spot, "role", name))
    }

    /// The user of that login name.
    pub(super) async fn user(
        &mut self,
        tx: &mut Tx,
        spot: &Spot,
        at: &PartnerExtent,
        login: &str,
    ) -> Result<UserId, ApplyError> {
        if let Some(known) = self.known.user(at.partner(), login) {
            return Ok(known.id);
        }
        if let Some(known) = self.known.other_user(at.partner(), login) {
            return Ok(known);
        }
        let found = users::by_login(tx, at, login).await?;
        found.ok_or_else(|| self.missing(spot, "user", login))
    }

    /// The scope a declaration means.
    pub(super) async fn scope(&mut self, tx: &mut Tx, spot: &Spot, decl: &ScopeDecl) -> Result<Scope, ApplyError> {
        let reach = self.reach(tx, spot, decl).await;
        let reach = self.note(reach)?;
        let mut scope = reach.map(Scope::of);
        for (number, key) in decl.exclude.iter().enumerate() {
            let cut = self.partner(tx, &spot.part(format_args!("exclude/{number}")), key).await;
            scope = scope.zip(self.note(cut)?).map(|(mut scope, cut)| {
                scope.excluded_partners.insert(cut.partner());
                scope
            });
        }
        for (number, named) in decl.exclude_user_groups.iter().enumerate() {
            let spot = spot.part(format_args!("exclude_user_groups/{number}"));
            let at = self.partner(tx, &spot.part("partner"), &named.partner).await;
            let cut = match self.note(at)? {
                Some(at) => self.group(tx, &spot.part("user_group"), &at, &named.user_group).await,
                None => Err(ApplyError::follows()),
            };
            scope = scope.zip(self.note(cut)?).map(|(mut scope, cut)| {
                scope.excluded_user_groups.insert(cut.id);
                scope
            });
        }
        scope.ok_or_else(ApplyError::follows)
    }

    async fn reach(&mut self, tx: &mut Tx, spot: &Spot, decl: &ScopeDecl) -> Result<ScopeBase, ApplyError> {
        Ok(match (&decl.subtree, &decl.partner, &decl.user_groups_of, &decl.own) {
            (Some(key), None, None, None) => {
                ScopeBase::Subtree { partner: self.partner(tx, &spot.part("subtree"), key).await?.partner() }
            }
            (None, Some(key), None, None) => {
                ScopeBase::Partner { partner: self.partner(tx, &spot.part("partner"), key).await?.partner() }
            }
            (None, None, Some(key), None) if !decl.user_groups.is_empty() => {
                let at = self.partner(tx, &spot.part("user_groups_of"), key).await?;
                let (mut groups, mut whole) = (BTreeSet::new(), true);
                for (number, name) in decl.user_groups.iter().enumerate() {
                    let group = self.group(tx, &spot.part(format_args!("user_groups/{number}")), &at, name).await;
                    match self.note(group)? {
                        Some(group) => drop(groups.insert(group.id)),
                        None => whole = false,
                    }
                }
                if !whole {
                    return Err(ApplyError::follows());
                }
                ScopeBase::UserGroups { partner: at.partner(), user_groups: groups }
            }
            (None, None, None, Some(key)) => {
                ScopeBase::Own { partner: self.partner(tx, &spot.part("self"), key).await?.partner() }
            }
            _ => {
                let why = "a scope names one of `subtree`, `partner`, `own`, or `user_groups_of` with `user_groups`";
                return Err(spot.wrong(why));
            }
        })
    }
}
