//! The figures, each with what it should be.

use crate::report::Report;

/// Rows so far.
pub struct Table {
    kind: &'static str,
    rows: Vec<[String; 4]>,
}

/// On which side of its target a figure should be.
#[derive(Clone, Copy)]
pub enum Target {
    /// Not less.
    AtLeast(f64),
    /// Not more.
    AtMost(f64),
    /// It is only told.
    Told,
}

impl Table {
    /// An empty one.
    pub fn new(kind: &'static str) -> Table {
        Table { kind, rows: Vec::new() }
    }

    /// A figure with its unit.
    pub fn add(&mut self, measure: &str, value: f64, unit: &str, target: Target) {
        let (wanted, ratio) = match target {
            Target::AtLeast(least) => (format!("≥ {least} {unit}"), verdict(value / least, value >= least)),
            Target::AtMost(most) => (format!("≤ {most} {unit}"), verdict(value / most, value <= most)),
            Target::Told => ("told".to_owned(), String::new()),
        };
        self.rows.push([measure.to_owned(), format!("{} {unit}", short(value)), wanted, ratio]);
        if let Some([measure, value, wanted, ratio]) = self.rows.last() {
            // A run takes minutes: what is known is shown at once.
            eprintln!("     {measure}: {value} ({wanted}) {ratio}");
        }
    }

    /// Something that is no number.
    pub fn say(&mut self, measure: &str, value: &str, wanted: &str, good: bool) {
        let verdict = if good { "met" } else { "MISSED" };
        self.rows.push([measure.to_owned(), value.to_owned(), wanted.to_owned(), verdict.to_owned()]);
        eprintln!("     {measure}: {value} ({wanted}) {verdict}");
    }

    /// All of it.
    pub fn print(&self, report: &Report) {
        report.note(&format!("| {} | value | target | value / target |", self.kind));
        report.note("| --- | --- | --- | --- |");
        for row in &self.rows {
            report.note(&format!("| {} |", row.join(" | ")));
        }
    }
}

fn verdict(ratio: f64, good: bool) -> String {
    format!("{} {}", short(ratio), if good { "met" } else { "MISSED" })
}

fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
