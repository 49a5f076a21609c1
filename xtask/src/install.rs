//! Brings what is missing: Debian packages where xtask may install them, the pinned Python and
//! npm packages into folders of their own, cargo tools, and the built binaries.

use crate::lab::Lab;
use crate::needs::{Need, find, succeeds};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Brings every need that can be brought. What stays missing is answered with what to do.
pub fn ensure_all(lab: &Lab, needs: impl Iterator<Item = Need>) -> BTreeMap<Need, String> {
    let needs: BTreeSet<Need> = needs.collect();
    let packages = install_packages(&needs);
    let mut missing = BTreeMap::new();
    for need in needs {
        let done = match &packages {
            Err(error) if !need.missing_packages().is_empty() => Err(anyhow::anyhow!("{error:#}")),
            _ => ensure(lab, need),
        };
        if let Err(error) = done {
            missing.insert(need, format!("needs {}: {error:#}", need.about()));
        }
    }
    missing
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
        Need::Python => python(lab),
        Need::OidcProvider => npm(&lab.root.join("conformance/oidc")),
        Need::Browser => npm(&lab.root.join("conformance/console")),
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

/// A virtual environment with exactly the pinned packages; made again when the pins change.
fn python(lab: &Lab) -> Result<()> {
    let pins = lab.root.join("conformance/scim/requirements.txt");
    let wanted = fs::read_to_string(&pins).context("reading requirements.txt")?;
    let folder = lab.dir.join("python");
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    must(pip.arg(&pins))?;
    fs::write(stamp, wanted).context("noting what was installed")
}

/// The packages of one lock file; installed again when the lock file changes.
fn npm(folder: &Path) -> Result<()> {
    let wanted = fs::read_to_string(folder.join("package-lock.json")).context("reading package-lock.json")?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]);
    must(npm.current_dir(folder))?;
    fs::write(stamp, wanted).context("noting what was installed")
}

fn cargo_tool(name: &str) -> Result<()> {
    if find(name).is_some() || succeeds(name, &["--version"]) {
        return Ok(());
    }
    must(Command::new("cargo").args(["install", "--locked", "--quiet", name]))
}

fn must(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} did not succeed");
    }
    Ok(())
}
