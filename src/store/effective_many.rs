//! Many decisions of one moment. On PostgreSQL all are one statement, because what costs is the trip, and making a plan
//! ready to run; on SQLite they are asked one after another, which costs neither.
use std::collections::HashMap;

use uuid::Uuid;

use super::effective::{self, concluded, line, row_support};
use super::{Dialect, Reader, StoreError, Value, effective_sql};
use crate::access::decide::{Decision, Question};
use crate::access::explain::{Named, Reason};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Resource;
use crate::domain::id::{Id as _, PartnerId};
use crate::domain::rule::PeopleSet;
use crate::{binds, statements};

statements! {
    DECISIONS: question[Uuid, Uuid, I64, Uuid, I64, Uuid, I64] = effective_sql::decision(true);
    WITNESSES: question[Uuid, Uuid] = effective_sql::witnesses();
    FOUND: question (d) [Uuid, Text] = format!("SELECT 0 AS kind, p.partner, {no_id} AS number FROM live_person p WHERE p.id = $1 \
        UNION ALL SELECT 1, g.partner, {no_id} FROM user_group g WHERE g.id = $1 \
        UNION ALL SELECT 2, {nobody}, c.id FROM capability c WHERE c.name = $2",
        no_id = d.typed("NULL", "bigint"), nobody = d.typed("NULL", "uuid"));
}

/// What many questions name, looked up at once.
#[derive(Debug, Default)]
pub struct Found {
    /// The home of each person there is.
    pub people: HashMap<Uuid, PartnerId>,
    /// The partner of each user group there is.
    pub groups: HashMap<Uuid, PartnerId>,
    /// The capability of each name there is.
    pub capabilities: HashMap<String, CapabilityId>,
}

/// Looks ids of people and user groups, and names of capabilities, up: one trip to PostgreSQL. Nothing is told of it but
/// as part of decisions.
///
/// # Errors
/// Only those of the store.
pub async fn find(reader: &mut Reader, ids: &[Uuid], names: &[String]) -> Result<Found, StoreError> {
    let keys: Vec<Vec<Value>> =
        ids.iter().map(|id| binds![*id, ""]).chain(names.iter().map(|name| binds![Uuid::nil(), name])).collect();
    let mut found = Found::default();
    let rows = reader.of_each(&FOUND, &keys).await?;
    let asked = ids.iter().map(|id| (Some(*id), None)).chain(names.iter().map(|name| (None, Some(name))));
    for ((id, name), rows) in asked.zip(rows) {
        for row in rows {
            match (row.get::<i64>("kind")?, id, name) {
                (0, Some(id), _) => drop(found.people.insert(id, row.get("partner")?)),
                (1, Some(id), _) => drop(found.groups.insert(id, row.get("partner")?)),
                (2, _, Some(name)) => {
                    found.capabilities.insert(name.clone(), CapabilityId(row.get("number")?));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// [`effective::decide_with_witnesses`] for many questions, in their order.
///
/// # Errors
/// `StoreError`; treat it as a refusal of all.
pub async fn decide(reader: &mut Reader, questions: &[Question]) -> Result<Vec<Decision>, StoreError> {
    if reader.dialect() == Dialect::Sqlite {
        let mut decisions = Vec::with_capacity(questions.len());
        for question in questions {
            decisions.push(effective::decide_with_witnesses(reader, question).await?);
        }
        return Ok(decisions);
    }
    let keys: Vec<Vec<Value>> = questions.iter().map(key).collect();
    let mut decisions = Vec::with_capacity(questions.len());
    for rows in reader.of_each(&DECISIONS, &keys).await? {
        let lines = rows.iter().map(line).collect::<Result<_, _>>()?;
        decisions.push(concluded(lines)?.decision);
    }
    witness(reader, questions, &mut decisions).await?;
    Ok(decisions)
}

/// Tells of each rule that allows which external groups and conditions made it match.
async fn witness(reader: &mut Reader, questions: &[Question], decisions: &mut [Decision]) -> Result<(), StoreError> {
    let mut keys = Vec::new();
    let mut by_rule = Vec::new();
    for (question, decision) in questions.iter().zip(decisions) {
        if let Reason::Granted(proof) = &mut decision.reason
            && let Some(rule) = row_support(&mut proof.support)
        {
            keys.push(binds![question.principal, rule.rule.id]);
            by_rule.push(rule);
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    for (rule, rows) in by_rule.into_iter().zip(reader.of_each(&WITNESSES, &keys).await?) {
        rule.witnesses = rows.iter().map(effective::witness).collect::<Result<Vec<Named<PeopleSet>>, _>>()?;
    }
    Ok(())
}

fn key(question: &Question) -> Vec<Value> {
    let Question { principal, capability: CapabilityId(capability), resource, now } = *question;
    let Resource { partner, group, owner } = resource;
    binds![principal, owner.map(|owner| owner.uuid()), capability, partner, now, group.map(|group| group.uuid()), 1]
}

/// What tells one question of a moment from another.
pub type Key = (Uuid, i64, Uuid, Option<Uuid>, Option<Uuid>);

/// What tells a question from the others of its moment.
pub fn key_of(question: &Question) -> Key {
    let Resource { partner, group, owner } = question.resource;
    let (group, owner) = (group.map(|group| group.uuid()), owner.map(|owner| owner.uuid()));
    (question.principal.uuid(), question.capability.0, partner.uuid(), group, owner)
}

/// Whether many decisions are better asked together here.
pub fn is_worth_it(reader: &Reader) -> bool {
    reader.dialect() == Dialect::Postgres
}
