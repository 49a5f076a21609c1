//! One connection floods, another works at 25 requests a second: each of its requests must be answered with success,
//! and none may be told to wait. How long they took is reported beside the same work without a neighbour.

use crate::args::Args;
use crate::load::Connection;
use crate::report::Report;
use crate::server::{Door, Server, Start};
use crate::setup;
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a connection is promised.
const PROMISED: u32 = 25;
/// How long it works.
const SECONDS: u32 = 8;
/// Kept-alive connections of the neighbour, each as fast as it is answered.
const FLOODERS: usize = 32;
/// Requests in flight of the one that works.
const WORKERS: u32 = 5;

/// Runs the work alone and beside a flood.
///
/// # Errors
/// When the server does not start or a connection breaks.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let mut start = Start::new(args, "server")?;
    // The demo knows no limits; these are what a server has that nobody has set up.
    start.env =
        vec![("ROLECALL_SCIM_REQUESTS_PER_SECOND".into(), "50".into()), ("ROLECALL_SCIM_BURST".into(), "200".into())];
    let server = Server::start(&start).await?;
    let calm = setup::generic_scim(&server).await?;

    let alone = work(&calm, "alone").await?;
    report.note(&format!("alone: {}", alone.told()));
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> =
        (0..FLOODERS).map(|number| tokio::spawn(flood(server.ready.scim.clone(), number, Arc::clone(&stop)))).collect();
    let beside = work(&calm, "beside").await?;
    stop.store(true, Ordering::Relaxed);
    let mut flooded: BTreeMap<u16, u64> = BTreeMap::new();
    for task in floods {
        for (status, count) in task.await?? {
            *flooded.entry(status).or_default() += count;
        }
    }
    report.note(&format!(
        "beside a flood of {} requests a second: {}",
        total(&flooded) / u64::from(SECONDS),
        beside.told()
    ));

    let failed = |work: &Work| work.statuses.keys().any(|status| !(200..300).contains(status));
    report.check("alone, every request succeeds", !failed(&alone), || format!("{:?}", alone.statuses));
    report.check("beside a flood, every request succeeds", !failed(&beside), || format!("{:?}", beside.statuses));
    let told = flooded.get(&429).copied().unwrap_or(0);
    report.check("the flood is told to wait", told > 0, || format!("{flooded:?}"));
    let served = total(&flooded) - told;
    report.check("the flood still gets what it is promised", served >= u64::from(PROMISED * SECONDS), || {
        format!("{served}")
    });
    report.check("nothing else happens to the flood", flooded.keys().all(|status| [200, 429].contains(status)), || {
        format!("{flooded:?}")
    });
    let status = server.stop().await?;
    report.check("the server stops when asked", status.success(), || status.to_string());
    Ok(())
}

/// What came of the work.
#[derive(Default)]
struct Work {
    statuses: BTreeMap<u16, u64>,
    /// In milliseconds.
    waits: Vec<f64>,
}

impl Work {
    fn told(&self) -> String {
        let mut waits = self.waits.clone();
        waits.sort_by(f64::total_cmp);
        let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).or(waits.last()).copied().unwrap_or(0.0);
        format!(
            "{} requests at {PROMISED} a second, answers after {:.1} ms (half of them), {:.1} ms (99 %), {:.1} ms (all)",
            waits.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        )
    }
}

/// Creates, reads and changes users, so many a second, whatever the answers take.
async fn work(door: &Door, name: &str) -> Result<Work> {
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for worker in 0..WORKERS {
        let (door, name) = (door.clone(), name.to_owned());
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(&door).await?;
            let mut work = Work::default();
            let mut last = String::new();
            for turn in (worker..PROMISED * SECONDS).step_by(WORKERS as usize) {
                tokio::time::sleep_until((begun + Duration::from_secs(1) * turn / PROMISED).into()).await;
                let since = Instant::now();
                let status = match (turn / WORKERS % 3, last.is_empty()) {
                    (1, false) => connection.send("GET", &format!("/Users/{last}"), "").await?,
                    (2, false) => {
                        let change = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                            "Operations": [{"op": "replace", "path": "title", "value": format!("No. {turn}")}]});
                        connection.send("PATCH", &format!("/Users/{last}"), &change.to_string()).await?
                    }
                    _ => {
                        let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                            "userName": format!("{name}-{turn}@example.com")});
                        let status = connection.send("POST", "/Users", &user.to_string()).await?;
                        let made: serde_json::Value = serde_json::from_slice(connection.body()).unwrap_or_default();
                        last = made["id"].as_str().unwrap_or_default().to_owned();
                        status
                    }
                };
                work.waits.push(since.elapsed().as_secs_f64() * 1e3);
                *work.statuses.entry(status).or_default() += 1;
            }
            Ok::<_, anyhow::Error>(work)
        }));
    }
    let mut all = Work::default();
    for task in tasks {
        let work = task.await??;
        all.waits.extend(work.waits);
        for (status, count) in work.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
    }
    Ok(all)
}

/// Asks as fast as it is answered; how often it got which status.
async fn flood(door: Door, number: usize, stop: Arc<AtomicBool>) -> Result<BTreeMap<u16, u64>> {
    let mut connection = Connection::open(&door).await?;
    let mut statuses = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/Users?filter=userName%20co%20%22{number}%22&count=50");
        let status = connection.send("GET", &path, "").await?;
        *statuses.entry(status).or_default() += 1;
    }
    Ok(statuses)
}

fn total(statuses: &BTreeMap<u16, u64>) -> u64 {
    statuses.values().sum()
}
