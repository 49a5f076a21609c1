//! Use cases of the partner tree.
use super::refused::Refused;
use super::{authority, record, text};
use crate::domain::capability::Core;
use crate::domain::ctx::Ctx;
use crate::domain::group::UserGroup;
use crate::domain::id::{PartnerId, UserId};
use crate::domain::partner::{LevelId, Partner, PartnerKind};
use crate::provision::event::{Event, Kind};
use crate::store::extent::{OperatorExtent, PartnerExtent};
use crate::store::{Store, StoreError, Tx, partners, people, user_groups};

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

/// Whether a partner of this level may stand below one of level `above`.
pub(super) fn fits(kind: PartnerKind, level: LevelId, above: LevelId) -> bool {
    match kind {
        PartnerKind::Company => level > above,
        PartnerKind::Department => level == above,
    }
}

/// Makes a partner below `parent`, as an administrator does it.
///
/// # Errors
/// [`Refused`]: also when the external id is taken, or the level stands above that of the parent.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    parent: PartnerId,
    new: &NewPartner,
) -> Result<Partner, Refused> {
    let new = &NewPartner {
        name: text::name("name", &new.name)?,
        external_id: text::optional("external_id", new.external_id.as_deref())?,
        ..new.clone()
    };
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_partner(tx, actor, Core::PartnerAdd, parent, ctx.now()).await?;
            let above = partners::get(tx, &at).await?.level;
            if !fits(new.kind, new.level, above) {
                let why = "The `level` of a company stands below that of its parent; a department has its parent's.";
                return Err(Refused::Invalid(why.to_owned()));
            }
            Ok(create_below(tx, ctx, &at, new.clone()).await?)
        })
        .await
}

/// Switches a partner and everything below it off. False when an administrator already had.
///
/// # Errors
/// [`Refused`]: also when the administrator's own home would be switched off with it.
pub async fn suspend(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    partner: PartnerId,
    cause: &str,
) -> Result<bool, Refused> {
    let cause = &text::name("cause", cause)?;
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_partner(tx, actor, Core::PartnerSuspend, partner, ctx.now()).await?;
            if people::at_home_below(tx, &at, actor).await? {
                let why = "You are at home in this partner or below it: you would lock yourself out.";
                return Err(Refused::Forbidden(why.to_owned()));
            }
            let changed = partners::suspend(tx, &at, cause, ctx.now()).await?;
            if changed {
                record(tx, ctx, partner, Event::of(Kind::PartnerSuspended, partner)).await?;
            }
            Ok(changed)
        })
        .await
}

/// Lifts an administrator's suspension. False when there was none.
///
/// # Errors
/// [`Refused`].
pub async fn resume(store: &Store, ctx: &Ctx, actor: UserId, partner: PartnerId) -> Result<bool, Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_partner(tx, actor, Core::PartnerSuspend, partner, ctx.now()).await?;
            let changed = partners::resume(tx, &at).await?;
            if changed {
                record(tx, ctx, partner, Event::of(Kind::PartnerResumed, partner)).await?;
            }
            Ok(changed)
        })
        .await
}
