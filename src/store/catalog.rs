//! The installation row and the catalog's levels and capabilities.
use super::extent::OperatorExtent;
use super::{FromRow, Reader, Row, StoreError, Tx, first};
use crate::binds;
use crate::domain::capability::CapabilityId;
use crate::domain::catalog::{Capability, Level};
use crate::domain::partner::LevelId;
use crate::domain::time::Timestamp;
use crate::statements;

statements! {
    INSTALL = "INSERT INTO installation (id, epoch, catalog, created_at) VALUES (1, $1, $2, $3)";
    INSTALLED = "SELECT catalog FROM installation WHERE id = 1";
    UPSERT_LEVEL = "INSERT INTO levels (id, ordinal, name, title) VALUES ($1, $1, $2, $3) \
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, title = excluded.title";
    UPSERT_CAPABILITY = "INSERT INTO capabilities (id, name, title, category, risk, on_suspended) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
        title = excluded.title, category = excluded.category, risk = excluded.risk, \
        on_suspended = excluded.on_suspended";
    CLEAR_CEILINGS = "DELETE FROM level_capabilities";
    INSERT_CEILING: rows = "INSERT INTO level_capabilities (level_id, capability_id) VALUES ($1, $2)";
    LEVELS = "SELECT id, name, title FROM levels ORDER BY ordinal";
    CAPABILITIES = "SELECT id, name, title, category, risk FROM capabilities ORDER BY id";
    CAPABILITY_BY_NAME = "SELECT id FROM capabilities WHERE name = $1";
}

/// A level as it is shown and named.
#[derive(Clone, Debug)]
pub struct LevelRow {
    /// Its number; a lower one stands higher.
    pub id: LevelId,
    /// The name in files and requests.
    pub name: String,
    /// The name users see.
    pub title: String,
}

impl FromRow for LevelRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: LevelId(row.get("id")?), name: row.get("name")?, title: row.get("title")? })
    }
}

/// A capability as it is shown and named.
#[derive(Clone, Debug)]
pub struct CapabilityRow {
    /// Its number.
    pub id: CapabilityId,
    /// The name in files and requests.
    pub name: String,
    /// What it allows.
    pub title: String,
    /// The heading it is shown under.
    pub category: String,
    /// 0 look … 3 act as another.
    pub risk: i64,
}

impl FromRow for CapabilityRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: CapabilityId(row.get("id")?),
            name: row.get("name")?,
            title: row.get("title")?,
            category: row.get("category")?,
            risk: row.get("risk")?,
        })
    }
}

/// Marks the store as set up with a catalog. Its epoch ends sessions of an earlier life of the same data.
///
/// # Errors
/// `StoreError::Unique` when it already is.
pub async fn install(
    tx: &mut Tx,
    _by: &OperatorExtent,
    epoch: uuid::Uuid,
    catalog: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&INSTALL, binds![epoch, catalog, now]).await?;
    Ok(())
}

/// The name of the catalog the store was set up with; none on an empty store.
///
/// # Errors
/// `StoreError`.
pub async fn installed(reader: &mut Reader) -> Result<Option<String>, StoreError> {
    reader.optional(&INSTALLED, binds![], first).await
}

/// Writes the levels with their ceilings and the capabilities, over those of an earlier version of the catalog.
///
/// # Errors
/// `StoreError`.
pub async fn load(
    tx: &mut Tx,
    _by: &OperatorExtent,
    levels: &[Level],
    capabilities: &[Capability],
) -> Result<(), StoreError> {
    for one in capabilities {
        let values = binds![one.id.0, &one.name, &one.title, &one.category, one.risk, one.on_suspended];
        tx.execute(&UPSERT_CAPABILITY, values).await?;
    }
    tx.execute(&CLEAR_CEILINGS, binds![]).await?;
    for level in levels {
        tx.execute(&UPSERT_LEVEL, binds![level.id.0, &level.name, &level.title]).await?;
        let rows = level.ceiling.iter().map(|capability| binds![level.id.0, capability.0]);
        tx.execute_rows(&INSERT_CEILING, rows).await?;
    }
    Ok(())
}

/// The level scheme, from the top down.
///
/// # Errors
/// `StoreError`.
pub async fn levels(reader: &mut Reader) -> Result<Vec<LevelRow>, StoreError> {
    reader.all(&LEVELS, binds![], LevelRow::from_row).await
}

/// Every capability, by number.
///
/// # Errors
/// `StoreError`.
pub async fn capabilities(reader: &mut Reader) -> Result<Vec<CapabilityRow>, StoreError> {
    reader.all(&CAPABILITIES, binds![], CapabilityRow::from_row).await
}

/// The number behind a capability's name.
///
/// # Errors
/// `StoreError`.
pub async fn capability(reader: &mut Reader, name: &str) -> Result<Option<CapabilityId>, StoreError> {
    Ok(reader.optional(&CAPABILITY_BY_NAME, binds![name], first).await?.map(CapabilityId))
}
