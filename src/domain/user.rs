//! People.
use serde::{Deserialize, Serialize};

use super::id::{ConnectionId, PartnerId, UserGroupId, UserId};
use super::time::Timestamp;

/// A person, at home in one partner. Ours: directories speak of external users linked to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct User {
    /// Its identity; never changes, never reused.
    pub id: UserId,
    /// The home partner.
    pub partner: PartnerId,
    /// The merged columns.
    #[serde(flatten)]
    pub profile: Profile,
    /// The one exclusive user group this person is in; written by derive.
    pub placement: UserGroupId,
    /// Placement chosen by an administrator; beats every rule.
    pub placement_pin: Option<UserGroupId>,
    /// Raised whenever sessions of before must end.
    pub version: i64,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When somebody said that this person belongs here; none of whom only directories say so.
    pub confirmed_at: Option<Timestamp>,
}

/// What we keep of a person ourselves, merged from what the directories say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The name people see.
    pub display_name: String,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Primary mail address, as said.
    pub email: Option<String>,
    /// The name to sign in with, unique in the home partner; none after a collision.
    pub login_name: Option<String>,
}

/// Who switched a person or a partner off. Each source lifts only its own suspension.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SuspensionSource {
    /// An administrator.
    Admin,
    /// A directory said `active: false` or removed the person.
    Connection(ConnectionId),
}

impl std::fmt::Display for SuspensionSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Connection(id) => write!(f, "connection:{id}"),
        }
    }
}

impl SuspensionSource {
    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "admin" {
            return Some(Self::Admin);
        }
        text.strip_prefix("connection:")?.parse().ok().map(Self::Connection)
    }
}
