//! Attribute conditions of a directory, and for which of its external users each holds.
use super::extent::{ConnectionExtent, PartnerExtent};
use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ConditionId, DirectoryId, ExternalUserId};
use crate::{binds, statements};

statements! {
    FIND = "SELECT c.id FROM condition c JOIN directory d ON d.id = c.directory \
        WHERE c.directory = $1 AND d.partner = $2 AND c.expression = $3";
    INSERT = "INSERT INTO condition (id, directory, expression, created_at) \
        SELECT $3, d.id, $4, $5 FROM directory d WHERE d.id = $1 AND d.partner = $2";
    OF_DIRECTORY = "SELECT id, expression FROM condition WHERE directory = $1 ORDER BY id";
    HELD = "SELECT condition FROM condition_member WHERE external_user = $1";
    ADD: rows = "INSERT INTO condition_member (condition, external_user) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    CLEAR = "DELETE FROM condition_member WHERE external_user = $1";
    REMOVE: set = "DELETE FROM condition_member WHERE external_user = $1 AND condition IN ($2)";
}

/// The condition of that expression, made now when there was none.
///
/// # Errors
/// Only those of the store.
pub async fn ensure(
    tx: &mut Tx,
    at: &PartnerExtent,
    directory: DirectoryId,
    expression: &str,
    ctx: &Ctx,
) -> Result<ConditionId, StoreError> {
    if let Some(known) = tx.optional(&FIND, binds![directory, at.partner(), expression], first).await? {
        return Ok(known);
    }
    let fresh: ConditionId = ctx.id();
    tx.execute(&INSERT, binds![directory, at.partner(), fresh, expression, ctx.now()]).await?;
    Ok(fresh)
}

/// The conditions of the connection's directory, with their expressions.
///
/// # Errors
/// Only those of the store.
pub async fn for_directory(
    reader: &mut Reader,
    at: &ConnectionExtent,
) -> Result<Vec<(ConditionId, String)>, StoreError> {
    reader.all(&OF_DIRECTORY, binds![at.directory()], tuple).await
}

/// Writes down which conditions hold for an external user of the connection; true when that is a change.
///
/// # Errors
/// Only those of the store.
pub async fn set_members(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    user: ExternalUserId,
    holding: &[ConditionId],
) -> Result<bool, StoreError> {
    let before: Vec<ConditionId> = tx.all(&HELD, binds![user], first).await?;
    let gone: Vec<_> = before.iter().copied().filter(|one| !holding.contains(one)).collect();
    let new: Vec<_> = holding.iter().copied().filter(|one| !before.contains(one)).collect();
    if !gone.is_empty() {
        tx.execute_in(&REMOVE, binds![user], gone.iter().copied()).await?;
    }
    tx.execute_rows(&ADD, new.iter().map(|one| binds![*one, user])).await?;
    Ok(!gone.is_empty() || !new.is_empty())
}

/// Forgets an external user that is about to be deleted.
///
/// # Errors
/// Only those of the store.
pub async fn forget(tx: &mut Tx, _at: &ConnectionExtent, user: ExternalUserId) -> Result<(), StoreError> {
    tx.execute(&CLEAR, binds![user]).await.map(drop)
}
