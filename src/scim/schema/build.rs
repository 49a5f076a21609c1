//! Short forms for writing schemas down.

use super::{AttrType, Attribute, Mutability, Returned, Uniqueness};

/// An attribute with the defaults of RFC 7643 §2.2, except that references
/// and binary values are case-exact (§2.3.6, §2.3.7).
pub(super) fn attribute(name: &str, kind: AttrType, description: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        multi_valued: false,
        required: false,
        case_exact: matches!(kind, AttrType::Reference | AttrType::Binary),
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        canonical_values: Vec::new(),
        reference_types: Vec::new(),
        sub_attributes: Vec::new(),
        description: description.to_owned(),
        default: None,
    }
}

pub(super) fn string(name: &str, description: &str) -> Attribute {
    attribute(name, AttrType::String, description)
}

pub(super) fn boolean(name: &str, description: &str) -> Attribute {
    attribute(name, AttrType::Boolean, description)
}

pub(super) fn integer(name: &str, description: &str) -> Attribute {
    attribute(name, AttrType::Integer, description)
}

pub(super) fn reference(name: &str, types: &[&str], description: &str) -> Attribute {
    let mut made = attribute(name, AttrType::Reference, description);
    made.reference_types = owned(types);
    made
}

pub(super) fn complex(name: &str, description: &str, subs: Vec<Attribute>) -> Attribute {
    let mut made = attribute(name, AttrType::Complex, description);
    made.sub_attributes = subs;
    made
}

/// A list with the usual sub-attributes `display`, `type` and `primary`
/// (RFC 7643 §2.4) beside its `value`.
pub(super) fn plural(name: &str, description: &str, types: &[&str], value: Attribute) -> Attribute {
    let kind = string("type", "What the value is for.").canonical(types);
    complex(
        name,
        description,
        vec![
            value,
            string("display", "The value as people should see it."),
            kind,
            boolean("primary", "Whether this is the preferred value; true at most once."),
        ],
    )
    .many()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl Attribute {
    pub(super) fn many(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    pub(super) fn canonical(mut self, values: &[&str]) -> Self {
        self.canonical_values = owned(values);
        self
    }

    pub(super) fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    pub(super) fn unique(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }

    pub(super) fn mutability(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        self
    }

    /// Read-only, sub-attributes included.
    pub(super) fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self.sub_attributes = self.sub_attributes.into_iter().map(Attribute::read_only).collect();
        self
    }
}
