//! Inserts whose answer nobody needs: they wait for the next question, and travel together in one trip.
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::bulk::{self, Insert, StatementShape, renumbered};
use crate::statement::Statement;
use crate::{Dialect, SqlType, SqlValue};

/// More rows than this of one call travel at once, in the template's own sizes.
pub(crate) const FEW: usize = 16;

/// Inserts of one transaction that were asked for and not sent yet, in order. Rows of one template that were asked for
/// one after another are one statement.
#[derive(Default)]
pub(crate) struct DeferredInserts {
    inserts: Vec<(&'static Insert, Vec<Vec<SqlValue>>)>,
    values: usize,
    bytes: usize,
}

impl DeferredInserts {
    /// Adds rows.
    pub(crate) fn add(&mut self, insert: &'static Insert, items: Vec<Vec<SqlValue>>) {
        if items.is_empty() {
            return;
        }
        let values = || items.iter().flatten();
        self.values += values().count();
        self.bytes += values().map(SqlValue::len).sum::<usize>();
        match self.inserts.last_mut() {
            Some((last, before)) if std::ptr::eq(*last, insert) => before.extend(items),
            _ => self.inserts.push((insert, items)),
        }
    }

    /// Whether so much waits that it should be sent.
    pub(crate) fn is_full(&self) -> bool {
        self.values > MOST_VALUES || self.bytes > MOST_BYTES
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.inserts.is_empty()
    }

    /// Forgets them all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// SQLite: takes them all out, with questions behind them, which see what they write.
    pub(crate) fn take_rows(&mut self, questions: Vec<(StatementPart, Vec<SqlValue>)>) -> (ComposedSql, Vec<SqlValue>) {
        let waiting = std::mem::take(self);
        let (mut parts, mut values) = (Vec::new(), Vec::with_capacity(waiting.values));
        for (insert, items) in waiting.inserts {
            parts.push(StatementPart { statement: insert.rows().one(), shape: StatementShape::Rows(items.len()) });
            values.extend(items.into_iter().flatten());
        }
        for (part, asked) in questions {
            parts.push(part);
            values.extend(asked);
        }
        (together(Dialect::Sqlite, &parts), values)
    }

    /// PostgreSQL: takes them all out; their text is the same for any number of rows.
    pub(crate) fn take_columns(&mut self) -> (ComposedSql, Vec<Columns>) {
        let inserts = std::mem::take(self).inserts;
        let part = |insert: &'static Insert| StatementPart { statement: insert.columns(), shape: StatementShape::Once };
        let parts: Vec<StatementPart> = inserts.iter().map(|(insert, _)| part(insert)).collect();
        let columns = inserts.into_iter().map(|(insert, items)| (insert.kinds(), items)).collect();
        (together(Dialect::Postgres, &parts), columns)
    }
}

/// The types of a statement's parameters, and its rows.
type Columns = (&'static [SqlType], Vec<Vec<SqlValue>>);

/// A statement of those that travel together.
#[derive(Clone, Copy)]
pub(crate) struct StatementPart {
    pub(crate) statement: &'static Statement,
    pub(crate) shape: StatementShape,
}

/// No more values than these wait, nor more bytes in their texts: a list of members may be long.
const MOST_VALUES: usize = 2_000;
const MOST_BYTES: usize = 128 * 1024;

/// Statements that travel together, as one text.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ComposedSql {
    text: Arc<str>,
    /// The highest `$n` in it.
    pub(crate) parameters: usize,
}

impl ComposedSql {
    pub(crate) fn text(self) -> SqlStr {
        AssertSqlSafe(self.text).into_sql_str()
    }
}

/// Texts put together so far, by their database and what tells each of their parts from others.
type Texts = HashMap<(Dialect, Vec<((&'static str, StatementShape), StatementShape)>), ComposedSql>;

/// More than these are not kept; there are as many as there are ways to create something.
const MOST_TEXTS: usize = 500;

/// Statements as one text, put together once. SQLite runs them one after another. On PostgreSQL they are parts of one
/// statement, none of which sees what the others write; references among them are checked at its end.
fn together(dialect: Dialect, parts: &[StatementPart]) -> ComposedSql {
    static KNOWN: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);
    let key = (dialect, parts.iter().map(|part| (part.statement.form(), part.shape)).collect());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST_TEXTS {
        known.clear();
    }
    let put_together = || {
        let (mut text, mut parameters) = (String::new(), 0);
        for (at, StatementPart { statement, shape }) in parts.iter().enumerate() {
            let one: &'static str = &statement.ready(dialect).text;
            let whole = bulk::expand(one.into(), *shape, dialect);
            let numbered = renumbered(&whole, parameters);
            parameters += crate::statement::parameters(&whole);
            text.push_str(&match dialect {
                _ if parts.len() == 1 => numbered,
                Dialect::Sqlite => format!("{numbered};\n"),
                Dialect::Postgres if at + 1 == parts.len() => format!(" {numbered}"),
                Dialect::Postgres if at == 0 => format!("WITH w0 AS ({numbered})"),
                Dialect::Postgres => format!(", w{at} AS ({numbered})"),
            });
        }
        ComposedSql { text: text.into(), parameters }
    };
    known.entry(key).or_insert_with(put_together).clone()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::binds;
    use crate::bulk::IdSet;

    static ONES: Insert = Insert::new("ones", |_| Cow::from("INSERT INTO one (a) VALUES ($1)"), &[SqlType::I64]);
    static TWOS: Insert =
        Insert::new("twos", |_| Cow::from("INSERT INTO two (a, b) VALUES ($1, $2)"), &[SqlType::I64, SqlType::I64]);

    fn three() -> DeferredInserts {
        let mut waiting = DeferredInserts::default();
        waiting.add(&ONES, vec![binds![1]]);
        waiting.add(&TWOS, vec![binds![2, 3]]);
        waiting.add(&TWOS, vec![binds![4, 5]]);
        waiting.add(&ONES, vec![binds![6]]);
        waiting
    }

    fn question(shape: StatementShape) -> StatementPart {
        static QUESTION: Statement =
            Statement::new("question", |_| Cow::from("SELECT a FROM two WHERE b = $1 AND c = '$1'"), &[]);
        StatementPart { statement: &QUESTION, shape }
    }

    #[test]
    fn on_sqlite_rows_travel_in_order_with_parameters_of_their_own() {
        let mut waiting = three();
        let (whole, values) = waiting.take_rows(Vec::new());
        assert!(waiting.is_empty());
        assert_eq!(
            &*whole.text,
            "INSERT INTO one (a) VALUES ($1);\nINSERT INTO two (a, b) VALUES ($2, $3), ($4, $5);\n\
             INSERT INTO one (a) VALUES ($6);\n"
        );
        assert_eq!(values, binds![1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn on_postgresql_columns_travel_in_one_statement() {
        let mut waiting = three();
        let (whole, columns) = waiting.take_columns();
        assert!(waiting.is_empty());
        assert_eq!(
            &*whole.text,
            "WITH w0 AS (INSERT INTO one (a) SELECT item.value_1 FROM unnest($1::bigint[]) AS item (value_1)), \
             w1 AS (INSERT INTO two (a, b) SELECT item.value_1, item.value_2 \
             FROM unnest($2::bigint[], $3::bigint[]) AS item (value_1, value_2)) \
             INSERT INTO one (a) SELECT item.value_1 FROM unnest($4::bigint[]) AS item (value_1)"
        );
        let (one, two): (&[SqlType], &[SqlType]) = (&[SqlType::I64], &[SqlType::I64, SqlType::I64]);
        let rows = [vec![binds![1]], vec![binds![2, 3], binds![4, 5]], vec![binds![6]]];
        assert_eq!(columns, [one, two, one].into_iter().zip(rows).collect::<Vec<_>>());
        assert_eq!(three().take_columns().0, whole, "and the same again");
    }

    #[test]
    fn a_question_comes_last() {
        let mut waiting = DeferredInserts::default();
        waiting.add(&TWOS, vec![binds![1, 2]]);
        let (whole, values) = waiting.take_rows(vec![(question(StatementShape::Once), binds![3])]);
        let expected = "INSERT INTO two (a, b) VALUES ($1, $2);\nSELECT a FROM two WHERE b = $3 AND c = '$1';\n";
        assert_eq!((&*whole.text, values), (expected, binds![1, 2, 3]));
    }

    #[test]
    fn sizes_of_one_template_are_told_apart() {
        static SET: IdSet = IdSet::new("set", |_| Cow::from("SELECT a FROM two WHERE a = $1 AND b IN ($2)"), &[]);
        for ids in [1, 2, 3, 2, 1] {
            let mut waiting = DeferredInserts::default();
            waiting.add(&TWOS, vec![binds![1, 2]]);
            let ids: Vec<SqlValue> = (0..ids).map(|id| id.into()).collect();
            let (statement, asked) = SET.filled(&[9.into()], &ids).unwrap();
            let (whole, values) =
                waiting.take_rows(vec![(StatementPart { statement, shape: StatementShape::Once }, asked)]);
            let set: Vec<String> = (4..4 + ids.len()).map(|number| format!("${number}")).collect();
            assert!(whole.text.ends_with(&format!("WHERE a = $3 AND b IN ({});\n", set.join(", "))), "{whole:?}");
            assert_eq!((whole.parameters, values), (3 + ids.len(), [binds![1, 2, 9], ids].concat()));
        }
    }

    #[test]
    fn the_same_question_about_many_is_told_apart_by_its_number() {
        let many = [1, 2].map(|number| (question(StatementShape::Numbered(number)), binds![number as i64]));
        let (whole, values) = DeferredInserts::default().take_rows(many.into());
        let one = |number| {
            format!(
                "SELECT answer.*, {number} AS question_number FROM (SELECT a FROM two WHERE b = ${number} AND c = '$1') \
                 AS answer;\n"
            )
        };
        assert_eq!((&*whole.text, values), (format!("{}{}", one(1), one(2)).as_str(), binds![1, 2]));
    }

    #[test]
    fn much_does_not_wait() {
        let mut waiting = DeferredInserts::default();
        waiting.add(&ONES, vec![binds!["a".repeat(MOST_BYTES)]]);
        assert!(!waiting.is_full());
        waiting.add(&ONES, vec![binds!["b"]]);
        assert!(waiting.is_full());
        waiting.clear();
        assert!(waiting.is_empty() && !waiting.is_full());
        waiting.add(&ONES, (0..=MOST_VALUES).map(|number| binds![number as i64]).collect());
        assert!(waiting.is_full());
    }

    #[test]
    fn one_alone_is_as_it_was_prepared() {
        let alone = || {
            let mut waiting = DeferredInserts::default();
            waiting.add(&TWOS, vec![binds![1, 2]]);
            waiting
        };
        assert_eq!(alone().take_rows(Vec::new()).0.text.as_ref(), "INSERT INTO two (a, b) VALUES ($1, $2)");
        assert_eq!(alone().take_columns().0.text.as_ref(), TWOS.columns().ready(Dialect::Postgres).text);
    }
}
