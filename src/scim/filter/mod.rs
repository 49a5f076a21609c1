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

pub use crate::domain::filter::FilterOp;

/// A filter as written (RFC 7644 §3.4.2.2), not yet checked against a schema.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterAst {
    /// `a and b and …`; at least two parts, none of them an `And`.
    And(Vec<FilterAst>),
    /// `a or b or …`; at least two parts, none of them an `Or`.
    Or(Vec<FilterAst>),
    /// `not (…)`.
    Not(Box<FilterAst>),
    /// `path op value`.
    Compare {
        /// The attribute.
        path: AttrPath,
        /// The operator.
        op: FilterOp,
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
        inner: Box<FilterAst>,
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

impl FilterAst {
    /// Reads a filter in the strict grammar.
    ///
    /// # Errors
    /// 400 `invalidFilter`, saying where; also beyond the [`Budget`].
    pub fn parse(text: &str) -> Result<Self> {
        parse::filter(text, Budget::default(), parse::FilterDialect::Strict)
    }

    /// Reads a filter with the liberties some clients take: a bare word as
    /// value, literals in any case, and `path[inner].sub op value`, which is
    /// read as `path[inner and sub op value]`.
    ///
    /// # Errors
    /// As [`FilterAst::parse`].
    pub fn parse_lenient(text: &str) -> Result<Self> {
        parse::filter(text, Budget::default(), parse::FilterDialect::Lenient)
    }

    /// Reads what stands between the brackets of a value path.
    ///
    /// # Errors
    /// As [`FilterAst::parse`].
    pub fn parse_inner(text: &str, budget: Budget) -> Result<Self> {
        parse::inner(text, budget, parse::FilterDialect::Strict)
    }

    /// Reads what stands between the brackets of a value path with the liberties of [`FilterAst::parse_lenient`].
    ///
    /// # Errors
    /// As [`FilterAst::parse`].
    pub fn parse_inner_lenient(text: &str, budget: Budget) -> Result<Self> {
        parse::inner(text, budget, parse::FilterDialect::Lenient)
    }

    /// The sub-attributes that a conjunction of `eq` fixes, added to `map`; none for other filters.
    #[must_use]
    pub fn describe(&self, map: &mut Map<String, Value>) -> Option<()> {
        match self {
            FilterAst::And(parts) => parts.iter().try_for_each(|part| part.describe(map)),
            FilterAst::Compare { path, op: FilterOp::Eq, value } => {
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
            FilterAst::And(parts) | FilterAst::Or(parts) => parts.iter().find_map(|part| part.find_path(wanted)),
            FilterAst::Not(part) => part.find_path(wanted),
            FilterAst::Compare { path, .. } | FilterAst::Present(path) | FilterAst::Each { path, .. } => {
                wanted(path).then_some(path)
            }
        }
    }

    fn walk(&mut self, outer: Option<&AttrPath>, visit: &mut dyn FnMut(Option<&AttrPath>, &AttrPath, &mut Literal)) {
        match self {
            FilterAst::And(parts) | FilterAst::Or(parts) => {
                for part in parts {
                    part.walk(outer, visit);
                }
            }
            FilterAst::Not(part) => part.walk(outer, visit),
            FilterAst::Compare { path, value, .. } => visit(outer, path, value),
            FilterAst::Present(_) => {}
            FilterAst::Each { path, inner } => inner.walk(Some(path), visit),
        }
    }
}
