//! Mapping rules: from what a directory says to groups and roles.
use serde::{Deserialize, Serialize};

use super::grant::Scope;
use super::id::{ConditionId, DirectoryId, ExternalGroupId, RoleId, RuleId, UserGroupId};

/// One ordered rule of a directory's rule set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Rule {
    /// Its identity; a changed rule is a new one in the next rule-set version.
    pub id: RuleId,
    /// The directory whose users it matches.
    pub directory: DirectoryId,
    /// The rule-set version it belongs to.
    pub version: i64,
    /// Its place in the order; decides among *place* rules.
    pub ordinal: i64,
    /// The name users see.
    pub name: String,
    /// Whom it matches.
    pub when: RuleFilter,
    /// What it does.
    pub effect: RuleEffect,
}

/// Whom a rule matches: any of the terms.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleFilter {
    /// At most 16.
    pub terms: Vec<FilterTerm>,
}

/// One term of a matcher: in every positive group and in no negated one. At least one positive
/// atom, so that a term never matches by absence alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilterTerm {
    /// The groups asked about.
    pub criteria: Vec<Criterion>,
}

/// One test of a term.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Criterion {
    /// The set of users asked about.
    pub set: ExternalSet,
    /// True: must not be in it.
    #[serde(default)]
    pub negated: bool,
}

/// A set of a directory's external users.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "set", content = "id", rename_all = "snake_case")]
pub enum ExternalSet {
    /// Members of an external group, nested ones too.
    Group(ExternalGroupId),
    /// Those for whom an attribute condition holds.
    Condition(ConditionId),
}

/// What a matching rule does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum RuleEffect {
    /// Puts the user in an primary user group; the first matching rule wins.
    SetPrimaryGroup {
        /// The group.
        user_group: UserGroupId,
    },
    /// Adds the user to a label.
    AddToGroup {
        /// The group.
        user_group: UserGroupId,
    },
    /// Gives a role over a scope.
    GrantRole {
        /// The role.
        role: RoleId,
        /// Over what.
        scope: Scope,
    },
}

impl RuleEffect {
    /// The stored word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SetPrimaryGroup { .. } => "set_primary_group",
            Self::AddToGroup { .. } => "add_to_group",
            Self::GrantRole { .. } => "grant_role",
        }
    }
}

/// The most terms one rule may have.
pub const MAX_TERMS: usize = 16;
