//! The `rolecall` program: parse the command line, run one command.
fn main() {}
