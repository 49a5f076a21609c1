//! What the people of a directory hold that does not come from it. Whoever changes how the directory is reached could
//! appear as any of them, so guard G6 asks for this besides the directory's own ceiling.
use super::effective_lists::Conferred;
use super::extent::PartnerExtent;
use super::{Reader, StoreError, scopes, tuple};
use crate::domain::id::{DirectoryId, RoleId, ScopeId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

statements! {
    // From the grants, which are few, to the people. A place or label that comes from a rule is left out here: the
    // ceiling of the rule's directory bounds what it brings.
    GRANTS = "SELECT DISTINCT g.role, g.scope, g.valid_from, g.valid_until FROM role_grant g \
        WHERE g.suspended_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > $2) AND ( \
            EXISTS (SELECT 1 FROM external_user e WHERE e.person = g.holder_person AND e.directory = $1) \
            OR EXISTS (SELECT 1 FROM user_group_member u CROSS JOIN external_user e \
                WHERE u.user_group = g.holder_group AND e.person = u.person AND e.directory = $1) \
            OR EXISTS (SELECT 1 FROM user_group w CROSS JOIN live_person p CROSS JOIN external_user e \
                WHERE w.id = g.holder_group AND p.placement = w.id AND (w.is_default OR p.placement_pin = w.id) \
                    AND e.person = p.id AND e.directory = $1))";
    BESIDE = "SELECT c.role, c.scope FROM directory d CROSS JOIN directory_ceiling c \
        WHERE d.partner = $2 AND d.id <> $1 AND d.mode <> 'observe' AND c.directory = d.id \
            AND EXISTS (SELECT 1 FROM external_user o CROSS JOIN external_user e \
                WHERE o.directory = d.id AND e.person = o.person AND e.directory = $1)";
}

/// What people of whom `directory` speaks hold now or later: by hand, in their own name or through a user group, and
/// at most through other directories of the extent's partner that speak of them too.
///
/// # Errors
/// Only those of the store.
pub async fn held_otherwise(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<Vec<Conferred>, StoreError> {
    type Granted = (RoleId, ScopeId, Option<Timestamp>, Option<Timestamp>);
    let granted: Vec<Granted> = reader.all(&GRANTS, binds![directory, now], tuple).await?;
    let beside: Vec<(RoleId, ScopeId)> = reader.all(&BESIDE, binds![directory, at.partner()], tuple).await?;
    let mut held = Vec::with_capacity(granted.len() + beside.len());
    for (role, scope, from, until) in granted {
        held.push((role, scopes::get(reader, scope).await?, Window { from, until }));
    }
    for (role, scope) in beside {
        held.push((role, scopes::get(reader, scope).await?, Window::default()));
    }
    Ok(held)
}
