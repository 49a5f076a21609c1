//! What can go wrong in the store, as far as callers may know it. Driver messages stop here: they are logged once,
//! with the statement's name, and never travel further.
use sqlx::error::{DatabaseError, ErrorKind};

use crate::Dialect;
use crate::unique_index::{IndexNames, UniqueIndex};

/// Why a read or a write did not happen. After any of them nothing of the write is kept.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A row with the same unique key exists.
    #[error("a row with the same unique key exists ({0:?})")]
    Unique(UniqueIndex),
    /// A row referred to does not exist, or a row to be deleted is still referred to.
    #[error("a row that is referred to does not exist, or is still in use")]
    ForeignKey,
    /// A value is missing where one must be, or breaks a CHECK of its table.
    #[error("a value is missing or not allowed")]
    Check,
    /// There is no such row.
    #[error("there is no such row")]
    NotFound,
    /// A write or a read was begun inside a write: it would wait for itself.
    #[error("a store call was made inside a write; use its transaction instead")]
    Nested,
    /// An earlier statement of this transaction failed, and its error was passed over.
    #[error("an earlier statement of this transaction failed")]
    Failed,
    /// The database undid the transaction. On PostgreSQL, when the connection broke during the commit, it may be kept.
    #[error("the database lost the transaction; try again")]
    Lost,
    /// Other writers kept changing the same rows, however often it was tried.
    #[error("too many writers change the same rows; try again")]
    Conflict,
    /// The time given to a read ran out.
    #[error("the read took too long")]
    TooLong,
    /// The disk is full, or the database has reached its size limit.
    #[error("the database is full")]
    Full,
    /// The database is not there, or has no connection free.
    #[error("the database is not available; try again")]
    Unavailable,
    /// The database did not answer in the time it has for it.
    #[error("the database does not answer in time; try again")]
    Unanswered,
    /// Another writer held the rows longer than anybody waits for them (PostgreSQL).
    #[error("another writer holds the same rows; try again")]
    Held,
    /// The database takes no writes: it is a replica by now, or its file may only be read.
    #[error("the database takes no writes")]
    ReadOnly,
    /// What the database has stored is damaged. Trying again does not help.
    #[error("the database is damaged; `rolecall doctor` says where")]
    Damaged,
    /// A column does not hold what the program expects there.
    #[error("column {0} does not hold what was expected")]
    Decode(String),
    /// A statement was given another number of values than it has parameters. A mistake of the program.
    #[error("statement {0} was given a wrong number of values")]
    Binds(&'static str),
    /// The database refused a statement. A mistake of the program; the log names it.
    #[error("the database refused statement {0}")]
    Refused(&'static str),
}

impl StoreError {
    /// A connection could not be had: whatever the reason, the database is not there for us now.
    pub(crate) fn unreachable(error: &sqlx::Error) -> Self {
        tracing::error!(%error, "no connection to the database");
        match error {
            sqlx::Error::PoolTimedOut => Self::Unanswered,
            _ => Self::Unavailable,
        }
    }

    /// Whether the same request may well succeed a moment later, nothing being wrong with it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Lost
            | Self::Conflict
            | Self::TooLong
            | Self::Full
            | Self::Unavailable
            | Self::Unanswered
            | Self::Held
            | Self::ReadOnly => true,
            Self::Unique(_)
            | Self::ForeignKey
            | Self::Check
            | Self::NotFound
            | Self::Nested
            | Self::Failed
            | Self::Damaged
            | Self::Decode(_)
            | Self::Binds(_)
            | Self::Refused(_) => false,
        }
    }

    /// The error of `statement`, logged when it is one that should not happen.
    pub(crate) fn of(statement: &'static str, error: sqlx::Error, dialect: Dialect, catalog: &IndexNames) -> Self {
        let kind = match &error {
            sqlx::Error::RowNotFound => return Self::NotFound,
            sqlx::Error::Database(database) => of_database(statement, &**database, dialect, catalog),
            sqlx::Error::ColumnNotFound(column) => Self::Decode(column.clone()),
            sqlx::Error::ColumnDecode { index, .. } => Self::Decode(index.clone()),
            sqlx::Error::PoolTimedOut => Self::Unanswered,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable,
            _ => Self::Refused(statement),
        };
        if !matches!(kind, Self::Unique(_) | Self::ForeignKey | Self::Conflict) {
            tracing::error!(statement, %error, "the database refused a statement");
        }
        kind
    }
}

fn of_database(
    statement: &'static str,
    error: &dyn DatabaseError,
    dialect: Dialect,
    catalog: &IndexNames,
) -> StoreError {
    match error.kind() {
        ErrorKind::UniqueViolation => StoreError::Unique(match dialect {
            Dialect::Sqlite => catalog.violated(error.message()),
            Dialect::Postgres => catalog.named(error.constraint().unwrap_or_default()),
        }),
        ErrorKind::ForeignKeyViolation => StoreError::ForeignKey,
        ErrorKind::NotNullViolation | ErrorKind::CheckViolation => StoreError::Check,
        _ => match dialect {
            Dialect::Sqlite => of_sqlite(statement, error),
            Dialect::Postgres => of_postgres(statement, error),
        },
    }
}

/// Primary result codes: <https://www.sqlite.org/rescode.html>.
fn of_sqlite(statement: &'static str, error: &dyn DatabaseError) -> StoreError {
    let code: i64 = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    match code & 0xff {
        13 => StoreError::Full,
        9 => StoreError::TooLong,
        8 => StoreError::ReadOnly,
        11 | 26 => StoreError::Damaged,
        5 | 6 | 10 | 14 => StoreError::Unavailable,
        _ => StoreError::Refused(statement),
    }
}

/// SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(statement: &'static str, error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default();
    match &*code {
        "40001" | "40P01" => StoreError::Conflict,
        "53100" => StoreError::Full,
        "57014" => StoreError::TooLong,
        "55P03" => StoreError::Held,
        "25006" => StoreError::ReadOnly,
        // This program stood still in the middle of a transaction, and the server has ended it meanwhile.
        "25P03" => StoreError::Unavailable,
        "XX001" | "XX002" => StoreError::Damaged,
        code if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => StoreError::Unavailable,
        _ => StoreError::Refused(statement),
    }
}

/// Why a store could not be opened, as a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub(crate) String);
