//! Switches and the profiles that set them.

use crate::scim::resource::Rules;
use std::fmt;
use std::str::FromStr;

macro_rules! switches {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// A tolerance, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Switch { $($(#[doc = $doc])* $variant,)* }

        impl Switch {
            /// Every switch.
            pub const ALL: &[Switch] = &[$(Switch::$variant,)*];

            /// The name in configuration and in the provisioning log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Switch::$variant => $name,)* }
            }

            /// What it does, for users.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Switch::$variant => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

switches! {
    /// `op` in any case.
    OpCase = "op_case",
    /// `"True"` for a boolean attribute.
    StringBooleans = "string_booleans",
    /// A bare id, or a list of one, for `manager` and the like.
    BareStringManager = "bare_string_manager",
    /// `name.givenName` and `emails[…].value` as keys of a value, and an attribute of an extension without its URN.
    DottedKeys = "dotted_keys",
    /// `urn:…:User:department` as key of a path-less PATCH value.
    UrnKeys = "urn_keys",
    /// The URN of the core schema as a key, with an object of its attributes.
    CoreUrn = "core_urn",
    /// PATCH makes the element a filter describes by its type or the like when there is none; never one it names by its value.
    CreateOnNoMatch = "create_on_no_match",
    /// `remove` with a value removes exactly those values.
    RemoveByValueArray = "remove_by_value_array",
    /// The resource's own id in a path-less PATCH value.
    IgnoreEqualId = "ignore_equal_id",
    /// Read-only attributes in a path-less PATCH value are left out.
    DropReadOnly = "drop_read_only",
    /// Schemas nobody here knows are left out.
    UnknownUrn = "unknown_urn",
    /// Attributes nobody here knows are left out.
    UnknownAttributes = "unknown_attributes",
    /// Values outside the canonical ones are taken.
    UncanonicalValues = "uncanonical_values",
    /// URNs of SCIM 1.1 and of the drafts before SCIM 2.0.
    LegacyUrns = "legacy_urns",
    /// `primary eq "True"` in filters and paths.
    QuotedBooleanInFilter = "quoted_boolean_in_filter",
    /// In filters: unquoted values, `emails[…].value eq …`, `manager eq …` for its `value`, and an attribute of an extension without its URN.
    LooseFilter = "loose_filter",
    /// `""` means no value; `add` takes nothing away by it, and `replace` no whole list or object.
    EmptyStringClears = "empty_string_clears",
    /// White space before and after a `userName` is left out, in filters too; without this it is refused.
    TrimmedNames = "trimmed_names",
    /// PATCH operations without a path.
    Pathless = "pathless",
    /// A POST for an inactive user revives it instead of 409.
    ReprovisionInactive = "reprovision_inactive",
    /// A filter in an address that names what a user is called or reached by is refused with 403 `sensitive`; the same in the body of a POST to `.search` is taken.
    SensitiveFilters = "sensitive_filters",
    /// A PUT, PATCH or DELETE without `If-Match` (in bulk: without `version`) is refused with 428.
    RequireIfMatch = "require_if_match",
    /// `/Roles` and `/Entitlements` show what rules may give to the users of the directory.
    ResourceTypesEnabled = "resource_types_enabled",
    /// What a PUT of a group without `members` does.
    PutMissingMembers = "put_missing_members",
    /// What happens to member ids that do not exist.
    UnknownMember = "unknown_member",
    /// How a PATCH of a group is answered.
    GroupPatchStatus = "group_patch_status",
}

/// How a PATCH of a group is answered (P07).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupPatchAnswer {
    /// 200 with the group, or 204 when it is large.
    Auto,
    /// 200 with the group.
    Full,
    /// 204 without a body.
    Empty,
}

/// What a PUT of a group without `members` does (O05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingMembers {
    /// The members stay.
    Keep,
    /// The group is emptied.
    Clear,
}

/// What happens to member ids that do not exist (D05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownMember {
    /// They are left out and reported; the others count.
    Skip,
    /// The request is refused.
    Reject,
}

/// How one connection treats its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    on: u32,
    /// How a PATCH of a group is answered.
    pub group_patch: GroupPatchAnswer,
    /// What a PUT of a group without `members` does.
    pub missing_members: MissingMembers,
    /// What happens to member ids that do not exist.
    pub unknown_member: UnknownMember,
}

/// A known client, or a way of being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClientProfile {
    /// Exactly the RFCs; refuses everything unknown.
    Strict,
    /// Takes what real clients send.
    #[default]
    Generic,
    /// Microsoft Entra ID.
    Entra,
    /// Microsoft Entra ID with `aadOptscim062020` in the tenant URL.
    EntraFlag,
    /// Okta.
    Okta,
    /// OneLogin.
    OneLogin,
    /// JumpCloud.
    JumpCloud,
    /// PingOne and PingFederate.
    Ping,
    /// Google Workspace.
    Google,
    /// SailPoint.
    SailPoint,
    /// Rippling.
    Rippling,
    /// authentik.
    Authentik,
}

impl ClientProfile {
    /// Every profile, with its name.
    pub const ALL: [(ClientProfile, &'static str); 12] = [
        (ClientProfile::Strict, "strict"),
        (ClientProfile::Generic, "generic"),
        (ClientProfile::Entra, "entra"),
        (ClientProfile::EntraFlag, "entra-flag"),
        (ClientProfile::Okta, "okta"),
        (ClientProfile::OneLogin, "onelogin"),
        (ClientProfile::JumpCloud, "jumpcloud"),
        (ClientProfile::Ping, "ping"),
        (ClientProfile::Google, "google"),
        (ClientProfile::SailPoint, "sailpoint"),
        (ClientProfile::Rippling, "rippling"),
        (ClientProfile::Authentik, "authentik"),
    ];

    /// The name in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(profile, _)| *profile == self);
        found.map_or("generic", |(_, name)| name)
    }

    /// The switches of this profile.
    #[must_use]
    pub fn switches(self) -> Switches {
        use Switch::{LooseFilter, ResourceTypesEnabled};
        let own: &[Switch] = match self {
            ClientProfile::Strict => return Switches::strict(),
            ClientProfile::Generic | ClientProfile::Entra | ClientProfile::EntraFlag | ClientProfile::Ping => {
                &[LooseFilter]
            }
            ClientProfile::Okta => &[ResourceTypesEnabled],
            ClientProfile::OneLogin
            | ClientProfile::JumpCloud
            | ClientProfile::Google
            | ClientProfile::SailPoint
            | ClientProfile::Rippling
            | ClientProfile::Authentik => &[],
        };
        let mut switches = Switches::strict();
        for &switch in COMMON.iter().chain(own) {
            switches.turn(switch, true);
        }
        switches.unknown_member = UnknownMember::Skip;
        switches.group_patch = match self {
            ClientProfile::Entra | ClientProfile::EntraFlag => GroupPatchAnswer::Empty,
            _ => GroupPatchAnswer::Auto,
        };
        if self == ClientProfile::Authentik {
            // Its older versions leave an empty list out.
            switches.missing_members = MissingMembers::Clear;
        }
        switches
    }
}

/// What no client should be refused for.
const COMMON: &[Switch] = &[
    Switch::OpCase,
    // What has one meaning only is taken from everybody.
    Switch::StringBooleans,
    Switch::QuotedBooleanInFilter,
    Switch::BareStringManager,
    Switch::DottedKeys,
    Switch::LegacyUrns,
    Switch::UrnKeys,
    Switch::CoreUrn,
    Switch::CreateOnNoMatch,
    Switch::RemoveByValueArray,
    Switch::IgnoreEqualId,
    Switch::DropReadOnly,
    Switch::UnknownUrn,
    Switch::UnknownAttributes,
    Switch::UncanonicalValues,
    Switch::EmptyStringClears,
    Switch::TrimmedNames,
    Switch::Pathless,
];

/// A profile, switch or value that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SwitchProblem(String);

impl Switches {
    fn strict() -> Self {
        Self {
            on: bit(Switch::UrnKeys) | bit(Switch::Pathless),
            group_patch: GroupPatchAnswer::Full,
            missing_members: MissingMembers::Keep,
            unknown_member: UnknownMember::Reject,
        }
    }

    /// Whether a tolerance is on.
    #[must_use]
    pub fn is_on(&self, switch: Switch) -> bool {
        self.on & bit(switch) != 0
    }

    /// Turns a tolerance on or off.
    pub fn turn(&mut self, switch: Switch, on: bool) {
        match on {
            true => self.on |= bit(switch),
            false => self.on &= !bit(switch),
        }
    }

    /// Sets a switch by name, as configuration does: `true` or `false`, or for
    /// the three with words of their own `auto|200|204`, `keep|clear`,
    /// `skip|reject`.
    ///
    /// # Errors
    /// A sentence naming what is not known.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SwitchProblem> {
        let Some(&switch) = Switch::ALL.iter().find(|s| s.as_str() == name) else {
            return Err(SwitchProblem(format!("there is no switch \"{name}\"")));
        };
        let bad = || SwitchProblem(format!("switch \"{name}\" must be one of: {}", Self::words(switch).join(", ")));
        match switch {
            Switch::GroupPatchStatus => {
                self.group_patch = match value {
                    "auto" => GroupPatchAnswer::Auto,
                    "200" => GroupPatchAnswer::Full,
                    "204" => GroupPatchAnswer::Empty,
                    _ => return Err(bad()),
                };
            }
            Switch::PutMissingMembers => {
                self.missing_members = match value {
                    "keep" => MissingMembers::Keep,
                    "clear" => MissingMembers::Clear,
                    _ => return Err(bad()),
                };
            }
            Switch::UnknownMember => {
                self.unknown_member = match value {
                    "skip" => UnknownMember::Skip,
                    "reject" => UnknownMember::Reject,
                    _ => return Err(bad()),
                };
            }
            _ => self.turn(switch, value.parse().map_err(|_| bad())?),
        }
        Ok(())
    }

    /// The words that [`Switches::set`] takes for a switch.
    #[must_use]
    pub fn words(switch: Switch) -> &'static [&'static str] {
        match switch {
            Switch::GroupPatchStatus => &["auto", "200", "204"],
            Switch::PutMissingMembers => &["keep", "clear"],
            Switch::UnknownMember => &["skip", "reject"],
            _ => &["true", "false"],
        }
    }

    /// The value of a switch, as [`Switches::set`] takes it; for showing.
    #[must_use]
    pub fn value(&self, switch: Switch) -> &'static str {
        match switch {
            Switch::GroupPatchStatus => match self.group_patch {
                GroupPatchAnswer::Auto => "auto",
                GroupPatchAnswer::Full => "200",
                GroupPatchAnswer::Empty => "204",
            },
            Switch::PutMissingMembers => match self.missing_members {
                MissingMembers::Keep => "keep",
                MissingMembers::Clear => "clear",
            },
            Switch::UnknownMember => match self.unknown_member {
                UnknownMember::Skip => "skip",
                UnknownMember::Reject => "reject",
            },
            _ if self.is_on(switch) => "true",
            _ => "false",
        }
    }

    /// What the core is told.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            refuse_unknown: !self.is_on(Switch::UnknownAttributes),
            refuse_uncanonical: !self.is_on(Switch::UncanonicalValues),
            create_on_no_match: self.is_on(Switch::CreateOnNoMatch),
        }
    }
}

fn bit(switch: Switch) -> u32 {
    1 << switch as u32
}

impl Default for Switches {
    fn default() -> Self {
        ClientProfile::default().switches()
    }
}

impl FromStr for ClientProfile {
    type Err = SwitchProblem;

    fn from_str(name: &str) -> Result<Self, SwitchProblem> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(profile, _)| *profile).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            SwitchProblem(format!("there is no profile \"{name}\"; use one of: {}", names.join(", ")))
        })
    }
}

impl fmt::Display for ClientProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
