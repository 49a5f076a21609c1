//! A filter as text again, in the strict grammar.

use super::parse::operator;
use super::{FilterAst, Literal};
use serde_json::Value;
use std::fmt;

impl fmt::Display for FilterAst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterAst::Or(parts) => join(f, parts, " or "),
            FilterAst::And(parts) => join(f, parts, " and "),
            FilterAst::Not(part) => write!(f, "not ({part})"),
            FilterAst::Present(path) => write!(f, "{path} pr"),
            FilterAst::Each { path, inner } => write!(f, "{path}[{inner}]"),
            FilterAst::Compare { path, op, value } => {
                write!(f, "{path} {} {value}", operator(*op))
            }
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[FilterAst], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        match part {
            FilterAst::Or(_) | FilterAst::And(_) if word == " and " => write!(f, "({part})")?,
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
