//! Mapping rules: a changed rule set is a new version, and one row puts it in force.
//!
//! A rule names external groups; a name is bound to the group's id when the rule is saved. What is bound stays bound,
//! whatever the group is called later, as long as the group is there: a rule that is not changed asks for the same groups.
use std::collections::{BTreeSet, HashMap};

use super::error::Spot;
use super::existing::asked_for;
use super::{ApplyError, Run, ceilings};
use crate::access::rule_filter;
use crate::admin::declaration::RuleDecl;
use crate::admin::rule_filter_text::{Leaf, NamedRuleFilter};
use crate::admin::{most, record};
use crate::domain::bounds::{INDEXED_TEXT_BYTES, fits_index};
use crate::domain::directory::CeilingEntry;
use crate::domain::id::{ConditionId, DirectoryId, ExternalGroupId, Id};
use crate::domain::rule::{Criterion, ExternalSet, Rule, RuleEffect, RuleFilter};
use crate::domain::text::fold;
use crate::provision::event::{Event, Kind};
use crate::provision::{conditions as filled, primary_group};
use crate::store::extent::PartnerExtent;
use crate::store::rules::StoredRule;
use crate::store::{Tx, conditions, directories, reserved_groups, rules};

/// The rule set of a directory.
pub(super) struct RuleSet<'a> {
    /// The directory.
    pub(super) place: &'a Spot,
    pub(super) at: &'a PartnerExtent,
    pub(super) directory: DirectoryId,
    /// What is set as the directory's ceiling.
    pub(super) ceilings: &'a [CeilingEntry],
}

pub(super) async fn all(
    tx: &mut Tx,
    run: &mut Run<'_>,
    set: &RuleSet<'_>,
    decls: &[RuleDecl],
) -> Result<(), ApplyError> {
    let (at, directory) = (set.at, set.directory);
    if decls.len() > most::RULES {
        let why = format!("it has {} rules, and {} are the most", decls.len(), most::RULES);
        return Err(set.place.wrong(why));
    }
    let known = run.known.rules_of(directory).to_vec();
    let stored = run.known.directories_of(at.partner()).iter().find(|one| one.id == directory);
    let now = stored.map_or(0, |stored| stored.rule_set_version);
    let mut left: HashMap<&str, Vec<&StoredRule>> = HashMap::new();
    for rule in known.iter().rev() {
        left.entry(&rule.rule.name).or_default().push(rule);
    }
    let mut wanted = Vec::new();
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(set.place, number);
        let old = left.get_mut(decl.name.as_str()).and_then(Vec::pop);
        let ordinal = i64::try_from(number + 1).unwrap_or(i64::MAX);
        let rule = one(tx, run, set, &spot, (now + 1, ordinal), (decl, old)).await;
        wanted.extend(run.note(rule)?);
    }
    if wanted.len() < decls.len() {
        return Err(ApplyError::follows());
    }
    if known.len() == wanted.len() && known.iter().zip(&wanted).all(|(one, two)| same(one, two)) {
        return note_names(tx, run, at, known.iter().zip(&wanted)).await;
    }
    rules::save(tx, at, directory, &wanted, run.ctx).await?;
    directories::activate(tx, at, directory, now + 1).await?;
    primary_group::everyone(tx, run.ctx, at, directory).await?;
    run.loose.places.insert(directory, *at);
    let event = Event::of(Kind::RuleSetActivated, directory).count("version", usize::try_from(now + 1).unwrap_or(0));
    record(tx, run.ctx, at.partner(), event).await?;
    tell(tx, run, set, &known, &wanted).await
}

/// The file calls a group by the name it has now, and the rule was saved with an older one: from now on both mean it.
async fn note_names(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    pairs: impl Iterator<Item = (&StoredRule, &StoredRule)>,
) -> Result<(), ApplyError> {
    for (old, new) in pairs {
        let fresh: Vec<_> = new.names.iter().filter(|name| !old.names.contains(name)).cloned().collect();
        if !fresh.is_empty() {
            rules::call(tx, at, old, &fresh).await?;
            run.plan.names = true;
        }
    }
    Ok(())
}

/// Says what differs between two rule sets, rule by rule. A rule is known again by its name.
async fn tell(
    tx: &mut Tx,
    run: &mut Run<'_>,
    set: &RuleSet<'_>,
    known: &[StoredRule],
    wanted: &[StoredRule],
) -> Result<(), ApplyError> {
    let mut left: Vec<&StoredRule> = known.iter().collect();
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
        if !alike(&old.rule.when, &new.rule.when) && old.when != new.when {
            differs.push(format!("when {} → when {}", old.when, new.when));
        }
        if old.rule.effect != new.rule.effect {
            differs.push(format!("{} → {does}{clipped}", run.effect(tx, set.at, &old.rule.effect).await?));
        }
        for (name, _) in new.names.iter().filter(|(name, id)| {
            meant(old, name, true).is_some_and(|before| before != *id && !asked_for(new).any(|id| id == before))
        }) {
            differs.push(format!("`{name}` is the group that has the name now; the one it asked for is gone"));
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
fn same(one: &StoredRule, two: &StoredRule) -> bool {
    let (a, b) = (&one.rule, &two.rule);
    a.name == b.name && a.effect == b.effect && alike(&a.when, &b.when)
}

/// Whether two conditions ask for the same, in whatever order.
fn alike(one: &RuleFilter, two: &RuleFilter) -> bool {
    let terms = |of: &RuleFilter| -> BTreeSet<BTreeSet<(ExternalSet, bool)>> {
        let atoms = |atoms: &[Criterion]| atoms.iter().map(|atom| (atom.set, atom.negated)).collect();
        of.terms.iter().map(|term| atoms(&term.criteria)).collect()
    };
    one == two || terms(one) == terms(two)
}

/// The group that a rule means by a name. In its own text, the one it was bound to when the rule was saved; elsewhere the
/// one that was noted last.
fn meant(rule: &StoredRule, name: &str, own_text: bool) -> Option<ExternalGroupId> {
    let key = fold(name);
    let mut bound = rule.names.iter().filter(|(name, _)| fold(name) == key).map(|(_, id)| *id);
    if own_text { bound.next() } else { bound.next_back() }
}

async fn one(
    tx: &mut Tx,
    run: &mut Run<'_>,
    set: &RuleSet<'_>,
    spot: &Spot,
    (version, ordinal): (i64, i64),
    (decl, old): (&RuleDecl, Option<&StoredRule>),
) -> Result<StoredRule, ApplyError> {
    let directory = set.directory;
    let name = super::name(spot, "name", &decl.name);
    let name = run.note(name)?;
    let effect = effect(tx, run, spot, set.at, decl).await;
    let effect = run.note(effect)?;
    let (when, names) = condition(tx, run, set, spot, decl, old).await?;
    let (name, effect) = name.zip(effect).ok_or_else(ApplyError::follows)?;
    let id = run.ctx.id();
    Ok(StoredRule {
        rule: Rule { id, directory, version, ordinal, name, when, effect },
        when: decl.when.clone(),
        names,
    })
}

type Condition = (RuleFilter, Vec<(String, ExternalGroupId)>);

/// Whom a rule matches, and what it calls its groups.
async fn condition(
    tx: &mut Tx,
    run: &mut Run<'_>,
    set: &RuleSet<'_>,
    spot: &Spot,
    decl: &RuleDecl,
    old: Option<&StoredRule>,
) -> Result<Condition, ApplyError> {
    super::long(spot, "when", &decl.when)?;
    let spot = &spot.part("when");
    let unchanged = old.filter(|old| old.when == decl.when);
    if let Some(old) = unchanged
        && asked_for(old).all(|id| run.known.called(id).is_some())
    {
        return Ok((old.rule.when.clone(), old.names.clone()));
    }
    let when = NamedRuleFilter::parse(&decl.when, &run.schemas).map_err(|why| spot.wrong(format!("`when`: {why}")))?;
    let (mut ids, mut names, mut whole) = (HashMap::new(), Vec::new(), true);
    for leaf in when.leaves() {
        let bound = match leaf {
            Leaf::Group(name) => {
                let found = group(tx, run, set, spot, (old, unchanged.is_some()), name).await;
                let found = run.note(found)?;
                names.extend(found.map(|id| (name.clone(), id)));
                found.map(ExternalSet::Group)
            }
            Leaf::Attribute(text) => {
                Some(ExternalSet::Condition(attribute(tx, run, set.at, set.directory, text).await?))
            }
        };
        match bound {
            Some(bound) => drop(ids.insert(key(leaf), bound)),
            None => whole = false,
        }
    }
    if !whole {
        return Err(ApplyError::follows());
    }
    // Every leaf has its id; the nil id is never met.
    let bind = |leaf: &Leaf| {
        ids.get(&key(leaf)).copied().unwrap_or(ExternalSet::Condition(ConditionId::from_uuid(uuid::Uuid::nil())))
    };
    let matcher = rule_filter::terms(&when.bind(&bind)).map_err(|why| spot.wrong(why.to_string()))?;
    Ok((matcher, with_earlier(names, old)))
}

/// The names in a condition, and behind them those that the rule had for the same groups and that mean nothing else in it.
fn with_earlier(names: Vec<(String, ExternalGroupId)>, old: Option<&StoredRule>) -> Vec<(String, ExternalGroupId)> {
    let taken: BTreeSet<String> = names.iter().map(|(name, _)| fold(name)).collect();
    let groups: BTreeSet<ExternalGroupId> = names.iter().map(|(_, id)| *id).collect();
    let earlier = old.map_or(&[][..], |old| &old.names).iter();
    let still = earlier.filter(|(name, id)| groups.contains(id) && !taken.contains(&fold(name))).cloned();
    let mut all = Vec::new();
    for name in names.iter().cloned().chain(still) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
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

/// The group a rule means by a name. One that the rule asks for already is known by what it is called now, and by what
/// it was called when the rule was saved; only when it is gone does the name mean another.
async fn group(
    tx: &mut Tx,
    run: &Run<'_>,
    set: &RuleSet<'_>,
    spot: &Spot,
    (old, unchanged): (Option<&StoredRule>, bool),
    name: &str,
) -> Result<ExternalGroupId, ApplyError> {
    if !fits_index(name) {
        return Err(spot.wrong(format!("`when`: the name of a group is longer than {INDEXED_TEXT_BYTES} bytes")));
    }
    let key = fold(name);
    let mut gone = None;
    if let Some(old) = old {
        let ids: BTreeSet<ExternalGroupId> = asked_for(old).collect();
        let called = |id: &&ExternalGroupId| run.known.called(**id).is_some_and(|now| fold(now) == key);
        let mut now = ids.iter().filter(called);
        // In a text that is still the rule's own, names mean what they meant then.
        if let (Some(one), None, false) = (now.next(), now.next(), unchanged) {
            return Ok(*one);
        }
        match meant(old, name, unchanged).filter(|id| ids.contains(id)) {
            Some(one) if run.known.called(one).is_some() => return Ok(one),
            // It waits to be said, or it is gone.
            lost => gone = lost,
        }
    }
    match (reserved_groups::said(tx, set.at, set.directory, name).await?.as_slice(), gone) {
        ([one], _) => {
            reserved_groups::confirm(tx, set.at, set.directory, name).await?;
            Ok(*one)
        }
        (_, Some(gone)) => Ok(gone),
        ([], None) => Ok(reserved_groups::awaited(tx, set.at, set.directory, name, run.ctx.id()).await?),
        (_, None) => Err(spot.wrong(format!("the directory has more than one group called `{name}`"))),
    }
}

async fn effect(
    tx: &mut Tx,
    run: &mut Run<'_>,
    spot: &Spot,
    at: &PartnerExtent,
    decl: &RuleDecl,
) -> Result<RuleEffect, ApplyError> {
    match (&decl.primary_group, &decl.add_to_group, &decl.grant_role) {
        (Some(name), None, None) => {
            let spot = spot.part("primary_group");
            let group = run.group(tx, &spot, at, name).await?;
            if !group.is_primary {
                return Err(spot.wrong(format!("`{name}` is not a primary group; use `add_to_group`")));
            }
            Ok(RuleEffect::SetPrimaryGroup { user_group: group.id })
        }
        (None, Some(name), None) => {
            let spot = spot.part("add_to_group");
            let group = run.group(tx, &spot, at, name).await?;
            if group.is_primary {
                return Err(spot.wrong(format!("`{name}` is a primary group; use `primary_group`")));
            }
            Ok(RuleEffect::AddToGroup { user_group: group.id })
        }
        (None, None, Some(name)) => {
            let role = run.role(tx, &spot.part("grant_role"), at, name).await;
            let role = run.note(role)?;
            let scope = decl.scope.as_ref().ok_or_else(|| spot.wrong("a grant needs a `scope`"))?;
            let scope = run.scope(tx, &spot.part("scope"), scope).await?;
            Ok(RuleEffect::GrantRole { role: role.ok_or_else(ApplyError::follows)?.id, scope })
        }
        _ => Err(spot.wrong("a rule has one of `primary_group`, `add_to_group`, `grant_role` with `scope`")),
    }
}
