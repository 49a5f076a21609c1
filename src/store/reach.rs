//! Where a user may do a thing, as extents, and the part of the tree that they see.
use std::collections::BTreeSet;

use super::effective_lists::authority;
use super::effective_tree::StoredTree;
use super::extent::{PartnerExtent, SelfExtent};
use super::partners::TreeNode;
use super::totals::{self, Counted};
use super::{FromRow as _, Reader, StoreError, first};
use crate::access::delegation::dominates;
use crate::access::scope::Tree as _;
use crate::domain::capability::CoreCapability;
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{PartnerId, UserId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// The columns of a [`TreeNode`], and where they are from.
fn columns() -> String {
    format!(
        "p.id, p.parent_id, p.external_id, p.name, p.kind, p.level_id, p.version, p.created_at, \
        l.title AS level_title, ({}) AS users, \
        (SELECT COUNT(*) FROM directories d WHERE d.partner_id = p.id) AS directories, \
        (SELECT COUNT(*) FROM partner_suspensions s WHERE s.partner_id = p.id) AS suspensions \
        FROM partner_ancestors a JOIN live_partners p ON p.id = a.partner_id JOIN levels l ON l.id = p.level_id",
        totals::kept(Counted::Users, "p.id")
    )
}

/// The partner is in the extent `$1`, `$2`, and its level allows to be seen.
fn seen() -> String {
    format!(
        "a.ancestor_id = $1 AND ($2 OR a.depth = 0) AND EXISTS (SELECT 1 FROM level_capabilities k \
        WHERE k.level_id = p.level_id AND k.capability_id = {})",
        CoreCapability::PartnerView.id().0
    )
}

statements! {
    CHILDREN = "SELECT id FROM live_partners WHERE parent_id = $1 ORDER BY sort_key, id";
    SUSPENSIONS = "SELECT COUNT(*) FROM partner_ancestors a JOIN partner_suspensions s ON s.partner_id = a.ancestor_id \
        WHERE a.partner_id = $1";
    NODES = format!("SELECT {} WHERE {} ORDER BY a.depth, p.sort_key, p.id LIMIT $3", columns(), seen());
    PAGE = format!("SELECT {} WHERE {} AND p.id > $3 ORDER BY p.id LIMIT $4", columns(), seen());
    ONE = format!("SELECT {} WHERE a.ancestor_id = $1 AND a.depth = 0", columns());
    BELOW = format!("SELECT {} WHERE {} AND p.parent_id = $3 ORDER BY p.sort_key, p.id LIMIT $4", columns(), seen());
    MATCHING(dialect) = format!(
        "SELECT {} WHERE {} AND ({} OR p.external_id = $5) ORDER BY p.sort_key, p.id LIMIT $3",
        columns(), seen(), dialect.contains("p.sort_key", "$4"));
}

/// A part of the tree: a partner, with what is below it, without some of that.
#[derive(Clone)]
struct Region {
    top: PartnerId,
    below: bool,
    without: BTreeSet<PartnerId>,
}

impl Region {
    /// What a scope covers of partners as such: nothing, when it only speaks of users or of the holder.
    fn of(scope: &Scope) -> Option<Self> {
        let (top, below) = match scope.base {
            ScopeBase::Partner { partner } => (partner, false),
            ScopeBase::Subtree { partner } => (partner, true),
            ScopeBase::Own { .. } | ScopeBase::UserGroups { .. } => return None,
        };
        Some(Self { top, below, without: scope.excluded_partners.clone() })
    }

    /// What lies in both.
    fn and(self, other: Self, tree: &StoredTree) -> Option<Self> {
        let (inner, outer) = if tree.within(self.top, other.top) { (self, other) } else { (other, self) };
        let inside = tree.within(inner.top, outer.top) && (outer.below || inner.top == outer.top);
        let below = inner.below && outer.below;
        inside.then(|| Self { top: inner.top, below, without: inner.without.union(&outer.without).copied().collect() })
    }
}

/// The parts of the tree in which the user may do `capability`, as extents without holes. They may overlap.
///
/// Suspensions and level ceilings are not counted in: they belong to each partner.
///
/// # Errors
/// Only those of the store.
pub async fn regions(
    reader: &mut Reader,
    of: &SelfExtent,
    capability: CoreCapability,
    now: Timestamp,
) -> Result<Vec<PartnerExtent>, StoreError> {
    let all = authority(reader, of.user(), now).await?;
    let mut found = Vec::new();
    for holding in all.holdings.iter().filter(|holding| holding.capabilities.contains(&capability.id())) {
        let tree = StoredTree::load(reader, &holding.within).await?;
        let mut parts = holding.within.iter().map(Region::of);
        let first = parts.next().flatten();
        let whole = parts.fold(first, |region, next| region.and_then(|region| region.and(next?, &tree)));
        let Some(region) = whole.filter(|region| !region.without.iter().any(|out| tree.within(region.top, *out)))
        else {
            continue;
        };
        cover(reader, of.user(), region, &tree, &mut found).await?;
    }
    found.sort_by_key(|extent| (extent.partner(), !extent.subtree()));
    found.dedup_by_key(|extent| extent.partner());
    Ok(found)
}

/// Cuts a region along its holes into extents without any.
async fn cover(
    reader: &mut Reader,
    user: UserId,
    region: Region,
    tree: &StoredTree,
    found: &mut Vec<PartnerExtent>,
) -> Result<(), StoreError> {
    let mut open = vec![region.top];
    while let Some(partner) = open.pop() {
        if region.without.contains(&partner) {
            continue;
        }
        let holed = region.without.iter().any(|out| tree.within(*out, partner));
        found.push(PartnerExtent::new(partner, region.below && !holed, user));
        if region.below && holed {
            open.extend(reader.all(&CHILDREN, binds![partner], first::<PartnerId>).await?);
        }
    }
    Ok(())
}

/// Partners that are seen, those nearest to the top first; at most `limit`. With `matching`, only those whose name
/// contains it or whose external id it is, by name.
///
/// # Errors
/// Only those of the store.
pub async fn tree(
    reader: &mut Reader,
    regions: &[PartnerExtent],
    matching: &str,
    limit: usize,
) -> Result<Vec<TreeNode>, StoreError> {
    let matching = matching.trim();
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut nodes: Vec<TreeNode> = Vec::new();
    let mut known = BTreeSet::new();
    for region in regions {
        let mut values = binds![region.partner(), region.subtree(), most];
        let rows = if matching.is_empty() {
            reader.all(&NODES, values, TreeNode::from_row).await?
        } else {
            values.extend(binds![fold(matching).into_bytes(), matching]);
            reader.all(&MATCHING, values, TreeNode::from_row).await?
        };
        nodes.extend(rows.into_iter().filter(|node| known.insert(node.partner.id)));
    }
    nodes.truncate(limit);
    Ok(nodes)
}

/// Whether everything that `below` holds is covered by what `above` holds.
///
/// # Errors
/// Only those of the store.
pub async fn outranks(reader: &mut Reader, above: UserId, below: UserId, now: Timestamp) -> Result<bool, StoreError> {
    let (above, below) = (authority(reader, above, now).await?, authority(reader, below, now).await?);
    let scopes = above.holdings.iter().chain(&below.holdings).flat_map(|holding| &holding.within);
    let tree = StoredTree::load(reader, scopes).await?;
    Ok(dominates(&above, &below, &tree))
}

/// Whether the extent's partner, or one above it, is switched off.
///
/// # Errors
/// Only those of the store.
pub async fn is_suspended(reader: &mut Reader, at: &PartnerExtent) -> Result<bool, StoreError> {
    Ok(reader.one(&SUSPENSIONS, binds![at.partner()], first::<i64>).await? > 0)
}

/// The partners directly below `parent` that are seen, by name; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn below(
    reader: &mut Reader,
    regions: &[PartnerExtent],
    parent: PartnerId,
    limit: usize,
) -> Result<Vec<TreeNode>, StoreError> {
    let mut nodes: Vec<TreeNode> = Vec::new();
    let mut known = BTreeSet::new();
    for region in regions {
        let values = binds![region.partner(), region.subtree(), parent, i64::try_from(limit).unwrap_or(i64::MAX)];
        let rows = reader.all(&BELOW, values, TreeNode::from_row).await?;
        nodes.extend(rows.into_iter().filter(|node| known.insert(node.partner.id)));
    }
    nodes.sort_by_cached_key(|node| (fold(&node.partner.name), node.partner.id));
    nodes.truncate(limit);
    Ok(nodes)
}

/// A page of the partners that are seen, in id order after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn page(
    reader: &mut Reader,
    regions: &[PartnerExtent],
    after: PartnerId,
    limit: usize,
) -> Result<Vec<TreeNode>, StoreError> {
    let mut nodes: Vec<TreeNode> = Vec::new();
    for region in regions {
        let values = binds![region.partner(), region.subtree(), after, i64::try_from(limit).unwrap_or(i64::MAX)];
        nodes.extend(reader.all(&PAGE, values, TreeNode::from_row).await?);
    }
    nodes.sort_by_key(|node| node.partner.id);
    nodes.dedup_by_key(|node| node.partner.id);
    nodes.truncate(limit);
    Ok(nodes)
}

/// The extent's partner as a node of the tree.
///
/// # Errors
/// `StoreError::NotFound` when it has gone since the extent was built.
pub async fn node(reader: &mut Reader, at: &PartnerExtent) -> Result<TreeNode, StoreError> {
    reader.one(&ONE, binds![at.partner()], TreeNode::from_row).await
}
