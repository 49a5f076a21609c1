//! Values on their way into a statement.
use sqlx::{Arguments, postgres::PgArguments, sqlite::SqliteArguments};
use uuid::Uuid;

/// The five column types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SqlType {
    /// `UUID`; a 16-byte blob in SQLite.
    Uuid,
    /// `BOOLEAN`.
    Bool,
    /// `BIGINT`.
    I64,
    /// `TEXT`.
    Text,
    /// `BYTEA`.
    Bytes,
}

/// One bound value. PostgreSQL wants the type of a NULL too.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SqlValue {
    /// No value, of a column of this type.
    Null(SqlType),
    /// An id.
    Uuid(Uuid),
    /// A truth value.
    Bool(bool),
    /// A number, or a time in microseconds.
    I64(i64),
    /// A text, or a document.
    Text(String),
    /// Bytes: folded keys, hashes, sealed secrets.
    Bytes(Vec<u8>),
}

impl SqlValue {
    /// The bytes it takes besides its place.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Null(_) | Self::Uuid(_) | Self::Bool(_) | Self::I64(_) => 0,
        }
    }
}

/// A Rust type that can be bound to a parameter. Implement it for a newtype by naming the type it is stored as.
pub trait Bind {
    /// The column type it is stored in.
    const KIND: SqlType;
    /// The stored form.
    fn bind(self) -> SqlValue;
}

impl<T: Bind> From<T> for SqlValue {
    fn from(value: T) -> Self {
        value.bind()
    }
}

macro_rules! bind {
    ($($type:ty => $kind:ident($value:ident) $stored:expr;)*) => {$(
        impl Bind for $type {
            const KIND: SqlType = SqlType::$kind;
            fn bind(self) -> SqlValue {
                let $value = self;
                SqlValue::$kind($stored)
            }
        }
    )*};
}

bind! {
    Uuid => Uuid(id) id;
    bool => Bool(truth) truth;
    i64 => I64(number) number;
    i32 => I64(number) number.into();
    u32 => I64(number) number.into();
    u16 => I64(number) number.into();
    &str => Text(text) text.to_owned();
    &String => Text(text) text.clone();
    String => Text(text) text;
    &[u8] => Bytes(bytes) bytes.to_vec();
    &Vec<u8> => Bytes(bytes) bytes.clone();
    Vec<u8> => Bytes(bytes) bytes;
}

impl<const N: usize> Bind for [u8; N] {
    const KIND: SqlType = SqlType::Bytes;
    fn bind(self) -> SqlValue {
        SqlValue::Bytes(self.to_vec())
    }
}

impl<'a, T> Bind for &'a Option<T>
where
    &'a T: Bind,
{
    const KIND: SqlType = <&'a T as Bind>::KIND;
    fn bind(self) -> SqlValue {
        self.as_ref().bind()
    }
}

impl<const N: usize> Bind for &[u8; N] {
    const KIND: SqlType = SqlType::Bytes;
    fn bind(self) -> SqlValue {
        SqlValue::Bytes(self.to_vec())
    }
}

impl<T: Bind> Bind for Option<T> {
    const KIND: SqlType = T::KIND;
    fn bind(self) -> SqlValue {
        self.map_or(SqlValue::Null(T::KIND), T::bind)
    }
}

/// The values of a statement, each turned into its stored form: `binds![user.id, name, None::<String>]`.
#[macro_export]
macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::SqlValue::from($value)),*] };
}

/// Encoding one of the five kinds cannot fail in either driver, so a failure is only passed on for the driver to say.
type Encoded<T> = Result<T, sqlx::error::BoxDynError>;

pub(crate) fn sqlite(values: Vec<SqlValue>) -> Encoded<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            SqlValue::Null(_) => arguments.add(None::<i64>)?,
            SqlValue::Uuid(id) => arguments.add(id)?,
            SqlValue::Bool(truth) => arguments.add(truth)?,
            SqlValue::I64(number) => arguments.add(number)?,
            SqlValue::Text(text) => arguments.add(text)?,
            SqlValue::Bytes(bytes) => arguments.add(bytes)?,
        }
    }
    Ok(arguments)
}

pub(crate) fn postgres(values: Vec<SqlValue>) -> Encoded<PgArguments> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), 16 * values.len());
    for value in values {
        match value {
            SqlValue::Null(SqlType::Uuid) => arguments.add(None::<Uuid>)?,
            SqlValue::Null(SqlType::Bool) => arguments.add(None::<bool>)?,
            SqlValue::Null(SqlType::I64) => arguments.add(None::<i64>)?,
            SqlValue::Null(SqlType::Text) => arguments.add(None::<String>)?,
            SqlValue::Null(SqlType::Bytes) => arguments.add(None::<Vec<u8>>)?,
            SqlValue::Uuid(id) => arguments.add(id)?,
            SqlValue::Bool(truth) => arguments.add(truth)?,
            SqlValue::I64(number) => arguments.add(number)?,
            SqlValue::Text(text) => arguments.add(text)?,
            SqlValue::Bytes(bytes) => arguments.add(bytes)?,
        }
    }
    Ok(arguments)
}

/// An array for each parameter of one or several statements, with one element of each of its rows.
pub(crate) fn postgres_arrays(all: Vec<(&[SqlType], Vec<Vec<SqlValue>>)>) -> Encoded<PgArguments> {
    let mut arguments = PgArguments::default();
    let columns = all.iter().map(|(kinds, _)| kinds.len()).sum();
    arguments.reserve(columns, all.iter().map(|(kinds, rows)| 24 * kinds.len() * rows.len()).sum());
    for (kinds, rows) in all {
        let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
        for kind in kinds {
            let column = rows.iter_mut().map(Iterator::next);
            macro_rules! array {
                ($kind:ident) => {{
                    let element = |value| match value {
                        Some(SqlValue::$kind(element)) => Ok(Some(element)),
                        Some(SqlValue::Null(SqlType::$kind)) => Ok(None),
                        _ => Err("a row with a value of another kind"),
                    };
                    arguments.add(column.map(element).collect::<Result<Vec<_>, _>>()?)?
                }};
            }
            match kind {
                SqlType::Uuid => array!(Uuid),
                SqlType::Bool => array!(Bool),
                SqlType::I64 => array!(I64),
                SqlType::Text => array!(Text),
                SqlType::Bytes => array!(Bytes),
            }
        }
    }
    Ok(arguments)
}
