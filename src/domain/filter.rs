//! The neutral filter tree: what is asked, in no protocol's words.
//!
//! A connection (SCIM, the admin interface, LDAP sync) turns its own notation into
//! this tree, typed and folded; the store turns the tree into a WHERE clause;
//! [`Filter::eval`] is the law both are measured against. The tree is
//! evaluated over the *comparable twin* of a document (`scim::resource::keys`):
//! same shape, but text that ignores case is folded with
//! [`fold`](super::text::fold), times are microseconds. Values here are
//! prepared the same way, so every comparison is a plain one.
//!
//! Meaning of the nodes:
//! - a field that is absent has no value. `Compare` with [`FilterOp::Ne`] holds for
//!   it, every other operator does not; `Present` does not.
//! - a list only ever appears in [`Filter::Each`] (some element satisfies the
//!   inner filter) and [`Filter::Present`] (the list is not empty).
//! - inside `Each` paths start at the element; an empty path is the element.

use serde_json::Value as Json;
use std::borrow::Cow;

/// A filter over one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every part holds. Never empty.
    And(Vec<Filter>),
    /// Some part holds. Never empty.
    Or(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// One single value compared with a constant.
    Compare {
        /// The value compared. Never a list or an object.
        field: FilterField,
        /// How.
        op: FilterOp,
        /// With what; its variant always fits `field.kind`.
        value: FilterValue,
    },
    /// The field has a value; for a list, at least one element.
    Present(FilterField),
    /// Some element of the list satisfies `inner`.
    Each {
        /// The list.
        list: FilterField,
        /// What one element must satisfy; its paths start at the element.
        inner: Box<Filter>,
    },
    /// Always or never: what is left of a part about a field that this kind of
    /// document cannot have.
    Constant(bool),
}

/// Where a value lies in the document, and how it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilterField {
    /// Keys from the root (or from the element inside [`Filter::Each`]).
    pub path: Vec<String>,
    /// How its values are stored in the comparable twin.
    pub kind: FieldType,
}

/// Type of a field, as far as comparing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Text. `exact` text is compared byte by byte, other text folded.
    Text {
        /// Whether case counts.
        exact: bool,
    },
    /// Truth value: only equal, not equal, present.
    Bool,
    /// Whole number.
    Integer,
    /// Number with a fraction.
    Decimal,
    /// Point in time, microseconds since 1970 UTC.
    Time,
    /// Base64 text: only equal, not equal, present.
    Binary,
    /// An object: only present.
    Object,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterOp {
    /// Equal.
    Eq,
    /// Not equal, or absent.
    Ne,
    /// Text contains.
    Co,
    /// Text starts with.
    Sw,
    /// Text ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less or equal.
    Le,
}

/// The constant side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterValue {
    /// Text, already folded unless the field is exact.
    Text(String),
    /// Truth value.
    Bool(bool),
    /// Whole number.
    Integer(i64),
    /// Number with a fraction; never NaN.
    Decimal(f64),
    /// Microseconds since 1970 UTC.
    Time(i64),
}

/// One value read from a document, ready to compare.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue<'a> {
    /// Text, folded unless exact.
    Text(Cow<'a, str>),
    /// Truth value.
    Bool(bool),
    /// Whole number, or time in microseconds.
    Integer(i64),
    /// Number with a fraction.
    Decimal(f64),
}

impl Filter {
    /// Whether the comparable twin `keys` satisfies this filter.
    #[must_use]
    pub fn matches(&self, keys: &Json) -> bool {
        self.eval(keys, &read_key)
    }

    /// Whether `root` satisfies this filter, values being read by `read`.
    pub fn eval<R>(&self, root: &Json, read: &R) -> bool
    where
        R: for<'a> Fn(FieldType, &'a Json) -> Option<FieldValue<'a>>,
    {
        match self {
            Filter::And(parts) => parts.iter().all(|part| part.eval(root, read)),
            Filter::Or(parts) => parts.iter().any(|part| part.eval(root, read)),
            Filter::Not(part) => !part.eval(root, read),
            Filter::Constant(truth) => *truth,
            Filter::Present(field) => field.find(root).is_some_and(is_present),
            Filter::Each { list, inner } => match list.find(root) {
                Some(Json::Array(items)) => items.iter().any(|item| inner.eval(item, read)),
                _ => false,
            },
            Filter::Compare { field, op, value } => {
                let leaf = field.find(root).and_then(|found| read(field.kind, found));
                match leaf {
                    Some(leaf) => compare(&leaf, *op, value),
                    None => *op == FilterOp::Ne,
                }
            }
        }
    }
}

impl FilterField {
    /// The value at this path, if every key on the way exists.
    #[must_use]
    pub fn find<'a>(&self, root: &'a Json) -> Option<&'a Json> {
        self.path.iter().try_fold(root, |at, key| at.get(key))
    }
}

fn is_present(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        _ => true,
    }
}

fn read_key(kind: FieldType, value: &Json) -> Option<FieldValue<'_>> {
    match kind {
        FieldType::Text { .. } | FieldType::Binary => value.as_str().map(|s| FieldValue::Text(Cow::Borrowed(s))),
        FieldType::Bool => value.as_bool().map(FieldValue::Bool),
        FieldType::Integer | FieldType::Time => value.as_i64().map(FieldValue::Integer),
        FieldType::Decimal => value.as_f64().map(FieldValue::Decimal),
        FieldType::Object => None,
    }
}

fn compare(leaf: &FieldValue<'_>, op: FilterOp, value: &FilterValue) -> bool {
    match (leaf, value) {
        (FieldValue::Text(have), FilterValue::Text(want)) => match op {
            FilterOp::Co => have.contains(want.as_str()),
            FilterOp::Sw => have.starts_with(want.as_str()),
            FilterOp::Ew => have.ends_with(want.as_str()),
            _ => ordered(have.as_bytes().cmp(want.as_bytes()), op),
        },
        (FieldValue::Bool(have), FilterValue::Bool(want)) => ordered(have.cmp(want), op),
        (FieldValue::Integer(have), FilterValue::Integer(want) | FilterValue::Time(want)) => {
            ordered(have.cmp(want), op)
        }
        (FieldValue::Decimal(have), FilterValue::Decimal(want)) => ordered(have.total_cmp(want), op),
        // A value of another type is not identical, and nothing else.
        _ => op == FilterOp::Ne,
    }
}

fn ordered(order: std::cmp::Ordering, op: FilterOp) -> bool {
    match op {
        FilterOp::Eq => order.is_eq(),
        FilterOp::Ne => order.is_ne(),
        FilterOp::Gt => order.is_gt(),
        FilterOp::Ge => order.is_ge(),
        FilterOp::Lt => order.is_lt(),
        FilterOp::Le => order.is_le(),
        FilterOp::Co | FilterOp::Sw | FilterOp::Ew => false,
    }
}
