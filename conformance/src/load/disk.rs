//! A slower disk: the shim of the store's own benchmark, in front of every fsync of a process.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

const SHIM: &str = include_str!("../../../benches/group_commit/fsync_delay.c");

/// Builds the shim in `folder`; the environment in which each fsync takes so many microseconds longer.
///
/// # Errors
/// When there is no C compiler.
pub fn slowed(folder: &Path, micros: u32) -> Result<Vec<(String, String)>> {
    let (source, library) = (folder.join("fsync_delay.c"), folder.join("fsync_delay.so"));
    std::fs::write(&source, SHIM).context("writing the shim")?;
    let built = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if !built.context("the C compiler")?.success() {
        bail!("the C compiler could not build the fsync shim");
    }
    let library = std::path::absolute(library)?.to_string_lossy().into_owned();
    Ok(vec![("LD_PRELOAD".into(), library), ("BENCH_FSYNC_DELAY_US".into(), micros.to_string())])
}
