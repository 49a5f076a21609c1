//! The enterprise extension of users (RFC 7643 §4.3).

use super::build::{complex, reference, string};
use super::{ENTERPRISE_URN, Schema};

pub(super) fn schema() -> Schema {
    Schema {
        id: ENTERPRISE_URN.to_owned(),
        name: "EnterpriseUser".to_owned(),
        description: "What an organization keeps about a user.".to_owned(),
        attributes: vec![
            string("employeeNumber", "Number or code of the person in the organization."),
            string("costCenter", "Cost centre."),
            string("organization", "Organization."),
            string("division", "Division."),
            string("department", "Department."),
            complex(
                "manager",
                "The user's manager.",
                vec![
                    string("value", "Identifier of the manager.").exact(),
                    reference("$ref", &["User"], "URL of the manager."),
                    string("displayName", "Name of the manager, shown by the server.").read_only(),
                ],
            ),
        ],
    }
}
