//! What the runs of the last hours removed, as it is stored and as the safeguard counts it.
use super::safeguard::UnapprovedRemovals;
use crate::store::baseline;

/// What the runs of the last hours removed.
pub(super) fn added_up(rows: Vec<baseline::RemovalCount>) -> UnapprovedRemovals {
    let mut taken = UnapprovedRemovals::default();
    for (what, subject, lost) in rows {
        let lost = u64::try_from(lost).unwrap_or_default();
        match what.as_str() {
            "memberships" => taken.memberships += lost,
            "groups" => taken.groups += lost,
            _ => *taken.mapped.entry(subject).or_default() += lost,
        }
    }
    taken
}

/// As it is stored; what is nothing is left out.
pub(super) fn in_rows(taken: &UnapprovedRemovals) -> Vec<baseline::RemovalCount> {
    let of_all = [("memberships", taken.memberships), ("groups", taken.groups)];
    let of_all = of_all.into_iter().map(|(what, lost)| (what, String::new(), lost));
    let mapped = taken.mapped.iter().map(|(group, lost)| ("mapped", group.clone(), *lost));
    let rows = of_all.chain(mapped).filter(|(_, _, lost)| *lost > 0);
    rows.map(|(what, subject, lost)| (what.to_owned(), subject, i64::try_from(lost).unwrap_or(i64::MAX))).collect()
}
