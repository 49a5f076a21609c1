//! SCIM filters: text to tree and back, tree to the neutral, typed filter.

mod parse;
mod print;
mod resolve;

#[cfg(test)]
mod tests;

pub use parse::Budget;
pub use resolve::{Foreign, document_matches};

use super::error::Result;
use super::path::AttrPath;
use serde_json::{Map, Number, Value};

pub use crate::domain::filter::Op;

/// A filter as written (RFC 7644 §3.4.2.2), not yet checked against a schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// `a and b and …`; at least two parts, none of them an `And`.
    And(Vec<Filter>),
    /// `a or b or …`; at least two parts, none of them an `Or`.
    Or(Vec<Filter>),
    /// `not (…)`.
    Not(Box<Filter>),
    /// `path op value`.
    Compare {
        /// The attribute.
        path: AttrPath,
        /// The operator.
        op: Op,
        /// The constant.
        value: Literal,
    },
    /// `path pr`.
    Present(AttrPath),
    /// `path[inner]`.
    Each {
        /// The multi-valued attribute.
        path: AttrPath,
        /// The filter on its elements; never holds another `Each`.
        inner: Box<Filter>,
    },
}

/// A constant in a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A JSON string, unescaped.
    Text(String),
    /// A JSON number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl Literal {
    /// The constant as a JSON value.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Literal::Text(text) => Value::String(text.clone()),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Bool(truth) => Value::Bool(*truth),
            Literal::Null => Value::Null,
        }
    }
}

impl Filter {
    /// Reads a filter in the strict grammar.
    ///
    /// # Errors
    /// 400 `invalidFilter`, saying where; also beyond the [`Budget`].
    pub fn parse(text: &str) -> Result<Self> {
        parse::filter(text, Budget::default(), parse::Dialect::Strict)
    }

    /// Reads a filter with the liberties some clients take: a bare word as
    /// value, literals in any case, and `path[inner].sub op value`, which is
    /// read as `path[inner and sub op value]`.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_lenient(text: &str) -> Result<Self> {
        parse::filter(text, Budget::default(), parse::Dialect::Lenient)
    }

    /// Reads what stands between the brackets of a value path.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_inner(text: &str, budget: Budget) -> Result<Self> {
        parse::inner(text, budget, parse::Dialect::Strict)
    }

    /// Reads what stands between the brackets of a value path with the liberties of [`Filter::parse_lenient`].
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_inner_lenient(text: &str, budget: Budget) -> Result<Self> {
        parse::inner(text, budget, parse::Dialect::Lenient)
    }

    /// The sub-attributes that a conjunction of `eq` fixes, added to `map`; none for other filters.
    #[must_use]
    pub fn describe(&self, map: &mut Map<String, Value>) -> Option<()> {
        match self {
            Filter::And(parts) => parts.iter().try_for_each(|part| part.describe(map)),
            Filter::Compare { path, op: Op::Eq, value } => {
                map.insert(path.name.clone(), value.to_json());
                Some(())
            }
            _ => None,
        }
    }

    /// Calls `visit` on every comparison, value paths included, with the path
    /// of the value path it stands in.
    pub fn comparisons_mut(&mut self, visit: &mut dyn FnMut(Option<&AttrPath>, &AttrPath, &mut Literal)) {
        self.walk(None, visit);
    }

    /// The first path outside value paths' brackets that `wanted` accepts.
    pub fn find_path<'f>(&'f self, wanted: &dyn Fn(&AttrPath) -> bool) -> Option<&'f AttrPath> {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().find_map(|part| part.find_path(wanted)),
            Filter::Not(part) => part.find_path(wanted),
            Filter::Compare { path, .. } | Filter::Present(path) | Filter::Each { path, .. } => {
                wanted(path).then_some(path)
            }
        }
    }

    fn walk(&mut self, outer: Option<&AttrPath>, visit: &mut dyn FnMut(Option<&AttrPath>, &AttrPath, &mut Literal)) {
        match self {
            Filter::And(parts) | Filter::Or(parts) => {
                for part in parts {
                    part.walk(outer, visit);
                }
            }
            Filter::Not(part) => part.walk(outer, visit),
            Filter::Compare { path, value, .. } => visit(outer, path, value),
            Filter::Present(_) => {}
            Filter::Each { path, inner } => inner.walk(Some(path), visit),
        }
    }
}
