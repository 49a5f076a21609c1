//! A filter as text again, in the strict grammar.

use super::parse::operator;
use super::{Filter, Literal};
use serde_json::Value;
use std::fmt;

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::Or(parts) => join(f, parts, " or "),
            Filter::And(parts) => join(f, parts, " and "),
            Filter::Not(part) => write!(f, "not ({part})"),
            Filter::Present(path) => write!(f, "{path} pr"),
            Filter::Each { path, inner } => write!(f, "{path}[{inner}]"),
            Filter::Compare { path, op, value } => {
                write!(f, "{path} {} {value}", operator(*op))
            }
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        match part {
            Filter::Or(_) | Filter::And(_) if word == " and " => write!(f, "({part})")?,
            _ => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => write!(f, "{}", Value::from(text.as_str())),
            Literal::Number(number) => write!(f, "{number}"),
            Literal::Bool(truth) => write!(f, "{truth}"),
            Literal::Null => f.write_str("null"),
        }
    }
}
