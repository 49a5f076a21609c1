//! The few fragments of SQL in which the two databases differ. Nothing else in the store may ask which one it is.
//!
//! Fragments take column names and parameters (`"u.keys"`, `"$2"`) that the program wrote itself, never input.
use std::borrow::Cow;

/// The database a text is written for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dialect {
    /// SQLite 3.45 or later, embedded.
    Sqlite,
    /// PostgreSQL 14 or later.
    Postgres,
}

impl Dialect {
    /// The name users know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The text, number or boolean at `path` of the JSON text in `column`, as text; NULL when absent or null.
    pub fn json_text(self, column: &str, path: &[&str]) -> String {
        match self {
            Self::Sqlite => {
                let at = sqlite_path(path);
                format!(
                    "CASE json_type({column}, {at}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' \
                     ELSE CAST(json_extract({column}, {at}) AS TEXT) END"
                )
            }
            Self::Postgres => format!("({column}::jsonb #>> {})", postgres_path(path)),
        }
    }

    /// The whole number at `path` of the JSON text in `column`; NULL when absent or not a number.
    pub fn json_integer(self, column: &str, path: &[&str]) -> String {
        match self {
            Self::Sqlite => {
                let at = sqlite_path(path);
                format!(
                    "CASE WHEN json_type({column}, {at}) IN ('integer', 'real') \
                     THEN CAST(json_extract({column}, {at}) AS BIGINT) END"
                )
            }
            Self::Postgres => {
                let at = postgres_path(path);
                format!(
                    "CASE WHEN jsonb_typeof({column}::jsonb #> {at}) = 'number' \
                     THEN trunc(({column}::jsonb #>> {at})::numeric)::bigint END"
                )
            }
        }
    }

    /// A row source over the array at `path` of the JSON text in `column`, for FROM; each element is `alias.value`,
    /// a text. No rows when the path is absent or holds no array.
    pub fn json_each(self, column: &str, path: &[&str], alias: &str) -> String {
        match self {
            Self::Sqlite => {
                let at = sqlite_path(path);
                format!(
                    "json_each(CASE WHEN json_type({column}, {at}) = 'array' \
                     THEN json_extract({column}, {at}) ELSE '[]' END) AS {alias}"
                )
            }
            Self::Postgres => {
                let at = postgres_path(path);
                format!(
                    "jsonb_array_elements_text(CASE WHEN jsonb_typeof({column}::jsonb #> {at}) = 'array' \
                     THEN {column}::jsonb #> {at} ELSE '[]'::jsonb END) AS {alias}(value)"
                )
            }
        }
    }

    /// The database's own clock, in microseconds since the epoch: the same for every node that uses it.
    pub fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS BIGINT)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// The usual text of the UUID in `column`: lower case, with hyphens.
    pub fn uuid_text(self, column: &str) -> String {
        match self {
            Self::Sqlite => {
                let part = |from: u8, length: u8| format!("substr(hex({column}), {from}, {length})");
                let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
                format!("lower({})", parts.join(" || '-' || "))
            }
            Self::Postgres => format!("{column}::text"),
        }
    }

    /// Whether the text or bytes `needle` occur in `hay` (exact, no wildcards).
    pub fn contains(self, hay: &str, needle: &str) -> String {
        match self {
            Self::Sqlite => format!("instr({hay}, {needle}) > 0"),
            Self::Postgres => format!("position({needle} IN {hay}) > 0"),
        }
    }

    /// `text` compared and ordered by code point on both databases.
    pub fn by_code_point(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("{text} COLLATE BINARY"),
            Self::Postgres => format!("{text} COLLATE \"C\""),
        }
    }

    /// Ends a SELECT whose rows this transaction is about to change (SQLite has one writer: nothing to lock).
    pub fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE",
        }
    }

    /// Like [`Self::for_update`], for rows that others may go on to refer to: their keys stay.
    pub fn for_no_key_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR NO KEY UPDATE",
        }
    }

    /// The same, for the rows of one table among several.
    pub fn for_no_key_update_of(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!("FOR NO KEY UPDATE OF {table}"),
        }
    }

    /// Like [`Self::for_update`], passing over rows that another transaction holds: claims of jobs.
    pub fn for_update_skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// The text in the form whose plan the database keeps. SQLite looks at the value of a bare `LIMIT $n` while it
    /// plans, and so plans anew whenever that is bound: for a long text a hundred times the work of running it.
    pub fn steady(self, text: Cow<'static, str>) -> Cow<'static, str> {
        match self {
            Self::Sqlite if text.contains("LIMIT $") => text.replace("LIMIT $", "LIMIT 0 + $").into(),
            Self::Sqlite | Self::Postgres => text,
        }
    }

    /// A parameter that stands where PostgreSQL cannot infer its type (`$1 IS NULL`, a bare SELECT list).
    /// `kind` is `uuid`, `boolean`, `bigint`, `text` or `bytea`.
    pub fn typed(self, parameter: &str, kind: &str) -> String {
        match self {
            Self::Sqlite => parameter.to_owned(),
            Self::Postgres => format!("{parameter}::{kind}"),
        }
    }
}

/// `'$."a"."b"'`, quoted for SQL.
fn sqlite_path(path: &[&str]) -> String {
    let steps: String = path.iter().map(|step| format!(".\"{}\"", step.replace('"', "\\\""))).collect();
    format!("'${}'", steps.replace('\'', "''"))
}

/// `'{"a","b"}'`, quoted for SQL.
fn postgres_path(path: &[&str]) -> String {
    let quoted = |step: &&str| format!("\"{}\"", step.replace('\\', "\\\\").replace('"', "\\\""));
    let steps: Vec<String> = path.iter().map(quoted).collect();
    format!("'{{{}}}'", steps.join(",").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sqlite_is_kept_from_looking_at_a_limit() {
        let text = "SELECT a FROM t WHERE b = $1 ORDER BY a LIMIT $2";
        assert_eq!(Dialect::Postgres.steady(text.into()), text);
        assert_eq!(Dialect::Sqlite.steady(text.into()), "SELECT a FROM t WHERE b = $1 ORDER BY a LIMIT 0 + $2");
        assert_eq!(Dialect::Sqlite.steady("SELECT 1 LIMIT 1".into()), "SELECT 1 LIMIT 1");
    }
}
