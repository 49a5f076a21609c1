//! The filter grammar of RFC 7644 §3.4.2.2, by recursive descent.
//!
//! Work and memory are bounded by the [`Budget`] while parsing (J12).

use super::{FilterAst, FilterOp, Literal};
use crate::scim::error::{Result, ScimError, invalid_filter};
use crate::scim::path::{AttrPath, is_attribute_name, is_path_byte};
use serde_json::Number;

/// Limits of one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Longest text, in bytes.
    pub length: usize,
    /// Deepest nesting of parentheses, brackets and `not`.
    pub depth: usize,
    /// Most comparisons.
    pub terms: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { length: 8 * 1024, depth: 32, terms: 1000 }
    }
}

/// How closely the grammar is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterDialect {
    Strict,
    Lenient,
}

pub(super) fn filter(text: &str, budget: Budget, dialect: FilterDialect) -> Result<FilterAst> {
    run(text, budget, dialect, false)
}

pub(super) fn inner(text: &str, budget: Budget, dialect: FilterDialect) -> Result<FilterAst> {
    run(text, budget, dialect, true)
}

fn run(text: &str, budget: Budget, dialect: FilterDialect, inside: bool) -> Result<FilterAst> {
    if text.len() > budget.length {
        let detail = format!("The filter is longer than {} bytes.", budget.length);
        return Err(invalid_filter(detail));
    }
    let mut parser = Parser { text, at: 0, depth: budget.depth, terms: budget.terms, inside, dialect };
    parser.spaces();
    let tree = parser.disjunction()?;
    parser.spaces();
    match parser.peek() {
        None => Ok(tree),
        Some(_) => Err(parser.error("\"and\", \"or\" or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    terms: usize,
    inside: bool,
    dialect: FilterDialect,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn spaces(&mut self) -> bool {
        let start = self.at;
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
        self.at > start
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error(&self, wanted: &str) -> ScimError {
        let near: String = self.rest().chars().take(20).collect();
        let found = match near.as_str() {
            "" => "the filter ends".to_owned(),
            near => format!("there is: {near}"),
        };
        let place = self.at + 1;
        invalid_filter(format!("Expected {wanted} at character {place}, but {found}"))
    }

    fn token(&mut self, accept: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.bytes().position(|b| !accept(b)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Whether the keyword follows as a whole word; if so it is taken.
    fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let head = rest.get(..word.len());
        let whole = !rest.as_bytes().get(word.len()).is_some_and(|&b| is_path_byte(b));
        let found = whole && head.is_some_and(|h| h.eq_ignore_ascii_case(word));
        if found {
            self.at += word.len();
        }
        found
    }

    fn enter(&mut self) -> Result<()> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(invalid_filter("The filter is nested too deeply.")),
        }
    }

    fn term(&mut self) -> Result<()> {
        match self.terms.checked_sub(1) {
            Some(terms) => {
                self.terms = terms;
                Ok(())
            }
            None => Err(invalid_filter("The filter has too many terms.")),
        }
    }

    fn disjunction(&mut self) -> Result<FilterAst> {
        let first = self.conjunction()?;
        self.chain(
            "or",
            first,
            Self::conjunction,
            |list| match list {
                FilterAst::Or(parts) => Ok(parts),
                other => Err(other),
            },
            FilterAst::Or,
        )
    }

    fn conjunction(&mut self) -> Result<FilterAst> {
        let first = self.unary()?;
        self.chain(
            "and",
            first,
            Self::unary,
            |list| match list {
                FilterAst::And(parts) => Ok(parts),
                other => Err(other),
            },
            FilterAst::And,
        )
    }

    /// `first word next word next …`, flattened into one n-ary node.
    fn chain(
        &mut self,
        word: &str,
        first: FilterAst,
        next: fn(&mut Self) -> Result<FilterAst>,
        split: fn(FilterAst) -> std::result::Result<Vec<FilterAst>, FilterAst>,
        join: fn(Vec<FilterAst>) -> FilterAst,
    ) -> Result<FilterAst> {
        let mut parts: Vec<FilterAst> = Vec::new();
        let mut current = first;
        loop {
            let before = self.at;
            let spaced = self.spaces();
            let more = spaced && self.keyword(word) && self.spaces();
            if !more {
                self.at = before;
            }
            if !more && parts.is_empty() {
                return Ok(current);
            }
            match split(current) {
                Ok(mut inner) => parts.append(&mut inner),
                Err(single) => parts.push(single),
            }
            if !more {
                return Ok(join(parts));
            }
            current = next(self)?;
        }
    }

    fn unary(&mut self) -> Result<FilterAst> {
        if self.peek() == Some(b'(') {
            return self.group();
        }
        let before = self.at;
        if self.keyword("not") {
            self.spaces();
            if self.peek() == Some(b'(') {
                let inner = self.group()?;
                return Ok(FilterAst::Not(Box::new(inner)));
            }
            self.at = before;
        }
        self.attribute()
    }

    fn group(&mut self) -> Result<FilterAst> {
        self.enter()?;
        self.eat(b'(');
        self.spaces();
        let inner = self.disjunction()?;
        self.spaces();
        if !self.eat(b')') {
            return Err(self.error("\")\""));
        }
        self.depth += 1;
        Ok(inner)
    }

    fn attribute(&mut self) -> Result<FilterAst> {
        let start = self.at;
        let word = self.token(is_path_byte);
        let Some(path) = AttrPath::parse(word).filter(|p| !p.name.is_empty()) else {
            self.at = start;
            return Err(self.error("an attribute"));
        };
        if self.peek() == Some(b'[') {
            return self.value_path(path);
        }
        if !self.spaces() {
            return Err(self.error("an operator"));
        }
        self.expression(path)
    }

    fn expression(&mut self, path: AttrPath) -> Result<FilterAst> {
        self.term()?;
        if self.keyword("pr") {
            return Ok(FilterAst::Present(path));
        }
        let Some(op) = OPERATORS.iter().find(|(word, _)| self.keyword(word)) else {
            return Err(self.error("an operator (eq ne co sw ew gt ge lt le pr)"));
        };
        // The grammar has a space here; an example of RFC 7644 §3.5.2.2 leaves it out before the quotation mark.
        if !self.spaces() && self.peek() != Some(b'"') {
            return Err(self.error("a value"));
        }
        let value = self.literal()?;
        Ok(FilterAst::Compare { path, op: op.1, value })
    }

    fn value_path(&mut self, path: AttrPath) -> Result<FilterAst> {
        if self.inside {
            return Err(self.error("no value path inside another"));
        }
        self.enter()?;
        self.eat(b'[');
        self.inside = true;
        self.spaces();
        let mut inner = self.disjunction()?;
        self.spaces();
        if !self.eat(b']') {
            return Err(self.error("\"]\""));
        }
        if self.dialect == FilterDialect::Lenient && self.eat(b'.') {
            inner = self.tail(inner)?;
        }
        self.inside = false;
        self.depth += 1;
        Ok(FilterAst::Each { path, inner: Box::new(inner) })
    }

    /// `….sub op value` after a value path.
    fn tail(&mut self, inner: FilterAst) -> Result<FilterAst> {
        let word = self.token(is_path_byte);
        if !is_attribute_name(word) || !self.spaces() {
            return Err(self.error("a sub-attribute"));
        }
        let sub = AttrPath { urn: None, name: word.to_owned(), sub: None };
        let last = self.expression(sub)?;
        let mut parts = match inner {
            FilterAst::And(parts) => parts,
            other => vec![other],
        };
        parts.push(last);
        Ok(FilterAst::And(parts))
    }

    fn literal(&mut self) -> Result<Literal> {
        match self.peek() {
            Some(b'"') => self.string().map(Literal::Text),
            Some(b'-' | b'0'..=b'9') if self.dialect == FilterDialect::Strict => self.number(),
            _ => self.word(),
        }
    }

    fn number(&mut self) -> Result<Literal> {
        let start = self.at;
        let word = self.token(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        match serde_json::from_str(word) {
            Ok(number) => Ok(Literal::Number(number)),
            Err(_) => {
                self.at = start;
                Err(self.error("a number"))
            }
        }
    }

    fn word(&mut self) -> Result<Literal> {
        let start = self.at;
        let lenient = self.dialect == FilterDialect::Lenient;
        let word = self.token(|b| b.is_ascii_alphanumeric() || (lenient && !b"\"()[]\\".contains(&b) && b > b' '));
        let known = match word {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            "null" => Some(Literal::Null),
            _ if lenient && word.eq_ignore_ascii_case("true") => Some(Literal::Bool(true)),
            _ if lenient && word.eq_ignore_ascii_case("false") => Some(Literal::Bool(false)),
            // A value in the wrong quotation marks would be looked for with them, and never be found.
            _ if lenient && !word.is_empty() && !word.starts_with('\'') => {
                // A number that is written in another way is a text: "007", or more digits than a number keeps.
                let number = serde_json::from_str(word).ok().filter(|number: &Number| number.to_string() == word);
                Some(number.map_or_else(|| Literal::Text(word.to_owned()), Literal::Number))
            }
            _ => None,
        };
        known.ok_or_else(|| {
            self.at = start;
            self.error("a value (a quoted string, a number, true, false or null)")
        })
    }

    fn string(&mut self) -> Result<String> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let Some(end) = end else {
            return Err(self.error("a closing quotation mark"));
        };
        let quoted = rest.get(..end + 2).unwrap_or_default();
        let text: String = serde_json::from_str(quoted).map_err(|_| self.error("a JSON string"))?;
        if text.contains('\0') {
            return Err(self.error("a string without U+0000"));
        }
        self.at += quoted.len();
        Ok(text)
    }
}

const OPERATORS: [(&str, FilterOp); 9] = [
    ("eq", FilterOp::Eq),
    ("ne", FilterOp::Ne),
    ("co", FilterOp::Co),
    ("sw", FilterOp::Sw),
    ("ew", FilterOp::Ew),
    ("gt", FilterOp::Gt),
    ("ge", FilterOp::Ge),
    ("lt", FilterOp::Lt),
    ("le", FilterOp::Le),
];

/// The operator as written.
pub(super) fn operator(op: FilterOp) -> &'static str {
    let found = OPERATORS.iter().find(|(_, known)| *known == op);
    found.map_or("", |(word, _)| word)
}
