//! Roles, what they confer, and which stands above which.
use std::collections::BTreeSet;

use super::extent::PartnerExtent;
use super::{FromRow, Reader, Row, StoreError, Tx, first};
use crate::domain::capability::CapabilityId;
use crate::domain::id::{PartnerId, RoleId};
use crate::domain::role::Role;
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

pub(super) const COLUMNS: &str = "r.id, r.partner, r.name, r.parent, r.catalog_key, r.version";

statements! {
    OWNER = "SELECT partner FROM role WHERE id = $1";
    INSERT = "INSERT INTO role (id, partner, name, name_key, parent, catalog_key, slot_rank, version, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, NULL, 1, $7)";
    INSERT_SELF = "INSERT INTO role_ancestor (role, ancestor) VALUES ($1, $1)";
    INSERT_ANCESTORS = "INSERT INTO role_ancestor (role, ancestor) SELECT $1, ancestor FROM role_ancestor WHERE role = $2";
    INSERT_CAPABILITIES: rows = "INSERT INTO role_capability (role, capability) VALUES ($1, $2)";
    CLEAR_CAPABILITIES = "DELETE FROM role_capability WHERE role = $1 \
        AND EXISTS (SELECT 1 FROM role r WHERE r.id = $1 AND r.partner = $2)";
    TOUCH = "UPDATE role SET version = version + 1 WHERE id = $1 AND partner = $2";
    BY_NAME = format!("SELECT {COLUMNS} FROM role r WHERE r.partner = $1 AND r.name_key = $2");
    USABLE_BY_NAME = format!("SELECT {COLUMNS} FROM partner_ancestor a JOIN role r ON r.partner = a.ancestor \
        WHERE a.partner = $1 AND r.name_key = $2 ORDER BY a.depth LIMIT 1");
    USABLE_BY_ID = format!("SELECT {COLUMNS} FROM partner_ancestor a JOIN role r ON r.partner = a.ancestor \
        WHERE a.partner = $1 AND r.id = $2");
    USABLE = format!("SELECT {COLUMNS} FROM partner_ancestor a JOIN role r ON r.partner = a.ancestor \
        WHERE a.partner = $1 ORDER BY r.name_key, a.depth");
    OWN_CAPABILITIES = "SELECT c.capability FROM role_capability c JOIN role r ON r.id = c.role \
        WHERE r.id = $1 AND r.partner = $2 ORDER BY c.capability";
    CONFERRED = "SELECT c.capability FROM role_capability c JOIN partner_ancestor a ON a.partner = $2 \
        JOIN role r ON r.id = c.role AND r.partner = a.ancestor WHERE r.id = $1 AND NOT EXISTS \
        (SELECT 1 FROM role_ancestor up WHERE up.role = r.id AND NOT EXISTS \
        (SELECT 1 FROM role_capability held WHERE held.role = up.ancestor AND held.capability = c.capability)) \
        ORDER BY c.capability";
}

impl FromRow for Role {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            partner: row.get(1)?,
            name: row.get(2)?,
            parent: row.get(3)?,
            catalog_key: row.get(4)?,
            version: row.get(5)?,
        })
    }
}

/// Writes a role of the extent's partner.
///
/// # Errors
/// `StoreError::Unique` when the partner has one of that name.
pub async fn insert(
    tx: &mut Tx,
    at: &PartnerExtent,
    new: &Role,
    capabilities: &BTreeSet<CapabilityId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let name_key = fold(&new.name).into_bytes();
    tx.execute(&INSERT, binds![new.id, at.partner(), &new.name, name_key, new.parent, &new.catalog_key, now]).await?;
    tx.execute(&INSERT_SELF, binds![new.id]).await?;
    if let Some(parent) = new.parent {
        tx.execute(&INSERT_ANCESTORS, binds![new.id, parent]).await?;
    }
    write_capabilities(tx, new.id, capabilities).await
}

async fn write_capabilities(tx: &mut Tx, id: RoleId, these: &BTreeSet<CapabilityId>) -> Result<(), StoreError> {
    tx.execute_rows(&INSERT_CAPABILITIES, these.iter().map(|one| binds![id, one.0])).await.map(drop)
}

/// Gives a role of the extent's partner other capabilities.
///
/// # Errors
/// `StoreError::NotFound` when it is not the partner's.
pub async fn set_capabilities(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: RoleId,
    capabilities: &BTreeSet<CapabilityId>,
) -> Result<(), StoreError> {
    if tx.execute(&TOUCH, binds![id, at.partner()]).await? == 0 {
        return Err(StoreError::NotFound);
    }
    tx.execute(&CLEAR_CAPABILITIES, binds![id, at.partner()]).await?;
    write_capabilities(tx, id, capabilities).await
}

/// The partner's own role of that name; case does not count.
///
/// # Errors
/// Only those of the store.
pub async fn by_name(reader: &mut Reader, at: &PartnerExtent, name: &str) -> Result<Option<Role>, StoreError> {
    reader.optional(&BY_NAME, binds![at.partner(), fold(name).into_bytes()], Role::from_row).await
}

/// The role of that name that can be used at the partner: its own, or that of the nearest partner above.
///
/// # Errors
/// Only those of the store.
pub async fn usable_by_name(reader: &mut Reader, at: &PartnerExtent, name: &str) -> Result<Option<Role>, StoreError> {
    reader.optional(&USABLE_BY_NAME, binds![at.partner(), fold(name).into_bytes()], Role::from_row).await
}

/// A role that can be used at the partner.
///
/// # Errors
/// Only those of the store.
pub async fn usable_by_id(reader: &mut Reader, at: &PartnerExtent, id: RoleId) -> Result<Option<Role>, StoreError> {
    reader.optional(&USABLE_BY_ID, binds![at.partner(), id], Role::from_row).await
}

/// Every role that can be used at the partner, by name.
///
/// # Errors
/// Only those of the store.
pub async fn usable(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<Role>, StoreError> {
    reader.all(&USABLE, binds![at.partner()], Role::from_row).await
}

/// The set written on a role of the extent's partner, before the roles above cut it down.
///
/// # Errors
/// Only those of the store.
pub async fn own_capabilities(
    reader: &mut Reader,
    at: &PartnerExtent,
    id: RoleId,
) -> Result<BTreeSet<CapabilityId>, StoreError> {
    let found = reader.all(&OWN_CAPABILITIES, binds![id, at.partner()], first::<i64>).await?;
    Ok(found.into_iter().map(CapabilityId).collect())
}

/// What a role that can be used at the partner confers, cut down to that of every role above.
///
/// # Errors
/// Only those of the store.
pub async fn conferred(
    reader: &mut Reader,
    at: &PartnerExtent,
    id: RoleId,
) -> Result<BTreeSet<CapabilityId>, StoreError> {
    let found = reader.all(&CONFERRED, binds![id, at.partner()], first::<i64>).await?;
    Ok(found.into_iter().map(CapabilityId).collect())
}

/// The partner that owns a role; none when there is no such role. For telling whether somebody may know it.
///
/// # Errors
/// Only those of the store.
pub async fn owner(reader: &mut Reader, role: RoleId) -> Result<Option<PartnerId>, StoreError> {
    reader.optional(&OWNER, binds![role], first).await
}
