//! Carrying out a plan: in batches through the one room, each item on its own, each batch under the lease.
use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use crate::provision::groups::{self, GroupInput, NewExternalGroup};
use crate::provision::users::{self, MatchKeySource, NewExternalUser};
use crate::provision::{Outcome, ProvisionError, ProvisionSource};
use crate::scim::patch::{MemberOp, MemberSelector};
use crate::scim::resource::{Document, MemberKind, MemberRef};
use crate::store::connections::{self, Standstill};
use crate::store::leases::{self, Lease};
use crate::store::{Store, StoreError, Tx, baseline};

use super::entry::{LdapGroup, LdapUser};
use super::mark::Mark;

/// The most users, groups or members one transaction takes.
const MOST: usize = 500;
/// The longest one transaction collects.
const LONGEST: Duration = Duration::from_millis(50);
/// How often the database is asked to look at tables again that grew.
const LOOK: Duration = Duration::from_secs(1);
/// How often an item is tried again that met a change of another writer.
const TRIES: usize = 3;

/// One step of a plan.
#[derive(Clone, Debug)]
pub(super) enum SyncOperation<'a> {
    CreateUser(EntryFacts<'a>),
    /// Somebody who was here, went, and is back under the same stable id.
    ReturnUser(EntryFacts<'a>),
    ChangeUser(ExternalUserId, EntryFacts<'a>),
    /// Users who take each other's login names: all of them or none.
    ChangeTogether(Vec<(ExternalUserId, EntryFacts<'a>)>),
    RemoveUser(ExternalUserId),
    CreateGroup(&'a LdapGroup),
    ChangeGroup(ExternalGroupId, &'a LdapGroup),
    RemoveGroup(ExternalGroupId),
    AddMembers(ExternalGroupId, Vec<MemberRef>),
    RemoveMembers(ExternalGroupId, Vec<String>),
}

/// What is said of somebody who is new or changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryFacts<'a> {
    said: &'a LdapUser,
    document: &'a Document,
}

impl<'a> EntryFacts<'a> {
    /// None for somebody who is known to be as before.
    pub(super) fn of(said: &'a LdapUser) -> Option<Self> {
        Some(Self { said, document: said.doc.as_ref()? })
    }

    fn newcomer(self) -> NewExternalUser {
        NewExternalUser { stable_key: Some(self.said.key.clone()), said: self.words() }
    }

    fn words(self) -> users::UserInput {
        users::UserInput {
            document: self.document.clone(),
            join: MatchKeySource::Key(self.said.match_key.clone()),
            row_hash: Some(self.said.mark.stored()),
        }
    }
}

impl SyncOperation<'_> {
    fn weight(&self) -> usize {
        match self {
            Self::ChangeTogether(users) => users.len(),
            Self::AddMembers(_, members) => members.len(),
            Self::RemoveMembers(_, members) => members.len(),
            _ => 1,
        }
    }
}

/// What came of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OperationResult {
    User(ExternalUserId),
    Group(ExternalGroupId),
    /// Members that came in and that left.
    Members(u64, u64),
}

/// Why the carrying out ended early.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum AbortReason {
    /// The store failed.
    #[error("The store failed: {0}.")]
    Store(#[from] StoreError),
    /// Another process took the run over.
    #[error("Another process has taken over this connection's runs; this one stopped.")]
    LeaseLost,
    /// The connection was paused meanwhile.
    #[error("The connection was paused while the run went on; the next run goes on where this one ended.")]
    Paused,
    /// The directory was paused meanwhile.
    #[error("The directory was paused while the run went on; the next run goes on where this one ended.")]
    DirectoryPaused,
    /// The partner, or one above it, was suspended meanwhile.
    #[error("The partner was suspended while the run went on; the next run goes on where this one ended.")]
    Suspended,
    /// The server is stopping.
    #[error("The server is stopping; the next run goes on where this one ended.")]
    Stopped,
}

/// Everything that carrying out needs.
pub(super) struct Applier<'a> {
    pub store: &'a Store,
    pub clock: Clock,
    pub actor: Actor,
    pub source: ProvisionSource<'a>,
    /// Stable ids of users who were here once.
    pub gone: HashSet<String>,
    pub lease: &'a Lease,
    pub stop: &'a (dyn Fn() -> bool + Send + Sync),
}

/// How long a lease is taken for; renewed with every batch and by the heartbeat.
pub(super) const LEASE: Duration = Duration::from_secs(90);

impl Applier<'_> {
    /// Carries out steps in order. An item that the room refuses is answered with the refusal and hurts no other.
    pub async fn all(
        &self,
        acts: &[SyncOperation<'_>],
    ) -> Result<Vec<Result<OperationResult, ProvisionError>>, AbortReason> {
        let mut outcomes = Vec::with_capacity(acts.len());
        let mut looked = Instant::now();
        while outcomes.len() < acts.len() {
            if (self.stop)() {
                return Err(AbortReason::Stopped);
            }
            // A first run fills empty tables within seconds, and no server need be running whose job this is.
            if looked.elapsed() > LOOK {
                let _tried_again_later = self.store.look_again().await;
                looked = Instant::now();
            }
            let rest = acts.get(outcomes.len()..).unwrap_or_default();
            let ctx = self.clock.ctx(self.actor);
            let batch = self.store.write(async |tx: &mut Tx| self.batch(tx, &ctx, rest).await).await?;
            outcomes.extend(batch);
        }
        Ok(outcomes)
    }

    /// Writes marks of users who are as before.
    pub async fn note(&self, marks: &[(ExternalUserId, Mark)]) -> Result<(), AbortReason> {
        for some in marks.chunks(MOST) {
            if (self.stop)() {
                return Err(AbortReason::Stopped);
            }
            let at = &self.source.extent;
            let rows: Vec<_> = some.iter().map(|(id, mark)| (*id, mark.stored())).collect();
            let write = async |tx: &mut Tx| {
                self.goes_on(tx).await?;
                baseline::note(tx, at, &rows).await.map_err(AbortReason::from)
            };
            self.store.write(write).await?;
        }
        Ok(())
    }

    /// Renews the lease; ends the run when it is another's, or when nothing is taken any more.
    async fn goes_on(&self, tx: &mut Tx) -> Result<(), AbortReason> {
        if !leases::renew(tx, self.lease, LEASE).await? {
            return Err(AbortReason::LeaseLost);
        }
        match connections::standstill(tx, &self.source.extent).await? {
            None => Ok(()),
            Some(Standstill::Connection) => Err(AbortReason::Paused),
            Some(Standstill::Directory) => Err(AbortReason::DirectoryPaused),
            Some(Standstill::Partner) => Err(AbortReason::Suspended),
        }
    }

    async fn batch(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        acts: &[SyncOperation<'_>],
    ) -> Result<Vec<Result<OperationResult, ProvisionError>>, AbortReason> {
        self.goes_on(tx).await?;
        let began = Instant::now();
        let (mut outcomes, mut weight) = (Vec::new(), 0);
        while let Some(act) = acts.get(outcomes.len()) {
            let arriving = arriving(acts.get(outcomes.len()..).unwrap_or_default());
            weight += act.weight().max(arriving.len());
            if !outcomes.is_empty() && (weight > MOST || began.elapsed() > LONGEST) {
                break;
            }
            if arriving.is_empty() {
                outcomes.push(self.one(tx, ctx, act).await?);
                continue;
            }
            let created = users::create_many_in(tx, ctx, &self.source, arriving).await?;
            outcomes.extend(created.into_iter().map(|answer| answer.map(|done| OperationResult::User(done.value.id))));
        }
        Ok(outcomes)
    }

    /// One step in a savepoint of its own; a failure of the store is the batch's, a refusal the item's.
    async fn one(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        act: &SyncOperation<'_>,
    ) -> Result<Result<OperationResult, ProvisionError>, StoreError> {
        let mut tries = 1;
        loop {
            match tx.attempt(false, async |tx: &mut Tx| self.perform(tx, ctx, act).await).await {
                Err(ProvisionError::Raced) if tries < TRIES => tries += 1,
                Err(ProvisionError::Store(error)) => return Err(error),
                result => return Ok(result),
            }
        }
    }

    async fn perform(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        act: &SyncOperation<'_>,
    ) -> Result<OperationResult, ProvisionError> {
        let source = &self.source;
        match act {
            SyncOperation::CreateUser(said) => {
                let new = said.newcomer();
                let done = users::create_in(tx, ctx, source, new).await?;
                Ok(OperationResult::User(done.value.id))
            }
            SyncOperation::ReturnUser(said) => {
                Ok(OperationResult::User(users::return_in(tx, ctx, source, said.newcomer()).await?.value.id))
            }
            SyncOperation::ChangeUser(id, said) => {
                let change = |_: &Document| Ok(said.words());
                let done = users::update_in(tx, ctx, source, *id, None, &change).await?;
                Ok(OperationResult::User(done.value.id))
            }
            SyncOperation::ChangeTogether(users) => {
                let users: Vec<_> = users.iter().map(|(id, said)| (*id, said.words())).collect();
                users::exchange_in(tx, ctx, source, &users).await?;
                Ok(OperationResult::Members(0, 0))
            }
            SyncOperation::RemoveUser(id) => {
                users::delete_in(tx, ctx, source, *id, None).await?;
                Ok(OperationResult::User(*id))
            }
            SyncOperation::CreateGroup(said) => {
                let new = NewExternalGroup {
                    stable_key: Some(said.key.clone()),
                    document: said.doc.clone(),
                    members: Vec::new(),
                    row_hash: Some(said.hash.to_vec()),
                };
                let done = groups::create_in(tx, ctx, source, &new).await?;
                Ok(OperationResult::Group(done.value.id))
            }
            SyncOperation::ChangeGroup(id, said) => {
                let change = |_: &Document| {
                    let (document, row_hash) = (said.doc.clone(), Some(said.hash.to_vec()));
                    Ok(GroupInput { document, members: Vec::new(), row_hash })
                };
                groups::update_in(tx, ctx, source, *id, None, &change).await?;
                Ok(OperationResult::Group(*id))
            }
            SyncOperation::RemoveGroup(id) => {
                groups::delete_in(tx, ctx, source, *id, None).await?;
                Ok(OperationResult::Group(*id))
            }
            SyncOperation::AddMembers(id, members) => {
                let change = |doc: &Document| Ok(only_members(doc, MemberOp::Add(members.clone())));
                Ok(counted(groups::update_in(tx, ctx, source, *id, None, &change).await?))
            }
            SyncOperation::RemoveMembers(id, members) => {
                let selected = MemberSelector::Ids(members.clone());
                let change = |doc: &Document| Ok(only_members(doc, MemberOp::Remove(selected.clone())));
                Ok(counted(groups::update_in(tx, ctx, source, *id, None, &change).await?))
            }
        }
    }
}

/// Those at the beginning who are new and can be created together.
fn arriving(acts: &[SyncOperation<'_>]) -> Vec<NewExternalUser> {
    let new = acts.iter().map_while(|act| match act {
        SyncOperation::CreateUser(said) => Some(said.newcomer()),
        _ => None,
    });
    new.take(users::MOST_TOGETHER).collect()
}

fn only_members(doc: &Document, op: MemberOp) -> GroupInput {
    GroupInput { document: doc.clone(), members: vec![op], row_hash: None }
}

fn counted<T>(done: Outcome<T>) -> OperationResult {
    OperationResult::Members(done.effect.members_added as u64, done.effect.members_removed as u64)
}

/// A user as a member.
pub(super) fn user_member(id: ExternalUserId) -> MemberRef {
    MemberRef::of(id.uuid(), Some(MemberKind::User))
}

/// A group as a member.
pub(super) fn group_member(id: ExternalGroupId) -> MemberRef {
    MemberRef::of(id.uuid(), Some(MemberKind::Group))
}

/// Steps that add or remove these members, no more than a transaction takes in each.
pub(super) fn in_parts<T: Clone>(members: &[T]) -> impl Iterator<Item = Vec<T>> {
    members.chunks(MOST).map(<[T]>::to_vec)
}
