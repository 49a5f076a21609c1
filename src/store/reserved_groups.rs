//! Groups that rules name: those a directory has said already, and ids kept for those it has not. `provision::bind`
//! binds a kept name to the group that has it, once there is one and only one.
use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::{FromRow as _, Reader, StoreError, Tx, first, tuple};
use crate::domain::id::{DirectoryId, ExternalGroupId, RuleId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

/// The columns of a [`UnboundRule`] rule; the caller says of which directories `d`.
const LOOSE: &str = "SELECT DISTINCT r.id AS rule, r.name AS rule_name, d.name AS directory, \
    COALESCE(w.name, k.display_name) AS name, CASE WHEN w.id IS NULL THEN 'gone' WHEN 1 < (SELECT COUNT(*) \
        FROM connection c JOIN external_group s ON s.connection = c.id \
        WHERE c.directory = d.id AND s.display_key = w.name_key) THEN 'several' \
        ELSE 'awaited' END AS why, r.ordinal \
    FROM directory d JOIN mapping_rule r ON r.directory = d.id AND r.rule_version = d.rule_version \
    JOIN rule_atom a ON a.rule = r.id AND a.kind = 'group' \
    LEFT JOIN awaited_group w ON w.directory = d.id AND w.id = a.people AND w.bound IS NULL \
    LEFT JOIN deleted_group k ON k.id = a.people \
    WHERE NOT EXISTS (SELECT 1 FROM external_group g WHERE g.id = a.people)";

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
    CONFIRM = "DELETE FROM awaited_group WHERE name_key = $3 AND directory IN \
        (SELECT d.id FROM directory d WHERE d.id = $1 AND d.partner = $2)";
    LOCK(dialect) = format!("SELECT id, bound, bound_at FROM awaited_group WHERE directory = $1 AND name_key = $2 {}",
        dialect.for_update());
    CANDIDATES = "SELECT g.id FROM connection c JOIN external_group g ON g.connection = c.id \
        WHERE c.directory = $1 AND g.display_key = $2 ORDER BY CASE WHEN g.id = $3 THEN 0 ELSE 1 END, g.id LIMIT 2";
    REBIND = "UPDATE rule_atom SET people = $3 WHERE people = $2 AND kind = 'group' \
        AND rule IN (SELECT r.id FROM mapping_rule r WHERE r.directory = $1) AND NOT EXISTS \
        (SELECT 1 FROM rule_atom o WHERE o.rule = rule_atom.rule AND o.term = rule_atom.term AND o.people = $3)";
    REBIND_NAME = "UPDATE rule_name SET external_group = $3 WHERE external_group = $2 \
        AND rule IN (SELECT r.id FROM mapping_rule r WHERE r.directory = $1)";
    SET_BOUND = "UPDATE awaited_group SET bound = $3, bound_at = $4 WHERE directory = $1 AND name_key = $2";
    FORGET = "DELETE FROM awaited_group WHERE directory = $1 AND name_key = $2";
    LOOSE_OF = format!("{LOOSE} AND d.id = $1 AND d.partner = $2 ORDER BY r.ordinal, name");
    LOOSE_ANYWHERE = format!("{LOOSE} ORDER BY directory, r.ordinal, name");
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
    pub rule: RuleId,
    /// Its name.
    pub rule_name: String,
    /// Its directory's name.
    pub directory: String,
    /// The group's name, as far as it is still known.
    pub name: Option<String>,
    /// `gone`, `awaited` (nobody has said it yet) or `several` (more than one group has the name).
    pub why: String,
}

from_row!(UnboundRule { rule, rule_name, directory, name, why });

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
