//! What a person reads at the end.

use crate::parts::{Outcome, PARTS, When};
use crate::run::Tally;

/// Prints the table and the closing line; true when nothing failed.
pub fn print(outcomes: &[Outcome]) -> bool {
    let total = outcomes.iter().fold(Tally::default(), |sum, outcome| sum + outcome.tally);
    let seconds: f64 = outcomes.iter().map(|outcome| outcome.seconds).sum();
    println!("\n{:<12}{:>8}{:>8}{:>10}", "part", "passed", "failed", "seconds");
    for outcome in outcomes {
        let note = outcome.note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
        println!(
            "{:<12}{:>8}{:>8}{:>10.1}{note}",
            outcome.name, outcome.tally.passed, outcome.tally.failed, outcome.seconds
        );
    }
    println!("{:<12}{:>8}{:>8}{:>10.1}\n", "all", total.passed, total.failed, seconds);
    println!("{} passed, {} failed", total.passed, total.failed);
    total.failed == 0 && total.passed > 0
}

/// Prints what can be run.
pub fn list() {
    for part in PARTS {
        let when = match part.when {
            When::Always => "",
            When::Nightly => "  [nightly]",
            When::Named => "  [only by name]",
        };
        println!("{:<12}{}{when}", part.name, part.about);
        let needs: Vec<_> = part.needs.iter().map(|need| need.about()).collect();
        if !needs.is_empty() {
            println!("{:<12}  needs {}", "", needs.join(", "));
        }
    }
    println!("\nbench: {}", crate::bench::names().join(", "));
}
