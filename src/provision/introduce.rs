//! Users for those who waited while their directory was only observed: once it counts, each is looked at as if it had
//! just come, in the order in which they came. In pages, each a transaction of its own; what is left when the process dies
//! is taken up by a job. What would come of it is shown before ([`preview`]).
mod preview;

use std::time::Duration;

pub use self::preview::{
    Introduction, IntroductionCounts, IntroductionEntry, IntroductionOutcome, MOST_SHOWN, MetUser, preview,
};

use super::event::{Event, Kind};
use super::{Effect, ProvisionError, ProvisionSource, UnknownMembers, events, primary_group, users};
use crate::domain::ctx::Ctx;
use crate::domain::directory::Directory;
use crate::domain::id::{ConnectionId, DirectoryId, ExternalUserId, Id as _};
use crate::scim::schema::SchemaSet;
use crate::store::connections::ConnectionContext;
use crate::store::extent::PartnerExtent;
use crate::store::{Reader, Store, StoreError, Tx, connections, directories, external_users, open_transactions};

/// The longest wait for whoever was writing while the mode changed: what they write is looked at too.
const LONGEST: Duration = Duration::from_secs(60);

/// How many are looked at in one transaction.
const PAGE: u32 = 100;

/// What came of looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Introduced {
    /// Who is linked to a user now, one that was made or one that was there.
    pub linked: usize,
    /// Who waits for an administrator's word.
    pub waiting: usize,
    /// Who met another act, and is looked at again by the job.
    pub again: usize,
}

/// Writes another name, mode or place in the order of a directory, and places everybody anew of whom it speaks: whether
/// its rules count, and before whose, decides who is placed where.
///
/// # Errors
/// Those of the store; `NotFound` when it is not the extent's.
pub async fn change_directory(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    wanted: &Directory,
) -> Result<(), ProvisionError> {
    directories::update(tx, at, wanted).await?;
    primary_group::everyone(tx, ctx, at, wanted.id).await?;
    Ok(events::append(tx, ctx, at.partner(), &[Event::of(Kind::DirectoryUpdated, wanted.id)]).await?)
}

/// Looks at everybody who waits at a directory that has left the mode `observe`. Doing it again changes nothing.
///
/// # Errors
/// Those of the store; what was done before stays.
pub async fn directory(
    store: &Store,
    ctx: &Ctx,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<Introduced, ProvisionError> {
    let mut done = Introduced::default();
    if !open_transactions::done(store, LONGEST).await? {
        tracing::warn!("a transaction was open for a minute; who waits at the directory is looked at later");
        return Ok(done);
    }
    let sources = Sources::of(&mut store.reader().await?, at, directory).await?;
    let mut after = ExternalUserId::from_uuid(uuid::Uuid::nil());
    loop {
        let page = external_users::unlinked(&mut store.reader().await?, at, directory, after, PAGE).await?;
        let Some((last, _)) = page.last().copied() else { break };
        after = last;
        for came in store.write(async |tx: &mut Tx| introduced(tx, ctx, &sources, &page).await).await? {
            match came {
                Ok(effect) if effect.events.is_empty() => done.waiting += 1,
                Ok(_) => done.linked += 1,
                // It was deleted meanwhile.
                Err(ProvisionError::NotFound) => {}
                Err(ProvisionError::Raced) => done.again += 1,
                // What its directory may not do, such as switching off where it only adds: it waits for an administrator.
                Err(_) => done.waiting += 1,
            }
        }
    }
    if done.again == 0 {
        let finished = async |tx: &mut Tx| directories::introduced(tx, at, directory).await;
        store.write(finished).await?;
    }
    Ok(done)
}

/// The connections of a directory, as sources.
struct Sources {
    schemas: SchemaSet,
    connections: Vec<ConnectionContext>,
}

impl Sources {
    async fn of(reader: &mut Reader, at: &PartnerExtent, directory: DirectoryId) -> Result<Self, StoreError> {
        let connections = connections::of_directory(reader, at, directory).await?;
        Ok(Self { schemas: SchemaSet::base(), connections })
    }

    fn source(&self, connection: ConnectionId) -> Option<ProvisionSource<'_>> {
        let found = self.connections.iter().find(|known| known.connection.id == connection)?;
        Some(ProvisionSource {
            extent: found.extent,
            schemas: &self.schemas,
            matching_attribute: found.matching_attribute.as_deref(),
            unknown_members: UnknownMembers::Skip,
        })
    }
}

/// Looks at each who waits, one after another; what came of each, in order.
async fn introduced(
    tx: &mut Tx,
    ctx: &Ctx,
    sources: &Sources,
    page: &[(ExternalUserId, ConnectionId)],
) -> Result<Vec<Result<Effect, ProvisionError>>, ProvisionError> {
    let mut all = Vec::with_capacity(page.len());
    for (id, connection) in page {
        let Some(source) = sources.source(*connection) else {
            // The connection came after the others were read.
            all.push(Err(ProvisionError::Raced));
            continue;
        };
        match tx.attempt(false, async |tx: &mut Tx| users::reconsider_in(tx, ctx, &source, *id).await).await {
            Err(ProvisionError::Store(error)) => return Err(error.into()),
            came => all.push(came),
        }
    }
    Ok(all)
}
