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
        let processes = self.backends().into_iter().chain([self.server]);
        processes.filter_map(ticks).sum::<u64>() as f64 / TICKS_PER_SECOND
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

    /// Resident memory of the server, and what the database's processes hold for themselves, in MiB.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn everyone(&self) -> Result<f64> {
        let of_database: f64 = self.backends().iter().filter_map(|pid| status(*pid, "RssAnon:").ok()).sum();
        Ok(self.resident()? + of_database)
    }

    /// The database server's processes that serve the database.
    fn backends(&self) -> Vec<u32> {
        let Some(database) = &self.database else { return Vec::new() };
        let pid = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // A PostgreSQL process shows user and database in the place of its command line.
            let title = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            (title.starts_with("postgres:") && title.contains(database.as_str())).then_some(pid)
        };
        fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(pid).collect()
    }

    fn status(&self, name: &str) -> Result<f64> {
        status(self.server, name)
    }
}

/// A figure of a process's memory, in MiB.
fn status(pid: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("a process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("a number")?;
    Ok(kib / 1024.0)
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
