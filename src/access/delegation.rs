//! Nobody gives more than they hold: authority as capability sets over scopes, and when it covers a grant.
use std::collections::BTreeSet;

use super::derive::{AccessView, Bound};
use super::scope::{Tree, contains, disjoint};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::UserId;
use crate::domain::time::{Timestamp, Window};

/// One thing held: capabilities over everything that lies in all of the scopes, within a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveGrant {
    /// What the role confers.
    pub capabilities: BTreeSet<CapabilityId>,
    /// The scope of the grant, and, where a directory stands behind it, of the ceiling that clips it.
    pub within: Vec<Scope>,
    /// When.
    pub window: Window,
}

impl EffectiveGrant {
    /// What a ceiling row lets through of capabilities over a scope; none when they share no capability.
    pub fn under(
        capabilities: &BTreeSet<CapabilityId>,
        scope: &Scope,
        (most, over): (BTreeSet<CapabilityId>, &Scope),
        window: Window,
    ) -> Option<Self> {
        let capabilities: BTreeSet<_> = capabilities.intersection(&most).copied().collect();
        let within = vec![scope.clone(), over.clone()];
        (!capabilities.is_empty()).then_some(Self { capabilities, within, window })
    }
}

/// Everything a user holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Authority {
    /// Each grant as far as it is not clipped.
    pub holdings: Vec<EffectiveGrant>,
}

/// Capabilities over a scope within a window, about to be given.
#[derive(Clone, Copy, Debug)]
pub struct ProposedGrant<'a> {
    /// What the role confers.
    pub capabilities: &'a BTreeSet<CapabilityId>,
    /// Over what.
    pub scope: &'a Scope,
    /// When.
    pub window: Window,
}

/// Whether the authority covers the gift: each capability, over the whole scope, for the whole window, by
/// one holding. Sound and conservative: several holdings that only together cover a scope do not count,
/// except that groups may each be covered by another.
pub fn covers(authority: &Authority, proposed_grant: &ProposedGrant<'_>, tree: &impl Tree) -> bool {
    parts(proposed_grant.scope).iter().all(|scope| {
        proposed_grant.capabilities.iter().all(|capability| {
            authority.holdings.iter().any(|holding| {
                holding.capabilities.contains(capability)
                    && spans(holding.window, proposed_grant.window)
                    && holding.within.iter().all(|outer| contains(outer, scope, tree))
            })
        })
    })
}

/// Whether ceiling rows let all of these capabilities through over the whole of a scope, and whether they let nothing
/// through. Sound and conservative, as [`covers`] is.
pub fn let_through(
    rows: &[(BTreeSet<CapabilityId>, Scope)],
    capabilities: &BTreeSet<CapabilityId>,
    scope: &Scope,
    tree: &impl Tree,
) -> (bool, bool) {
    let whole = capabilities
        .iter()
        .all(|capability| rows.iter().any(|(most, over)| most.contains(capability) && contains(over, scope, tree)));
    let nothing = rows.iter().all(|(most, over)| most.is_disjoint(capabilities) || disjoint(over, scope, tree));
    (whole && !capabilities.is_empty(), nothing)
}

/// Whether everything `below` holds is covered by `above`.
pub fn dominates(above: &Authority, below: &Authority, tree: &impl Tree) -> bool {
    below.holdings.iter().all(|holding| {
        // What lies in all scopes lies in each: covering one of them is enough.
        holding.within.iter().any(|scope| {
            covers(above, &ProposedGrant { capabilities: &holding.capabilities, scope, window: holding.window }, tree)
        })
    })
}

/// Everything a user holds at `now`, by the law.
pub fn authority(view: &AccessView<'_>, user: UserId, now: Timestamp) -> Authority {
    let held = view.user(user).map_or(&[][..], |derived| &derived.holds);
    let mut holdings = Vec::new();
    for held in held {
        let Some((role, scope)) = view.substance(*held) else { continue };
        let grant = view.manual(*held);
        let window = grant.map(|grant| grant.window).unwrap_or_default();
        if grant.is_some_and(|grant| grant.suspended) || !window.contains(now) {
            continue;
        }
        let capabilities = view.capabilities_of(role);
        match held.bound() {
            Bound::Free => holdings.push(EffectiveGrant { capabilities, within: vec![scope.clone()], window }),
            Bound::Ceiling(directory) => {
                let rows = view.ceilings(directory).map(|row| (view.capabilities_of(row.role), &row.scope));
                holdings.extend(rows.filter_map(|row| EffectiveGrant::under(&capabilities, scope, row, window)));
            }
            Bound::Nobody => {}
        }
    }
    Authority { holdings }
}

/// A scope of several groups as one scope for each group.
fn parts(scope: &Scope) -> Vec<Scope> {
    match &scope.base {
        ScopeBase::UserGroups { partner, user_groups: groups } => groups
            .iter()
            .map(|group| Scope {
                base: ScopeBase::UserGroups { partner: *partner, user_groups: BTreeSet::from([*group]) },
                ..scope.clone()
            })
            .collect(),
        _ => vec![scope.clone()],
    }
}

/// Whether the outer window spans the inner one.
fn spans(outer: Window, inner: Window) -> bool {
    let from = outer.from.is_none_or(|outer| inner.from.is_some_and(|inner| outer <= inner));
    let until = outer.until.is_none_or(|outer| inner.until.is_some_and(|inner| inner <= outer));
    from && until
}
