//! Reasons: the structure behind a yes or a no, and one plain English sentence for each.
use std::fmt;

use serde::Serialize;

use crate::domain::grant::{Scope, ScopeKind};
use crate::domain::id::{DirectoryId, GrantId, Id, PartnerId, RoleId, RuleId, UserGroupId, UserId};
use crate::domain::partner::LevelId;
use crate::domain::rule::ExternalSet;
use crate::domain::time::Timestamp;
use crate::domain::user::{HoldKind, SuspensionSource};

#[cfg(test)]
mod tests;

/// A thing and the name users know it by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NamedRef<T> {
    /// Its identity.
    pub id: T,
    /// Its name.
    pub name: String,
}

impl<T> NamedRef<T> {
    /// A thing with its name.
    pub fn new(id: T, name: impl Into<String>) -> Self {
        Self { id, name: name.into() }
    }

    /// The name, or other words for a thing that is not named.
    fn or<'a>(&'a self, words: &'a str) -> &'a str {
        if self.name.is_empty() { words } else { &self.name }
    }
}

impl<T: Id> NamedRef<T> {
    /// Something that whoever is told may not see: the nil id, and no name.
    pub fn hidden() -> Self {
        Self { id: T::from_uuid(uuid::Uuid::nil()), name: String::new() }
    }
}

/// Why a decision came out as it did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum DecisionReason {
    /// Allowed by this grant. Others may allow it too.
    Allowed(Box<GrantExplanation>),
    /// Denied; every condition that fails, the weightiest first. At least one.
    Denied {
        /// The failing conditions.
        denials: Vec<DenialReason>,
    },
}

/// A grant with all that stands behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GrantExplanation {
    /// The role.
    pub role: NamedRef<RoleId>,
    /// Over what.
    pub scope: ScopeSummary,
    /// Why it is held.
    pub origin: GrantOrigin,
}

/// A scope in brief.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScopeSummary {
    /// What it covers.
    pub kind: ScopeKind,
    /// The partner it hangs on.
    pub partner: NamedRef<PartnerId>,
    /// Whether partners or groups are cut out of it.
    pub has_exclusions: bool,
}

/// Why a grant is held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GrantOrigin {
    /// An administrator granted it.
    Manual {
        /// The grant.
        grant: GrantId,
        /// Who granted it; none for the first owner.
        granted_by: Option<NamedRef<UserId>>,
        /// When.
        granted_at: Timestamp,
        /// The user group that holds it; none when the user does.
        via_group: Option<ViaGroup>,
    },
    /// A mapping rule grants it.
    Rule(RuleSummary),
}

/// A user group between a grant and a user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ViaGroup {
    /// The group.
    pub group: NamedRef<UserGroupId>,
    /// Why the user is in it.
    pub membership: MembershipSummary,
}

/// Why a user is in a user group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum MembershipSummary {
    /// An administrator added the user.
    Added,
    /// An administrator pinned the user there.
    Pinned,
    /// It is the default group of the home partner.
    Default,
    /// The same, of somebody whom nobody has confirmed: the ceiling of a directory that vouches bounds it.
    Resting {
        /// The directory; none when no directory vouches any more, and nothing comes of it.
        directory: Option<NamedRef<DirectoryId>>,
    },
    /// A mapping rule says so.
    Rule(RuleSummary),
}

/// A matching rule, where it comes from and what it matched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleSummary {
    /// The rule.
    pub rule: NamedRef<RuleId>,
    /// Its directory.
    pub directory: NamedRef<DirectoryId>,
    /// External groups and conditions of the matching term that the user is in.
    pub matched: Vec<NamedRef<ExternalSet>>,
}

/// One condition of a decision that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum DenialReason {
    /// There is no such user.
    UserNotFound,
    /// There is no such partner.
    PartnerNotFound,
    /// The catalog has no such capability.
    UnknownCapability,
    /// The user is switched off.
    UserSuspended {
        /// By whom.
        #[serde(rename = "kind", serialize_with = "kind")]
        source: SuspensionSource,
    },
    /// The user's home, or a partner above it, is switched off.
    HomePartnerSuspended {
        /// Which partner.
        partner: NamedRef<PartnerId>,
        /// By whom.
        #[serde(rename = "kind", serialize_with = "kind")]
        source: SuspensionSource,
    },
    /// The resource's partner, or one above it, is switched off.
    PartnerSuspended {
        /// Which partner.
        partner: NamedRef<PartnerId>,
        /// By whom.
        #[serde(rename = "kind", serialize_with = "kind")]
        source: SuspensionSource,
    },
    /// Partners of this level never have this done to them.
    LevelForbids {
        /// The level.
        level: NamedRef<LevelId>,
    },
    /// Nothing the user holds carries the capability.
    NoGrant,
    /// A grant carries it, but not at this moment.
    GrantInactive {
        /// The grant.
        closest_grant: Box<GrantExplanation>,
        /// Why not.
        inactive_reason: InactiveReason,
    },
    /// A grant carries it, but does not reach the resource.
    OutOfScope {
        /// The nearest grant.
        closest_grant: Box<GrantExplanation>,
    },
    /// A grant would do, but its directory may not confer that much.
    OutsideCeiling {
        /// The grant.
        closest_grant: Box<GrantExplanation>,
        /// The directory whose ceiling is in the way.
        directory: NamedRef<DirectoryId>,
    },
    /// A grant would do, but it comes by existence alone, and nobody has confirmed the user.
    Unconfirmed {
        /// The grant.
        closest_grant: Box<GrantExplanation>,
    },
    /// What comes near is not for whoever is told to see.
    Hidden {
        /// How many grounds there are: exact to 9, then `10+`.
        hidden_reasons: String,
    },
}

/// Why a grant is asleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InactiveReason {
    /// It begins later.
    NotYetValid,
    /// It has ended.
    Expired,
    /// It was put aside until an administrator returns it.
    Suspended,
}

/// What a question names that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// The user who asks.
    User,
    /// The partner of the resource.
    Partner,
    /// The capability.
    Capability,
}

impl From<Absent> for DenialReason {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::User => Self::UserNotFound,
            Absent::Partner => Self::PartnerNotFound,
            Absent::Capability => Self::UnknownCapability,
        }
    }
}

impl GrantOrigin {
    /// The directory whose word the support rests on, and whose ceiling clips it; none when only administrators
    /// stand behind it.
    pub fn directory(&self) -> Option<&NamedRef<DirectoryId>> {
        match self {
            Self::Rule(line) => Some(&line.directory),
            Self::Manual { via_group: Some(through), .. } => match &through.membership {
                MembershipSummary::Rule(line) => Some(&line.directory),
                MembershipSummary::Resting { directory } => directory.as_ref(),
                MembershipSummary::Added | MembershipSummary::Pinned | MembershipSummary::Default => None,
            },
            Self::Manual { .. } => None,
        }
    }

    /// Whether it comes by existence alone to somebody whom nobody has confirmed.
    pub fn resting(&self) -> bool {
        matches!(
            self,
            Self::Manual { via_group: Some(ViaGroup { membership: MembershipSummary::Resting { .. }, .. }), .. }
        )
    }
}

impl ScopeSummary {
    /// A scope in brief, with its partner's name.
    pub fn of(scope: &Scope, partner: impl Into<String>) -> Self {
        Self {
            kind: scope.base.kind(),
            partner: NamedRef::new(scope.partner(), partner),
            has_exclusions: !scope.excluded_partners.is_empty() || !scope.excluded_user_groups.is_empty(),
        }
    }
}

impl DenialReason {
    /// The stable word for this kind of miss, for machines and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::UserNotFound => "user_not_found",
            Self::PartnerNotFound => "partner_not_found",
            Self::UnknownCapability => "unknown_capability",
            Self::UserSuspended { .. } => "user_suspended",
            Self::HomePartnerSuspended { .. } => "home_partner_suspended",
            Self::PartnerSuspended { .. } => "partner_suspended",
            Self::LevelForbids { .. } => "level_forbids",
            Self::NoGrant => "no_grant",
            Self::GrantInactive { .. } => "grant_inactive",
            Self::OutOfScope { .. } => "out_of_scope",
            Self::OutsideCeiling { .. } => "outside_ceiling",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Hidden { .. } => "hidden",
        }
    }
}

/// One sentence: what allowed it, or the weightiest thing in the way.
impl fmt::Display for DecisionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(proof) => write!(f, "Allowed by {proof}."),
            Self::Denied { denials } => match denials.first() {
                Some(denial) => denial.fmt(f),
                None => f.write_str("Denied."),
            },
        }
    }
}

/// One sentence.
impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserNotFound => f.write_str("There is no such user."),
            Self::PartnerNotFound => f.write_str("There is no such partner."),
            Self::UnknownCapability => f.write_str("There is no such capability."),
            Self::UserSuspended { source } => write!(f, "The user is suspended {}.", By(*source)),
            Self::HomePartnerSuspended { partner, source } => {
                write!(f, "The user's side is suspended: {} is switched off {}.", partner.or(ABOVE), By(*source))
            }
            Self::PartnerSuspended { partner, source } => {
                write!(f, "The partner is suspended: {} is switched off {}.", partner.or(ABOVE), By(*source))
            }
            Self::LevelForbids { level } => {
                write!(f, "The level {} does not allow this capability on its partners.", level.name)
            }
            Self::NoGrant => f.write_str("No grant of the user carries this capability."),
            Self::GrantInactive { closest_grant, inactive_reason } => {
                let inactive_reason = match inactive_reason {
                    InactiveReason::NotYetValid => "begins later",
                    InactiveReason::Expired => "has ended",
                    InactiveReason::Suspended => "is put aside until an administrator returns it",
                };
                write!(f, "The nearest grant {inactive_reason}: {closest_grant}.")
            }
            Self::OutOfScope { closest_grant: nearest } => {
                write!(f, "The nearest grant does not reach this: {nearest}.")
            }
            Self::OutsideCeiling { closest_grant: nearest, directory } => {
                write!(f, "The ceiling of {} does not reach this far: {nearest}.", Directory(directory))
            }
            Self::Hidden { hidden_reasons } => match hidden_reasons.as_str() {
                "0" => f.write_str("Nothing that you may see comes near."),
                "1" => f.write_str("Nothing that you may see comes near; 1 ground is hidden."),
                many => write!(f, "Nothing that you may see comes near; {many} grounds are hidden."),
            },
            Self::Unconfirmed { closest_grant: nearest } => {
                write!(f, "Nobody has confirmed the user, ")?;
                match nearest.origin.directory() {
                    Some(directory) => {
                        write!(f, "and the ceiling of {} does not reach this far", Directory(directory))?
                    }
                    None => f.write_str("and no directory vouches for them any more")?,
                }
                write!(f, ": {nearest}.")
            }
        }
    }
}

impl fmt::Display for GrantExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role.name.as_str() {
            "" => f.write_str("a role")?,
            name => write!(f, "the role {name}")?,
        }
        write!(f, " over {}, {}", self.scope, self.origin)
    }
}

impl fmt::Display for ScopeSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.partner.or("a partner");
        match self.kind {
            ScopeKind::Own => write!(f, "the user's own things in {name}")?,
            ScopeKind::Partner => f.write_str(name)?,
            ScopeKind::Subtree => write!(f, "{name} and everything below")?,
            ScopeKind::UserGroups => write!(f, "chosen user groups of {name}")?,
        }
        if self.has_exclusions { f.write_str(" (with exceptions)") } else { Ok(()) }
    }
}

impl fmt::Display for GrantOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual { granted_by, granted_at: at, via_group: through, .. } => {
                let by = granted_by.as_ref().map_or("the set-up", |who| who.or("an administrator"));
                let moment = at.to_string();
                let day = moment.split('T').next().unwrap_or(&moment);
                match through {
                    None => write!(f, "granted by {by} on {day}"),
                    Some(ViaGroup { group, membership: ground }) => match group.name.as_str() {
                        "" => write!(f, "granted by {by} on {day} to a user group, {ground}"),
                        name => write!(f, "granted by {by} on {day} to the user group {name}, {ground}"),
                    },
                }
            }
            Self::Rule(line) => write!(f, "granted by {line}"),
        }
    }
}

impl fmt::Display for MembershipSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("to which an administrator added the user"),
            Self::Pinned => f.write_str("where an administrator placed the user"),
            Self::Default => f.write_str("the default group of the user's partner"),
            Self::Resting { directory: Some(directory) } => {
                write!(f, "the default group of the user's partner, by the word of {}", Directory(directory))
            }
            Self::Resting { directory: None } => {
                f.write_str("the default group of the user's partner, by nobody's word")
            }
            Self::Rule(line) => write!(f, "which the user is in by {line}"),
        }
    }
}

impl fmt::Display for RuleSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule.name.as_str() {
            "" => write!(f, "a rule of {}", Directory(&self.directory))?,
            name => write!(f, "the rule {name} of {}", Directory(&self.directory))?,
        }
        let mut witnesses = self.matched.iter();
        let Some(first) = witnesses.next() else { return Ok(()) };
        write!(f, " (matched {}", Quoted(first))?;
        for next in witnesses {
            write!(f, " and {}", Quoted(next))?;
        }
        f.write_str(")")
    }
}

/// Machines read the kind; whose name it stands in is told apart, to those who may see it.
fn kind<S: serde::Serializer>(value: &SuspensionSource, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(value.kind())
}

struct Quoted<'a>(&'a NamedRef<ExternalSet>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.id {
            ExternalSet::Group(_) => write!(f, "the external group {}", self.0.name),
            ExternalSet::Condition(_) => write!(f, "the condition {}", self.0.name),
        }
    }
}

/// What stands for a partner that is not named.
const ABOVE: &str = "a partner above";

/// A directory in words.
struct Directory<'a>(&'a NamedRef<DirectoryId>);

impl fmt::Display for Directory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name.as_str() {
            "" => f.write_str("a directory"),
            name => write!(f, "the directory {name}"),
        }
    }
}

struct By(SuspensionSource);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SuspensionSource::Admin | SuspensionSource::Decided(HoldKind::Partner, _) => {
                f.write_str("by an administrator")
            }
            SuspensionSource::Decided(HoldKind::Billing, _) => f.write_str("for a bill"),
            SuspensionSource::Decided(HoldKind::Security, _) => f.write_str("for safety"),
            SuspensionSource::Decided(HoldKind::End, _) => f.write_str("since the day they were to leave"),
            SuspensionSource::Connection(_) => f.write_str("by its directory"),
        }
    }
}
