//! What a directory may be given, as resources to read: the Role and Entitlement types that Okta looks for. They are no
//! part of the RFCs, and read-only throughout.

use super::build::string;
use super::{Attribute, ResourceType, Schema};

/// Schema of roles.
pub const ROLE_URN: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// Schema of entitlements.
pub const ENTITLEMENT_URN: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";

pub(super) fn schemas() -> [Schema; 2] {
    let name = |of: &str| string("displayName", &format!("Name to show for the {of}.")).required();
    let kind = string("type", "The heading it stands under.");
    [
        schema(ROLE_URN, "Role", "A role that rules may give to people of this directory.", vec![name("role")]),
        schema(ENTITLEMENT_URN, "Entitlement", "Something that those roles allow.", vec![name("entitlement"), kind]),
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

pub(super) fn types() -> [ResourceType; 2] {
    let one = |name: &str, endpoint: &str, description: &str, schema: &str| ResourceType {
        name: name.to_owned(),
        endpoint: endpoint.to_owned(),
        description: description.to_owned(),
        schema: schema.to_owned(),
        extensions: Vec::new(),
    };
    [
        one("Role", "/Roles", "Roles that rules may give to people of this directory.", ROLE_URN),
        one("Entitlement", "/Entitlements", "What those roles allow.", ENTITLEMENT_URN),
    ]
}
