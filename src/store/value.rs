//! Values on their way into a statement.
use sqlx::{Arguments, postgres::PgArguments, sqlite::SqliteArguments};
use uuid::Uuid;

use crate::domain::id::Id;
use crate::domain::time::Timestamp;

/// The five column types of the house.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
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
pub enum Value {
    /// No value, of a column of this type.
    Null(Kind),
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

impl Value {
    /// The bytes it takes besides its place.
    pub(super) fn len(&self) -> usize {
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
    const KIND: Kind;
    /// The stored form.
    fn bind(self) -> Value;
}

impl<T: Bind> From<T> for Value {
    fn from(value: T) -> Self {
        value.bind()
    }
}

macro_rules! bind {
    ($($type:ty => $kind:ident($value:ident) $stored:expr;)*) => {$(
        impl Bind for $type {
            const KIND: Kind = Kind::$kind;
            fn bind(self) -> Value {
                let $value = self;
                Value::$kind($stored)
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
    Timestamp => I64(time) time.micros();
    &str => Text(text) text.to_owned();
    &String => Text(text) text.clone();
    String => Text(text) text;
    &[u8] => Bytes(bytes) bytes.to_vec();
    &Vec<u8> => Bytes(bytes) bytes.clone();
    Vec<u8> => Bytes(bytes) bytes;
}

impl<const N: usize> Bind for [u8; N] {
    const KIND: Kind = Kind::Bytes;
    fn bind(self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl<T: Id> Bind for T {
    const KIND: Kind = Kind::Uuid;
    fn bind(self) -> Value {
        Value::Uuid(self.uuid())
    }
}

impl<'a, T> Bind for &'a Option<T>
where
    &'a T: Bind,
{
    const KIND: Kind = <&'a T as Bind>::KIND;
    fn bind(self) -> Value {
        self.as_ref().bind()
    }
}

impl<const N: usize> Bind for &[u8; N] {
    const KIND: Kind = Kind::Bytes;
    fn bind(self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl<T: Bind> Bind for Option<T> {
    const KIND: Kind = T::KIND;
    fn bind(self) -> Value {
        self.map_or(Value::Null(T::KIND), T::bind)
    }
}

/// The values of a statement, each turned into its stored form: `binds![user.id, name, None::<String>]`.
#[macro_export]
macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}

/// Encoding one of the five kinds cannot fail in either driver, so a failure is only passed on for the driver to say.
type Encoded<T> = Result<T, sqlx::error::BoxDynError>;

pub(super) fn sqlite(values: Vec<Value>) -> Encoded<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Null(_) => arguments.add(None::<i64>)?,
            Value::Uuid(id) => arguments.add(id)?,
            Value::Bool(truth) => arguments.add(truth)?,
            Value::I64(number) => arguments.add(number)?,
            Value::Text(text) => arguments.add(text)?,
            Value::Bytes(bytes) => arguments.add(bytes)?,
        }
    }
    Ok(arguments)
}

pub(super) fn postgres(values: Vec<Value>) -> Encoded<PgArguments> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), 16 * values.len());
    for value in values {
        match value {
            Value::Null(Kind::Uuid) => arguments.add(None::<Uuid>)?,
            Value::Null(Kind::Bool) => arguments.add(None::<bool>)?,
            Value::Null(Kind::I64) => arguments.add(None::<i64>)?,
            Value::Null(Kind::Text) => arguments.add(None::<String>)?,
            Value::Null(Kind::Bytes) => arguments.add(None::<Vec<u8>>)?,
            Value::Uuid(id) => arguments.add(id)?,
            Value::Bool(truth) => arguments.add(truth)?,
            Value::I64(number) => arguments.add(number)?,
            Value::Text(text) => arguments.add(text)?,
            Value::Bytes(bytes) => arguments.add(bytes)?,
        }
    }
    Ok(arguments)
}

/// An array for each parameter of one or several statements, with one element of each of its rows.
pub(super) fn postgres_arrays(all: Vec<(&[Kind], Vec<Vec<Value>>)>) -> Encoded<PgArguments> {
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
                        Some(Value::$kind(element)) => Ok(Some(element)),
                        Some(Value::Null(Kind::$kind)) => Ok(None),
                        _ => Err("a row with a value of another kind"),
                    };
                    arguments.add(column.map(element).collect::<Result<Vec<_>, _>>()?)?
                }};
            }
            match kind {
                Kind::Uuid => array!(Uuid),
                Kind::Bool => array!(Bool),
                Kind::I64 => array!(I64),
                Kind::Text => array!(Text),
                Kind::Bytes => array!(Bytes),
            }
        }
    }
    Ok(arguments)
}
