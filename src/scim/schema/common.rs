//! Attributes every resource has (RFC 7643 §3, §3.1).

use super::build::{attribute, complex, reference, string};
use super::{AttrType, Attribute, Returned, Uniqueness};

pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        reference("schemas", &["uri"], "URNs of the schemas the resource uses.")
            .many()
            .required()
            .returned(Returned::Always),
        string("id", "Identifier given by the server, never reused.")
            .exact()
            .read_only()
            .returned(Returned::Always)
            .unique(Uniqueness::Global),
        string("externalId", "Identifier given by the client.").exact(),
        complex(
            "meta",
            "What the server keeps about the resource.",
            vec![
                string("resourceType", "Name of the resource type.").exact(),
                attribute("created", AttrType::DateTime, "When the resource was made."),
                attribute("lastModified", AttrType::DateTime, "When the resource last changed."),
                reference("location", &["uri"], "URL of the resource."),
                string("version", "Entity tag of the resource.").exact(),
            ],
        )
        .read_only(),
    ]
}
