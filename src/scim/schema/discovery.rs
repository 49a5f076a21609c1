//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`, rendered from
//! the table (RFC 7643 §5–§7, RFC 7644 §4).

use super::service::{CONFIG_URN, RESOURCE_TYPE_URN, SCHEMA_URN};
use super::{AttrType, Attribute, ResourceType, Schema, SchemaSet};
use crate::scim::message;
use serde_json::{Map, Value, json};

/// What `/ServiceProviderConfig` says beyond the schema table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProvider {
    /// Help for users, when there is any.
    pub documentation: Option<String>,
    /// Most operations in a bulk request; none when bulk is not offered.
    pub bulk: Option<BulkLimits>,
    /// Most resources in one answer.
    pub max_results: u32,
    /// Whether clients may set passwords.
    pub change_password: bool,
    /// Results in a page when the client names no count.
    pub default_page_size: u32,
    /// Seconds a cursor lives; none when cursors are not offered.
    pub cursor_timeout: Option<u32>,
    /// Ways to authenticate, in order of preference.
    pub schemes: Vec<AuthScheme>,
}

/// Limits of bulk requests, as published and enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// Most operations in one request.
    pub operations: usize,
    /// Largest body, in bytes.
    pub bytes: usize,
}

/// A way to authenticate (E02).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// A bearer token (RFC 6750).
    Bearer,
    /// OAuth 2 client credentials (RFC 6749).
    OAuth2,
    /// User name and password (RFC 7617).
    Basic,
}

impl ServiceProvider {
    /// The document, with an absolute location below `base` (no trailing
    /// slash).
    #[must_use]
    pub fn to_json(&self, base: &str) -> Value {
        let bulk = self.bulk.unwrap_or(BulkLimits { operations: 0, bytes: 0 });
        let schemes: Vec<Value> =
            self.schemes.iter().enumerate().map(|(index, scheme)| scheme.to_json(index == 0)).collect();
        let mut pagination = json!({
            "cursor": self.cursor_timeout.is_some(),
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": self.default_page_size,
            "maxPageSize": self.max_results,
        });
        if let (Some(seconds), Some(map)) = (self.cursor_timeout, pagination.as_object_mut()) {
            map.insert("cursorTimeout".into(), seconds.into());
        }
        let mut body = json!({
            "schemas": [CONFIG_URN],
            "patch": {"supported": true},
            "bulk": {
                "supported": self.bulk.is_some(),
                "maxOperations": bulk.operations,
                "maxPayloadSize": bulk.bytes,
            },
            "filter": {"supported": true, "maxResults": self.max_results},
            "changePassword": {"supported": self.change_password},
            "sort": {"supported": true},
            "etag": {"supported": true},
            "pagination": pagination,
            "authenticationSchemes": schemes,
            "meta": {
                "resourceType": "ServiceProviderConfig",
                "location": format!("{base}/ServiceProviderConfig"),
            },
        });
        if let (Some(url), Some(map)) = (&self.documentation, body.as_object_mut()) {
            map.insert("documentationUri".into(), url.as_str().into());
        }
        body
    }
}

impl AuthScheme {
    fn to_json(self, primary: bool) -> Value {
        let (kind, name, description, spec) = match self {
            AuthScheme::Bearer => (
                "oauthbearertoken",
                "Bearer token",
                "A token issued for the connection, sent in the Authorization header.",
                "https://www.rfc-editor.org/info/rfc6750",
            ),
            AuthScheme::OAuth2 => (
                "oauth2",
                "OAuth 2.0 client credentials",
                "A short-lived token from the token endpoint.",
                "https://www.rfc-editor.org/info/rfc6749",
            ),
            AuthScheme::Basic => (
                "httpbasic",
                "HTTP Basic",
                "User name and password, sent in the Authorization header.",
                "https://www.rfc-editor.org/info/rfc7617",
            ),
        };
        json!({
            "type": kind,
            "name": name,
            "description": description,
            "specUri": spec,
            "primary": primary,
        })
    }
}

impl SchemaSet {
    /// `/Schemas`: every schema as a ListResponse (E03).
    #[must_use]
    pub fn schemas_json(&self, base: &str) -> Value {
        message::list(self.schemas().iter().map(|s| s.to_json(base)).collect())
    }

    /// `/Schemas/{urn}`.
    #[must_use]
    pub fn schema_json(&self, urn: &str, base: &str) -> Option<Value> {
        self.schema(urn).map(|schema| schema.to_json(base))
    }

    /// `/ResourceTypes`: every type as a ListResponse (E03).
    #[must_use]
    pub fn types_json(&self, base: &str) -> Value {
        message::list(self.types().map(|t| t.to_json(base)).collect())
    }

    /// `/ResourceTypes/{name}`.
    #[must_use]
    pub fn type_json(&self, name: &str, base: &str) -> Option<Value> {
        let found = self.types().find(|t| t.name == name)?;
        Some(found.to_json(base))
    }
}

impl Schema {
    /// The Schema resource.
    #[must_use]
    pub fn to_json(&self, base: &str) -> Value {
        json!({
            "schemas": [SCHEMA_URN],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
            "meta": {
                "resourceType": "Schema",
                "location": format!("{base}/Schemas/{}", self.id),
            },
        })
    }
}

impl ResourceType {
    /// The ResourceType resource.
    #[must_use]
    pub fn to_json(&self, base: &str) -> Value {
        let extensions: Vec<Value> =
            self.extensions.iter().map(|e| json!({"schema": e.schema, "required": e.required})).collect();
        let mut body = json!({
            "schemas": [RESOURCE_TYPE_URN],
            "id": self.name,
            "name": self.name,
            "description": self.description,
            "endpoint": self.endpoint,
            "schema": self.schema,
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{base}/ResourceTypes/{}", self.name),
            },
        });
        if let (false, Some(map)) = (extensions.is_empty(), body.as_object_mut()) {
            map.insert("schemaExtensions".into(), extensions.into());
        }
        body
    }
}

impl Attribute {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("name".into(), self.name.as_str().into());
        map.insert("type".into(), self.kind.as_str().into());
        map.insert("multiValued".into(), self.multi_valued.into());
        map.insert("description".into(), self.description.as_str().into());
        map.insert("required".into(), self.required.into());
        map.insert("caseExact".into(), self.case_exact.into());
        map.insert("mutability".into(), self.mutability.as_str().into());
        map.insert("returned".into(), self.returned.as_str().into());
        map.insert("uniqueness".into(), self.uniqueness.as_str().into());
        if !self.canonical_values.is_empty() {
            map.insert("canonicalValues".into(), self.canonical_values.clone().into());
        }
        if self.kind == AttrType::Reference {
            map.insert("referenceTypes".into(), self.reference_types.clone().into());
        }
        if self.kind == AttrType::Complex {
            let subs: Vec<Value> = self.sub_attributes.iter().map(Attribute::to_json).collect();
            map.insert("subAttributes".into(), subs.into());
        }
        Value::Object(map)
    }
}
