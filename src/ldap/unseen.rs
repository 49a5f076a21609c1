//! What an entry does not show: an attribute that many lose at once is rather unreadable than gone, so it stays as it was
//! until a user has looked at it; and who waits to be switched on or off stays as before.
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::id::ExternalUserId;
use crate::scim::resource::Document;

use super::entry::AttributePart;
use super::plan::{Baseline, RecordMatch, SyncPlan};
use super::reason::PendingReason;
use super::safeguard::{Removal, exceeds};
use super::translate::DirectorySnapshot;
use crate::connection::ldap::SafeguardLimits;

/// Keeps the parts that many of the changed users lose at once and nobody has approved; each with its reason.
pub(super) fn keep_parts(
    said: &mut DirectorySnapshot,
    accepted: &Baseline,
    plan: &SyncPlan,
    documents: &HashMap<ExternalUserId, Document>,
    limits: SafeguardLimits,
    approved: &HashSet<AttributePart>,
) -> Vec<(AttributePart, PendingReason)> {
    let mut losers: BTreeMap<AttributePart, Vec<(u32, ExternalUserId)>> = BTreeMap::new();
    for change in &plan.change_users {
        let known = accepted.users.get(change.known as usize);
        let (Some(known), Some(now)) = (known, said.users.get(change.said as usize)) else { continue };
        let (Some(before), Some(doc)) = (documents.get(&known.id), &now.doc) else { continue };
        for part in AttributePart::vanished(before, doc) {
            losers.entry(part).or_default().push((change.said, known.id));
        }
    }
    let of = accepted.users.len();
    losers
        .retain(|part, who| !approved.contains(part) && exceeds(who.len(), of, limits.at_least, limits.users_percent));
    for (part, who) in &losers {
        for (at, id) in who {
            if let (Some(user), Some(before)) = (said.users.get_mut(*at as usize), documents.get(id)) {
                user.keep(part, before);
            }
        }
    }
    let reason = |(part, who): (AttributePart, Vec<_>)| {
        let (lost, of, limit) = (who.len() as u64, of as u64, limits.users_percent);
        let reason = PendingReason::PartVanishes { part: part.name().to_owned(), lost, of, limit };
        (part, reason)
    };
    losers.into_iter().map(reason).collect()
}

/// Keeps those switched on or off as before whose switch waits.
pub(super) fn keep_switches(said: &mut DirectorySnapshot, accepted: &Baseline, held: impl Iterator<Item = Removal>) {
    let matched = RecordMatch::new(said, accepted);
    for removal in held {
        let (known, active) = match removal {
            Removal::SwitchOn(known) => (known, false),
            Removal::SwitchOff(known) => (known, true),
            _ => continue,
        };
        let at = matched.said_user.get(known as usize).copied().flatten();
        if let Some(user) = at.and_then(|at| said.users.get_mut(at as usize)) {
            user.keep_active(active);
        }
    }
}
