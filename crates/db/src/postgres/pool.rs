//! PostgreSQL's connections. A plain stack, as [`readers`](crate::readers) is for SQLite: sqlx's own pool asks the
//! server at every release whether the connection still lives, a second trip for each read.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex as Turn, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::statement_cache::{MOST_READING, StatementCache};

/// A connection that rested longer may have been cut by something in between.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// An older connection is not used again: what the server keeps for it only grows.
const OLDEST: Duration = Duration::from_secs(1_800);

/// What is waited between two tries to reach a server that is just starting.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// How long an answer is waited for before the server is asked whether it is still there.
const DOUBT: Duration = Duration::from_secs(3);

/// How long the server has for a sign of life: to take a new connection, or to say why not.
const SIGN_OF_LIFE: Duration = Duration::from_secs(4);

/// How long nobody else waits for a server that gave no sign of life.
const KNOWN_SILENT: Duration = Duration::from_secs(1);

/// How much later than the server itself ends a statement its answer is given up.
const GRACE: Duration = Duration::from_secs(2);

/// How long a connection that somebody left in the middle of something may take to be clean again.
const CLEANING: Duration = Duration::from_secs(5);

/// Connections to the server, opened on the runtime that opened the store: a connection is driven by the runtime it
/// was opened on, and that of a web worker also runs requests.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Stack>);

#[derive(Debug)]
struct Stack {
    options: PgConnectOptions,
    /// How long a caller waits for a connection.
    patience: Duration,
    /// What the server ends a statement after, when nobody wishes otherwise.
    limit: Option<Duration>,
    /// Whether its connections write.
    writes: bool,
    idle: Mutex<Vec<Resting>>,
    /// When the server was last asked for a sign of life, and whether it gave one. Held while it is asked.
    life: Turn<Option<(Instant, bool)>>,
    /// Until when it is known to be silent.
    silent: Mutex<Option<Instant>>,
    places: Arc<Semaphore>,
    home: Handle,
}

/// A connection nobody uses.
#[derive(Debug)]
struct Resting {
    connection: PgConnection,
    kept: StatementCache,
    opened: Instant,
    since: Instant,
    /// What the server ends a statement after on it; unknown to us when nobody waited for the answer.
    limit: Option<Option<Duration>>,
}

impl Pool {
    /// At most `most` connections, on which the server ends each statement after `limit`.
    pub(crate) fn new(options: PgConnectOptions, most: u32, patience: Duration, limit: Duration, writes: bool) -> Self {
        let options = options.options([("statement_timeout", milliseconds(limit).to_string())]);
        let places = Arc::new(Semaphore::new(most.try_into().unwrap_or(1).max(1)));
        Self(Arc::new(Stack {
            options,
            patience,
            limit: Some(limit),
            writes,
            idle: Mutex::default(),
            life: Turn::default(),
            silent: Mutex::default(),
            places,
            home: Handle::current(),
        }))
    }

    /// A connection, opened when none is idle and the limit allows.
    pub(crate) async fn take(&self) -> Result<PooledConnection, sqlx::Error> {
        self.take_for(self.0.limit).await
    }

    /// A connection on which the server ends each statement after `limit`.
    pub(crate) async fn take_within(&self, limit: Duration) -> Result<PooledConnection, sqlx::Error> {
        self.take_for(Some(limit)).await
    }

    /// A connection with a transaction on it, on which the server ends each statement after `limit`. One that broke
    /// while it rested is noticed by these words; then no other that rested is trusted.
    pub(crate) async fn begin(
        &self,
        limit: Option<Duration>,
        words: &'static str,
    ) -> Result<PooledConnection, sqlx::Error> {
        match self.begun(limit, words).await {
            Err(error) if !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => {
                self.forget_idle();
                self.begun(limit, words).await
            }
            settled => settled,
        }
    }

    async fn begun(&self, limit: Option<Duration>, words: &'static str) -> Result<PooledConnection, sqlx::Error> {
        let mut lent = self.take_for(limit.or(self.0.limit)).await?;
        lent.begin(words).await?;
        Ok(lent)
    }

    async fn take_for(&self, limit: Option<Duration>) -> Result<PooledConnection, sqlx::Error> {
        let stack = &self.0;
        if stack.is_known_silent() {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let began = Instant::now();
        let place = timeout(stack.patience, Arc::clone(&stack.places).acquire_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let resting = match stack.rested(limit) {
            Some(resting) => resting,
            None => {
                let (opener, left) = (Arc::clone(stack), stack.patience.saturating_sub(began.elapsed()));
                let opened = stack.home.spawn(async move { timeout(left, opener.open()).await }).await;
                opened.map_err(|_| sqlx::Error::PoolClosed)?.map_err(|_| sqlx::Error::PoolTimedOut)??
            }
        };
        let mut lent = PooledConnection {
            resting: Some(resting),
            running: false,
            transaction: false,
            stack: Arc::clone(stack),
            place: Some(place),
        };
        lent.bound(limit).await?;
        Ok(lent)
    }

    /// Closes the connections nobody uses.
    pub(crate) fn forget_idle(&self) {
        self.0.idle().clear();
    }

    /// Ends the pool and its idle connections; those in use end when they come back.
    pub(crate) async fn close(&self) {
        self.0.places.close();
        let idle = std::mem::take(&mut *self.0.idle());
        for resting in idle {
            let _ = resting.connection.close().await;
        }
    }
}

impl Stack {
    /// An idle connection, if possible one that ends statements after `limit` already.
    fn rested(&self, limit: Option<Duration>) -> Option<Resting> {
        let mut idle = self.idle();
        idle.retain(|resting| resting.since.elapsed() < LONGEST_REST);
        match idle.iter().rposition(|resting| resting.limit == Some(limit)) {
            Some(at) => Some(idle.remove(at)),
            None => idle.pop(),
        }
    }

    /// Tries again while the server is only starting; whoever waits ends it.
    async fn open(&self) -> Result<Resting, sqlx::Error> {
        loop {
            match self.options.connect().await {
                Ok(connection) => {
                    let now = Instant::now();
                    return Ok(Resting {
                        connection,
                        kept: StatementCache::new(MOST_READING),
                        opened: now,
                        since: now,
                        limit: Some(self.limit),
                    });
                }
                Err(error) if is_starting(&error) => tokio::time::sleep(BETWEEN_TRIES).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits while the server shows signs of life, and no longer than it lets a statement run.
    async fn until_silent(&self, limit: Option<Duration>) {
        let began = Instant::now();
        loop {
            tokio::time::sleep(DOUBT).await;
            if limit.is_some_and(|limit| began.elapsed() >= limit + GRACE) || !self.is_alive().await {
                return;
            }
        }
    }

    /// Whether the server takes a connection, or says why not. Who asks while it is asked hears the same answer.
    async fn is_alive(&self) -> bool {
        let asked = Instant::now();
        let mut life = self.life.lock().await;
        if let Some((at, alive)) = *life
            && at >= asked
        {
            return alive;
        }
        let options = self.options.clone();
        let sign = self.home.spawn(async move {
            match timeout(SIGN_OF_LIFE, options.connect()).await {
                Ok(Ok(connection)) => timeout(SIGN_OF_LIFE, connection.close()).await.is_ok(),
                // Too many connections, say: somebody is there who refuses.
                Ok(Err(error)) => error.as_database_error().is_some(),
                Err(_) => false,
            }
        });
        let alive = sign.await.unwrap_or(false);
        let now = Instant::now();
        *life = Some((now, alive));
        if !alive {
            tracing::error!("the PostgreSQL server gives no sign of life");
            *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = now.checked_add(KNOWN_SILENT);
        }
        alive
    }

    fn is_known_silent(&self) -> bool {
        let silent = *self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.is_some_and(|until| Instant::now() < until)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut resting: Resting) {
        if !self.places.is_closed() && resting.opened.elapsed() < OLDEST {
            resting.since = Instant::now();
            self.idle().push(resting);
        }
    }
}

/// Nobody listens yet, or the server says that it cannot take connections yet.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03"),
        _ => false,
    }
}

/// At least one: the server takes 0 for no limit.
fn milliseconds(limit: Duration) -> u128 {
    limit.as_millis().max(1)
}

/// A connection in use; comes back when dropped, after whatever was left on it has been undone.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    resting: Option<Resting>,
    /// A statement was begun and its answer not seen, or it failed.
    running: bool,
    /// A transaction is open.
    transaction: bool,
    stack: Arc<Stack>,
    place: Option<OwnedSemaphorePermit>,
}

impl PooledConnection {
    /// The connection, for one statement.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.running = true;
        self.resting.as_mut().map(|resting| &mut resting.connection).ok_or(sqlx::Error::PoolClosed)
    }

    /// How the answer to what is said on the connection next is to be waited for.
    pub(crate) fn ear(&self) -> Ear {
        let limit = self.resting.as_ref().and_then(|resting| resting.limit).unwrap_or(self.stack.limit);
        Ear { stack: Arc::clone(&self.stack), limit }
    }

    /// Whether it is one for writes.
    pub(crate) fn writes(&self) -> bool {
        self.stack.writes
    }

    /// What of composed texts it keeps prepared.
    pub(crate) fn kept(&mut self) -> Option<&mut StatementCache> {
        self.resting.as_mut().map(|resting| &mut resting.kept)
    }

    /// The statement's answer has been seen.
    pub(crate) fn answered(&mut self) {
        self.running = false;
    }

    /// Opens a transaction with these words.
    pub(crate) async fn begin(&mut self, begin: &'static str) -> Result<(), sqlx::Error> {
        self.transaction = true;
        self.say(begin).await
    }

    /// Ends the transaction with this word.
    pub(crate) async fn end(&mut self, end: &'static str) -> Result<(), sqlx::Error> {
        self.say(end).await?;
        self.transaction = false;
        Ok(())
    }

    async fn bound(&mut self, limit: Option<Duration>) -> Result<(), sqlx::Error> {
        if self.resting.as_ref().is_some_and(|resting| resting.limit == Some(limit)) {
            return Ok(());
        }
        if let Some(resting) = &mut self.resting {
            // Whoever stops waiting now does not know whether it came to be.
            resting.limit = None;
        }
        let words = limit.map_or_else(|| "DEFAULT".to_owned(), |limit| milliseconds(limit).to_string());
        let query = sqlx::raw_sql(AssertSqlSafe(format!("SET statement_timeout = {words}")));
        self.ear().hear(async { query.execute(self.connection()?).await }).await?;
        self.answered();
        if let Some(resting) = &mut self.resting {
            resting.limit = Some(limit);
        }
        Ok(())
    }

    async fn say(&mut self, words: &'static str) -> Result<(), sqlx::Error> {
        self.ear().hear(async { sqlx::raw_sql(words).execute(self.connection()?).await }).await?;
        self.answered();
        Ok(())
    }
}

/// Waits for answers of the server, as long as it shows signs of life.
pub(crate) struct Ear {
    stack: Arc<Stack>,
    limit: Option<Duration>,
}

impl Ear {
    /// What `work` is answered; [`sqlx::Error::PoolTimedOut`] when the server is silent.
    pub(crate) async fn hear<T, E: From<sqlx::Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        tokio::select! {
            biased;
            answer = work => answer,
            () = self.stack.until_silent(self.limit) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(mut resting) = self.resting.take() else { return };
        if !self.running && !self.transaction {
            return self.stack.give_back(resting);
        }
        // Someone stopped waiting, something failed, or a panic passed. The answer of what runs is waited for; a
        // connection that does not answer is closed.
        let (stack, place, transaction) = (Arc::clone(&self.stack), self.place.take(), self.transaction);
        self.stack.home.spawn(async move {
            match timeout(CLEANING, undone(&mut resting.connection, transaction)).await {
                Ok(Ok(())) => stack.give_back(resting),
                // What cut this one has cut those that rest, too.
                Ok(Err(_)) => stack.idle().clear(),
                // The server ends by itself what still runs on it.
                Err(_) => {}
            }
            drop(place);
        });
    }
}

/// Waits for what runs on a connection, and ends its transaction. An error when it does not answer.
async fn undone(connection: &mut PgConnection, transaction: bool) -> Result<(), sqlx::Error> {
    // The first answer may be the failure of the statement that was left.
    if connection.ping().await.is_err() {
        connection.ping().await?;
    }
    if transaction {
        sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    }
    Ok(())
}
