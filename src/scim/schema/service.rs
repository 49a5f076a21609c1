//! Schemas of the discovery resources themselves (RFC 7643 §5–§7, §8.7.2,
//! RFC 9865 §4). Everything in them is read-only.

use super::build::{attribute, boolean, complex, integer, reference, string};
use super::{AttrType, Attribute, Schema};

/// Schema of ServiceProviderConfig.
pub const CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// Schema of ResourceType.
pub const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// Schema of Schema.
pub const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

pub(super) fn schemas() -> Vec<Schema> {
    vec![
        schema(CONFIG_URN, "ServiceProviderConfig", "What this service can do.", config()),
        schema(RESOURCE_TYPE_URN, "ResourceType", "A kind of resource and its endpoint.", resource_type()),
        schema(SCHEMA_URN, "Schema", "The attributes of a schema.", schema_of_schema()),
    ]
}

fn schema(id: &str, name: &str, description: &str, attributes: Vec<Attribute>) -> Schema {
    Schema {
        id: id.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        attributes: attributes.into_iter().map(Attribute::read_only).collect(),
    }
}

fn supported(name: &str, description: &str, more: Vec<Attribute>) -> Attribute {
    let mut subs = vec![boolean("supported", "Whether it is offered.").required()];
    subs.extend(more);
    complex(name, description, subs).required()
}

fn config() -> Vec<Attribute> {
    vec![
        reference("documentationUri", &["external"], "Help for people."),
        supported("patch", "PATCH.", vec![]),
        supported(
            "bulk",
            "Bulk requests.",
            vec![
                integer("maxOperations", "Most operations in one request.").required(),
                integer("maxPayloadSize", "Largest request body, in bytes.").required(),
            ],
        ),
        supported("filter", "Filters.", vec![integer("maxResults", "Most resources in one answer.").required()]),
        supported("changePassword", "Changing passwords.", vec![]),
        supported("sort", "Sorting.", vec![]),
        supported("etag", "Entity tags.", vec![]),
        complex(
            "pagination",
            "Ways to page through a list.",
            vec![
                boolean("cursor", "Whether cursors are offered.").required(),
                boolean("index", "Whether positions are offered.").required(),
                string("defaultPaginationMethod", "Method used when the client names none.")
                    .canonical(&["cursor", "index"]),
                integer("defaultPageSize", "Results in a page when the client names no count."),
                integer("maxPageSize", "Most results in a page."),
                integer("cursorTimeout", "Seconds a cursor lives at least."),
            ],
        ),
        complex(
            "authenticationSchemes",
            "Ways to authenticate.",
            vec![
                string("type", "Kind of scheme.").required().canonical(&[
                    "oauth",
                    "oauth2",
                    "oauthbearertoken",
                    "httpbasic",
                    "httpdigest",
                ]),
                string("name", "Name of the scheme.").required(),
                string("description", "What the scheme is.").required(),
                reference("specUri", &["external"], "Specification of the scheme."),
                reference("documentationUri", &["external"], "Help for people."),
                boolean("primary", "Whether this is the preferred scheme."),
            ],
        )
        .many()
        .required(),
    ]
}

fn resource_type() -> Vec<Attribute> {
    vec![
        string("id", "Identifier, the same as the name."),
        string("name", "Name of the resource type.").required(),
        string("description", "What the resource type is."),
        reference("endpoint", &["uri"], "Endpoint below the base URL.").required(),
        reference("schema", &["uri"], "URN of the core schema.").required(),
        complex(
            "schemaExtensions",
            "Extensions of the resource type.",
            vec![
                reference("schema", &["uri"], "URN of the extension.").required(),
                boolean("required", "Whether every resource must carry it.").required(),
            ],
        )
        .many(),
    ]
}

fn schema_of_schema() -> Vec<Attribute> {
    let mut attributes = characteristics();
    attributes.push(complex("subAttributes", "Sub-attributes of a complex attribute.", characteristics()).many());
    vec![
        string("id", "URN of the schema.").required(),
        string("name", "Name of the schema.").required(),
        string("description", "What the schema is for."),
        complex("attributes", "Attributes of the schema.", attributes).many().required(),
    ]
}

fn characteristics() -> Vec<Attribute> {
    let types = ["string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary"];
    vec![
        string("name", "Name of the attribute.").required().exact(),
        attribute("type", AttrType::String, "Data type.").required().canonical(&types),
        boolean("multiValued", "Whether it holds a list.").required(),
        string("description", "What the attribute is.").exact(),
        boolean("required", "Whether a resource must have it."),
        string("canonicalValues", "Suggested values.").many().exact(),
        boolean("caseExact", "Whether case counts."),
        string("mutability", "When it may be written.").exact().canonical(&[
            "readOnly",
            "readWrite",
            "immutable",
            "writeOnly",
        ]),
        string("returned", "When it is shown.").exact().canonical(&["always", "never", "default", "request"]),
        string("uniqueness", "Where it must be unique.").exact().canonical(&["none", "server", "global"]),
        string("referenceTypes", "What a reference may point to.").many().exact(),
    ]
}
