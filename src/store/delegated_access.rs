//! What comes to people beside a directory's own ceiling: what the people it may speak for hold, for whoever changes how it
//! is reached (guard G6), and what comes to somebody by existing, for whoever confirms them (guard G4).
use super::effective_lists::ScopedRole;
use super::extent::{OperatorExtent, PartnerExtent};
use super::{Reader, Row, StoreError, first, scopes, tuple};
use crate::domain::directory::CeilingEntry;
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{DirectoryId, RoleId, ScopeId, UserId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

/// Directory `$1` speaks of the person `{person}` now, or could again: a key that named them brings them back.
fn spoken_of(person: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM external_user e WHERE e.person = {person} AND e.directory = $1) \
        OR EXISTS (SELECT 1 FROM identity i WHERE i.person = {person} AND i.directory = $1))"
    )
}

/// The grant `g` is in force, or will be.
const IN_FORCE: &str = "g.suspended_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > $2)";

statements! {
    // From the grants, which are few, to the people. A place or label that comes from a rule is left out here: the
    // ceiling of the rule's directory bounds what it brings. So it does for people whom nobody has confirmed in a default
    // group; confirmed ones count for it wherever they are placed now, because a directory that says less of them puts
    // them there.
    GRANTS = format!("SELECT DISTINCT g.role, g.scope, g.valid_from, g.valid_until FROM role_grant g \
        WHERE {IN_FORCE} AND ({} \
            OR EXISTS (SELECT 1 FROM user_group_member u WHERE u.user_group = g.holder_group AND {}) \
            OR EXISTS (SELECT 1 FROM user_group w CROSS JOIN live_person p \
                WHERE w.id = g.holder_group AND p.placement = w.id AND p.placement_pin = w.id AND {}) \
            OR EXISTS (SELECT 1 FROM user_group w CROSS JOIN live_person p \
                WHERE w.id = g.holder_group AND w.is_default AND p.partner = w.partner AND p.placement_pin IS NULL \
                    AND p.confirmed_at IS NOT NULL AND {}))",
        spoken_of("g.holder_person"), spoken_of("u.person"), spoken_of("p.id"), spoken_of("p.id"));
    BESIDE = format!("SELECT c.role, c.scope FROM directory d CROSS JOIN directory_ceiling c \
        WHERE d.partner = $2 AND d.id <> $1 AND d.mode <> 'observe' AND c.directory = d.id \
            AND EXISTS (SELECT 1 FROM connection n CROSS JOIN external_user o \
                WHERE n.directory = d.id AND o.connection = n.id AND o.person IS NOT NULL AND {})",
        spoken_of("o.person"));
    BY_EXISTING = format!("SELECT DISTINCT g.role, g.scope, g.valid_from, g.valid_until \
        FROM live_person p CROSS JOIN user_group w CROSS JOIN role_grant g \
        WHERE p.id = $1 AND w.partner = p.partner AND w.is_default AND g.holder_group = w.id AND {IN_FORCE}");
    UNCONFIRMED = "SELECT COUNT(*) FROM live_person WHERE confirmed_at IS NULL";
    RESTING = "SELECT q.name, d.name, d.id, r.name, g.role, g.scope, COUNT(DISTINCT p.id) \
        FROM role_grant g JOIN user_group w ON w.id = g.holder_group AND w.is_default \
        JOIN live_person p ON p.placement = w.id AND p.placement_pin IS NULL AND p.confirmed_at IS NULL \
        JOIN external_user e ON e.person = p.id AND e.active JOIN directory d ON d.id = e.directory \
        JOIN live_partner q ON q.id = w.partner JOIN role r ON r.id = g.role \
        WHERE g.suspended_at IS NULL AND d.mode <> 'observe' \
        GROUP BY q.name, d.name, d.id, r.name, g.role, g.scope, g.id ORDER BY q.name, d.name, r.name, g.id";
    CEILING = "SELECT k.role, k.scope FROM directory_ceiling k WHERE k.directory = $1 ORDER BY k.scope";
    VOUCHING = "SELECT DISTINCT d.id, d.name FROM external_user e JOIN directory d ON d.id = e.directory \
        WHERE e.person = $1 AND e.active AND d.mode <> 'observe' ORDER BY d.name, d.id";
}

type Granted = (RoleId, ScopeId, Option<Timestamp>, Option<Timestamp>);

async fn with_scopes(reader: &mut Reader, granted: Vec<Granted>) -> Result<Vec<ScopedRole>, StoreError> {
    let mut held = Vec::with_capacity(granted.len());
    for (role, scope, from, until) in granted {
        held.push((role, scopes::get(reader, scope).await?, Window { from, until }));
    }
    Ok(held)
}

/// What people of whom `directory` speaks, or could speak again, hold now or later: by hand, in their own name or through
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

/// What comes to a person of the extent by existing alone, now or later, once they are confirmed: what the default group
/// of their home holds, but for their own things.
///
/// # Errors
/// Only those of the store.
pub async fn by_existing(
    reader: &mut Reader,
    _at: &PartnerExtent,
    person: UserId,
    now: Timestamp,
) -> Result<Vec<ScopedRole>, StoreError> {
    let granted: Vec<Granted> = reader.all(&BY_EXISTING, binds![person, now], tuple).await?;
    let mut held = with_scopes(reader, granted).await?;
    held.retain(|(_, scope, _)| !matches!(scope.reach, ScopeBase::Own { .. }));
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

/// The directories that say that a person within the extent is there: what the person rests on until confirmed.
///
/// # Errors
/// Only those of the store.
pub async fn vouching(reader: &mut Reader, _at: &PartnerExtent, person: UserId) -> Result<Vec<Voucher>, StoreError> {
    let read = |row: &Row| Ok(Voucher { directory: row.get(0)?, name: row.get(1)? });
    reader.all(&VOUCHING, binds![person], read).await
}

/// A grant of a default group that does not reach people whom nobody has confirmed, or not in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreachedGrant {
    /// The partner of the default group.
    pub partner: String,
    /// The directory the people rest on.
    pub directory: String,
    /// What it may confer at most.
    pub ceiling: Vec<CeilingEntry>,
    /// The role, by name and id.
    pub role: (String, RoleId),
    /// Over what it is granted.
    pub scope: Scope,
    /// How many people.
    pub people: i64,
}

/// How many people nobody has confirmed, and each grant of a default group they are in.
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
    let (partner, directory, people) = (row.get(0)?, row.get(1)?, row.get(6)?);
    let role = (row.get(3)?, row.get(4)?);
    let make: MakeUnreachedGrant =
        Box::new(move |ceiling, scope| UnreachedGrant { partner, directory, ceiling, role, scope, people });
    Ok((make, row.get(2)?, row.get(5)?))
}
