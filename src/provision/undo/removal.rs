//! What a line of the log says was taken away or given.
use serde_json::Value as Json;
use uuid::Uuid;

use crate::domain::ctx::Actor;
use crate::domain::event_kind::EventKind;
use crate::domain::id::{ConnectionId, ExternalGroupId, ExternalUserId, Id as _};
use crate::store::members::MemberId;
use crate::store::removal_events::RemovalEvent;

/// A thing that a connection can take away. In the order in which things are given back: a member needs its group and
/// its user first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RemovedItem {
    /// A user is there.
    User(ExternalUserId),
    /// A group is there.
    Group(ExternalGroupId),
    /// Somebody is a direct member of a group.
    Member(ExternalGroupId, MemberId),
    /// The directory lets a user in.
    Active(ExternalUserId),
}

impl RemovedItem {
    /// The user from whom it is taken; groups are not users.
    pub fn user(self) -> Option<ExternalUserId> {
        match self {
            Self::User(user) | Self::Active(user) | Self::Member(_, MemberId::User(user)) => Some(user),
            Self::Group(_) | Self::Member(_, MemberId::Group(_)) => None,
        }
    }

    /// The thing that lines of the log about it name first.
    pub fn subject(self) -> Uuid {
        match self {
            Self::User(user) | Self::Active(user) => user.uuid(),
            Self::Group(group) | Self::Member(group, _) => group.uuid(),
        }
    }
}

/// What became of a thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ItemChange {
    /// It was given, or given back.
    Given,
    /// It was taken away.
    Taken {
        /// That it was there had not been said but was understood (`active` without a value).
        was_implicit: bool,
    },
}

impl ItemChange {
    /// Whether it was taken away.
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Taken { .. })
    }
}

/// The connection that said a line; none when somebody else did.
pub fn taker(line: &RemovalEvent) -> Option<ConnectionId> {
    match serde_json::from_str(&line.actor).ok()? {
        Actor::Connection { connection, .. } => Some(connection),
        _ => None,
    }
}

/// What a line took away and gave.
pub fn turns(line: &RemovalEvent) -> Vec<(RemovedItem, ItemChange)> {
    const TAKEN: ItemChange = ItemChange::Taken { was_implicit: false };
    let Some(subject) = line.subject else { return Vec::new() };
    let (user, group) = (ExternalUserId::from_uuid(subject), ExternalGroupId::from_uuid(subject));
    match EventKind::parse(&line.kind) {
        Some(EventKind::ExternalUserDeleted) => vec![(RemovedItem::User(user), TAKEN)],
        Some(EventKind::ExternalUserRestored) => vec![(RemovedItem::User(user), ItemChange::Given)],
        Some(EventKind::ExternalGroupDeleted) => vec![(RemovedItem::Group(group), TAKEN)],
        Some(EventKind::ExternalGroupRestored) => vec![(RemovedItem::Group(group), ItemChange::Given)],
        Some(EventKind::ExternalUserUpdated) => {
            switched(&line.data).map(|turn| (RemovedItem::Active(user), turn)).into_iter().collect()
        }
        Some(EventKind::ExternalGroupMemberAdded) => members(group, &line.data, ItemChange::Given),
        Some(EventKind::ExternalGroupMemberRemoved) => members(group, &line.data, TAKEN),
        _ => Vec::new(),
    }
}

fn switched(data: &str) -> Option<ItemChange> {
    let data: Json = serde_json::from_str(data).ok()?;
    let was_implicit = data.get("was_implicit").and_then(Json::as_bool).unwrap_or(false);
    Some(if data.get("active")?.as_bool()? { ItemChange::Given } else { ItemChange::Taken { was_implicit } })
}

fn members(group: ExternalGroupId, data: &str, turn: ItemChange) -> Vec<(RemovedItem, ItemChange)> {
    let data: Json = serde_json::from_str(data).unwrap_or_default();
    let ids = |name: &str| -> Vec<Uuid> {
        let list = data.get(name).and_then(Json::as_array);
        list.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
    };
    let users = ids("members").into_iter().map(|id| MemberId::User(ExternalUserId::from_uuid(id)));
    let groups = ids("groups").into_iter().map(|id| MemberId::Group(ExternalGroupId::from_uuid(id)));
    users.chain(groups).map(|who| (RemovedItem::Member(group, who), turn)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EventId;
    use crate::domain::time::Timestamp;

    fn line(kind: EventKind, data: &str) -> RemovalEvent {
        let id = EventId::from_uuid(Uuid::from_u128(9));
        let actor = r#"{"kind":"connection","connection":"00000000-0000-0000-0000-000000000007"}"#.to_owned();
        let (at, subject) = (Timestamp::from_micros(1), Some(Uuid::from_u128(1)));
        RemovalEvent { seq: Some(1), id, at, kind: kind.as_str().to_owned(), subject, actor, data: data.to_owned() }
    }

    #[test]
    fn lines_are_understood() {
        let user = ExternalUserId::from_uuid(Uuid::from_u128(1));
        let group = ExternalGroupId::from_uuid(Uuid::from_u128(1));
        let other = ExternalUserId::from_uuid(Uuid::from_u128(2));
        let taken = ItemChange::Taken { was_implicit: false };
        assert_eq!(turns(&line(EventKind::ExternalUserUpdated, r#"{"attributes":["title"]}"#)), []);
        assert_eq!(
            turns(&line(EventKind::ExternalUserUpdated, r#"{"active":false,"was_implicit":true}"#)),
            [(RemovedItem::Active(user), ItemChange::Taken { was_implicit: true })]
        );
        assert_eq!(
            turns(&line(EventKind::ExternalUserUpdated, r#"{"active":true}"#)),
            [(RemovedItem::Active(user), ItemChange::Given)]
        );
        assert_eq!(turns(&line(EventKind::ExternalGroupDeleted, "{}")), [(RemovedItem::Group(group), taken)]);
        let members = r#"{"members":["00000000-0000-0000-0000-000000000002"]}"#;
        assert_eq!(
            turns(&line(EventKind::ExternalGroupMemberRemoved, members)),
            [(RemovedItem::Member(group, MemberId::User(other)), taken)]
        );
        assert_eq!(turns(&line(EventKind::ExternalGroupMemberRemoved, "not JSON")), []);
        assert_eq!(turns(&line(EventKind::UserSuspended, "{}")), []);
    }

    #[test]
    fn only_connections_are_takers() {
        let mut line = line(EventKind::ExternalGroupMemberRemoved, "{}");
        assert_eq!(taker(&line), Some(ConnectionId::from_uuid(Uuid::from_u128(7))));
        line.actor = r#"{"kind":"operator"}"#.to_owned();
        assert_eq!(taker(&line), None);
        line.actor = "?".to_owned();
        assert_eq!(taker(&line), None);
    }
}
