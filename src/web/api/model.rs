//! Small parts that several answers share.
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::explain::Named;
use crate::domain::directory::{ConnectionKind, ConnectionState, Mode};
use crate::domain::grant::{Reach, Scope};
use crate::domain::id::Id;
use crate::domain::time::Timestamp;

/// A moment, RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-22T01:30:00Z"))]
pub(super) struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let moment = Timestamp::parse_rfc3339(&text).map(Self);
        moment.ok_or_else(|| serde::de::Error::custom("must be a moment such as 2026-11-22T01:30:00Z"))
    }
}

/// A secret on its way in; never on its way out.
#[derive(ToSchema)]
#[schema(value_type = String, format = Password)]
pub(super) struct SecretIn(pub SecretString);

impl<'de> Deserialize<'de> for SecretIn {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        // A wrong type must not repeat the value.
        let text = String::deserialize(input).map_err(|_| serde::de::Error::custom("must be a text"))?;
        Ok(Self(SecretString::from(text)))
    }
}

/// A thing with its name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Ref {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

impl Ref {
    /// A thing with its name.
    pub(super) fn new(id: impl Id, name: impl Into<String>) -> Self {
        Self { id: id.uuid(), name: name.into() }
    }
}

impl<T: Id> From<Named<T>> for Ref {
    fn from(named: Named<T>) -> Self {
        Self { id: named.id.uuid(), name: named.name }
    }
}

/// The part of the tree that something holds over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ScopeView {
    /// `own`, `partner`, `subtree` or `groups`.
    pub reach: &'static str,
    /// The partner it hangs on.
    pub partner: Uuid,
    /// The user groups, when it speaks of user groups.
    pub groups: Vec<Uuid>,
    /// Partners cut out, each with everything below.
    pub without_partners: Vec<Uuid>,
    /// User groups cut out.
    pub without_groups: Vec<Uuid>,
}

impl From<&Scope> for ScopeView {
    fn from(scope: &Scope) -> Self {
        let groups = match &scope.reach {
            Reach::Groups { groups, .. } => groups.iter().map(|id| id.uuid()).collect(),
            _ => Vec::new(),
        };
        Self {
            reach: scope.reach.word(),
            partner: scope.partner().uuid(),
            groups,
            without_partners: scope.without_partners.iter().map(|id| id.uuid()).collect(),
            without_groups: scope.without_groups.iter().map(|id| id.uuid()).collect(),
        }
    }
}

/// Whether an act changed anything; doing it again changes nothing.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Changed {
    /// False when it was so already.
    pub changed: bool,
}

/// Why somebody or something is switched off.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cause {
    /// The cause, for whoever asks later.
    pub cause: String,
}

/// Which door.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindWord {
    /// The provider pushes over SCIM 2.0.
    Scim,
    /// People sign in over OpenID Connect.
    Oidc,
    /// We read over LDAP.
    Ldap,
}

/// Whether a connection is open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateWord {
    /// In use.
    Active,
    /// Set up, answers nothing and reads nothing.
    Paused,
}

/// Whether and how a directory's word counts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModeWord {
    /// Shown, confers nothing.
    Observe,
    /// Only ever adds.
    Additive,
    /// Counts in full.
    Authoritative,
    /// Frozen.
    Paused,
}

macro_rules! words {
    ($($word:ident = $inner:ident { $($variant:ident),* };)*) => {$(
        impl From<$inner> for $word {
            fn from(inner: $inner) -> Self {
                match inner { $($inner::$variant => Self::$variant),* }
            }
        }

        impl From<$word> for $inner {
            fn from(word: $word) -> Self {
                match word { $($word::$variant => Self::$variant),* }
            }
        }
    )*};
}

words! {
    KindWord = ConnectionKind { Scim, Oidc, Ldap };
    StateWord = ConnectionState { Active, Paused };
    ModeWord = Mode { Observe, Additive, Authoritative, Paused };
}
