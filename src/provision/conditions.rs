//! Attribute conditions: for whom they hold is kept beside the memberships, in the transaction that writes the document.
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{ProvisionError, ProvisionSource};
use crate::domain::filter::Filter as Neutral;
use crate::domain::id::{ConditionId, DirectoryId, ExternalUserId};
use crate::scim::error::ScimError;
use crate::scim::filter::{FilterAst, Foreign};
use crate::scim::schema::SchemaSet;
use crate::store::condition_members::ConditionState;
use crate::store::extent::{OperatorExtent, PartnerExtent};
use crate::store::{Reader, StoreError, Tx, condition_members, conditions};

/// How many users are looked at in one go.
const PAGE: u32 = 500;

/// A condition of the directory, read.
pub(super) struct ParsedCondition<'h> {
    held: &'h ConditionState,
    /// None when it no longer fits the schema: then it holds for nobody. It is checked when it is saved.
    filter: Option<Neutral>,
}

/// Reads conditions, as they hold so far.
pub(super) fn read<'h>(source: &ProvisionSource<'_>, held: &'h [ConditionState]) -> Vec<ParsedCondition<'h>> {
    held.iter().map(|held| ParsedCondition { held, filter: parse(source.schemas, &held.expression).ok() }).collect()
}

/// Keeps the conditions of one user.
pub(super) async fn keep(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    user: ExternalUserId,
    keys: &Json,
) -> Result<(), ProvisionError> {
    let held = condition_members::of_user(tx, &source.extent, user).await?;
    judge(tx, source, user, keys, &read(source, &held)).await.map(drop)
}

/// Judges by a user's document whether conditions hold now, and writes where that is new; those that hold.
pub(super) async fn judge(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    user: ExternalUserId,
    keys: &Json,
    conditions: &[ParsedCondition<'_>],
) -> Result<BTreeSet<ConditionId>, ProvisionError> {
    let mut holding = BTreeSet::new();
    for ParsedCondition { held, filter } in conditions {
        let holds = filter.as_ref().is_some_and(|filter| filter.matches(keys));
        holding.extend(holds.then_some(held.condition));
        if holds != held.holds {
            condition_members::set(tx, &source.extent, held.condition, user, holds).await?;
        }
    }
    Ok(holding)
}

/// Finds the members of a condition that was just written, among all the directory's users; how many. Placements that
/// rest on it are the caller's to refresh.
///
/// # Errors
/// [`ProvisionError::Scim`] when the expression is no filter of the schema.
pub async fn fill(
    tx: &mut Tx,
    at: &PartnerExtent,
    schemas: &SchemaSet,
    directory: DirectoryId,
    condition: ConditionId,
    expression: &str,
) -> Result<usize, ProvisionError> {
    let filter = parse(schemas, expression)?;
    let (mut after, mut found) = (None, 0);
    loop {
        let page = condition_members::keys_page(tx, at, directory, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = Some(*last);
        let holds = page.iter().filter(|(_, keys)| filter.matches(keys));
        let users: Vec<ExternalUserId> = holds.map(|(user, _)| *user).collect();
        condition_members::add(tx, at, condition, &users).await?;
        found += users.len();
    }
}

/// Puts right, for the page of users behind `after`, for whom a condition holds, and keeps them from changing
/// meanwhile; the last of them.
///
/// # Errors
/// [`ProvisionError::Scim`] when the expression is no filter of the schema.
pub async fn refill(
    tx: &mut Tx,
    at: &PartnerExtent,
    schemas: &SchemaSet,
    directory: DirectoryId,
    (condition, expression): (ConditionId, &str),
    after: Option<ExternalUserId>,
) -> Result<Option<ExternalUserId>, ProvisionError> {
    let filter = parse(schemas, expression)?;
    let page = condition_members::hold_page(tx, at, directory, after, PAGE).await?;
    let (hold, do_not): (Vec<_>, Vec<_>) = page.iter().partition(|(_, keys)| filter.matches(keys));
    let ids = |some: Vec<&(ExternalUserId, Json)>| some.into_iter().map(|(user, _)| *user).collect::<Vec<_>>();
    condition_members::add(tx, at, condition, &ids(hold)).await?;
    condition_members::remove(tx, at, condition, &ids(do_not)).await?;
    Ok(page.last().map(|(user, _)| *user))
}

/// For how many users a condition is noted that does not hold, or the other way round. For `doctor`.
///
/// # Errors
/// Only those of the store.
pub async fn astray(reader: &mut Reader, by: &OperatorExtent) -> Result<i64, StoreError> {
    let (schemas, mut count) = (SchemaSet::base(), 0);
    for (directory, condition, expression) in conditions::all(reader, by).await? {
        let filter = parse(&schemas, &expression).ok();
        let mut after = None;
        loop {
            let page = condition_members::noted_page(reader, by, (directory, condition), after, PAGE).await?;
            let Some((last, ..)) = page.last() else { break };
            after = Some(*last);
            let wrong = |keys, noted| filter.as_ref().is_some_and(|filter| filter.matches(keys)) != noted;
            count += page.iter().map(|(_, keys, noted)| i64::from(wrong(keys, *noted))).sum::<i64>();
        }
    }
    Ok(count)
}

fn parse(schemas: &SchemaSet, expression: &str) -> Result<Neutral, ScimError> {
    FilterAst::parse(expression)?.resolve(schemas.users(), Foreign::NoValue)
}
