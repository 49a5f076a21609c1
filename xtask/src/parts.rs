//! The table of parts: what each one is, what it needs, how it runs.

use crate::lab::Lab;
use crate::licences;
use crate::mutants;
use crate::needs::{self, Need};
use crate::run::{Count, Tally, run};
use anyhow::Result;
use std::time::{Duration, Instant};

/// One thing `cargo xtask test` can run.
pub struct Part {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What a pass says, in one line.
    pub about: &'static str,
    /// In which runs it takes part.
    pub when: When,
    /// What must be there first.
    pub needs: &'static [Need],
    act: fn(&mut Lab) -> Result<Tally>,
}

/// In which runs a part takes part.
#[derive(Clone, Copy, PartialEq)]
pub enum When {
    /// Every run.
    Always,
    /// Runs with `--nightly`.
    Nightly,
    /// Only when it is named: it needs something a build machine may lack.
    Named,
}

/// What came of a part.
pub struct Outcome {
    /// The part's name.
    pub name: &'static str,
    /// Test cases passed and failed.
    pub tally: Tally,
    /// Wall time.
    pub seconds: f64,
    /// Why it could not run or what went wrong, when there is a sentence for it.
    pub note: Option<String>,
}

const fn part(
    name: &'static str,
    when: When,
    needs: &'static [Need],
    about: &'static str,
    act: fn(&mut Lab) -> Result<Tally>,
) -> Part {
    Part { name, about, when, needs, act }
}

/// Every part, in the order they run: cheap and telling ones first.
pub const PARTS: &[Part] = &[
    part("fmt", When::Always, &[], "the code is formatted", fmt),
    part("licences", When::Always, &[], "no dependency has a licence or a name that deny.toml refuses", |lab| {
        licences::check(&lab.root)
    }),
    part("clippy", When::Always, &[], "no warning in any target", clippy),
    part("unit", When::Always, &[], "tests beside the code they test", unit),
    part("it", When::Always, &[Need::Postgres, Need::Slapd], "integration tests on SQLite and PostgreSQL", it),
    part(
        "scim",
        When::Always,
        &[Need::Binaries, Need::Postgres, Need::Python],
        "scim2-tester on both databases",
        |lab| on_both(lab, "scim"),
    ),
    part(
        "sanity",
        When::Always,
        &[Need::Binaries, Need::Postgres, Need::Python],
        "scim-sanity --strict on both databases",
        |lab| on_both(lab, "scim-sanity"),
    ),
    part(
        "refusals",
        When::Always,
        &[Need::Binaries, Need::Postgres],
        "bad input is refused clearly and changes nothing",
        |lab| on_both(lab, "refusals"),
    ),
    part(
        "fairness",
        When::Always,
        &[Need::Binaries, Need::Postgres],
        "25 requests a second of one connection all succeed while another floods",
        |lab| on_both(lab, "fairness"),
    ),
    part(
        "ldap",
        When::Always,
        &[Need::Binaries, Need::Postgres, Need::Slapd],
        "a real slapd, 10,000 odd users, equals the oracle",
        |lab| on_both(lab, "ldap"),
    ),
    part(
        "oidc",
        When::Always,
        &[Need::Binaries, Need::Postgres, Need::OidcProvider],
        "sign in through a certified provider; deactivation ends the session",
        |lab| on_both(lab, "oidc"),
    ),
    part(
        "console",
        When::Always,
        &[Need::Binaries, Need::Browser],
        "every page in a real browser, desktop and phone",
        |lab| lab.conformance("console", "sqlite"),
    ),
    part(
        "faults",
        When::Always,
        &[Need::Binaries, Need::Postgres],
        "kill -9 under write load loses no acknowledged write",
        |lab| on_both(lab, "faults"),
    ),
    part("newcomer", When::Nightly, &[], "a fresh clone, `cargo run --release -- demo`, timed", newcomer),
    part("deny", When::Nightly, &[Need::CargoDeny], "cargo-deny: licences, bans, sources", deny),
    part(
        "mutants",
        When::Nightly,
        &[Need::CargoMutants],
        "which changes to src/access and src/scim no test notices",
        |lab| mutants::check(lab),
    ),
    part(
        "advisories",
        When::Named,
        &[Need::CargoDeny],
        "cargo-deny: known vulnerabilities (reads the advisory database over the network)",
        advisories,
    ),
];

/// Runs one part. What it needs must be there.
pub fn run_part(part: &'static Part, lab: &mut Lab) -> Outcome {
    println!("\n== {}: {}", part.name, part.about);
    let started = Instant::now();
    let (tally, note) = match (part.act)(lab) {
        Ok(tally) => (tally, None),
        Err(error) => (Tally { passed: 0, failed: 1 }, Some(format!("{error:#}"))),
    };
    if let Some(note) = &note {
        eprintln!("{}: {note}", part.name);
    }
    Outcome { name: part.name, tally, seconds: started.elapsed().as_secs_f64(), note }
}

const MINUTE: Duration = Duration::from_secs(60);

fn fmt(lab: &mut Lab) -> Result<Tally> {
    run(lab.cargo(["fmt", "--all", "--check"]), Count::Exit, MINUTE)
}

// Every cargo call names the whole workspace, so that features unify the same way each time and
// nothing is compiled twice.
fn clippy(lab: &mut Lab) -> Result<Tally> {
    let command = lab.cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    run(command, Count::Exit, 15 * MINUTE)
}

fn unit(lab: &mut Lab) -> Result<Tally> {
    let command = lab.cargo(["test", "--workspace", "--lib", "--bins", "--no-fail-fast"]);
    run(command, Count::CargoTest, 20 * MINUTE)
}

fn it(lab: &mut Lab) -> Result<Tally> {
    let url = lab.database("it")?;
    let mut command = lab.cargo(["test", "--workspace", "--test", "*", "--no-fail-fast"]);
    command.env("ROLECALL_TEST_POSTGRES", url);
    if let Some(slapd) = needs::find("slapd") {
        command.env("ROLECALL_TEST_SLAPD", slapd);
    }
    if lab.nightly {
        command.env("ROLECALL_TEST_NIGHTLY", "1");
    }
    run(command, Count::CargoTest, 25 * MINUTE)
}

/// Runs a conformance lab against a server on SQLite and against one on PostgreSQL.
fn on_both(lab: &mut Lab, name: &str) -> Result<Tally> {
    let sqlite = lab.conformance(name, "sqlite")?;
    let url = lab.database(name)?;
    let postgres = lab.conformance(name, &url)?;
    Ok(sqlite + postgres)
}

fn newcomer(lab: &mut Lab) -> Result<Tally> {
    let clone = lab.scratch("newcomer")?;
    let mut git = std::process::Command::new("git");
    git.args(["clone", "--quiet"]).arg(&lab.root).arg(&clone);
    run(git, Count::Exit, 5 * MINUTE)?;
    lab.newcomer(&clone)
}

fn deny(lab: &mut Lab) -> Result<Tally> {
    run(lab.cargo(["deny", "check", "licenses", "bans", "sources"]), Count::Exit, 5 * MINUTE)
}

fn advisories(lab: &mut Lab) -> Result<Tally> {
    run(lab.cargo(["deny", "check", "advisories"]), Count::Exit, 5 * MINUTE)
}
