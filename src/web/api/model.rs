//! Small parts that several answers share.
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::explain::NamedRef;
use crate::admin::suspensions::{Lifted, SuspensionOrder};
use crate::domain::directory::{ConnectionKind, ConnectionState, DirectoryMode};
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{Id, PartnerId};
use crate::domain::time::Timestamp;
use crate::domain::user::HoldKind;
use crate::store::visible_reasons::VisibleSuspension;

/// A moment, RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-22T01:30:00Z"))]
pub(super) struct ApiTimestamp(pub Timestamp);

impl Serialize for ApiTimestamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ApiTimestamp {
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

impl<T: Id> From<NamedRef<T>> for Ref {
    fn from(named: NamedRef<T>) -> Self {
        Self { id: named.id.uuid(), name: named.name }
    }
}

/// The part of the tree that something holds over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ScopeView {
    /// `self`, `partner`, `subtree` or `user_groups`.
    pub kind: &'static str,
    /// The partner it hangs on.
    pub partner: Uuid,
    /// The user groups, when it speaks of user groups.
    pub user_groups: Vec<Uuid>,
    /// Partners cut out, each with everything below.
    pub excluded_partners: Vec<Uuid>,
    /// User groups cut out.
    pub excluded_user_groups: Vec<Uuid>,
}

impl From<&Scope> for ScopeView {
    fn from(scope: &Scope) -> Self {
        let groups = match &scope.base {
            ScopeBase::UserGroups { user_groups: groups, .. } => groups.iter().map(|id| id.uuid()).collect(),
            _ => Vec::new(),
        };
        Self {
            kind: scope.base.kind().as_str(),
            partner: scope.partner().uuid(),
            user_groups: groups,
            excluded_partners: scope.excluded_partners.iter().map(|id| id.uuid()).collect(),
            excluded_user_groups: scope.excluded_user_groups.iter().map(|id| id.uuid()).collect(),
        }
    }
}

/// Whether an act changed anything; doing it again changes nothing.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct ChangeResult {
    /// False when it was so already.
    pub changed: bool,
}

/// Why somebody or something is switched off, and in whose name.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuspensionBody {
    /// The cause, for those who may see the partner in whose name it is; at most 200 characters.
    pub reason: String,
    /// For what; left out: for any reason of those who run the partner or one above.
    #[serde(default)]
    pub kind: SuspensionKindView,
    /// What those below are told; left out: nothing. At most 200 characters.
    pub notice: Option<String>,
    /// The partner in whose name, so that whoever may do the same there may lift it; left out: as high as the caller stands.
    #[schema(value_type = Option<Uuid>)]
    pub standing: Option<PartnerId>,
    /// Of the kind `end`, and of no other: the moment from which they are off. Sent again, it moves that.
    pub effective_at: Option<ApiTimestamp>,
}

impl SuspensionBody {
    /// The same as an order.
    pub(super) fn order(&self) -> SuspensionOrder<'_> {
        SuspensionOrder {
            kind: self.kind.into(),
            cause: &self.reason,
            notice: self.notice.as_deref(),
            standing: self.standing,
            at: self.effective_at.map(|at| at.0),
        }
    }
}

/// Which of what keeps something off is to be lifted.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only what is of this kind; left out: whatever the caller may lift.
    pub kind: Option<SuspensionKindView>,
}

/// What came of lifting.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct LiftedView {
    /// False when nothing was there to lift.
    pub changed: bool,
    /// How many suspensions are left; while there is one, it stays off.
    pub remaining: usize,
}

impl From<Lifted> for LiftedView {
    fn from(Lifted { changed, still }: Lifted) -> Self {
        Self { changed, remaining: still }
    }
}

/// For what something is switched off.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SuspensionKindView {
    /// Any reason of those who run the partner or one above.
    #[default]
    Partner,
    /// A bill: in the name of a partner above; needs `core.billing.hold`.
    Billing,
    /// Safety: in the name of a partner above, sessions end for good; needs `core.security.hold`.
    Security,
    /// Somebody leaves at the moment `effective_at`; of users only.
    End,
}

/// A suspension, as the caller may know of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suspension)]
pub(super) struct SuspensionView {
    /// `partner`, `billing`, `security`, `end`, or `directory`.
    kind: &'static str,
    /// The partner in whose name it was decided; null when the caller may not see it, and for a directory.
    standing: Option<Ref>,
    /// The connection that says so.
    connection: Option<Uuid>,
    /// By whom, in words.
    by: String,
    /// Why; of a partner that the caller may not see: what those below are told, or null.
    reason: Option<String>,
    /// When it was decided.
    suspended_at: ApiTimestamp,
    /// From when on it holds: of the kind `end`, which may lie ahead; null: since it was decided.
    effective_at: Option<ApiTimestamp>,
}

impl From<VisibleSuspension> for SuspensionView {
    fn from(told: VisibleSuspension) -> Self {
        Self {
            kind: told.kind,
            standing: told.standing.map(Ref::from),
            connection: told.connection.map(Id::uuid),
            by: told.words,
            reason: told.cause,
            suspended_at: ApiTimestamp(told.since),
            effective_at: told.from.map(ApiTimestamp),
        }
    }
}

/// Which connection.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConnectionKindView {
    /// The provider pushes over SCIM 2.0.
    Scim,
    /// Users sign in over OpenID Connect.
    Oidc,
    /// We read over LDAP.
    Ldap,
}

/// Whether a connection is open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConnectionStateView {
    /// In use.
    Active,
    /// Set up, answers nothing and reads nothing.
    Paused,
}

/// Whether and how a directory's word counts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DirectoryModeView {
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
    ConnectionKindView = ConnectionKind { Scim, Oidc, Ldap };
    ConnectionStateView = ConnectionState { Active, Paused };
    SuspensionKindView = HoldKind { Partner, Billing, Security, End };
    DirectoryModeView = DirectoryMode { Observe, Additive, Authoritative, Paused };
}
