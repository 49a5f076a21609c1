//! The program's own log, on standard error.
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{LogConfig, LogFormat};

/// Reads the filter, as [`start`] does.
///
/// # Errors
/// The filter is not one.
pub fn check(log: &LogConfig) -> Result<(), ParseError> {
    EnvFilter::builder().parse(&log.filter).map(drop)
}

/// Starts the log; a second call changes nothing.
///
/// # Errors
/// The filter is not one.
pub fn start(log: &LogConfig) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // Only fails when a log was started before, as tests do.
    let _started = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
