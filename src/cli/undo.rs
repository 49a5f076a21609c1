//! `rolecall undo CONNECTION`: what a connection took away between two moments, and giving it back.
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::ConfigFileArgs;
use super::running::{RunningServer, running};
use crate::admin::removal_alerts::{self, UndoError, UndoRequest as Wanted};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ctx::Actor;
use crate::domain::time::Timestamp;
use crate::provision::undo::TimeRange;
use crate::web::api;

/// Show what a connection took away between two moments, and give it back
#[derive(Args)]
pub struct UndoArgs {
    /// The connection, by its name in addresses
    name: String,
    /// From this moment on, such as 2026-11-22T01:30:00Z
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    from: Timestamp,
    /// Before this moment; now, unless said
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    to: Option<Timestamp>,
    /// Give it back; without this the plan is only shown
    #[arg(long)]
    yes: bool,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// The folder of the installation, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFileArgs,
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse_rfc3339(text).ok_or("write it like 2026-11-22T01:30:00Z")
}

impl UndoArgs {
    /// Through the server that runs on the data folder; without one, in this process. The exit code is 0 when everything
    /// is back, or nothing had to come back, and 3 when something could come back and was only shown.
    ///
    /// # Errors
    /// There is no such connection, the time is empty, or the store cannot be had.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut config = self.config.load()?;
        if let Some(folder) = &self.data {
            config.store.data_dir.clone_from(folder);
        }
        let to = self.to.unwrap_or_else(|| Clock.now().plus_seconds(1));
        let span = TimeRange { from: self.from, to };
        let plan = match running(&config).await? {
            Some(server) => self.ask(&server, span).await?,
            None => self.here(&config, span).await?,
        };
        if self.json {
            println!("{plan}");
        } else {
            print(&plan);
        }
        let waits = plan.get("applied").is_none() && number(&plan, "restorable") > 0;
        Ok(if waits { ExitCode::from(3) } else { ExitCode::SUCCESS })
    }

    async fn ask(&self, server: &RunningServer, span: TimeRange) -> anyhow::Result<Value> {
        let path = format!("/api/v1/connections/{}/undo", self.name);
        let (from, to) = (span.from.to_string(), span.to.to_string());
        let plan = server.post(&path, &json!({"from": from, "to": to})).await?;
        if !self.yes {
            return Ok(plan);
        }
        server.post(&path, &json!({"from": from, "to": to, "plan_hash": plan.get("plan_hash")})).await
    }

    async fn here(&self, config: &Config, span: TimeRange) -> anyhow::Result<Value> {
        let store = super::open_store(config).await?;
        let ctx = Clock.ctx(Actor::Operator);
        let wanted = Wanted { actor: None, slug: &self.name, span };
        let plan = removal_alerts::plan(&store, &ctx, wanted).await.map_err(|why| self.said(why.to_string()))?;
        let mut view = api::undo_plan(&plan, None);
        if self.yes {
            let done = removal_alerts::carry_out(&store, &ctx, wanted, &plan.hash()).await;
            match done {
                Ok((plan, carried)) => view = api::undo_plan(&plan, Some(carried)),
                Err(UndoError::Refused(why)) => return Err(self.said(why.to_string())),
                Err(changed @ UndoError::Changed(_)) => bail!("{changed}"),
            }
        }
        store.close().await;
        Ok(view)
    }

    fn said(&self, why: String) -> anyhow::Error {
        anyhow::Error::msg(format!("{}: {why}", self.name))
    }
}

fn number(plan: &Value, what: &str) -> u64 {
    plan.pointer(&format!("/counts/{what}")).and_then(Value::as_u64).unwrap_or(0)
}

/// The plan for users: what would be restored first, then what would not and why.
fn print(plan: &Value) {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let entries = plan.get("entries").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let (user, group) = (named(entry, "user"), named(entry, "group"));
        let what = match text(entry, "kind").as_str() {
            "user" => format!("{user} was deleted"),
            "active" => format!("{user} was switched off"),
            "group" => format!("{group} was deleted"),
            _ if entry.get("subgroup").is_some() => format!("a group left {group}"),
            _ => format!("{user} left {group}"),
        };
        let note = match text(entry, "reason") {
            why if !why.is_empty() => format!(": {why}"),
            _ if entry.get("still_suspended") == Some(&Value::Bool(true)) => {
                ": somebody else keeps this user out too".to_owned()
            }
            _ => String::new(),
        };
        println!("{:<16}  {}  {what}{note}", text(entry, "state"), text(entry, "removed_at"));
    }
    let (restorable, all) = (number(plan, "restorable"), entries.map_or(0, Vec::len));
    let whole = restorable + number(plan, "already_restored") + number(plan, "not_restorable");
    if whole > all as u64 {
        println!("… and {} more", whole - all as u64);
    }
    match plan.get("applied") {
        Some(applied) => {
            let of = |name: &str| applied.get(name).and_then(Value::as_u64).unwrap_or(0);
            println!("Restored {}; skipped {}.", of("restored"), of("skipped"));
        }
        None if restorable == 0 => println!("There is nothing to restore."),
        None => println!("{restorable} can be restored, of {} users. Add --yes to do it.", number(plan, "users")),
    }
}

/// The name of a user or group, else its id.
fn named(entry: &Value, what: &str) -> String {
    let name = entry.get(format!("{what}_name")).or_else(|| entry.get(what));
    name.and_then(Value::as_str).unwrap_or("?").to_owned()
}
