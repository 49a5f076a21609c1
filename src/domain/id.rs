//! Identifiers. Each kind is its own type, so an id of one kind never fits another.
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// What every identifier type can do; lets `Ctx::id` make any kind.
pub trait Id: Copy {
    /// Wraps a raw UUID.
    fn from_uuid(raw: Uuid) -> Self;
    /// The raw UUID.
    fn uuid(self) -> Uuid;
}

/// The id that `text` is, when it is written as we write it: lower case, with hyphens. To a client an id is a text, and
/// compared with regard to case (RFC 7643 §3.1): any other spelling names nothing.
#[must_use]
pub fn exact(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(id)
}

/// A text that is no id as we write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no id: an id is written in lower case, with hyphens")]
pub struct NoId;

/// Reads an id from a document, in the one spelling that it has.
///
/// # Errors
/// When it is no text, or written otherwise.
pub fn exact_in<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
    exact(&Cow::<str>::deserialize(from)?).ok_or_else(|| D::Error::custom(NoId))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl Id for $name {
            fn from_uuid(raw: Uuid) -> Self {
                Self(raw)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NoId;
            fn from_str(text: &str) -> Result<Self, NoId> {
                exact(text).map(Self).ok_or(NoId)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                exact_in(from).map(Self)
            }
        }
    )*};
}

ids! {
    /// A node of the partner tree.
    PartnerId;
    /// A user, at home in one partner.
    UserId;
    /// A named set of a partner's users.
    UserGroupId;
    /// A named set of capabilities.
    RoleId;
    /// A manual grant of a role to a holder over a scope.
    GrantId;
    /// A stored scope: part of the partner tree a grant, rule or ceiling speaks of.
    ScopeId;
    /// One external source of a partner.
    DirectoryId;
    /// One connection of a directory: SCIM, OIDC or LDAP.
    ConnectionId;
    /// A user as a directory says it; the `id` of a SCIM User.
    ExternalUserId;
    /// A group as a directory says it; the `id` of a SCIM Group.
    ExternalGroupId;
    /// The users of a directory for whom one attribute condition holds.
    ConditionId;
    /// One mapping rule.
    RuleId;
    /// A bearer token of a connection or of the API.
    TokenId;
    /// A console session.
    SessionId;
    /// One line of the event log.
    EventId;
    /// One attempt to sign in at a provider.
    AttemptId;
    /// An OAuth 2.0 client of a SCIM connection; its client id.
    OauthClientId;
    /// One run of an LDAP synchronisation.
    RunId;
    /// One removal alert: much taken away by one connection in a short time.
    RemovalAlertId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let text = "019700ab-0000-7000-8000-00000000000f";
        assert_eq!(exact(text).unwrap().to_string(), text);
        let read: UserId = serde_json::from_value(text.into()).unwrap();
        assert_eq!((read, serde_json::to_value(read).unwrap()), (text.parse().unwrap(), text.into()));
        let (upper, simple) = (text.to_uppercase(), text.replace('-', ""));
        for other in [&upper, &simple, &format!("{{{text}}}"), &format!("urn:uuid:{text}"), &format!(" {text}"), ""] {
            assert_eq!(exact(other), None, "{other}");
            assert_eq!(other.parse::<UserId>(), Err(NoId), "{other}");
            assert!(serde_json::from_value::<UserId>(other.into()).is_err(), "{other}");
        }
    }
}
