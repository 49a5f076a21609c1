//! Mapping rules: a changed rule set is a new version, and one row puts it in force.
use std::collections::{BTreeSet, HashMap};

use super::{ApplyError, Run, ceilings};
use crate::access::matcher;
use crate::admin::declaration::RuleDecl;
use crate::admin::record;
use crate::admin::when::{Leaf, When};
use crate::domain::bounds::{INDEXED_TEXT_BYTES, fits_index};
use crate::domain::directory::Ceiling;
use crate::domain::id::{ConditionId, DirectoryId, ExternalGroupId, Id};
use crate::domain::rule::{Atom, Effect, PeopleSet, Rule};
use crate::provision::event::{Event, Kind};
use crate::provision::{conditions as filled, place};
use crate::store::extent::PartnerExtent;
use crate::store::rules::Written;
use crate::store::{Tx, awaited, conditions, directories, rules};

/// The rule set of a directory.
pub(super) struct Set<'a> {
    /// The directory in words.
    pub(super) place: &'a str,
    pub(super) at: &'a PartnerExtent,
    pub(super) directory: DirectoryId,
    /// What is set as the directory's ceiling.
    pub(super) ceilings: &'a [Ceiling],
}

pub(super) async fn all(tx: &mut Tx, run: &mut Run<'_>, set: &Set<'_>, decls: &[RuleDecl]) -> Result<(), ApplyError> {
    let (at, directory) = (set.at, set.directory);
    let now = directories::get(tx, at, directory).await?.rule_version;
    let known = rules::in_force(tx, at, directory).await?;
    let mut wanted = Vec::new();
    for (ordinal, decl) in (1..).zip(decls) {
        wanted.push(one(tx, run, set, (now + 1, ordinal), decl).await?);
    }
    let all_same = known.len() == wanted.len() && known.iter().zip(&wanted).all(|(one, two)| same(one, two));
    if all_same && !lost(tx, set, &known, &wanted).await? {
        return Ok(());
    }
    rules::save(tx, at, directory, &wanted, run.ctx).await?;
    directories::activate(tx, at, directory, now + 1).await?;
    place::everyone(tx, run.ctx, at, directory).await?;
    run.loose.places.insert(directory, *at);
    let event = Event::of(Kind::RulesActivated, directory).count("version", usize::try_from(now + 1).unwrap_or(0));
    record(tx, run.ctx, at.partner(), event).await?;
    tell(tx, run, set, &known, &wanted).await
}

/// Says what differs between two rule sets, rule by rule. A rule is known again by its name.
async fn tell(
    tx: &mut Tx,
    run: &mut Run<'_>,
    set: &Set<'_>,
    known: &[Written],
    wanted: &[Written],
) -> Result<(), ApplyError> {
    let mut left: Vec<&Written> = known.iter().collect();
    let mut order = Vec::new();
    for new in wanted {
        let place = format!("rule “{}” of {}", new.rule.name, set.place);
        let clipped = ceilings::remark(tx, run, set.ceilings, &new.rule.effect).await?;
        let does = run.effect(tx, set.at, &new.rule.effect).await?;
        let Some(index) = left.iter().position(|old| old.rule.name == new.rule.name) else {
            run.plan.created(format!("{place}: when {}: {does}{clipped}", new.when));
            continue;
        };
        let old = left.remove(index);
        order.push(old.rule.ordinal);
        let mut differs = Vec::new();
        if old.when != new.when {
            differs.push(format!("when {} → when {}", old.when, new.when));
        }
        if old.rule.effect != new.rule.effect {
            differs.push(format!("{} → {does}{clipped}", run.effect(tx, set.at, &old.rule.effect).await?));
        }
        if differs.is_empty() && groups(old) != groups(new) {
            differs.push("asks for the group that has the name now, or will have it".to_owned());
        }
        if !differs.is_empty() {
            run.plan.changed(format!("{place}: {}", differs.join("; ")));
        }
    }
    for old in left {
        let does = run.effect(tx, set.at, &old.rule.effect).await?;
        run.plan.removed(format!("rule “{}” of {}: when {}: {does}", old.rule.name, set.place, old.when));
    }
    if !order.is_sorted() {
        let names: Vec<_> = wanted.iter().map(|new| format!("“{}”", new.rule.name)).collect();
        run.plan.changed(format!("order of the rules of {}: {}", set.place, names.join(", ")));
    }
    Ok(())
}

/// Whether two rules do the same, leaving aside which version they belong to.
fn same(one: &Written, two: &Written) -> bool {
    let (a, b) = (&one.rule, &two.rule);
    a.name == b.name && a.effect == b.effect && one.when == two.when
}

/// Whether a rule asks for a group that is not there, while its name means another one, said or awaited. A group that was
/// only renamed is there.
async fn lost(tx: &mut Tx, set: &Set<'_>, known: &[Written], wanted: &[Written]) -> Result<bool, ApplyError> {
    for (old, new) in known.iter().zip(wanted) {
        let left: Vec<_> = groups(old).difference(&groups(new)).copied().collect();
        if awaited::living(tx, set.at, set.directory, &left).await?.len() < left.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The external groups that a rule asks for.
fn groups(of: &Written) -> BTreeSet<ExternalGroupId> {
    let atoms = of.rule.when.terms.iter().flat_map(|term| &term.atoms);
    let group = |atom: &Atom| match atom.set {
        PeopleSet::Group(id) => Some(id),
        PeopleSet::Condition(_) => None,
    };
    atoms.filter_map(group).collect()
}

async fn one(
    tx: &mut Tx,
    run: &mut Run<'_>,
    set: &Set<'_>,
    (version, ordinal): (i64, i64),
    decl: &RuleDecl,
) -> Result<Written, ApplyError> {
    let (at, directory) = (set.at, set.directory);
    let place = format!("rule “{}” of {}", decl.name, set.place);
    let rule_name = super::name(&place, "name", &decl.name)?;
    super::long(&place, "when", &decl.when)?;
    let effect = effect(tx, run, &place, at, decl).await?;
    let when =
        When::parse(&decl.when, &run.schemas).map_err(|why| ApplyError::wrong(&place, format!("`when`: {why}")))?;
    let mut ids = HashMap::new();
    for leaf in when.leaves() {
        let set = match leaf {
            Leaf::Group(name) => PeopleSet::Group(group(tx, run, &place, at, directory, name).await?),
            Leaf::Attribute(text) => PeopleSet::Condition(attribute(tx, run, at, directory, text).await?),
        };
        ids.insert(key(leaf), set);
    }
    let nobody = PeopleSet::Condition(Id::from_uuid(uuid::Uuid::nil()));
    let condition = when.bind(&|leaf| ids.get(&key(leaf)).copied().unwrap_or(nobody));
    let matcher = matcher::terms(&condition).map_err(|why| ApplyError::wrong(place, format!("`when`: {why}")))?;
    let id = run.ctx.id();
    let rule = Rule { id, directory, version, ordinal, name: rule_name, when: matcher, effect };
    Ok(Written { rule, when: decl.when.clone() })
}

fn key(leaf: &Leaf) -> (bool, &str) {
    match leaf {
        Leaf::Group(name) => (true, name),
        Leaf::Attribute(text) => (false, text),
    }
}

async fn attribute(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    directory: DirectoryId,
    text: &str,
) -> Result<ConditionId, ApplyError> {
    let (id, fresh) = conditions::ensure(tx, at, directory, text, run.ctx).await?;
    if fresh {
        filled::fill(tx, at, &run.schemas, directory, id, text).await?;
        run.loose.conditions.push((*at, directory, id, text.to_owned()));
    }
    Ok(id)
}

async fn group(
    tx: &mut Tx,
    run: &Run<'_>,
    place: &str,
    at: &PartnerExtent,
    directory: DirectoryId,
    name: &str,
) -> Result<ExternalGroupId, ApplyError> {
    if !fits_index(name) {
        let why = format!("`when`: the name of a group is longer than {INDEXED_TEXT_BYTES} bytes");
        return Err(ApplyError::wrong(place, why));
    }
    match awaited::said(tx, at, directory, name).await?.as_slice() {
        [] => Ok(awaited::awaited(tx, at, directory, name, run.ctx.id()).await?),
        [one] => Ok(*one),
        _ => Err(ApplyError::wrong(place, format!("the directory has more than one group called `{name}`"))),
    }
}

async fn effect(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    at: &PartnerExtent,
    decl: &RuleDecl,
) -> Result<Effect, ApplyError> {
    match (&decl.place, &decl.join, &decl.grant) {
        (Some(name), None, None) => {
            let group = run.group(tx, place, at, name).await?;
            if !group.exclusive {
                return Err(ApplyError::wrong(
                    place,
                    format!("`{name}` is a label; people are placed in exclusive groups"),
                ));
            }
            Ok(Effect::Place { group: group.id })
        }
        (None, Some(name), None) => {
            let group = run.group(tx, place, at, name).await?;
            if group.exclusive {
                return Err(ApplyError::wrong(place, format!("`{name}` is exclusive; use `place`")));
            }
            Ok(Effect::Join { group: group.id })
        }
        (None, None, Some(name)) => {
            let role = run.role(tx, place, at, name).await?.id;
            let scope = decl.scope.as_ref().ok_or_else(|| ApplyError::wrong(place, "a grant needs a `scope`"))?;
            Ok(Effect::Grant { role, scope: run.scope(tx, place, scope).await? })
        }
        _ => Err(ApplyError::wrong(place, "a rule has one of `place`, `join`, `grant` with `scope`")),
    }
}
