//! The settings of an LDAP connection: how a directory server is reached and read.
pub mod bounds;
pub mod dn;
pub mod profile;
mod validate;

use std::collections::BTreeMap;
use std::time::Duration;

use ldap3::Scope;
use serde::{Deserialize, Serialize};

use self::profile::LdapProfile;
use self::validate::{faults, is_attribute};

/// The configuration of an LDAP connection, without its password. What is left out comes from the preset.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdapSettings {
    /// `ldap://host:port` or `ldaps://host:port`; several are tried in order and must hold the same data.
    pub urls: Vec<String>,
    /// How the line is protected; by default TLS, from the first byte at `ldaps://` and on request at `ldap://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<TlsMode>,
    /// Certificates of the authority that signed the server's, as PEM. The machine's own list when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The name to bind with; anonymous when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_dn: Option<String>,
    /// Where users are.
    pub users: Branch,
    /// Where groups are; none are read when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Branch>,
    /// The attribute that lists a group's members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The attribute that never changes and is never reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For each of our attributes, the directory's, the first with a value wins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<MappedAttribute, Vec<String>>,
    /// When a user is switched off: any of these. An empty list never switches anyone off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Vec<DisabledWhen>>,
    /// Entries a page, 10 to 10,000.
    #[serde(default = "page_size")]
    pub page_size: u32,
    /// Seconds.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When removals wait for approval.
    #[serde(default)]
    pub safeguard: SafeguardLimits,
    /// What a reference to another server means.
    #[serde(default)]
    pub references: ReferralPolicy,
    /// Minutes between runs; only by hand when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_minutes: Option<u32>,
}

/// A part of the tree and which of its entries count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Distinguished names to search from.
    pub bases: Vec<String>,
    /// `sub` (the default) or `one` level.
    #[serde(default)]
    pub scope: SearchScope,
    /// A search filter (RFC 4515); the preset's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// How deep a search goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchScope {
    /// Only directly below the base.
    One,
    /// Everything below the base.
    #[default]
    Sub,
}

impl From<SearchScope> for Scope {
    fn from(depth: SearchScope) -> Self {
        match depth {
            SearchScope::One => Self::OneLevel,
            SearchScope::Sub => Self::Subtree,
        }
    }
}

/// How the line is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Not at all: the password travels in clear.
    None,
    /// TLS after a request on the plain port.
    StartTls,
    /// TLS from the first byte.
    Ldaps,
}

impl TlsMode {
    pub(crate) fn says(self) -> &'static str {
        match self {
            Self::None => ", and the line is not protected",
            Self::StartTls => " with TLS on request",
            Self::Ldaps => " with TLS",
        }
    }
}

/// Our attributes that a directory can fill.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of RFC 7643")]
pub enum MappedAttribute {
    UserName,
    GivenName,
    FamilyName,
    FormattedName,
    DisplayName,
    Email,
    Title,
    Phone,
    PreferredLanguage,
    EmployeeNumber,
    Department,
    Division,
    Organization,
    CostCenter,
    GroupName,
}

/// A sign in an entry that its user is switched off.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DisabledWhen {
    /// The attribute to look at.
    pub attribute: String,
    /// What about it.
    #[serde(flatten)]
    pub test: Test,
}

/// A test of an attribute's first value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Equals this text, without case.
    Equals(String),
    /// Is a number with one of these bits set.
    Bits(i64),
    /// Has any value.
    Present(bool),
}

/// Time limits, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect and agree on TLS, for each address.
    pub connect: u32,
    /// For each answer of the server.
    pub answer: u32,
    /// For the whole read.
    pub read: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: 10, answer: 60, read: 3_600 }
    }
}

impl Timeouts {
    pub(crate) fn connect(self) -> Duration {
        Duration::from_secs(self.connect.into())
    }

    pub(crate) fn answer(self) -> Duration {
        Duration::from_secs(self.answer.into())
    }

    pub(crate) fn read(self) -> Duration {
        Duration::from_secs(self.read.into())
    }
}

/// When removals by absence wait for approval: at least so many and more than so many per cent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SafeguardLimits {
    /// Fewer than this never wait for their number.
    pub at_least: u32,
    /// Per cent of the directory's users.
    pub users_percent: u32,
    /// Per cent of the members of a group that a rule names.
    pub members_percent: u32,
}

impl Default for SafeguardLimits {
    fn default() -> Self {
        Self { at_least: 2, users_percent: 5, members_percent: 20 }
    }
}

/// What a reference to another server means for the proof that everything was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralPolicy {
    /// Users may be behind it: nothing counts as removed.
    #[default]
    MayHideUsers,
    /// Nobody of this directory is behind it.
    HideNobody,
}

fn page_size() -> u32 {
    1_000
}

/// A configuration checked and completed from its preset: what the client and the reader work with.
#[derive(Clone, PartialEq, Debug)]
pub struct ResolvedLdapSettings {
    /// The checked configuration; what it leaves out stands below.
    pub config: LdapSettings,
    /// How the line is protected.
    pub security: TlsMode,
    /// The users' search filter.
    pub user_filter: String,
    /// The groups' search filter.
    pub group_filter: String,
    /// The attribute that lists a group's members.
    pub member: String,
    /// The attribute of the stable id.
    pub id: String,
    /// For each of our attributes, the directory's.
    pub attributes: BTreeMap<MappedAttribute, Vec<String>>,
    /// When a user is switched off.
    pub disabled: Vec<DisabledWhen>,
    /// Attributes that this product shows of every user, so that an entry without them could not be read.
    pub always: &'static [&'static str],
}

/// What is wrong with a configuration, a sentence each.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.join(" "))]
pub struct SettingsErrors(pub Vec<String>);

impl ResolvedLdapSettings {
    /// Checks a connection's stored profile and configuration.
    pub fn from_json(profile: &str, config: &serde_json::Value) -> Result<Self, SettingsErrors> {
        let preset = LdapProfile::parse(profile).ok_or_else(|| {
            let known = LdapProfile::ALL.map(LdapProfile::name).join(", ");
            SettingsErrors(vec![format!("\"{profile}\" is not a directory product; known are {known}.")])
        })?;
        let config = LdapSettings::deserialize(config)
            .map_err(|error| SettingsErrors(vec![format!("The LDAP settings cannot be read: {error}.")]))?;
        Self::new(preset, config)
    }

    /// Checks a configuration and completes it; every fault is named, not only the first.
    pub fn new(preset: LdapProfile, config: LdapSettings) -> Result<Self, SettingsErrors> {
        let tls = config.urls.first().is_some_and(|url| url.starts_with("ldaps:"));
        let by_default = if tls { TlsMode::Ldaps } else { TlsMode::StartTls };
        let mut attributes = preset.attributes();
        attributes.extend(config.attributes.iter().map(|(field, names)| (*field, names.clone())));
        let filter = |branch: Option<&Branch>, preset: &str| {
            branch.and_then(|branch| branch.filter.clone()).unwrap_or_else(|| preset.to_owned())
        };
        let settings = Self {
            user_filter: filter(Some(&config.users), preset.user_filter()),
            group_filter: filter(config.groups.as_ref(), preset.group_filter()),
            member: config.member.clone().unwrap_or_else(|| preset.member().to_owned()),
            id: config.id.clone().unwrap_or_else(|| preset.id().to_owned()),
            disabled: config.disabled.clone().unwrap_or_else(|| preset.disabled()),
            security: config.security.unwrap_or(by_default),
            always: preset.always(),
            attributes,
            config,
        };
        let faults = faults(&settings);
        if faults.is_empty() { Ok(settings) } else { Err(SettingsErrors(faults)) }
    }

    /// The directory's names for one of our attributes, best first.
    pub fn names(&self, field: MappedAttribute) -> &[String] {
        self.attributes.get(&field).map_or(&[], Vec::as_slice)
    }

    /// Whether members are named by login (`memberUid`) and not by distinguished name.
    pub fn members_by_login(&self) -> bool {
        self.member.eq_ignore_ascii_case("memberUid")
    }

    /// What to ask for of users: named attributes only, each once.
    pub fn user_attributes(&self, join: Option<&str>) -> Vec<String> {
        let mapped = self
            .attributes
            .iter()
            .filter(|(field, _)| **field != MappedAttribute::GroupName)
            .flat_map(|(_, names)| names);
        let signs = self.disabled.iter().map(|sign| &sign.attribute);
        let mut names: Vec<String> = mapped.chain(signs).chain([&self.id]).cloned().collect();
        names.extend(join.filter(|name| is_attribute(name)).map(str::to_owned));
        distinct(names)
    }

    /// What to ask for of groups.
    pub fn group_attributes(&self) -> Vec<String> {
        let mut names = self.names(MappedAttribute::GroupName).to_vec();
        names.extend([self.id.clone(), self.member.clone()]);
        distinct(names)
    }
}

fn distinct(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.to_ascii_lowercase()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base() -> serde_json::Value {
        json!({
            "urls": ["ldap://directory.example:389"],
            "security": "starttls",
            "bind_dn": "cn=reader,dc=example",
            "users": {"bases": ["ou=people,dc=example"]},
            "groups": {"bases": ["ou=groups,dc=example"]},
        })
    }

    #[test]
    fn the_preset_fills_what_is_left_out() {
        let settings = ResolvedLdapSettings::from_json("openldap", &base()).unwrap();
        assert_eq!(settings.id, "entryUUID");
        assert_eq!(settings.member, "member");
        assert_eq!(settings.user_filter, "(objectClass=inetOrgPerson)");
        let asked = settings.user_attributes(Some("MAIL"));
        assert!(asked.iter().any(|name| name == "entryUUID"), "{asked:?}");
        assert_eq!(asked.iter().filter(|name| name.eq_ignore_ascii_case("mail")).count(), 1, "{asked:?}");
    }

    #[test]
    fn own_choices_beat_the_preset() {
        let mut config = base();
        config["attributes"] = json!({"user_name": ["employeeNumber"]});
        config["disabled"] = json!([{"attribute": "status", "equals": "left"}]);
        let settings = ResolvedLdapSettings::from_json("active_directory", &config).unwrap();
        assert_eq!(settings.names(MappedAttribute::UserName), ["employeeNumber"]);
        assert_eq!(settings.id, "objectGUID");
        assert_eq!(settings.disabled, [DisabledWhen { attribute: "status".into(), test: Test::Equals("left".into()) }]);
    }

    #[test]
    fn each_fault_has_its_sentence() {
        for (pointer, value, part) in [
            ("/urls", json!([]), "No server address"),
            ("/urls", json!(["ldaps://h"]), "must begin with ldap://"),
            ("/urls", json!(["h:389"]), "must begin with ldap://"),
            ("/urls", json!(["ldap://"]), "names no host"),
            ("/urls", json!(["ldap://h/dc=example"]), "must be only"),
            ("/bind_dn", json!("reader"), "bind name \"reader\""),
            ("/users/bases", json!([]), "No base for users"),
            ("/users/bases", json!(["dc=x", "ou=a,dc=x"]), "lies in another"),
            ("/users/filter", json!("(uid=*"), "not a search filter"),
            ("/page_size", json!(5), "page size is 5"),
            ("/timeouts", json!({"answer": 0}), "Time limits"),
            ("/safeguard", json!({"users_percent": 90}), "safeguard"),
            ("/every_minutes", json!(1), "apart"),
            ("/member", json!("member;range=0-1"), "not an attribute name"),
            ("/pagesize", json!(5), "cannot be read"),
        ] {
            let mut config = base();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[key] = value.clone();
            let Err(wrong) = ResolvedLdapSettings::from_json("openldap", &config) else {
                panic!("{pointer} {value} passed")
            };
            assert!(wrong.to_string().contains(part), "{pointer} {value}: {wrong}");
        }
    }

    #[test]
    fn the_address_decides_over_tls_unless_said_otherwise() {
        let security = |url: &str, said: Option<&str>| {
            let mut config = base();
            config["urls"] = json!([url]);
            config["security"] = json!(said);
            ResolvedLdapSettings::from_json("openldap", &config).unwrap().security
        };
        assert_eq!(security("ldaps://h", None), TlsMode::Ldaps);
        assert_eq!(security("ldap://h", None), TlsMode::StartTls);
        assert_eq!(security("ldap://h", Some("none")), TlsMode::None);
        assert!(ResolvedLdapSettings::from_json("openldop", &base()).unwrap_err().to_string().contains("openldap"));
    }

    #[test]
    fn a_configuration_survives_being_stored() {
        let settings = ResolvedLdapSettings::from_json("openldap", &base()).unwrap();
        let stored = serde_json::to_value(&settings.config).unwrap();
        assert_eq!(ResolvedLdapSettings::from_json("openldap", &stored).unwrap(), settings);
    }
}
