//! Scopes and manual grants.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::id::{GrantId, PartnerId, RoleId, UserGroupId, UserId};
use super::time::{Timestamp, Window};

/// The part of the world a role is held over: a reach minus exclusions.
/// Exclusions belong to this scope alone; they never cut another grant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// What it covers.
    pub base: ScopeBase,
    /// Partners cut out, each with everything below it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded_partners: BTreeSet<PartnerId>,
    /// User groups cut out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded_user_groups: BTreeSet<UserGroupId>,
}

/// What a scope covers before exclusions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScopeBase {
    /// Only the holder's own user and things, at home in `partner`.
    Own {
        /// The holder's home partner.
        partner: PartnerId,
    },
    /// This partner, and not those below.
    Partner {
        /// The partner.
        partner: PartnerId,
    },
    /// This partner and everything below.
    Subtree {
        /// The top of the subtree.
        partner: PartnerId,
    },
    /// The users and things of these user groups of one partner.
    UserGroups {
        /// The partner that owns the groups.
        partner: PartnerId,
        /// The groups; at least one.
        user_groups: BTreeSet<UserGroupId>,
    },
}

impl Scope {
    /// A scope without exclusions.
    pub fn of(reach: ScopeBase) -> Self {
        Self { base: reach, excluded_partners: BTreeSet::new(), excluded_user_groups: BTreeSet::new() }
    }

    /// The partner the scope hangs on.
    pub fn partner(&self) -> PartnerId {
        match self.base {
            ScopeBase::Own { partner }
            | ScopeBase::Partner { partner }
            | ScopeBase::Subtree { partner }
            | ScopeBase::UserGroups { partner, .. } => partner,
        }
    }
}

impl ScopeBase {
    /// Its kind.
    pub fn kind(&self) -> ScopeKind {
        match self {
            Self::Own { .. } => ScopeKind::Own,
            Self::Partner { .. } => ScopeKind::Partner,
            Self::Subtree { .. } => ScopeKind::Subtree,
            Self::UserGroups { .. } => ScopeKind::UserGroups,
        }
    }
}

/// The kinds of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// The holder's own user and things.
    Own,
    /// One partner.
    Partner,
    /// A partner and everything below.
    Subtree,
    /// User groups of a partner.
    UserGroups,
}

impl ScopeKind {
    /// The stored and published word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::Partner => "partner",
            Self::Subtree => "subtree",
            Self::UserGroups => "user_groups",
        }
    }

    /// The kind of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Own, Self::Partner, Self::Subtree, Self::UserGroups].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Who holds a grant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "holder", content = "id", rename_all = "snake_case")]
pub enum Holder {
    /// A user.
    User(UserId),
    /// Everyone in a user group. One level: groups hold no groups.
    Group(UserGroupId),
}

/// A role given to a holder over a scope by an administrator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ManualGrant {
    /// Its identity.
    pub id: GrantId,
    /// The role.
    pub role: RoleId,
    /// Who holds it.
    pub holder: Holder,
    /// Over what.
    pub scope: Scope,
    /// When.
    pub window: Window,
    /// Who gave it; none for the first owner.
    pub granted_by: Option<UserId>,
    /// Why, in that administrator's words.
    pub reason: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
}

/// Something a decision is about: a partner, or a thing in one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// The partner it belongs to.
    pub partner: PartnerId,
    /// The user group it belongs to, when it belongs to one.
    pub group: Option<UserGroupId>,
    /// The user it belongs to, when it belongs to one.
    pub owner: Option<UserId>,
}
