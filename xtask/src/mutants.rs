//! Which changes to the pure rooms no test notices.
//!
//! `access` and `scim` know only `domain`, themselves and a few libraries. So each is changed and tested as a
//! crate of its own, laid out in the lab from copies: that takes a second or two a change, where the whole crate
//! takes several times that. What the integration tests would notice does not count here.

use crate::lab::Lab;
use crate::run::{Count, Tally, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The rooms whose code is changed.
const CHANGED: [&str; 2] = ["access", "scim"];
/// The room that each stands on.
const BENEATH: &str = "domain";
/// A change may make a loop endless; its tests are then stopped after so many seconds, and count as noticed.
const STOP_AFTER: &str = "20";
/// A change is noticed or not: no time is spent on showing where, or on the smallest case that shows it.
const BRIEF: [(&str, &str); 3] =
    [("RUST_BACKTRACE", "0"), ("PROPTEST_MAX_SHRINK_ITERS", "0"), ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")];
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Survivors are told, not failed: each is a question to a reader, and some have no test as answer.
/// `conformance/MUTANTS.md` keeps those that were answered so.
///
/// # Errors
/// When a crate cannot be laid out or the tool cannot be started.
pub fn check(lab: &Lab) -> Result<Tally> {
    let home = lab.scratch("mutants")?;
    let mut total = Tally::default();
    for room in CHANGED {
        let place = home.join(room);
        lay_out(&lab.root, room, &place)?;
        let mut command = lab.cargo(["mutants", "--in-place", "--no-shuffle", "--no-times", "--timeout", STOP_AFTER]);
        command.args(["--file", &format!("src/{room}/**"), "--", "--lib"]);
        command.current_dir(&place).env("CARGO_TARGET_DIR", home.join("target")).envs(BRIEF);
        run(command, Count::Exit, LIMIT)?;
        total = total + told(room, &place.join("mutants.out"));
    }
    Ok(total)
}

/// Says what came of a room. It passes when the tool worked, which it did if any change was noticed.
fn told(room: &str, out: &Path) -> Tally {
    let lines = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
    let count = |name: &str| lines(name).lines().count();
    let (noticed, endless, unviable) = (count("caught.txt"), count("timeout.txt"), count("unviable.txt"));
    let missed = count("missed.txt");
    println!("{room}: {noticed} noticed, {endless} stopped as endless, {unviable} do not compile, {missed} missed");
    print!("{}", lines("missed.txt"));
    let worked = noticed > 0;
    Tally { passed: u32::from(worked), failed: u32::from(!worked) }
}

/// Writes the crate of a room: copies of it and of what it stands on, and of the dependencies that they name.
fn lay_out(root: &Path, room: &str, home: &Path) -> Result<()> {
    let (mut text, mut map) = (String::new(), String::new());
    for part in [BENEATH, room] {
        copy(&root.join("src").join(part), &home.join("src").join(part), &mut text)?;
        map.push_str(&format!("pub mod {part};\n"));
    }
    let manifest = manifest(&fs::read_to_string(root.join("Cargo.toml")).context("reading Cargo.toml")?, &text);
    fs::write(home.join("src/lib.rs"), map).context("writing lib.rs")?;
    fs::write(home.join("Cargo.toml"), manifest).context("writing Cargo.toml")?;
    fs::copy(root.join("Cargo.lock"), home.join("Cargo.lock")).context("copying Cargo.lock")?;
    Ok(())
}

/// Copies a folder of sources and adds their text to `text`.
fn copy(from: &Path, to: &Path, text: &mut String) -> Result<()> {
    let problem = || format!("copying {}", from.display());
    fs::create_dir_all(to).with_context(problem)?;
    for entry in fs::read_dir(from).with_context(problem)? {
        let entry = entry.with_context(problem)?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to, text)?;
            continue;
        }
        let source = fs::read_to_string(&from).with_context(problem)?;
        fs::write(&to, &source).with_context(problem)?;
        text.push_str(&source);
    }
    Ok(())
}

/// A manifest with those dependencies of `ours` that `text` names. Little is optimised: building is most of the
/// time, but the property tests lean on the libraries.
fn manifest(ours: &str, text: &str) -> String {
    let named = |section: &str| {
        let lines = ours.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
        let named = lines.filter(|line| {
            let name = line.split([' ', '=']).next().unwrap_or_default();
            !name.is_empty() && names(text, &name.replace('-', "_"))
        });
        named.map(|line| format!("{line}\n")).collect::<String>()
    };
    format!(
        "[workspace]\n\n\
         [package]\nname = \"rolecall\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\n{}\n\
         [dev-dependencies]\n{}\n\
         [profile.dev]\ndebug = false\n\n\
         [profile.dev.package.\"*\"]\nopt-level = 1\n",
        named("[dependencies]"),
        named("[dev-dependencies]"),
    )
}

/// Whether a path of `text` begins with the library. A longer word that ends like it does not count.
fn names(text: &str, library: &str) -> bool {
    let longer = |before: &str| before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    text.match_indices(&format!("{library}::")).any(|(at, _)| !longer(text.get(..at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_the_dependencies_that_the_sources_name() {
        let ours = "[package]\nname = \"x\"\n\n[dependencies]\n# Data\nserde = \"1\"\nring = \"0.17\"\nsqlx = \"0.9\"\n\
                    unicode-normalization = \"0.1\"\n\n[dev-dependencies]\nproptest = \"1\"\nrcgen = \"0.14\"\n";
        let made = manifest(
            ours,
            "use serde::Serialize;\nuse unicode_normalization::nfc;\nString::new();\nproptest::proptest! {}",
        );
        assert!(made.contains("[dependencies]\nserde = \"1\"\nunicode-normalization = \"0.1\"\n\n"));
        assert!(made.contains("[dev-dependencies]\nproptest = \"1\"\n\n"));
        assert!(!["ring", "sqlx", "rcgen"].iter().any(|name| made.contains(&format!("{name} ="))));
    }

    #[test]
    fn a_room_in_which_nothing_was_noticed_did_not_work() {
        assert_eq!(told("none", Path::new("there/is/no/such/folder")), Tally { passed: 0, failed: 1 });
    }
}
