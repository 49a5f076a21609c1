//! What group commit is worth: durable writes a second on SQLite, against one commit per write and against a pool.
//!
//! `cargo bench --bench group_commit -- [--fsync-delay 4ms] [--seconds 1] [--runs 5] [--folder DIR]`
//!
//! Every contestant writes the same two rows a write (700 bytes, and a key of it) with `synchronous=FULL`, to a file of
//! its own in the same folder. Runs are interleaved, so that a busy minute of the machine meets them all; medians are
//! reported, never asserted. With a delay, every fsync of the process takes that much longer: a slower disk.
mod contestant;
mod disk;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use contestant::Contestant;
use report::{Run, Table};

/// Concurrent writers of each round.
const WRITERS: [usize; 4] = [1, 4, 16, 64];

struct Arguments {
    delay: Option<Duration>,
    time: Duration,
    runs: usize,
    folder: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = arguments()?;
    if let Some(delay) = arguments.delay
        && !disk::is_slowed()
    {
        return disk::run_again_slowed(delay);
    }
    if arguments.folder.exists() {
        // A run that was stopped midway.
        std::fs::remove_dir_all(&arguments.folder)?;
    }
    std::fs::create_dir_all(&arguments.folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let table = runtime.block_on(measure(&arguments));
    std::fs::remove_dir_all(&arguments.folder)?;
    table?.print(arguments.delay);
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Table, Box<dyn std::error::Error>> {
    let commits = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    let mut table = Table::default();
    for round in 0..arguments.runs {
        table.syncs.extend(disk::sync_times(&arguments.folder, 200)?);
        for writers in WRITERS {
            for kind in contestant::KINDS {
                let file = arguments.folder.join(format!("{kind:?}-{writers}-{round}.db"));
                let contestant = Contestant::open(kind, &file, writers).await?;
                let before = groups(&commits.render());
                let (writes, mut waits) = race(&contestant, writers, arguments.time).await?;
                let shared = groups(&commits.render()) - before;
                contestant.close().await;
                waits.sort_unstable();
                let commits = if kind == contestant::Kind::Group { shared } else { 0.0 };
                table.add(kind, writers, Run::new(writes, commits, arguments.time, &waits));
                eprint!(".");
            }
        }
    }
    eprintln!();
    Ok(table)
}

/// Lets `writers` tasks write as fast as they are answered; how much was written, and each wait.
async fn race(
    contestant: &Contestant,
    writers: usize,
    time: Duration,
) -> Result<(u64, Vec<Duration>), Box<dyn std::error::Error>> {
    let tasks = if contestant.batches() { 1 } else { writers };
    let until = Instant::now() + time;
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let contestant = contestant.clone();
        running.spawn(async move {
            let mut waits = Vec::new();
            let mut writes = 0;
            let mut next = i64::try_from(task).map_err(|_| sqlx::Error::WorkerCrashed)? << 40;
            while Instant::now() < until {
                let begun = Instant::now();
                writes += contestant.write(&mut next).await?;
                waits.push(begun.elapsed());
            }
            Ok::<_, sqlx::Error>((writes, waits))
        });
    }
    let mut all = (0, Vec::new());
    while let Some(done) = running.join_next().await {
        let (writes, waits) = done??;
        all.0 += writes;
        all.1.extend(waits);
    }
    Ok(all)
}

/// Group commits so far, as the store counts them.
fn groups(rendered: &str) -> f64 {
    let line = rendered.lines().find_map(|line| line.strip_prefix("rolecall_store_group_writes_count "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0.0)
}

fn arguments() -> Result<Arguments, Box<dyn std::error::Error>> {
    let folder = std::env::current_dir()?.join("target").join("group-commit-bench");
    let mut found = Arguments { delay: None, time: Duration::from_secs(1), runs: 5, folder };
    if !std::env::args().any(|word| word == "--bench") {
        // `cargo test --all-targets` runs this program too: only to see that it works.
        (found.time, found.runs) = (Duration::from_millis(20), 1);
    }
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--fsync-delay" => {
                let millis: f64 = value.trim_end_matches("ms").parse()?;
                found.delay = Some(Duration::from_secs_f64(millis / 1_000.0));
            }
            "--seconds" => found.time = Duration::from_secs_f64(value.parse()?),
            "--runs" => found.runs = value.parse()?,
            "--folder" => found.folder = PathBuf::from(value).join("group-commit-bench"),
            _ => return Err(format!("unknown option {word}").into()),
        }
    }
    Ok(found)
}
