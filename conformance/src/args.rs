//! The command line, the same for every lab.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What a lab was told.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Which lab.
    pub name: String,
    /// The server's program.
    pub server: PathBuf,
    /// `sqlite`, or the address of an empty PostgreSQL database.
    pub database: String,
    /// The working folder.
    pub lab: PathBuf,
    /// Whether to run the long form.
    pub nightly: bool,
    /// Of the labs that draw: where the draw begins.
    pub seed: u64,
    /// Of the benchmarks: how many users the large store has.
    pub users: usize,
    /// The browser's program.
    pub chromium: Option<PathBuf>,
    /// slapd's program.
    pub slapd: Option<PathBuf>,
    /// Of the newcomer lab: the fresh clone.
    pub clone: Option<PathBuf>,
}

impl Args {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// When a word is unknown or a value is missing.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Args> {
        let mut args =
            Args { database: "sqlite".into(), lab: "target/lab".into(), seed: 1, users: 100_000, ..Args::default() };
        let mut words = words;
        args.name = words.next().context("name a lab")?;
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--server-binary" => args.server = value()?.into(),
                "--database" => args.database = value()?,
                "--lab" => args.lab = value()?.into(),
                "--seed" => args.seed = value()?.parse().context("--seed wants a number")?,
                "--users" => args.users = value()?.parse().context("--users wants a number")?,
                "--chromium" => args.chromium = Some(value()?.into()),
                "--slapd" => args.slapd = Some(value()?.into()),
                "--clone" => args.clone = Some(value()?.into()),
                "--nightly" => args.nightly = true,
                other => bail!("unknown word '{other}'"),
            }
        }
        Ok(args)
    }

    /// Node.js, where `cargo xtask` has put it.
    pub fn node(&self) -> PathBuf {
        self.lab.join("node/node")
    }

    /// The kind of database, for names of logs and folders.
    pub fn kind(&self) -> &'static str {
        if self.database == "sqlite" { "sqlite" } else { "postgres" }
    }

    /// What the closing line calls this run.
    pub fn title(&self) -> String {
        format!("{}-{}", self.name, self.kind())
    }

    /// An empty folder for this run.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.lab.join(format!("{}-{name}", self.title()));
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(folder)
    }
}
