//! Templates for many rows at a time: one statement a row costs about 50 µs, a multi-row one a few.
//!
//! Each template exists in several sizes, all prepared at start; any number of rows is a mix of them.
use std::borrow::Cow;

use crate::statement::{Statement, StatementSet};
use crate::{Dialect, SqlType, SqlValue, batcher, postgres};

/// The sizes of a template, largest first. One request writes two or three events: they go in one statement.
const SIZES: [usize; 6] = [256, 64, 16, 3, 2, 1];

/// How a template's text grows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum StatementShape {
    /// Not at all.
    Once,
    /// `VALUES ($1, $2)` becomes as many rows.
    Rows(usize),
    /// `IN ($2)`, with the highest parameter, becomes as many elements.
    Set(usize),
    /// Each parameter, of these types, becomes an array with one element of each question (PostgreSQL).
    Each(&'static [SqlType]),
    /// Each row tells the number of its question (SQLite).
    Numbered(usize),
    /// Each parameter of `VALUES ($1, $2)`, of these types, becomes an array with one element of each row (PostgreSQL).
    Columns(&'static [SqlType]),
}

/// An `INSERT … VALUES (…)` of one row that is run with many; see `Tx::execute_rows`. All parameters stand inside
/// the VALUES row.
pub struct Rows {
    sizes: [Statement; SIZES.len()],
}

/// A statement over a set of ids, `… IN ($n)`, with the set as its highest parameter; see `Reader::all_in`.
pub struct IdSet {
    sizes: [Statement; SIZES.len()],
}

/// A `rows` template whose inserts may wait, and then travel with others; see `Tx::later`. The types of its parameters
/// are declared.
pub struct Insert {
    rows: Rows,
    columns: Statement,
    kinds: &'static [SqlType],
}

impl Insert {
    #[doc(hidden)]
    pub const fn new(name: &'static str, text: fn(Dialect) -> Cow<'static, str>, kinds: &'static [SqlType]) -> Self {
        let columns = Statement::shaped(name, text, &[], StatementShape::Columns(kinds));
        Self { rows: Rows::new(name, text, &[]), columns, kinds }
    }

    /// The same as any other template.
    pub fn rows(&'static self) -> &'static Rows {
        &self.rows
    }

    /// The form for any number of rows, with an array for each parameter.
    pub(crate) fn columns(&'static self) -> &'static Statement {
        &self.columns
    }

    pub(crate) fn kinds(&self) -> &'static [SqlType] {
        self.kinds
    }
}

impl Rows {
    #[doc(hidden)]
    pub const fn new(name: &'static str, text: fn(Dialect) -> Cow<'static, str>, kinds: &'static [SqlType]) -> Self {
        let [most, more, many, three, two, one] = SIZES;
        Self {
            sizes: [
                Statement::shaped(name, text, kinds, StatementShape::Rows(most)),
                Statement::shaped(name, text, kinds, StatementShape::Rows(more)),
                Statement::shaped(name, text, kinds, StatementShape::Rows(many)),
                Statement::shaped(name, text, kinds, StatementShape::Rows(three)),
                Statement::shaped(name, text, kinds, StatementShape::Rows(two)),
                Statement::shaped(name, text, kinds, StatementShape::Rows(one)),
            ],
        }
    }

    /// The template itself, for one row.
    pub(crate) fn one(&'static self) -> &'static Statement {
        let [.., one] = &self.sizes;
        one
    }

    /// The largest size that `rows` fill, and how many rows it takes.
    pub(crate) fn fitting(&'static self, rows: usize) -> Option<(&'static Statement, usize)> {
        self.sizes.iter().zip(SIZES).find(|(_, size)| *size <= rows)
    }
}

impl IdSet {
    #[doc(hidden)]
    pub const fn new(name: &'static str, text: fn(Dialect) -> Cow<'static, str>, kinds: &'static [SqlType]) -> Self {
        let [most, more, many, three, two, one] = SIZES;
        Self {
            sizes: [
                Statement::shaped(name, text, kinds, StatementShape::Set(most)),
                Statement::shaped(name, text, kinds, StatementShape::Set(more)),
                Statement::shaped(name, text, kinds, StatementShape::Set(many)),
                Statement::shaped(name, text, kinds, StatementShape::Set(three)),
                Statement::shaped(name, text, kinds, StatementShape::Set(two)),
                Statement::shaped(name, text, kinds, StatementShape::Set(one)),
            ],
        }
    }

    /// The smallest size that holds `ids`, with its values: the rest of the set is filled by repeating one of them.
    /// `None` for an empty set.
    pub(crate) fn filled(
        &'static self,
        fixed: &[SqlValue],
        ids: &[SqlValue],
    ) -> Option<(&'static Statement, Vec<SqlValue>)> {
        let last = ids.last()?;
        let (statement, size) = self.sizes.iter().zip(SIZES).rev().find(|(_, size)| ids.len() <= *size)?;
        let padding = std::iter::repeat_n(last, size - ids.len());
        Some((statement, fixed.iter().chain(ids).chain(padding).cloned().collect()))
    }
}

/// The most rows or ids one statement takes.
pub(crate) const MOST: usize = 256;

impl StatementSet for Rows {
    fn list(&'static self) -> Vec<&'static Statement> {
        self.sizes.iter().collect()
    }
}

impl StatementSet for Insert {
    fn list(&'static self) -> Vec<&'static Statement> {
        self.rows.sizes.iter().chain([&self.columns]).collect()
    }
}

impl StatementSet for IdSet {
    fn list(&'static self) -> Vec<&'static Statement> {
        self.sizes.iter().collect()
    }
}

/// The text of a template at a size. A text without the expected place is left alone: the check at start reports it.
pub(crate) fn expand(text: Cow<'static, str>, shape: StatementShape, dialect: Dialect) -> Cow<'static, str> {
    let expanded = match shape {
        StatementShape::Once | StatementShape::Rows(1) | StatementShape::Set(1) => None,
        StatementShape::Each(kinds) => (dialect == Dialect::Postgres).then(|| batcher::expand(&text, kinds)),
        StatementShape::Columns(kinds) if dialect == Dialect::Postgres => expand_columns(&text, kinds),
        StatementShape::Columns(_) => None,
        StatementShape::Numbered(number) => {
            Some(format!("SELECT answer.*, {number} AS question_number FROM ({text}) AS answer"))
        }
        StatementShape::Rows(rows) => expand_rows(&text, rows),
        StatementShape::Set(ids) => expand_set(&text, ids),
    };
    expanded.map_or(text, Cow::Owned)
}

fn expand_rows(text: &str, rows: usize) -> Option<String> {
    let (before, row, after) = row_of(text)?;
    let width = crate::statement::parameters(row);
    let all: Vec<String> = (0..rows).map(|number| renumbered(row, number * width)).collect();
    Some(format!("{before}VALUES {}{after}", all.join(", ")))
}

fn expand_columns(text: &str, kinds: &[SqlType]) -> Option<String> {
    let (before, row, after) = row_of(text)?;
    let row = named(row.strip_prefix('(')?.strip_suffix(')')?, kinds, "item");
    Some(format!("{before}SELECT {row} FROM unnest({}) AS item ({}){after}", arrays(kinds), names(kinds)))
}

/// What stands before `VALUES`, its row, and what stands behind that.
fn row_of(text: &str) -> Option<(&str, &str, &str)> {
    let values = text.find("VALUES")?;
    let from = values + text.get(values..)?.find('(')?;
    let to = from + closing(text.get(from..)?)?;
    Some((text.get(..values)?, text.get(from..to)?, text.get(to..)?))
}

/// An array for each parameter of these types.
pub(crate) fn arrays(kinds: &[SqlType]) -> String {
    let array = |(at, kind): (usize, &SqlType)| format!("${at}::{}[]", postgres::type_name(*kind));
    (1..).zip(kinds).map(array).collect::<Vec<_>>().join(", ")
}

/// Names for their elements.
pub(crate) fn names(kinds: &[SqlType]) -> String {
    (1..=kinds.len()).map(|at| format!("value_{at}")).collect::<Vec<_>>().join(", ")
}

/// `text` with the elements of `table` for the parameters. The highest number first: `$1` begins `$10`, too.
pub(crate) fn named(text: &str, kinds: &[SqlType], table: &str) -> String {
    let name = |text: String, at| text.replace(&format!("${at}"), &format!("{table}.value_{at}"));
    (1..=kinds.len()).rev().fold(text.to_owned(), name)
}

fn expand_set(text: &str, ids: usize) -> Option<String> {
    let last = crate::statement::parameters(text);
    let one = format!("(${last})");
    let all: Vec<String> = (last..last + ids).map(|number| format!("${number}")).collect();
    text.contains(&one).then(|| text.replace(&one, &format!("({})", all.join(", "))))
}

/// The length of the parenthesis that `text` begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, char) in text.char_indices() {
        match char {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `text` with each `$n` as `$(n + offset)`; a `$` inside quotes is none.
pub(crate) fn renumbered(text: &str, offset: usize) -> String {
    let mut renumbered = String::with_capacity(text.len() + 64);
    let (mut quote, mut from) = (None, 0);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            (None, b'$') => {
                let digits = text.get(at + 1..).unwrap_or_default();
                let digits = digits.split(|next: char| !next.is_ascii_digit()).next().unwrap_or_default();
                let number: usize = digits.parse().unwrap_or(0);
                renumbered.push_str(text.get(from..=at).unwrap_or_default());
                renumbered.push_str(&(number + offset).to_string());
                from = at + 1 + digits.len();
            }
            _ => {}
        }
    }
    renumbered.push_str(text.get(from..).unwrap_or_default());
    renumbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_repeated_with_its_own_parameters() {
        let text = "INSERT INTO t (a, b, c) VALUES ($1, lower($2), $1) ON CONFLICT (a) DO UPDATE SET b = excluded.b";
        assert_eq!(
            expand(text.into(), StatementShape::Rows(3), Dialect::Sqlite),
            "INSERT INTO t (a, b, c) VALUES ($1, lower($2), $1), ($3, lower($4), $3), ($5, lower($6), $5) \
             ON CONFLICT (a) DO UPDATE SET b = excluded.b"
        );
    }

    #[test]
    fn a_row_is_taken_from_arrays() {
        let text =
            "INSERT INTO t (a, b, c) VALUES ($1, lower($2), (SELECT d FROM u WHERE e = $1)) ON CONFLICT DO NOTHING";
        let shape = StatementShape::Columns(&[SqlType::Uuid, SqlType::Text]);
        assert_eq!(
            expand(text.into(), shape, Dialect::Postgres),
            "INSERT INTO t (a, b, c) SELECT item.value_1, lower(item.value_2), (SELECT d FROM u WHERE e = item.value_1) \
             FROM unnest($1::uuid[], $2::text[]) AS item (value_1, value_2) ON CONFLICT DO NOTHING"
        );
        assert_eq!(expand(text.into(), shape, Dialect::Sqlite), text);
    }

    #[test]
    fn what_stands_in_quotes_is_no_parameter() {
        let text = "SELECT json_extract(a, '$.\"$1\"'), \"$2\" FROM t WHERE b = $1 AND c = $12";
        assert_eq!(renumbered(text, 3), "SELECT json_extract(a, '$.\"$1\"'), \"$2\" FROM t WHERE b = $4 AND c = $15");
    }

    #[test]
    fn a_set_grows_behind_the_fixed_parameters() {
        assert_eq!(
            expand("SELECT a FROM t WHERE b = $1 AND c IN ($2)".into(), StatementShape::Set(3), Dialect::Sqlite),
            "SELECT a FROM t WHERE b = $1 AND c IN ($2, $3, $4)"
        );
    }
}
