//! Use cases of the partner tree.
use super::error::AdminError;
use super::suspensions::{self as holding, Case, Lifted, SuspensionOrder};
use super::{authority, most, record, validate};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::grant::Resource;
use crate::domain::group::UserGroup;
use crate::domain::id::{PartnerId, UserId};
use crate::domain::partner::{LevelId, Partner, PartnerKind};
use crate::domain::time::Timestamp;
use crate::domain::user::HoldKind;
use crate::provision::event::{Event, Kind};
use crate::store::extent::{OperatorExtent, PartnerExtent};
use crate::store::visible_reasons::Sight;
use crate::store::{
    Reader, Store, StoreError, Tx, effective_below, effective_lists, partners, stopped, suspensions, user_groups, users,
};

/// The name of the primary group every partner begins with.
pub const DEFAULT_GROUP: &str = "Everyone";

/// What a new partner is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartner {
    /// The platform's own key.
    pub external_id: Option<String>,
    /// The name users see.
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
        is_primary: true,
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
/// [`AdminError`]: also when the external id is taken, or the level stands above that of the parent.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    parent: PartnerId,
    new: &NewPartner,
) -> Result<Partner, AdminError> {
    let new = &NewPartner {
        name: validate::name("name", &new.name)?,
        external_id: validate::optional("external_id", new.external_id.as_deref())?,
        ..new.clone()
    };
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_partner(tx, actor, CoreCapability::PartnerAdd, parent, ctx.now()).await?;
            let above = partners::get(tx, &at).await?.level;
            if !fits(new.kind, new.level, above) {
                let why = "The `level` of a company stands below that of its parent; a department has its parent's.";
                return Err(AdminError::Invalid(why.to_owned()));
            }
            if partners::at_least_below(tx, &at, most::PARTNERS_BELOW).await? {
                most::another("partners directly below this one", most::PARTNERS_BELOW, most::PARTNERS_BELOW)?;
            }
            Ok(create_below(tx, ctx, &at, new.clone()).await?)
        })
        .await
}

/// Switches a partner and everything below it off, in the name of a partner. False when that was done in the same name
/// already; the first cause stays.
///
/// # Errors
/// [`AdminError`]: also when the administrator's own home would be switched off with it, or when somebody at home there holds
/// something that the administrator does not (but for a bill and for safety, which give nobody anything).
pub async fn suspend(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    partner: PartnerId,
    order: &SuspensionOrder<'_>,
) -> Result<bool, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let needs = holding::needs(order.kind, false);
            let at = authority::at_partner(tx, actor, needs, partner, ctx.now()).await?;
            if users::at_home_below(tx, &at, actor).await? {
                let why = "You are at home in this partner or below it: you would lock yourself out.";
                return Err(AdminError::Forbidden(why.to_owned()));
            }
            if order.kind == HoldKind::Partner && !outranks_all(tx, actor, &at, ctx.now()).await? {
                let why = "Somebody at home in this partner or below it holds something that you do not hold yourself, \
                    so you may not switch them off.";
                return Err(AdminError::Forbidden(why.to_owned()));
            }
            let case = case(actor, at, partner, ctx);
            let hold = case.hold(tx, ctx, order).await?;
            let changed = suspensions::suspend_partner(tx, &at, &hold).await?;
            if changed && order.kind == HoldKind::Security {
                suspensions::end_sessions_below(tx, &at, ctx.now()).await?;
            }
            if changed {
                let still = suspensions::of_partner(tx, &at).await?.len();
                record(tx, ctx, partner, holding::line(Kind::PartnerSuspended, partner, &hold, still)).await?;
            }
            Ok(changed)
        })
        .await
}

/// Who would be stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// How many, seen or not.
    pub counts: stopped::StoppedCounts,
    /// By partner, as far as the administrator may see them; the first of them.
    pub by_partner: Vec<stopped::Of>,
    /// The directories with open connections, as far as the administrator may see them; the first of them.
    pub by_directory: Vec<stopped::OfDirectory>,
}

/// Whom switching a partner off would stop, for somebody who may do that.
///
/// # Errors
/// [`AdminError`]: the actor may not.
pub async fn stopped(
    reader: &mut Reader,
    actor: UserId,
    partner: PartnerId,
    now: Timestamp,
) -> Result<Stopped, AdminError> {
    let target = Resource { partner, group: None, owner: None };
    let at = holding::extent_to_lift(reader, actor, target, None, now).await?;
    let counts = stopped::counts(reader, &at, now).await?;
    let mut sight = Sight::of(actor, now);
    let mut by_partner = Vec::new();
    for one in stopped::by_partner(reader, &at, now, MOST_TOLD).await? {
        if sight.partner(reader, one.partner.id).await? {
            by_partner.push(one);
        }
    }
    let mut by_directory = Vec::new();
    for one in stopped::by_directory(reader, &at, MOST_TOLD).await? {
        if sight.directory(reader, one.directory.id).await? && sight.partner(reader, one.partner.id).await? {
            by_directory.push(one);
        }
    }
    Ok(Stopped { counts, by_partner, by_directory })
}

/// Partners, and directories, that are told by name of those that are switched off with one.
const MOST_TOLD: u32 = 100;

/// Lifts what the administrator may lift of what keeps a partner off, of one kind or of any.
///
/// # Errors
/// [`AdminError`]: also when nothing of what is there is theirs to lift.
pub async fn reactivate(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    partner: PartnerId,
    kind: Option<HoldKind>,
) -> Result<Lifted, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let target = Resource { partner, group: None, owner: None };
            let at = holding::extent_to_lift(tx, actor, target, kind, ctx.now()).await?;
            let case = case(actor, at, partner, ctx);
            let found = suspensions::of_partner(tx, &at).await?;
            let (mut still, mut lifted, mut asked) = (found.len(), 0_usize, 0_usize);
            for hold in found.iter().filter(|hold| kind.is_none_or(|kind| hold.source.kind() == kind.as_str())) {
                asked += 1;
                let guard = async |reader: &mut Reader| outranks_all(reader, actor, &at, ctx.now()).await;
                if case.may_lift(tx, hold, guard).await? && suspensions::lift_partner(tx, &at, hold.source).await? {
                    (still, lifted) = (still.saturating_sub(1), lifted + 1);
                    record(tx, ctx, partner, holding::line(Kind::PartnerReactivated, partner, hold, still)).await?;
                }
            }
            if asked > 0 && lifted == 0 {
                return Err(holding::not_yours());
            }
            Ok(Lifted { changed: lifted > 0, still })
        })
        .await
}

fn case(actor: UserId, at: PartnerExtent, partner: PartnerId, ctx: &Ctx) -> Case {
    Case { actor, at, target: Resource { partner, group: None, owner: None }, now: ctx.now() }
}

/// Whether the actor holds all that is held at home in the extent's partner and below.
async fn outranks_all(
    reader: &mut Reader,
    actor: UserId,
    at: &PartnerExtent,
    now: Timestamp,
) -> Result<bool, AdminError> {
    let mine = effective_lists::authority(reader, actor, now).await?;
    Ok(effective_below::outranked(reader, at, &mine, now).await?)
}
