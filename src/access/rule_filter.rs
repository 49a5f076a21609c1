//! Whom a rule matches: a condition tree turned into at most 16 terms.
//!
//! A term is a set of groups and attribute conditions one must be in and must not be in. Kept that way, the
//! store sees only memberships. Every term needs a positive atom: nobody is matched by absence alone, or an
//! empty read would match everyone.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::rule::{Criterion, ExternalSet, FilterTerm, MAX_TERMS, RuleFilter};

/// A condition as an administrator writes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// In this external group (nested members too), or one for whom this attribute condition holds.
    In(ExternalSet),
    /// Not this.
    Not(Box<Self>),
    /// All of these; an empty list always holds.
    All(Vec<Self>),
    /// Any of these; an empty list never holds.
    Any(Vec<Self>),
}

/// Why a condition cannot be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MatcherError {
    /// More alternatives than a rule may have.
    #[error("the condition has more than {MAX_TERMS} alternatives; split it into several rules")]
    TooWide,
    /// It contradicts itself.
    #[error("the condition never holds")]
    Never,
    /// Some alternative asks only what users are not.
    #[error("each alternative must name at least one group or attribute condition that users must be in")]
    OnlyNegative,
}

/// How wide the work may become on the way, before the alternatives are reduced.
const WORK: usize = 1024;

/// Turns a condition into terms: any of them, each all of its atoms.
///
/// # Errors
/// [`MatcherError`] when it needs more than 16 terms, never holds, or has a term without a positive atom.
pub fn terms(condition: &Condition) -> Result<RuleFilter, MatcherError> {
    let terms = reduced(expand(condition, false)?);
    if terms.is_empty() {
        return Err(MatcherError::Never);
    }
    if terms.len() > MAX_TERMS {
        return Err(MatcherError::TooWide);
    }
    if terms.iter().any(|term| term.values().all(|negated| *negated)) {
        return Err(MatcherError::OnlyNegative);
    }
    let atoms = |term: Conjunction| term.into_iter().map(|(set, negated)| Criterion { set, negated }).collect();
    Ok(RuleFilter { terms: terms.into_iter().map(|term| FilterTerm { criteria: atoms(term) }).collect() })
}

/// Each set with whether one must not be in it.
type Conjunction = BTreeMap<ExternalSet, bool>;

/// The alternatives of a condition, or of its opposite. Negation is carried inwards.
fn expand(condition: &Condition, negated: bool) -> Result<Vec<Conjunction>, MatcherError> {
    match (condition, negated) {
        (Condition::In(set), negated) => Ok(vec![Conjunction::from([(*set, negated)])]),
        (Condition::Not(inner), negated) => expand(inner, !negated),
        (Condition::Any(parts), false) | (Condition::All(parts), true) => {
            let mut any = Vec::new();
            for part in parts {
                any.extend(expand(part, negated)?);
                if any.len() > WORK {
                    return Err(MatcherError::TooWide);
                }
            }
            Ok(any)
        }
        (Condition::All(parts), false) | (Condition::Any(parts), true) => {
            let mut all = vec![Conjunction::new()];
            for part in parts {
                let alternatives = reduced(expand(part, negated)?);
                if all.len().saturating_mul(alternatives.len()) > WORK {
                    return Err(MatcherError::TooWide);
                }
                let both = |one: &Conjunction| alternatives.iter().filter_map(|two| join(one, two)).collect::<Vec<_>>();
                all = reduced(all.iter().flat_map(both).collect());
            }
            Ok(all)
        }
    }
}

/// Both at once; `None` when they contradict each other.
fn join(one: &Conjunction, two: &Conjunction) -> Option<Conjunction> {
    let mut both = one.clone();
    for (set, negated) in two {
        if *both.entry(*set).or_insert(*negated) != *negated {
            return None;
        }
    }
    Some(both)
}

/// Drops duplicates and terms that a wider term already covers.
fn reduced(mut terms: Vec<Conjunction>) -> Vec<Conjunction> {
    terms.sort_by(|one, two| one.len().cmp(&two.len()).then_with(|| one.cmp(two)));
    let mut kept: Vec<Conjunction> = Vec::new();
    for term in terms {
        if !kept.iter().any(|wider| wider.iter().all(|(set, negated)| term.get(set) == Some(negated))) {
            kept.push(term);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::access::derive::matching_term;
    use crate::domain::id::{ExternalGroupId, Id};

    fn set(n: u8) -> ExternalSet {
        ExternalSet::Group(ExternalGroupId::from_uuid(Uuid::from_u128(n.into())))
    }
    fn is(n: u8) -> Condition {
        Condition::In(set(n))
    }
    fn not(inner: Condition) -> Condition {
        Condition::Not(Box::new(inner))
    }

    fn holds(condition: &Condition, sets: &BTreeSet<ExternalSet>) -> bool {
        match condition {
            Condition::In(set) => sets.contains(set),
            Condition::Not(inner) => !holds(inner, sets),
            Condition::All(parts) => parts.iter().all(|part| holds(part, sets)),
            Condition::Any(parts) => parts.iter().any(|part| holds(part, sets)),
        }
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let leaf = (0u8..6).prop_map(is);
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(not),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
                prop::collection::vec(inner, 0..4).prop_map(Condition::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn terms_match_exactly_whom_the_condition_matches(condition in conditions()) {
            let made = terms(&condition);
            for mask in 0u8..64 {
                let sets: BTreeSet<_> = (0..6).filter(|bit| mask & (1 << bit) != 0).map(set).collect();
                match &made {
                    Ok(matcher) => prop_assert_eq!(matching_term(matcher, &sets).is_some(), holds(&condition, &sets)),
                    Err(MatcherError::Never) => prop_assert!(!holds(&condition, &sets)),
                    Err(MatcherError::TooWide | MatcherError::OnlyNegative) => {}
                }
            }
        }

        #[test]
        fn nobody_is_matched_by_absence(condition in conditions()) {
            if let Ok(matcher) = terms(&condition) {
                prop_assert!(matcher.terms.len() <= MAX_TERMS);
                prop_assert_eq!(matching_term(&matcher, &BTreeSet::new()), None);
            }
        }
    }

    #[test]
    fn negation_moves_inwards() {
        let made = terms(&Condition::All(vec![is(1), not(Condition::Any(vec![is(2), is(3)]))])).unwrap();
        assert_eq!(made.terms.len(), 1);
        assert_eq!(made.terms[0].criteria.iter().filter(|atom| atom.negated).count(), 2);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_the_cause() {
        let pairs = (0..5).map(|n| Condition::Any(vec![is(2 * n), is(2 * n + 1)])).collect();
        assert_eq!(terms(&Condition::All(pairs)), Err(MatcherError::TooWide));
        assert_eq!(terms(&not(is(1))), Err(MatcherError::OnlyNegative));
        assert_eq!(terms(&Condition::All(vec![is(1), not(is(1))])), Err(MatcherError::Never));
        assert_eq!(terms(&Condition::All(vec![])), Err(MatcherError::OnlyNegative));
    }

    #[test]
    fn sixteen_alternatives_are_kept_and_no_more() {
        let any = |count: u8| terms(&Condition::Any((0..count).map(is).collect()));
        assert_eq!(any(16).unwrap().terms.len(), 16);
        assert_eq!(any(17), Err(MatcherError::TooWide));
    }

    #[test]
    fn the_work_on_the_way_has_an_end() {
        let same = |count| terms(&Condition::Any(vec![is(1); count]));
        assert_eq!(same(WORK).unwrap().terms.len(), 1);
        assert_eq!(same(WORK + 1), Err(MatcherError::TooWide));
        // Each alternative of one side contradicts each of the other, so that nothing is left of all the pairs.
        let side = |count: u8, wanted: &Condition| {
            Condition::Any((1..=count).map(|n| Condition::All(vec![is(n), wanted.clone()])).collect())
        };
        let both = |count| terms(&Condition::All(vec![side(32, &is(0)), side(count, &not(is(0)))]));
        assert_eq!(both(32), Err(MatcherError::Never));
        assert_eq!(both(33), Err(MatcherError::TooWide));
    }
}
