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

pub(super) const COLUMNS: &str = "r.id, r.partner_id, r.name, r.parent_id, r.catalog_key, r.version";

statements! {
    OWNER = "SELECT partner_id FROM roles WHERE id = $1";
    INSERT = "INSERT INTO roles (id, partner_id, name, name_key, parent_id, catalog_key, slot_rank, version, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, NULL, 1, $7)";
    INSERT_SELF = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $1)";
    INSERT_ANCESTORS = "INSERT INTO role_ancestors (role_id, ancestor_id) SELECT $1, ancestor_id FROM role_ancestors WHERE role_id = $2";
    INSERT_CAPABILITIES: rows = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    CLEAR_CAPABILITIES = "DELETE FROM role_capabilities WHERE role_id = $1 \
        AND EXISTS (SELECT 1 FROM roles r WHERE r.id = $1 AND r.partner_id = $2)";
    TOUCH = "UPDATE roles SET version = version + 1 WHERE id = $1 AND partner_id = $2";
    BY_NAME = format!("SELECT {COLUMNS} FROM roles r WHERE r.partner_id = $1 AND r.name_key = $2");
    USABLE_BY_NAME = format!("SELECT {COLUMNS} FROM partner_ancestors a JOIN roles r ON r.partner_id = a.ancestor_id \
        WHERE a.partner_id = $1 AND r.name_key = $2 ORDER BY a.depth LIMIT 1");
    USABLE_BY_ID = format!("SELECT {COLUMNS} FROM partner_ancestors a JOIN roles r ON r.partner_id = a.ancestor_id \
        WHERE a.partner_id = $1 AND r.id = $2");
    USABLE = format!("SELECT {COLUMNS} FROM partner_ancestors a JOIN roles r ON r.partner_id = a.ancestor_id \
        WHERE a.partner_id = $1 ORDER BY r.name_key, a.depth");
    OWN_CAPABILITIES = "SELECT c.capability_id FROM role_capabilities c JOIN roles r ON r.id = c.role_id \
        WHERE r.id = $1 AND r.partner_id = $2 ORDER BY c.capability_id";
    CONFERRED = "SELECT c.capability_id FROM role_capabilities c JOIN partner_ancestors a ON a.partner_id = $2 \
        JOIN roles r ON r.id = c.role_id AND r.partner_id = a.ancestor_id WHERE r.id = $1 AND NOT EXISTS \
        (SELECT 1 FROM role_ancestors up WHERE up.role_id = r.id AND NOT EXISTS \
        (SELECT 1 FROM role_capabilities held WHERE held.role_id = up.ancestor_id AND held.capability_id = c.capability_id)) \
        ORDER BY c.capability_id";
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
