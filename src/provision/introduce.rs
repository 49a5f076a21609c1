//! Users for those who waited while their directory was only observed: once it counts, each is looked at as if it had
//! just come. In pages, each a transaction of its own; what is left when the process dies is taken up by a job.
use std::time::Duration;

use super::{ProvisionError, ProvisionSource, UnknownMembers, users};
use crate::domain::ctx::Ctx;
use crate::domain::id::{DirectoryId, ExternalUserId, Id as _};
use crate::scim::schema::SchemaSet;
use crate::store::extent::PartnerExtent;
use crate::store::{Store, Tx, connections, directories, external_users, open_transactions};

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
    let connections = connections::of_directory(&mut store.reader().await?, at, directory).await?;
    let schemas = SchemaSet::base();
    for connection in &connections {
        let source = ProvisionSource {
            extent: connection.extent,
            schemas: &schemas,
            matching_attribute: connection.matching_attribute.as_deref(),
            unknown_members: UnknownMembers::Skip,
        };
        let mut after = ExternalUserId::from_uuid(uuid::Uuid::nil());
        loop {
            let page = external_users::unlinked(&mut store.reader().await?, &connection.extent, after, PAGE).await?;
            let Some(last) = page.last().copied() else { break };
            after = last;
            let page = store.write(async |tx: &mut Tx| one_page(tx, ctx, &source, &page).await).await?;
            done.linked += page.linked;
            done.waiting += page.waiting;
            done.again += page.again;
        }
    }
    if done.again == 0 {
        let finished = async |tx: &mut Tx| directories::introduced(tx, at, directory).await;
        store.write(finished).await?;
    }
    Ok(done)
}

async fn one_page(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    page: &[ExternalUserId],
) -> Result<Introduced, ProvisionError> {
    let mut done = Introduced::default();
    for id in page {
        match tx.attempt(false, async |tx: &mut Tx| users::reconsider_in(tx, ctx, source, *id).await).await {
            Ok(effect) if effect.events.is_empty() => done.waiting += 1,
            Ok(_) => done.linked += 1,
            // It was deleted meanwhile.
            Err(ProvisionError::NotFound) => {}
            Err(ProvisionError::Raced) => done.again += 1,
            Err(ProvisionError::Store(error)) => return Err(error.into()),
            // What its directory may not do, such as switching off where it only adds: it waits for an administrator.
            Err(_) => done.waiting += 1,
        }
    }
    Ok(done)
}
