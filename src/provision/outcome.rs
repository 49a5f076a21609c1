//! What an act did. A dry run returns the same as the real run would.
use serde::{Serialize, Serializer};

use super::event::{self, Event, Kind};
use crate::domain::id::{ConnectionId, UserGroupId, UserId};
use crate::store::effective_lists::AccessChange;

/// The most ids of one list that the provisioning log names.
const MOST_NOTED: usize = 100;

/// The outcome of a use case.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome<T> {
    /// The resource afterwards.
    pub value: T,
    /// Whether anything of the resource changed.
    pub changed: bool,
    /// What else came of it.
    pub effect: Effect,
}

/// What came of an act beside the resource itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effect {
    /// The attributes that changed.
    pub attributes: Vec<String>,
    /// How many members came in.
    pub members_added: usize,
    /// How many members left.
    pub members_removed: usize,
    /// Ids named as members that the connection does not know.
    pub unknown_members: Vec<String>,
    /// What happened to users, in order.
    pub users: Vec<UserChange>,
    /// The events, as written or as they would be.
    pub events: Vec<Event>,
    /// The users whose access may have changed.
    pub touched: Vec<UserId>,
    /// What they hold afterwards and did not before, and the other way round.
    pub access: AccessChanges,
}

/// What an act changes of what users hold: user groups, and roles over scopes.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum AccessChanges {
    /// Nobody asked.
    #[default]
    NotCompared,
    /// For each user for whom anything changes.
    Changes(Vec<AccessChange>),
    /// Too many users are touched to tell within one request; a plan tells it.
    TooMany,
}

/// Something that happened to a user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UserChange {
    /// To whom.
    #[serde(rename = "user")]
    pub user: UserId,
    /// What.
    #[serde(flatten)]
    pub change: UserChangeKind,
}

/// What happened to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum UserChangeKind {
    /// The user came to be.
    Created,
    /// An external user was linked by the directory's join.
    Matched,
    /// The user had left and came back; this many manual grants wait for an administrator.
    Returned {
        /// Grants put aside.
        suspended_grants: u64,
    },
    /// An external user resembles this user; an administrator decides.
    MatchProposed,
    /// The user's own columns changed.
    Updated,
    /// The connection switched the user off.
    Suspended,
    /// The connection lifted its suspension.
    Reactivated,
    /// The user's primary user group changed.
    PrimaryGroupChanged {
        /// To this one.
        group: UserGroupId,
    },
}

impl Effect {
    /// Notes an event.
    pub(super) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Notes what happened to a user, with the event that says so.
    pub(super) fn user(&mut self, connection: ConnectionId, user: UserId, what: UserChangeKind) {
        let event = |kind| Event::of(kind, user).id("connection", connection);
        match what {
            UserChangeKind::Created => self.event(event(Kind::UserCreated)),
            UserChangeKind::Returned { suspended_grants } => {
                self.event(event(Kind::UserReturned).count("suspended_grants", suspended_grants as usize));
            }
            UserChangeKind::Updated => self.event(event(Kind::UserUpdated)),
            UserChangeKind::Suspended => self.event(event(Kind::UserSuspended)),
            UserChangeKind::Reactivated => self.event(event(Kind::UserReactivated)),
            UserChangeKind::PrimaryGroupChanged { group } => {
                self.event(event(Kind::UserPrimaryGroupChanged).id("group", group))
            }
            // Said by the event of the link.
            UserChangeKind::Matched | UserChangeKind::MatchProposed => {}
        }
        self.users.push(UserChange { user, change: what });
    }

    /// Notes that a user's access may have changed.
    pub(super) fn touch(&mut self, users: impl IntoIterator<Item = UserId>) {
        self.touched.extend(users);
        self.touched.sort_unstable();
        self.touched.dedup();
    }

    /// Whether nothing at all came of it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The effect as a dry run shows it: ids, names of attributes, counts.
    pub fn whole(&self) -> EffectPreview<'_> {
        self.shown(usize::MAX, |_| true)
    }

    /// The effect as the log of requests keeps it: nothing of what did not happen, and long lists of ids begun only. The
    /// event log has them whole.
    pub fn note(&self) -> EffectPreview<'_> {
        self.shown(MOST_NOTED, |happened| happened)
    }

    /// At most `most` ids of a list; a field when it is `told`, which may depend on whether there is anything in it.
    fn shown(&self, most: usize, told: fn(bool) -> bool) -> EffectPreview<'_> {
        let Self { attributes, members_added, members_removed, unknown_members, users, events, access, .. } = self;
        EffectPreview {
            attributes: told(!attributes.is_empty()).then_some(attributes),
            members_added: told(*members_added > 0).then_some(*members_added),
            members_removed: told(*members_removed > 0).then_some(*members_removed),
            unknown_members: told(!unknown_members.is_empty()).then_some(unknown_members),
            users: told(!users.is_empty()).then_some(users),
            events: told(!events.is_empty()).then(|| events.iter().map(|event| event.shown(most)).collect()),
            access: told(*access != AccessChanges::NotCompared).then_some(access),
        }
    }
}

/// An effect as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectPreview<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'e [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members_added: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members_removed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_members: Option<&'e [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'e [UserChange]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<event::EventPreview<'e>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'e AccessChanges>,
}

impl Serialize for AccessChanges {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NotCompared => to.serialize_none(),
            Self::Changes(changes) => changes.serialize(to),
            Self::TooMany => to.serialize_str("too many users; ask for a plan"),
        }
    }
}
