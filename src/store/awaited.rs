//! Groups that rules name: those a directory has said already, and ids kept for those it has not.
//! `external_groups::take_awaited` hands a kept id to the first group of that name.
use super::extent::PartnerExtent;
use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::id::{DirectoryId, ExternalGroupId};
use crate::domain::text::fold;
use crate::{binds, statements};

statements! {
    // By connection, because that is what the index over names begins with.
    SAID = "SELECT g.id FROM directory d CROSS JOIN connection c CROSS JOIN external_group g \
        WHERE d.id = $1 AND d.partner = $2 AND c.directory = d.id AND g.connection = c.id AND g.display_key = $3 \
        AND NOT g.gone ORDER BY g.id LIMIT 2";
    LIVING: set = "SELECT g.id FROM external_group g JOIN directory d ON d.id = g.directory \
        WHERE COALESCE(g.directory = $1, FALSE) AND d.partner = $2 AND g.id IN ($3)";
    AWAITED = "SELECT a.id FROM awaited_group a JOIN directory d ON d.id = a.directory \
        WHERE a.directory = $1 AND d.partner = $2 AND a.name_key = $3";
    AWAIT = "INSERT INTO awaited_group (directory, name_key, id, name) \
        SELECT d.id, $3, $4, $5 FROM directory d WHERE d.id = $1 AND d.partner = $2";
    NAMES = "SELECT g.id, g.display_name FROM directory d CROSS JOIN connection c CROSS JOIN external_group g \
        WHERE d.id = $1 AND d.partner = $2 AND c.directory = d.id AND g.connection = c.id ORDER BY g.display_key, g.id LIMIT $3";
}

/// The groups of that name that the directory has said; two mean that the name does not tell which.
///
/// # Errors
/// Only those of the store.
pub async fn said(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    name: &str,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    reader.all(&SAID, binds![directory, at.partner(), fold(name).into_bytes()], first).await
}

/// Those of `ids` that are groups of the directory.
///
/// # Errors
/// Only those of the store.
pub async fn living(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    ids: &[ExternalGroupId],
) -> Result<Vec<ExternalGroupId>, StoreError> {
    reader.all_in(&LIVING, binds![directory, at.partner()], ids.iter().copied(), first).await
}

/// The id that the group of that name will have, kept now when it was not yet: `fresh`.
///
/// # Errors
/// Only those of the store.
pub async fn awaited(
    tx: &mut Tx,
    at: &PartnerExtent,
    directory: DirectoryId,
    name: &str,
    fresh: ExternalGroupId,
) -> Result<ExternalGroupId, StoreError> {
    let key = fold(name).into_bytes();
    if let Some(kept) = tx.optional(&AWAITED, binds![directory, at.partner(), key.clone()], first).await? {
        return Ok(kept);
    }
    tx.execute(&AWAIT, binds![directory, at.partner(), key, fresh, name]).await?;
    Ok(fresh)
}

/// The names of the directory's groups, for choosing one; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn names(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    limit: u32,
) -> Result<Vec<(ExternalGroupId, String)>, StoreError> {
    reader.all(&NAMES, binds![directory, at.partner(), limit], tuple).await
}
