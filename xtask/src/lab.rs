//! The folder, the database and the commands that the parts share.

use crate::needs;
use crate::postgres::Postgres;
use crate::run::{Count, Tally, run};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the parts work.
pub struct Lab {
    /// The repository.
    pub root: PathBuf,
    /// `target/lab`: environments, logs, screenshots, stores of servers under test.
    pub dir: PathBuf,
    /// Whether the long ones run too.
    pub nightly: bool,
    target: PathBuf,
    postgres: Option<Postgres>,
}

impl Lab {
    /// Finds the repository and makes the folder.
    ///
    /// # Errors
    /// When xtask does not run out of a cargo target folder, or the disk refuses.
    pub fn open(nightly: bool) -> Result<Lab> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
        let program = std::env::current_exe().context("where am I")?;
        let Some(target) = program.ancestors().nth(2) else { bail!("xtask must run by `cargo xtask`") };
        let dir = target.join("lab");
        fs::create_dir_all(dir.join("logs")).context("making target/lab")?;
        Ok(Lab { root: root.into(), dir, nightly, target: target.into(), postgres: None })
    }

    /// A cargo command in the repository.
    pub fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(&self.root);
        // What cargo told about xtask is not about what is built now; build scripts that look at it would run
        // again at every change between `cargo xtask` and plain cargo.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name.as_ref());
            }
        }
        command
    }

    /// A new, empty PostgreSQL database; the cluster starts at the first call.
    ///
    /// # Errors
    /// When the cluster does not come up; the message names its log.
    pub fn database(&mut self, name: &str) -> Result<String> {
        let postgres = match self.postgres.take() {
            Some(postgres) => postgres,
            None => Postgres::start(&self.dir)?,
        };
        self.postgres.insert(postgres).database(name)
    }

    /// An empty folder of that name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.dir.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
        }
        Ok(folder)
    }

    /// Runs one lab of the conformance crate against the debug build.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn conformance(&self, name: &str, database: &str) -> Result<Tally> {
        let command = self.conformance_command("debug", name, database);
        run(command, Count::Lines, Duration::from_secs(if self.nightly { 7200 } else { 900 }))
    }

    /// The command of one conformance lab against a build.
    pub fn conformance_command(&self, profile: &str, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.target.join(profile).join("conformance"));
        command.arg(name).args(["--database", database]);
        command.arg("--server-binary").arg(self.target.join(profile).join("rolecall"));
        command.arg("--lab").arg(&self.dir).current_dir(&self.root);
        if self.nightly {
            command.arg("--nightly");
        }
        if let Some(chromium) = needs::chromium() {
            command.arg("--chromium").arg(chromium);
        }
        if let Some(slapd) = needs::find("slapd") {
            command.arg("--slapd").arg(slapd);
        }
        command
    }

    /// What a newcomer sees: builds the clone and starts the demo, timed.
    ///
    /// # Errors
    /// When the conformance binary cannot be started.
    pub fn newcomer(&self, clone: &Path) -> Result<Tally> {
        let mut command = self.conformance_command("debug", "newcomer", "sqlite");
        command.arg("--clone").arg(clone);
        run(command, Count::Lines, Duration::from_secs(3600))
    }

    /// Stops what was started.
    pub fn close(&mut self) {
        self.postgres = None;
    }
}
