//! Matching: an administrator says who an external user is that waits, or who it is not.
//!
//! Whoever is matched may from then on sign in as the user, and the user gets what the directory's rules give. So it
//! takes holding everything that the user holds, before and afterwards (guard G5), and nobody matches themselves.
use super::error::AdminError;
use super::{authority, record};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{ConnectionKind, DirectoryMode};
use crate::domain::id::{ExternalUserId, UserId};
use crate::provision::event::{Event, Kind};
use crate::provision::{ProvisionError, ProvisionSource, UnknownMembers, match_review, succession, users};
use crate::store::connections::ConnectionContext;
use crate::store::extent::PartnerExtent;
use crate::store::matches::{self, Verdict};
use crate::store::{Store, StoreError, Tx, external_users, reach};

/// How often a decision is tried again that met another act.
const MOST_TRIES: usize = 5;

/// What is decided.
#[derive(Clone, Copy, Debug)]
pub struct MatchDecision<'a> {
    /// Who decides.
    pub actor: UserId,
    /// The connection, by its name in addresses.
    pub slug: &'a str,
    /// The external user that waits.
    pub external: ExternalUserId,
    /// The user.
    pub user: UserId,
}

/// Links an external user that waits to a user. When the connection has linked the user before, that link ends.
///
/// # Errors
/// [`AdminError`]: the actor may not, or holds less than the user does or would; it does not wait any more.
pub async fn confirm(store: &Store, ctx: &Ctx, wanted: MatchDecision<'_>) -> Result<(), AdminError> {
    tried(store, async |tx: &mut Tx| {
        let (at, connection) = allowed(tx, ctx, wanted).await?;
        let set = crate::connection::schemas(&connection.connection)
            .map_err(|why| AdminError::Conflict(format!("Invalid `settings`: {why}")))?;
        let source = source(&connection, &set, UnknownMembers::Skip);
        if let Some(old) = matches::linked_here(tx, &connection.extent, wanted.user).await? {
            match_review::detach_in(tx, ctx, &at, &set, old).await?;
            if connection.connection.kind == ConnectionKind::Oidc {
                // The subject of before: its place is taken.
                succession::retire_in(tx, ctx, &source, old).await?;
            } else {
                let pair = (old, wanted.user);
                matches::decide(tx, &connection.extent, pair, Verdict::Refused, Some(wanted.actor), ctx.now()).await?;
            }
        }
        match_review::attach_in(tx, ctx, &at, &set, wanted.external, wanted.user).await?;
        decided(tx, ctx, &at, &connection, wanted, Verdict::Confirmed).await?;
        // What the user would be from now on: the rules of the directory count already.
        Ok(dominates(tx, ctx, wanted).await?)
    })
    .await
}

/// Says that an external user that waits is not a user. It goes on waiting for the others whom it may be; when there
/// are none, it becomes a user of its own, where its connection makes users.
///
/// # Errors
/// As [`confirm`].
pub async fn refuse(store: &Store, ctx: &Ctx, wanted: MatchDecision<'_>) -> Result<(), AdminError> {
    tried(store, async |tx: &mut Tx| {
        let (at, connection) = allowed(tx, ctx, wanted).await?;
        decided(tx, ctx, &at, &connection, wanted, Verdict::Refused).await?;
        if makes_users(&connection) {
            let set = crate::connection::schemas(&connection.connection)
                .map_err(|why| AdminError::Conflict(format!("Invalid `settings`: {why}")))?;
            users::reconsider_in(tx, ctx, &source(&connection, &set, UnknownMembers::Skip), wanted.external).await?;
        }
        Ok(())
    })
    .await
}

/// Whether who resembles nobody becomes a user: always but where users only sign in, unless the settings say so.
fn makes_users(connection: &ConnectionContext) -> bool {
    connection.connection.kind != ConnectionKind::Oidc
        || connection.connection.settings.get("jit_provisioning") == Some(&serde_json::Value::Bool(true))
}

fn source<'a>(
    connection: &'a ConnectionContext,
    schemas: &'a crate::scim::schema::SchemaSet,
    unknown_members: UnknownMembers,
) -> ProvisionSource<'a> {
    ProvisionSource {
        extent: connection.extent,
        schemas,
        matching_attribute: connection.matching_attribute.as_deref(),
        unknown_members,
    }
}

/// The connection, when the actor may decide this.
async fn allowed(
    tx: &mut Tx,
    ctx: &Ctx,
    wanted: MatchDecision<'_>,
) -> Result<(PartnerExtent, ConnectionContext), AdminError> {
    let MatchDecision { actor, slug, external, user } = wanted;
    let (at, connection) = authority::at_connection(tx, actor, CoreCapability::UserWrite, slug, ctx.now()).await?;
    let home = authority::at_user(tx, actor, CoreCapability::UserWrite, user, ctx.now()).await?;
    if connection.mode == DirectoryMode::Observe {
        let why = "This directory is being tried out: it makes and links nobody until it is put in force.";
        return Err(AdminError::Conflict(why.to_owned()));
    }
    let external_user = external_users::get(tx, &connection.extent, external).await?.ok_or(AdminError::NotFound)?;
    if home.partner() != at.partner() {
        return Err(AdminError::Invalid(
            "Only a user at home in the directory's own partner can be matched.".to_owned(),
        ));
    }
    if external_user.user.is_some() {
        return Err(AdminError::Conflict("It does not wait any more: it is linked to a user.".to_owned()));
    }
    if actor == user {
        return Err(AdminError::Forbidden("Nobody decides who is themselves; ask another administrator.".to_owned()));
    }
    dominates(tx, ctx, wanted).await?;
    Ok((at, connection))
}

async fn dominates(tx: &mut Tx, ctx: &Ctx, wanted: MatchDecision<'_>) -> Result<(), AdminError> {
    if reach::outranks(tx, wanted.actor, wanted.user, ctx.now()).await? {
        return Ok(());
    }
    let why = "This user holds something that you do not hold yourself, or would hold it afterwards, so you may not \
        decide who they are.";
    Err(AdminError::Forbidden(why.to_owned()))
}

async fn decided(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    connection: &ConnectionContext,
    wanted: MatchDecision<'_>,
    verdict: Verdict,
) -> Result<(), AdminError> {
    let MatchDecision { actor, external, user, .. } = wanted;
    matches::decide(tx, &connection.extent, (external, user), verdict, Some(actor), ctx.now()).await?;
    let kind = if verdict == Verdict::Confirmed { Kind::MatchConfirmed } else { Kind::MatchRefused };
    let line = Event::of(kind, external).id("connection", connection.connection.id).id("user", user);
    Ok(record(tx, ctx, at.partner(), line).await?)
}

/// Why a transaction did nothing.
enum Stopped {
    Refused(AdminError),
    Provision(ProvisionError),
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

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

async fn tried(store: &Store, work: impl AsyncFn(&mut Tx) -> Result<(), Stopped>) -> Result<(), AdminError> {
    let mut tries = 1;
    loop {
        match store.write_serializable(async |tx: &mut Tx| work(tx).await).await {
            Ok(()) => return Ok(()),
            Err(Stopped::Refused(why)) => return Err(why),
            Err(Stopped::Provision(ProvisionError::Raced)) if tries < MOST_TRIES => tries += 1,
            Err(Stopped::Provision(ProvisionError::NotFound)) => return Err(AdminError::NotFound),
            Err(Stopped::Provision(ProvisionError::Store(error))) => return Err(error.into()),
            Err(Stopped::Provision(error)) => {
                return Err(AdminError::Conflict(format!("Nothing was changed: {error}.")));
            }
        }
    }
}
