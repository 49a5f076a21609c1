//! Reading: one user by id and by name, lists, counts; against the floor, and the large store against the small one.

use super::connection::Connection;
use super::cpu::Meter;
use super::run::{Figures, Load, Request, median};
use super::table::Target::{AtLeast, AtMost, Told};
use super::{Bench, MANY, ours, seed};
use crate::server::Door;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Turns of what is compared.
const TURNS: usize = 5;
/// Requests of one turn.
const TURN: usize = 2_000;

/// What the large store is compared with.
pub struct Small {
    by_name: f64,
}

/// Processor time of a read on the small store.
pub async fn small(bench: &mut Bench<'_>) -> Result<Small> {
    let (server, meter) = bench.serve().await?;
    let (door, users) = (&server.ready.scim, bench.users);
    let warm = Load { connections: MANY, requests: 500 };
    warm.run(door, &meter, move |at| by_id(at, users)).await?;
    let load = Load { connections: MANY, requests: 5_000 };
    let figures = load.run(door, &meter, move |at| by_id(at, users)).await?;
    bench.table.add("get, processor time", figures.cpu, "ms", AtMost(0.05));
    let figures = load.run(door, &meter, move |at| by_name(at, users)).await?;
    bench.table.add("userName eq, processor time", figures.cpu, "ms", AtMost(0.08));
    let load = Load { connections: MANY, requests: 400 };
    let figures = load.run(door, &meter, move |at| list(at, users)).await?;
    bench.table.add("list of 100, processor time", figures.cpu, "ms", AtMost(1.5));
    let load = Load { connections: MANY, requests: 4_000 };
    let mut rates = Vec::new();
    for _ in 0..TURNS {
        rates.push(load.run(door, &meter, move |at| by_name(at, users)).await?.rate);
    }
    server.stop().await?;
    Ok(Small { by_name: median(&mut rates) })
}

/// The large store: against the floor, against the small one, its counts, its memory.
pub async fn large(bench: &mut Bench<'_>, ten: &Small) -> Result<()> {
    let (server, meter) = bench.serve().await?;
    bench.table.add("start to ready on the large store", server.took.as_secs_f64(), "s", AtMost(1.0));
    let (door, users) = (server.ready.scim.clone(), bench.users);
    let (get, named) = against_floor(bench, &door, &meter).await?;
    bench.table.add("get, requests/s", get.rate, "/s", Told);
    bench.table.add("get, median wait", get.median, "ms", Told);
    bench.table.add("userName eq, requests/s", named.rate, "/s", Told);
    bench.table.add("userName eq, median wait", named.median, "ms", Told);
    let slower = ten.by_name / named.rate;
    bench.table.add(&format!("userName eq at {users} against {}", super::SMALL), slower, "×", AtMost(1.3));
    counts(bench, &door).await?;
    server.stop().await?;

    let (server, meter) = bench.serve().await?;
    Load { connections: 1, requests: 50 }.run(&server.ready.scim, &meter, move |at| by_id(at, users)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.table.add("resident memory, idle", meter.resident()?, "MiB", AtMost(200.0));
    server.stop().await?;
    Ok(())
}

/// The two lookups and the floor with as many bytes, in turns.
async fn against_floor(bench: &mut Bench<'_>, door: &Door, meter: &Meter) -> Result<(Figures, Figures)> {
    let users = bench.users;
    let floor = ours(bench.args, "bench-scim-floor").await?;
    let low = floor.ready.scim.clone();
    let nothing = Meter::new(floor.pid()?, "sqlite");
    let load = Load { connections: MANY, requests: TURN };
    let mut last = (Figures::default(), Figures::default());
    let (mut get, mut named) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        last.0 = load.run(door, meter, move |at| by_id(at * 13, users)).await?;
        let bytes = last.0.bytes;
        let bare = load.run(&low, &nothing, move |_| same(bytes)).await?;
        get.push(last.0.rate / bare.rate);
        last.1 = load.run(door, meter, move |at| by_name(at * 17, users)).await?;
        let bytes = last.1.bytes;
        let bare = load.run(&low, &nothing, move |_| same(bytes)).await?;
        named.push(last.1.rate / bare.rate);
    }
    floor.stop().await?;
    bench.table.add(&format!("get at {users} against the floor"), median(&mut get), "×", AtLeast(0.5));
    bench.table.add(&format!("userName eq at {users} against the floor"), median(&mut named), "×", AtLeast(0.5));
    Ok(last)
}

/// Lists whose total must be counted over the whole store: exact in time, or refused in time.
async fn counts(bench: &mut Bench<'_>, door: &Door) -> Result<()> {
    let mut connection = Connection::open(door).await?;
    for (what, filter) in [
        ("everyone", ""),
        ("userName sw, 1 in 9", "filter=userName%20sw%20%22seed-7%22&"),
        ("userName co, rare", "filter=userName%20co%20%22-777%22&"),
        ("displayName co, rare", "filter=displayName%20co%20%22-777%22&"),
        ("emails.value eq", "filter=emails.value%20eq%20%22seed-77%40example.com%22&"),
    ] {
        let begun = Instant::now();
        let status = connection.send("GET", &format!("/Users?{filter}startIndex=1&count=100"), "").await?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let body: serde_json::Value = serde_json::from_slice(connection.body()).context("no JSON")?;
        let outcome = match body["totalResults"].as_u64() {
            Some(total) => format!("{took:.0} ms, totalResults {total}"),
            None => format!("{took:.0} ms, {status} {}", body["scimType"].as_str().unwrap_or_default()),
        };
        bench.table.say(&format!("list, {what}"), &outcome, "≤ 1500 ms", took <= 1_500.0);
        if body["totalResults"].is_null() {
            let begun = Instant::now();
            let status = connection.send("GET", &format!("/Users?{filter}cursor=&count=100"), "").await?;
            let took = begun.elapsed().as_secs_f64() * 1e3;
            let outcome = format!("{took:.0} ms, {status}");
            bench.table.say(&format!("list, {what}, first cursor page"), &outcome, "≤ 1500 ms", took <= 1_500.0);
        }
    }
    Ok(())
}

fn by_id(at: usize, users: usize) -> Request {
    get(format!("/Users/{}", seed::id(1 + at * 7 % users)))
}

fn by_name(at: usize, users: usize) -> Request {
    get(format!("/Users?filter=userName%20eq%20%22{}%22", seed::name(1 + at * 7 % users)))
}

fn list(at: usize, users: usize) -> Request {
    get(format!("/Users?startIndex={}&count=100", 1 + at * 17 % users))
}

fn same(bytes: usize) -> Request {
    get(format!("/{bytes}"))
}

fn get(path: String) -> Request {
    ("GET", path, String::new())
}
