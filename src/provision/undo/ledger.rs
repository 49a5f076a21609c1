//! The last word on each thing.
use std::collections::BTreeMap;

use super::removal::{ItemChange, RemovedItem};
use crate::domain::time::Timestamp;

/// A time: from its first moment on, and before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeRange {
    /// The first moment inside.
    pub from: Timestamp,
    /// The first moment outside again.
    pub to: Timestamp,
}

impl TimeRange {
    /// Whether `moment` lies inside.
    pub fn contains(self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.to
    }
}

/// What became of a thing that the connection took away within the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastChange {
    /// That is the last word on it.
    Taken {
        /// When.
        at: Timestamp,
        /// Its presence had been understood, not said.
        was_implicit: bool,
    },
    /// It was given back since.
    GivenBack {
        /// When the connection took it away.
        at: Timestamp,
    },
    /// It was given back and taken away again: after the time, or by somebody else.
    TakenAgain {
        /// When the connection took it away within the time.
        at: Timestamp,
    },
}

/// Turns in the order in which they happened, summed up.
#[derive(Clone, Debug)]
pub struct Ledger {
    span: TimeRange,
    taken: BTreeMap<RemovedItem, LastChange>,
}

impl Ledger {
    /// An empty ledger of what is taken away within `span`.
    pub fn new(span: TimeRange) -> Self {
        Self { span, taken: BTreeMap::new() }
    }

    /// Takes up the next turn; `ours` when the connection in question said it.
    pub fn note(&mut self, at: Timestamp, ours: bool, item: RemovedItem, turn: ItemChange) {
        match turn {
            ItemChange::Taken { was_implicit } if ours && self.span.contains(at) => {
                self.taken.insert(item, LastChange::Taken { at, was_implicit });
            }
            turn => {
                let Some(last) = self.taken.get_mut(&item) else { return };
                let (LastChange::Taken { at, .. } | LastChange::GivenBack { at } | LastChange::TakenAgain { at }) =
                    *last;
                *last = if turn.is_taken() { LastChange::TakenAgain { at } } else { LastChange::GivenBack { at } };
            }
        }
    }

    /// How many things were taken away.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Everything that the connection took away within the time, with what became of it.
    pub fn items(&self) -> impl Iterator<Item = (RemovedItem, LastChange)> + '_ {
        self.taken.iter().map(|(item, last)| (*item, *last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::{ExternalUserId, Id as _};

    fn moment(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn item(n: u128) -> RemovedItem {
        RemovedItem::Active(ExternalUserId::from_uuid(Uuid::from_u128(n)))
    }

    const TAKEN: ItemChange = ItemChange::Taken { was_implicit: false };
    const SPAN: TimeRange =
        TimeRange { from: Timestamp::from_micros(10_000_000), to: Timestamp::from_micros(20_000_000) };

    fn last(turns: &[(i64, bool, ItemChange)]) -> Option<LastChange> {
        let mut ledger = Ledger::new(SPAN);
        for (second, ours, turn) in turns {
            ledger.note(moment(*second), *ours, item(1), *turn);
        }
        ledger.items().next().map(|(_, last)| last)
    }

    #[test]
    fn the_last_word_counts() {
        let taken = |second| Some(LastChange::Taken { at: moment(second), was_implicit: false });
        assert_eq!(last(&[(10, true, TAKEN)]), taken(10), "the first moment is inside");
        assert_eq!(last(&[(20, true, TAKEN)]), None, "the end is outside");
        assert_eq!(last(&[(9, true, TAKEN)]), None);
        assert_eq!(last(&[(12, false, TAKEN)]), None, "somebody else took it");
        assert_eq!(
            last(&[(12, true, TAKEN), (13, true, ItemChange::Given)]),
            Some(LastChange::GivenBack { at: moment(12) })
        );
        assert_eq!(
            last(&[(12, true, TAKEN), (30, false, ItemChange::Given)]),
            Some(LastChange::GivenBack { at: moment(12) })
        );
        assert_eq!(last(&[(12, true, TAKEN), (13, true, ItemChange::Given), (14, true, TAKEN)]), taken(14));
        let again = [(12, true, TAKEN), (13, true, ItemChange::Given), (25, true, TAKEN)];
        assert_eq!(last(&again), Some(LastChange::TakenAgain { at: moment(12) }));
        let by_another = [(12, true, TAKEN), (13, false, ItemChange::Given), (14, false, TAKEN)];
        assert_eq!(last(&by_another), Some(LastChange::TakenAgain { at: moment(12) }));
    }

    proptest! {
        /// What is undone was there, was taken away by this connection within the time, and nothing was said of it since.
        #[test]
        fn only_what_was_taken_within_the_time_is_left(
            said in prop::collection::vec((0..40_i64, any::<bool>(), any::<bool>(), 0..4_u128), 0..60)
        ) {
            let mut said = said;
            said.sort_by_key(|(second, ..)| *second);
            let mut ledger = Ledger::new(SPAN);
            for (second, ours, taken, n) in &said {
                let turn = if *taken { TAKEN } else { ItemChange::Given };
                ledger.note(moment(*second), *ours, item(*n), turn);
            }
            for n in 0..4 {
                let of = said.iter().rev().find(|(.., one)| *one == n);
                let due = of.is_some_and(|(second, ours, taken, _)| *ours && *taken && SPAN.contains(moment(*second)));
                let left = ledger.items().any(|(one, last)| one == item(n) && matches!(last, LastChange::Taken { .. }));
                prop_assert_eq!(due, left);
            }
        }
    }
}
