//! What everyone at home in a partner or below it holds, put together: who switches a partner off switches all of them off.
use super::effective_tree::{StoredTree, ceilings, conferred};
use super::extent::PartnerExtent;
use super::{Reader, StoreError, first, scopes, tuple};
use crate::access::delegation::{Authority, EffectiveGrant, dominates};
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{DirectoryId, RoleId, ScopeId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

/// Grants `g` held at home in partner `$1` or below, by users and by user groups, that have not ended at `$2`; `which`
/// tells them apart by whether their scope lies below too.
fn held(columns: &str, which: &str) -> String {
    let live = "g.suspended_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > $2)";
    let inside = format!(
        "{which} (SELECT 1 FROM scopes s CROSS JOIN partner_ancestors i \
            WHERE s.id = g.scope_id AND i.partner_id = s.partner_id AND i.ancestor_id = $1)"
    );
    format!(
        "SELECT {columns} FROM partner_ancestors a CROSS JOIN live_users p CROSS JOIN grants g \
            WHERE a.ancestor_id = $1 AND p.partner_id = a.partner_id AND g.user_id = p.id AND {live} AND {inside} \
        UNION SELECT {columns} FROM partner_ancestors a CROSS JOIN user_groups w CROSS JOIN grants g \
            WHERE a.ancestor_id = $1 AND w.partner_id = a.partner_id AND g.user_group_id = w.id AND {live} AND {inside}"
    )
}

statements! {
    INSIDE = held("g.role_id", "EXISTS");
    OUTSIDE = held("g.role_id, g.scope_id, g.valid_from, g.valid_until", "NOT EXISTS");
    // A directory speaks only for users of its own partner, so those of the partners below are all there are.
    RULES = "SELECT DISTINCT r.role_id, r.scope_id, d.id FROM partner_ancestors a CROSS JOIN directories d \
        CROSS JOIN mapping_rules r WHERE a.ancestor_id = $1 AND d.partner_id = a.partner_id AND d.mode <> 'observe' \
        AND r.directory_id = d.id AND r.rule_set_version = d.rule_set_version AND r.effect = 'grant_role'";
}

/// Whether `above` covers everything that is held at home in the extent's partner or below. Sound and careful: what is
/// held over something below counts as held over all of it, and a user group's grant counts though nobody is in it.
///
/// # Errors
/// Only those of the store.
pub async fn outranked(
    reader: &mut Reader,
    at: &PartnerExtent,
    above: &Authority,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let below = below(reader, at, now).await?;
    let scopes = above.holdings.iter().chain(&below.holdings).flat_map(|holding| &holding.within);
    let tree = StoredTree::load(reader, scopes).await?;
    Ok(dominates(above, &below, &tree))
}

async fn below(reader: &mut Reader, at: &PartnerExtent, now: Timestamp) -> Result<Authority, StoreError> {
    type Outside = (RoleId, ScopeId, Option<Timestamp>, Option<Timestamp>);
    let all = Scope::of(ScopeBase::Subtree { partner: at.partner() });
    let mut below = Authority::default();
    let inside: Vec<RoleId> = reader.all(&INSIDE, binds![at.partner(), now], first).await?;
    for role in inside {
        let (capabilities, within) = (conferred(reader, role).await?, vec![all.clone()]);
        below.holdings.push(EffectiveGrant { capabilities, within, window: Window::default() });
    }
    let outside: Vec<Outside> = reader.all(&OUTSIDE, binds![at.partner(), now], tuple).await?;
    for (role, scope, from, until) in outside {
        let (capabilities, within) = (conferred(reader, role).await?, vec![scopes::get(reader, scope).await?]);
        below.holdings.push(EffectiveGrant { capabilities, within, window: Window { from, until } });
    }
    let rules: Vec<(RoleId, ScopeId, DirectoryId)> = reader.all(&RULES, binds![at.partner()], tuple).await?;
    for (role, scope, directory) in rules {
        let (capabilities, scope) = (conferred(reader, role).await?, scopes::get(reader, scope).await?);
        let rows = ceilings(reader, directory).await?;
        let rows = rows.iter().map(|(most, over)| (most.clone(), over));
        below
            .holdings
            .extend(rows.filter_map(|row| EffectiveGrant::under(&capabilities, &scope, row, Window::default())));
    }
    Ok(below)
}
