//! Why a declaration cannot be applied.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::admin::error::AdminError;
use crate::domain::catalog::CatalogError;
use crate::provision::ProvisionError;
use crate::store::StoreError;

/// Why a declaration cannot be applied. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It names what is not there, contradicts itself or the store, or asks for what cannot be done: everything that is
    /// wrong with it.
    #[error("{0}")]
    Refused(Faults),
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

/// Something that is wrong in a declaration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeclarationError {
    /// Which part of the declaration, as `directory/2/rule/0/when`; see [`crate::admin::file::SourcePositions`].
    pub at: String,
    /// The same in words.
    pub place: String,
    /// What is wrong and what to write instead.
    pub why: String,
}

/// Everything that is wrong in a declaration.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Faults(pub Vec<DeclarationError>);

impl fmt::Display for DeclarationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl ApplyError {
    /// What is wrong at a place outside the declaration's lists.
    pub(in crate::admin) fn wrong(place: &str, why: impl Into<String>) -> Self {
        Spot::new(place, place).wrong(why)
    }

    /// A name there that means nothing.
    pub(in crate::admin) fn unknown(place: &str, kind: &str, name: &str) -> Self {
        Spot::new(place, place).unknown(kind, name)
    }

    /// A name that means nothing only because what it names is wrong itself, which is told there.
    pub(super) fn follows() -> Self {
        Self::Refused(Faults::default())
    }
}

/// Where something is declared: in words, and in the file.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    words: String,
    at: String,
}

impl Spot {
    pub(super) fn new(words: impl Into<String>, at: impl Into<String>) -> Self {
        Self { words: words.into(), at: at.into() }
    }

    /// The place in the file.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// One value of what is declared here.
    pub(super) fn part(&self, name: impl fmt::Display) -> Self {
        Self { words: self.words.clone(), at: format!("{}/{name}", self.at) }
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> ApplyError {
        let fault = DeclarationError { at: self.at.clone(), place: self.words.clone(), why: why.into() };
        ApplyError::Refused(Faults(vec![fault]))
    }

    pub(super) fn unknown(&self, kind: &str, name: &str) -> ApplyError {
        self.wrong(format!("there is no {kind} `{name}`"))
    }

    /// What an administrator would be told.
    pub(super) fn refused(&self, refused: AdminError) -> ApplyError {
        match refused {
            AdminError::Store(error) => error.into(),
            other => self.wrong(other.to_string()),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
