//! `cargo xtask bench ldap [--users N]`: first runs, runs without change, and what a nested group costs, of a fifth of N
//! people and of N.

use super::slapd::Slapd;
use super::tree::Tree;
use super::{READER_PASSWORD, read, scenario};
use crate::args::Args;
use crate::load::cpu::{self, Meter};
use crate::load::table::Table;
use crate::load::table::Target::{AtMost, Told};
use crate::report::Report;
use crate::server::{Server, Start};
use crate::setup;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Instant;

/// Groups of either size.
const GROUPS: usize = 1_000;
/// Groups that are put into others when the rest is there.
const NESTED: usize = 450;

/// Runs every measure on one database.
///
/// # Errors
/// When a program does not start or a run does not end well.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let fsync = cpu::fsync_seconds(&args.folder("fsync")?)? * 1000.0;
    report.note(&format!("{}: raw fsync {fsync:.2} ms, load average {} before", args.kind(), cpu::busy()));
    let mut table = Table::new(args.kind());
    let (few, many) = (args.users / 5, args.users);
    let small = size(args, few, &mut table).await?;
    let large = size(args, many, &mut table).await?;
    table.add(&format!("a nested group, {many} people against {few}"), large / small, "×", AtMost(1.3));
    table.print(report);
    report.note(&format!("load average {} after", cpu::busy()));
    report.pass("every run ended well");
    Ok(())
}

/// Milliseconds that a nested group costs.
async fn size(args: &Args, users: usize, table: &mut Table) -> Result<f64> {
    let mut tree = Tree::draw(args.seed, users, GROUPS);
    let program = args.slapd.clone().unwrap_or_else(|| "/usr/sbin/slapd".into());
    let slapd = Slapd::start(&program, &args.folder("slapd")?, &tree.ldif()).await?;
    let floor = floor(&slapd).await?;
    table.add(&format!("{users} people: raw read, the best of three"), floor, "s", Told);

    let mut own = args.clone();
    if args.database != "sqlite" {
        own.database = format!("{}_{}", args.database, if users == args.users { "many" } else { "few" });
    }
    let server = Server::start(&Start::new(&own, &format!("bench-{users}"))?).await?;
    let meter = Meter::new(server.pid()?, &own.database);
    let idle = meter.resident()?;
    let mut bench = Bench { server: &server, meter: &meter, table, users, idle };
    setup::open(&server, scenario::SLUG, scenario::lasting(&slapd.address), READER_PASSWORD).await?;
    bench.sync("first run", None).await?;
    let mut unchanged = Vec::new();
    for turn in 1..=3 {
        unchanged.push(bench.sync(&format!("no change ({turn})"), Some(floor)).await?);
    }
    drop(slapd);

    tree.nest(NESTED);
    let slapd = Slapd::start(&program, &args.folder("slapd-nested")?, &tree.ldif()).await?;
    setup::open(&server, scenario::SLUG, scenario::lasting(&slapd.address), READER_PASSWORD).await?;
    let run = bench.sync(&format!("{NESTED} groups put into others"), None).await?;
    ensure!(run["nested"]["added"] == NESTED, "nested: {}", run["nested"]);
    let apply = |run: &Value| run["milliseconds"]["apply"].as_f64().unwrap_or_default();
    let least = unchanged.iter().map(apply).fold(f64::MAX, f64::min);
    let each = (apply(&run) - least).max(0.1) / NESTED as f64;
    table.add(&format!("{users} people: one nested group"), each, "ms", Told);
    server.stop().await?;
    Ok(each)
}

/// Seconds of reading everything with the client library alone.
async fn floor(slapd: &Slapd) -> Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        read::whole(&slapd.address).await?;
        best = best.min(begun.elapsed().as_secs_f64());
    }
    Ok(best)
}

struct Bench<'a> {
    server: &'a Server,
    meter: &'a Meter,
    table: &'a mut Table,
    users: usize,
    idle: f64,
}

impl Bench<'_> {
    async fn sync(&mut self, name: &str, floor: Option<f64>) -> Result<Value> {
        let name = format!("{} people: {name}", self.users);
        self.meter.forget_peak()?;
        let spent = self.meter.seconds();
        let run = setup::sync(self.server, scenario::SLUG, false).await?;
        ensure!(run["status"] == "done", "{name}: {} {}", run["status"], run["failure"]);
        let total = run["milliseconds"]["total"].as_f64().context("no total")? / 1e3;
        let parts = ["read", "compare", "apply"].map(|part| format!("{part} {}", run["milliseconds"][part]));
        self.table.add(&format!("{name} ({} ms)", parts.join(", ")), total, "s", Told);
        if let Some(floor) = floor {
            self.table.add("— against the raw read", total / floor, "×", AtMost(1.5));
        }
        self.table.add("— processor time, server and database", self.meter.seconds() - spent, "s", Told);
        self.table.add("— memory it took", self.meter.peak()? - self.idle, "MiB", Told);
        Ok(run)
    }
}
