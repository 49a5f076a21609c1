//! Mapping rules by rule-set version. A rule set is written whole and put in force by one flip of its directory.
use super::extent::PartnerExtent;
use super::{Reader, Row, StoreError, Tx, scopes};
use crate::domain::ctx::Ctx;
use crate::domain::id::{DirectoryId, RoleId, RuleId, ScopeId, UserGroupId};
use crate::domain::rule::{Atom, Effect, Matcher, PeopleSet, Rule, Term};
use crate::{binds, statements};

statements! {
    INSERT = "INSERT INTO mapping_rule (id, directory, rule_version, ordinal, name, effect, user_group, role, scope, \
        when_text, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    INSERT_TERM: rows = "INSERT INTO rule_term (rule, term, positives) VALUES ($1, $2, $3)";
    INSERT_ATOM: rows = "INSERT INTO rule_atom (rule, term, people, kind, negated) VALUES ($1, $2, $3, $4, $5)";
    IN_FORCE = "SELECT r.id, r.rule_version, r.ordinal, r.name, r.effect, r.user_group, r.role, r.scope, \
        r.when_text FROM mapping_rule r JOIN directory d ON d.id = r.directory \
        WHERE d.id = $1 AND d.partner = $2 AND r.rule_version = d.rule_version ORDER BY r.ordinal";
    ATOMS = "SELECT term, people, kind, negated FROM rule_atom WHERE rule = $1 ORDER BY term, people";
}

/// A rule with its condition as the author wrote it.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    /// The rule.
    pub rule: Rule,
    /// The condition's text.
    pub when: String,
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
    rules: &[Written],
    ctx: &Ctx,
) -> Result<(), StoreError> {
    super::directories::get(tx, at, directory).await?;
    for written in rules {
        insert(tx, directory, written, ctx).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, directory: DirectoryId, written: &Written, ctx: &Ctx) -> Result<(), StoreError> {
    let rule = &written.rule;
    let (mut group, mut role, mut scope) = (None, None, None);
    match &rule.effect {
        Effect::Place { group: to } | Effect::Join { group: to } => group = Some(*to),
        Effect::Grant { role: what, scope: over } => {
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
    let positives = |term: &Term| i64::try_from(term.atoms.iter().filter(|atom| !atom.negated).count()).unwrap_or(0);
    tx.execute_rows(&INSERT_TERM, numbered().map(|(at, term)| binds![rule.id, at, positives(term)])).await?;
    let atoms = numbered().flat_map(|(at, term)| term.atoms.iter().map(move |atom| (at, *atom)));
    let rows = atoms.map(|(at, atom)| match atom.set {
        PeopleSet::Group(id) => binds![rule.id, at, id, "group", atom.negated],
        PeopleSet::Condition(id) => binds![rule.id, at, id, "condition", atom.negated],
    });
    tx.execute_rows(&INSERT_ATOM, rows).await.map(drop)
}

struct Found {
    id: RuleId,
    version: i64,
    ordinal: i64,
    name: String,
    effect: String,
    group: Option<UserGroupId>,
    role: Option<RoleId>,
    scope: Option<ScopeId>,
    when: String,
}

fn found(row: &Row) -> Result<Found, StoreError> {
    Ok(Found {
        id: row.get(0)?,
        version: row.get(1)?,
        ordinal: row.get(2)?,
        name: row.get(3)?,
        effect: row.get(4)?,
        group: row.get(5)?,
        role: row.get(6)?,
        scope: row.get(7)?,
        when: row.get(8)?,
    })
}

/// The rules in force, in their order.
///
/// # Errors
/// Only those of the store.
pub async fn in_force(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<Vec<Written>, StoreError> {
    let rows = reader.all(&IN_FORCE, binds![directory, at.partner()], found).await?;
    let mut rules = Vec::with_capacity(rows.len());
    for row in rows {
        let effect = effect(reader, &row).await?;
        let when = matcher(reader, row.id).await?;
        let Found { id, version, ordinal, name, when: text, .. } = row;
        rules.push(Written { rule: Rule { id, directory, version, ordinal, name, when, effect }, when: text });
    }
    Ok(rules)
}

async fn effect(reader: &mut Reader, row: &Found) -> Result<Effect, StoreError> {
    match (row.effect.as_str(), row.group, row.role, row.scope) {
        ("place", Some(group), ..) => Ok(Effect::Place { group }),
        ("join", Some(group), ..) => Ok(Effect::Join { group }),
        ("grant", _, Some(role), Some(scope)) => Ok(Effect::Grant { role, scope: scopes::get(reader, scope).await? }),
        _ => Err(StoreError::Decode("effect".to_owned())),
    }
}

async fn matcher(reader: &mut Reader, rule: RuleId) -> Result<Matcher, StoreError> {
    let read = |row: &Row| {
        let kind: String = row.get(2)?;
        let set = match kind.as_str() {
            "group" => PeopleSet::Group(row.get(1)?),
            _ => PeopleSet::Condition(row.get(1)?),
        };
        Ok((row.get::<i64>(0)?, Atom { set, negated: row.get(3)? }))
    };
    let mut terms: Vec<(i64, Term)> = Vec::new();
    for (at, atom) in reader.all(&ATOMS, binds![rule], read).await? {
        match terms.last_mut() {
            Some((last, term)) if *last == at => term.atoms.push(atom),
            _ => terms.push((at, Term { atoms: vec![atom] })),
        }
    }
    Ok(Matcher { terms: terms.into_iter().map(|(_, term)| term).collect() })
}
