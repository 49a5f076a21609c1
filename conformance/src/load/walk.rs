//! A cursor's walk through everyone while others come and go.

use super::connection::Connection;
use super::table::Target::Told;
use super::{Bench, seed, user};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Users of a page.
const PAGE: usize = 1_000;
/// Of so many copies one is deleted during the walk, at most [`MOST`] in all.
const EVERY: usize = 50;
const MOST: usize = 2_000;

/// Walks and compares.
pub async fn run(bench: &mut Bench<'_>) -> Result<()> {
    let (server, _) = bench.serve().await?;
    let (door, users) = (server.ready.scim.clone(), bench.users);
    let done = Arc::new(AtomicBool::new(false));
    let (others, ended) = (Connection::open(&door).await?, done.clone());
    let others = tokio::spawn(come_and_go(others, users, ended));

    let begun = Instant::now();
    let mut connection = Connection::open(&door).await?;
    let mut seen: HashMap<String, u32> = HashMap::new();
    let (mut cursor, mut pages) = (String::new(), 0);
    loop {
        let path = format!("/Users?count={PAGE}&cursor={cursor}&attributes=userName");
        let status = connection.send("GET", &path, "").await?;
        ensure!(status == 200, "page {pages}: {status} {}", String::from_utf8_lossy(connection.body()));
        let page: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
        for row in page["Resources"].as_array().context("no rows")? {
            *seen.entry(row["id"].as_str().context("no id")?.to_owned()).or_default() += 1;
        }
        pages += 1;
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let took = begun.elapsed().as_secs_f64();
    done.store(true, Ordering::Relaxed);
    let (came, gone) = others.await.context("the others")??;
    server.stop().await?;

    let twice = seen.values().filter(|times| **times > 1).count();
    let stayed = (1..=users).filter(|at| at % EVERY != 0 || at / EVERY > MOST);
    let missed = stayed.filter(|at| !seen.contains_key(&seed::id(*at))).count();
    let outcome = format!("{} seen, {missed} missed, {twice} twice; {came} came, {gone} went", seen.len());
    bench.table.say("cursor walk", &outcome, "every lasting row exactly once", missed == 0 && twice == 0);
    bench.table.add(&format!("cursor walk in {pages} pages"), took, "s", Told);
    Ok(())
}

/// Creates and deletes until told; how many of each.
async fn come_and_go(mut connection: Connection, users: usize, done: Arc<AtomicBool>) -> Result<(usize, usize)> {
    let (mut came, mut gone) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let status = connection.send("POST", "/Users", &user(&format!("late-{came}"))).await?;
        ensure!(status == 201, "a newcomer: {status}");
        came += 1;
        let next = (gone + 1) * EVERY;
        if next <= users && gone < MOST {
            let status = connection.send("DELETE", &format!("/Users/{}", seed::id(next)), "").await?;
            ensure!(status == 204, "a deletion: {status}");
            gone += 1;
        }
    }
    Ok((came, gone))
}
