//! Processor time and memory from /proc, and the raw cost of a durable write.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Adds up the processor time of a server and, if asked, of the PostgreSQL processes that serve one database.
pub struct Meter {
    server: u32,
    database: Option<String>,
}

// The unit of /proc/PID/stat on every Linux in use.
const TICKS_PER_SECOND: f64 = 100.0;

impl Meter {
    /// Of a server on `database`: `sqlite`, or the address of a PostgreSQL database.
    pub fn new(server: u32, database: &str) -> Meter {
        let name = database.rsplit('/').next().map(|name| format!(" {name} "));
        Meter { server, database: name.filter(|_| database.starts_with("postgres")) }
    }

    /// Seconds of processor time so far.
    pub fn seconds(&self) -> f64 {
        let mut ticks = ticks(self.server).unwrap_or(0);
        if let Some(database) = &self.database {
            for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                // A PostgreSQL process shows user and database in the place of its command line.
                let title = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
                if title.starts_with("postgres:") && title.contains(database.as_str()) {
                    ticks += self::ticks(pid).unwrap_or(0);
                }
            }
        }
        ticks as f64 / TICKS_PER_SECOND
    }

    /// Resident memory of the server now, in MiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// The most resident memory since [`Self::forget_peak`], in MiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn peak(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    /// From here on the peak is counted anew.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn forget_peak(&self) -> Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.server), "5").context("clearing the peak")
    }

    fn status(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server)).context("the server's memory")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("a number")?;
        Ok(kib / 1024.0)
    }
}

/// User and system time, fields 14 and 15 of proc(5), counted after the name in parentheses.
fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// How many processes want a processor, on average of the last minute.
pub fn busy() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
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
    Ok(super::run::median(&mut times))
}
