//! Roles.
use serde::Serialize;

use super::id::{PartnerId, RoleId};

/// A named set of capabilities. What it confers is its own set cut down to that of every role above.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Role {
    /// Its identity.
    pub id: RoleId,
    /// The partner that owns it; usable there and below.
    pub partner: PartnerId,
    /// The name, unique in the owner.
    pub name: String,
    /// The role it never exceeds.
    pub parent: Option<RoleId>,
    /// The role of the catalog it was made from.
    pub catalog_key: Option<String>,
    /// Raised at every change.
    pub version: i64,
}
