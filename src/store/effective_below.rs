//! What everyone at home in a partner or below it holds, put together: who switches a partner off switches all of them off.
use super::effective_tree::{StoredTree, ceilings, conferred};
use super::extent::PartnerExtent;
use super::{Reader, StoreError, first, scopes, tuple};
use crate::access::delegation::{Authority, EffectiveGrant, dominates};
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{DirectoryId, RoleId, ScopeId};
use crate::domain::time::{Timestamp, Window};
use crate::{binds, statements};

/// Grants `g` held at home in partner `$1` or below, by people and by user groups, that have not ended at `$2`; `which`
/// tells them apart by whether their scope lies below too.
fn held(columns: &str, which: &str) -> String {
    let live = "g.suspended_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > $2)";
    let inside = format!(
        "{which} (SELECT 1 FROM scope s CROSS JOIN partner_ancestor i \
            WHERE s.id = g.scope AND i.partner = s.partner AND i.ancestor = $1)"
    );
    format!(
        "SELECT {columns} FROM partner_ancestor a CROSS JOIN live_person p CROSS JOIN role_grant g \
            WHERE a.ancestor = $1 AND p.partner = a.partner AND g.holder_person = p.id AND {live} AND {inside} \
        UNION SELECT {columns} FROM partner_ancestor a CROSS JOIN user_group w CROSS JOIN role_grant g \
            WHERE a.ancestor = $1 AND w.partner = a.partner AND g.holder_group = w.id AND {live} AND {inside}"
    )
}

statements! {
    INSIDE = held("g.role", "EXISTS");
    OUTSIDE = held("g.role, g.scope, g.valid_from, g.valid_until", "NOT EXISTS");
    // A directory speaks only for people of its own partner, so those of the partners below are all there are.
    RULES = "SELECT DISTINCT r.role, r.scope, d.id FROM partner_ancestor a CROSS JOIN directory d \
        CROSS JOIN mapping_rule r WHERE a.ancestor = $1 AND d.partner = a.partner AND d.mode <> 'observe' \
        AND r.directory = d.id AND r.rule_version = d.rule_version AND r.effect = 'grant'";
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
