//! Every static statement of the program, so that each is prepared when the store opens. A new table module adds one
//! line here; a test finds modules that forgot it.
use super::statement::{Statement, Statements};
use super::{Dialect, postgres};

static TABLES: &[Statements] = &[
    super::recent_events::STATEMENTS,
    super::api_tokens::STATEMENTS,
    super::login_attempts::STATEMENTS,
    super::reserved_groups::STATEMENTS,
    super::catalog::STATEMENTS,
    super::condition_members::STATEMENTS,
    super::conditions::STATEMENTS,
    super::connections::STATEMENTS,
    super::declared::STATEMENTS,
    super::deleted::STATEMENTS,
    super::directories::STATEMENTS,
    super::directory_summaries::STATEMENTS,
    super::effective::STATEMENTS,
    super::effective_below::STATEMENTS,
    super::effective_many::STATEMENTS,
    super::effective_lists::STATEMENTS,
    super::effective_tree::STATEMENTS,
    super::entrance::STATEMENTS,
    super::events::STATEMENTS,
    super::exceptions::STATEMENTS,
    super::extent::STATEMENTS,
    super::external_emails::STATEMENTS,
    super::external_groups::STATEMENTS,
    super::external_users::STATEMENTS,
    super::feed::STATEMENTS,
    super::grants::STATEMENTS,
    super::suspensions::STATEMENTS,
    super::match_keys::STATEMENTS,
    super::fact_cache::STATEMENTS,
    super::invariants::STATEMENTS,
    super::leases::STATEMENTS,
    super::soundness::STATEMENTS,
    super::one_time_links::STATEMENTS,
    super::matches::STATEMENTS,
    super::members::STATEMENTS,
    super::nesting::STATEMENTS,
    super::match_candidates::STATEMENTS,
    super::oauth_clients::STATEMENTS,
    super::grantable_roles::STATEMENTS,
    super::open_transactions::STATEMENTS,
    super::partners::STATEMENTS,
    super::users::STATEMENTS,
    super::user_summaries::STATEMENTS,
    super::external_read::STATEMENTS,
    super::resources::STATEMENTS,
    super::roles::STATEMENTS,
    super::rules::STATEMENTS,
    super::runs::STATEMENTS,
    super::scopes::STATEMENTS,
    super::key_check::STATEMENTS,
    super::sessions::STATEMENTS,
    super::delegated_access::STATEMENTS,
    super::baseline::STATEMENTS,
    super::stopped::STATEMENTS,
    super::removal_alerts::STATEMENTS,
    super::removal_events::STATEMENTS,
    super::tokens::STATEMENTS,
    super::totals::STATEMENTS,
    super::user_groups::STATEMENTS,
    super::reach::STATEMENTS,
];

/// All of them.
pub(super) fn statements() -> impl Iterator<Item = &'static Statement> {
    TABLES.iter().flat_map(|module| module.iter()).flat_map(|list| list())
}

/// A statement as a database gets it, for those who look at plans.
pub struct Text {
    /// The statement's name.
    pub name: &'static str,
    /// What the database gets.
    pub text: &'static str,
    /// The types of its parameters, as PostgreSQL names them, where they are declared.
    pub types: Vec<&'static str>,
}

/// Every statement as `dialect` gets it.
pub fn texts(dialect: Dialect) -> Vec<Text> {
    let text = |statement: &'static Statement| Text {
        name: statement.name(),
        text: &statement.ready(dialect).text,
        types: statement.kinds().iter().map(|kind| postgres::type_name(*kind)).collect(),
    };
    statements().map(text).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A module with `statements! {` that is not named above would be prepared only when first used.
    #[test]
    fn every_module_with_statements_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
        let registry = include_str!("registry.rs");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() || module == "registry" {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let declares = text.lines().any(|line| line.starts_with("statements! {"));
            assert!(
                !declares || registry.contains(&format!("super::{module}::STATEMENTS")),
                "src/store/{module}.rs declares statements; add super::{module}::STATEMENTS to src/store/registry.rs"
            );
        }
    }
}
