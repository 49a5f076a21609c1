//! The schema table: the one description of attributes that validation,
//! mutability, projection, filter typing, PATCH and discovery all read
//! (RFC 7643 §2, §7).

mod build;
mod common;
pub mod discovery;
mod enterprise;
mod group;
mod load;
pub mod offered;
mod service;
mod set;
#[cfg(test)]
mod tests;
mod user;

pub use load::SchemaProblem;
pub use set::{AttributeTarget, Located, ResourceSchema, SchemaSet, kind_of};

use serde_json::Value;

/// Core schema of users.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Core schema of groups.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Enterprise extension of users.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Data types of attributes (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttrType {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// Whole number.
    Integer,
    /// Number with a fraction.
    Decimal,
    /// xsd:dateTime.
    DateTime,
    /// Base64 text.
    Binary,
    /// URI; always case-exact.
    Reference,
    /// Object with sub-attributes.
    Complex,
}

/// When an attribute may be written (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Only the server writes it.
    ReadOnly,
    /// The client reads and writes it.
    ReadWrite,
    /// Settable once, never changed.
    Immutable,
    /// Settable, never shown.
    WriteOnly,
}

/// When an attribute is part of an answer (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Whatever the projection.
    Always,
    /// In no answer.
    Never,
    /// Unless the projection leaves it out.
    Default,
    /// Only when asked for, or written by the request.
    Request,
}

/// Where a value must be unique (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// Nowhere.
    None,
    /// Within the connection.
    Server,
    /// Everywhere.
    Global,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal,)* }) => {
        impl $type {
            /// The word in a Schema resource.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word,)* }
            }

            /// The variant a Schema resource's word means.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some($type::$variant),)* _ => None }
            }
        }
    };
}

words!(AttrType {
    String = "string",
    Boolean = "boolean",
    Integer = "integer",
    Decimal = "decimal",
    DateTime = "dateTime",
    Binary = "binary",
    Reference = "reference",
    Complex = "complex",
});
words!(Mutability {
    ReadOnly = "readOnly",
    ReadWrite = "readWrite",
    Immutable = "immutable",
    WriteOnly = "writeOnly",
});
words!(Returned {
    Always = "always",
    Never = "never",
    Default = "default",
    Request = "request",
});
words!(Uniqueness {
    None = "none",
    Server = "server",
    Global = "global",
});

/// One attribute or sub-attribute with all its characteristics.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Canonical name.
    pub name: String,
    /// Data type; of the elements when multi-valued.
    pub kind: AttrType,
    /// Whether it holds a list.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether case counts when comparing.
    pub case_exact: bool,
    /// When it may be written.
    pub mutability: Mutability,
    /// When it is shown.
    pub returned: Returned,
    /// Where it must be unique.
    pub uniqueness: Uniqueness,
    /// Suggested values; empty when any value is as good.
    pub canonical_values: Vec<String>,
    /// What a reference may point to.
    pub reference_types: Vec<String>,
    /// Sub-attributes of a complex attribute.
    pub sub_attributes: Vec<Attribute>,
    /// For users.
    pub description: String,
    /// Given to a new resource that does not say otherwise; a replace that
    /// leaves the attribute out keeps its value (H03, O04).
    pub default: Option<Value>,
}

impl Attribute {
    /// The sub-attribute called `name`, whatever its case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    /// Whether it names one user by its `value`, such as `manager`: its `$ref` is the same as a URL, given by the server.
    #[must_use]
    pub fn names_user(&self) -> bool {
        let refers = |sub: &Attribute| sub.reference_types == ["User"];
        !self.multi_valued && self.sub("value").is_some() && self.sub("$ref").is_some_and(refers)
    }

    /// Whether its `$ref` follows from its `value`.
    #[must_use]
    pub fn derives_reference(&self) -> bool {
        let listed = self.multi_valued && matches!(self.name.as_str(), "groups" | "members");
        self.names_user() || (listed && self.sub("value").is_some())
    }

    /// Whether clients give each resource a value of its own here, such as `userName`.
    #[must_use]
    pub fn is_unique_name(&self) -> bool {
        self.uniqueness != Uniqueness::None && self.mutability != Mutability::ReadOnly
    }

    /// Whether answers and filters must not show the value.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.returned == Returned::Never || self.mutability == Mutability::WriteOnly
    }
}

/// The attribute of `list` called `name`, whatever its case (A01).
#[must_use]
pub fn find<'a>(list: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    list.iter().find(|a| a.name.eq_ignore_ascii_case(name))
}

/// A schema: a URN and its attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// URN of the schema.
    pub id: String,
    /// Short name.
    pub name: String,
    /// For users.
    pub description: String,
    /// Attributes, in the order they are published.
    pub attributes: Vec<Attribute>,
}

/// A resource type: an endpoint, its core schema and its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Name, also in `meta.resourceType`.
    pub name: String,
    /// Path of the endpoint below the base URL, with a leading slash.
    pub endpoint: String,
    /// For users.
    pub description: String,
    /// URN of the core schema.
    pub schema: String,
    /// Extensions, in the order they were registered.
    pub extensions: Vec<Extension>,
}

/// An extension of a resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// URN of the extension schema.
    pub schema: String,
    /// Whether every resource must carry it (E06).
    pub required: bool,
}
