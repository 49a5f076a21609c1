//! Inserts whose answer nobody needs: they wait for the next question, and travel together in one trip.
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::bulk::{Rows, renumbered};
use super::statement::Statement;
use super::{Dialect, Value};

/// More rows than this of one call travel at once, in the template's own sizes.
pub(super) const FEW: usize = 16;

/// Inserts of one transaction that were asked for and not sent yet, in order.
#[derive(Default)]
pub(super) struct Waiting(Vec<(&'static Statement, Vec<Value>)>);

impl Waiting {
    /// Adds rows.
    pub(super) fn add(&mut self, rows: &'static Rows, items: Vec<Vec<Value>>) {
        let mut left = items.len();
        let mut items = items.into_iter();
        while let Some((statement, size)) = rows.fitting(left) {
            self.0.push((statement, items.by_ref().take(size).flatten().collect()));
            left -= size;
        }
    }

    /// Whether so much waits that it should be sent.
    pub(super) fn is_full(&self) -> bool {
        let values = || self.0.iter().flat_map(|(_, values)| values);
        values().count() > MOST_VALUES || values().map(Value::len).sum::<usize>() > MOST_BYTES
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes them all out, with `question` behind them, which sees what they write: only SQLite can.
    pub(super) fn take(
        &mut self,
        dialect: Dialect,
        question: Option<(&'static Statement, Vec<Value>)>,
    ) -> (SqlStr, Vec<Value>) {
        let mut parts = std::mem::take(&mut self.0);
        parts.extend(question);
        let (statements, values): (Vec<&'static Statement>, Vec<Vec<Value>>) = parts.into_iter().unzip();
        (together(dialect, &statements), values.into_iter().flatten().collect())
    }
}

/// No more values than these wait, nor more bytes in their texts: a list of members may be long.
const MOST_VALUES: usize = 1_000;
const MOST_BYTES: usize = 64 * 1024;

/// Texts put together so far, by the names of their statements and of their database.
type Texts = HashMap<(Dialect, Vec<(&'static str, usize)>), Arc<str>>;

/// More than these are not kept; there are as many as there are ways to create something.
const MOST_TEXTS: usize = 500;

/// Statements as one text, put together once. SQLite runs them one after another. On PostgreSQL they are parts of one
/// statement, none of which sees what the others write; references among them are checked at its end.
fn together(dialect: Dialect, statements: &[&'static Statement]) -> SqlStr {
    if let [alone] = statements {
        let text: &'static str = &alone.ready(dialect).text;
        return text.into_sql_str();
    }
    static KNOWN: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);
    let texts = || statements.iter().map(|statement| statement.ready(dialect));
    let key = (dialect, statements.iter().zip(texts()).map(|(one, text)| (one.name(), text.parameters)).collect());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST_TEXTS {
        known.clear();
    }
    let text = known.entry(key).or_insert_with(|| {
        let (mut text, mut parameters) = (String::new(), 0);
        for (at, part) in texts().enumerate() {
            let numbered = renumbered(&part.text, parameters);
            parameters += part.parameters;
            text.push_str(&match dialect {
                Dialect::Sqlite => format!("{numbered};\n"),
                Dialect::Postgres if at + 1 == statements.len() => format!(" {numbered}"),
                Dialect::Postgres if at == 0 => format!("WITH w0 AS ({numbered})"),
                Dialect::Postgres => format!(", w{at} AS ({numbered})"),
            });
        }
        text.into()
    });
    AssertSqlSafe(Arc::clone(text)).into_sql_str()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::binds;

    static ONES: Rows = Rows::new("ones", |_| Cow::from("INSERT INTO one (a) VALUES ($1)"), &[]);
    static TWOS: Rows = Rows::new("twos", |_| Cow::from("INSERT INTO two (a, b) VALUES ($1, $2)"), &[]);

    fn taken(dialect: Dialect) -> (String, Vec<Value>) {
        let mut waiting = Waiting::default();
        waiting.add(&ONES, vec![binds![1]]);
        waiting.add(&TWOS, vec![binds![2, 3], binds![4, 5]]);
        waiting.add(&ONES, vec![binds![6]]);
        let (text, values) = waiting.take(dialect, None);
        assert!(waiting.is_empty());
        (text.as_str().to_owned(), values)
    }

    #[test]
    fn inserts_travel_together_in_order_with_parameters_of_their_own() {
        let (text, values) = taken(Dialect::Sqlite);
        assert_eq!(
            text,
            "INSERT INTO one (a) VALUES ($1);\nINSERT INTO two (a, b) VALUES ($2, $3), ($4, $5);\n\
             INSERT INTO one (a) VALUES ($6);\n"
        );
        assert_eq!(values, binds![1, 2, 3, 4, 5, 6]);
        let (text, _) = taken(Dialect::Postgres);
        assert_eq!(
            text,
            "WITH w0 AS (INSERT INTO one (a) VALUES ($1)), w1 AS (INSERT INTO two (a, b) VALUES ($2, $3), ($4, $5)) \
             INSERT INTO one (a) VALUES ($6)"
        );
        assert_eq!(taken(Dialect::Postgres).0, text, "and the same again");
    }

    #[test]
    fn a_question_comes_last() {
        static QUESTION: Statement =
            Statement::new("question", |_| Cow::from("SELECT a FROM two WHERE b = $1 AND c = '$1'"), &[]);
        let mut waiting = Waiting::default();
        waiting.add(&TWOS, vec![binds![1, 2]]);
        let (text, values) = waiting.take(Dialect::Sqlite, Some((&QUESTION, binds![3])));
        let expected = "INSERT INTO two (a, b) VALUES ($1, $2);\nSELECT a FROM two WHERE b = $3 AND c = '$1';\n";
        assert_eq!((text.as_str(), values), (expected, binds![1, 2, 3]));
    }

    #[test]
    fn much_does_not_wait() {
        let mut waiting = Waiting::default();
        waiting.add(&ONES, vec![binds!["a".repeat(MOST_BYTES)]]);
        assert!(!waiting.is_full());
        waiting.add(&ONES, vec![binds!["b"]]);
        assert!(waiting.is_full());
        let mut waiting = Waiting::default();
        waiting.add(&ONES, (0..=MOST_VALUES).map(|number| binds![number as i64]).collect());
        assert!(waiting.is_full());
    }

    #[test]
    fn one_alone_is_as_it_was_prepared() {
        let mut waiting = Waiting::default();
        waiting.add(&TWOS, vec![binds![1, 2]]);
        assert_eq!(waiting.take(Dialect::Postgres, None).0.as_str(), "INSERT INTO two (a, b) VALUES ($1, $2)");
    }
}
