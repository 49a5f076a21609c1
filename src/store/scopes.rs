//! Scopes: the parts of the tree that grants, rules and ceilings speak of. Written once, never changed.
use std::collections::BTreeSet;

use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::grant::{Scope, ScopeBase, ScopeKind};
use crate::domain::id::{PartnerId, ScopeId, UserGroupId};
use crate::{binds, statements};

statements! {
    INSERT: insert[Uuid, Text, Uuid] = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, $2, $3)";
    INSERT_GROUPS: insert[Uuid, Uuid] = "INSERT INTO scope_user_groups (scope_id, user_group_id) VALUES ($1, $2)";
    INSERT_WITHOUT_PARTNERS: insert[Uuid, Uuid] = "INSERT INTO scope_excluded_partners (scope_id, partner_id) VALUES ($1, $2)";
    INSERT_WITHOUT_GROUPS: insert[Uuid, Uuid] = "INSERT INTO scope_excluded_user_groups (scope_id, user_group_id) VALUES ($1, $2)";
    BY_ID = "SELECT kind, partner_id FROM scopes WHERE id = $1";
    GROUPS = "SELECT user_group_id FROM scope_user_groups WHERE scope_id = $1";
    WITHOUT_PARTNERS = "SELECT partner_id FROM scope_excluded_partners WHERE scope_id = $1";
    WITHOUT_GROUPS = "SELECT user_group_id FROM scope_excluded_user_groups WHERE scope_id = $1";
}

/// Writes a scope. Whoever writes it has been allowed to speak of it: a scope is no tenant's row by itself.
///
/// # Errors
/// `StoreError::ForeignKey` when a partner or group in it does not exist. At the next statement, as [`Tx::later`] has it.
pub(in crate::store) async fn insert(tx: &mut Tx, id: ScopeId, scope: &Scope) -> Result<(), StoreError> {
    insert_all(tx, &[(id, scope)]).await
}

/// Writes scopes.
///
/// # Errors
/// As [`insert`].
pub(in crate::store) async fn insert_all(tx: &mut Tx, new: &[(ScopeId, &Scope)]) -> Result<(), StoreError> {
    tx.later(&INSERT, new.iter().map(|(id, scope)| binds![*id, scope.base.kind().as_str(), scope.partner()])).await?;
    let groups = new.iter().filter_map(|(id, scope)| match &scope.base {
        ScopeBase::UserGroups { user_groups: groups, .. } => Some(groups.iter().map(|group| binds![*id, *group])),
        _ => None,
    });
    tx.later(&INSERT_GROUPS, groups.flatten()).await?;
    let partners =
        new.iter().flat_map(|(id, scope)| scope.excluded_partners.iter().map(|partner| binds![*id, *partner]));
    tx.later(&INSERT_WITHOUT_PARTNERS, partners).await?;
    let groups = new.iter().flat_map(|(id, scope)| scope.excluded_user_groups.iter().map(|group| binds![*id, *group]));
    tx.later(&INSERT_WITHOUT_GROUPS, groups).await
}

/// Reads a scope.
///
/// # Errors
/// `StoreError::NotFound`.
pub(in crate::store) async fn get(reader: &mut Reader, id: ScopeId) -> Result<Scope, StoreError> {
    let (word, partner): (String, PartnerId) = reader.one(&BY_ID, binds![id], tuple).await?;
    let named = if ScopeKind::parse(&word) == Some(ScopeKind::UserGroups) {
        groups(reader, &GROUPS, id).await?
    } else {
        BTreeSet::new()
    };
    let base = base(&word, partner, named)?;
    let without_partners = reader.all(&WITHOUT_PARTNERS, binds![id], first).await?;
    Ok(Scope {
        base,
        excluded_partners: without_partners.into_iter().collect(),
        excluded_user_groups: groups(reader, &WITHOUT_GROUPS, id).await?,
    })
}

/// A scope's base of a stored kind; `groups` are those it names.
pub(super) fn base(
    kind: &str,
    partner: PartnerId,
    groups: impl IntoIterator<Item = UserGroupId>,
) -> Result<ScopeBase, StoreError> {
    Ok(match ScopeKind::parse(kind).ok_or_else(|| StoreError::Decode("kind".to_owned()))? {
        ScopeKind::Own => ScopeBase::Own { partner },
        ScopeKind::Partner => ScopeBase::Partner { partner },
        ScopeKind::Subtree => ScopeBase::Subtree { partner },
        ScopeKind::UserGroups => ScopeBase::UserGroups { partner, user_groups: groups.into_iter().collect() },
    })
}

async fn groups(
    reader: &mut Reader,
    statement: &'static super::Statement,
    id: ScopeId,
) -> Result<BTreeSet<UserGroupId>, StoreError> {
    Ok(reader.all(statement, binds![id], first).await?.into_iter().collect())
}
