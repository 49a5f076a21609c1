//! `rolecall apply FILE.toml`: bring the store to what a file declares.
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;

use super::ConfigFile;
use crate::admin::apply::{self, Beside, Means, Plan};
use crate::admin::declaration::{Declaration, SecretRef};
use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::secret::Keyring;
use crate::store::extent::OperatorExtent;
use crate::web::connection_settings;

/// Declare partners, roles, directories and rules in one file
#[derive(Args)]
pub struct Apply {
    /// The declaration
    file: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Take back the grants that the file does not name, at the partners that it names
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl Apply {
    /// Shows what changes, asks, applies.
    ///
    /// # Errors
    /// What is wrong with the file, its secrets or the store.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let text =
            std::fs::read_to_string(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let declaration =
            Declaration::parse(&text).with_context(|| format!("{} cannot be used", self.file.display()))?;
        let config = self.config.load()?;
        let store = super::open_store(&config).await?;
        let keyring = super::keyring(&config, &store).await?;
        let ctx = Clock.ctx(Actor::Operator);
        let mut means = means(&declaration, &keyring)?;
        means.prune = self.prune;
        let by = OperatorExtent::assume();
        let plan = apply::rehearse(&store, &ctx, by, &declaration, &means).await?;
        print!("{}", self.said(&plan));
        if plan.changes.is_empty() {
            store.close().await;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !agreed(plan.changes.len())? {
            println!("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        }
        let done = apply::apply_shown(&store, &ctx, by, (&declaration, &plan), &means).await?.changes.len();
        println!("Applied: {done} {}.", if done == 1 { "change" } else { "changes" });
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }

    /// What changes, and what the store has besides.
    fn said(&self, plan: &Plan) -> String {
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

/// Things of one kind, not more of them than a person reads.
fn listed(these: &[Beside]) -> String {
    const MOST: usize = 50;
    let mut lines: String = these.iter().take(MOST).map(|one| format!("  {}\n", one.what)).collect();
    if let (Some(first), Some(more)) = (these.first(), these.len().checked_sub(MOST).filter(|more| *more > 0)) {
        lines.push_str(&format!("  … and {more} more {}\n", first.kind));
    }
    lines
}

/// Asks; an input that is closed is no answer.
fn agreed(count: usize) -> anyhow::Result<bool> {
    print!("Apply {}? [y/N] ", if count == 1 { "this change".to_owned() } else { format!("these {count} changes") });
    std::io::stdout().flush()?;
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer)? == 0 {
        println!();
        bail!("nobody is there to answer, so nothing was changed; `--yes` applies without asking");
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What a declaration is applied with: the secrets it points to, and what checks settings.
fn means<'a>(declaration: &Declaration, keyring: &'a Keyring) -> anyhow::Result<Means<'a>> {
    let mut means = Means::new(keyring, connection_settings::check, connection_settings::check_join);
    for door in declaration.directories.iter().flat_map(|directory| &directory.connections) {
        if let Some(reference) = &door.secret {
            means.connections.insert(door.slug.clone(), look_up(reference, &door.slug)?);
        }
        if let Some(reference) = &door.token {
            means.tokens.insert(door.slug.clone(), look_up(reference, &door.slug)?);
        }
    }
    Ok(means)
}

fn look_up(reference: &SecretRef, slug: &str) -> anyhow::Result<SecretString> {
    let found = match reference {
        SecretRef::Env(name) => std::env::var(name)
            .with_context(|| format!("connection {slug}: the environment variable {name} is not set"))?,
        SecretRef::File(path) => std::fs::read_to_string(path)
            .with_context(|| format!("connection {slug}: cannot read {}", path.display()))?,
    };
    let secret = found.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() {
        bail!("connection {slug}: the secret is empty");
    }
    Ok(secret.into())
}
