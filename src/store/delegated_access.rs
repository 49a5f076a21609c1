//! What comes to users beside a directory's own ceiling: what the users it may speak for hold, for whoever changes how it
//! is reached (guard G6), and what comes to somebody by existing, for whoever confirms them (guard G4).
use super::effective_lists::ScopedRole;
use super::extent::{OperatorExtent, PartnerExtent};
use super::{Reader, Row, StoreError, first, scopes, tuple};
use crate::domain::directory::CeilingEntry;
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{DirectoryId, RoleId, ScopeId, UserId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

/// Directory `$1` speaks of the user `{person}` now, or could again: a key that named them brings them back.
fn spoken_of(user: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM external_users e WHERE e.user_id = {user} AND e.directory_id = $1) \
        OR EXISTS (SELECT 1 FROM match_keys i WHERE i.user_id = {user} AND i.directory_id = $1))"
    )
}

/// The grant `g` is in force, or will be.
const IN_FORCE: &str = "g.suspended_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > $2)";

statements! {
    // From the grants, which are few, to the users. A place or label that comes from a rule is left out here: the
    // ceiling of the rule's directory bounds what it brings. So it does for users whom nobody has confirmed in a default
    // group; confirmed ones count for it wherever they are placed now, because a directory that says less of them puts
    // them there.
    GRANTS = format!("SELECT DISTINCT g.role_id, g.scope_id, g.valid_from, g.valid_until FROM grants g \
        WHERE {IN_FORCE} AND ({} \
            OR EXISTS (SELECT 1 FROM user_group_members u WHERE u.user_group_id = g.user_group_id AND {}) \
            OR EXISTS (SELECT 1 FROM user_groups w CROSS JOIN live_users p \
                WHERE w.id = g.user_group_id AND p.primary_group_id = w.id AND p.pinned_group_id = w.id AND {}) \
            OR EXISTS (SELECT 1 FROM user_groups w CROSS JOIN live_users p \
                WHERE w.id = g.user_group_id AND w.is_default AND p.partner_id = w.partner_id AND p.pinned_group_id IS NULL \
                    AND p.confirmed_at IS NOT NULL AND {}))",
        spoken_of("g.user_id"), spoken_of("u.user_id"), spoken_of("p.id"), spoken_of("p.id"));
    BESIDE = format!("SELECT c.role_id, c.scope_id FROM directories d CROSS JOIN directory_ceilings c \
        WHERE d.partner_id = $2 AND d.id <> $1 AND d.mode <> 'observe' AND c.directory_id = d.id \
            AND EXISTS (SELECT 1 FROM connections n CROSS JOIN external_users o \
                WHERE n.directory_id = d.id AND o.connection_id = n.id AND o.user_id IS NOT NULL AND {})",
        spoken_of("o.user_id"));
    BY_EXISTING = format!("SELECT DISTINCT g.role_id, g.scope_id, g.valid_from, g.valid_until \
        FROM live_users p CROSS JOIN user_groups w CROSS JOIN grants g \
        WHERE p.id = $1 AND w.partner_id = p.partner_id AND w.is_default AND g.user_group_id = w.id AND {IN_FORCE}");
    UNCONFIRMED = "SELECT COUNT(*) FROM live_users WHERE confirmed_at IS NULL";
    RESTING = "SELECT q.name, d.name, d.id, r.name, g.role_id, g.scope_id, COUNT(DISTINCT p.id) \
        FROM grants g JOIN user_groups w ON w.id = g.user_group_id AND w.is_default \
        JOIN live_users p ON p.primary_group_id = w.id AND p.pinned_group_id IS NULL AND p.confirmed_at IS NULL \
        JOIN external_users e ON e.user_id = p.id AND e.active JOIN directories d ON d.id = e.directory_id \
        JOIN live_partners q ON q.id = w.partner_id JOIN roles r ON r.id = g.role_id \
        WHERE g.suspended_at IS NULL AND d.mode <> 'observe' \
        GROUP BY q.name, d.name, d.id, r.name, g.role_id, g.scope_id, g.id ORDER BY q.name, d.name, r.name, g.id";
    CEILING = "SELECT k.role_id, k.scope_id FROM directory_ceilings k WHERE k.directory_id = $1 ORDER BY k.scope_id";
    VOUCHING = "SELECT DISTINCT d.id, d.name FROM external_users e JOIN directories d ON d.id = e.directory_id \
        WHERE e.user_id = $1 AND e.active AND d.mode <> 'observe' ORDER BY d.name, d.id";
}

type Granted = (RoleId, ScopeId, Option<Timestamp>, Option<Timestamp>);

async fn with_scopes(reader: &mut Reader, granted: Vec<Granted>) -> Result<Vec<ScopedRole>, StoreError> {
    let mut held = Vec::with_capacity(granted.len());
    for (role, scope, from, until) in granted {
        held.push((role, scopes::get(reader, scope).await?, Window { from, until }));
    }
    Ok(held)
}

/// What users of whom `directory` speaks, or could speak again, hold now or later: by hand, in their own name or through
/// a user group, and at most through other directories of the extent's partner that speak of them too.
///
/// # Errors
/// Only those of the store.
pub async fn held_otherwise(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<Vec<ScopedRole>, StoreError> {
    let granted: Vec<Granted> = reader.all(&GRANTS, binds![directory, now], tuple).await?;
    let beside: Vec<(RoleId, ScopeId)> = reader.all(&BESIDE, binds![directory, at.partner()], tuple).await?;
    let mut held = with_scopes(reader, granted).await?;
    for (role, scope) in beside {
        held.push((role, scopes::get(reader, scope).await?, Window::default()));
    }
    Ok(held)
}

/// What comes to a user of the extent by existing alone, now or later, once they are confirmed: what the default group
/// of their home holds, but for their own things.
///
/// # Errors
/// Only those of the store.
pub async fn by_existing(
    reader: &mut Reader,
    _at: &PartnerExtent,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<ScopedRole>, StoreError> {
    let granted: Vec<Granted> = reader.all(&BY_EXISTING, binds![user, now], tuple).await?;
    let mut held = with_scopes(reader, granted).await?;
    held.retain(|(_, scope, _)| !matches!(scope.base, ScopeBase::Own { .. }));
    Ok(held)
}

/// A directory that vouches for somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voucher {
    /// The directory.
    pub directory: DirectoryId,
    /// Its name.
    pub name: String,
}

/// The directories that say that a user within the extent is there: what the user rests on until confirmed.
///
/// # Errors
/// Only those of the store.
pub async fn vouching(reader: &mut Reader, _at: &PartnerExtent, user: UserId) -> Result<Vec<Voucher>, StoreError> {
    let read = |row: &Row| Ok(Voucher { directory: row.get(0)?, name: row.get(1)? });
    reader.all(&VOUCHING, binds![user], read).await
}

/// A grant of a default group that does not reach users whom nobody has confirmed, or not in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreachedGrant {
    /// The partner of the default group.
    pub partner: String,
    /// The directory the users rest on.
    pub directory: String,
    /// What it may confer at most.
    pub ceiling: Vec<CeilingEntry>,
    /// The role, by name and id.
    pub role: (String, RoleId),
    /// Over what it is granted.
    pub scope: Scope,
    /// How many users.
    pub users: i64,
}

/// How many users nobody has confirmed, and each grant of a default group they are in.
///
/// # Errors
/// Only those of the store.
pub async fn resting(reader: &mut Reader, _by: &OperatorExtent) -> Result<(i64, Vec<UnreachedGrant>), StoreError> {
    let count = reader.one(&UNCONFIRMED, binds![], first).await?;
    let rows = reader.all(&RESTING, binds![], resting_row).await?;
    let mut found = Vec::with_capacity(rows.len());
    for (make, directory, scope) in rows {
        let mut ceiling = Vec::new();
        let rows: Vec<(RoleId, ScopeId)> = reader.all(&CEILING, binds![directory], tuple).await?;
        for (role, scope) in rows {
            ceiling.push(CeilingEntry { role, scope: scopes::get(reader, scope).await? });
        }
        found.push(make(ceiling, scopes::get(reader, scope).await?));
    }
    Ok((count, found))
}

/// Completes a row by its ceiling and its scope.
type MakeUnreachedGrant = Box<dyn FnOnce(Vec<CeilingEntry>, Scope) -> UnreachedGrant + Send>;

/// Reads a row as far as it goes: ceiling and scope are read apart.
fn resting_row(row: &Row) -> Result<(MakeUnreachedGrant, DirectoryId, ScopeId), StoreError> {
    let (partner, directory, users) = (row.get(0)?, row.get(1)?, row.get(6)?);
    let role = (row.get(3)?, row.get(4)?);
    let make: MakeUnreachedGrant =
        Box::new(move |ceiling, scope| UnreachedGrant { partner, directory, ceiling, role, scope, users });
    Ok((make, row.get(2)?, row.get(5)?))
}
