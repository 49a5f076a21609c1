//! `kill -9` in a loop under write load: every write that was acknowledged must be there when the
//! server is back, every write that was not must be there whole or not at all.

mod check;
mod writer;

use crate::args::Args;
use crate::http::Client;
use crate::random::Random;
use crate::report::Report;
use crate::server::{Server, Start};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;
use writer::Writer;

const WRITERS: usize = 6;

/// Ten rounds, or two hundred with `--nightly`.
///
/// # Errors
/// When a server does not start again after it was killed.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let rounds = if args.nightly { 200 } else { 10 };
    let mut random = Random::new(args.seed);
    let start = Start::new(args, "store")?;
    let mut writers: Vec<Writer> = (0..WRITERS).map(|number| Writer::new(number, args.seed)).collect();
    let mut lost = Vec::new();
    let mut interrupted = 0;
    for round in 1..=rounds {
        let server = Server::start(&start).await?;
        let client = Client::scim(&server.ready.scim)?;
        lost.extend(check::all(&client, &mut writers, round == rounds).await?);
        let pause = Duration::from_millis(150 + random.bits() % 750);
        writers = write_until_killed(server, client, writers, pause).await?;
        interrupted += writers.iter().filter(|writer| writer.was_interrupted()).count();
    }
    let server = Server::start(&start).await?;
    let client = Client::scim(&server.ready.scim)?;
    lost.extend(check::all(&client, &mut writers, true).await?);
    let acknowledged: u64 = writers.iter().map(|writer| writer.acknowledged).sum();
    report.note(&format!(
        "{rounds} rounds of kill -9, {acknowledged} acknowledged writes, {interrupted} interrupted ones, {} lost",
        lost.len()
    ));
    for loss in lost.iter().take(20) {
        report.note(loss);
    }
    report
        .check("no acknowledged write is lost, none is half there", lost.is_empty(), || format!("{} are", lost.len()));
    report.check("the load was real", acknowledged > rounds * 5, || format!("only {acknowledged} writes"));
    let status = server.stop().await?;
    report.check("it stops when asked", status.success(), || status.to_string());
    Ok(())
}

async fn write_until_killed(
    server: Server,
    client: Client,
    writers: Vec<Writer>,
    pause: Duration,
) -> Result<Vec<Writer>> {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = writers
        .into_iter()
        .map(|mut writer| {
            let (client, stop) = (client.clone(), stop.clone());
            tokio::spawn(async move {
                let result = writer.write(&client, &stop).await;
                (writer, result)
            })
        })
        .collect();
    sleep(pause).await;
    server.kill().await?;
    stop.store(true, Ordering::Relaxed);
    let mut back = Vec::new();
    for task in tasks {
        let (writer, result) = task.await?;
        result?;
        back.push(writer);
    }
    Ok(back)
}
