//! What a run compares with: the accepted external state of a connection, and the removals that wait.
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::extent::ConnectionExtent;
use super::{FromRow as _, Reader, Row, Store, StoreError, Tx, first, tuple};
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id as _, RunId};
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

statements! {
    USERS = "SELECT id, stable_id, user_name, match_key, content_hash, active FROM external_users \
        WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    GROUPS = "SELECT id, stable_id, display_name AS name, content_hash FROM external_groups \
        WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    MEMBERS = "SELECT m.external_group_id, m.external_user_id FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id \
        WHERE g.connection_id = $1 AND g.id >= $2 AND (m.external_group_id, m.external_user_id) > ($2, $3) ORDER BY m.external_group_id, m.external_user_id LIMIT $4";
    NESTED = "SELECT s.parent_id, s.child_id FROM external_subgroups s JOIN external_groups g ON g.id = s.parent_id \
        WHERE g.connection_id = $1 AND g.id >= $2 AND (s.parent_id, s.child_id) > ($2, $3) ORDER BY s.parent_id, s.child_id LIMIT $4";
    MAPPED = "SELECT DISTINCT a.set_id FROM rule_criteria a JOIN mapping_rules r ON r.id = a.rule_id \
        JOIN directories d ON d.id = r.directory_id AND d.rule_set_version = r.rule_set_version \
        JOIN external_groups g ON g.id = a.set_id WHERE d.id = $1 AND a.set_kind = 'group' AND COALESCE(g.connection_id = $2, FALSE)";
    PRIVILEGED = format!("SELECT u.id FROM external_users u JOIN grants g ON g.user_id = u.user_id \
            WHERE u.connection_id = $1 AND g.suspended_at IS NULL AND g.role_id IN ({RISKY}) \
        UNION SELECT u.id FROM external_users u JOIN live_users p ON p.id = u.user_id \
            JOIN grants g ON g.user_group_id = p.primary_group_id \
            WHERE u.connection_id = $1 AND g.suspended_at IS NULL AND g.role_id IN ({RISKY}) \
        UNION SELECT u.id FROM external_users u JOIN user_group_members l ON l.user_id = u.user_id \
            JOIN grants g ON g.user_group_id = l.user_group_id \
            WHERE u.connection_id = $1 AND g.suspended_at IS NULL AND g.role_id IN ({RISKY}) \
        UNION SELECT u.id FROM mapping_rules r JOIN directories d ON d.id = r.directory_id AND d.rule_set_version = r.rule_set_version \
            JOIN rule_criteria a ON a.rule_id = r.id AND a.set_kind = 'group' AND NOT a.negated \
            JOIN external_group_ancestors c ON c.ancestor_id = a.set_id JOIN external_group_members m ON m.external_group_id = c.external_group_id \
            JOIN external_users u ON u.id = m.external_user_id \
            WHERE u.connection_id = $1 AND d.id = $2 AND r.effect = 'grant_role' AND r.role_id IN ({RISKY}) \
        UNION SELECT u.id FROM mapping_rules r JOIN directories d ON d.id = r.directory_id AND d.rule_set_version = r.rule_set_version \
            JOIN rule_criteria a ON a.rule_id = r.id AND a.set_kind = 'condition' AND NOT a.negated \
            JOIN attribute_condition_members m ON m.condition_id = a.set_id JOIN external_users u ON u.id = m.external_user_id \
            WHERE u.connection_id = $1 AND d.id = $2 AND r.effect = 'grant_role' AND r.role_id IN ({RISKY})");
    HOLD: rows = "INSERT INTO pending_changes (sync_run_id, ordinal, kind, stable_id, group_stable_id, name, reason) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    HELD = "SELECT s.kind, s.stable_id, s.group_stable_id, s.name, s.reason FROM pending_changes s \
        JOIN sync_runs r ON r.id = s.sync_run_id WHERE s.sync_run_id = $1 AND r.connection_id = $2 AND s.ordinal >= $3 \
        ORDER BY s.ordinal LIMIT $4";
    DOCUMENTS: set = "SELECT id, document FROM external_users WHERE connection_id = $1 AND id IN ($2)";
    NOTE: rows (d) = format!("UPDATE external_users SET content_hash = marked.column2 \
        FROM (VALUES ({}, {}, {})) AS marked WHERE external_users.id = marked.column1 \
        AND COALESCE(external_users.connection_id = marked.column3, FALSE)",
        d.typed("$1", "uuid"), d.typed("$2", "bytea"), d.typed("$3", "uuid"));
    DELETED = "SELECT stable_id FROM deleted_external_users WHERE connection_id = $1";
    UNLINKED = "SELECT COUNT(*) FROM external_users WHERE connection_id = $1 AND user_id IS NULL";
    TAKE: rows = "INSERT INTO sync_removals (sync_run_id, connection_id, at, kind, subject, lost) VALUES ($1, $2, $3, $4, $5, $6)";
    TAKEN = "SELECT kind, subject, CAST(SUM(lost) AS BIGINT) FROM sync_removals WHERE connection_id = $1 AND at > $2 \
        GROUP BY kind, subject";
    FORGET_MAPPED = "DELETE FROM sync_removals WHERE connection_id = $1 AND kind = 'mapped' AND subject = $2";
    FORGET_TAKEN = "DELETE FROM sync_removals WHERE connection_id = $1 AND at <= $2";
}

/// Roles that change what others may do, or act as others.
const RISKY: &str =
    "SELECT rc.role_id FROM role_capabilities rc JOIN capabilities k ON k.id = rc.capability_id WHERE k.risk >= 2";

/// Rows a query; between two queries nothing is held open.
const PAGE: usize = 5_000;

/// An accepted user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaselineUserRow {
    /// Its identity.
    pub id: ExternalUserId,
    /// The stable id at the source.
    pub stable_id: String,
    /// The login name.
    pub user_name: String,
    /// The join key.
    pub match_key: Option<Vec<u8>>,
    /// Hash of the source's row.
    pub content_hash: Option<Vec<u8>>,
    /// Not switched off.
    pub active: bool,
}

from_row!(BaselineUserRow { id, stable_id, user_name, match_key, content_hash, active });

/// An accepted group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaselineGroupRow {
    /// Its identity.
    pub id: ExternalGroupId,
    /// The stable id at the source.
    pub stable_id: String,
    /// Its name.
    pub name: String,
    /// Hash of the source's row.
    pub content_hash: Option<Vec<u8>>,
}

from_row!(BaselineGroupRow { id, stable_id, name, content_hash });

/// A removal that waits for approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingRemoval {
    /// `user`, `group`, `member` or `nested`: a removal. `switch_on`, `switch_off`, `part` (an attribute that many would
    /// lose) or `read` (all of it).
    pub kind: String,
    /// Stable id of what would be removed or switched; the name of the attribute; what names the read.
    pub stable_id: String,
    /// Stable id of the group it would be removed from.
    pub group_stable_id: Option<String>,
    /// What it is, for users.
    pub name: String,
    /// Why it waits, as JSON.
    pub reason: String,
}

from_row!(PendingRemoval { kind, stable_id, group_stable_id, name, reason });

/// The accepted users of the connection, by id.
///
/// # Errors
/// Only those of the store.
pub async fn users(store: &Store, at: &ConnectionExtent) -> Result<Vec<BaselineUserRow>, StoreError> {
    let mut found: Vec<BaselineUserRow> = Vec::new();
    loop {
        let after = found.last().map_or(Uuid::nil(), |last| last.id.uuid());
        let mut reader = store.reader().await?;
        let page = reader.all(&USERS, binds![at.connection(), after, limit()], BaselineUserRow::from_row).await?;
        let more = page.len() == PAGE;
        found.extend(page);
        if !more {
            return Ok(found);
        }
    }
}

/// The accepted groups of the connection, by id.
///
/// # Errors
/// Only those of the store.
pub async fn groups(store: &Store, at: &ConnectionExtent) -> Result<Vec<BaselineGroupRow>, StoreError> {
    let mut found: Vec<BaselineGroupRow> = Vec::new();
    loop {
        let after = found.last().map_or(Uuid::nil(), |last| last.id.uuid());
        let mut reader = store.reader().await?;
        let page = reader.all(&GROUPS, binds![at.connection(), after, limit()], BaselineGroupRow::from_row).await?;
        let more = page.len() == PAGE;
        found.extend(page);
        if !more {
            return Ok(found);
        }
    }
}

/// The accepted memberships of users.
///
/// # Errors
/// Only those of the store.
pub async fn members(
    store: &Store,
    at: &ConnectionExtent,
) -> Result<Vec<(ExternalGroupId, ExternalUserId)>, StoreError> {
    let mut found: Vec<(ExternalGroupId, ExternalUserId)> = Vec::new();
    loop {
        let (group, member) = found.last().map_or((Uuid::nil(), Uuid::nil()), |(g, m)| (g.uuid(), m.uuid()));
        let mut reader = store.reader().await?;
        let values = binds![at.connection(), group, member, limit()];
        let page = reader.all(&MEMBERS, values, tuple::<(ExternalGroupId, ExternalUserId)>).await?;
        let more = page.len() == PAGE;
        found.extend(page);
        if !more {
            return Ok(found);
        }
    }
}

/// The accepted memberships of groups: outer, inner.
///
/// # Errors
/// Only those of the store.
pub async fn nested(
    store: &Store,
    at: &ConnectionExtent,
) -> Result<Vec<(ExternalGroupId, ExternalGroupId)>, StoreError> {
    let mut found: Vec<(ExternalGroupId, ExternalGroupId)> = Vec::new();
    loop {
        let (outer, inner) = found.last().map_or((Uuid::nil(), Uuid::nil()), |(o, i)| (o.uuid(), i.uuid()));
        let mut reader = store.reader().await?;
        let values = binds![at.connection(), outer, inner, limit()];
        let page = reader.all(&NESTED, values, tuple::<(ExternalGroupId, ExternalGroupId)>).await?;
        let more = page.len() == PAGE;
        found.extend(page);
        if !more {
            return Ok(found);
        }
    }
}

/// The groups of the connection that a rule in force names.
///
/// # Errors
/// Only those of the store.
pub async fn mapped(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<ExternalGroupId>, StoreError> {
    reader.all(&MAPPED, binds![at.directory(), at.connection()], first).await
}

/// Users of the connection who hold, by hand or by a rule of its directory, a role that changes what others may do.
/// Ceilings and suspensions are left out of account: too many here only wait, too few would be cut off.
///
/// # Errors
/// Only those of the store.
pub async fn privileged(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<ExternalUserId>, StoreError> {
    reader.all(&PRIVILEGED, binds![at.connection(), at.directory()], first).await
}

/// Notes removals of a run that wait, in order from `from`.
///
/// # Errors
/// Only those of the store.
pub async fn hold(tx: &mut Tx, run: RunId, from: usize, held: &[PendingRemoval]) -> Result<(), StoreError> {
    let rows = held.iter().enumerate().map(|(at, held)| {
        let ordinal = i64::try_from(from + at).unwrap_or(i64::MAX);
        binds![run, ordinal, &held.kind, &held.stable_id, &held.group_stable_id, &held.name, &held.reason]
    });
    tx.execute_rows(&HOLD, rows).await.map(drop)
}

/// Removals of a run of the connection that wait, from the given place on.
///
/// # Errors
/// Only those of the store.
pub async fn held(
    reader: &mut Reader,
    at: &ConnectionExtent,
    run: RunId,
    from: usize,
    limit: usize,
) -> Result<Vec<PendingRemoval>, StoreError> {
    let rows = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    reader.all(&HELD, binds![run, at.connection(), rows(from), rows(limit)], PendingRemoval::from_row).await
}

/// The documents of those of `ids` that the connection has, in no order.
///
/// # Errors
/// Only those of the store.
pub async fn documents(
    reader: &mut Reader,
    at: &ConnectionExtent,
    ids: &[ExternalUserId],
) -> Result<Vec<(ExternalUserId, Map<String, Json>)>, StoreError> {
    let read = |row: &Row| Ok((row.get(0)?, row.json(1)?));
    reader.all_in(&DOCUMENTS, binds![at.connection()], ids.iter().copied(), read).await
}

/// Notes hashes of rows that say the same as before.
///
/// # Errors
/// Only those of the store.
pub async fn note(tx: &mut Tx, at: &ConnectionExtent, hashes: &[(ExternalUserId, Vec<u8>)]) -> Result<(), StoreError> {
    let rows = hashes.iter().map(|(id, hash)| binds![*id, hash.clone(), at.connection()]);
    tx.execute_rows(&NOTE, rows).await.map(drop)
}

/// The stable keys of users whom the connection said once and who are kept as they were.
///
/// # Errors
/// Only those of the store.
pub async fn deleted(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<String>, StoreError> {
    reader.all(&DELETED, binds![at.connection()], first).await
}

/// How many users of the connection are linked to nobody and wait for somebody to decide.
///
/// # Errors
/// Only those of the store.
pub async fn unlinked(reader: &mut Reader, at: &ConnectionExtent) -> Result<i64, StoreError> {
    reader.one(&UNLINKED, binds![at.connection()], first).await
}

/// Something a run removed without approval: `what`, of which group, how many.
pub type RemovalCount = (String, String, i64);

/// Notes what a run removes without approval, and forgets what runs removed up to `since`, and from groups that are back.
///
/// # Errors
/// Only those of the store.
pub async fn take(
    tx: &mut Tx,
    at: &ConnectionExtent,
    run: RunId,
    (taken, back): (&[RemovalCount], &[String]),
    (now, since): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    tx.execute(&FORGET_TAKEN, binds![at.connection(), since]).await?;
    for group in back {
        tx.execute(&FORGET_MAPPED, binds![at.connection(), group]).await?;
    }
    let rows = taken.iter().map(|(what, subject, lost)| binds![run, at.connection(), now, what, subject, *lost]);
    tx.execute_rows(&TAKE, rows).await.map(drop)
}

/// What runs of the connection removed without approval after `since`.
///
/// # Errors
/// Only those of the store.
pub async fn taken(
    reader: &mut Reader,
    at: &ConnectionExtent,
    since: Timestamp,
) -> Result<Vec<RemovalCount>, StoreError> {
    reader.all(&TAKEN, binds![at.connection(), since], tuple).await
}

fn limit() -> i64 {
    PAGE as i64
}
