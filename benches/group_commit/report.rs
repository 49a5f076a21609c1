//! Figures and their table.
use std::time::Duration;

use super::WRITERS;
use super::contestant::{KINDS, Kind};

/// One contestant's figures of one run.
#[derive(Clone, Copy)]
pub struct Run {
    writes: f64,
    commits: f64,
    half: Duration,
    most: Duration,
    worst: Duration,
}

impl Run {
    pub fn new(writes: u64, commits: f64, time: Duration, sorted: &[Duration]) -> Self {
        let seconds = time.as_secs_f64();
        let writes = u32::try_from(writes).map_or(f64::INFINITY, f64::from);
        Self {
            writes: writes / seconds,
            commits: commits / seconds,
            half: part(sorted, 50),
            most: part(sorted, 99),
            worst: part(sorted, 100),
        }
    }
}

/// The wait that `percent` of all did not exceed.
fn part(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or_default()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[derive(Default)]
pub struct Table {
    runs: Vec<(Kind, usize, Run)>,
    pub syncs: Vec<Duration>,
}

impl Table {
    pub fn add(&mut self, kind: Kind, writers: usize, run: Run) {
        self.runs.push((kind, writers, run));
    }

    fn median(&self, kind: Kind, writers: usize, figure: impl Fn(&Run) -> f64) -> f64 {
        let runs = self.runs.iter().filter(|run| (run.0, run.1) == (kind, writers));
        median(runs.map(|run| figure(&run.2)).collect())
    }

    pub fn print(mut self, delay: Option<Duration>) {
        self.syncs.sort_unstable();
        let [half, most] = [50, 99].map(|percent| part(&self.syncs, percent).as_secs_f64() * 1e3);
        println!(
            "raw fdatasync: p50 {half:.2} ms, p99 {most:.2} ms; added to each fsync: {:?}",
            delay.unwrap_or_default()
        );
        println!("writes/s (p50 / p99 / max ms a write), medians; a batch's wait is shared by all its writes\n");
        println!(
            "| writers | group | commits/s | alone | pool of 4 | batch | group/alone | group/pool | group/batch |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        for writers in WRITERS {
            let rate = |kind| self.median(kind, writers, |run| run.writes);
            let wait = |kind, of: fn(&Run) -> Duration| self.median(kind, writers, |run| of(run).as_secs_f64() * 1e3);
            let [group, alone, pool, batch] = KINDS.map(|kind| {
                let [half, most, worst] =
                    [|run: &Run| run.half, |run: &Run| run.most, |run: &Run| run.worst].map(|of| wait(kind, of));
                format!("{:.0} ({half:.2} / {most:.2} / {worst:.1})", rate(kind))
            });
            let commits = self.median(Kind::Group, writers, |run| run.commits);
            let ratio = |other| rate(Kind::Group) / rate(other);
            println!(
                "| {writers} | {group} | {commits:.0} | {alone} | {pool} | {batch} | {:.2} | {:.2} | {:.2} |",
                ratio(Kind::Alone),
                ratio(Kind::Pool),
                ratio(Kind::Batch),
            );
        }
    }
}
