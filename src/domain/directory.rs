//! Directories, their connections, and users and groups as they say them.
use serde::{Deserialize, Serialize};

use super::grant::Scope;
use super::id::{ConnectionId, DirectoryId, PartnerId, RoleId};
use super::time::Timestamp;

/// One external source of a partner: a bounded delegate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Directory {
    /// Its identity.
    pub id: DirectoryId,
    /// The partner it serves; its users are at home here.
    pub partner: PartnerId,
    /// The name, unique in the partner.
    pub name: String,
    /// Whether and how its word counts.
    pub mode: DirectoryMode,
    /// The rule set in force.
    pub rule_set_version: i64,
    /// Lower wins where two directories place one user or name one attribute.
    pub priority: i64,
    /// Raised at every change.
    pub version: i64,
}

/// Whether and how a directory's word counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryMode {
    /// Left out of the view: shown, confers nothing.
    Observe,
    /// Only ever adds.
    Additive,
    /// Its word counts in full.
    Authoritative,
    /// Frozen: what it conferred stays, nothing it says is taken.
    Paused,
}

impl DirectoryMode {
    const ALL: [Self; 4] = [Self::Observe, Self::Additive, Self::Authoritative, Self::Paused];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Additive => "additive",
            Self::Authoritative => "authoritative",
            Self::Paused => "paused",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// The most a directory may confer: one role over one scope. A directory has any number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CeilingEntry {
    /// The role, or a role below it.
    pub role: RoleId,
    /// Over what.
    pub scope: Scope,
}

/// One connection of a directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Connection {
    /// Its identity.
    pub id: ConnectionId,
    /// The directory it belongs to.
    pub directory: DirectoryId,
    /// Which connection.
    pub kind: ConnectionKind,
    /// Its name in addresses: `[a-z0-9-]`, immutable, unique in the installation.
    pub slug: String,
    /// The client profile (SCIM) or product (LDAP, OIDC).
    pub profile: String,
    /// Whether it is open.
    pub state: ConnectionState,
    /// Settings of its kind, as JSON without secrets.
    pub settings: serde_json::Value,
    /// Raised at every change.
    pub version: i64,
    /// When it came to be.
    pub created_at: Timestamp,
}

impl Connection {
    /// The settings that decide to whom the connection's secret is shown, as whom, and how the line is protected, as
    /// one text. A stored secret counts for the destination that it was given for, and for no other: who changes one of
    /// these settings has to give the secret again. Otherwise everybody who may edit a connection could have its secret
    /// sent to a server of their own.
    pub fn destination(&self) -> String {
        self.kind.destination(&self.settings)
    }
}

/// The three connections.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// The provider pushes over SCIM 2.0.
    Scim,
    /// Users sign in over OpenID Connect.
    Oidc,
    /// We read over LDAP.
    Ldap,
}

impl ConnectionKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Oidc => "oidc",
            Self::Ldap => "ldap",
        }
    }

    /// [`Connection::destination`] of a connection of this kind with these settings.
    pub fn destination(self, config: &serde_json::Value) -> String {
        let settings = self.destination_settings().iter().map(|name| (*name, config.get(*name)));
        let parts: Vec<_> = settings.filter(|(_, value)| value.is_some_and(|value| !value.is_null())).collect();
        serde_json::json!([self.as_str(), parts]).to_string()
    }

    /// The names of the settings that make up [`Connection::destination`].
    pub fn destination_settings(self) -> &'static [&'static str] {
        match self {
            // A provider shows its secret to us; we show it none.
            Self::Scim => &[],
            Self::Oidc => &["issuer", "client_id", "token_endpoint_auth_method"],
            Self::Ldap => &["urls", "security", "ca", "bind_dn"],
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Scim, Self::Oidc, Self::Ldap].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Whether a connection is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// In use.
    Active,
    /// Set up, answers nothing and reads nothing.
    Paused,
}

impl ConnectionState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Paused].into_iter().find(|state| state.as_str() == word)
    }
}
