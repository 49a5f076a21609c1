//! `rolecall admin …`: what only the operator may do.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::ConfigFileArgs;
use super::running::running;
use crate::admin::keys;
use crate::admin::operator::{self, Link};
use crate::admin::setup::SetUp;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ctx::Actor;

/// Acts of the operator
#[derive(Subcommand)]
pub enum AdminCommand {
    /// Make a one-time sign-in link for somebody who is locked out; it is written into the event log
    RecoverOwner(RecoverOwnerArgs),
    /// Show the first owner's one-time link again, as long as nobody has used it
    SetupLink(SetupLinkArgs),
}

/// Make a one-time sign-in link for somebody.
#[derive(Args)]
pub struct RecoverOwnerArgs {
    /// The partner, by its key or id; without it, the root
    #[arg(long, value_name = "KEY")]
    partner: Option<String>,
    /// The user at home there, by sign-in name or id; without it, who holds most over all of the partner
    #[arg(long, value_name = "NAME")]
    login: Option<String>,
    #[command(flatten)]
    config: ConfigFileArgs,
}

/// Show the first owner's link.
#[derive(Args)]
pub struct SetupLinkArgs {
    #[command(flatten)]
    config: ConfigFileArgs,
}

impl AdminCommand {
    /// Runs it: through the server that runs on the data folder; without one, in this process.
    ///
    /// # Errors
    /// The store cannot be had, or there is no such user.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::RecoverOwner(RecoverOwnerArgs { partner, login, config }) => {
                let link = Link::Recover { partner, user: login };
                match address(&config.load()?, &link).await? {
                    Some(address) => println!("Once, within a day: {address}"),
                    None => return Ok(ExitCode::FAILURE),
                }
                eprintln!("This is in the event log as link.issued, by the operator.");
            }
            Self::SetupLink(SetupLinkArgs { config }) => match address(&config.load()?, &Link::SetUp).await? {
                Some(address) => println!("The first owner signs in here, once, within a day:\n{address}"),
                None => {
                    eprintln!(
                        "The first owner has come in already. `rolecall admin recover-owner` makes a link for somebody \
                         who is locked out."
                    );
                    return Ok(ExitCode::FAILURE);
                }
            },
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn address(config: &Config, link: &Link) -> anyhow::Result<Option<String>> {
    if let Some(server) = running(config).await?.filter(|_| config.store.is_a_file()) {
        let answer = server.post("/operator/link", &serde_json::to_value(link)?).await?;
        return Ok(answer.get("address").and_then(Value::as_str).map(str::to_owned));
    }
    let store = super::open_store(config).await?;
    let keyring = super::keyring(config, &store).await?;
    let ctx = Clock.ctx(Actor::Operator);
    keys::confirm(&store, &ctx, &keyring).await?;
    let setup = &config.setup;
    let first = SetUp { catalog: &setup.catalog, company: &setup.root_partner_name, owner: &setup.owner_login_name };
    let token = operator::link(&store, &ctx, (&keyring, &first), link).await;
    store.close().await;
    let base = config.public_url(config.server.listen);
    Ok(token?.map(|token| operator::address(base.as_str(), &token)))
}
