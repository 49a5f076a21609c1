//! Many decisions of one moment. On PostgreSQL those that are alike are one statement, because what costs is the trip, and
//! making a plan ready to run; on SQLite they are asked one after another, which costs neither.
use super::effective::{self, DecisionRow, Explanation, MOST_GRANTS, concluded, line};
use super::{BatchedQuery as Statement, Dialect, Reader, Row, SqlValue, StoreError, effective_sql};
use crate::access::decide::{Decision, Question};
use crate::access::explain::{DecisionReason, NamedRef};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Resource;
use crate::domain::id::{Id as _, UserId};
use crate::domain::rule::ExternalSet;
use crate::{binds, statements};

statements! {
    DIRECT: question[Uuid, Uuid, I64, Uuid, I64] = effective_sql::direct();
    DECISIONS: question[Uuid, Uuid, I64, Uuid, I64, Uuid, I64] = effective_sql::decision(true);
    WITNESSES: question[Uuid, Uuid] = effective_sql::witnesses();
}

/// How much of an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Depth {
    /// Yes or no: what stands behind a yes lacks the sets that made its rule match.
    Allowed,
    /// As [`effective::decide_with_witnesses`].
    Decided,
    /// As [`effective::explain`].
    Explained,
}

/// The answers, in the order of the questions.
///
/// # Errors
/// `StoreError`; treat it as a refusal of all.
pub(super) async fn answer(reader: &mut Reader, asked: &[(Question, Depth)]) -> Result<Vec<Explanation>, StoreError> {
    if reader.dialect() == Dialect::Sqlite {
        let mut answers = Vec::with_capacity(asked.len());
        for (question, depth) in asked {
            let alone = |decision| Explanation { decision, grants: Vec::new() };
            answers.push(match depth {
                Depth::Allowed => alone(effective::decide(reader, question).await?),
                Depth::Decided => alone(effective::decide_with_witnesses(reader, question).await?),
                Depth::Explained => effective::explain(reader, question).await?,
            });
        }
        return Ok(answers);
    }
    let mut answers = direct(reader, asked).await?;
    let open = || asked.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).map(|(asked, _)| *asked);
    let open: Vec<(Question, Depth)> = open().collect();
    let mut rest = whole(reader, &open).await?.into_iter();
    for answer in answers.iter_mut().filter(|answer| answer.is_none()) {
        *answer = rest.next();
    }
    answers.into_iter().map(|answer| answer.ok_or(StoreError::NotFound)).collect()
}

/// Those that a grant in the user's own name allows: a short statement settles them.
async fn direct(reader: &mut Reader, asked: &[(Question, Depth)]) -> Result<Vec<Option<Explanation>>, StoreError> {
    let mut answers: Vec<Option<Explanation>> = asked.iter().map(|_| None).collect();
    let fit = |(_, depth): &(Question, Depth)| *depth != Depth::Explained;
    let keys: Vec<Vec<SqlValue>> =
        asked.iter().filter(|asked| fit(asked)).map(|(question, _)| direct_key(question)).collect();
    let mut found = of_each(reader, &DIRECT, keys, effective::direct_proof).await?.into_iter();
    for (_, answer) in asked.iter().zip(&mut answers).filter(|(asked, _)| fit(asked)) {
        let proof = found.next().and_then(|rows| rows.into_iter().next()).flatten();
        let decision = proof.map(|proof| Decision::because(DecisionReason::Allowed(Box::new(proof))));
        *answer = decision.map(|decision| Explanation { decision, grants: Vec::new() });
    }
    Ok(answers)
}

/// The whole decision for each.
async fn whole(reader: &mut Reader, asked: &[(Question, Depth)]) -> Result<Vec<Explanation>, StoreError> {
    let keys = asked.iter().map(|(question, depth)| whole_key(question, *depth)).collect();
    let mut answers = of_each(reader, &DECISIONS, keys, line).await?;
    let mut rules = Vec::new();
    for ((question, depth), lines) in asked.iter().zip(&mut answers) {
        let wanted = |line: &&mut DecisionRow| match depth {
            Depth::Allowed => false,
            Depth::Decided => line.allows(),
            Depth::Explained => true,
        };
        let of_one = lines.iter_mut().filter(wanted).filter_map(DecisionRow::rule);
        rules.extend(of_one.map(|rule| (question.principal, rule)));
    }
    let of = |(user, rule): &(UserId, &mut crate::access::explain::RuleSummary)| binds![*user, rule.rule.id];
    let keys = rules.iter().map(of).collect();
    let witnesses: Vec<Vec<NamedRef<ExternalSet>>> = of_each(reader, &WITNESSES, keys, effective::witness).await?;
    for ((_, rule), witnesses) in rules.into_iter().zip(witnesses) {
        rule.matched = witnesses;
    }
    answers.into_iter().map(concluded).collect()
}

/// What `statement` finds for each of many keys, in their order: one trip to PostgreSQL, and none for no keys.
pub(super) async fn of_each<T>(
    reader: &mut Reader,
    statement: &'static Statement,
    keys: Vec<Vec<SqlValue>>,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<Vec<T>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    if reader.dialect() == Dialect::Postgres {
        let found = reader.of_each(statement, &keys).await?;
        return found.iter().map(|rows| rows.iter().map(&read).collect()).collect();
    }
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        found.push(reader.all(statement.one(), key, &read).await?);
    }
    Ok(found)
}

fn direct_key(question: &Question) -> Vec<SqlValue> {
    let Question { principal, capability: CapabilityId(capability), resource, now } = *question;
    binds![principal, resource.owner.map(|owner| owner.uuid()), capability, resource.partner, now]
}

fn whole_key(question: &Question, depth: Depth) -> Vec<SqlValue> {
    let Question { principal, capability: CapabilityId(capability), resource, now } = *question;
    let Resource { partner, group, owner } = resource;
    let most = if depth == Depth::Explained { MOST_GRANTS } else { 1 };
    binds![principal, owner.map(|owner| owner.uuid()), capability, partner, now, group.map(|group| group.uuid()), most]
}
