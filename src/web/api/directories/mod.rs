//! Directories.
pub(super) mod create;
pub(super) mod introduction;
pub(super) mod list;
pub(super) mod show;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::DirectoryModeView;
use crate::domain::directory::Directory;
use crate::domain::id::Id;

/// A directory: one external source of a partner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Directory)]
pub(super) struct DirectoryView {
    /// Its id.
    pub id: Uuid,
    /// The partner it serves.
    pub partner: Uuid,
    /// The name, unique in the partner.
    pub name: String,
    /// Whether and how its word counts.
    pub mode: DirectoryModeView,
    /// Lower wins where two directories speak of one user.
    pub priority: i64,
    /// The rule set in force.
    pub rule_set_version: i64,
    /// Raised at every change.
    pub version: i64,
}

fn view(directory: Directory) -> DirectoryView {
    DirectoryView {
        id: directory.id.uuid(),
        partner: directory.partner.uuid(),
        name: directory.name,
        mode: directory.mode.into(),
        priority: directory.priority,
        rule_set_version: directory.rule_set_version,
        version: directory.version,
    }
}
