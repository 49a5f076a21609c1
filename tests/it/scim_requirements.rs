//! The table of requirements: rows, the tests that are named after them, and how those were last seen failing.
//! `ROLECALL_BLESS=1` writes it anew.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where tests of rows are.
const SOURCES: [&str; 8] = [
    "tests/it/scim_conformance",
    "src/scim",
    "src/domain/page.rs",
    "src/domain/text.rs",
    "tests/it/provision_users.rs",
    "tests/it/provision_groups.rs",
    "tests/it/provision_races.rs",
    "tests/it/provision_search.rs",
];
/// Tests in this folder go through the server.
const OVER_HTTP: &str = "tests/it/scim_conformance";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    rows: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    level: String,
    says: String,
    /// Why nothing tests it through the server.
    missing: Option<String>,
    /// Tests elsewhere that show it through the server: file and name.
    #[serde(default)]
    also: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proofs {
    #[serde(default)]
    seen: Vec<Seen>,
}

/// A test of a row, seen failing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    row: String,
    how: String,
}

#[test]
fn the_table_of_requirements_is_what_the_tests_are() {
    let table = table();
    let path = root().join("conformance/scim/REQUIREMENTS.md");
    if std::env::var_os("ROLECALL_BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == table, "{} is stale: run this test with ROLECALL_BLESS=1", path.display());
}

fn table() -> String {
    let folder = root().join("conformance/scim");
    let rows: Rows = toml::from_str(&std::fs::read_to_string(folder.join("rows.toml")).unwrap()).unwrap();
    let proofs: Proofs = toml::from_str(&std::fs::read_to_string(folder.join("proofs.toml")).unwrap()).unwrap();
    let (tests, mut unknown) = tests(&rows.rows);
    unknown.extend(proofs.seen.iter().map(|seen| seen.row.clone()).filter(|row| !rows.rows.contains_key(row)));
    assert!(unknown.is_empty(), "there are no such rows: {unknown:?}");

    let (mut body, mut covered, mut proven) = (String::new(), 0, 0);
    for (id, row) in &rows.rows {
        let mut named: BTreeSet<String> = tests.get(id).cloned().unwrap_or_default();
        for test in &row.also {
            let (file, name) = test.split_once("::").unwrap();
            let text = std::fs::read_to_string(root().join("tests/it").join(format!("{file}.rs"))).unwrap();
            assert!(text.contains(&format!("fn {name}(")), "{id}: there is no test {test}");
            named.insert(format!("`{test}`"));
        }
        let over_http = !row.also.is_empty() || named.iter().any(|test| test.contains("scim_conformance"));
        assert!(over_http != row.missing.is_some(), "{id}: either a test over HTTP or the reason why there is none");
        let how: Vec<&str> = proofs.seen.iter().filter(|seen| seen.row == *id).map(|seen| seen.how.as_str()).collect();
        covered += usize::from(over_http);
        proven += usize::from(over_http && !how.is_empty());
        let how = if how.is_empty() { "unproven".to_owned() } else { how.join("; ") };
        let named = match &row.missing {
            Some(reason) if named.is_empty() => format!("none: {reason}"),
            Some(reason) => format!("{}; not over HTTP: {reason}", join(named)),
            None => join(named),
        };
        writeln!(body, "| {id} | {} | {} | {named} | {how} |", row.level, row.says).unwrap();
    }
    format!(
        "# SCIM requirements, row by row\n\n\
         Made from `rows.toml`, `proofs.toml` and the names of tests by the test `scim_requirements`; do not edit. \
         Levels: M must, S should, O may, R a rule of this house.\n\n\
         {} rows. {covered} have a test over HTTP on both databases; of these, {proven} tests were seen failing (the last \
         column says how), the others are unproven. {} have none, with the reason.\n\n\
         | Row | Level | Requirement | Tests | Seen failing |\n| --- | --- | --- | --- | --- |\n{body}",
        rows.rows.len(),
        rows.rows.len() - covered,
    )
}

fn join(names: BTreeSet<String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// The tests of each row, and row ids in names of tests over HTTP that no row has.
fn tests(rows: &BTreeMap<String, Row>) -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let (mut tests, mut unknown) = (BTreeMap::<String, BTreeSet<String>>::new(), Vec::new());
    for file in SOURCES.iter().flat_map(|source| files(&root().join(source))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let module = module(&file);
        for name in text.lines().filter_map(function) {
            for id in name.split('_').map_while(row) {
                if rows.contains_key(&id) {
                    tests.entry(id).or_default().insert(format!("`{module}::{name}`"));
                } else if file.starts_with(root().join(OVER_HTTP)) && !id.starts_with('X') {
                    unknown.push(format!("{id} ({name})"));
                }
            }
        }
    }
    (tests, unknown)
}

/// The name of the function that a line declares.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    rest.split_once('(').map(|(name, _)| name)
}

/// The row that a part of a name stands for.
fn row(part: &str) -> Option<String> {
    let digits = part.strip_prefix(|c: char| c.is_ascii_lowercase())?;
    (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| part.to_uppercase())
}

fn module(file: &Path) -> String {
    let path = file.strip_prefix(root()).unwrap().with_extension("");
    let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let start = if parts[0] == "tests" { 2 } else { 1 };
    parts[start..].iter().filter(|part| *part != "mod").cloned().collect::<Vec<_>>().join("::")
}

fn files(at: &Path) -> Vec<PathBuf> {
    if at.is_file() {
        return vec![at.to_owned()];
    }
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(at).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.retain(|file| file.extension().is_some_and(|kind| kind == "rs"));
    found.sort();
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
