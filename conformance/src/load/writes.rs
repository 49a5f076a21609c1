//! Creating: what one costs, how many are durable a second, and what the log of requests takes of that.

use super::run::{Load, Request, median};
use super::table::Target::{AtLeast, AtMost, Told};
use super::{Bench, MANY, disk, file_of, user};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Creations of one measure.
const CREATIONS: usize = 3_000;
/// Of one turn, where two ways are compared.
const TURN: usize = 1_500;
/// Turns of each way.
const TURNS: usize = 3;
/// Turns where the difference looked for is a few parts in a hundred, and how long they are: the log is written five
/// times a second, and each turn has to bear its share of that.
const FINE_TURNS: usize = 15;
const FINE_TURN: usize = 6_000;

/// Names that nobody had before.
#[derive(Clone, Default)]
struct Names(Arc<AtomicUsize>);

impl Names {
    fn create(&self) -> Request {
        let name = format!("made-{}", self.0.fetch_add(1, Ordering::Relaxed));
        ("POST", "/Users".into(), user(&name))
    }
}

/// Processor time of a creation on the small store.
pub async fn cost(bench: &mut Bench<'_>) -> Result<()> {
    let (server, meter) = bench.serve().await?;
    let names = Names::default();
    let create = move |_| names.create();
    Load { connections: MANY, requests: 500 }.run(&server.ready.scim, &meter, create.clone()).await?;
    let load = Load { connections: MANY, requests: CREATIONS };
    let figures = load.run(&server.ready.scim, &meter, create).await?;
    bench.table.add("create, processor time", figures.cpu, "ms", AtMost(0.3));
    bench.table.add("create, requests/s", figures.rate, "/s", Told);
    server.stop().await?;
    Ok(())
}

/// SQLite: durable creations against the same rows in durable batches, on the disk as it is and on a slower one.
pub async fn durable(bench: &mut Bench<'_>) -> Result<()> {
    if bench.args.database != "sqlite" {
        return Ok(());
    }
    let slowed = disk::slowed(&bench.args.folder("shim")?, 4_000)?;
    for (what, env, target) in [("disk as it is", Vec::new(), Told), ("4 ms more per fsync", slowed, AtLeast(0.6))] {
        bench.start.env = env.clone();
        let names = Names(Arc::new(AtomicUsize::new(if env.is_empty() { 1_000_000 } else { 2_000_000 })));
        let mut ratios = Vec::new();
        for turn in 0..TURNS {
            let copy = bench.args.folder("inserts")?.join("copy.db");
            std::fs::copy(file_of(&bench.start.keep), &copy).context("copying the store")?;
            let raw = inserts(&copy, bench, &env).await?;
            let (server, meter) = bench.serve().await?;
            let names = names.clone();
            let load = Load { connections: MANY, requests: TURN };
            let made = load.run(&server.ready.scim, &meter, move |_| names.create()).await?;
            server.stop().await?;
            eprintln!("     turn {turn}: {:.0} creations/s, {raw:.0} raw", made.rate);
            ratios.push(made.rate / raw);
        }
        bench.table.add(&format!("durable creations against raw batches, {what}"), median(&mut ratios), "×", target);
    }
    bench.start.env = Vec::new();
    Ok(())
}

/// Users a second of the baseline, on a file of its own.
async fn inserts(copy: &std::path::Path, bench: &Bench<'_>, env: &[(String, String)]) -> Result<f64> {
    let mut command = tokio::process::Command::new(std::env::current_exe().context("where am I")?);
    command.args(["bench-scim-inserts", "--users", &TURN.to_string(), "--database"]).arg(copy);
    command.arg("--lab").arg(&bench.args.lab).envs(env.iter().cloned());
    let output = command.output().await.context("the baseline")?;
    anyhow::ensure!(output.status.success(), "the baseline: {}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).context("the baseline's figure")?;
    told["rate"].as_f64().context("the baseline's rate")
}

/// Creations with the log of requests and without, in turns. Which of the two comes first changes from turn to turn:
/// a machine that gets slower, or a store that grows, would favour it.
pub async fn log(bench: &mut Bench<'_>) -> Result<()> {
    let names = Names(Arc::new(AtomicUsize::new(3_000_000)));
    let mut ratios = Vec::new();
    for turn in 0..FINE_TURNS {
        let mut rates = [0.0; 2];
        for way in if turn % 2 == 0 { [0, 1] } else { [1, 0] } {
            bench.start.env = vec![("ROLECALL_RETENTION_REQUEST_LOG_DAYS".into(), ["30", "0"][way].into())];
            let (server, meter) = bench.serve().await?;
            let names = names.clone();
            let load = Load { connections: MANY, requests: FINE_TURN };
            rates[way] = load.run(&server.ready.scim, &meter, move |_| names.create()).await?.rate;
            server.stop().await?;
        }
        ratios.push(rates[0] / rates[1]);
    }
    bench.start.env = Vec::new();
    bench.table.add("create, log of requests on against off", median(&mut ratios), "×", AtLeast(0.95));
    Ok(())
}
