//! The `rolecall` program: parse the command line, run one command.
use std::process::ExitCode;

/// A request is made of many small texts and maps; with the system's allocator it takes a tenth longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rolecall::cli::run()
}
