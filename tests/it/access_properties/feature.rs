//! The features of a world, each with a switch that turns it off. One that never changes an answer is not tested.
use rolecall::domain::directory::{CeilingEntry, DirectoryMode};
use rolecall::domain::grant::{Holder, Scope, ScopeBase};
use rolecall::domain::rule::{ExternalSet, RuleEffect};
use rolecall::domain::time::Window;

use super::generate::CAPABILITIES;
use super::model::{Asked, Model};

/// What there is to switch off.
pub struct Feature {
    pub name: &'static str,
    pub off: Off,
}

/// How a feature is made to play no part.
pub enum Off {
    World(fn(&mut Model)),
    Question(fn(&mut Asked)),
}

macro_rules! features {
    ($($name:literal: $kind:ident |$it:ident| $off:expr;)*) => {
        /// All of them.
        pub const FEATURES: &[Feature] = &[$(Feature { name: $name, off: Off::$kind(|$it| { $off; }) }),*];
    };
}

features! {
    "suspended users": World |m| m.users.iter_mut().for_each(|p| p.suspended = None);
    "users who were to leave": World |m| m.users.iter_mut().for_each(|p| p.ends = None);
    "suspended partners": World |m| m.partners.iter_mut().for_each(|p| p.suspended = false);
    "capabilities for suspended partners": World |m| m.capabilities.iter_mut().for_each(|c| c.1 = false);
    "users nobody has confirmed": World |m| m.users.iter_mut().for_each(|p| p.confirmed = true);
    "users somebody has confirmed": World |m| m.users.iter_mut().for_each(|p| p.confirmed = false);
    "directories that vouch for the unconfirmed": World |m| nobody_vouches(m);
    "ceilings of roles beside the granted one": World |m| ceilings_of_the_line_alone(m);
    "level ceilings": World |m| m.levels.iter_mut().for_each(|l| l.1 = CAPABILITIES.into_iter().collect());
    "parent roles": World |m| m.roles.iter_mut().for_each(|r| r.parent = None);
    "two sources per user": World |m| m.external_users.retain(|e| !e.second);
    "inactive external users": World |m| m.external_users.iter_mut().for_each(|e| e.active = true);
    "unlinked external users": World |m| m.external_users.iter_mut().for_each(|e| e.user = Some(e.candidate));
    "observe mode": World |m| modes(m, DirectoryMode::Observe, DirectoryMode::Authoritative);
    "paused mode still counts": World |m| modes(m, DirectoryMode::Paused, DirectoryMode::Observe);
    "nested groups": World |m| m.subgroups.clear();
    "groups nested four deep": World |m| fourth_nesting_off(m);
    "rings of groups": World |m| rings_off(m);
    "groups of everyone": World |m| everyone_off(m);
    "attribute conditions": World |m| m.condition_members.clear();
    "negated atoms": World |m| terms(m).for_each(|t| t.criteria.retain(|a| !a.negated));
    "several positive atoms": World |m| terms(m).for_each(|t| first_positive_only(&mut t.criteria));
    "several terms": World |m| m.rules.iter_mut().for_each(|r| r.when.terms.truncate(1));
    "rule-set versions": World |m| m.directories.iter_mut().for_each(|d| d.rule_version = 3 - d.rule_version);
    "grants by rules": World |m| m.rules.retain(|r| !matches!(r.effect, RuleEffect::GrantRole { .. }));
    "place rules": World |m| m.rules.retain(|r| !matches!(r.effect, RuleEffect::SetPrimaryGroup { .. }));
    "join rules": World |m| m.rules.retain(|r| !matches!(r.effect, RuleEffect::AddToGroup { .. }));
    "order of rules": World |m| m.rules.iter_mut().for_each(|r| r.ordinal = 100 - r.ordinal);
    "authority of directories": World |m| m.directories.iter_mut().for_each(|d| d.authority = -d.authority);
    "pins": World |m| m.users.iter_mut().for_each(|p| p.pin = None);
    "labels by hand": World |m| m.members.clear();
    "grants held by groups": World |m| m.grants.retain(|g| matches!(g.holder, Holder::User(_)));
    "windows": World |m| m.grants.iter_mut().for_each(|g| g.window = Window::default());
    "grants put aside": World |m| m.grants.iter_mut().for_each(|g| g.suspended = false);
    "ceilings that clip wholly": World |m| ceilings_for_every_role(m);
    "ceilings that clip partly": World |m| ceilings_everywhere(m);
    "excluded partners": World |m| scopes(m).for_each(|s| s.excluded_partners.clear());
    "excluded groups": World |m| scopes(m).for_each(|s| s.excluded_user_groups.clear());
    "own scopes": World |m| scopes_without(m, |r| matches!(r, ScopeBase::Own { .. }));
    "group scopes": World |m| scopes_without(m, |r| matches!(r, ScopeBase::UserGroups { .. }));
    "scopes of one partner": World |m| scopes(m).for_each(widen);
    "owners of resources": Question |q| q.resource.owner = None;
    "stated groups of resources": Question |q| q.resource.group = None;
}

fn terms(m: &mut Model) -> impl Iterator<Item = &mut rolecall::domain::rule::FilterTerm> {
    m.rules.iter_mut().flat_map(|rule| &mut rule.when.terms)
}

/// Every scope of the world.
fn scopes(m: &mut Model) -> impl Iterator<Item = &mut Scope> {
    let of_rules = m.rules.iter_mut().filter_map(|rule| match &mut rule.effect {
        RuleEffect::GrantRole { scope, .. } => Some(scope),
        _ => None,
    });
    let of_ceilings = m.directories.iter_mut().flat_map(|d| &mut d.ceilings).map(|ceiling| &mut ceiling.scope);
    m.grants.iter_mut().map(|grant| &mut grant.scope).chain(of_rules).chain(of_ceilings)
}

fn scopes_without(m: &mut Model, which: fn(&ScopeBase) -> bool) {
    m.grants.retain(|grant| !which(&grant.scope.base));
    m.rules.retain(|rule| !matches!(&rule.effect, RuleEffect::GrantRole { scope, .. } if which(&scope.base)));
}

fn widen(scope: &mut Scope) {
    if let ScopeBase::Partner { partner } = scope.base {
        scope.base = ScopeBase::Subtree { partner };
    }
}

fn modes(m: &mut Model, from: DirectoryMode, to: DirectoryMode) {
    m.directories.iter_mut().filter(|d| d.mode == from).for_each(|d| d.mode = to);
}

fn first_positive_only(atoms: &mut Vec<rolecall::domain::rule::Criterion>) {
    let mut positives = 0;
    atoms.retain(|atom| {
        positives += usize::from(!atom.negated);
        atom.negated || positives == 1
    });
}

/// The external groups of each directory, in the order the generator made them.
fn per_directory(m: &Model) -> Vec<Vec<rolecall::domain::id::ExternalGroupId>> {
    let of = |d| m.external_groups.iter().filter(|group| group.1 == d).map(|group| group.0).collect();
    m.directories.iter().map(|directory| of(directory.id)).collect()
}

/// Whoever is not confirmed is not spoken of either, but by the rules that match them now.
fn nobody_vouches(m: &mut Model) {
    let resting: Vec<_> = m.users.iter().filter(|p| !p.confirmed && p.pin.is_none()).map(|p| p.id).collect();
    let of_resting = |user: Option<_>| user.is_some_and(|user| resting.contains(&user));
    m.external_users.iter_mut().filter(|e| of_resting(e.user)).for_each(|e| e.active = false);
}

/// A ceiling row counts only for rules that grant its role or one below it.
fn ceilings_of_the_line_alone(m: &mut Model) {
    let roles = m.roles.clone();
    let line = |role| {
        let above = |at: &_| roles.iter().find(|r| r.id == *at).and_then(|r| r.parent);
        std::iter::successors(Some(role), above).collect::<Vec<_>>()
    };
    let directories = m.directories.clone();
    m.rules.retain(|rule| match &rule.effect {
        RuleEffect::GrantRole { role, .. } => {
            let from = directories.iter().find(|d| d.id == rule.directory).unwrap();
            let line = line(*role);
            from.ceilings.iter().any(|row| line.contains(&row.role))
        }
        _ => true,
    });
}

fn fourth_nesting_off(m: &mut Model) {
    for groups in per_directory(m) {
        m.subgroups.retain(|edge| *edge != (groups[4], groups[5]));
    }
}

fn rings_off(m: &mut Model) {
    for groups in per_directory(m) {
        m.subgroups.retain(|edge| *edge != (groups[5], groups[3]));
    }
}

fn everyone_off(m: &mut Model) {
    for groups in per_directory(m) {
        m.external_members.retain(|member| member.0 != groups[0]);
        // Nobody is kept out by it either.
        terms(m).for_each(|t| t.criteria.retain(|a| !a.negated || a.set != ExternalSet::Group(groups[0])));
    }
}

/// A role without a ceiling row gets one that reaches everything.
fn ceilings_for_every_role(m: &mut Model) {
    let everywhere = Scope::of(ScopeBase::Subtree { partner: m.partners[0].id });
    let roles = m.roles.clone();
    let line = |role: &super::model::Role| {
        std::iter::successors(Some(role.clone()), |at| roles.iter().find(|r| Some(r.id) == at.parent).cloned())
            .map(|role| role.id)
            .collect::<Vec<_>>()
    };
    for directory in &mut m.directories {
        let spoken_of = |role| line(role).iter().any(|id| directory.ceilings.iter().any(|c| c.role == *id));
        let missing: Vec<_> = roles.iter().filter(|role| !spoken_of(role)).map(|role| role.id).collect();
        directory.ceilings.extend(missing.into_iter().map(|role| CeilingEntry { role, scope: everywhere.clone() }));
    }
}

fn ceilings_everywhere(m: &mut Model) {
    let everywhere = Scope::of(ScopeBase::Subtree { partner: m.partners[0].id });
    m.directories.iter_mut().flat_map(|d| &mut d.ceilings).for_each(|ceiling| ceiling.scope = everywhere.clone());
}
