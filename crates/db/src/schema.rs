//! What the application keeps in its database: given to the store when it opens.
use sqlx::migrate::Migrator;

use crate::postgres::type_name;
use crate::{Dialect, Statement, Statements, UniqueIndex, open_transactions};

/// The tables, statements and indexes of an application.
pub struct Schema {
    /// The numbered texts that make the tables.
    pub migrations: &'static Migrator,
    /// The statements of each module. All are prepared when the store opens.
    pub statements: &'static [Statements],
    /// The unique indexes that callers tell apart. Each must exist.
    pub unique_indexes: &'static [UniqueIndex],
    /// SQLite: what is run when the file has been taken. No other process uses it then.
    pub when_file_is_taken: &'static str,
}

impl Schema {
    /// The number of the newest migration.
    #[must_use]
    pub fn newest(&self) -> i64 {
        self.migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
    }

    /// Every static statement.
    pub fn statements(&self) -> impl Iterator<Item = &'static Statement> {
        let own = std::iter::once(open_transactions::STATEMENTS);
        own.chain(self.statements.iter().copied()).flatten().flat_map(|list| list())
    }

    /// Every statement as `dialect` gets it.
    #[must_use]
    pub fn texts(&self, dialect: Dialect) -> Vec<StatementText> {
        let text = |statement: &'static Statement| StatementText {
            name: statement.name(),
            text: &statement.ready(dialect).text,
            types: statement.kinds().iter().map(|kind| type_name(*kind)).collect(),
        };
        self.statements().map(text).collect()
    }
}

/// A statement as a database gets it, for those who look at plans.
pub struct StatementText {
    /// The statement's name.
    pub name: &'static str,
    /// What the database gets.
    pub text: &'static str,
    /// The types of its parameters, as PostgreSQL names them, where they are declared.
    pub types: Vec<&'static str>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").field("newest", &self.newest()).finish_non_exhaustive()
    }
}
