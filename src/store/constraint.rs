//! The unique constraints that callers tell apart, by one name on both databases.
//!
//! PostgreSQL names the index that was violated; SQLite only lists its columns. At start the store reads SQLite's
//! catalog once, so that a violation has the index's name on both (a primary key is `<table>_pkey`).
use std::collections::HashMap;

macro_rules! constraints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// A unique constraint that a use case answers in its own words.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Constraint {
            $($(#[$doc])* $variant,)*
            /// One that no caller needs to tell from the rest.
            Other,
        }

        impl Constraint {
            /// The index names this enum knows, each of which must exist.
            pub(super) const NAMES: &'static [&'static str] = &[$($name),*];

            pub(super) fn named(index: &str) -> Self {
                match index {
                    $($name => Self::$variant,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

constraints! {
    /// The external id of a living partner among those directly below its parent.
    PartnerExternalId = "partners_external_id";
    /// The name of a user group in its partner.
    UserGroupName = "user_groups_name";
    /// The default user group of a partner: there is one.
    UserGroupDefault = "user_groups_default";
    /// The sign-in name of a living user in their partner.
    UserLogin = "users_login_name";
    /// The name of a role in its partner.
    RoleName = "roles_name";
    /// The name of a directory in its partner.
    DirectoryName = "directories_name";
    /// The slug of a connection.
    ConnectionSlug = "connections_slug";
    /// The immutable key of an external user in its connection.
    ExternalUserStableKey = "external_users_stable_id";
    /// The user name of an external user in its connection.
    ExternalUserName = "external_users_name";
    /// The immutable key of an external group in its connection.
    ExternalGroupStableKey = "external_groups_stable_id";
    /// The client's own id of a living external group in its connection.
    ExternalGroupExternalId = "external_groups_external_id";
    /// The join key of a user in its directory.
    IdentityKey = "match_keys_pkey";
    /// The number of a sealed event.
    EventSeq = "events_seq";
}

/// Column lists as SQLite reports them (`"users.partner_id, users.login_key"`), to index names.
#[derive(Debug, Default)]
pub(super) struct IndexNames(HashMap<String, String>);

impl IndexNames {
    /// From rows (table, index, origin, column), columns in index order.
    pub(super) fn new(rows: Vec<(String, String, String, Option<String>)>) -> Self {
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
        Self(names)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// The constraint behind `UNIQUE constraint failed: person.partner, person.login`.
    pub(super) fn constraint(&self, message: &str) -> Constraint {
        let listed = message.rsplit_once("failed: ").map_or(message, |(_, listed)| listed);
        let index = match listed.strip_prefix("index '") {
            Some(quoted) => quoted.trim_end_matches('\''),
            None => self.0.get(listed).map_or("", String::as_str),
        };
        Constraint::named(index)
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
        let catalog = IndexNames::new(vec![
            row("partners", "partners_external_id", "c", "parent_id"),
            row("partners", "partners_external_id", "c", "external_id"),
            row("roles", "roles_name", "c", "partner_id"),
            row("roles", "roles_name", "c", "name_key"),
            row("roles", "sqlite_autoindex_roles_1", "pk", "id"),
        ]);
        let failed = |columns: &str| catalog.constraint(&format!("UNIQUE constraint failed: {columns}"));
        assert_eq!(failed("partners.parent_id, partners.external_id"), Constraint::PartnerExternalId);
        assert_eq!(failed("roles.partner_id, roles.name_key"), Constraint::RoleName);
        assert_eq!(failed("index 'users_login_name'"), Constraint::UserLogin);
        assert_eq!(failed("roles.id"), Constraint::Other);
        let mut names: Vec<&str> = catalog.names().collect();
        names.sort_unstable();
        assert_eq!(names, ["partners_external_id", "roles_name", "roles_pkey"]);
    }
}
