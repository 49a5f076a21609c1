//! What guards ask of the tables: the shape of the tree around some scopes, what a role confers, what a directory may.
use std::collections::{BTreeMap, BTreeSet};

use super::{Reader, StoreError, first, scopes, tuple};
use crate::access::scope::Tree;
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Scope;
use crate::domain::id::{DirectoryId, PartnerId, RoleId, ScopeId, UserGroupId};
use crate::{binds, statements};

statements! {
    ANCESTORS: set = "SELECT partner_id, ancestor_id FROM partner_ancestors WHERE partner_id IN ($1)";
    OWNERS: set = "SELECT id, partner_id FROM user_groups WHERE id IN ($1)";
    CONFERRED = "SELECT c.capability_id FROM role_capabilities c WHERE c.role_id = $1 AND NOT EXISTS (\
        SELECT 1 FROM role_ancestors a WHERE a.role_id = $1 AND NOT EXISTS (\
            SELECT 1 FROM role_capabilities o WHERE o.role_id = a.ancestor_id AND o.capability_id = c.capability_id))";
    CEILINGS = "SELECT k.role_id, k.scope_id FROM directory_ceilings k WHERE k.directory_id = $1 ORDER BY k.scope_id";
}

/// The partner tree as far as some scopes speak of it.
#[derive(Debug, Default)]
pub struct StoredTree {
    above: BTreeMap<PartnerId, BTreeSet<PartnerId>>,
    owners: BTreeMap<UserGroupId, PartnerId>,
}

impl StoredTree {
    /// Reads what is needed to compare these scopes.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn load(reader: &mut Reader, over: impl IntoIterator<Item = &Scope>) -> Result<Self, StoreError> {
        let (mut partners, mut groups) = (BTreeSet::new(), BTreeSet::<UserGroupId>::new());
        for scope in over {
            partners.insert(scope.partner());
            partners.extend(&scope.excluded_partners);
            groups.extend(&scope.excluded_user_groups);
        }
        let owners: Vec<(UserGroupId, PartnerId)> = reader.all_in(&OWNERS, binds![], groups, tuple).await?;
        partners.extend(owners.iter().map(|(_, owner)| *owner));
        let pairs: Vec<(PartnerId, PartnerId)> = reader.all_in(&ANCESTORS, binds![], partners, tuple).await?;
        let mut tree = Self { above: BTreeMap::new(), owners: owners.into_iter().collect() };
        for (partner, ancestor) in pairs {
            tree.above.entry(partner).or_default().insert(ancestor);
        }
        Ok(tree)
    }
}

impl Tree for StoredTree {
    fn within(&self, partner: PartnerId, top: PartnerId) -> bool {
        self.above.get(&partner).is_some_and(|above| above.contains(&top))
    }
    fn owner(&self, group: UserGroupId) -> Option<PartnerId> {
        self.owners.get(&group).copied()
    }
}

/// What a role confers: its own set cut down to that of every role above.
pub(super) async fn conferred(reader: &mut Reader, role: RoleId) -> Result<BTreeSet<CapabilityId>, StoreError> {
    let numbers: Vec<i64> = reader.all(&CONFERRED, binds![role], first).await?;
    Ok(numbers.into_iter().map(CapabilityId).collect())
}

/// What a directory may confer at most: what the role of each row confers, over the row's scope.
pub(super) async fn ceilings(reader: &mut Reader, directory: DirectoryId) -> Result<Vec<CeilingRow>, StoreError> {
    let rows: Vec<(RoleId, ScopeId)> = reader.all(&CEILINGS, binds![directory], tuple).await?;
    let mut ceilings = Vec::new();
    for (role, scope) in rows {
        ceilings.push((conferred(reader, role).await?, scopes::get(reader, scope).await?));
    }
    Ok(ceilings)
}

/// Capabilities, and over what.
pub(super) type CeilingRow = (BTreeSet<CapabilityId>, Scope);
