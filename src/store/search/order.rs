//! The order of a list: a sort key, then the id. Missing keys come last ascending and first descending.
use super::{Composer, Of};
use crate::domain::filter::{FieldType, FilterField};
use crate::domain::page::{Position, Sort, SortKey};
use crate::store::{Row, StoreError};

/// An order, ready to be written into a text.
pub(super) struct SqlOrder {
    key: Option<Key>,
    /// The id column, which breaks ties.
    id: &'static str,
    descending: bool,
    /// Whether it is read from its end.
    backwards: bool,
}

/// What rows are ordered by.
struct Key {
    sql: String,
    kind: KeyKind,
    /// It is a column that is never NULL, and may have an index.
    column: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    /// Folded text as bytes.
    Bytes,
    /// Text, ordered by code point.
    Text,
    /// A number.
    Number,
}

impl SqlOrder {
    /// The order `sort` asks for; by id alone when it asks for nothing that can be ordered by.
    pub(super) fn new(composer: &mut Composer, sort: Option<&Sort>, backwards: bool) -> Self {
        let id = match composer.of {
            Of::Users => "u.id",
            Of::Groups => "g.id",
        };
        Self {
            key: sort.and_then(|sort| key(composer, sort)),
            id,
            descending: sort.is_some_and(|sort| sort.descending) != backwards,
            backwards,
        }
    }

    /// What is read as the sort key of a row.
    pub(super) fn selected(&self) -> &str {
        self.key.as_ref().map_or("NULL", |key| &key.sql)
    }

    /// `ORDER BY …`.
    pub(super) fn clause(&self) -> String {
        let id = self.id;
        let ties = if self.backwards { " DESC" } else { "" };
        match &self.key {
            // Where nothing is missing, it need not be said where what is missing stands: SQLite would not use the index.
            Some(Key { sql, column: true, .. }) => {
                format!("ORDER BY {sql}{}, {id}{ties}", if self.descending { " DESC" } else { "" })
            }
            Some(Key { sql, .. }) if self.descending => format!("ORDER BY {sql} DESC NULLS FIRST, {id}{ties}"),
            Some(Key { sql, .. }) => format!("ORDER BY {sql} ASC NULLS LAST, {id}{ties}"),
            None if self.descending => format!("ORDER BY {id} DESC"),
            None => format!("ORDER BY {id}"),
        }
    }

    /// The condition of the rows that follow `position`.
    pub(super) fn after(&self, composer: &mut Composer, position: &Position) -> String {
        let id = composer.bind(position.id);
        let Some(Key { sql, kind, column }) = &self.key else {
            let sign = if self.descending { "<" } else { ">" };
            return format!("{} {sign} {id}", self.id);
        };
        let tie = format!("{} {} {id}", self.id, if self.backwards { "<" } else { ">" });
        let key = match (kind, &position.key) {
            (KeyKind::Bytes, Some(SortKey::Text(text))) => Some(composer.bind(text.as_bytes())),
            (KeyKind::Text, Some(SortKey::Text(text))) => Some(composer.bind(text.as_str())),
            (KeyKind::Number, Some(SortKey::Integer(number))) => Some(composer.bind(*number)),
            _ => None,
        };
        match (key, self.descending) {
            // The first half is what an index begins from.
            (Some(key), down) if *column => {
                let sign = if down { "<" } else { ">" };
                format!("{sql} {sign}= {key} AND ({sql} {sign} {key} OR {tie})")
            }
            (Some(key), false) => format!("({sql} > {key} OR ({sql} = {key} AND {tie}) OR {sql} IS NULL)"),
            (Some(key), true) => format!("({sql} < {key} OR ({sql} = {key} AND {tie}))"),
            (None, false) => format!("({sql} IS NULL AND {tie})"),
            (None, true) => format!("({sql} IS NOT NULL OR {tie})"),
        }
    }

    /// The sort key of a row: its last column.
    pub(super) fn key(&self, row: &Row) -> Result<Option<SortKey>, StoreError> {
        Ok(match self.key.as_ref().map(|key| key.kind) {
            None => None,
            Some(KeyKind::Bytes) => {
                let bytes: Option<Vec<u8>> = row.get("sort_key")?;
                bytes.map(|bytes| SortKey::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Some(KeyKind::Text) => row.get::<Option<String>>("sort_key")?.map(SortKey::Text),
            Some(KeyKind::Number) => row.get::<Option<i64>>("sort_key")?.map(SortKey::Integer),
        })
    }
}

fn key(composer: &mut Composer, sort: &Sort) -> Option<Key> {
    let table = composer.of.table();
    let path: Vec<&str> = sort.field.path.iter().map(String::as_str).collect();
    let column = |name: &str, kind| Some(Key { sql: format!("{table}.{name}"), kind, column: true });
    match (&sort.list, composer.of, path.as_slice()) {
        (None, _, ["id"] | ["meta"]) => None,
        (None, Of::Users, ["userName"]) => column("user_name_key", KeyKind::Bytes),
        (None, Of::Groups, ["displayName"]) => column("display_name_key", KeyKind::Bytes),
        (None, _, ["meta", "created"]) => column("created_at", KeyKind::Number),
        (None, _, ["meta", "lastModified"]) => column("updated_at", KeyKind::Number),
        (None, _, ["meta", "version"]) => column("version", KeyKind::Number),
        (None, _, ["meta", ..]) => None,
        (None, Of::Users, ["active"]) => Some(Key {
            sql: format!("CASE WHEN {table}.active THEN 1 ELSE 0 END"),
            kind: KeyKind::Number,
            column: false,
        }),
        (None, _, path) => Some(value(composer, &format!("{table}.search_keys"), path, sort.field.kind)),
        (Some(list), Of::Users, _) if list.path == ["groups"] => None,
        (Some(list), Of::Groups, _) if list.path == ["members"] => None,
        (Some(list), _, path) => Some(element(composer, list, path, sort.field.kind)),
    }
}

fn value(composer: &Composer, column: &str, path: &[&str], kind: FieldType) -> Key {
    let dialect = composer.dialect;
    let text = if path.is_empty() { column.to_owned() } else { dialect.json_text(column, path) };
    match kind {
        FieldType::Integer | FieldType::Time if !path.is_empty() => {
            Key { sql: format!("({})", dialect.json_integer(column, path)), kind: KeyKind::Number, column: false }
        }
        FieldType::Bool => Key {
            sql: format!("CASE ({text}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"),
            kind: KeyKind::Number,
            column: false,
        },
        _ => Key { sql: dialect.by_code_point(&format!("({text})")), kind: KeyKind::Text, column: false },
    }
}

/// The value of the element marked primary, else of the first.
fn element(composer: &mut Composer, list: &FilterField, path: &[&str], kind: FieldType) -> Key {
    let alias = composer.alias();
    let names: Vec<&str> = list.path.iter().map(String::as_str).collect();
    let rows = composer.dialect.json_each(&format!("{}.search_keys", composer.of.table()), &names, &alias);
    let item = format!("{alias}.value");
    let Key { sql, kind, .. } = value(composer, &item, path, kind);
    let first = format!("(SELECT {sql} FROM {rows} LIMIT 1)");
    // Elements that are plain values have no mark.
    let chosen = if path.is_empty() {
        first
    } else {
        let marked = format!("({}) = 'true'", composer.dialect.json_text(&item, &["primary"]));
        format!(
            "(CASE WHEN EXISTS (SELECT 1 FROM {rows} WHERE {marked}) \
             THEN (SELECT {sql} FROM {rows} WHERE {marked} LIMIT 1) ELSE {first} END)"
        )
    };
    let sql = if kind == KeyKind::Text { composer.dialect.by_code_point(&chosen) } else { chosen };
    Key { sql, kind, column: false }
}
