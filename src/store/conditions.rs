//! Attribute conditions of a directory. For whom each holds stands in `condition_members`.
use super::extent::PartnerExtent;
use super::{StoreError, Tx, first};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ConditionId, DirectoryId};
use crate::{binds, statements};

statements! {
    FIND = "SELECT c.id FROM condition c JOIN directory d ON d.id = c.directory \
        WHERE c.directory = $1 AND d.partner = $2 AND c.expression = $3";
    INSERT = "INSERT INTO condition (id, directory, expression, created_at) \
        SELECT $3, d.id, $4, $5 FROM directory d WHERE d.id = $1 AND d.partner = $2";
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
