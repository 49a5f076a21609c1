//! `rolecall admin …`: what only the operator may do.
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::ConfigFile;
use crate::admin::links;
use crate::admin::setup;
use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::store::extent::OperatorExtent;

/// Acts of the operator
#[derive(Subcommand)]
pub enum AdminCommand {
    /// Make a one-time sign-in link for an owner who is locked out; it is written into the event log
    RecoverOwner(RecoverOwner),
}

/// Make a one-time sign-in link for an owner.
#[derive(Args)]
pub struct RecoverOwner {
    /// The sign-in name of a person of the root partner; without it, the first by name
    #[arg(long)]
    login: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

impl AdminCommand {
    /// Runs it.
    ///
    /// # Errors
    /// The store cannot be opened, or there is no such person.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Self::RecoverOwner(command) = self;
        let config = command.config.load()?;
        let store = super::open_store(&config).await?;
        let ctx = Clock.ctx(Actor::Operator);
        let token = setup::recover(&store, &ctx, OperatorExtent::assume(), command.login.as_deref()).await?;
        let base = config.public_url(config.server.listen);
        println!("Once, within a day: {}", links::address(base.as_str(), &token).as_str());
        eprintln!("This is in the event log as link.issued, by the operator.");
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
