//! The disk: how long it takes to make bytes durable, and making it slower on purpose.
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Set in the process whose fsyncs are slowed; microseconds.
const DELAY: &str = "BENCH_FSYNC_DELAY_US";

/// Stands between the program and libc: sleeps, then syncs.
const SHIM: &str = include_str!("fsync_delay.c");

pub fn is_slowed() -> bool {
    std::env::var_os(DELAY).is_some()
}

/// Builds the shim with the C compiler and replaces this process by one that runs with it.
pub fn run_again_slowed(delay: Duration) -> Result<(), Box<dyn Error>> {
    let folder = std::env::current_dir()?.join("target");
    std::fs::create_dir_all(&folder)?;
    let (source, library) = (folder.join("fsync_delay.c"), folder.join("fsync_delay.so"));
    std::fs::write(&source, SHIM)?;
    let built = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status()?;
    if !built.success() {
        return Err("the C compiler could not build the fsync shim".into());
    }
    let failed = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env("LD_PRELOAD", &library)
        .env(DELAY, delay.as_micros().to_string())
        .exec();
    Err(failed.into())
}

/// Times of `count` small writes, each made durable.
pub fn sync_times(folder: &Path, count: usize) -> std::io::Result<Vec<Duration>> {
    let path: PathBuf = folder.join("sync");
    let mut file = File::create(&path)?;
    let page = [7; 4_096];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        file.write_all(&page)?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(times)
}
