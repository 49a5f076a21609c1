//! User groups.
use serde::Serialize;

use super::id::{PartnerId, UserGroupId};

/// A named set of a partner's users: scopes grants, receives members from rules.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UserGroup {
    /// Its identity.
    pub id: UserGroupId,
    /// The partner whose users it holds.
    pub partner: PartnerId,
    /// The name, unique in the partner.
    pub name: String,
    /// Exclusive groups are places: every user is in exactly one. The others are labels.
    pub is_primary: bool,
    /// The primary group of those whom no rule places.
    pub is_default: bool,
}
