//! The house keeps its shape: which room may import which, where SQL, the clock and status codes may stand.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the top down; a room imports from its own and lower floors, `Floor::rooms` on one floor never from each
/// other. Listed per room: what it may import.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("access", &["domain"]),
    ("scim", &["domain"]),
    ("connection", &["domain", "scim"]),
    ("clock", &["domain"]),
    ("secret", &["domain"]),
    ("store", &["domain", "access", "scim", "secret"]),
    ("provision", &["store", "access", "scim", "domain", "secret"]),
    ("admin", &["provision", "connection", "store", "access", "scim", "domain", "secret"]),
    ("login", &["provision", "connection", "store", "access", "scim", "domain", "secret", "clock"]),
    ("ldap", &["provision", "connection", "store", "access", "scim", "domain", "secret", "clock"]),
    ("config", &["domain", "secret"]),
    ("telemetry", &["config"]),
    (
        "jobs",
        &[
            "admin",
            "login",
            "ldap",
            "provision",
            "connection",
            "store",
            "access",
            "scim",
            "domain",
            "secret",
            "clock",
            "config",
        ],
    ),
    (
        "web",
        &[
            "admin",
            "login",
            "ldap",
            "jobs",
            "provision",
            "connection",
            "store",
            "access",
            "scim",
            "domain",
            "secret",
            "clock",
            "config",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "web",
            "jobs",
            "admin",
            "login",
            "ldap",
            "provision",
            "connection",
            "store",
            "access",
            "scim",
            "domain",
            "secret",
            "clock",
            "config",
            "telemetry",
        ],
    ),
];

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Every file of the program, without those that are only compiled for tests.
fn src() -> Vec<(PathBuf, String)> {
    let all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let tests = test_files(&all);
    all.into_iter().filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test))).collect()
}

/// The room a file of `src` stands in.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

/// The code of a file without its comments and without its tests: a `mod tests;` line goes, an inline module goes with
/// its braces, and what stands behind either is looked at.
fn code(text: &str) -> String {
    let mut lines = text.lines();
    let mut shipped = Vec::new();
    let mut marked = false;
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let begins_tests = marked && line.trim_start().starts_with("mod ");
        marked = line.trim() == "#[cfg(test)]";
        if !begins_tests {
            shipped.push(line);
        } else if line.ends_with('{') {
            // Formatted code closes a module with a brace at the depth of the line that opened it.
            let close = line.len() - line.trim_start().len();
            let _rest = lines.by_ref().find(|line| line.trim() == "}" && line.len() == close + 1);
        }
    }
    shipped.join("\n")
}

/// The files that are test modules as a whole: those that a `mod NAME;` under `#[cfg(test)]` names, and what is below.
fn test_files(all: &[(PathBuf, String)]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (path, text) in all {
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let [mark, line] = pair else { continue };
            let Some(name) = line.trim().strip_prefix("mod ").and_then(|line| line.strip_suffix(';')) else { continue };
            if mark.trim() == "#[cfg(test)]" {
                let named_alone = matches!(path.file_stem().unwrap().to_str(), Some("mod" | "lib" | "main"));
                let folder = if named_alone { path.parent().unwrap().to_owned() } else { path.with_extension("") };
                found.extend([folder.join(format!("{name}.rs")), folder.join(name)]);
            }
        }
    }
    found
}

/// The rooms that a text names as `crate::room` or inside `use crate::{…}`.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(list) = part.strip_prefix('{') {
            let (mut depth, mut word) = (0, String::new());
            for char in list.chars() {
                match char {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                    _ if depth == 0 && !char.is_whitespace() => word.push(char),
                    _ => {}
                }
            }
            rooms.push(word);
        } else {
            rooms.push(part.to_owned());
        }
    }
    let first = |path: String| path.chars().take_while(|char| char.is_ascii_lowercase() || *char == '_').collect();
    rooms.into_iter().map(first).filter(|room: &String| !room.is_empty()).collect()
}

#[test]
fn arrows_point_downward() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in src() {
        let from = room(&path);
        if from == "lib" || from == "main" {
            continue;
        }
        let may = allowed.get(from.as_str()).unwrap_or_else(|| panic!("no floor is written down for src/{from}"));
        for to in imports(&code(&text)) {
            let is_room = allowed.contains_key(to.as_str());
            if is_room && to != from && !may.contains(&to.as_str()) {
                wrong.push(format!("{}: {from} must not import {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_do_no_io() {
    for (path, text) in src() {
        if !matches!(room(&path).as_str(), "domain" | "scim" | "access" | "connection") {
            continue;
        }
        for banned in ["sqlx", "actix_web", "tokio::", "std::fs", "std::net", "std::env", "reqwest"] {
            assert!(!code(&text).contains(banned), "{} names {banned}", path.display());
        }
    }
}

#[test]
fn only_the_store_holds_sql() {
    for (path, text) in src() {
        if room(&path) == "store" {
            continue;
        }
        let code = code(&text);
        for statement in ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "\"WITH ", "sqlx::"] {
            assert!(!code.contains(statement), "{} holds {statement}", path.display());
        }
    }
}

/// The engine is reached through the store alone, so that nobody composes a statement elsewhere.
#[test]
fn only_the_store_uses_the_database_engine() {
    for (path, text) in src() {
        if !matches!(room(&path).as_str(), "store" | "lib") {
            assert!(!code(&text).contains("rolecall_db::"), "{} names the database engine", path.display());
        }
    }
}

/// The engine is told of the tables; it names none of them.
#[test]
fn the_database_engine_knows_no_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read_to_string(root.join("migrations/0001_init.sql")).unwrap();
    let names =
        schema.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ").or(line.strip_prefix("CREATE VIEW ")));
    let tables: Vec<&str> = names.filter_map(|rest| rest.split([' ', '(']).next()).collect();
    assert!(tables.len() > 30, "{tables:?}");
    for (path, text) in sources(&root.join("crates/db/src")) {
        for word in code(&text).split(|char: char| !char.is_ascii_alphanumeric() && char != '_') {
            // A word that is a noun of the language too is a table only in a statement.
            let in_statement = ["FROM", "INTO", "UPDATE", "JOIN"].map(|verb| format!("{verb} {word}"));
            let named = tables.contains(&word) && in_statement.iter().any(|part| code(&text).contains(part.as_str()));
            assert!(!named, "{} names the table {word}", path.display());
        }
    }
}

#[test]
fn only_the_edge_knows_http_servers() {
    for (path, text) in src() {
        if !matches!(room(&path).as_str(), "web" | "cli" | "main") {
            assert!(!code(&text).contains("actix_web"), "{} names the web framework", path.display());
        }
    }
}

#[test]
fn only_operators_rooms_assume_the_operator() {
    for (path, text) in src() {
        if !matches!(room(&path).as_str(), "cli" | "jobs" | "admin" | "store") {
            assert!(!code(&text).contains("OperatorExtent::assume"), "{} assumes the operator", path.display());
        }
    }
}

/// Reads of users and partners go through the views of the living: nobody forgets the state.
#[test]
fn reads_go_through_the_views_of_the_living() {
    for (path, text) in src() {
        if room(&path) != "store" {
            continue;
        }
        let code = code(&text).replace("\\\n", " ");
        let words: Vec<_> = code.split_whitespace().collect();
        for pair in words.windows(2) {
            let [verb, table] = pair else { continue };
            let read = matches!(verb.to_ascii_uppercase().as_str(), "FROM" | "JOIN");
            let table = table.trim_matches(|char: char| !char.is_ascii_alphanumeric() && char != '_');
            let deleting = code.contains(&format!("DELETE FROM {table}"));
            assert!(
                !(read && matches!(table, "users" | "partners")) || deleting,
                "{}: {verb} {table} must read live_{table}",
                path.display()
            );
        }
    }
}

/// No file has a corner that the tests above do not look into: a breach at the end of any file is seen.
#[test]
fn every_file_is_looked_at_to_its_end() {
    let breach = "use crate::planted::Breach;";
    let files = src();
    assert!(files.len() > 300, "only {} files", files.len());
    for (path, text) in files {
        let planted = code(&format!("{text}\n{breach}\n"));
        assert!(imports(&planted).contains(&"planted".to_owned()), "{} hides its end", path.display());
    }
}

/// Each line that is code is seen: what the tests above pass over is comments and test modules.
#[test]
fn only_comments_and_tests_are_passed_over() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nuse b;\n// use c;\n#[cfg(test)]\nmod more {\n    use d;\n    mod x {\n    }\n}\nuse e;\n";
    let seen = code(text);
    for (line, there) in [("use a;", true), ("use b;", true), ("use c;", false), ("use d;", false), ("use e;", true)] {
        assert_eq!(seen.contains(line), there, "{line}");
    }
}

#[test]
fn files_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<_> = ["src", "crates", "tests", "conformance/src", "xtask/src", "benches"]
        .into_iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
