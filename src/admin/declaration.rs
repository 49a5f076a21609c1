//! The form of `rolecall apply FILE.toml` and of `rolecall export`: an installation declared in one file.
//!
//! Everything is named by keys users can read: partners by `key` (their external id), user groups, roles and
//! directories by name inside their partner, connections by `slug`. Secrets never stand in the file; a
//! [`SecretRef`] says where to find them.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::{self, Slips};

/// A whole declaration. What it does not mention is left alone.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// The catalog to set up with; only read on an empty store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// Partners, parents before children.
    #[serde(default, rename = "partner", skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerDecl>,
    /// User groups.
    #[serde(default, rename = "user_group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupDecl>,
    /// Roles beside those of the catalog.
    #[serde(default, rename = "role", skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleDecl>,
    /// Users who come from no directory.
    #[serde(default, rename = "user", skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserDecl>,
    /// Manual grants.
    #[serde(default, rename = "grant", skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantDecl>,
    /// Directories with their ceilings, connections and mapping rules.
    #[serde(default, rename = "directory", skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DirectoryDecl>,
}

/// A partner.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerDecl {
    /// Its external id; how the rest of the file names it.
    pub key: String,
    /// The name users see.
    pub name: String,
    /// The key of the partner above; the root has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The level of the catalog.
    pub level: String,
    /// A department of the partner above instead of a company of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub department: bool,
}

/// A user group.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDecl {
    /// The key of the partner.
    pub partner: String,
    /// The name.
    pub name: String,
    /// Every user is in exactly one primary group of the partner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub primary: bool,
}

/// A role.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleDecl {
    /// The key of the partner that owns it.
    pub partner: String,
    /// The name.
    pub name: String,
    /// The name of the role it never exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Capability names.
    pub capabilities: Vec<String>,
}

/// A user.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDecl {
    /// The key of the home partner.
    pub partner: String,
    /// The name to sign in with; how the rest of the file names the user.
    pub login_name: String,
    /// The name users see.
    pub display_name: String,
    /// Mail address; left as it is when not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A manual grant, known again by holder, role and scope. With another scope it takes the place of the one grant of that
/// role and holder that is stored and not declared, when there is exactly one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDecl {
    /// The name of the role.
    pub role: String,
    /// The key of the holder's partner.
    pub partner: String,
    /// The login name of the user who holds it; or `group`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name of the user group that holds it; or `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_group: Option<String>,
    /// Over what.
    pub scope: ScopeDecl,
    /// Why; left as it is when not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A scope: exactly one of `subtree`, `partner`, `user_groups`, `own`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeDecl {
    /// The key of a partner: it and everything below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtree: Option<String>,
    /// The key of a partner: it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// The key of the partner whose groups are named in `user_groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_groups_of: Option<String>,
    /// Names of user groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_groups: Vec<String>,
    /// The key of the holder's home partner: only the holder's own things.
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// Keys of partners cut out, each with everything below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// User groups cut out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_user_groups: Vec<GroupRef>,
}

/// A user group somewhere in the tree.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRef {
    /// The key of its partner.
    pub partner: String,
    /// Its name.
    pub user_group: String,
}

/// A directory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryDecl {
    /// The key of the partner it serves.
    pub partner: String,
    /// The name.
    pub name: String,
    /// `observe`, `additive`, `authoritative` (default) or `paused`.
    #[serde(default = "authoritative")]
    pub mode: String,
    /// Lower wins where two directories speak of one user.
    #[serde(default)]
    pub priority: i64,
    /// What it may confer at most: all of it, so a row that is left out goes.
    #[serde(default, rename = "ceiling", skip_serializing_if = "Vec::is_empty")]
    pub ceilings: Vec<CeilingDecl>,
    /// Its connections.
    #[serde(default, rename = "connection", skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ConnectionDecl>,
    /// Its mapping rules, in order: all of them, so a rule that is left out goes.
    #[serde(default, rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleDecl>,
}

fn authoritative() -> String {
    "authoritative".to_owned()
}

/// One row of a ceiling.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeilingDecl {
    /// The name of the role; roles below it count as covered.
    pub role: String,
    /// Over what.
    pub scope: ScopeDecl,
}

/// A connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionDecl {
    /// `scim`, `oidc` or `ldap`.
    pub kind: String,
    /// Its name in addresses: `[a-z0-9-]`.
    pub slug: String,
    /// The client profile or product.
    #[serde(default = "generic")]
    pub profile: String,
    /// The attribute or claim that names the same user at every connection of the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching_attribute: Option<String>,
    /// Set up, but closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Settings of its kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, toml::Value>,
    /// The bind password or client secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// A SCIM bearer token to accept; others are made in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
}

fn generic() -> String {
    "generic".to_owned()
}

/// Where to find a secret: exactly one of the two.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum SecretRef {
    /// The name of an environment variable.
    Env(String),
    /// The path of a file; its last line break is not part of the secret.
    File(PathBuf),
}

/// A mapping rule.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDecl {
    /// The name users see.
    pub name: String,
    /// Whom it matches: a SCIM filter, in which `memberOf eq "NAME"` asks for an external group.
    pub when: String,
    /// Makes this the user's primary group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_group: Option<String>,
    /// Adds the user to this additional group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_to_group: Option<String>,
    /// Gives this role over `scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_role: Option<String>,
    /// Over what the role is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeDecl>,
}

/// The longest declaration, in bytes.
pub const MOST_BYTES: usize = 32 * 1024 * 1024;

impl Declaration {
    /// Reads a declaration.
    ///
    /// # Errors
    /// Everything that is wrong with its form, each with its line.
    pub fn parse(text: &str) -> Result<Self, Slips> {
        file::read(text)
    }

    /// Adds what another one says.
    pub fn append(&mut self, more: Self) {
        let Self { catalog, partners, groups, roles, users, grants, directories } = more;
        self.catalog = self.catalog.take().or(catalog);
        self.partners.extend(partners);
        self.groups.extend(groups);
        self.roles.extend(roles);
        self.users.extend(users);
        self.grants.extend(grants);
        self.directories.extend(directories);
    }
}
