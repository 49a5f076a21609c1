//! Processor time from /proc, and the raw cost of a durable write.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Adds up the processor time of a server and, if asked, of every PostgreSQL process here.
pub struct Meter {
    server: u32,
    postgres: bool,
}

// The unit of /proc/PID/stat on every Linux in use.
const TICKS_PER_SECOND: f64 = 100.0;

impl Meter {
    /// Of one process.
    pub fn new(server: u32, postgres: bool) -> Meter {
        Meter { server, postgres }
    }

    /// Seconds of processor time so far.
    pub fn seconds(&self) -> f64 {
        let mut ticks = ticks(self.server).unwrap_or(0);
        if self.postgres {
            for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                if name.trim() == "postgres" {
                    ticks += self::ticks(pid).unwrap_or(0);
                }
            }
        }
        ticks as f64 / TICKS_PER_SECOND
    }
}

/// User and system time, fields 14 and 15 of proc(5), counted after the name in parentheses.
fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// The median of 50 small writes, each made durable.
///
/// # Errors
/// When the disk refuses.
pub fn fsync_seconds(folder: &Path) -> Result<f64> {
    let mut file = File::create(folder.join("probe")).context("the fsync probe")?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let since = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(since.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
