//! A server under test: started by its demo contract, killed or stopped like any process.

use crate::args::Args;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The line that `rolecall demo --json` prints once it serves. It only ever grows.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// Always true.
    pub ready: bool,
    /// The console's address.
    pub console: String,
    /// The address of the one-time sign-in.
    pub setup_link: String,
    /// The SCIM door of the demo's directory.
    pub scim: Door,
    /// The administration interface.
    pub api: Door,
}

/// An address and what opens it.
#[derive(Clone, Debug, Deserialize)]
pub struct Door {
    /// Its base address.
    pub base: String,
    /// A bearer token.
    pub token: String,
}

/// How to start one.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program.
    pub program: PathBuf,
    /// `sqlite` or an address.
    pub database: String,
    /// The folder it keeps; started again on the same one it goes on where it was.
    pub keep: PathBuf,
    /// Where its standard error goes, appended.
    pub log: PathBuf,
    /// Whether the demo plays its push.
    pub push: bool,
    /// Further environment.
    pub env: Vec<(String, String)>,
}

impl Start {
    /// A server of this lab's own in an empty folder, without the demo's push.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(args: &Args, name: &str) -> Result<Start> {
        let log = args.lab.join("logs").join(format!("{}-{name}.log", args.title()));
        std::fs::create_dir_all(args.lab.join("logs")).context("making the log folder")?;
        std::fs::write(&log, "").context("emptying the log")?;
        Ok(Start {
            program: args.server.clone(),
            database: args.database.clone(),
            keep: args.folder(name)?,
            log,
            push: false,
            env: Vec::new(),
        })
    }

    fn command(&self) -> Result<Command> {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(&self.log).context("opening the log")?;
        let mut command = Command::new(&self.program);
        command.args(["demo", "--port", "0", "--json", "--keep"]).arg(&self.keep);
        if self.database != "sqlite" {
            command.args(["--database", &self.database]);
        }
        if !self.push {
            command.arg("--no-push");
        }
        command.envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        Ok(command)
    }
}

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    /// What it said when it was ready.
    pub ready: Ready,
    /// From start to ready.
    pub took: Duration,
}

impl Server {
    /// Starts one and waits for its line.
    ///
    /// # Errors
    /// When it ends or says nothing within a minute; the message names its log.
    pub async fn start(start: &Start) -> Result<Server> {
        Server::launch(start.command()?, &start.log, Duration::from_secs(60)).await
    }

    /// Runs a command that ends up serving, and waits for its line.
    ///
    /// # Errors
    /// When it ends or says nothing within the limit; the message names its log.
    pub async fn launch(mut command: Command, log: &Path, limit: Duration) -> Result<Server> {
        let since = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {:?}", command.as_std().get_program()))?;
        let output = child.stdout.take().context("no output pipe")?;
        let mut lines = BufReader::new(output).lines();
        let line = timeout(limit, lines.next_line()).await;
        let see = || format!("the server did not get ready; {} ends with:\n{}", log.display(), last_lines(log));
        let line = line.with_context(see)?.with_context(see)?.with_context(see)?;
        let ready: Ready = serde_json::from_str(&line).with_context(|| format!("not the ready line: {line}"))?;
        if !ready.ready {
            bail!("the server says it is not ready: {line}");
        }
        // Whoever stops reading a pipe stops the writer: read on to the end.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Server { child, ready, took: since.elapsed() })
    }

    /// Its process number.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }

    /// Kills it without warning, as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill -9")
    }

    /// Asks it to stop and waits.
    ///
    /// # Errors
    /// When it is not gone within 30 s.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await.context("kill -TERM")?;
        timeout(Duration::from_secs(30), self.child.wait())
            .await
            .context("it did not stop within 30 s of SIGTERM")?
            .context("waiting for the server")
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
