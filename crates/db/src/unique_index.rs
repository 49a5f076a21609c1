//! The unique constraints that callers tell apart, by one name on both databases.
//!
//! PostgreSQL names the index that was violated; SQLite only lists its columns. At start the store reads SQLite's
//! catalog once, so that a violation has the index's name on both (a primary key is `<table>_pkey`).
use std::collections::HashMap;

/// A unique index that callers tell from others, by the name that the schema gives it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UniqueIndex(&'static str);

impl UniqueIndex {
    /// One that no caller tells from the rest.
    pub const OTHER: Self = Self("");

    /// The index of this name.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    pub(crate) fn name(self) -> &'static str {
        self.0
    }
}

/// Column lists as SQLite reports them (`"users.partner_id, users.login_key"`), to index names.
#[derive(Debug)]
pub(crate) struct IndexNames {
    /// Those that callers tell from others.
    known: &'static [UniqueIndex],
    /// SQLite's column lists, each with the name of its index.
    listed: HashMap<String, String>,
}

impl IndexNames {
    /// Without column lists: PostgreSQL names its indexes itself.
    pub(crate) fn by_name(known: &'static [UniqueIndex]) -> Self {
        Self { known, listed: HashMap::new() }
    }

    /// From rows (table, index, origin, column), columns in index order.
    pub(crate) fn new(known: &'static [UniqueIndex], rows: Vec<(String, String, String, Option<String>)>) -> Self {
        let mut indexes: Vec<(String, String, String, Vec<String>)> = Vec::new();
        for (table, index, origin, column) in rows {
            let column = column.unwrap_or_default();
            match indexes.last_mut().filter(|last| last.0 == table && last.1 == index) {
                Some(last) => last.3.push(column),
                None => indexes.push((table, index, origin, vec![column])),
            }
        }
        let mut names = HashMap::new();
        for (table, index, origin, columns) in indexes {
            let listed: Vec<String> = columns.iter().map(|column| format!("{table}.{column}")).collect();
            let name = match origin.as_str() {
                "pk" => format!("{table}_pkey"),
                "u" => format!("{table}_{}_key", columns.join("_")),
                _ => index,
            };
            names.insert(listed.join(", "), name);
        }
        Self { known, listed: names }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.listed.values().map(String::as_str)
    }

    /// The constraint behind `UNIQUE constraint failed: person.partner, person.login`.
    pub(crate) fn violated(&self, message: &str) -> UniqueIndex {
        let listed = message.rsplit_once("failed: ").map_or(message, |(_, listed)| listed);
        let index = match listed.strip_prefix("index '") {
            Some(quoted) => quoted.trim_end_matches('\''),
            None => self.listed.get(listed).map_or("", String::as_str),
        };
        self.named(index)
    }

    /// The index of a name, as callers know it.
    pub(crate) fn named(&self, name: &str) -> UniqueIndex {
        self.known.iter().copied().find(|known| known.0 == name).unwrap_or(UniqueIndex::OTHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_lists_become_index_names() {
        let row = |table: &str, index: &str, origin: &str, column: &str| {
            (table.to_owned(), index.to_owned(), origin.to_owned(), Some(column.to_owned()))
        };
        static KNOWN: [UniqueIndex; 3] = [
            UniqueIndex::named("partners_external_id"),
            UniqueIndex::named("roles_name"),
            UniqueIndex::named("users_login_name"),
        ];
        let catalog = IndexNames::new(
            &KNOWN,
            vec![
                row("partners", "partners_external_id", "c", "parent_id"),
                row("partners", "partners_external_id", "c", "external_id"),
                row("roles", "roles_name", "c", "partner_id"),
                row("roles", "roles_name", "c", "name_key"),
                row("roles", "sqlite_autoindex_roles_1", "pk", "id"),
            ],
        );
        let failed = |columns: &str| catalog.violated(&format!("UNIQUE constraint failed: {columns}"));
        assert_eq!(failed("partners.parent_id, partners.external_id"), KNOWN[0]);
        assert_eq!(failed("roles.partner_id, roles.name_key"), KNOWN[1]);
        assert_eq!(failed("index 'users_login_name'"), KNOWN[2]);
        assert_eq!(failed("roles.id"), UniqueIndex::OTHER);
        let mut names: Vec<&str> = catalog.names().collect();
        names.sort_unstable();
        assert_eq!(names, ["partners_external_id", "roles_name", "roles_pkey"]);
    }
}
