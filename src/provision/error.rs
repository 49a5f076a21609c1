//! Why the room refused something.
use crate::scim::error::ScimError;
use crate::store::{StoreError, constraint};

/// Why a use case did nothing.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The connection has no such resource.
    #[error("there is no such resource")]
    NotFound,
    /// Another resource of the connection has this value.
    #[error("another resource has this {attribute}")]
    Uniqueness {
        /// The attribute, in the words of SCIM.
        attribute: &'static str,
    },
    /// The resource is not in the version the caller named.
    #[error("the resource has changed since it was read")]
    PreconditionFailed,
    /// Ids were named as members that the connection does not know.
    #[error("unknown members: {}", ids.join(", "))]
    UnknownMembers {
        /// The ids, as named; the first few.
        ids: Vec<String>,
    },
    /// The request does not fit the resource.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// A resource that this act rests on was deleted at the same moment. The use cases try again by themselves; in a
    /// batch the caller does.
    #[error("a resource was deleted at the same moment; try again")]
    Raced,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ProvisionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unique(constraint::EXTERNAL_USER_NAME) => Self::Uniqueness { attribute: "userName" },
            StoreError::Unique(constraint::EXTERNAL_USER_STABLE_ID | constraint::EXTERNAL_GROUP_STABLE_ID) => {
                Self::Uniqueness { attribute: "id" }
            }
            StoreError::Unique(constraint::EXTERNAL_GROUP_EXTERNAL_ID) => Self::Uniqueness { attribute: "externalId" },
            StoreError::ForeignKey | StoreError::Unique(constraint::USER_LOGIN_NAME | constraint::MATCH_KEY) => {
                Self::Raced
            }
            error => Self::Store(error),
        }
    }
}

impl From<ProvisionError> for ScimError {
    /// The refusal in the words of SCIM. Failures of the store have none: the connection answers those itself.
    fn from(error: ProvisionError) -> Self {
        use crate::scim::error::ScimType;
        match error {
            ProvisionError::NotFound => Self::not_found(),
            ProvisionError::PreconditionFailed => Self::precondition(),
            ProvisionError::Scim(error) => error,
            ProvisionError::Uniqueness { attribute } => {
                Self::new(ScimType::Uniqueness, format!("Another resource has this {attribute}."))
            }
            ProvisionError::UnknownMembers { ids } => {
                let text = format!("These members do not exist: {}. Nothing was changed.", ids.join(", "));
                Self::new(ScimType::InvalidValue, text)
            }
            ProvisionError::Raced => Self::plain(409, "Another request changed the same resource; try again."),
            ProvisionError::Store(_) => {
                Self::plain(503, "The server cannot store this at the moment; try again.").wait(5)
            }
        }
    }
}
