//! The `rolecall` program: parse the command line, run one command.
use std::process::ExitCode;

fn main() -> ExitCode {
    rolecall::cli::run()
}
