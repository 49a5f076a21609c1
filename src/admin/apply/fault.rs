//! Why a declaration cannot be applied.
use crate::admin::refused::Refused;
use crate::domain::catalog::CatalogError;
use crate::provision::ProvisionError;
use crate::store::StoreError;

/// Why a declaration cannot be applied. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A name that is neither declared nor stored.
    #[error("{place}: there is no {kind} `{name}`")]
    Unknown {
        /// Where it is named.
        place: String,
        /// What kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A declaration that contradicts itself or the store, or asks for what cannot be done.
    #[error("{place}: {why}")]
    Wrong {
        /// Where.
        place: String,
        /// What is wrong and what to write instead.
        why: String,
    },
    /// A catalog that does not load.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provisioning core.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
}

impl ApplyError {
    pub(super) fn unknown(place: impl Into<String>, kind: &'static str, name: &str) -> Self {
        Self::Unknown { place: place.into(), kind, name: name.to_owned() }
    }

    pub(super) fn wrong(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Wrong { place: place.into(), why: why.into() }
    }

    /// What an administrator would be told.
    pub(super) fn refused(place: &str, refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => error.into(),
            other => Self::wrong(place, other.to_string()),
        }
    }
}
