//! `cargo xtask bench NAME`: builds for release and measures. Figures are reported, not asserted.

use crate::install;
use crate::lab::Lab;
use crate::needs::Need;
use anyhow::{Context, Result, bail};

/// A measurement.
struct Bench {
    name: &'static str,
    needs: &'static [Need],
    /// Takes the words after the name; false when the measurement itself failed.
    act: fn(&mut Lab, &[String]) -> Result<bool>,
}

const BENCHES: &[Bench] = &[
    Bench { name: "scim", needs: &[Need::Postgres], act: scim },
    Bench { name: "probes", needs: &[Need::Postgres], act: probes },
    Bench { name: "apply", needs: &[Need::Postgres], act: apply },
    Bench { name: "ldap", needs: &[Need::Postgres, Need::Slapd], act: ldap },
    Bench { name: "store", needs: &[], act: store },
    Bench { name: "decision", needs: &[Need::Postgres], act: decision },
];

/// Group commit is measured on the disk as it is, and on one that takes this much longer to make bytes durable.
const SLOWER_DISKS: [&[&str]; 2] = [&[], &["--fsync-delay", "4ms"]];

/// What can be measured.
pub fn names() -> Vec<&'static str> {
    BENCHES.iter().map(|bench| bench.name).collect()
}

/// Measures one thing; false when the measurement itself failed.
///
/// # Errors
/// When the name is unknown, or something it needs is missing.
pub fn run(words: &[String]) -> Result<bool> {
    let wanted = words.first().map(String::as_str).unwrap_or_default();
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == wanted) else {
        bail!("there is no benchmark '{wanted}'; there are: {}", names().join(", "));
    };
    let mut lab = Lab::open(false)?;
    install::ensure_all(&lab, bench.needs.iter().copied())?;
    let good = (bench.act)(&mut lab, words.get(1..).unwrap_or_default());
    lab.close();
    good
}

/// `--users N`: how many the large store has.
fn scim(lab: &mut Lab, words: &[String]) -> Result<bool> {
    let url = lab.database("bench")?;
    on_both(lab, "bench-scim", &url, words)
}

/// `--users N`: how many the large store has. Both stores of PostgreSQL have a database of their own.
fn probes(lab: &mut Lab, words: &[String]) -> Result<bool> {
    lab.database("probes_small")?;
    let url = lab.database("probes")?;
    on_both(lab, "bench-probes", &url, words)
}

/// `--users N`: how many people are declared.
fn apply(lab: &mut Lab, words: &[String]) -> Result<bool> {
    let url = lab.database("apply")?;
    on_both(lab, "bench-apply", &url, words)
}

/// `--users N`: how many people the larger directory has.
fn ldap(lab: &mut Lab, words: &[String]) -> Result<bool> {
    lab.database("ldap_few")?;
    lab.database("ldap_many")?;
    let url = lab.database("ldap")?;
    on_both(lab, "bench-ldap", &url, words)
}

/// Runs a measurement of the conformance crate against the release build.
fn on_both(lab: &mut Lab, name: &str, url: &str, words: &[String]) -> Result<bool> {
    let status = lab.cargo(["build", "--release", "--workspace", "--bins"]).status().context("cargo build")?;
    if !status.success() {
        bail!("the release build failed");
    }
    let mut good = true;
    for database in ["sqlite", url] {
        let status = lab.conformance_command("release", name, database).args(words).status().context("conformance")?;
        good &= status.success();
    }
    Ok(good)
}

fn store(lab: &mut Lab, _words: &[String]) -> Result<bool> {
    let mut good = true;
    for disk in SLOWER_DISKS {
        let status = lab.cargo(["bench", "--bench", "group_commit", "--"]).args(disk).status();
        good &= status.context("cargo bench")?.success();
    }
    Ok(good)
}

fn decision(lab: &mut Lab, words: &[String]) -> Result<bool> {
    let url = lab.database("decision")?;
    let mut good = true;
    for database in ["sqlite::memory:", &url] {
        let status = lab.cargo(["bench", "--bench", "decision", "--", "--database", database]).args(words).status();
        good &= status.context("cargo bench")?.success();
    }
    Ok(good)
}
