//! Reading: the verbs over any connection, and what lies behind them on either database.
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _, SqlStr};
use sqlx::{PgConnection, SqliteConnection};

use crate::bulk::{IdSet, MOST, StatementShape};
use crate::deferred_inserts::{DeferredInserts, StatementPart};
use crate::postgres::pool::{Ear, PooledConnection};
use crate::row::Driver;
use crate::sqlite::readers::PooledReader;
use crate::sqlite::writer::WriterGuard;
use crate::state::State;
use crate::statement::{Sql, SqlSource};
use crate::statement_cache::{Keep, StatementCache};
use crate::unique_index::IndexNames;
use crate::{Attached, BatchedQuery, Dialect, Row, SqlValue, StoreError, value};

/// What every connection of a store shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dialect: Dialect,
    pub(crate) catalog: IndexNames,
    pub(crate) state: State,
    /// What the application attached to the store.
    pub(crate) attached: Option<Attached>,
}

/// Runs statements and reads their rows. A [`Tx`](crate::Tx) is one too, so a function that only reads takes
/// `&mut Reader` and serves both.
///
/// A reader from [`Store::reader`](crate::Store::reader) sees the newest commit in each statement; inside
/// [`Store::snapshot`](crate::Store::snapshot) all statements see the same moment. Neither can write.
pub struct Reader {
    pub(crate) link: DbConnection,
    pub(crate) shared: Arc<Shared>,
    /// Inside a transaction: after the first error every verb refuses.
    pub(crate) strict: bool,
    /// Inserts that are sent before the next statement.
    pub(crate) waiting: DeferredInserts,
    /// A statement failed, or was begun and never answered.
    pub(crate) failed: bool,
    /// A statement met another writer: the whole transaction is to be run again.
    pub(crate) conflict: Option<StoreError>,
    /// Statements sent so far.
    trips: u64,
}

/// The connection behind a reader, with what gives it back when dropped.
pub(crate) enum DbConnection {
    Turn(WriterGuard),
    Sqlite(PooledReader),
    Postgres(PooledConnection),
}

/// A connection, ready for a statement.
enum Live<'r> {
    Sqlite(&'r mut SqliteConnection),
    Postgres(&'r mut PgConnection),
}

impl DbConnection {
    /// How an answer is to be waited for; SQLite's own thread is not doubted.
    fn ear(&self) -> Option<Ear> {
        match self {
            Self::Turn(_) | Self::Sqlite(_) => None,
            Self::Postgres(lent) => Some(lent.ear()),
        }
    }

    fn live(&mut self) -> Result<Live<'_>, StoreError> {
        Ok(match self {
            Self::Turn(turn) => Live::Sqlite(turn.connection()?),
            Self::Sqlite(pooled) => Live::Sqlite(pooled.connection()?),
            Self::Postgres(lent) => Live::Postgres(lent.connection().map_err(|_| StoreError::Unavailable)?),
        })
    }

    /// What of composed texts the connection keeps prepared.
    fn kept(&mut self) -> Option<&mut StatementCache> {
        match self {
            Self::Turn(turn) => Some(turn.kept()),
            Self::Sqlite(pooled) => Some(pooled.kept()),
            Self::Postgres(lent) => lent.kept(),
        }
    }

    /// Whether the connection is to keep this text prepared.
    async fn keeps(&mut self, text: &Text) -> Result<bool, Broken> {
        let keep = match self.kept() {
            Some(kept) if text.composed => kept.keep(text.sql.as_str()),
            _ => Keep::Yes,
        };
        if keep == Keep::Anew {
            match self.live()? {
                Live::Sqlite(connection) => connection.clear_cached_statements().await?,
                Live::Postgres(connection) => connection.clear_cached_statements().await?,
            }
        }
        Ok(keep != Keep::No)
    }
}

/// A text on its way to the database.
struct Text {
    sql: SqlStr,
    /// It was put together at run time.
    composed: bool,
}

impl Reader {
    /// What the application attached to the store under [`Options::attached`](crate::Options), if it has this type.
    pub fn attached<T: 'static>(&self) -> Option<&T> {
        self.shared.attached.as_ref()?.downcast_ref()
    }

    pub(crate) fn new(link: DbConnection, shared: Arc<Shared>, strict: bool) -> Self {
        Self { link, shared, strict, waiting: DeferredInserts::default(), failed: false, conflict: None, trips: 0 }
    }

    /// The database, for the few texts that differ; see [`Dialect`].
    pub fn dialect(&self) -> Dialect {
        self.shared.dialect
    }

    /// How many statements this reader has sent: on PostgreSQL, trips to it.
    pub fn trips(&self) -> u64 {
        self.trips
    }

    /// The one row of the answer. [`StoreError::NotFound`] when there is none.
    pub async fn one<T>(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<SqlValue>,
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.optional(sql, values, read).await?.ok_or(StoreError::NotFound)
    }

    /// The first row of the answer, if there is one.
    pub async fn optional<T>(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<SqlValue>,
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let row = self.fetch_optional(sql.into(), values).await?;
        row.as_ref().map(read).transpose()
    }

    /// Every row of the answer, each read as it comes. The statement bounds how many there are, with LIMIT or by its key.
    pub async fn all<T>(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<SqlValue>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(sql, values, |row| {
            found.push(read(row)?);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Hands every row to `read` without keeping any: for answers too long to hold.
    pub async fn each(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<SqlValue>,
        mut read: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (name, text, values) = self.ask(sql.into(), values).await?;
        let ear = self.link.ear();
        let answer: Result<(), Broken> = heard(ear, async {
            let keep = self.link.keeps(&text).await?;
            match self.link.live()? {
                Live::Sqlite(connection) => {
                    let query = sqlx::query_with(text.sql, value::sqlite(values).map_err(sqlx::Error::Encode)?);
                    let query = query.persistent(keep);
                    let mut rows = query.fetch(connection);
                    while let Some(row) = rows.try_next().await? {
                        read(&Row(Driver::Sqlite(row)))?;
                    }
                }
                Live::Postgres(connection) => {
                    let query = sqlx::query_with(text.sql, value::postgres(values).map_err(sqlx::Error::Encode)?);
                    let query = query.persistent(keep);
                    let mut rows = query.fetch(connection);
                    while let Some(row) = rows.try_next().await? {
                        read(&Row(Driver::Postgres(row)))?;
                    }
                }
            }
            Ok(())
        })
        .await;
        self.leave(name, answer)
    }

    /// Every row over a set of ids of any size, in chunks: `fixed` are the parameters before the set.
    /// The order of the rows holds only within a chunk.
    pub async fn all_in<T>(
        &mut self,
        set: &'static IdSet,
        fixed: Vec<SqlValue>,
        ids: impl IntoIterator<Item = impl Into<SqlValue>>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut ids = ids.into_iter();
        let mut found = Vec::new();
        loop {
            let chunk: Vec<SqlValue> = ids.by_ref().take(MOST).map(Into::into).collect();
            let Some((statement, values)) = set.filled(&fixed, &chunk) else { return Ok(found) };
            self.each(statement, values, |row| {
                found.push(read(row)?);
                Ok(())
            })
            .await?;
        }
    }

    async fn fetch_optional(&mut self, sql: Sql, values: Vec<SqlValue>) -> Result<Option<Row>, StoreError> {
        let (name, text, values) = self.ask(sql, values).await?;
        let ear = self.link.ear();
        let answer: Result<_, Broken> = heard(ear, async {
            let keep = self.link.keeps(&text).await?;
            Ok(match self.link.live()? {
                Live::Sqlite(connection) => {
                    let query = sqlx::query_with(text.sql, value::sqlite(values).map_err(sqlx::Error::Encode)?);
                    let query = query.persistent(keep);
                    query.fetch_optional(connection).await?.map(Driver::Sqlite)
                }
                Live::Postgres(connection) => {
                    let query = sqlx::query_with(text.sql, value::postgres(values).map_err(sqlx::Error::Encode)?);
                    let query = query.persistent(keep);
                    query.fetch_optional(connection).await?.map(Driver::Postgres)
                }
            })
        })
        .await;
        self.leave(name, answer).map(|row| row.map(Row))
    }

    /// The rows that `question` finds for each of many keys, in one trip; in the order of the keys.
    pub async fn of_each(
        &mut self,
        question: &'static BatchedQuery,
        keys: &[Vec<SqlValue>],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut of_keys: Vec<Vec<Row>> = keys.iter().map(|_| Vec::new()).collect();
        let rows = match self.shared.dialect {
            Dialect::Postgres => self.rows_of_arrays(question, keys).await?,
            Dialect::Sqlite => self.rows_of_parts(question, keys).await?,
        };
        for row in rows {
            let number: usize = row.get("question_number")?;
            if let Some(rows) = number.checked_sub(1).and_then(|at| of_keys.get_mut(at)) {
                rows.push(row);
            }
        }
        Ok(of_keys)
    }

    /// PostgreSQL: one statement, with an array for each parameter.
    async fn rows_of_arrays(
        &mut self,
        question: &'static BatchedQuery,
        keys: &[Vec<SqlValue>],
    ) -> Result<Vec<Row>, StoreError> {
        self.flush().await?;
        let (name, text) = self.enter(question.many().into(), question.kinds().len())?;
        let ear = self.link.ear();
        let answer: Result<_, Broken> = heard(ear, async {
            let keep = self.link.keeps(&text).await?;
            let Live::Postgres(connection) = self.link.live()? else { return Err(StoreError::Refused(name).into()) };
            let arrays = vec![(question.kinds(), keys.to_vec())];
            let arrays = value::postgres_arrays(arrays).map_err(sqlx::Error::Encode)?;
            let rows = sqlx::query_with(text.sql, arrays).persistent(keep).fetch_all(connection).await?;
            Ok(rows.into_iter().map(|row| Row(Driver::Postgres(row))).collect())
        })
        .await;
        self.leave(name, answer)
    }

    /// SQLite: as many statements in one text, behind the inserts that wait.
    async fn rows_of_parts(
        &mut self,
        question: &'static BatchedQuery,
        keys: &[Vec<SqlValue>],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = question.one();
        let part = |number| StatementPart { statement, shape: StatementShape::Numbered(number) };
        let questions = (1..).map(part).zip(keys.iter().cloned()).collect();
        let (whole, values) = self.waiting.take_rows(questions);
        let sql = Sql(SqlSource::Together { name: statement.name(), whole });
        let (name, text) = self.enter(sql, values.len())?;
        let ear = self.link.ear();
        let answer: Result<_, Broken> = heard(ear, async {
            let keep = self.link.keeps(&text).await?;
            let Live::Sqlite(connection) = self.link.live()? else { return Err(StoreError::Refused(name).into()) };
            let values = value::sqlite(values).map_err(sqlx::Error::Encode)?;
            let rows = sqlx::query_with(text.sql, values).persistent(keep).fetch_all(connection).await?;
            Ok(rows.into_iter().map(|row| Row(Driver::Sqlite(row))).collect())
        })
        .await;
        self.leave(name, answer)
    }

    /// Runs a statement for its effect; the number of rows it changed.
    pub(crate) async fn run(&mut self, sql: Sql, values: Vec<SqlValue>) -> Result<u64, StoreError> {
        self.flush().await?;
        self.sent(sql, values).await
    }

    /// What is sent for a question. Inserts that wait go before it; on SQLite in the same trip.
    async fn ask(
        &mut self,
        sql: Sql,
        values: Vec<SqlValue>,
    ) -> Result<(&'static str, Text, Vec<SqlValue>), StoreError> {
        match (&sql.0, self.shared.dialect) {
            (SqlSource::Declared(statement), Dialect::Sqlite) if !self.waiting.is_empty() => {
                let question = StatementPart { statement, shape: StatementShape::Once };
                let (whole, values) = self.waiting.take_rows(vec![(question, values)]);
                let together = Sql(SqlSource::Together { name: statement.name(), whole });
                let (name, text) = self.enter(together, values.len())?;
                Ok((name, text, values))
            }
            _ => {
                self.flush().await?;
                let (name, text) = self.enter(sql, values.len())?;
                Ok((name, text, values))
            }
        }
    }

    /// Sends the inserts that wait. What the database has against them is the error of whoever asks next.
    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let name = "inserts that waited";
        if self.shared.dialect == Dialect::Sqlite {
            let (whole, values) = self.waiting.take_rows(Vec::new());
            return self.sent(Sql(SqlSource::Together { name, whole }), values).await.map(drop);
        }
        let (whole, columns) = self.waiting.take_columns();
        let values = columns.iter().map(|(kinds, _)| kinds.len()).sum();
        let (name, text) = self.enter(Sql(SqlSource::Together { name, whole }), values)?;
        let ear = self.link.ear();
        let answer: Result<_, Broken> = heard(ear, async {
            let keep = self.link.keeps(&text).await?;
            let Live::Postgres(connection) = self.link.live()? else { return Err(StoreError::Refused(name).into()) };
            let arrays = value::postgres_arrays(columns).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(text.sql, arrays).persistent(keep).execute(connection).await?;
            Ok(())
        })
        .await;
        self.leave(name, answer)
    }

    async fn sent(&mut self, sql: Sql, values: Vec<SqlValue>) -> Result<u64, StoreError> {
        let (name, text) = self.enter(sql, values.len())?;
        let ear = self.link.ear();
        let answer: Result<_, Broken> = heard(ear, async {
            let keep = self.link.keeps(&text).await?;
            Ok(match self.link.live()? {
                Live::Sqlite(connection) => {
                    let query = sqlx::query_with(text.sql, value::sqlite(values).map_err(sqlx::Error::Encode)?);
                    let query = query.persistent(keep);
                    query.execute(connection).await?.rows_affected()
                }
                Live::Postgres(connection) => {
                    let query = sqlx::query_with(text.sql, value::postgres(values).map_err(sqlx::Error::Encode)?);
                    let query = query.persistent(keep);
                    query.execute(connection).await?.rows_affected()
                }
            })
        })
        .await;
        self.leave(name, answer)
    }

    /// Runs statements of the store's own (savepoints) as they stand, in one trip.
    pub(crate) async fn control(&mut self, text: String) -> Result<(), StoreError> {
        self.flush().await?;
        self.failed = self.strict;
        let query = sqlx::raw_sql(AssertSqlSafe(text));
        let ear = self.link.ear();
        let answer: Result<(), Broken> = heard(ear, async {
            match self.link.live()? {
                Live::Sqlite(connection) => query.execute(connection).await.map(|_| ())?,
                Live::Postgres(connection) => query.execute(connection).await.map(|_| ())?,
            }
            Ok(())
        })
        .await;
        self.leave("a savepoint", answer)
    }

    /// Checks a call, and holds the transaction for failed until the answer is there: a caller that stops waiting
    /// in between must not go on as if nothing had happened.
    fn enter(&mut self, sql: Sql, values: usize) -> Result<(&'static str, Text), StoreError> {
        if self.failed {
            return Err(StoreError::Failed);
        }
        let (name, text, parameters) = match sql.0 {
            SqlSource::Declared(statement) => {
                let ready = statement.ready(self.shared.dialect);
                let text: &'static str = &ready.text;
                (statement.name(), Text { sql: text.into_sql_str(), composed: false }, ready.parameters)
            }
            SqlSource::Together { name, whole } => {
                let parameters = whole.parameters;
                (name, Text { sql: whole.text(), composed: true }, parameters)
            }
            SqlSource::Composed { name, text } => {
                let parameters = crate::statement::parameters(&text);
                let text = self.shared.dialect.steady(text.into());
                let sql = AssertSqlSafe(text.into_owned()).into_sql_str();
                (name, Text { sql, composed: true }, parameters)
            }
        };
        self.failed = self.strict;
        self.trips = self.trips.saturating_add(1);
        if parameters != values {
            tracing::error!(statement = name, parameters, values, "wrong number of values");
            return Err(StoreError::Binds(name));
        }
        Ok((name, text))
    }

    fn leave<T>(&mut self, name: &'static str, answer: Result<T, Broken>) -> Result<T, StoreError> {
        match &mut self.link {
            DbConnection::Sqlite(pooled) => pooled.answered(),
            DbConnection::Postgres(lent) if answer.is_ok() => lent.answered(),
            DbConnection::Postgres(_) | DbConnection::Turn(_) => {}
        }
        let answer = answer.map_err(|broken| match broken {
            Broken::Driver(error) => StoreError::of(name, error, self.shared.dialect, &self.shared.catalog),
            Broken::Store(error) => error,
        });
        let reads = match &self.link {
            DbConnection::Turn(_) => false,
            DbConnection::Sqlite(_) => true,
            DbConnection::Postgres(lent) => !lent.writes(),
        };
        let answer = match answer {
            // Readers are kept from writing by us: that says nothing about the database.
            Err(StoreError::ReadOnly) if reads => Err(StoreError::Refused(name)),
            answer => answer,
        };
        match (&answer, &self.link) {
            // The disk itself refused, for whatever reason.
            (Err(StoreError::Unavailable), DbConnection::Turn(_)) => self.shared.state.noticed(Some(&StoreError::Full)),
            _ => self.shared.state.noticed(answer.as_ref().err()),
        }
        match answer {
            // The server ended a statement of a write: no question that could be put in another way.
            Err(StoreError::TooLong) if matches!(&self.link, DbConnection::Postgres(lent) if lent.writes()) => {
                Err(StoreError::Unanswered)
            }
            Ok(answer) => {
                self.failed = false;
                Ok(answer)
            }
            Err(error) => {
                if matches!(error, StoreError::Conflict | StoreError::Held) {
                    self.conflict = Some(error.clone());
                }
                Err(error)
            }
        }
    }
}

/// What `work` is answered, waited for as `ear` says.
async fn heard<T>(ear: Option<Ear>, work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    match ear {
        Some(ear) => ear.hear(work).await,
        None => work.await,
    }
}

/// An error before it is translated.
enum Broken {
    Driver(sqlx::Error),
    Store(StoreError),
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
