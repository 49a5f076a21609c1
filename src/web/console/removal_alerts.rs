//! The notice of a removal alert: what one connection took away in a short time, and the way to the page that gives it back.
use super::layout::{count, link, minute};
use crate::domain::time::Timestamp;
use crate::store::extent::PartnerExtent;
use crate::store::removal_alerts::{self, RemovalAlert};
use crate::store::{Reader, StoreError};

/// How long a notice is shown after the last removal unless somebody puts it away, in seconds.
const SHOWN: i64 = 7 * 86_400;

/// A removal alert in words.
pub(super) struct RemovalAlertNotice {
    pub(super) id: String,
    /// The connection's name in addresses.
    pub(super) slug: String,
    pub(super) since: String,
    /// `30 people`.
    pub(super) users: String,
    /// `25 switched off, 5 deleted`.
    pub(super) what: String,
    /// What follows the connection's address on the way to the plan: `/undo?from=…`.
    pub(super) plan: String,
}

/// The notices of a partner's connections, the newest first.
pub(super) async fn notices(
    reader: &mut Reader,
    at: &PartnerExtent,
    now: Timestamp,
) -> Result<Vec<RemovalAlertNotice>, StoreError> {
    let found = removal_alerts::shown(reader, at, now.plus_seconds(-SHOWN)).await?;
    Ok(found.into_iter().map(|(removal_alert, slug)| notice(&removal_alert, slug)).collect())
}

fn notice(removal_alert: &RemovalAlert, slug: String) -> RemovalAlertNotice {
    let mut parts = Vec::new();
    let mut part = |number: i64, one: &str, many: &str| {
        if number > 0 {
            parts.push(count(number, one, many));
        }
    };
    part(removal_alert.users_deactivated, "switched off", "switched off");
    part(removal_alert.users_deleted, "deleted", "deleted");
    part(removal_alert.memberships_removed, "membership ended", "memberships ended");
    part(removal_alert.groups_deleted, "group deleted", "groups deleted");
    // To the second, as users write moments: none of the removal alert's removals is left out.
    let (from, to) = (removal_alert.first_removal_at.seconds(), removal_alert.last_removal_at.seconds() + 1);
    let moment = |seconds: i64| Timestamp::from_micros(0).plus_seconds(seconds).to_string();
    RemovalAlertNotice {
        id: removal_alert.id.to_string(),
        slug,
        since: minute(removal_alert.first_removal_at),
        users: count(removal_alert.user_count, "user", "users"),
        what: parts.join(", "),
        plan: link("/undo", &[("from", &moment(from)), ("to", &moment(to))]),
    }
}
