//! Groups that rules name: those a directory has said already, and ids kept for those it has not. `provision::bind`
//! binds a kept name to the group that has it, once there is one and only one.
use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::{FromRow as _, Reader, StoreError, Tx, first, tuple};
use crate::domain::id::{DirectoryId, ExternalGroupId, RuleId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

/// The columns of a [`UnboundRule`] rule; the caller says of which directories `d`.
const LOOSE: &str = "SELECT DISTINCT r.id AS rule_id, r.name AS rule_name, d.name AS directory_id, \
    COALESCE(w.name, k.display_name) AS name, CASE WHEN w.id IS NULL THEN 'gone' WHEN 1 < (SELECT COUNT(*) \
        FROM connections c JOIN external_groups s ON s.connection_id = c.id \
        WHERE c.directory_id = d.id AND s.display_name_key = w.name_key) THEN 'several' \
        ELSE 'awaited' END AS why, r.ordinal \
    FROM directories d JOIN mapping_rules r ON r.directory_id = d.id AND r.rule_set_version = d.rule_set_version \
    JOIN rule_criteria a ON a.rule_id = r.id AND a.set_kind = 'group' \
    LEFT JOIN reserved_external_groups w ON w.directory_id = d.id AND w.id = a.set_id AND w.bound IS NULL \
    LEFT JOIN deleted_external_groups k ON k.id = a.set_id \
    WHERE NOT EXISTS (SELECT 1 FROM external_groups g WHERE g.id = a.set_id)";

statements! {
    // By connection, because that is what the index over names begins with.
    SAID = "SELECT g.id FROM directories d CROSS JOIN connections c CROSS JOIN external_groups g \
        WHERE d.id = $1 AND d.partner_id = $2 AND c.directory_id = d.id AND g.connection_id = c.id AND g.display_name_key = $3 \
        AND NOT g.is_removed ORDER BY g.id LIMIT 2";
    LIVING: set = "SELECT g.id FROM external_groups g JOIN directories d ON d.id = g.directory_id \
        WHERE COALESCE(g.directory_id = $1, FALSE) AND d.partner_id = $2 AND g.id IN ($3)";
    AWAITED = "SELECT a.id FROM reserved_external_groups a JOIN directories d ON d.id = a.directory_id \
        WHERE a.directory_id = $1 AND d.partner_id = $2 AND a.name_key = $3";
    AWAIT = "INSERT INTO reserved_external_groups (directory_id, name_key, id, name) \
        SELECT d.id, $3, $4, $5 FROM directories d WHERE d.id = $1 AND d.partner_id = $2";
    CONFIRM = "DELETE FROM reserved_external_groups WHERE name_key = $3 AND directory_id IN \
        (SELECT d.id FROM directories d WHERE d.id = $1 AND d.partner_id = $2)";
    LOCK(dialect) = format!("SELECT id, bound, bound_at FROM reserved_external_groups WHERE directory_id = $1 AND name_key = $2 {}",
        dialect.for_update());
    CANDIDATES = "SELECT g.id FROM connections c JOIN external_groups g ON g.connection_id = c.id \
        WHERE c.directory_id = $1 AND g.display_name_key = $2 ORDER BY CASE WHEN g.id = $3 THEN 0 ELSE 1 END, g.id LIMIT 2";
    REBIND = "UPDATE rule_criteria SET set_id = $3 WHERE set_id = $2 AND set_kind = 'group' \
        AND rule_id IN (SELECT r.id FROM mapping_rules r WHERE r.directory_id = $1) AND NOT EXISTS \
        (SELECT 1 FROM rule_criteria o WHERE o.rule_id = rule_criteria.rule_id AND o.term = rule_criteria.term AND o.set_id = $3)";
    REBIND_NAME = "UPDATE rule_group_names SET external_group_id = $3 WHERE external_group_id = $2 \
        AND rule_id IN (SELECT r.id FROM mapping_rules r WHERE r.directory_id = $1)";
    SET_BOUND = "UPDATE reserved_external_groups SET bound = $3, bound_at = $4 WHERE directory_id = $1 AND name_key = $2";
    FORGET = "DELETE FROM reserved_external_groups WHERE directory_id = $1 AND name_key = $2";
    LOOSE_OF = format!("{LOOSE} AND d.id = $1 AND d.partner_id = $2 ORDER BY r.ordinal, name");
    LOOSE_ANYWHERE = format!("{LOOSE} ORDER BY directory_id, r.ordinal, name");
    NAMES = "SELECT g.id, g.display_name FROM directories d CROSS JOIN connections c CROSS JOIN external_groups g \
        WHERE d.id = $1 AND d.partner_id = $2 AND c.directory_id = d.id AND g.connection_id = c.id ORDER BY g.display_name_key, g.id LIMIT $3";
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

/// Forgets that a name was awaited: who writes the rules has been told which group has it.
///
/// # Errors
/// Only those of the store.
pub async fn confirm(tx: &mut Tx, at: &PartnerExtent, directory: DirectoryId, name: &str) -> Result<(), StoreError> {
    tx.execute(&CONFIRM, binds![directory, at.partner(), fold(name).into_bytes()]).await.map(drop)
}

/// A name that rules wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// The id that stands in the rules while the name is bound to no group.
    pub id: ExternalGroupId,
    /// The group it is bound to, ...
    pub bound: Option<ExternalGroupId>,
    /// ... and since when.
    pub bound_at: Option<Timestamp>,
}

from_row!(Awaited { id, bound, bound_at });

/// Whether rules of the connection's directory wait for a group of this name; nobody else binds it until this
/// transaction ends.
///
/// # Errors
/// Only those of the store.
pub async fn lock(tx: &mut Tx, at: &ConnectionExtent, name: &str) -> Result<Option<Awaited>, StoreError> {
    tx.optional(&LOCK, binds![at.directory(), fold(name).into_bytes()], Awaited::from_row).await
}

/// Groups of the connection's directory that have this name, two at most, the one it is bound to first.
///
/// # Errors
/// Only those of the store.
pub async fn candidates(
    reader: &mut Reader,
    at: &ConnectionExtent,
    name: &str,
    bound: Option<ExternalGroupId>,
) -> Result<Vec<ExternalGroupId>, StoreError> {
    reader.all(&CANDIDATES, binds![at.directory(), fold(name).into_bytes(), bound], first).await
}

/// Lets the rules of the connection's directory that ask for `from` ask for `to`.
///
/// # Errors
/// Only those of the store.
pub async fn rebind(
    tx: &mut Tx,
    at: &ConnectionExtent,
    from: ExternalGroupId,
    to: ExternalGroupId,
) -> Result<(), StoreError> {
    tx.execute(&REBIND_NAME, binds![at.directory(), from, to]).await?;
    tx.execute(&REBIND, binds![at.directory(), from, to]).await.map(drop)
}

/// Notes to which group a name is bound, and since when.
///
/// # Errors
/// Only those of the store.
pub async fn set_bound(
    tx: &mut Tx,
    at: &ConnectionExtent,
    name: &str,
    bound: Option<(ExternalGroupId, Timestamp)>,
) -> Result<(), StoreError> {
    let (group, moment) = bound.unzip();
    tx.execute(&SET_BOUND, binds![at.directory(), fold(name).into_bytes(), group, moment]).await.map(drop)
}

/// Waits for a name no more.
///
/// # Errors
/// Only those of the store.
pub async fn forget(tx: &mut Tx, at: &ConnectionExtent, name: &str) -> Result<(), StoreError> {
    tx.execute(&FORGET, binds![at.directory(), fold(name).into_bytes()]).await.map(drop)
}

/// A rule in force that asks for a group that is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnboundRule {
    /// The rule.
    pub rule_id: RuleId,
    /// Its name.
    pub rule_name: String,
    /// Its directory's name.
    pub directory_id: String,
    /// The group's name, as far as it is still known.
    pub name: Option<String>,
    /// `gone`, `awaited` (nobody has said it yet) or `several` (more than one group has the name).
    pub why: String,
}

from_row!(UnboundRule { rule_id, rule_name, directory_id, name, why });

impl std::fmt::Display for UnboundRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.as_deref();
        let group = || name.map_or_else(|| "a group".to_owned(), |name| format!("the group “{name}”"));
        match self.why.as_str() {
            "several" => write!(
                f,
                "More than one group is called “{}”, so it asks for none of them; rename one, or apply the rules again.",
                name.unwrap_or_default()
            ),
            "awaited" => write!(f, "It waits for {}, which the directory has not said yet.", group()),
            _ => write!(f, "It asks for {}, which is gone; it counts again when the directory says it again.", group()),
        }
    }
}

/// The rules in force of a directory that ask for groups that are not there, in their order.
///
/// # Errors
/// Only those of the store.
pub async fn loose(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<Vec<UnboundRule>, StoreError> {
    reader.all(&LOOSE_OF, binds![directory, at.partner()], UnboundRule::from_row).await
}

/// [`loose`] of every directory.
///
/// # Errors
/// Only those of the store.
pub async fn loose_anywhere(reader: &mut Reader, _by: &OperatorExtent) -> Result<Vec<UnboundRule>, StoreError> {
    reader.all(&LOOSE_ANYWHERE, binds![], UnboundRule::from_row).await
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
