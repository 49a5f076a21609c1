//! Mapping rules by rule-set version. A rule set is written whole and put in force by one flip of its directory.
use std::collections::HashMap;

use super::extent::PartnerExtent;
use super::{Reader, Row, StoreError, Tx, scopes};
use crate::domain::ctx::Ctx;
use crate::domain::grant::Scope;
use crate::domain::id::{DirectoryId, ExternalGroupId, RoleId, RuleId, ScopeId, UserGroupId};
use crate::domain::rule::{Criterion, ExternalSet, FilterTerm, Rule, RuleEffect, RuleFilter};
use crate::{binds, statements};

/// The columns of a [`RuleRow`], of the table called `r`.
pub(super) const COLUMNS: &str = "r.id, r.directory_id, r.rule_set_version, r.ordinal, r.name, r.effect, r.user_group_id, r.role_id, r.scope_id, r.when_text";

statements! {
    INSERT = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, effect, user_group_id, role_id, scope_id, \
        when_text, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    INSERT_TERM: rows = "INSERT INTO rule_terms (rule_id, term, positive_count) VALUES ($1, $2, $3)";
    INSERT_ATOM: rows = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, $2, $3, $4, $5)";
    INSERT_NAME: rows = "INSERT INTO rule_group_names (rule_id, ordinal, name, external_group_id) VALUES ($1, $2, $3, $4)";
    IN_FORCE = format!("SELECT {COLUMNS} FROM mapping_rules r JOIN directories d ON d.id = r.directory_id \
        WHERE d.id = $1 AND d.partner_id = $2 AND r.rule_set_version = d.rule_set_version ORDER BY r.ordinal");
    ATOMS = "SELECT rule_id, term, set_id, set_kind, negated FROM rule_criteria WHERE rule_id = $1 ORDER BY term, set_id";
    NAMES = "SELECT rule_id, ordinal, name, external_group_id FROM rule_group_names WHERE rule_id = $1 ORDER BY ordinal";
}

/// A rule with its condition as the author wrote it.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredRule {
    /// The rule.
    pub rule: Rule,
    /// The condition's text.
    pub when: String,
    /// What it calls the external groups that it asks for: a name goes on meaning the group it was bound to.
    pub names: Vec<(String, ExternalGroupId)>,
}

/// Writes the rules of a rule-set version.
///
/// # Errors
/// `StoreError::Unique` when that version has rules already; `StoreError::NotFound` when the directory is not the
/// extent's.
pub async fn save(
    tx: &mut Tx,
    at: &PartnerExtent,
    directory: DirectoryId,
    rules: &[StoredRule],
    ctx: &Ctx,
) -> Result<(), StoreError> {
    super::directories::get(tx, at, directory).await?;
    for written in rules {
        insert(tx, directory, written, ctx).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, directory: DirectoryId, written: &StoredRule, ctx: &Ctx) -> Result<(), StoreError> {
    let rule = &written.rule;
    let (mut group, mut role, mut scope) = (None, None, None);
    match &rule.effect {
        RuleEffect::SetPrimaryGroup { user_group: to } | RuleEffect::AddToGroup { user_group: to } => group = Some(*to),
        RuleEffect::GrantRole { role: what, scope: over } => {
            let id: ScopeId = ctx.id();
            scopes::insert(tx, id, over).await?;
            (role, scope) = (Some(*what), Some(id));
        }
    }
    let values = binds![
        rule.id,
        directory,
        rule.version,
        rule.ordinal,
        &rule.name,
        rule.effect.word(),
        group,
        role,
        scope,
        &written.when,
        ctx.now()
    ];
    tx.execute(&INSERT, values).await?;
    let numbered = || (0_i64..).zip(&rule.when.terms);
    let positives =
        |term: &FilterTerm| i64::try_from(term.criteria.iter().filter(|atom| !atom.negated).count()).unwrap_or(0);
    tx.execute_rows(&INSERT_TERM, numbered().map(|(at, term)| binds![rule.id, at, positives(term)])).await?;
    let atoms = numbered().flat_map(|(at, term)| term.criteria.iter().map(move |atom| (at, *atom)));
    let rows = atoms.map(|(at, atom)| match atom.set {
        ExternalSet::Group(id) => binds![rule.id, at, id, "group", atom.negated],
        ExternalSet::Condition(id) => binds![rule.id, at, id, "condition", atom.negated],
    });
    tx.execute_rows(&INSERT_ATOM, rows).await?;
    write_names(tx, rule.id, 0, &written.names).await
}

async fn write_names(
    tx: &mut Tx,
    rule: RuleId,
    known: usize,
    names: &[(String, ExternalGroupId)],
) -> Result<(), StoreError> {
    let rows = (known..).zip(names).map(|(at, (name, group))| {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        binds![rule, at, name, *group]
    });
    tx.execute_rows(&INSERT_NAME, rows).await.map(drop)
}

/// Notes further names for groups that a rule in force asks for.
///
/// # Errors
/// `StoreError::NotFound` when the directory is not the extent's.
pub async fn call(
    tx: &mut Tx,
    at: &PartnerExtent,
    rule: &StoredRule,
    names: &[(String, ExternalGroupId)],
) -> Result<(), StoreError> {
    super::directories::get(tx, at, rule.rule.directory).await?;
    write_names(tx, rule.rule.id, rule.names.len(), names).await
}

/// A rule before its scope, atoms and names are read.
pub(super) struct RuleRow {
    pub(super) id: RuleId,
    pub(super) directory: DirectoryId,
    version: i64,
    pub(super) ordinal: i64,
    name: String,
    effect: String,
    group: Option<UserGroupId>,
    role: Option<RoleId>,
    pub(super) scope: Option<ScopeId>,
    when: String,
}

pub(super) fn found(row: &Row) -> Result<RuleRow, StoreError> {
    Ok(RuleRow {
        id: row.get(0)?,
        directory: row.get(1)?,
        version: row.get(2)?,
        ordinal: row.get(3)?,
        name: row.get(4)?,
        effect: row.get(5)?,
        group: row.get(6)?,
        role: row.get(7)?,
        scope: row.get(8)?,
        when: row.get(9)?,
    })
}

impl RuleRow {
    pub(super) fn with(
        self,
        scope: Option<Scope>,
        when: RuleFilter,
        names: Vec<(String, ExternalGroupId)>,
    ) -> Result<StoredRule, StoreError> {
        let effect = match (self.effect.as_str(), self.group, self.role, scope) {
            ("set_primary_group", Some(user_group), ..) => RuleEffect::SetPrimaryGroup { user_group },
            ("add_to_group", Some(user_group), ..) => RuleEffect::AddToGroup { user_group },
            ("grant_role", _, Some(role), Some(scope)) => RuleEffect::GrantRole { role, scope },
            _ => return Err(StoreError::Decode("effect".to_owned())),
        };
        let Self { id, directory, version, ordinal, name, when: text, .. } = self;
        Ok(StoredRule { rule: Rule { id, directory, version, ordinal, name, when, effect }, when: text, names })
    }
}

/// The rules in force, in their order.
///
/// # Errors
/// Only those of the store.
pub async fn in_force(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<Vec<StoredRule>, StoreError> {
    let rows = reader.all(&IN_FORCE, binds![directory, at.partner()], found).await?;
    let mut rules = Vec::with_capacity(rows.len());
    for row in rows {
        let scope = match row.scope {
            Some(scope) => Some(scopes::get(reader, scope).await?),
            None => None,
        };
        let when = matchers(reader.all(&ATOMS, binds![row.id], atom).await?).remove(&row.id);
        let names = names(reader.all(&NAMES, binds![row.id], bound).await?).remove(&row.id);
        rules.push(row.with(scope, when.unwrap_or_default(), names.unwrap_or_default())?);
    }
    Ok(rules)
}

/// An atom with its rule and the number of its term.
pub(super) type Placed = (RuleId, i64, Criterion);

pub(super) fn atom(row: &Row) -> Result<Placed, StoreError> {
    let kind: String = row.get(3)?;
    let set = match kind.as_str() {
        "group" => ExternalSet::Group(row.get(2)?),
        _ => ExternalSet::Condition(row.get(2)?),
    };
    Ok((row.get(0)?, row.get(1)?, Criterion { set, negated: row.get(4)? }))
}

/// The conditions of rules, from their atoms in any order.
pub(super) fn matchers(mut atoms: Vec<Placed>) -> HashMap<RuleId, RuleFilter> {
    atoms.sort_by_key(|(rule, term, atom)| (*rule, *term, atom.set));
    let mut all: HashMap<RuleId, (i64, RuleFilter)> = HashMap::new();
    for (rule, term, atom) in atoms {
        let (last, matcher) = all.entry(rule).or_insert_with(|| (-1, RuleFilter::default()));
        if *last != term {
            matcher.terms.push(FilterTerm { criteria: Vec::new() });
            *last = term;
        }
        if let Some(term) = matcher.terms.last_mut() {
            term.criteria.push(atom);
        }
    }
    all.into_iter().map(|(rule, (_, matcher))| (rule, matcher)).collect()
}

/// A name with its rule and its place among the rule's names.
pub(super) type Named = (RuleId, i64, String, ExternalGroupId);

pub(super) fn bound(row: &Row) -> Result<Named, StoreError> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

/// What rules call their groups, from rows in any order.
pub(super) fn names(mut rows: Vec<Named>) -> HashMap<RuleId, Vec<(String, ExternalGroupId)>> {
    rows.sort_by_key(|(rule, at, ..)| (*rule, *at));
    let mut all: HashMap<RuleId, Vec<(String, ExternalGroupId)>> = HashMap::new();
    for (rule, _, name, group) in rows {
        all.entry(rule).or_default().push((name, group));
    }
    all
}
