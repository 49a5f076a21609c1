//! Directories and their ceilings.
use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::{FromRow, Reader, Row, StoreError, Tx, first, login_attempts, scopes, tuple};
use crate::binds;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{CeilingEntry, Directory, DirectoryMode};
use crate::domain::id::{DirectoryId, PartnerId, RoleId, ScopeId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::statements;

statements! {
    INSERT = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)";
    // Of the mode of before: who leaves `observe` leaves users behind that wait.
    UPDATE = "UPDATE directories SET name = $3, name_key = $4, mode = $5, priority = $6, version = version + 1, \
        introducing = (introducing OR mode = 'observe') AND $5 <> 'observe' WHERE id = $1 AND partner_id = $2";
    INTRODUCING = "SELECT id, partner_id FROM directories WHERE introducing ORDER BY id";
    INTRODUCED = "UPDATE directories SET introducing = FALSE WHERE id = $1 AND partner_id = $2";
    SPEAKS = "SELECT EXISTS (SELECT 1 FROM connections c CROSS JOIN external_users e \
        WHERE c.directory_id = $1 AND e.connection_id = c.id AND e.user_id > $2)";
    ACTIVATE = "UPDATE directories SET rule_set_version = $3, version = version + 1 WHERE id = $1 AND partner_id = $2";
    BY_ID = "SELECT id, partner_id, name, mode, rule_set_version, priority, version FROM directories \
        WHERE id = $1 AND partner_id = $2";
    BY_NAME = "SELECT id, partner_id, name, mode, rule_set_version, priority, version FROM directories \
        WHERE partner_id = $1 AND name_key = $2";
    OF_PARTNER = "SELECT id, partner_id, name, mode, rule_set_version, priority, version FROM directories \
        WHERE partner_id = $1 ORDER BY name_key, id";
    RENEW_TRUST = "UPDATE connections SET trust_version = trust_version + 1 WHERE directory_id = $1";
    MODE = "SELECT mode FROM directories WHERE id = $1";
    INSERT_CEILING = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
    CLEAR_CEILINGS = "DELETE FROM directory_ceilings WHERE directory_id = $1";
    CEILINGS = "SELECT c.role_id, c.scope_id FROM directory_ceilings c JOIN directories d ON d.id = c.directory_id \
        WHERE d.id = $1 AND d.partner_id = $2 ORDER BY c.scope_id";
}

impl FromRow for Directory {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            partner: row.get("partner_id")?,
            name: row.get("name")?,
            mode: DirectoryMode::parse(&row.get::<String>("mode")?)
                .ok_or_else(|| StoreError::Decode("mode".to_owned()))?,
            rule_set_version: row.get("rule_set_version")?,
            priority: row.get("priority")?,
            version: row.get("version")?,
        })
    }
}

/// Writes a directory of the extent's partner.
///
/// # Errors
/// `StoreError::Unique` when the partner has one of that name.
pub async fn insert(tx: &mut Tx, at: &PartnerExtent, new: &Directory, created_at: Timestamp) -> Result<(), StoreError> {
    let values = binds![
        new.id,
        at.partner(),
        &new.name,
        fold(&new.name).into_bytes(),
        new.mode.as_str(),
        new.rule_set_version,
        new.priority,
        created_at
    ];
    tx.execute(&INSERT, values).await?;
    Ok(())
}

/// Changes name, mode and authority. In the mode `observe` its connections open nothing: sessions and sign-ins that
/// began through them end for good.
///
/// # Errors
/// `StoreError::NotFound` when it is not the extent's.
pub async fn update(tx: &mut Tx, at: &PartnerExtent, changed: &Directory) -> Result<(), StoreError> {
    let values = binds![
        changed.id,
        at.partner(),
        &changed.name,
        fold(&changed.name).into_bytes(),
        changed.mode.as_str(),
        changed.priority
    ];
    found(tx.execute(&UPDATE, values).await?)?;
    if changed.mode == DirectoryMode::Observe {
        tx.execute(&RENEW_TRUST, binds![changed.id]).await?;
        login_attempts::end_of(tx, changed.id).await?;
    }
    Ok(())
}

/// Directories that have left the mode `observe` and where some may still wait for it, with their partners.
///
/// # Errors
/// Only those of the store.
pub async fn introducing(
    reader: &mut Reader,
    _by: &OperatorExtent,
) -> Result<Vec<(DirectoryId, PartnerId)>, StoreError> {
    reader.all(&INTRODUCING, binds![], tuple).await
}

/// Notes that everybody has been looked at who waited while a directory of the extent's partner was only observed.
///
/// # Errors
/// Only those of the store.
pub async fn introduced(tx: &mut Tx, at: &PartnerExtent, directory: DirectoryId) -> Result<(), StoreError> {
    tx.execute(&INTRODUCED, binds![directory, at.partner()]).await.map(drop)
}

/// Whether a directory speaks of anybody: an external user of it is linked to a user.
///
/// # Errors
/// Only those of the store.
pub async fn speaks(reader: &mut Reader, _at: &PartnerExtent, directory: DirectoryId) -> Result<bool, StoreError> {
    reader.one(&SPEAKS, binds![directory, uuid::Uuid::nil()], first).await
}

/// The mode of the directory that a connection belongs to.
///
/// # Errors
/// Only those of the store.
pub async fn mode(reader: &mut Reader, at: &ConnectionExtent) -> Result<DirectoryMode, StoreError> {
    let word: String = reader.one(&MODE, binds![at.directory()], first).await?;
    DirectoryMode::parse(&word).ok_or_else(|| StoreError::Decode("mode".to_owned()))
}

/// Puts a rule set in force: one row flips.
///
/// # Errors
/// `StoreError::NotFound` when the directory is not the extent's.
pub async fn activate(
    tx: &mut Tx,
    at: &PartnerExtent,
    directory: DirectoryId,
    rule_version: i64,
) -> Result<(), StoreError> {
    found(tx.execute(&ACTIVATE, binds![directory, at.partner(), rule_version]).await?)
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// A directory of the extent's partner.
///
/// # Errors
/// `StoreError::NotFound` when it is not the extent's.
pub async fn get(reader: &mut Reader, at: &PartnerExtent, id: DirectoryId) -> Result<Directory, StoreError> {
    reader.one(&BY_ID, binds![id, at.partner()], Directory::from_row).await
}

/// A directory of the extent's partner, by name.
///
/// # Errors
/// `StoreError`.
pub async fn by_name(tx: &mut Tx, at: &PartnerExtent, name: &str) -> Result<Option<Directory>, StoreError> {
    tx.optional(&BY_NAME, binds![at.partner(), fold(name).into_bytes()], Directory::from_row).await
}

/// The directories of the extent's partner, by name.
///
/// # Errors
/// `StoreError`.
pub async fn of_partner(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<Directory>, StoreError> {
    reader.all(&OF_PARTNER, binds![at.partner()], Directory::from_row).await
}

/// What the directory may confer at most.
///
/// # Errors
/// `StoreError`.
pub async fn ceilings(
    reader: &mut Reader,
    at: &PartnerExtent,
    id: DirectoryId,
) -> Result<Vec<CeilingEntry>, StoreError> {
    let rows: Vec<(RoleId, ScopeId)> = reader.all(&CEILINGS, binds![id, at.partner()], tuple).await?;
    let mut ceilings = Vec::with_capacity(rows.len());
    for (role, scope) in rows {
        ceilings.push(CeilingEntry { role, scope: scopes::get(reader, scope).await? });
    }
    Ok(ceilings)
}

/// Sets what the directory may confer at most. That whoever sets it holds as much is for the use case to have checked.
///
/// # Errors
/// `StoreError::NotFound` when the directory is not the extent's.
pub async fn set_ceilings(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: DirectoryId,
    ceilings: &[CeilingEntry],
    ctx: &Ctx,
) -> Result<(), StoreError> {
    get(tx, at, id).await?;
    tx.execute(&CLEAR_CEILINGS, binds![id]).await?;
    for ceiling in ceilings {
        let scope: ScopeId = ctx.id();
        scopes::insert(tx, scope, &ceiling.scope).await?;
        tx.execute(&INSERT_CEILING, binds![id, ceiling.role, scope]).await?;
    }
    Ok(())
}
