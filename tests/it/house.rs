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
    ("clock", &["domain"]),
    ("secret", &["domain"]),
    ("store", &["domain", "access", "scim", "secret"]),
    ("provision", &["store", "access", "scim", "domain", "secret"]),
    ("admin", &["provision", "store", "access", "scim", "domain", "secret"]),
    ("login", &["provision", "store", "access", "scim", "domain", "secret", "clock"]),
    ("ldap", &["provision", "store", "access", "scim", "domain", "secret", "clock"]),
    ("config", &["domain", "secret"]),
    ("telemetry", &["config"]),
    (
        "jobs",
        &["admin", "login", "ldap", "provision", "store", "access", "scim", "domain", "secret", "clock", "config"],
    ),
    (
        "web",
        &[
            "admin",
            "login",
            "ldap",
            "jobs",
            "provision",
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

fn src() -> Vec<(PathBuf, String)> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The room a file of `src` stands in.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

/// The code of a file without its comments and without its tests.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
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
        if !matches!(room(&path).as_str(), "domain" | "scim" | "access") {
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

/// Reads of people and partners go through the views of the living: nobody forgets the state.
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
                !(read && matches!(table, "person" | "partner")) || deleting,
                "{}: {verb} {table} must read live_{table}",
                path.display()
            );
        }
    }
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = src()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
