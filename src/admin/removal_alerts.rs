//! Removal alerts and what can be done about them: putting the notice away, and giving back what was taken.

use super::error::AdminError;
use super::{authority, connections::guarded, record};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::directory::ConnectionKind;
use crate::domain::id::{RemovalAlertId, UserId};
use crate::provision::event::{Event, Kind};
use crate::provision::undo::{self, TimeRange, UndoEntry, UndoPlan, UndoPlanError, UndoResult};
use crate::provision::{ProvisionError, ProvisionSource, UnknownMembers};
use crate::store::connections::{self, ConnectionContext};
use crate::store::extent::OperatorExtent;
use crate::store::{Reader, Store, StoreError, Tx, removal_alerts};

/// The most things given back in one transaction.
const PART: usize = 500;

/// How often a part is begun again because it met another act.
const MOST_TRIES: usize = 5;

/// Whose removals are to be undone, by whom, and when they were made.
#[derive(Clone, Copy, Debug)]
pub struct UndoRequest<'a> {
    /// Who asks; none is the operator.
    pub actor: Option<UserId>,
    /// The connection, by its name in addresses.
    pub slug: &'a str,
    /// The time.
    pub span: TimeRange,
}

/// Why a plan was not carried out. What is already given back stays so.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The plan would do something else by now than what was approved; this is what it would do. Nothing was changed.
    #[error("The plan has changed since you saw it. Nothing was changed; look at the new plan.")]
    Changed(Box<UndoPlan>),
    /// Not for this actor, or not now.
    #[error(transparent)]
    Refused(#[from] AdminError),
}

impl From<UndoPlanError> for AdminError {
    fn from(why: UndoPlanError) -> Self {
        match why {
            UndoPlanError::TooMuch => Self::Invalid(why.to_string()),
            UndoPlanError::Store(error) => error.into(),
        }
    }
}

/// What the connection took away, and what undoing it would do. Whoever may see the connection may look.
///
/// # Errors
/// [`AdminError`].
pub async fn plan(store: &Store, ctx: &Ctx, wanted: UndoRequest<'_>) -> Result<UndoPlan, AdminError> {
    let TimeRange { from, to } = wanted.span;
    if from >= to {
        return Err(AdminError::Invalid("The time is empty: its end must be later than its beginning.".to_owned()));
    }
    let mut reader = store.reader().await?;
    let connection = match wanted.actor {
        Some(actor) => {
            authority::at_connection(&mut reader, actor, CoreCapability::ConnectionView, wanted.slug, ctx.now())
                .await?
                .1
        }
        None => connection(&mut reader, wanted.slug).await?,
    };
    Ok(undo::look(&mut reader, &connection.extent, wanted.span).await?)
}

/// Carries out the plan that `hash` names. Whoever may change the connection may; that is decided again with every part.
/// A second time there is nothing left to do.
///
/// # Errors
/// [`UndoError`].
pub async fn carry_out(
    store: &Store,
    ctx: &Ctx,
    wanted: UndoRequest<'_>,
    hash: &str,
) -> Result<(UndoPlan, UndoResult), UndoError> {
    let mut reader = store.reader().await.map_err(AdminError::from)?;
    may_change(&mut reader, ctx, wanted).await?;
    drop(reader);
    let plan = plan(store, ctx, wanted).await?;
    if plan.hash() != hash {
        return Err(UndoError::Changed(Box::new(plan)));
    }
    let all: Vec<UndoEntry> = plan.restorable().copied().collect();
    let mut sum = UndoResult::default();
    for part in all.chunks(PART) {
        let carried = carried(store, ctx, wanted, (&plan, part)).await?;
        sum.restored += carried.restored;
        sum.passed += carried.passed;
    }
    Ok((plan, sum))
}

async fn carried(
    store: &Store,
    ctx: &Ctx,
    wanted: UndoRequest<'_>,
    (plan, part): (&UndoPlan, &[UndoEntry]),
) -> Result<UndoResult, AdminError> {
    let mut tries = 1;
    loop {
        let done = store
            .write_serializable(async |tx: &mut Tx| -> Result<UndoResult, Stopped> {
                let connection = may_change(tx, ctx, wanted).await?;
                let set = crate::connection::schemas(&connection.connection)
                    .map_err(|why| AdminError::Conflict(format!("Invalid `settings`: {why}")))?;
                let source = ProvisionSource {
                    extent: connection.extent,
                    schemas: &set,
                    matching_attribute: connection.matching_attribute.as_deref(),
                    unknown_members: UnknownMembers::Skip,
                };
                let carried = undo::carry_in(tx, ctx, &source, plan, part).await?;
                // Whoever comes back may hold more than the actor: then the directory would speak for them from now on.
                may_change(tx, ctx, wanted).await?;
                Ok(carried)
            })
            .await;
        match done {
            Ok(carried) => return Ok(carried),
            Err(Stopped::Refused(why)) => return Err(why),
            Err(Stopped::Provision(ProvisionError::Raced)) if tries < MOST_TRIES => tries += 1,
            Err(Stopped::Provision(ProvisionError::Store(error))) => return Err(error.into()),
            Err(Stopped::Provision(error)) => {
                tracing::error!(?error, "undoing was refused by the provisioning core");
                let why = "Something else changed at the same moment. What is already given back stays; try again.";
                return Err(AdminError::Conflict(why.to_owned()));
            }
        }
    }
}

enum Stopped {
    Refused(AdminError),
    Provision(ProvisionError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Provision(error.into())
    }
}

impl From<AdminError> for Stopped {
    fn from(why: AdminError) -> Self {
        Self::Refused(why)
    }
}

impl From<ProvisionError> for Stopped {
    fn from(error: ProvisionError) -> Self {
        Self::Provision(error)
    }
}

/// The connection, when the actor may change it: as for every other change of it, by holding what its directory may
/// confer.
async fn may_change(reader: &mut Reader, ctx: &Ctx, wanted: UndoRequest<'_>) -> Result<ConnectionContext, AdminError> {
    match wanted.actor {
        Some(actor) => Ok(guarded(reader, ctx, actor, wanted.slug).await?.1),
        None => connection(reader, wanted.slug).await,
    }
}

async fn connection(reader: &mut Reader, slug: &str) -> Result<ConnectionContext, AdminError> {
    for kind in [ConnectionKind::Scim, ConnectionKind::Ldap, ConnectionKind::Oidc] {
        if let Some(connection) = connections::open_connection_named(reader, slug, kind).await? {
            let by = OperatorExtent::assume().at(connection.extent.partner());
            return Ok(connections::get(reader, &by, connection.connection.id).await?);
        }
    }
    Err(AdminError::NotFound)
}

/// Puts the notice of a removal alert away, for everybody; false when it already was.
///
/// # Errors
/// [`AdminError`].
pub async fn dismiss(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    removal_alert: RemovalAlertId,
) -> Result<bool, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            let changed =
                removal_alerts::dismiss(tx, &connection.extent, removal_alert, Some(actor), ctx.now()).await?;
            if changed {
                let line =
                    Event::of(Kind::RemovalAlertDismissed, connection.connection.id).id("removal_alert", removal_alert);
                record(tx, ctx, at.partner(), line).await?;
            }
            Ok(changed)
        })
        .await
}
