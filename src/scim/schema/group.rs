//! The Group schema (RFC 7643 §4.2).

use super::build::{complex, reference, string};
use super::{GROUP_URN, Mutability, Returned, Schema};

/// `displayName` is published as required: the prose of §4.2 says so, the
/// listing of §8.7.1 does not (D01).
pub(super) fn schema() -> Schema {
    Schema {
        id: GROUP_URN.to_owned(),
        name: "Group".to_owned(),
        description: "A named set of users and groups.".to_owned(),
        attributes: vec![
            string("displayName", "Name to show for the group.").required(),
            complex(
                "members",
                "Members of the group.",
                vec![
                    string("value", "Identifier of the member.").exact().mutability(Mutability::Immutable),
                    reference("$ref", &["User", "Group"], "URL of the member.").mutability(Mutability::Immutable),
                    // Clients compare what they sent with what they get back, so it is shown only to who asks.
                    string("display", "Name of the member, shown by the server.")
                        .read_only()
                        .returned(Returned::Request),
                    string("type", "Whether the member is a user or a group.")
                        .canonical(&["User", "Group"])
                        .mutability(Mutability::Immutable),
                ],
            )
            .many(),
        ],
    }
}
