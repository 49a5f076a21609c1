//! Use cases of the partner tree.
use crate::admin::record;
use crate::domain::ctx::Ctx;
use crate::domain::group::UserGroup;
use crate::domain::id::PartnerId;
use crate::domain::partner::{LevelId, Partner, PartnerKind};
use crate::provision::event::{Event, Kind};
use crate::store::extent::{OperatorExtent, PartnerExtent};
use crate::store::{StoreError, Tx, partners, user_groups};

/// The name of the exclusive group every partner begins with.
pub const DEFAULT_GROUP: &str = "Everyone";

/// What a new partner is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartner {
    /// The platform's own key.
    pub external_id: Option<String>,
    /// The name people see.
    pub name: String,
    /// Company or department.
    pub kind: PartnerKind,
    /// Its place in the level scheme.
    pub level: LevelId,
}

impl NewPartner {
    fn at(self, ctx: &Ctx, parent: Option<PartnerId>) -> Partner {
        Partner {
            id: ctx.id(),
            parent,
            external_id: self.external_id,
            name: self.name,
            kind: self.kind,
            level: self.level,
            version: 1,
            created_at: ctx.now(),
        }
    }
}

/// Makes the first partner of an installation, with its default user group.
///
/// # Errors
/// `StoreError`.
pub async fn create_root(tx: &mut Tx, ctx: &Ctx, by: &OperatorExtent, new: NewPartner) -> Result<Partner, StoreError> {
    let partner = new.at(ctx, None);
    partners::insert_root(tx, by, &partner).await?;
    furnish(tx, ctx, &by.at(partner.id), &partner).await?;
    Ok(partner)
}

/// Makes a partner below the extent's, with its default user group.
///
/// # Errors
/// `StoreError::Unique` when the external id is taken.
pub async fn create_below(
    tx: &mut Tx,
    ctx: &Ctx,
    parent: &PartnerExtent,
    new: NewPartner,
) -> Result<Partner, StoreError> {
    let partner = new.at(ctx, Some(parent.partner()));
    let at = partners::insert_below(tx, parent, &partner).await?;
    furnish(tx, ctx, &at, &partner).await?;
    Ok(partner)
}

async fn furnish(tx: &mut Tx, ctx: &Ctx, at: &PartnerExtent, partner: &Partner) -> Result<(), StoreError> {
    let everyone = UserGroup {
        id: ctx.id(),
        partner: partner.id,
        name: DEFAULT_GROUP.to_owned(),
        exclusive: true,
        is_default: true,
    };
    user_groups::insert(tx, at, &everyone, ctx.now()).await?;
    record(tx, ctx, partner.id, Event::of(Kind::PartnerCreated, partner.id)).await
}
