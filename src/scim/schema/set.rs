//! A set of schemas and resource types, and finding attributes in it.

use super::{
    AttrType, Attribute, ENTERPRISE_URN, Extension, GROUP_URN, ResourceType, Schema, SchemaProblem, USER_URN, common,
    enterprise, find, group, load, offered, service, user,
};
use crate::domain::filter::{FieldType, FilterField};
use crate::scim::path::AttrPath;
use serde_json::Value;

/// The schemas and resource types one connection offers. Built once, shared.
#[derive(Debug, Clone)]
pub struct SchemaSet {
    schemas: Vec<Schema>,
    types: [ResourceType; 2],
    /// Further types, read-only.
    offered: Vec<ResourceType>,
    common: Vec<Attribute>,
    empty: Schema,
}

impl SchemaSet {
    /// User with the enterprise extension, Group, and the discovery schemas.
    #[must_use]
    pub fn base() -> Self {
        let mut schemas = vec![user::schema(), enterprise::schema(), group::schema()];
        schemas.extend(service::schemas());
        Self {
            schemas,
            types: [
                ResourceType {
                    name: "User".to_owned(),
                    endpoint: "/Users".to_owned(),
                    description: "User accounts.".to_owned(),
                    schema: USER_URN.to_owned(),
                    extensions: vec![Extension { schema: ENTERPRISE_URN.to_owned(), required: false }],
                },
                ResourceType {
                    name: "Group".to_owned(),
                    endpoint: "/Groups".to_owned(),
                    description: "Groups of users.".to_owned(),
                    schema: GROUP_URN.to_owned(),
                    extensions: Vec::new(),
                },
            ],
            offered: Vec::new(),
            common: common::attributes(),
            empty: Schema {
                id: String::new(),
                name: String::new(),
                description: String::new(),
                attributes: Vec::new(),
            },
        }
    }

    /// Adds an extension of the resource type `type_name`, given as a SCIM
    /// Schema resource (RFC 7643 §7).
    ///
    /// # Errors
    /// A sentence naming the attribute and what is wrong with it.
    pub fn extend(&mut self, type_name: &str, document: &Value, required: bool) -> Result<(), SchemaProblem> {
        let schema = load::schema(document)?;
        if self.schema(&schema.id).is_some_and(|known| *known != schema) {
            return Err(SchemaProblem::new(&schema.id, "this URN is already taken by another schema"));
        }
        let Some(target) = self.types.iter_mut().find(|t| t.name == type_name) else {
            let text = format!("there is no resource type \"{type_name}\" to extend");
            return Err(SchemaProblem::new(&schema.id, &text));
        };
        if target.extensions.iter().any(|e| e.schema.eq_ignore_ascii_case(&schema.id)) {
            return Err(SchemaProblem::new(&schema.id, "the extension is registered twice"));
        }
        target.extensions.push(Extension { schema: schema.id.clone(), required });
        if self.schema(&schema.id).is_none() {
            self.schemas.push(schema);
        }
        Ok(())
    }

    /// Adds the types Role and Entitlement, for clients that look for what they
    /// could assign.
    pub fn offer_roles(&mut self) {
        if self.offered.is_empty() {
            self.schemas.extend(offered::schemas());
            self.offered.extend(offered::types());
        }
    }

    /// Every schema, the discovery ones included.
    #[must_use]
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// Every resource type.
    pub fn types(&self) -> impl Iterator<Item = &ResourceType> {
        self.types.iter().chain(&self.offered)
    }

    /// The schema with this URN; case does not count (A01).
    #[must_use]
    pub fn schema(&self, urn: &str) -> Option<&Schema> {
        self.schemas.iter().find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// The resource type called `name` ("User").
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<ResourceSchema<'_>> {
        let kind = self.types().find(|t| t.name == name)?;
        Some(self.view(kind))
    }

    /// Every resource type, ready for finding attributes.
    pub fn resources(&self) -> impl Iterator<Item = ResourceSchema<'_>> {
        self.types().map(|kind| self.view(kind))
    }

    /// Users.
    #[must_use]
    pub fn users(&self) -> ResourceSchema<'_> {
        let [users, _] = &self.types;
        self.view(users)
    }

    /// Groups.
    #[must_use]
    pub fn groups(&self) -> ResourceSchema<'_> {
        let [_, groups] = &self.types;
        self.view(groups)
    }

    fn view<'s>(&'s self, kind: &'s ResourceType) -> ResourceSchema<'s> {
        ResourceSchema { set: self, kind, core: self.schema(&kind.schema).unwrap_or(&self.empty) }
    }
}

/// One resource type of a set: where requests find their attributes.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSchema<'s> {
    /// The set it belongs to.
    pub set: &'s SchemaSet,
    /// The type.
    pub kind: &'s ResourceType,
    /// Its core schema.
    pub core: &'s Schema,
}

/// An attribute found by its path.
#[derive(Debug, Clone, Copy)]
pub struct AttributeTarget<'s> {
    /// The extension it lies in; none for core and common attributes.
    pub extension: Option<&'s Schema>,
    /// The attribute.
    pub attr: &'s Attribute,
    /// The sub-attribute, when the path names one.
    pub sub: Option<&'s Attribute>,
}

/// What a path names.
#[derive(Debug, Clone, Copy)]
pub enum Located<'s> {
    /// A whole extension.
    Extension(&'s Schema),
    /// An attribute or sub-attribute.
    Attribute(AttributeTarget<'s>),
}

impl<'s> ResourceSchema<'s> {
    /// The core or common attribute called `name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'s Attribute> {
        find(&self.core.attributes, name).or_else(|| find(&self.set.common, name))
    }

    /// The extension of this type with this URN.
    #[must_use]
    pub fn extension(&self, urn: &str) -> Option<&'s Schema> {
        let known = |e: &&Extension| e.schema.eq_ignore_ascii_case(urn);
        let extension = self.kind.extensions.iter().find(known)?;
        self.set.schema(&extension.schema)
    }

    /// Its extensions with whether they are required.
    pub fn extensions(&self) -> impl Iterator<Item = (&'s Schema, bool)> + use<'s> {
        let (set, kind) = (self.set, self.kind);
        kind.extensions.iter().filter_map(move |e| set.schema(&e.schema).map(|schema| (schema, e.required)))
    }

    /// What `path` names, if this resource type has it (A15).
    #[must_use]
    pub fn locate(&self, path: &AttrPath) -> Option<Located<'s>> {
        let Some(urn) = &path.urn else {
            let attr = self.attribute(&path.name)?;
            return self.finish(None, attr, path);
        };
        if path.name.is_empty() {
            return self.extension(urn).map(Located::Extension);
        }
        if urn.eq_ignore_ascii_case(&self.kind.schema) {
            let attr = self.attribute(&path.name)?;
            return self.finish(None, attr, path);
        }
        if let Some(schema) = self.extension(urn) {
            let attr = find(&schema.attributes, &path.name)?;
            return self.finish(Some(schema), attr, path);
        }
        // "urn:…:2.0:User": what looked like a name was the end of the URN.
        if path.sub.is_none() {
            let whole = format!("{urn}:{}", path.name);
            return self.extension(&whole).map(Located::Extension);
        }
        None
    }

    /// The attribute called `name` of an extension; none when the type has none, or several extensions have one.
    #[must_use]
    pub fn extension_attribute(&self, name: &str) -> Option<AttributeTarget<'s>> {
        let mut found = self.extensions().filter_map(|(schema, _)| {
            find(&schema.attributes, name).map(|attr| AttributeTarget { extension: Some(schema), attr, sub: None })
        });
        found.next().filter(|_| found.next().is_none())
    }

    /// What `path` names when it may leave out the URN of an extension. What the core calls so comes first.
    #[must_use]
    pub fn locate_loosely(&self, path: &AttrPath) -> Option<Located<'s>> {
        self.locate(path).or_else(|| {
            let target = path.urn.is_none().then(|| self.extension_attribute(&path.name)).flatten()?;
            self.finish(target.extension, target.attr, path)
        })
    }

    /// Whether `path` is a name of the type in some notation, be it one that says too little to be taken.
    #[must_use]
    pub fn knows(&self, path: &AttrPath) -> bool {
        let of_some_extension = || self.extensions().any(|(schema, _)| find(&schema.attributes, &path.name).is_some());
        self.locate_loosely(path).is_some() || (path.urn.is_none() && of_some_extension())
    }

    fn finish(&self, extension: Option<&'s Schema>, attr: &'s Attribute, path: &AttrPath) -> Option<Located<'s>> {
        let sub = match &path.sub {
            Some(name) => Some(attr.sub(name)?),
            None => None,
        };
        Some(Located::Attribute(AttributeTarget { extension, attr, sub }))
    }
}

impl<'s> AttributeTarget<'s> {
    /// The attribute the path ends at.
    #[must_use]
    pub fn leaf(&self) -> &'s Attribute {
        self.sub.unwrap_or(self.attr)
    }

    /// Keys from the root of a document to the attribute (not the sub one).
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::with_capacity(3);
        keys.extend(self.extension.map(|schema| schema.id.clone()));
        keys.push(self.attr.name.clone());
        keys
    }

    /// The neutral field of the attribute itself.
    #[must_use]
    pub fn field(&self) -> FilterField {
        FilterField { path: self.keys(), kind: kind_of(self.attr) }
    }
}

/// How values of `attr` compare.
#[must_use]
pub fn kind_of(attr: &Attribute) -> FieldType {
    match attr.kind {
        AttrType::String | AttrType::Reference => FieldType::Text { exact: attr.case_exact },
        AttrType::Boolean => FieldType::Bool,
        AttrType::Integer => FieldType::Integer,
        AttrType::Decimal => FieldType::Decimal,
        AttrType::DateTime => FieldType::Time,
        AttrType::Binary => FieldType::Binary,
        AttrType::Complex => FieldType::Object,
    }
}
