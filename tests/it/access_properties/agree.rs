//! The three evaluators agree, on both databases, and every feature matters.
use std::collections::BTreeMap;

use rolecall::access::decide::{Decision, Question, decide};
use rolecall::access::derive::derive;
use rolecall::access::explain::{
    DecisionReason, DenialReason, GrantExplanation, GrantOrigin, MembershipSummary, RuleSummary, ViaGroup,
};
use rolecall::store::effective;

use super::feature::{FEATURES, Off};
use super::generate::{model, questions};
use super::load::load;
use super::model::{Asked, Model};
use super::naive;
use crate::support::database::on_both;

/// Worlds of a run; `ROLECALL_WORLDS` makes it longer.
pub fn worlds() -> u64 {
    std::env::var("ROLECALL_WORLDS").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

/// Questions a world is asked.
pub const QUESTIONS: usize = 200;

pub fn question(asked: &Asked) -> Question {
    let Asked { principal, capability, resource, now } = *asked;
    Question { principal, capability, resource, now }
}

/// The answer with the words of everything in its way: what must be equal beside the sentence.
pub fn words(decision: &Decision) -> Vec<&'static str> {
    match &decision.reason {
        DecisionReason::Allowed(_) => vec!["granted"],
        DecisionReason::Denied { denials } => denials.iter().map(|denial| denial.word()).collect(),
    }
}

/// The decision with the witnesses of its rule in an order of their own.
fn sorted(mut decision: Decision) -> Decision {
    if let Some(line) = proof_of(&mut decision.reason).and_then(|proof| rule_of(&mut proof.origin)) {
        line.matched.sort_by_key(|set| set.name.clone());
    }
    decision
}

fn proof_of(reason: &mut DecisionReason) -> Option<&mut GrantExplanation> {
    match reason {
        DecisionReason::Allowed(proof) => Some(proof),
        DecisionReason::Denied { denials } => denials.iter_mut().find_map(|denial| match denial {
            DenialReason::GrantInactive { closest_grant, .. }
            | DenialReason::OutOfScope { closest_grant }
            | DenialReason::OutsideCeiling { closest_grant, .. }
            | DenialReason::Unconfirmed { closest_grant } => Some(&mut **closest_grant),
            _ => None,
        }),
    }
}

fn rule_of(support: &mut GrantOrigin) -> Option<&mut RuleSummary> {
    match support {
        GrantOrigin::Rule(line) => Some(line),
        GrantOrigin::Manual { via_group: Some(ViaGroup { membership: MembershipSummary::Rule(line), .. }), .. } => {
            Some(line)
        }
        GrantOrigin::Manual { .. } => None,
    }
}

#[test]
fn the_law_and_the_naive_one_agree() {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..worlds() * 3 {
        let m = model(seed);
        let world = m.world();
        let view = derive(&world);
        for asked in questions(&m, seed, QUESTIONS) {
            let decision = decide(&view, &question(&asked));
            assert_eq!(decision.allowed, naive::allowed(&m, &asked), "world {seed}: {asked:?}\n{decision:?}");
            *outcomes.entry(words(&decision)[0]).or_default() += 1;
        }
    }
    eprintln!("outcomes: {outcomes:?}");
    for outcome in [
        "granted",
        "user_not_found",
        "partner_not_found",
        "unknown_capability",
        "user_suspended",
        "home_partner_suspended",
        "partner_suspended",
        "level_forbids",
        "no_grant",
        "grant_inactive",
        "out_of_scope",
        "outside_ceiling",
        "unconfirmed",
    ] {
        assert!(outcomes.contains_key(outcome), "no question ended with {outcome}");
    }
}

/// In how many worlds each feature changed an answer.
#[test]
fn every_feature_matters() {
    let mut mattered = vec![0; FEATURES.len()];
    for seed in 0..worlds() {
        let m = model(seed);
        let asked = questions(&m, seed, QUESTIONS);
        let before = answers(&m, &asked);
        for (feature, count) in FEATURES.iter().zip(&mut mattered) {
            let (mut without, mut changed) = (m.clone(), asked.clone());
            match feature.off {
                Off::World(off) => off(&mut without),
                Off::Question(off) => changed.iter_mut().for_each(off),
            }
            *count += usize::from(before != answers(&without, &changed));
        }
    }
    for (feature, count) in FEATURES.iter().zip(&mattered) {
        eprintln!("{:>4} of {} worlds: {}", count, worlds(), feature.name);
    }
    let idle: Vec<_> = FEATURES.iter().zip(&mattered).filter(|(_, count)| **count == 0).map(|(f, _)| f.name).collect();
    assert!(idle.is_empty(), "never mattered: {idle:?}");
}

fn answers(m: &Model, asked: &[Asked]) -> Vec<bool> {
    let world = m.world();
    let view = derive(&world);
    asked.iter().map(|asked| decide(&view, &question(asked)).allowed).collect()
}

on_both! {
    async fn sql_agrees_with_the_law(db: &Database) {
        for seed in 0..worlds() {
            load(&db.store, &model(seed), seed).await;
        }
        let mut reader = db.store.reader().await.unwrap();
        for seed in 0..worlds() {
            let m = model(seed);
            let world = m.world();
            let view = derive(&world);
            for (at, asked) in questions(&m, seed, QUESTIONS / 2).into_iter().enumerate() {
                let question = question(&asked);
                let law = decide(&view, &question);
                let sql = effective::decide(&mut reader, &question).await.unwrap();
                assert_eq!(sql.allowed, law.allowed, "world {seed}: {asked:?}\nsql {sql:?}\nlaw {law:?}");
                assert_eq!(words(&sql), words(&law), "world {seed}: {asked:?}\nsql {sql:?}\nlaw {law:?}");
                // One in eight in full: the same reason, word for word.
                if at % 8 != 0 {
                    continue;
                }
                let explained = effective::explain(&mut reader, &question).await.unwrap();
                assert_eq!(sorted(explained.decision), sorted(law), "world {seed}: {asked:?}");
            }
        }
    }
}
