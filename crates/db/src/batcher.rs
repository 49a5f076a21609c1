//! Gathered reads on PostgreSQL. A trip to the server costs more than the row it fetches, and under load many requests
//! wait for the same kind of row at the same moment: they share a trip, as writes on SQLite share a commit.
//!
//! At most [`TRIPS`] trips of a question are under way. Whoever asks meanwhile joins the next one, which departs as
//! soon as one of them is back; nobody waits for a timer, and who asks alone travels alone. A question joins only a
//! trip that has not departed, so that no answer is older than its question.
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::bulk::{self, StatementShape};
use crate::postgres::pool::{Pool, PooledConnection};
use crate::reader::{DbConnection, Reader, Shared};
use crate::statement::{Statement, StatementSet};
use crate::{Dialect, Row, SqlType, SqlValue, StoreError};

/// Trips of one question that may be under way at a time. More of them are shorter of company, and so cost more.
const TRIPS: usize = 2;

/// The most questions of one trip.
const MOST: usize = 256;

/// A statement that asks for the rows of one key, and its form that asks for those of many.
pub struct BatchedQuery {
    pub(crate) forms: [Statement; 2],
    kinds: &'static [SqlType],
}

impl BatchedQuery {
    #[doc(hidden)]
    pub const fn new(name: &'static str, text: fn(Dialect) -> Cow<'static, str>, kinds: &'static [SqlType]) -> Self {
        let forms =
            [Statement::new(name, text, kinds), Statement::shaped(name, text, &[], StatementShape::Each(kinds))];
        Self { forms, kinds }
    }

    /// The form for one key.
    pub fn one(&'static self) -> &'static Statement {
        let [one, _] = &self.forms;
        one
    }

    /// The form for many keys, with an array for each parameter and the number of the key as the last column.
    pub(crate) fn many(&'static self) -> &'static Statement {
        let [_, many] = &self.forms;
        many
    }

    pub(crate) fn kinds(&self) -> &'static [SqlType] {
        self.kinds
    }
}

impl StatementSet for BatchedQuery {
    fn list(&'static self) -> Vec<&'static Statement> {
        self.forms.iter().collect()
    }
}

/// `text` for as many keys as its parameters, now arrays, have elements. OFFSET keeps the planner from joining it with
/// the keys in another way than from each key to its rows, by index, as it would while tables are small.
pub(crate) fn expand(text: &str, kinds: &[SqlType]) -> String {
    format!(
        "SELECT answer.*, question.number AS question_number FROM unnest({}) WITH ORDINALITY \
         AS question ({}, number) CROSS JOIN LATERAL ({} OFFSET 0) AS answer",
        bulk::arrays(kinds),
        bulk::names(kinds),
        bulk::named(text, kinds, "question"),
    )
}

/// What a question is answered with; the same question of several callers has one answer.
type Answer = Result<Arc<Vec<Row>>, StoreError>;

/// Where questions are gathered.
pub(crate) struct Gather {
    pool: Pool,
    shared: Arc<Shared>,
    /// Trips run where the store was opened: a request, and the runtime it runs on, may end before its company's trip.
    home: Handle,
    lines: RwLock<HashMap<&'static str, Arc<QueryQueue>>>,
}

/// Those who ask the same kind of question.
#[derive(Default)]
struct QueryQueue(Mutex<Standing>);

#[derive(Default)]
struct Standing {
    waiting: Vec<Asked>,
    under_way: usize,
}

struct Asked {
    key: Vec<SqlValue>,
    answer: oneshot::Sender<Answer>,
}

impl Gather {
    pub(crate) fn new(pool: Pool, shared: Arc<Shared>) -> Self {
        Self { pool, shared, home: Handle::current(), lines: RwLock::default() }
    }

    /// The rows of one key, fetched together with those that others ask for.
    pub(crate) async fn ask(&self, question: &'static BatchedQuery, key: Vec<SqlValue>) -> Answer {
        if key.len() != question.kinds.len() {
            return Err(StoreError::Binds(question.one().name()));
        }
        let (answer, answered) = oneshot::channel();
        let line = self.line(question.one().name());
        if let Some(place) = line.join(Asked { key, answer }) {
            self.home.spawn(travel(question, place, self.pool.clone(), Arc::clone(&self.shared)));
        }
        answered.await.unwrap_or(Err(StoreError::Unavailable))
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    fn line(&self, name: &'static str) -> Arc<QueryQueue> {
        if let Some(line) = self.lines.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(line);
        }
        Arc::clone(self.lines.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default())
    }
}

impl std::fmt::Debug for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather").finish_non_exhaustive()
    }
}

impl QueryQueue {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands in line; a place to travel on when one is free.
    fn join(self: &Arc<Self>, asked: Asked) -> Option<QueueSlot> {
        let mut standing = self.standing();
        standing.waiting.push(asked);
        let free = standing.under_way < TRIPS;
        standing.under_way += usize::from(free);
        free.then(|| QueueSlot { line: Arc::clone(self), given_up: false })
    }
}

/// The right to be under way.
struct QueueSlot {
    line: Arc<QueryQueue>,
    given_up: bool,
}

impl QueueSlot {
    /// Those who travel now. When nobody waits the place is given up, in the same moment: who comes later starts anew.
    fn depart(&mut self) -> Option<Vec<Asked>> {
        let mut standing = self.line.standing();
        let most = standing.waiting.len().min(MOST);
        if most == 0 {
            standing.under_way -= 1;
            self.given_up = true;
            return None;
        }
        Some(standing.waiting.drain(..most).collect())
    }
}

impl Drop for QueueSlot {
    /// After a panic, or at the end of the runtime: who waits is told, unless others are still under way.
    fn drop(&mut self) {
        if self.given_up {
            return;
        }
        let mut standing = self.line.standing();
        standing.under_way -= 1;
        if standing.under_way == 0 {
            standing.waiting.clear();
        }
    }
}

/// Trip after trip, until nobody waits.
async fn travel(question: &'static BatchedQuery, mut place: QueueSlot, pool: Pool, shared: Arc<Shared>) {
    loop {
        // Who asks while a connection is waited for still comes along.
        let lent = pool.take().await;
        let Some(asked) = place.depart() else { return };
        let (keys, askers) = by_key(asked);
        let found = match lent {
            Ok(lent) => rows_again(question, &keys, lent, &pool, &shared).await,
            Err(error) => Err(StoreError::unreachable(&error)),
        };
        tell(askers, found);
    }
}

type Askers = Vec<Vec<oneshot::Sender<Answer>>>;

/// Each key once, with everyone who asks for it.
fn by_key(asked: Vec<Asked>) -> (Vec<Vec<SqlValue>>, Askers) {
    let (mut keys, mut askers): (Vec<Vec<SqlValue>>, Askers) = (Vec::new(), Vec::new());
    let mut known = HashMap::with_capacity(asked.len());
    for Asked { key, answer } in asked {
        let at = *known.entry(key).or_insert_with_key(|key| {
            keys.push(key.clone());
            keys.len() - 1
        });
        match askers.get_mut(at) {
            Some(askers) => askers.push(answer),
            None => askers.push(vec![answer]),
        }
    }
    (keys, askers)
}

/// The rows of each key; asked a second time when the connection broke while it rested, as all did when the server was
/// started anew.
async fn rows_again(
    question: &'static BatchedQuery,
    keys: &[Vec<SqlValue>],
    lent: PooledConnection,
    pool: &Pool,
    shared: &Arc<Shared>,
) -> Result<Vec<Vec<Row>>, StoreError> {
    match rows(question, keys, lent, shared).await {
        Err(StoreError::Unavailable) => {
            pool.forget_idle();
            let lent = pool.take().await.map_err(|error| StoreError::unreachable(&error))?;
            rows(question, keys, lent, shared).await
        }
        settled => settled,
    }
}

/// The rows of each key.
async fn rows(
    question: &'static BatchedQuery,
    keys: &[Vec<SqlValue>],
    lent: PooledConnection,
    shared: &Arc<Shared>,
) -> Result<Vec<Vec<Row>>, StoreError> {
    Reader::new(DbConnection::Postgres(lent), Arc::clone(shared), false).of_each(question, keys).await
}

/// Answers everyone who still waits.
fn tell(askers: Askers, found: Result<Vec<Vec<Row>>, StoreError>) {
    match found {
        Ok(of_keys) => {
            for (askers, rows) in askers.into_iter().zip(of_keys) {
                let rows = Arc::new(rows);
                for asker in askers {
                    let _gone = asker.send(Ok(Arc::clone(&rows)));
                }
            }
        }
        Err(error) => {
            for asker in askers.into_iter().flatten() {
                let _gone = asker.send(Err(error.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(number: i64) -> (Asked, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        (Asked { key: vec![SqlValue::I64(number)], answer }, answered)
    }

    #[test]
    fn a_text_for_one_key_becomes_one_for_many() {
        let text = "SELECT a FROM t WHERE b = $2 AND (c = $1 OR d = $1)";
        assert_eq!(
            expand(text, &[SqlType::Uuid, SqlType::Bytes]),
            "SELECT answer.*, question.number AS question_number FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY \
             AS question (value_1, value_2, number) CROSS JOIN LATERAL (SELECT a FROM t \
             WHERE b = question.value_2 AND (c = question.value_1 OR d = question.value_1) OFFSET 0) AS answer"
        );
    }

    #[test]
    fn who_asks_while_all_trips_are_under_way_joins_the_next_and_never_one_that_left() {
        let line = Arc::new(QueryQueue::default());
        let mut places: Vec<QueueSlot> = (0..TRIPS).map(|_| line.join(asked(0).0).unwrap()).collect();
        assert_eq!(places[0].depart().map(|asked| asked.len()), Some(TRIPS), "who asked before it left");
        assert!(line.join(asked(1).0).is_none() && line.join(asked(2).0).is_none());
        assert_eq!(places[1].depart().map(|asked| asked.len()), Some(2));
        assert!(places[0].depart().is_none() && places[1].depart().is_none());
        assert!(line.join(asked(3).0).is_some(), "both places are free again");
    }

    #[test]
    fn a_trip_has_so_many_at_most() {
        let line = Arc::new(QueryQueue::default());
        let mut places: Vec<QueueSlot> = (0..MOST + 1).filter_map(|number| line.join(asked(number as i64).0)).collect();
        assert_eq!(places[0].depart().map(|asked| asked.len()), Some(MOST));
        assert_eq!(places[0].depart().map(|asked| asked.len()), Some(1));
    }

    #[test]
    fn the_same_question_is_asked_once_and_everyone_is_answered() {
        let (asked, mut answers): (Vec<_>, Vec<_>) = [7, 8, 7].map(asked).into_iter().unzip();
        let (keys, askers) = by_key(asked);
        assert_eq!(keys, [vec![SqlValue::I64(7)], vec![SqlValue::I64(8)]]);
        answers.remove(1);
        tell(askers, Ok(vec![Vec::new(), Vec::new()]));
        assert!(answers.iter_mut().all(|answer| answer.try_recv().is_ok()), "one who went away disturbs nobody");
    }

    #[tokio::test]
    async fn when_the_last_trip_dies_everyone_who_waits_is_told() {
        let line = Arc::new(QueryQueue::default());
        let places: Vec<QueueSlot> = (0..TRIPS).map(|_| line.join(asked(0).0).unwrap()).collect();
        let (late, answered) = asked(1);
        assert!(line.join(late).is_none());
        drop(places);
        assert!(answered.await.is_err());
        assert!(line.join(asked(2).0).is_some());
    }
}
