//! Users.
use serde::{Deserialize, Serialize};

use super::id::{ConnectionId, PartnerId, UserGroupId, UserId};
use super::time::Timestamp;

/// A user, at home in one partner. Ours: directories speak of external users linked to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct User {
    /// Its identity; never changes, never reused.
    pub id: UserId,
    /// The home partner.
    pub partner: PartnerId,
    /// The merged columns.
    #[serde(flatten)]
    pub profile: UserProfile,
    /// The one primary user group this user is in; written by derive.
    pub primary_group: UserGroupId,
    /// Placement chosen by an administrator; beats every rule.
    pub pinned_group: Option<UserGroupId>,
    /// Raised whenever sessions of before must end.
    pub version: i64,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When somebody said that this user belongs here; none of whom only directories say so.
    pub confirmed_at: Option<Timestamp>,
}

/// What we keep of a user ourselves, merged from what the directories say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UserProfile {
    /// The name users see.
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

/// Who switched a user or a partner off, in whose name. Each source lifts only its own suspension.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SuspensionSource {
    /// Somebody decided it in the name of a partner: the lower one stands, the more may lift it.
    Decided(HoldKind, PartnerId),
    /// An administrator, before it was kept in whose name.
    Admin,
    /// A directory said `active: false` or removed the user.
    Connection(ConnectionId),
}

/// For what something is switched off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum HoldKind {
    /// Any reason of those who run the partner or one above.
    #[default]
    Partner,
    /// A bill.
    Billing,
    /// Safety: sessions end for good.
    Security,
    /// Somebody leaves at a moment that is known: from then on, and of users only.
    End,
}

impl HoldKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Partner, Self::Billing, Self::Security, Self::End];

    /// The stored and published word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Billing => "billing",
            Self::Security => "security",
            Self::End => "end",
        }
    }
}

impl std::fmt::Display for SuspensionSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Decided(kind, standing) => write!(f, "{}:{standing}", kind.as_str()),
            Self::Admin => f.write_str("admin"),
            Self::Connection(id) => write!(f, "connection:{id}"),
        }
    }
}

impl SuspensionSource {
    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((word, id)) = text.split_once(':') else { return (text == "admin").then_some(Self::Admin) };
        if word == "connection" {
            return id.parse().ok().map(Self::Connection);
        }
        let kind = HoldKind::ALL.iter().find(|kind| kind.as_str() == word)?;
        Some(Self::Decided(*kind, id.parse().ok()?))
    }

    /// The word for what kind of suspension it is, which tells nothing of who stands behind it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Decided(kind, _) => kind.as_str(),
            Self::Admin => HoldKind::Partner.as_str(),
            Self::Connection(_) => "directory",
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::Id;

    #[test]
    fn a_stored_source_is_read_back() {
        let partner = PartnerId::from_uuid(Uuid::from_u128(7));
        let decided = HoldKind::ALL.iter().map(|kind| SuspensionSource::Decided(*kind, partner));
        let connection = SuspensionSource::Connection(ConnectionId::from_uuid(Uuid::from_u128(8)));
        for source in decided.chain([SuspensionSource::Admin, connection]) {
            assert_eq!(SuspensionSource::parse(&source.to_string()), Some(source));
        }
        for none in ["", "admin:", "partner", "partner:", "owner:00000000-0000-0000-0000-000000000007"] {
            assert_eq!(SuspensionSource::parse(none), None, "{none:?}");
        }
    }
}
