//! Partners: the tree.
pub(super) mod confirmations;
pub(super) mod create;
pub(super) mod groups;
pub(super) mod list;
pub(super) mod matches;
pub(super) mod reactivate;
pub(super) mod roles;
pub(super) mod show;
pub(super) mod stopped;
pub(super) mod suspend;
pub(super) mod users;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::ApiTimestamp;
use crate::domain::id::{Id, PartnerId};
use crate::domain::partner::{LevelId, PartnerKind};
use crate::store::catalog::LevelRow;
use crate::store::partners::TreeNode;
use crate::store::visible_reasons::Sight;
use crate::store::{Reader, StoreError};

/// A partner: a node of the tree.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Partner)]
pub(super) struct PartnerView {
    /// Its id; never changes.
    pub id: Uuid,
    /// The partner above; null at the top, and when the caller may not see it.
    pub parent: Option<Uuid>,
    /// The platform's own key for it.
    pub external_id: Option<String>,
    /// The name users see.
    pub name: String,
    /// Company or department.
    pub kind: PartnerKindView,
    /// The name of its level in the catalog.
    pub level: String,
    /// How many users are at home here.
    pub user_count: i64,
    /// How many directories it has.
    pub directory_count: i64,
    /// Whether it is itself suspended. Partners below a suspended one are off too.
    pub suspended: bool,
    /// When it came to be.
    pub created_at: ApiTimestamp,
}

/// Company or department.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartnerKindView {
    /// A company of its own.
    Company,
    /// A part of the company above.
    Department,
}

impl From<PartnerKindView> for PartnerKind {
    fn from(word: PartnerKindView) -> Self {
        match word {
            PartnerKindView::Company => Self::Company,
            PartnerKindView::Department => Self::Department,
        }
    }
}

fn view(node: TreeNode, levels: &[LevelRow]) -> PartnerView {
    let TreeNode { partner, users, directories, suspended, .. } = node;
    PartnerView {
        id: partner.id.uuid(),
        parent: partner.parent.map(Id::uuid),
        external_id: partner.external_id,
        name: partner.name,
        kind: match partner.kind {
            PartnerKind::Company => PartnerKindView::Company,
            PartnerKind::Department => PartnerKindView::Department,
        },
        level: level_name(levels, partner.level),
        user_count: users,
        directory_count: directories,
        suspended,
        created_at: ApiTimestamp(partner.created_at),
    }
}

/// Leaves the parent out when the caller may not see it.
async fn hide_parent(reader: &mut Reader, sight: &mut Sight, view: &mut PartnerView) -> Result<(), StoreError> {
    if let Some(parent) = view.parent
        && !sight.partner(reader, PartnerId::from_uuid(parent)).await?
    {
        view.parent = None;
    }
    Ok(())
}

fn level_name(levels: &[LevelRow], id: LevelId) -> String {
    levels.iter().find(|level| level.id == id).map(|level| level.name.clone()).unwrap_or_default()
}
