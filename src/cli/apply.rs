//! `rolecall apply FILE.toml`: bring the store to what a file declares.
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::running::{RunningServer, running};
use super::{ConfigFileArgs, NOT_AGREED};
use crate::admin::apply::{ApplyError, ApplyPlan, Faults, Undeclared};
use crate::admin::declaration::{Declaration, SecretRef};
use crate::admin::file::{self, Slip, Slips, SourcePositions};
use crate::admin::operator::{self, ResolvedDeclaration};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ctx::Actor;
use crate::secret::Keyring;
use crate::store::Store;

/// Declare partners, roles, directories and rules in one file
#[derive(Args)]
pub struct ApplyArgs {
    /// The declaration
    file: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Take back the grants that the file does not name, at the partners that it names
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    config: ConfigFileArgs,
}

/// Whoever has the store: the server that runs on it, or this process.
enum Hand {
    Server(RunningServer),
    Here(Store, Box<Keyring>),
}

/// What the hand answers.
enum PlanOutput {
    Plan(ApplyPlan),
    Wrong(Faults),
}

impl ApplyArgs {
    /// Shows what changes, asks, applies. Through the server that runs on the data folder; without one, in this process.
    /// The exit code is 0 when the store says what the file says, 3 when nobody agreed to what would change, 1 when
    /// something is wrong.
    ///
    /// # Errors
    /// What is wrong with the configuration or the store.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let text =
            std::fs::read_to_string(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let declaration = match file::read(&text) {
            Ok(declaration) => declaration,
            Err(Slips(slips)) => return Ok(self.refused(slips)),
        };
        let mut order = match order(declaration) {
            Ok(order) => order,
            Err(missing) => return Ok(self.refused(located(&text, missing))),
        };
        order.prune = self.prune;
        let hand = Hand::of(&self.config.load()?).await?;
        let code = self.through(&hand, &text, order).await;
        hand.done().await;
        code
    }

    async fn through(&self, hand: &Hand, text: &str, mut order: ResolvedDeclaration) -> anyhow::Result<ExitCode> {
        let plan = match hand.apply(&order).await? {
            PlanOutput::Plan(plan) => plan,
            PlanOutput::Wrong(faults) => return Ok(self.refused(located(text, faults))),
        };
        print(&self.said(&plan))?;
        let count = plan.changes.len();
        if count > 0 && !self.yes && !agreed(count)? {
            print("Nothing was changed.\n")?;
            return Ok(ExitCode::from(NOT_AGREED));
        }
        if count > 0 || plan.names {
            order.agreed = Some(plan.hash());
            if let PlanOutput::Wrong(faults) = hand.apply(&order).await? {
                return Ok(self.refused(located(text, faults)));
            }
        }
        if count > 0 {
            print(&format!("Applied: {count} {}.\n", if count == 1 { "change" } else { "changes" }))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Tells everything that is wrong with the file.
    fn refused(&self, mut slips: Vec<Slip>) -> ExitCode {
        slips.sort_by_key(|slip| slip.line);
        let file = self.file.display();
        for Slip { line, why } in &slips {
            eprintln!("{file}:{line}: {why}");
        }
        let many =
            if slips.len() == 1 { "1 thing is wrong".to_owned() } else { format!("{} things are wrong", slips.len()) };
        eprintln!("rolecall: {many} with {file}; nothing was changed");
        ExitCode::FAILURE
    }

    /// What changes, and what the store has besides.
    fn said(&self, plan: &ApplyPlan) -> String {
        let file = self.file.display();
        let mut said: String = plan.changes.iter().map(|change| format!("{change}\n")).collect();
        if plan.changes.is_empty() {
            said = match plan.beside.is_empty() {
                true => format!("Nothing to do: the store says what {file} says.\n"),
                false => format!("Nothing to do: what {file} says is so. The store has more than that.\n"),
            };
        }
        if plan.beside.is_empty() {
            return said;
        }
        said.push_str(&format!("\nIn the store, not in {file}; it stays:\n"));
        for kind in plan.beside.chunk_by(|one, next| one.kind == next.kind) {
            said.push_str(&listed(kind));
        }
        if plan.beside.iter().any(|one| one.kind == "grants") {
            said.push_str("`--prune` takes these grants back.\n");
        }
        said.push('\n');
        said
    }
}

impl Hand {
    async fn of(config: &Config) -> anyhow::Result<Self> {
        if let Some(server) = running(config).await?.filter(|_| config.store.is_a_file()) {
            return Ok(Self::Server(server));
        }
        let store = super::open_store(config).await?;
        let keyring = super::keyring(config, &store).await?;
        Ok(Self::Here(store, Box::new(keyring)))
    }

    async fn apply(&self, order: &ResolvedDeclaration) -> anyhow::Result<PlanOutput> {
        match self {
            Self::Server(server) => {
                let body = serde_json::to_string(order).context("the declaration cannot be sent")?;
                let mut answer = server.post_text("/operator/apply", body).await?;
                if let Some(faults) = answer.get_mut("faults").map(Value::take) {
                    return Ok(PlanOutput::Wrong(serde_json::from_value(faults).context("the answer cannot be read")?));
                }
                let plan = answer.get_mut("plan").map(Value::take).unwrap_or_default();
                Ok(PlanOutput::Plan(
                    serde_json::from_value(plan).context("the running server's answer cannot be read")?,
                ))
            }
            Self::Here(store, keyring) => {
                match operator::apply(store, &Clock.ctx(Actor::Operator), keyring, order).await {
                    Ok(plan) => {
                        // A first application fills empty tables, and no server need be running whose job this is.
                        if order.agreed.is_some() {
                            let _tried_again_later = store.look_again().await;
                        }
                        Ok(PlanOutput::Plan(plan))
                    }
                    Err(ApplyError::Refused(faults)) => Ok(PlanOutput::Wrong(faults)),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    async fn done(self) {
        if let Self::Here(store, _) = self {
            store.close().await;
        }
    }
}

/// Writes to standard output; a reader that goes away is an error and no panic.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn located(text: &str, faults: Faults) -> Vec<Slip> {
    let places = SourcePositions::of(text);
    faults.0.into_iter().map(|fault| Slip { line: places.line(&fault.at), why: fault.to_string() }).collect()
}

/// Things of one kind, not more of them than a user reads.
fn listed(these: &[Undeclared]) -> String {
    const MOST: usize = 50;
    let mut lines: String = these.iter().take(MOST).map(|one| format!("  {}\n", one.what)).collect();
    if let (Some(first), Some(more)) = (these.first(), these.len().checked_sub(MOST).filter(|more| *more > 0)) {
        lines.push_str(&format!("  … and {more} more {}\n", first.kind));
    }
    lines
}

/// Asks; an input that is closed is no answer.
fn agreed(count: usize) -> anyhow::Result<bool> {
    let these = if count == 1 { "this change".to_owned() } else { format!("these {count} changes") };
    print(&format!("Apply {these}? [y/N] "))?;
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer)? == 0 {
        println!();
        eprintln!("rolecall: nobody is there to answer; `--yes` applies without asking");
        return Ok(false);
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A declaration with the secrets it points to, as they are where the command runs.
fn order(declaration: Declaration) -> Result<ResolvedDeclaration, Faults> {
    let (mut order, mut missing) = (ResolvedDeclaration::default(), Faults::default());
    for (number, directory) in declaration.directories.iter().enumerate() {
        for (at, connection) in directory.connections.iter().enumerate() {
            let mut found = |kind: &str, reference: &Option<SecretRef>, into: &mut BTreeMap<String, String>| {
                let Some(reference) = reference else { return };
                match look_up(reference) {
                    Ok(secret) => drop(into.insert(connection.slug.clone(), secret)),
                    Err(why) => missing.0.push(crate::admin::apply::DeclarationError {
                        at: format!("directory/{number}/connection/{at}/{kind}"),
                        place: format!("connection {}", connection.slug),
                        why: format!("{why:#}"),
                    }),
                }
            };
            found("secret", &connection.secret, &mut order.secrets);
            found("token", &connection.token, &mut order.tokens);
        }
    }
    order.declaration = declaration;
    if missing.0.is_empty() { Ok(order) } else { Err(missing) }
}

fn look_up(reference: &SecretRef) -> anyhow::Result<String> {
    let found = match reference {
        SecretRef::Env(name) => {
            std::env::var(name).with_context(|| format!("the environment variable {name} is not set"))?
        }
        SecretRef::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
        }
    };
    let secret = found.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() {
        bail!("the secret is empty");
    }
    Ok(secret)
}
