//! Writing: what a closure of `Store::write` gets.
use std::ops::{Deref, DerefMut};

use crate::bulk::{IdSet, Insert, MOST, Rows};
use crate::deferred_inserts::FEW;
use crate::reader::{DbConnection, Reader};
use crate::statement::Sql;
use crate::{Dialect, SqlValue, StoreError};

/// An open transaction. Reads through the verbs of [`Reader`] (also `INSERT … RETURNING`), writes through its own.
///
/// After the first error every verb refuses with [`StoreError::Failed`], and so does the transaction's end, as
/// PostgreSQL does by itself: an error passed over cannot leave half a change. Where an error is expected and the
/// work goes on, use [`Tx::attempt`].
pub struct Tx {
    reader: Reader,
    /// Attempts that are open.
    depth: u32,
}

impl Deref for Tx {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

impl Tx {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, depth: 0 }
    }

    /// The connection, when nothing failed and nothing is left open.
    pub(crate) async fn settled(mut self) -> Result<DbConnection, StoreError> {
        self.reader.flush().await?;
        if self.reader.failed || self.depth > 0 { Err(StoreError::Failed) } else { Ok(self.reader.link) }
    }

    /// Has the rest of the transaction follow indexes from row to row, as readers do: for one that asks for much at once
    /// (PostgreSQL; on SQLite there is no other way).
    pub async fn by_index(&mut self) -> Result<(), StoreError> {
        match self.reader.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.reader.control(crate::postgres::by_index()).await,
        }
    }

    /// Runs a statement for its effect; the number of rows it changed.
    pub async fn execute(&mut self, sql: impl Into<Sql>, values: Vec<SqlValue>) -> Result<u64, StoreError> {
        self.reader.run(sql.into(), values).await
    }

    /// Runs a `rows` template over any number of rows, in as few statements as its sizes allow; rows changed.
    /// Items are taken a few hundred at a time, so a long iterator is never held whole.
    pub async fn execute_rows(
        &mut self,
        rows: &'static Rows,
        items: impl IntoIterator<Item = Vec<SqlValue>>,
    ) -> Result<u64, StoreError> {
        let mut items = items.into_iter();
        let mut changed = 0;
        loop {
            let chunk: Vec<Vec<SqlValue>> = items.by_ref().take(MOST).collect();
            let mut left = chunk.len();
            if left == 0 {
                return Ok(changed);
            }
            let mut chunk = chunk.into_iter();
            while let Some((statement, size)) = rows.fitting(left) {
                let values = chunk.by_ref().take(size).flatten().collect();
                changed += self.reader.run(statement.into(), values).await?;
                left -= size;
            }
        }
    }

    /// Inserts rows, of which nobody asks how many were written: they are sent before the next statement, or at the end,
    /// together with others that wait. What the database has against them is the error of that statement, or of the
    /// transaction's end. None of those that wait together may need to see another one's rows, but for foreign keys.
    pub async fn later(
        &mut self,
        insert: &'static Insert,
        items: impl IntoIterator<Item = Vec<SqlValue>>,
    ) -> Result<(), StoreError> {
        let mut items = items.into_iter();
        let few: Vec<Vec<SqlValue>> = items.by_ref().take(FEW + 1).collect();
        if few.len() > FEW && self.reader.dialect() == Dialect::Sqlite {
            return self.execute_rows(insert.rows(), few.into_iter().chain(items)).await.map(drop);
        }
        // PostgreSQL takes an array for each column: one text for any number of rows.
        let mut items = few.into_iter().chain(items);
        loop {
            let some: Vec<Vec<SqlValue>> = items.by_ref().take(MOST).collect();
            let last = some.len() < MOST;
            self.reader.waiting.add(insert, some);
            if self.reader.waiting.is_full() {
                self.reader.flush().await?;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Runs a `set` template (UPDATE, DELETE) over any number of ids; rows changed.
    pub async fn execute_in(
        &mut self,
        set: &'static IdSet,
        fixed: Vec<SqlValue>,
        ids: impl IntoIterator<Item = impl Into<SqlValue>>,
    ) -> Result<u64, StoreError> {
        let mut ids = ids.into_iter();
        let mut changed = 0;
        loop {
            let chunk: Vec<SqlValue> = ids.by_ref().take(MOST).map(Into::into).collect();
            let Some((statement, values)) = set.filled(&fixed, &chunk) else { return Ok(changed) };
            changed += self.reader.run(statement.into(), values).await?;
        }
    }

    /// Runs `part` inside a savepoint. When it fails, what it did is undone and the transaction goes on; with `undo`
    /// a success is undone too, and only its value kept: the dry run. May nest.
    ///
    /// A conflict with another writer still ends the whole transaction, which is then run again.
    pub async fn attempt<T, E: From<StoreError>>(
        &mut self,
        undo: bool,
        part: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.reader.failed {
            return Err(StoreError::Failed.into());
        }
        let depth = self.depth + 1;
        self.depth = depth;
        self.reader.control(format!("SAVEPOINT attempt_{depth}")).await?;
        let mut result = part(self).await;
        match &result {
            Ok(_) => {
                if let Err(error) = self.reader.flush().await {
                    result = Err(error.into());
                }
            }
            Err(_) => self.reader.waiting.clear(),
        }
        // An inner attempt that nobody waited for to its end is undone with this one.
        let whole = !self.reader.failed && self.depth == depth;
        if result.is_ok() && !whole {
            result = Err(StoreError::Failed.into());
        }
        self.depth = depth - 1;
        if self.reader.conflict.is_some() {
            self.reader.failed = true;
            return result;
        }
        let end = if result.is_ok() && !undo {
            format!("RELEASE SAVEPOINT attempt_{depth}")
        } else {
            format!("ROLLBACK TO SAVEPOINT attempt_{depth}; RELEASE SAVEPOINT attempt_{depth}")
        };
        match self.reader.control(end).await {
            Ok(()) => result,
            Err(error) => result.and(Err(error.into())),
        }
    }
}
