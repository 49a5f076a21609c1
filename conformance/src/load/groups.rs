//! Members: one more in a huge group and in a small one, and all of a huge group replaced.

use super::connection::Connection;
use super::run::median;
use super::table::Target::{AtMost, Told};
use super::{Bench, seed};
use crate::server::{Door, Server};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;

/// Members of the huge group, when the store has as many.
const HUGE: usize = 100_000;
/// Members of the small one.
const SMALL: usize = 10;
/// Members added to each, in turns.
const TURNS: usize = 300;

/// Both measures.
pub async fn run(bench: &mut Bench<'_>) -> Result<()> {
    let members = HUGE.min(bench.users - TURNS - 1);
    let server = Server::start(&bench.start).await?;
    let huge = create(&server.ready.scim, "bench-huge").await?;
    let small = create(&server.ready.scim, "bench-small").await?;
    server.stop().await?;
    seed::members(bench.args, &bench.start.keep, "bench-huge", (1, members)).await?;
    seed::members(bench.args, &bench.start.keep, "bench-small", (1, SMALL)).await?;

    let (server, meter) = bench.serve().await?;
    let mut connection = Connection::open(&server.ready.scim).await?;
    let (mut into_huge, mut into_small) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let member = seed::id(members + 1 + turn);
        for (group, times) in [(&huge, &mut into_huge), (&small, &mut into_small)] {
            let body = patch("add", &json!([{"value": member}]));
            let begun = Instant::now();
            send(&mut connection, "PATCH", &format!("/Groups/{group}?excludedAttributes=members"), &body).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let (into_huge, into_small) = (median(&mut into_huge), median(&mut into_small));
    bench.table.add(&format!("PATCH add one of {members}"), into_huge, "ms", Told);
    let slower = into_huge / into_small;
    bench.table.add(&format!("PATCH add one, {members} members against {SMALL}"), slower, "×", AtMost(1.2));

    // Half of them stay: those with even numbers go, as many others come.
    let others = members.min(bench.users - members) / 2;
    let stay = (1..=members).filter(|at| at % 2 == 1);
    let all: Vec<Value> = stay.chain(members + 1..=members + others).map(|at| json!({"value": seed::id(at)})).collect();
    for (what, list) in [("first", &all[..]), ("by the same again", &all[..]), ("by half", &all[..all.len() / 2])] {
        let body = patch("replace", &json!(list));
        let (before, begun) = (meter.resident()?, Instant::now());
        meter.forget_peak()?;
        send(&mut connection, "PATCH", &format!("/Groups/{huge}?excludedAttributes=members"), &body).await?;
        let (took, grown) = (begun.elapsed().as_secs_f64(), meter.peak()? - before);
        let what = format!("replace all {members} members by {} ({what})", list.len());
        bench.table.add(&what, took, "s", AtMost(3.0));
        bench.table.add(&format!("{what}, memory"), grown, "MiB", AtMost(64.0));
    }
    let everybody: Vec<Value> = (1..=members).map(|at| json!({"value": seed::id(at)})).collect();
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "bench-huge",
        "members": everybody});
    let (body, before, begun) = (body.to_string(), meter.resident()?, Instant::now());
    meter.forget_peak()?;
    send(&mut connection, "PUT", &format!("/Groups/{huge}?excludedAttributes=members"), &body).await?;
    let (took, grown) = (begun.elapsed().as_secs_f64(), meter.peak()? - before);
    bench.table.add(&format!("PUT of all {members} members"), took, "s", AtMost(3.0));
    bench.table.add(&format!("PUT of all {members} members, memory"), grown, "MiB", AtMost(64.0));
    server.stop().await?;
    Ok(())
}

async fn create(door: &Door, name: &str) -> Result<String> {
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
    let mut connection = Connection::open(door).await?;
    send(&mut connection, "POST", "/Groups", &body.to_string()).await?;
    let made: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
    Ok(made["id"].as_str().context("no id")?.to_owned())
}

fn patch(op: &str, value: &Value) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": op, "path": "members", "value": value}]})
    .to_string()
}

async fn send(connection: &mut Connection, method: &str, path: &str, body: &str) -> Result<()> {
    let status = connection.send(method, path, body).await?;
    let text = String::from_utf8_lossy(connection.body());
    ensure!((200..300).contains(&status), "{method} {path}: {status} {}", text.chars().take(300).collect::<String>());
    Ok(())
}
