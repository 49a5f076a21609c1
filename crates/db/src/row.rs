//! Rows on their way out of a statement.
use std::str::FromStr;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::StoreError;

/// One row of an answer.
pub struct Row(pub(crate) Driver);

pub(crate) enum Driver {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A place in a row: its column's name, or its number from 0.
pub trait ColumnIndex: Copy {
    /// The number, when the row has such a column.
    fn number(self, row: &Row) -> Result<usize, StoreError>;
}

impl ColumnIndex for usize {
    fn number(self, _: &Row) -> Result<usize, StoreError> {
        Ok(self)
    }
}

impl ColumnIndex for &str {
    fn number(self, row: &Row) -> Result<usize, StoreError> {
        match &row.0 {
            Driver::Sqlite(row) => row.try_column(self).map(|column| column.ordinal()),
            Driver::Postgres(row) => row.try_column(self).map(|column| column.ordinal()),
        }
        .map_err(|_| StoreError::Decode(self.to_owned()))
    }
}

/// A Rust type that can be read from a column.
pub trait FromColumn: Sized {
    /// Reads column number `at`.
    fn read(row: &Row, at: usize) -> Result<Self, StoreError>;
}

/// A Rust type made from a whole row.
pub trait FromRow: Sized {
    /// Reads it.
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl Row {
    /// The value of a column. NULL is an error unless `T` is an `Option`.
    pub fn get<T: FromColumn>(&self, place: impl ColumnIndex) -> Result<T, StoreError> {
        T::read(self, place.number(self)?)
    }

    /// The value of a TEXT column whose content `T` parses: states, kinds, sources.
    pub fn parse<T: FromStr>(&self, place: impl ColumnIndex) -> Result<T, StoreError> {
        let at = place.number(self)?;
        String::read(self, at)?.parse().map_err(|_| self.error(at))
    }

    /// The document in a TEXT column.
    pub fn json<T: serde::de::DeserializeOwned>(&self, place: impl ColumnIndex) -> Result<T, StoreError> {
        let at = place.number(self)?;
        serde_json::from_str(&String::read(self, at)?).map_err(|_| self.error(at))
    }

    fn is_null(&self, at: usize) -> Result<bool, StoreError> {
        match &self.0 {
            Driver::Sqlite(row) => row.try_get_raw(at).map(|value| value.is_null()),
            Driver::Postgres(row) => row.try_get_raw(at).map(|value| value.is_null()),
        }
        .map_err(|_| self.error(at))
    }

    /// Says which column was not as expected; its value stays here.
    fn error(&self, at: usize) -> StoreError {
        let name = match &self.0 {
            Driver::Sqlite(row) => row.columns().get(at).map(|column| column.name()),
            Driver::Postgres(row) => row.columns().get(at).map(|column| column.name()),
        };
        StoreError::Decode(name.map_or_else(|| at.to_string(), str::to_owned))
    }
}

macro_rules! field {
    ($($type:ty)*) => {$(
        impl FromColumn for $type {
            fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
                match &row.0 {
                    Driver::Sqlite(row) => row.try_get::<Option<$type>, _>(at),
                    Driver::Postgres(row) => row.try_get::<Option<$type>, _>(at),
                }
                .ok()
                .flatten()
                .ok_or_else(|| row.error(at))
            }
        }
    )*};
}

field! { Uuid bool String Vec<u8> }

/// PostgreSQL gives narrower numbers for some expressions (`length`, `CASE … 1`).
impl FromColumn for i64 {
    fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        match &row.0 {
            Driver::Sqlite(row) => row.try_get::<Option<i64>, _>(at),
            Driver::Postgres(row) => match row.try_column(at).map(|column| column.type_info().name()) {
                Ok("INT4") => row.try_get::<Option<i32>, _>(at).map(|number| number.map(i64::from)),
                Ok("INT2") => row.try_get::<Option<i16>, _>(at).map(|number| number.map(i64::from)),
                _ => row.try_get::<Option<i64>, _>(at),
            },
        }
        .ok()
        .flatten()
        .ok_or_else(|| row.error(at))
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        if row.is_null(at)? { Ok(None) } else { T::read(row, at).map(Some) }
    }
}

macro_rules! narrow {
    ($($type:ty)*) => {$(
        impl FromColumn for $type {
            fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
                i64::read(row, at)?.try_into().map_err(|_| row.error(at))
            }
        }
    )*};
}

narrow! { i32 u32 u16 u64 usize }

impl<const N: usize> FromColumn for [u8; N] {
    fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        Vec::<u8>::read(row, at)?.try_into().map_err(|_| row.error(at))
    }
}

macro_rules! tuples {
    ($(($($type:ident $at:tt),*);)*) => {$(
        impl<$($type: FromColumn),*> FromRow for ($($type,)*) {
            fn from_row(row: &Row) -> Result<Self, StoreError> {
                Ok(($($type::read(row, $at)?,)*))
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}

/// The first column of a row: `tx.one(&COUNT, binds![], first).await?`.
pub fn first<T: FromColumn>(row: &Row) -> Result<T, StoreError> {
    row.get(0)
}

/// Columns in order, as a tuple: `tx.all(&PAIRS, binds![], tuple).await?`.
pub fn tuple<T: FromRow>(row: &Row) -> Result<T, StoreError> {
    T::from_row(row)
}

/// `FromRow` for a struct whose fields are named like the columns: `from_row!(Member { group, user, since });`.
/// A field read in another way gives the expression: `from_row!(User { id, state: row => row.parse("state")? });`.
#[macro_export]
macro_rules! from_row {
    ($type:ty { $($field:ident $(: $row:ident => $read:expr)?),* $(,)? }) => {
        impl $crate::FromRow for $type {
            fn from_row(row: &$crate::Row) -> Result<Self, $crate::StoreError> {
                Ok(Self { $($field: $crate::from_row!(@field row $field $($row => $read)?)),* })
            }
        }
    };
    (@field $given:ident $field:ident) => { $given.get(stringify!($field))? };
    (@field $given:ident $field:ident $row:ident => $read:expr) => {{ let $row = $given; $read }};
}
