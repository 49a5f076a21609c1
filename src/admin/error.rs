//! Why an act of an administrator was not carried out.
use crate::store::{StoreError, constraint, effective};

/// Why not. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such thing, or the actor may not know of it.
    #[error("There is no such thing.")]
    NotFound,
    /// The actor may not do this; why, in a sentence.
    #[error("{0}")]
    Forbidden(String),
    /// What was asked will not do; what to do instead, in a sentence.
    #[error("{0}")]
    Invalid(String),
    /// Another has it already, or the state of things is in the way; what to do, in a sentence.
    #[error("{0}")]
    Conflict(String),
    /// It is not any more what the actor read.
    #[error("It has changed since you read it. Read it again.")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Unique(constraint::DIRECTORY_NAME) => {
                Self::Conflict("This partner has a directory of that name already. Choose another.".to_owned())
            }
            StoreError::Unique(constraint::CONNECTION_SLUG) => {
                Self::Conflict("That name in addresses is taken. Choose another.".to_owned())
            }
            StoreError::Unique(constraint::PARTNER_EXTERNAL_ID) => {
                Self::Conflict("A partner directly below this parent has this external id.".to_owned())
            }
            error => Self::Store(error),
        }
    }
}

impl From<effective::AuthzError> for AdminError {
    fn from(refusal: effective::AuthzError) -> Self {
        match refusal {
            effective::AuthzError::Hidden => Self::NotFound,
            effective::AuthzError::Forbidden(told) => Self::Forbidden(told.sentence),
            effective::AuthzError::Store(error) => error.into(),
        }
    }
}
