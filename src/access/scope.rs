//! What a scope reaches, and when one scope lies inside another.
use std::collections::BTreeSet;

use crate::domain::grant::{Resource, Scope, ScopeBase};
use crate::domain::id::{PartnerId, UserGroupId, UserId};

/// The shape of the partner tree, as far as scopes ask about it.
pub trait Tree {
    /// Whether `partner` is `top` or lies below it.
    fn within(&self, partner: PartnerId, top: PartnerId) -> bool;
    /// The partner that owns a user group; `None` when there is no such group.
    fn owner(&self, group: UserGroupId) -> Option<PartnerId>;
}

/// A resource seen by one principal.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Who asks; *own* scopes mean this user.
    pub principal: UserId,
    /// What it is about.
    pub resource: Resource,
    /// The user groups the resource belongs to: the one it was stated with, and those its owner is in.
    pub groups: &'a BTreeSet<UserGroupId>,
}

/// Whether `scope` reaches the target.
pub fn reaches(scope: &Scope, target: &Target<'_>, tree: &impl Tree) -> bool {
    let partner = target.resource.partner;
    let inside = match &scope.base {
        ScopeBase::Own { partner: home } => partner == *home && target.resource.owner == Some(target.principal),
        ScopeBase::Partner { partner: only } => partner == *only,
        ScopeBase::Subtree { partner: top } => tree.within(partner, *top),
        ScopeBase::UserGroups { partner: owner, user_groups: groups } => {
            partner == *owner && !groups.is_disjoint(target.groups)
        }
    };
    inside
        && !scope.excluded_partners.iter().any(|cut| tree.within(partner, *cut))
        && scope.excluded_user_groups.is_disjoint(target.groups)
}

/// Whether everything `inner` reaches, for whomever, is reached by `outer` too.
///
/// Sound and conservative: *true* is proven, *false* may be too careful. An *own* scope contains nothing,
/// because it means another thing for each holder; a partner alone contains no subtree, because partners
/// may be added below.
pub fn contains(outer: &Scope, inner: &Scope, tree: &impl Tree) -> bool {
    if is_empty(inner, tree) {
        return true;
    }
    let reached = match (&outer.base, &inner.base) {
        (ScopeBase::Own { .. }, _) | (ScopeBase::Partner { .. }, ScopeBase::Subtree { .. }) => false,
        (ScopeBase::Partner { partner }, _) => inner.partner() == *partner,
        (ScopeBase::Subtree { partner }, _) => tree.within(inner.partner(), *partner),
        (
            ScopeBase::UserGroups { partner, user_groups: groups },
            ScopeBase::UserGroups { partner: owner, user_groups: few },
        ) => partner == owner && few.is_subset(groups),
        (ScopeBase::UserGroups { .. }, _) => false,
    };
    reached
        && outer.excluded_partners.iter().all(|cut| avoids_partner(inner, *cut, tree))
        && outer.excluded_user_groups.iter().all(|cut| avoids_group(inner, *cut, tree))
}

/// Whether no resource can be in both scopes. Sound and conservative in the same way.
pub fn disjoint(one: &Scope, other: &Scope, tree: &impl Tree) -> bool {
    let (first, second) = (one.partner(), other.partner());
    let apart = match (&one.base, &other.base) {
        (ScopeBase::Subtree { .. }, ScopeBase::Subtree { .. }) => {
            !tree.within(first, second) && !tree.within(second, first)
        }
        (ScopeBase::Subtree { .. }, _) => !tree.within(second, first),
        (_, ScopeBase::Subtree { .. }) => !tree.within(first, second),
        _ => first != second,
    };
    apart || cut_away(one, second, tree) || cut_away(other, first, tree) || is_empty(one, tree) || is_empty(other, tree)
}

/// Whether the scope excludes the very partner it hangs on, and so reaches nothing.
fn is_empty(scope: &Scope, tree: &impl Tree) -> bool {
    cut_away(scope, scope.partner(), tree)
}

/// Whether `partner` and all below it are excluded from the scope.
fn cut_away(scope: &Scope, partner: PartnerId, tree: &impl Tree) -> bool {
    scope.excluded_partners.iter().any(|cut| tree.within(partner, *cut))
}

/// Whether the scope reaches nothing at or below `cut`.
fn avoids_partner(scope: &Scope, cut: PartnerId, tree: &impl Tree) -> bool {
    let top = scope.partner();
    let above = matches!(scope.base, ScopeBase::Subtree { .. }) && tree.within(cut, top);
    cut_away(scope, cut, tree) || !(above || tree.within(top, cut))
}

/// Whether the scope reaches nothing that belongs to the group `cut`.
fn avoids_group(scope: &Scope, cut: UserGroupId, tree: &impl Tree) -> bool {
    if scope.excluded_user_groups.contains(&cut) {
        return true;
    }
    let Some(owner) = tree.owner(cut) else { return true };
    let meets = match &scope.base {
        ScopeBase::Subtree { partner } => tree.within(owner, *partner),
        _ => owner == scope.partner(),
    };
    !meets || cut_away(scope, owner, tree)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::Id;

    /// Partners 1 ─ 2 ─ 3 and 1 ─ 4; groups 12 and 14 of 2, and 13 of 3.
    struct Small;

    fn partner(n: u128) -> PartnerId {
        PartnerId::from_uuid(Uuid::from_u128(n))
    }
    fn group(n: u128) -> UserGroupId {
        UserGroupId::from_uuid(Uuid::from_u128(n))
    }

    impl Tree for Small {
        fn within(&self, below: PartnerId, top: PartnerId) -> bool {
            let parents = [(partner(2), partner(1)), (partner(3), partner(2)), (partner(4), partner(1))];
            let above = |at: &PartnerId| parents.iter().find(|(below, _)| below == at).map(|pair| pair.1);
            std::iter::successors(Some(below), above).any(|at| at == top)
        }
        fn owner(&self, asked: UserGroupId) -> Option<PartnerId> {
            [(group(12), partner(2)), (group(14), partner(2)), (group(13), partner(3))]
                .into_iter()
                .find(|(id, _)| *id == asked)
                .map(|found| found.1)
        }
    }

    fn subtree(n: u128) -> Scope {
        Scope::of(ScopeBase::Subtree { partner: partner(n) })
    }
    fn only(n: u128) -> Scope {
        Scope::of(ScopeBase::Partner { partner: partner(n) })
    }
    fn groups(n: u128, ids: &[u128]) -> Scope {
        Scope::of(ScopeBase::UserGroups { partner: partner(n), user_groups: ids.iter().map(|id| group(*id)).collect() })
    }
    fn own(n: u128) -> Scope {
        Scope::of(ScopeBase::Own { partner: partner(n) })
    }

    #[test]
    fn a_subtree_contains_what_lies_below_and_nothing_beside() {
        assert!(contains(&subtree(1), &subtree(3), &Small));
        assert!(contains(&subtree(2), &only(3), &Small));
        assert!(contains(&subtree(2), &groups(3, &[13]), &Small));
        assert!(contains(&subtree(2), &own(2), &Small));
        assert!(!contains(&subtree(2), &subtree(1), &Small));
        assert!(!contains(&subtree(2), &only(4), &Small));
    }

    #[test]
    fn a_partner_alone_contains_its_groups_but_no_subtree() {
        assert!(contains(&only(2), &groups(2, &[12]), &Small));
        assert!(!contains(&only(3), &subtree(3), &Small));
        assert!(!contains(&groups(2, &[12]), &only(2), &Small));
        assert!(!contains(&own(2), &own(2), &Small));
    }

    #[test]
    fn an_exclusion_must_be_shared_or_out_of_reach() {
        let mut most = subtree(1);
        most.excluded_partners.insert(partner(3));
        assert!(!contains(&most, &subtree(2), &Small));
        assert!(contains(&most, &only(2), &Small));
        assert!(contains(&most, &subtree(4), &Small));
        let mut careful = subtree(2);
        careful.excluded_partners.insert(partner(3));
        assert!(contains(&most, &careful, &Small));

        let mut all_but_group = subtree(1);
        all_but_group.excluded_user_groups.insert(group(12));
        assert!(!contains(&all_but_group, &only(2), &Small));
        assert!(contains(&all_but_group, &subtree(3), &Small));
        let mut same = only(2);
        same.excluded_user_groups.insert(group(12));
        assert!(contains(&all_but_group, &same, &Small));
    }

    #[test]
    fn disjoint_scopes_share_no_partner() {
        assert!(disjoint(&subtree(2), &subtree(4), &Small));
        assert!(disjoint(&only(2), &only(3), &Small));
        assert!(!disjoint(&subtree(2), &only(3), &Small));
        let mut cut = subtree(1);
        cut.excluded_partners.insert(partner(2));
        assert!(disjoint(&cut, &subtree(3), &Small));
    }

    #[test]
    fn reach_counts_groups_owners_and_exclusions() {
        let me = UserId::from_uuid(Uuid::from_u128(99));
        let in_group = BTreeSet::from([group(12)]);
        let resource = Resource { partner: partner(2), group: None, owner: Some(me) };
        let mine = Target { principal: me, resource, groups: &in_group };
        assert!(reaches(&own(2), &mine, &Small));
        assert!(!reaches(&own(3), &mine, &Small));
        assert!(reaches(&groups(2, &[12]), &mine, &Small));
        assert!(reaches(&subtree(1), &mine, &Small));
        let mut without = subtree(1);
        without.excluded_user_groups.insert(group(12));
        assert!(!reaches(&without, &mine, &Small));
        let mut cut = subtree(1);
        cut.excluded_partners.insert(partner(2));
        assert!(!reaches(&cut, &mine, &Small));
    }

    /// The scopes of the small world: every reach, with at most one partner and one group excluded. A scope of groups
    /// excludes none of its own.
    fn scopes() -> Vec<Scope> {
        let by_groups = [groups(2, &[14]), groups(2, &[12, 14]), groups(3, &[13])];
        let reaches: Vec<_> = (1..=4).flat_map(|n| [own(n), only(n), subtree(n)]).chain(by_groups).collect();
        let mut all = Vec::new();
        for without_partners in [vec![], vec![1], vec![2], vec![3], vec![4]] {
            for without_groups in [vec![], vec![12]] {
                all.extend(reaches.iter().map(|scope| Scope {
                    excluded_partners: without_partners.iter().map(|n| partner(*n)).collect(),
                    excluded_user_groups: without_groups.iter().map(|n| group(*n)).collect(),
                    ..scope.clone()
                }));
            }
        }
        all.retain(|scope| match &scope.base {
            ScopeBase::UserGroups { user_groups: groups, .. } => groups.is_disjoint(&scope.excluded_user_groups),
            _ => true,
        });
        all
    }

    /// One bit for everything the scope reaches: each partner's things in each choice of its groups, mine or nobody's.
    fn reached(scope: &Scope) -> u32 {
        let me = UserId::from_uuid(Uuid::from_u128(99));
        let places: [(u128, &[u128]); 8] =
            [(1, &[]), (2, &[]), (2, &[12]), (2, &[14]), (2, &[12, 14]), (3, &[]), (3, &[13]), (4, &[])];
        let things = places.into_iter().flat_map(|place| [(place, None), (place, Some(me))]);
        things.enumerate().fold(0, |bits, (at, ((home, ids), owner))| {
            let groups = ids.iter().map(|id| group(*id)).collect();
            let resource = Resource { partner: partner(home), group: None, owner };
            let target = Target { principal: me, resource, groups: &groups };
            bits | u32::from(reaches(scope, &target, &Small)) << at
        })
    }

    #[test]
    fn one_scope_contains_another_when_it_reaches_all_of_it() {
        let all: Vec<_> = scopes().into_iter().map(|scope| (reached(&scope), scope)).collect();
        for (much, outer) in &all {
            for (little, inner) in &all {
                let inside = little & !much == 0;
                let careful = matches!(
                    (&outer.base, &inner.base),
                    (ScopeBase::Own { .. }, _) | (ScopeBase::Partner { .. }, ScopeBase::Subtree { .. })
                );
                let expected = inside && (!careful || *little == 0);
                assert_eq!(contains(outer, inner, &Small), expected, "{outer:?}\n{inner:?}");
            }
        }
    }

    #[test]
    fn scopes_are_disjoint_when_they_reach_nothing_in_common() {
        let all: Vec<_> = scopes().into_iter().map(|scope| (reached(&scope), scope)).collect();
        for (some, one) in &all {
            for (others, other) in &all {
                let (apart, told) = (some & others == 0, disjoint(one, other, &Small));
                // Exclusions of groups are not looked at: two scopes may be apart without being told so.
                let exact = one.excluded_user_groups.is_empty() && other.excluded_user_groups.is_empty();
                assert!(if exact { told == apart } else { apart || !told }, "{one:?}\n{other:?}");
            }
        }
    }
}
