//! Brings what is missing: Debian packages where xtask may install them, the pinned Python packages, Node.js and npm
//! packages into folders of their own, cargo tools, and the built binaries. Then looks again.

use crate::lab::Lab;
use crate::needs::{Need, find, succeeds};
use crate::python::{Node, environment};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::process::Command;

/// Brings every need, and looks whether each is met afterwards: an installed package may be too old, or may not run.
///
/// # Errors
/// The first need that stays unmet, with what to do. Nothing should run then: a part that fails because its tool is
/// missing says nothing about the project.
pub fn ensure_all(lab: &Lab, needs: impl Iterator<Item = Need>) -> Result<()> {
    let needs: BTreeSet<Need> = needs.collect();
    install_packages(&needs)?;
    for need in needs {
        let lacks = need.missing_packages();
        if !lacks.is_empty() {
            bail!("the tests need {}, and it does not work with Debian's {}", need.about(), lacks.join(", "));
        }
        ensure(lab, need).with_context(|| format!("the tests need {}", need.about()))?;
    }
    Ok(())
}

/// One apt-get call for all of them, or an error that names the command.
fn install_packages(needs: &BTreeSet<Need>) -> Result<()> {
    let packages: BTreeSet<&str> = needs.iter().flat_map(|need| need.missing_packages()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let mut words = vec!["install", "-y", "--no-install-recommends"];
    words.extend(packages.iter());
    if find("apt-get").is_none() || !is_root() {
        bail!("run: sudo apt-get {}", words.join(" "));
    }
    println!("installing {}", words[3..].join(", "));
    apt(&["update"])?;
    apt(&words)
}

fn apt(words: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .arg("-q")
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Programs of a run level that has no services: what is installed is not started.
        .env("RUNLEVEL", "1")
        .status()
        .context("apt-get")?;
    if !status.success() {
        bail!("apt-get {} did not succeed", words.join(" "));
    }
    Ok(())
}

/// True when xtask runs as root.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn ensure(lab: &Lab, need: Need) -> Result<()> {
    match need {
        Need::Postgres | Need::Slapd => Ok(()),
        Need::Binaries => build(lab),
        Need::Python => environment(&lab.dir.join("python"), &lab.root.join("conformance/scim/requirements.txt")),
        Need::OidcProvider => node(lab)?.packages(&lab.root.join("conformance/oidc")),
        Need::Browser => node(lab)?.packages(&lab.root.join("conformance/console")),
        Need::CargoDeny => cargo_tool("cargo-deny"),
        Need::CargoMutants => cargo_tool("cargo-mutants"),
    }
}

fn build(lab: &Lab) -> Result<()> {
    let status = lab.cargo(["build", "--workspace", "--bins"]).status().context("cargo build")?;
    if !status.success() {
        bail!("the server does not build");
    }
    Ok(())
}

fn node(lab: &Lab) -> Result<Node> {
    Node::install(&lab.dir.join("node"), &lab.root.join("conformance/node/requirements.txt"))
}

fn cargo_tool(name: &str) -> Result<()> {
    if find(name).is_some() || succeeds(name, &["--version"]) {
        return Ok(());
    }
    must(Command::new("cargo").args(["install", "--locked", "--quiet", name]))
}

/// Runs a command that has to succeed.
///
/// # Errors
/// When it cannot be started, or says that it failed.
pub fn must(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} did not succeed");
    }
    Ok(())
}
