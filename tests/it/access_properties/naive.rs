//! The third opinion: slow, plain, written from the words of the design, importing nothing from `access`.
//!
//! It follows one user at a time and answers by asking the definitions, without any index or derived table.
use rolecall::domain::directory::DirectoryMode;
use rolecall::domain::grant::{Holder, Scope, ScopeBase};
use rolecall::domain::id::{
    DirectoryId, ExternalGroupId, ExternalUserId, PartnerId, RoleId, RuleId, UserGroupId, UserId,
};
use rolecall::domain::rule::{ExternalSet, Rule, RuleEffect};

use super::model::{Asked, Grant, Model};

/// Whether it is allowed.
pub fn allowed(m: &Model, q: &Asked) -> bool {
    let Some(user) = m.users.iter().find(|p| p.id == q.principal) else { return false };
    let Some(target) = m.partners.iter().find(|p| p.id == q.resource.partner) else { return false };
    let Some((_, on_suspended)) = m.capabilities.iter().find(|(id, _)| *id == q.capability) else { return false };
    if user.suspended.is_some() || user.ends.is_some_and(|at| at <= q.now) || switched_off(m, user.partner) {
        return false;
    }
    if switched_off(m, target.id) && !on_suspended {
        return false;
    }
    if !m.levels.iter().any(|(id, ceiling)| *id == target.level && ceiling.contains(&q.capability)) {
        return false;
    }
    let by_admin = m.grants.iter().any(|grant| match grant.holder {
        Holder::User(holder) => holder == q.principal && gives(m, q, grant),
        Holder::Group(group) => {
            gives(m, q, grant)
                && (put_by_admin(m, q.principal, group)
                    || left_in_default(m, q.principal, group) && existing_is_enough(m, q)
                    || rules_into(m, q.principal, group).iter().any(|rule| under_ceiling(m, q, rule.directory)))
        }
    });
    let by_rule = m.rules.iter().any(|rule| match &rule.effect {
        RuleEffect::GrantRole { role, scope } => {
            matches(m, q.principal, rule)
                && carries(m, *role, q)
                && covers(m, q, scope)
                && under_ceiling(m, q, rule.directory)
        }
        _ => false,
    });
    by_admin || by_rule
}

fn gives(m: &Model, q: &Asked, grant: &Grant) -> bool {
    let begun = grant.window.from.is_none_or(|from| q.now >= from);
    let ended = grant.window.until.is_some_and(|until| q.now >= until);
    !grant.suspended && begun && !ended && carries(m, grant.role, q) && covers(m, q, &grant.scope)
}

/// The partner itself or one above it is switched off.
fn switched_off(m: &Model, partner: PartnerId) -> bool {
    m.partners.iter().any(|p| p.suspended && at_or_below(m, partner, p.id))
}

fn at_or_below(m: &Model, partner: PartnerId, top: PartnerId) -> bool {
    if partner == top {
        return true;
    }
    let parent = m.partners.iter().find(|p| p.id == partner).and_then(|p| p.parent);
    parent.is_some_and(|parent| at_or_below(m, parent, top))
}

fn at_or_under_role(m: &Model, role: RoleId, top: RoleId) -> bool {
    if role == top {
        return true;
    }
    let parent = m.roles.iter().find(|r| r.id == role).and_then(|r| r.parent);
    parent.is_some_and(|parent| at_or_under_role(m, parent, top))
}

/// The role has the capability, and every role above it has it too.
fn carries(m: &Model, role: RoleId, q: &Asked) -> bool {
    m.roles.iter().filter(|r| at_or_under_role(m, role, r.id)).all(|r| r.capabilities.contains(&q.capability))
}

fn covers(m: &Model, q: &Asked, scope: &Scope) -> bool {
    let partner = q.resource.partner;
    let reached = match &scope.base {
        ScopeBase::Own { partner: home } => *home == partner && q.resource.owner == Some(q.principal),
        ScopeBase::Partner { partner: one } => *one == partner,
        ScopeBase::Subtree { partner: top } => at_or_below(m, partner, *top),
        ScopeBase::UserGroups { partner: of, user_groups } => {
            *of == partner && user_groups.iter().any(|g| concerns(m, q, *g))
        }
    };
    let cut = scope.excluded_partners.iter().any(|top| at_or_below(m, partner, *top));
    let kept_out = scope.excluded_user_groups.iter().any(|g| concerns(m, q, *g));
    reached && !cut && !kept_out
}

/// The resource is in this user group of its partner: it was said so, or its owner is in the group.
fn concerns(m: &Model, q: &Asked, group: UserGroupId) -> bool {
    let here = m.groups.iter().any(|g| g.id == group && g.partner == q.resource.partner);
    let owner_in = |owner| {
        put_by_admin(m, owner, group) || left_in_default(m, owner, group) || !rules_into(m, owner, group).is_empty()
    };
    here && (q.resource.group == Some(group) || q.resource.owner.is_some_and(owner_in))
}

/// In the group by somebody's act about the user: added or pinned.
fn put_by_admin(m: &Model, user: UserId, group: UserGroupId) -> bool {
    let pinned = m.users.iter().any(|p| p.id == user && p.pin == Some(group));
    m.members.contains(&(group, user)) || pinned
}

/// What comes to a user by existing: all of it to who is confirmed; to anybody else what a directory that says they
/// are there could give itself.
fn existing_is_enough(m: &Model, q: &Asked) -> bool {
    if m.users.iter().any(|p| p.id == q.principal && p.confirmed) {
        return true;
    }
    let says_so = |e: &&super::model::ExternalUser| e.active && e.user == Some(q.principal);
    m.external_users.iter().filter(says_so).any(|e| {
        let counts = m.directories.iter().any(|d| d.id == e.directory && d.mode != DirectoryMode::Observe);
        counts && under_ceiling(m, q, e.directory)
    })
}

/// In the default group because nobody and nothing puts the user elsewhere.
fn left_in_default(m: &Model, user: UserId, group: UserGroupId) -> bool {
    let Some(who) = m.users.iter().find(|p| p.id == user) else { return false };
    let default = m.groups.iter().any(|g| g.id == group && g.partner == who.partner && g.is_default);
    default && who.pin.is_none() && placing_rule(m, user).is_none()
}

/// The rules by which a user is in a group.
fn rules_into(m: &Model, user: UserId, group: UserGroupId) -> Vec<&Rule> {
    let Some(who) = m.users.iter().find(|p| p.id == user) else { return Vec::new() };
    let label = m.groups.iter().any(|g| g.id == group && g.partner == who.partner && !g.is_primary);
    let placed = placing_rule(m, user);
    m.rules
        .iter()
        .filter(|rule| match rule.effect {
            RuleEffect::AddToGroup { user_group: into } => label && into == group && matches(m, user, rule),
            RuleEffect::SetPrimaryGroup { user_group: into } => into == group && placed == Some(rule.id),
            _ => false,
        })
        .collect()
}

/// The rule that places a user, when no pin does.
fn placing_rule(m: &Model, user: UserId) -> Option<RuleId> {
    let who = m.users.iter().find(|p| p.id == user)?;
    if who.pin.is_some() {
        return None;
    }
    let mut placing: Vec<_> = m
        .rules
        .iter()
        .filter_map(|rule| {
            let RuleEffect::SetPrimaryGroup { user_group: group } = rule.effect else { return None };
            let fits = m.groups.iter().any(|g| g.id == group && g.partner == who.partner && g.is_primary);
            let from = m.directories.iter().find(|d| d.id == rule.directory)?;
            (fits && matches(m, user, rule)).then_some((from.authority, from.id, rule.ordinal, rule.id))
        })
        .collect();
    placing.sort();
    placing.first().map(|first| first.3)
}

/// Whether a rule is in force and matches what its directory says of a user.
fn matches(m: &Model, user: UserId, rule: &Rule) -> bool {
    let Some(from) = m.directories.iter().find(|d| d.id == rule.directory) else { return false };
    if from.mode == DirectoryMode::Observe || from.rule_version != rule.version {
        return false;
    }
    let faces: Vec<ExternalUserId> = m
        .external_users
        .iter()
        .filter(|e| e.directory == from.id && e.user == Some(user) && e.active)
        .map(|e| e.id)
        .collect();
    let is_in = |set| faces.iter().any(|face| in_set(m, *face, set));
    rule.when.terms.iter().any(|term| {
        let must: Vec<_> = term.criteria.iter().filter(|a| !a.negated).collect();
        let mut not = term.criteria.iter().filter(|a| a.negated);
        !must.is_empty() && must.iter().all(|a| is_in(a.set)) && !not.any(|a| is_in(a.set))
    })
}

fn in_set(m: &Model, face: ExternalUserId, set: ExternalSet) -> bool {
    match set {
        ExternalSet::Condition(condition) => m.condition_members.contains(&(condition, face)),
        ExternalSet::Group(group) => {
            inner_groups(m, group).iter().any(|inner| m.external_members.contains(&(*inner, face)))
        }
    }
}

/// A group with all that are nested in it, however deep: grown until it grows no more.
pub fn inner_groups(m: &Model, group: ExternalGroupId) -> Vec<ExternalGroupId> {
    let mut inner = vec![group];
    loop {
        let more = m.subgroups.iter().find(|(outer, child)| inner.contains(outer) && !inner.contains(child));
        match more {
            Some((_, child)) => inner.push(*child),
            None => return inner,
        }
    }
}

/// Whether a directory may confer what is asked for, there: some role of its ceiling carries it and reaches that far.
fn under_ceiling(m: &Model, q: &Asked, directory: DirectoryId) -> bool {
    let from = m.directories.iter().find(|d| d.id == directory);
    from.is_some_and(|from| from.ceilings.iter().any(|most| carries(m, most.role, q) && covers(m, q, &most.scope)))
}
