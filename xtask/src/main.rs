//! `cargo xtask test`, `cargo xtask bench`, `cargo xtask list`.
//!
//! A part is one line in [`parts::PARTS`] and one function. Whatever a part needs (a database, a
//! directory server, a browser) is installed or started before it runs and stopped after it.

mod bench;
mod install;
mod lab;
mod licences;
mod mutants;
mod needs;
mod parts;
mod postgres;
mod python;
mod run;
mod summary;

use anyhow::{Result, bail};
use lab::Lab;
use parts::{PARTS, Part, When};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test [NAME...] [--nightly]   run the tests, or only the named parts
cargo xtask bench NAME [WORDS]           measure; figures are reported, never asserted
cargo xtask list                         what the parts are and what they need";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command line; false when something it ran did not pass.
fn dispatch(words: &[String]) -> Result<bool> {
    let (command, rest) = match words.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", words),
    };
    match command {
        "test" => test(rest),
        "bench" => bench::run(rest),
        "list" => {
            summary::list();
            Ok(true)
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(true)
        }
        other => bail!("unknown command '{other}'\n{USAGE}"),
    }
}

fn test(words: &[String]) -> Result<bool> {
    let nightly = words.iter().any(|word| word == "--nightly");
    let parts = select(words, nightly)?;
    let mut lab = Lab::open(nightly)?;
    let needs = parts.iter().flat_map(|part| part.needs.iter().copied());
    install::ensure_all(&lab, needs)?;
    let outcomes: Vec<_> = parts.into_iter().map(|part| parts::run_part(part, &mut lab)).collect();
    lab.close();
    Ok(summary::print(&outcomes))
}

/// The parts to run, in the order of the table. Names win over the nightly switch.
fn select(words: &[String], nightly: bool) -> Result<Vec<&'static Part>> {
    let names: Vec<&String> = words.iter().filter(|word| *word != "--nightly").collect();
    if let Some(unknown) = names.iter().find(|name| !PARTS.iter().any(|part| part.name == ***name)) {
        bail!("there is no part '{unknown}'; `cargo xtask list` names them");
    }
    let wanted = |part: &&Part| match part.when {
        _ if !names.is_empty() => names.iter().any(|name| *name == part.name),
        When::Always => true,
        When::Nightly => nightly,
        When::Named => false,
    };
    Ok(PARTS.iter().filter(wanted).collect())
}
