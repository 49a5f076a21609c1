//! `rolecall apply FILE.toml`: bring the store to what a file declares.
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;

use super::ConfigFile;
use crate::admin::apply::{self, Secrets};
use crate::admin::declaration::{Declaration, SecretRef};
use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::secret::Keyring;
use crate::store::extent::OperatorExtent;

/// Declare partners, roles, directories and rules in one file
#[derive(Args)]
pub struct Apply {
    /// The declaration
    file: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
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
        let secrets = secrets(&declaration, &keyring)?;
        let by = OperatorExtent::assume();
        let changes = apply::rehearse(&store, &ctx, by, &declaration, &secrets).await?;
        if changes.is_empty() {
            println!("Nothing to do: the store says what {} says.", self.file.display());
            return Ok(ExitCode::SUCCESS);
        }
        for change in &changes {
            println!("{change}");
        }
        if !self.yes && !agreed(changes.len())? {
            println!("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        }
        let done = apply::apply(&store, &ctx, by, &declaration, &secrets).await?;
        println!("Applied: {} {}.", done.len(), if done.len() == 1 { "change" } else { "changes" });
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn agreed(count: usize) -> anyhow::Result<bool> {
    print!("Apply {}? [y/N] ", if count == 1 { "this change".to_owned() } else { format!("these {count} changes") });
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The secrets a declaration points to.
pub(super) fn secrets<'a>(declaration: &Declaration, keyring: &'a Keyring) -> anyhow::Result<Secrets<'a>> {
    let mut secrets = Secrets { keyring, connections: BTreeMap::new(), tokens: BTreeMap::new() };
    for door in declaration.directories.iter().flat_map(|directory| &directory.connections) {
        if let Some(reference) = &door.secret {
            secrets.connections.insert(door.slug.clone(), look_up(reference, &door.slug)?);
        }
        if let Some(reference) = &door.token {
            secrets.tokens.insert(door.slug.clone(), look_up(reference, &door.slug)?);
        }
    }
    Ok(secrets)
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
