//! Users who arrive at a connection at the same moment are created together: a provider that sends many sends several at
//! a time, and one transaction for all of them costs little more than for one of them.
//!
//! One company of a connection is being written at a time. Whoever arrives meanwhile joins the next one, which departs
//! as soon as the one before is durable; or has written, where writes share a commit. Nobody waits for a timer, and who
//! arrives alone is created alone. Two who might collide (the same name, mail address or key) never go together. A company
//! that the database refuses is tried again one by one, so that nobody is refused for somebody else.
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::create::{PendingUser, create_all};
use super::{NewExternalUser, run};
use crate::domain::ctx::Ctx;
use crate::domain::id::ConnectionId;
use crate::provision::{Execution, Outcome, ProvisionError, ProvisionSource, UnknownMembers};
use crate::scim::schema::SchemaSet;
use crate::store::extent::ConnectionExtent;
use crate::store::external_users::ExternalUser;
use crate::store::{Store, StoreError, Tx};

/// The most users of one company.
const MOST: usize = 32;

/// Where users arrive. One for all connections of a server; cheap to clone.
#[derive(Clone)]
pub struct UserCreateBatcher(Arc<Inner>);

struct Inner {
    store: Store,
    /// Companies are written where the server was started: a request, and the runtime it runs on, may end before its
    /// company's transaction.
    home: Handle,
    /// Those who wait, at each connection where a company is being written.
    waiting: Mutex<HashMap<ConnectionId, Vec<Waiting>>>,
}

struct Waiting {
    pending_user: PendingUser,
    schemas: Arc<SchemaSet>,
    answer: oneshot::Sender<Answer>,
}

impl Waiting {
    /// The connection, as it was understood when this one arrived. Arrivals are read already, and users have no members.
    fn source(&self, extent: ConnectionExtent) -> ProvisionSource<'_> {
        let unknown_members = UnknownMembers::Skip;
        ProvisionSource { extent, schemas: &self.schemas, matching_attribute: None, unknown_members }
    }
}

/// What somebody who arrived is told.
type Answer = Result<Outcome<ExternalUser>, ProvisionError>;

impl UserCreateBatcher {
    /// For a server on `store`. Called inside the runtime that outlives its requests.
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Inner { store, home: Handle::current(), waiting: Mutex::default() }))
    }

    /// Creates a user as [`super::create`] does, together with those who arrive at the same moment. Goes on when the
    /// caller stops waiting. `schemas` are those of `source`.
    ///
    /// # Errors
    /// As [`super::create`].
    pub async fn create(
        &self,
        ctx: &Ctx,
        source: &ProvisionSource<'_>,
        schemas: &Arc<SchemaSet>,
        new: NewExternalUser,
    ) -> Result<Outcome<ExternalUser>, ProvisionError> {
        let (answer, answered) = oneshot::channel();
        let (pending_user, schemas) = (PendingUser::read(ctx, source, new)?, Arc::clone(schemas));
        self.join(source.extent, Waiting { pending_user, schemas, answer });
        answered.await.unwrap_or(Err(StoreError::Unavailable.into()))
    }

    /// Stands in line, and begins a company when none is being written.
    fn join(&self, extent: ConnectionExtent, arrived: Waiting) {
        let mut waiting = self.waiting();
        match waiting.get_mut(&extent.connection()) {
            Some(waiting) => waiting.push(arrived),
            None => {
                waiting.insert(extent.connection(), vec![arrived]);
                drop(waiting);
                BatchSlot { at: self.clone(), extent, passed: false }.begin();
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ConnectionId, Vec<Waiting>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write a company of one connection.
struct BatchSlot {
    at: UserCreateBatcher,
    extent: ConnectionExtent,
    passed: bool,
}

impl BatchSlot {
    fn begin(self) {
        let home = self.at.0.home.clone();
        home.spawn(write(self));
    }

    /// Those who go now; whose caller has left does not come along.
    fn company(&self) -> Vec<Waiting> {
        let mut waiting = self.at.waiting();
        let Some(line) = waiting.get_mut(&self.extent.connection()) else { return Vec::new() };
        line.retain(|one| !one.answer.is_closed());
        apart(line, |one| one.pending_user.marks(), MOST)
    }

    /// All who wait.
    fn everyone(&self) -> Vec<Waiting> {
        self.at.waiting().get_mut(&self.extent.connection()).map(std::mem::take).unwrap_or_default()
    }

    /// Lets those go next who wait; when nobody does, whoever arrives then begins anew.
    fn pass(mut self) {
        self.passed = true;
        let mut waiting = self.at.waiting();
        if waiting.get(&self.extent.connection()).is_none_or(Vec::is_empty) {
            waiting.remove(&self.extent.connection());
            return;
        }
        drop(waiting);
        Self { at: self.at.clone(), extent: self.extent, passed: false }.begin();
    }
}

impl Drop for BatchSlot {
    /// After a panic, or at the end of the runtime: who waits is told.
    fn drop(&mut self) {
        if !self.passed {
            self.at.waiting().remove(&self.extent.connection());
        }
    }
}

/// What is left to do of a turn.
struct UserBatch {
    turn: Option<BatchSlot>,
    company: Option<Vec<Waiting>>,
}

/// Writes a company, and tells everyone in it.
async fn write(turn: BatchSlot) {
    let (store, extent) = (turn.at.0.store.clone(), turn.extent);
    let trip = tokio::sync::Mutex::new(UserBatch { turn: Some(turn), company: None });
    let work = async |tx: &mut Tx| {
        let mut trip = trip.lock().await;
        let UserBatch { turn, company } = &mut *trip;
        // Only now, so that those come along who arrived while the database had others to serve. Tried again, they are
        // the same.
        let company = company.get_or_insert_with(|| turn.as_ref().map(BatchSlot::company).unwrap_or_default());
        let pending_users: Vec<&PendingUser> = company.iter().map(|one| &one.pending_user).collect();
        let done = match company.last() {
            Some(newest) => create_all(tx, &newest.source(extent), &pending_users).await,
            None => Ok(Vec::new()),
        };
        if store.shares_commits()
            && let Some(turn) = turn.take()
        {
            turn.pass();
        }
        done
    };
    let outcome = store.write(work).await;
    let UserBatch { turn, company } = trip.into_inner();
    // None was taken when the database could not even be asked: nobody need wait to hear the same.
    let company = company.or_else(|| turn.as_ref().map(BatchSlot::everyone)).unwrap_or_default();
    metrics::histogram!("rolecall_user_create_batch_size").record(company.len() as f64);
    settle(&store, extent, company, outcome).await;
    if let Some(turn) = turn {
        turn.pass();
    }
}

/// Tells everyone of a company what became of it.
async fn settle(
    store: &Store,
    extent: ConnectionExtent,
    company: Vec<Waiting>,
    outcome: Result<Vec<Answer>, ProvisionError>,
) {
    let several = company.len() > 1;
    match outcome {
        Ok(answers) => {
            for (one, answer) in company.into_iter().zip(answers) {
                let _gone = one.answer.send(answer);
            }
        }
        Err(error) if concerns_all(&error) || !(several || error == ProvisionError::Raced) => {
            for one in company {
                let _gone = one.answer.send(Err(error.clone()));
            }
        }
        Err(_) => {
            for one in company {
                let source = one.source(extent);
                let alone = async |tx: &mut Tx| one.pending_user.alone(tx, &source).await;
                let answer = run(store, &extent, Execution::Real, alone).await;
                let _gone = one.answer.send(answer);
            }
        }
    }
}

/// Whether the database has nothing against anybody in particular.
pub(super) fn concerns_all(error: &ProvisionError) -> bool {
    use StoreError::{Conflict, Full, Lost, TooLong, Unavailable};
    matches!(error, ProvisionError::Store(Conflict | Full | Lost | TooLong | Unavailable))
}

/// Takes those out of a line, in order, of whom no two have a mark in common, nor one with somebody who stays before
/// it; at most `most`.
pub(super) fn apart<T, M: Eq + Hash>(line: &mut Vec<T>, marks: impl Fn(&T) -> Vec<M>, most: usize) -> Vec<T> {
    let (mut seen, mut taken) = (HashSet::new(), Vec::new());
    let mut stay = Vec::new();
    for one in line.drain(..) {
        let marks = marks(&one);
        let free = taken.len() < most && !marks.iter().any(|mark| seen.contains(mark));
        seen.extend(marks);
        if free { taken.push(one) } else { stay.push(one) }
    }
    *line = stay;
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_shares_a_mark_goes_one_after_the_other() {
        let mut line = vec![vec![1], vec![2, 3], vec![3, 4], vec![4], vec![5]];
        assert_eq!(apart(&mut line, Clone::clone, 9), [vec![1], vec![2, 3], vec![5]], "4 waits for whom it follows");
        assert_eq!(apart(&mut line, Clone::clone, 9), [[3, 4]]);
        assert_eq!(apart(&mut line, Clone::clone, 9), [[4]]);
        assert!(line.is_empty());
    }

    proptest! {
        #[test]
        fn everyone_goes_once_and_never_with_somebody_alike(
            line in prop::collection::vec(prop::collection::vec(0_u8..6, 0..4), 0..20),
            most in 1_usize..5,
        ) {
            let mut left: Vec<(usize, Vec<u8>)> = line.iter().cloned().enumerate().collect();
            let mut gone = Vec::new();
            while !left.is_empty() {
                let company = apart(&mut left, |(_, marks)| marks.clone(), most);
                prop_assert!((1..=most).contains(&company.len()));
                for (at, (number, marks)) in company.iter().enumerate() {
                    let others = company.iter().take(at).flat_map(|(_, marks)| marks);
                    prop_assert!(others.into_iter().all(|mark| !marks.contains(mark)));
                    let alike = |other: &&usize| line[**other].iter().any(|mark| marks.contains(mark));
                    prop_assert!(gone.iter().filter(alike).all(|other| other < number), "in the order of the line");
                    gone.push(*number);
                }
            }
            gone.sort_unstable();
            prop_assert_eq!(gone, (0..line.len()).collect::<Vec<_>>());
        }
    }
}
