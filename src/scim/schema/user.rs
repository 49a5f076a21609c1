//! The User schema (RFC 7643 §4.1).

use super::build::{attribute, boolean, complex, plural, reference, string};
use super::{AttrType, Attribute, Mutability, Returned, Schema, USER_URN, Uniqueness};
use serde_json::Value;

const WORK_HOME: [&str; 3] = ["work", "home", "other"];

pub(super) fn schema() -> Schema {
    let mut attributes = singular();
    attributes.extend(lists());
    Schema {
        id: USER_URN.to_owned(),
        name: "User".to_owned(),
        description: "A person's account.".to_owned(),
        attributes,
    }
}

fn singular() -> Vec<Attribute> {
    let mut active = boolean("active", "Whether the user may sign in.");
    active.default = Some(Value::Bool(true));
    vec![
        string("userName", "Name the user signs in with; unique, case does not count.")
            .required()
            .unique(Uniqueness::Server),
        complex(
            "name",
            "The parts of the user's name.",
            vec![
                string("formatted", "The whole name, ready to show."),
                string("familyName", "Family name."),
                string("givenName", "Given name."),
                string("middleName", "Middle names."),
                string("honorificPrefix", "What stands before the name, such as a title."),
                string("honorificSuffix", "What stands after the name."),
            ],
        ),
        string("displayName", "Name to show for the user."),
        string("nickName", "Casual name."),
        reference("profileUrl", &["external"], "Page about the user."),
        string("title", "Job title."),
        string("userType", "Relation to the organization, such as employee."),
        string("preferredLanguage", "Preferred languages, as in Accept-Language."),
        string("locale", "Locale for dates, numbers and currency."),
        string("timezone", "Time zone, by its name in the IANA database."),
        active,
        string("password", "Clear-text password to set; never shown.")
            .exact()
            .mutability(Mutability::WriteOnly)
            .returned(Returned::Never),
    ]
}

fn lists() -> Vec<Attribute> {
    vec![
        plural("emails", "E-mail addresses.", &WORK_HOME, string("value", "E-mail address.")),
        plural(
            "phoneNumbers",
            "Phone numbers.",
            &["work", "home", "mobile", "fax", "pager", "other"],
            string("value", "Phone number."),
        ),
        plural(
            "ims",
            "Instant messaging addresses.",
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
            string("value", "Instant messaging address."),
        ),
        plural(
            "photos",
            "Pictures of the user.",
            &["photo", "thumbnail"],
            reference("value", &["external"], "URL of a picture."),
        ),
        addresses(),
        complex(
            "groups",
            "Groups the user is in; changed through the group.",
            vec![
                string("value", "Identifier of the group.").exact(),
                reference("$ref", &["Group"], "URL of the group."),
                string("display", "Name of the group."),
                string("type", "Whether the membership is direct or through another group.")
                    .canonical(&["direct", "indirect"]),
            ],
        )
        .many()
        .read_only(),
        plural("entitlements", "What the user is entitled to.", &[], string("value", "Entitlement.")),
        plural("roles", "Roles of the user.", &[], string("value", "Role.")),
        plural(
            "x509Certificates",
            "Certificates of the user, one DER certificate a value.",
            &[],
            attribute("value", AttrType::Binary, "DER certificate in base64."),
        ),
    ]
}

fn addresses() -> Attribute {
    complex(
        "addresses",
        "Postal addresses.",
        vec![
            string("formatted", "The whole address, ready to print."),
            string("streetAddress", "Street, house number, box."),
            string("locality", "City or locality."),
            string("region", "State or region."),
            string("postalCode", "Postal code."),
            string("country", "Country, as its two-letter code."),
            string("type", "What the address is for.").canonical(&WORK_HOME),
            boolean("primary", "Whether this is the preferred address; true at most once."),
        ],
    )
    .many()
}
