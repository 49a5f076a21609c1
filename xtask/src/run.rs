//! Runs one command with a time limit, shows its output and counts its test cases.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::ops::Add;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Test cases passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Cases that passed.
    pub passed: u32,
    /// Cases that failed.
    pub failed: u32,
}

impl Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// How the cases of a command are counted.
#[derive(Clone, Copy, PartialEq)]
pub enum Count {
    /// The command is one case, by its exit code.
    Exit,
    /// Every `test result:` line of cargo test, summed.
    CargoTest,
    /// Every line that ends in `N passed, N failed`, summed. What a lab quotes of others is indented, and not counted.
    Lines,
}

/// Runs the command to its end. An exit code that says failure is never a pass, and a command
/// that should have counted cases but counted none is a failure too.
///
/// # Errors
/// When the command cannot be started or its output cannot be read.
pub fn run(command: Command, count: Count, limit: Duration) -> Result<Tally> {
    let name = format!("{} {}", program(&command), first_words(&command));
    let mut child = guarded(command, limit)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let Some(output) = child.stdout.take() else { bail!("{name}: no output pipe") };
    let mut tally = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("reading output")?).into_owned();
        println!("{line}");
        tally = tally + counted(count, &line);
    }
    let status = child.wait().with_context(|| format!("waiting for {name}"))?;
    if status.code() == Some(124) {
        eprintln!("{name}: stopped after its limit of {} s", limit.as_secs());
    }
    Ok(judge(count, tally, status.success()))
}

fn judge(count: Count, tally: Tally, success: bool) -> Tally {
    match (count, success) {
        (Count::Exit, true) => Tally { passed: 1, failed: 0 },
        (_, true) if tally.passed > 0 => tally,
        _ => Tally { failed: tally.failed.max(1), ..tally },
    }
}

fn counted(count: Count, line: &str) -> Tally {
    match count {
        Count::Exit => Tally::default(),
        Count::CargoTest if line.starts_with("test result: ") => numbers(line),
        Count::CargoTest => Tally::default(),
        Count::Lines if line.starts_with(' ') => Tally::default(),
        Count::Lines if line.ends_with(" failed") && line.contains(" passed, ") => numbers(line),
        Count::Lines => Tally::default(),
    }
}

/// Reads `… 12 passed… 3 failed…`, whatever stands between.
fn numbers(line: &str) -> Tally {
    let words: Vec<&str> = line.split([' ', ';', ',', '.']).filter(|word| !word.is_empty()).collect();
    let before =
        |unit: &str| words.windows(2).find(|pair| pair[1] == unit).and_then(|pair| pair[0].parse().ok()).unwrap_or(0);
    Tally { passed: before("passed"), failed: before("failed") }
}

/// Wraps a command so that it and all it started end at the limit, and when xtask itself dies:
/// `timeout` signals its whole process group, `setpriv` has the kernel signal `timeout`.
fn guarded(command: Command, limit: Duration) -> Command {
    let tools = ["/usr/bin/setpriv", "/usr/bin/timeout"];
    if !tools.iter().all(|tool| Path::new(tool).exists()) {
        return command;
    }
    let seconds = limit.as_secs().to_string();
    let mut outer = Command::new("setpriv");
    outer.args(["--pdeathsig", "TERM", "timeout", "--kill-after", "10", &seconds]);
    outer.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        outer.current_dir(dir);
    }
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(key, value),
            None => outer.env_remove(key),
        };
    }
    outer
}

fn program(command: &Command) -> String {
    Path::new(command.get_program()).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn first_words(command: &Command) -> String {
    let words: Vec<_> = command.get_args().take(2).map(|word| word.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_test_lines_are_summed_and_others_ignored() {
        let line = "test result: ok. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(counted(Count::CargoTest, line), Tally { passed: 12, failed: 3 });
        assert_eq!(counted(Count::CargoTest, "test a::b ... ok"), Tally::default());
    }

    #[test]
    fn a_lab_counts_by_its_closing_line() {
        assert_eq!(counted(Count::Lines, "scim: 135 passed, 2 failed"), Tally { passed: 135, failed: 2 });
        assert_eq!(counted(Count::Lines, "5 passed"), Tally::default());
        assert_eq!(counted(Count::Lines, "     138 passed, 0 failed"), Tally::default(), "a suite's own, quoted");
    }

    #[test]
    fn a_bad_exit_and_an_empty_run_both_fail() {
        let good = Tally { passed: 4, failed: 0 };
        assert_eq!(judge(Count::Lines, good, true), good);
        assert_eq!(judge(Count::Lines, good, false), Tally { passed: 4, failed: 1 });
        assert_eq!(judge(Count::CargoTest, Tally::default(), true), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn the_limit_ends_a_command_and_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 30 & wait"]);
        let started = std::time::Instant::now();
        let tally = run(command, Count::Exit, Duration::from_secs(1)).unwrap();
        assert_eq!(tally, Tally { passed: 0, failed: 1 });
        assert!(started.elapsed() < Duration::from_secs(15));
    }
}
