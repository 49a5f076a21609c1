//! Statements: static texts, each known by name, written once for both databases.
use std::borrow::Cow;
use std::sync::OnceLock;

use crate::bulk::{self, StatementShape};
use crate::deferred_inserts::ComposedSql;
use crate::{Dialect, SqlType};

/// A static SQL text. Declared by [`statements!`](crate::statements), so that it is prepared when the store opens.
pub struct Statement {
    name: &'static str,
    text: fn(Dialect) -> Cow<'static, str>,
    shape: StatementShape,
    kinds: &'static [SqlType],
    ready: [OnceLock<PreparedText>; 2],
}

/// A text as the database gets it.
pub(crate) struct PreparedText {
    pub(crate) text: Cow<'static, str>,
    /// The highest `$n` in it.
    pub(crate) parameters: usize,
}

impl Statement {
    #[doc(hidden)]
    pub const fn new(name: &'static str, text: fn(Dialect) -> Cow<'static, str>, kinds: &'static [SqlType]) -> Self {
        Self::shaped(name, text, kinds, StatementShape::Once)
    }

    pub(crate) const fn shaped(
        name: &'static str,
        text: fn(Dialect) -> Cow<'static, str>,
        kinds: &'static [SqlType],
        shape: StatementShape,
    ) -> Self {
        Self { name, text, shape, kinds, ready: [OnceLock::new(), OnceLock::new()] }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What tells it from every other: the sizes of a template have one name.
    pub(crate) fn form(&self) -> (&'static str, StatementShape) {
        (self.name, self.shape)
    }

    /// Declared parameter types, for the rare text from which PostgreSQL cannot infer them; usually empty.
    pub(crate) fn kinds(&self) -> &'static [SqlType] {
        self.kinds
    }

    pub(crate) fn ready(&self, dialect: Dialect) -> &PreparedText {
        let [sqlite, postgres] = &self.ready;
        let slot = match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        };
        slot.get_or_init(|| {
            let text = dialect.steady(bulk::expand((self.text)(dialect), self.shape, dialect));
            let parameters = parameters(&text);
            PreparedText { text, parameters }
        })
    }
}

/// The highest parameter number in a text; `$n` inside quotes does not count.
pub(crate) fn parameters(text: &str) -> usize {
    let mut highest = 0;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), close) if open == close => quote = None,
            (None, '$') => {
                let digits = rest.as_str().split(|next: char| !next.is_ascii_digit()).next().unwrap_or_default();
                highest = highest.max(digits.parse().unwrap_or(0));
            }
            _ => {}
        }
    }
    highest
}

/// What a table module lists: one statement, or the sizes of one template.
pub trait StatementSet {
    #[doc(hidden)]
    fn list(&'static self) -> Vec<&'static Statement>;
}

impl StatementSet for Statement {
    fn list(&'static self) -> Vec<&'static Statement> {
        vec![self]
    }
}

/// The statements of one table module.
pub type Statements = &'static [fn() -> Vec<&'static Statement>];

/// Declares the statements of a table module, and `STATEMENTS`, the list that `registry.rs` names.
///
/// ```ignore
/// statements! {
///     BY_ID = "SELECT id, name FROM partner WHERE id = $1";
///     CLAIM(dialect) = format!("SELECT … {}", dialect.for_update_skip_locked());   // text built once, at start
///     COLUMNS = format!("SELECT {COLUMNS_OF_USER} FROM live_person WHERE id = $1");
///     INSERT_MEMBERS: rows = "INSERT INTO member (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING";  // execute_rows
///     ADD: insert[Uuid, Text] = "INSERT INTO note (id, words) VALUES ($1, $2)";                       // later
///     MEMBERS_AMONG: set = "SELECT b FROM member WHERE a = $1 AND b IN ($2)";                     // all_in
///     MEMBER: question[Uuid, Uuid] = "SELECT b FROM member WHERE a = $1 AND b = $2";              // Store::ask
/// }
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident $(: $shape:ident)? $(($dialect:ident))? $([$($kind:ident),*])? = $text:expr;)*) => {
        $(
            $(#[$doc])*
            static $name: $crate::statements!(@type $($shape)?) = <$crate::statements!(@type $($shape)?)>::new(
                concat!(module_path!(), "::", stringify!($name)),
                |_dialect| {
                    $(let $dialect = _dialect;)?
                    ::std::borrow::Cow::from($text)
                },
                &[$($($crate::SqlType::$kind),*)?],
            );
        )*
        /// Every statement of this module.
        pub static STATEMENTS: $crate::Statements = &[$(|| $crate::StatementSet::list(&$name)),*];
    };
    (@type) => { $crate::Statement };
    (@type rows) => { $crate::Rows };
    (@type insert) => { $crate::Insert };
    (@type set) => { $crate::IdSet };
    (@type question) => { $crate::BatchedQuery };
}

/// What a verb runs: a declared statement, or a text composed from parts by `search`.
pub struct Sql(pub(crate) SqlSource);

pub(crate) enum SqlSource {
    Declared(&'static Statement),
    Composed {
        name: &'static str,
        text: String,
    },
    /// Declared statements that travel together.
    Together {
        name: &'static str,
        whole: ComposedSql,
    },
}

impl From<&'static Statement> for Sql {
    fn from(statement: &'static Statement) -> Self {
        Self(SqlSource::Declared(statement))
    }
}

impl Sql {
    /// A text composed at run time from constant parts and parameters. Only for `store::search`: input goes into
    /// binds, never into the text. `name` stands in the log.
    pub fn composed(name: &'static str, text: String) -> Self {
        Self(SqlSource::Composed { name, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_outside_quotes() {
        assert_eq!(parameters("SELECT 1"), 0);
        assert_eq!(parameters("SELECT $2, '$7', \"$8\", 'it''s $9' WHERE a = $1 AND b IN ($10,$3)"), 10);
    }
}
