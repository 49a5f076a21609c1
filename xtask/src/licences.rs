//! The quick half of cargo-deny: reads the lists of `deny.toml` and `cargo tree`, needs no extra
//! program and no network. `cargo xtask test deny` runs the whole tool.

use crate::run::Tally;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One case: every dependency that is compiled into a binary or used to build one. Each that is
/// refused counts as a failure of its own.
///
/// # Errors
/// When `deny.toml` or the dependency tree cannot be read.
pub fn check(root: &Path) -> Result<Tally> {
    let rules = fs::read_to_string(root.join("deny.toml")).context("deny.toml")?;
    let allowed = list(&rules, "allow = [");
    let banned = list(&rules, "deny = [");
    if allowed.is_empty() || banned.is_empty() {
        bail!("deny.toml has no `allow` or no `deny` list");
    }
    let (mut allowed_count, mut failed) = (0, 0);
    for line in tree(root)?.lines().collect::<BTreeSet<_>>() {
        let Some((package, licence)) = line.split_once('|') else {
            continue;
        };
        let name = package.split(' ').next().unwrap_or_default();
        let reason = if banned.contains(name) {
            Some("is banned by deny.toml".to_owned())
        } else if !permits(licence, &allowed) {
            Some(format!("has the licence '{licence}', which deny.toml does not allow"))
        } else {
            None
        };
        match reason {
            Some(reason) => {
                println!("FAIL {package} {reason}");
                failed += 1;
            }
            None => allowed_count += 1,
        }
    }
    println!("{allowed_count} dependencies allowed, {failed} refused");
    Ok(Tally { passed: u32::from(failed == 0), failed })
}

fn tree(root: &Path) -> Result<String> {
    let output = Command::new("cargo")
        .args(["tree", "--workspace", "--locked", "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .current_dir(root)
        .output()
        .context("cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    // Without the mark of a repeated subtree.
    Ok(String::from_utf8_lossy(&output.stdout).replace(" (*)", ""))
}

/// The first quoted word of each line of the list that opens with `start`.
fn list(text: &str, start: &str) -> BTreeSet<String> {
    let lines = text.lines().skip_while(|line| line.trim() != start).skip(1);
    let lines = lines.take_while(|line| line.trim() != "]");
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be satisfied with the allowed licences.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) && words.peek().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut permitted = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all_of(words, allowed);
    }
    permitted
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut permitted = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        permitted &= one(words, allowed);
    }
    permitted
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        return any_of(words, allowed) && words.next() == Some(")");
    }
    let licence = words.next().unwrap_or_default();
    match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => allowed.contains(&format!("{licence} WITH {exception}")),
        None => allowed.contains(licence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "ISC", "Apache-2.0"].into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn expressions_are_satisfied_by_what_is_allowed() {
        for good in ["MIT", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND ISC", "GPL-2.0/MIT"] {
            assert!(permits(good, &allowed()), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH LLVM-exception", "(MIT", "MIT ISC"] {
            assert!(!permits(bad, &allowed()), "{bad}");
        }
    }

    #[test]
    fn lists_are_read_line_by_line() {
        let text = "[licenses]\nallow = [\n  \"MIT\", # yes\n]\n[bans]\ndeny = [\n  { crate = \"openssl\" },\n]\n";
        assert_eq!(list(text, "allow = ["), ["MIT".to_owned()].into());
        assert_eq!(list(text, "deny = ["), ["openssl".to_owned()].into());
    }
}
