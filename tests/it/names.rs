//! One name for one thing: the types and modules of `src` follow `GLOSSARY.md`.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Words that are no name of a type or a module, whole segments of it. `GLOSSARY.md` says what to use.
const BANNED: &[&str] = &[
    "arrival",
    "arrive",
    "aside",
    "asleep",
    "astray",
    "beside",
    "brake",
    "carry",
    "clip",
    "company",
    "desk",
    "door",
    "gift",
    "ground",
    "halt",
    "held",
    "house",
    "label",
    "line",
    "loose",
    "miss",
    "newcomer",
    "people",
    "person",
    "place",
    "placement",
    "roll",
    "room",
    "said",
    "shelf",
    "spoken",
    "storm",
    "stranger",
    "taking",
    "told",
    "trip",
    "turn",
    "visitor",
    "witness",
    "word",
    "world",
];

/// Names that have such a word in its plain sense, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("LineIndex", "the lines of a file"),
    ("change_labels", "what a change is called on a page"),
    ("event_labels", "what a kind of event is called on a page"),
];

/// A declaration: its file, its name, and whether others see it.
struct Declared {
    file: String,
    name: String,
    public: bool,
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every declaration that begins with one of `keywords`, behind the name of a type or a module.
fn declared(keywords: &[&str]) -> Vec<Declared> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let file = file.strip_prefix(root).unwrap().display().to_string();
        for line in text.lines() {
            let line = line.trim_start();
            let (public, rest) = match line.strip_prefix("pub") {
                Some(rest) if rest.starts_with('(') => (true, rest.split_once(") ").map_or("", |(_, rest)| rest)),
                Some(rest) if rest.starts_with(' ') => (true, rest.trim_start()),
                _ => (false, line),
            };
            let Some((keyword, rest)) = rest.split_once(' ') else { continue };
            if keywords.contains(&keyword) {
                let name =
                    rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default();
                all.push(Declared { file: file.clone(), name: name.to_owned(), public });
            }
        }
    }
    assert!(all.len() > 100, "the declarations are found");
    all
}

/// The words of a name, in small letters and in the singular.
fn segments(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        if letter.is_uppercase() || letter == '_' || words.is_empty() {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words
}

fn is_banned(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    BANNED.contains(&word) || BANNED.contains(&singular)
}

#[test]
fn no_type_and_no_module_has_a_banned_word_in_its_name() {
    let wrong: BTreeSet<String> = declared(&["struct", "enum", "trait", "union", "mod"])
        .into_iter()
        .filter(|one| segments(&one.name).iter().any(|word| is_banned(word)))
        .filter(|one| EXCEPTIONS.iter().all(|(name, _)| *name != one.name))
        .map(|one| format!("{} in {}", one.name, one.file))
        .collect();
    assert!(
        wrong.is_empty(),
        "GLOSSARY.md has another word for:\n{}",
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in declared(&["struct", "enum", "trait", "union"]).into_iter().filter(|one| one.public) {
        files.entry(one.name).or_default().push(one.file);
    }
    files.retain(|_, files| files.len() > 1);
    assert!(files.is_empty(), "one name for two things: {files:#?}");
}

#[test]
fn every_table_is_in_the_glossary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let glossary = fs::read_to_string(root.join("GLOSSARY.md")).unwrap();
    let mut tables = Vec::new();
    for entry in fs::read_dir(root.join("migrations")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
        tables.extend(names.map(str::to_owned));
    }
    assert!(tables.len() > 50, "the tables are found");
    tables.retain(|table| !glossary.contains(&format!("`{table}`")));
    assert!(tables.is_empty(), "GLOSSARY.md does not say what these tables are: {tables:?}");
}

#[test]
fn names_are_taken_apart() {
    assert_eq!(segments("HeldGrant"), ["held", "grant"]);
    assert_eq!(segments("people_facts"), ["people", "facts"]);
    assert!(segments("PlaceLines").iter().all(|word| is_banned(word)));
    assert!(!is_banned("online") && !is_banned("replace"));
}
