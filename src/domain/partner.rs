//! The partner tree.
use serde::{Deserialize, Serialize};

use super::id::PartnerId;
use super::time::Timestamp;

/// A node of the tree: a company or a department, owner of everything under it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Partner {
    /// Its identity; never changes.
    pub id: PartnerId,
    /// The partner above; only the root has none.
    pub parent: Option<PartnerId>,
    /// The platform's own key for it, unique in the installation.
    pub external_id: Option<String>,
    /// The name users see.
    pub name: String,
    /// Company or department.
    pub kind: PartnerKind,
    /// Its place in the level scheme.
    pub level: LevelId,
    /// Raised at every change; guards what was read before.
    pub version: i64,
    /// When it came to be.
    pub created_at: Timestamp,
}

/// What a partner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartnerKind {
    /// A customer or a reseller: a company of its own.
    Company,
    /// A part of the company above.
    Department,
}

impl PartnerKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Department => "department",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Company, Self::Department].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A level of the catalog's scheme, by its number in the catalog file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LevelId(pub i64);
