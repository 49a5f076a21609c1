//! Attribute conditions of a directory. For whom each holds stands in `condition_members`.
use super::extent::{OperatorExtent, PartnerExtent};
use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ConditionId, DirectoryId};
use crate::{binds, statements};

statements! {
    FIND = "SELECT c.id FROM attribute_conditions c JOIN directories d ON d.id = c.directory_id \
        WHERE c.directory_id = $1 AND d.partner_id = $2 AND c.expression = $3";
    ALL = "SELECT directory_id, id, expression FROM attribute_conditions ORDER BY id";
    INSERT = "INSERT INTO attribute_conditions (id, directory_id, expression, created_at) \
        SELECT $3, d.id, $4, $5 FROM directories d WHERE d.id = $1 AND d.partner_id = $2";
}

/// The condition of that expression, and whether it was made now; then it holds for nobody until it is filled.
///
/// # Errors
/// Only those of the store.
pub async fn ensure(
    tx: &mut Tx,
    at: &PartnerExtent,
    directory: DirectoryId,
    expression: &str,
    ctx: &Ctx,
) -> Result<(ConditionId, bool), StoreError> {
    if let Some(known) = tx.optional(&FIND, binds![directory, at.partner(), expression], first).await? {
        return Ok((known, false));
    }
    let fresh: ConditionId = ctx.id();
    tx.execute(&INSERT, binds![directory, at.partner(), fresh, expression, ctx.now()]).await?;
    Ok((fresh, true))
}

/// Every condition with its directory and its expression.
///
/// # Errors
/// Only those of the store.
pub async fn all(
    reader: &mut Reader,
    _by: &OperatorExtent,
) -> Result<Vec<(DirectoryId, ConditionId, String)>, StoreError> {
    reader.all(&ALL, binds![], tuple).await
}
