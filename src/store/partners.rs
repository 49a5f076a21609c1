//! The partner tree and its ancestor pairs.
use super::extent::{OperatorExtent, PartnerExtent};
use super::totals::{self, Counted};
use super::{FromRow, Reader, Row, StoreError, Tx, first};
use crate::binds;
use crate::domain::ctx::Actor;
use crate::domain::id::PartnerId;
use crate::domain::partner::{LevelId, Partner, PartnerKind};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::statements;

statements! {
    INSERT = "INSERT INTO partners (id, parent_id, external_id, name, sort_key, kind, level_id, state, version, \
        authority_version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'live', 1, 1, $8, $8)";
    INSERT_SELF: insert[Uuid] = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) VALUES ($1, $1, 0)";
    INSERT_ANCESTORS = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) \
        SELECT $1, ancestor_id, depth + 1 FROM partner_ancestors WHERE partner_id = $2";
    RENAME = "UPDATE partners SET name = $2, sort_key = $3, version = version + 1, updated_at = $4 WHERE id = $1";
    ADOPT = "UPDATE partners SET external_id = $2, name = $3, sort_key = $4, level_id = $5, version = version + 1, \
        updated_at = $6 WHERE id = $1 AND parent_id IS NULL";
    BY_ID = "SELECT id, parent_id, external_id, name, kind, level_id, version, created_at FROM live_partners WHERE id = $1";
    // Two branches and not an OR: sealed lines and those that wait are in different indexes.
    MADE_BY = "SELECT actor FROM events WHERE subject = $1 AND seq IS NOT NULL AND kind = 'partner.created' \
        UNION ALL SELECT actor FROM events WHERE subject = $1 AND seq IS NULL AND kind = 'partner.created'";
    KEYED = "SELECT COUNT(*) FROM live_partners WHERE external_id = $1";
    AT_LEAST = "SELECT id FROM live_partners WHERE parent_id = $1 ORDER BY sort_key, id LIMIT 1 OFFSET $2";
    CHILDREN = "SELECT id, parent_id, external_id, name, kind, level_id, version, created_at FROM live_partners \
        WHERE parent_id = $1 ORDER BY sort_key, id";
    ROOT = "SELECT id, parent_id, external_id, name, kind, level_id, version, created_at FROM live_partners \
        WHERE parent_id IS NULL";
    SUBTREE = format!("SELECT p.id, p.parent_id, p.external_id, p.name, p.kind, p.level_id, p.version, p.created_at, \
            l.title AS level_title, \
            ({}) AS users, \
            (SELECT COUNT(*) FROM directories d WHERE d.partner_id = p.id) AS directories, \
            (SELECT COUNT(*) FROM partner_suspensions s WHERE s.partner_id = p.id) AS suspensions \
        FROM partner_ancestors a JOIN live_partners p ON p.id = a.partner_id JOIN levels l ON l.id = p.level_id \
        WHERE a.ancestor_id = $1 ORDER BY p.sort_key, p.id", totals::kept(Counted::Users, "p.id"));
    ANCESTORS = "SELECT p.id, p.parent_id, p.external_id, p.name, p.kind, p.level_id, p.version, p.created_at \
        FROM partner_ancestors a JOIN live_partners p ON p.id = a.ancestor_id WHERE a.partner_id = $1 ORDER BY a.depth DESC";
    COUNT = "SELECT COUNT(*) FROM live_partners";
}

impl FromRow for Partner {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            parent: row.get("parent_id")?,
            external_id: row.get("external_id")?,
            name: row.get("name")?,
            kind: PartnerKind::parse(&row.get::<String>("kind")?)
                .ok_or_else(|| StoreError::Decode("kind".to_owned()))?,
            level: LevelId(row.get("level_id")?),
            version: row.get("version")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// A partner as a node of the tree that is shown.
#[derive(Clone, Debug)]
pub struct TreeNode {
    /// The partner.
    pub partner: Partner,
    /// The name of its level.
    pub level_title: String,
    /// How many live users are at home here.
    pub users: i64,
    /// How many directories it has.
    pub directories: i64,
    /// Whether it is itself suspended.
    pub suspended: bool,
}

impl FromRow for TreeNode {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            partner: Partner::from_row(row)?,
            level_title: row.get("level_title")?,
            users: row.get("users")?,
            directories: row.get("directories")?,
            suspended: row.get::<i64>("suspensions")? > 0,
        })
    }
}

/// Writes the first partner of an installation.
///
/// # Errors
/// `StoreError`.
pub async fn insert_root(tx: &mut Tx, _by: &OperatorExtent, new: &Partner) -> Result<(), StoreError> {
    insert_row(tx, new).await
}

/// Writes a partner below the extent's partner, with its ancestor pairs; the extent over the new one.
///
/// # Errors
/// `StoreError::Unique` when the external id is taken.
pub async fn insert_below(tx: &mut Tx, parent: &PartnerExtent, new: &Partner) -> Result<PartnerExtent, StoreError> {
    insert_row(tx, &Partner { parent: Some(parent.partner()), ..new.clone() }).await?;
    tx.execute(&INSERT_ANCESTORS, binds![new.id, parent.partner()]).await?;
    Ok(parent.within(new.id))
}

async fn insert_row(tx: &mut Tx, new: &Partner) -> Result<(), StoreError> {
    let values = binds![
        new.id,
        new.parent,
        &new.external_id,
        &new.name,
        fold(&new.name).into_bytes(),
        new.kind.as_str(),
        new.level.0,
        new.created_at
    ];
    tx.execute(&INSERT, values).await?;
    tx.later(&INSERT_SELF, [binds![new.id]]).await
}

/// Changes the name.
///
/// # Errors
/// `StoreError`.
pub async fn rename(tx: &mut Tx, at: &PartnerExtent, name: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(&RENAME, binds![at.partner(), name, fold(name).into_bytes(), now]).await?;
    Ok(())
}

/// Gives the root another key, name and level.
///
/// # Errors
/// `StoreError::Unique` when another partner has the key.
pub async fn adopt(tx: &mut Tx, at: &PartnerExtent, root: &Partner, now: Timestamp) -> Result<(), StoreError> {
    let sort_key = fold(&root.name).into_bytes();
    let values = binds![at.partner(), &root.external_id, &root.name, sort_key, root.level.0, now];
    tx.execute(&ADOPT, values).await.map(drop)
}

/// The extent's partner.
///
/// # Errors
/// `StoreError::NotFound` when it has gone since the extent was built.
pub async fn get(reader: &mut Reader, at: &PartnerExtent) -> Result<Partner, StoreError> {
    reader.one(&BY_ID, binds![at.partner()], Partner::from_row).await
}

/// The partners above the extent's partner, the root first, itself last: what a path shows.
///
/// # Errors
/// `StoreError`.
pub async fn path(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<Partner>, StoreError> {
    reader.all(&ANCESTORS, binds![at.partner()], Partner::from_row).await
}

/// The extent's partner and, when the extent reaches below, everything under it; by name.
///
/// # Errors
/// `StoreError`.
pub async fn subtree(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<TreeNode>, StoreError> {
    let mut nodes = reader.all(&SUBTREE, binds![at.partner()], TreeNode::from_row).await?;
    if !at.subtree() {
        nodes.retain(|node| node.partner.id == at.partner());
    }
    Ok(nodes)
}

/// The partners directly below the extent's, by name.
///
/// # Errors
/// `StoreError`.
pub async fn children(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<Partner>, StoreError> {
    reader.all(&CHILDREN, binds![at.partner()], Partner::from_row).await
}

/// How many partners have this key, anywhere in the tree.
///
/// # Errors
/// Only those of the store.
pub async fn keyed(reader: &mut Reader, _by: &OperatorExtent, key: &str) -> Result<i64, StoreError> {
    reader.one(&KEYED, binds![key], first).await
}

/// Whether the operator made the partner, and not somebody in the tree.
///
/// # Errors
/// `StoreError`.
pub async fn made_by_operator(tx: &mut Tx, _by: &OperatorExtent, id: PartnerId) -> Result<bool, StoreError> {
    let actor: Option<String> = tx.optional(&MADE_BY, binds![id], first).await?;
    Ok(actor.is_some_and(|actor| matches!(serde_json::from_str(&actor), Ok(Actor::Operator))))
}

/// Whether there are `count` partners directly below the extent's, or more.
///
/// # Errors
/// `StoreError`.
pub async fn at_least_below(reader: &mut Reader, at: &PartnerExtent, count: usize) -> Result<bool, StoreError> {
    let Some(before) = count.checked_sub(1) else { return Ok(true) };
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    Ok(reader.optional(&AT_LEAST, binds![at.partner(), before], first::<PartnerId>).await?.is_some())
}

/// The root, for the command line; none on an empty store.
///
/// # Errors
/// `StoreError`.
pub async fn root(reader: &mut Reader, _by: &OperatorExtent) -> Result<Option<Partner>, StoreError> {
    reader.optional(&ROOT, binds![], Partner::from_row).await
}

/// How many live partners there are.
///
/// # Errors
/// `StoreError`.
pub async fn count(reader: &mut Reader, _by: &OperatorExtent) -> Result<i64, StoreError> {
    reader.one(&COUNT, binds![], first).await
}
