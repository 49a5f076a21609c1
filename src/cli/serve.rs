//! `rolecall serve`: runs the server until it is told to stop.
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ConfigFileArgs;
use crate::admin::setup::{self, SetUp, When};
use crate::admin::{keys, links};
use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::store::extent::OperatorExtent;
use crate::store::sessions;
use crate::telemetry;
use crate::web::server;

/// Run the server.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigFileArgs,
}

impl ServeArgs {
    /// Runs it; returns after a graceful stop.
    ///
    /// # Errors
    /// What keeps the server from starting.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        super::prepare::usable(&config)?;
        telemetry::start(&config.log).context("`log.filter`")?;
        let store = super::open_store(&config).await?;
        let keyring = super::keyring(&config, &store).await?;
        let wanted = SetUp {
            catalog: &config.setup.catalog,
            company: &config.setup.root_partner_name,
            owner: &config.setup.owner_login_name,
        };
        let ctx = Clock.ctx(Actor::Operator);
        // With other keys the first owner's link would not open, and a new one would take its place.
        keys::confirm(&store, &ctx, &keyring).await?;
        let first = (&wanted, When::AtStart);
        let link = setup::set_up(&store, &ctx, OperatorExtent::assume(), &keyring, first).await?;
        let running = server::start(config, store.clone(), Clock).await?;
        if let Some(token) = link {
            let address = links::address(running.app().public_url.as_str(), &token);
            println!(
                "Nobody has come in yet. The first owner signs in here, once, within a day (`rolecall admin setup-link` \
                 shows it again):\n{}",
                address.as_str()
            );
        } else if !sessions::any(&mut store.reader().await?).await? {
            println!(
                "Nobody is signed in. Should no owner be able to: `rolecall admin setup-link` shows the first owner's \
                 link, `rolecall admin recover-owner` makes one for anybody else."
            );
        }
        tracing::info!(address = %running.address(), url = %running.app().public_url, "serving");
        running.until_signal().await.context("cannot be told of signals")?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
