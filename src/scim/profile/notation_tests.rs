//! What has one meaning is taken, in every notation, by every profile that is not strict; what is not taken is refused,
//! and never lost in silence.

use super::*;
use crate::scim::error::ScimType;

use crate::scim::patch;
use crate::scim::query::{PageLimits, Query};
use crate::scim::resource::{Accepted, Document, create};
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, SchemaSet, USER_URN};
use serde_json::{Map, json};

const ID: &str = "0192f0c1-0000-7000-8000-000000000001";

fn made(switches: &Switches, mut body: Value) -> Result<Accepted> {
    let set = SchemaSet::base();
    body["schemas"] = json!([USER_URN]);
    body["userName"] = json!("ada");
    let strict = switches.translate_body(set.users(), BodyPurpose::Create, body);
    create(set.users(), strict.request, switches.rules())
}

fn patched(switches: &Switches, before: Value, operations: Value) -> Result<Document> {
    let set = SchemaSet::base();
    let mut before = before;
    before["schemas"] = json!([USER_URN]);
    before["userName"] = json!("ada");
    let before = create(set.users(), before, switches.rules())?.document;
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    let strict = switches.translate_patch(set.users(), ID, body)?;
    Ok(patch::apply(set.users(), &before, &patch::parse(strict.request)?, switches.rules())?.document)
}

fn lenient() -> impl Iterator<Item = ClientProfile> {
    ClientProfile::ALL.into_iter().map(|(profile, _)| profile).filter(|profile| *profile != ClientProfile::Strict)
}

/// Ways to say a given name, a department, a manager and an address, each with what is stored.
fn notations() -> Vec<(Value, &'static str, Value)> {
    let legacy = "urn:scim:schemas:extension:enterprise:2.0";
    let oldest = "urn:scim:schemas:extension:enterprise:1.0";
    let key = |key: String, value: Value| Value::Object(Map::from_iter([(key, value)]));
    let mut all = Vec::new();
    for name in ["name.givenName", "NAME.GIVENNAME", &format!("{USER_URN}:name.givenName")] {
        all.push((key(name.to_owned(), json!("G")), "/name/givenName", json!("G")));
    }
    all.push((json!({USER_URN: {"name.givenName": "G"}}), "/name/givenName", json!("G")));
    all.push((json!({USER_URN: {"name": {"givenName": "G"}}}), "/name/givenName", json!("G")));
    all.push((json!({"name.givenName": "G", "name": {"familyName": "F"}}), "/name/givenName", json!("G")));
    all.push((json!({"name": {"familyName": "F"}, "name.givenName": "G"}), "/name/givenName", json!("G")));
    all.push((json!({"name": null, "name.givenName": "G"}), "/name/givenName", json!("G")));
    let department = "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department";
    for name in
        ["department", "Department", &format!("{ENTERPRISE_URN}:department"), &format!("{legacy}:User:department")]
    {
        all.push((key(name.to_owned(), json!("D")), department, json!("D")));
    }
    for urn in [ENTERPRISE_URN, legacy, oldest, &ENTERPRISE_URN.to_uppercase(), &legacy.to_uppercase()] {
        all.push((key(urn.to_owned(), json!({"department": "D"})), department, json!("D")));
    }
    all.push((json!({"department": "D", ENTERPRISE_URN: {"division": "V"}}), department, json!("D")));
    let manager = "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager/value";
    for (name, value) in [
        ("manager".to_owned(), json!("M")),
        ("manager".to_owned(), json!({"value": "M"})),
        ("manager".to_owned(), json!(["M"])),
        ("manager.value".to_owned(), json!("M")),
        (format!("{ENTERPRISE_URN}:manager"), json!("M")),
        (format!("{ENTERPRISE_URN}:manager.value"), json!("M")),
        (ENTERPRISE_URN.to_owned(), json!({"manager.value": "M"})),
        (ENTERPRISE_URN.to_owned(), json!({"manager": "M"})),
    ] {
        all.push((key(name, value), manager, json!("M")));
    }
    all.push((json!({"emails[type eq \"work\"].value": "a@x"}), "/emails/0/value", json!("a@x")));
    for truth in ["true", "True", "TRUE"] {
        all.push((json!({"active": truth}), "/active", json!(true)));
        all.push((json!({"emails": [{"value": "a@x", "primary": truth}]}), "/emails/0/primary", json!(true)));
        all.push((json!({"emails[primary eq \"True\"].value": "a@x"}), "/emails/0/primary", json!(true)));
    }
    all
}

#[test]
fn every_notation_is_stored_by_every_lenient_profile() {
    for profile in lenient() {
        let switches = profile.switches();
        for (body, place, value) in notations() {
            let stored = Value::Object(
                made(&switches, body.clone()).unwrap_or_else(|e| panic!("{profile} {body}: {e}")).document,
            );
            assert_eq!(stored.pointer(place), Some(&value), "{profile} {body}: {stored}");
            let operations = json!([{"op": "replace", "value": body}]);
            let stored = patched(&switches, json!({}), operations).unwrap_or_else(|e| panic!("{profile} {body}: {e}"));
            assert_eq!(Value::Object(stored).pointer(place), Some(&value), "{profile} PATCH {body}");
        }
    }
}

#[test]
fn where_a_notation_is_not_taken_it_is_refused() {
    for profile in ClientProfile::ALL.map(|(profile, _)| profile) {
        let mut switches = profile.switches();
        for switch in [Switch::DottedKeys, Switch::UrnKeys] {
            switches.turn(switch, false);
        }
        let strict = profile == ClientProfile::Strict;
        for (body, place, _) in notations() {
            let stored = |document: Document| Value::Object(document).pointer(place).is_some();
            if let Ok(accepted) = made(&switches, body.clone()) {
                assert!(stored(accepted.document), "{profile} {body}: lost");
            }
            if let Ok(document) = patched(&switches, json!({}), json!([{"op": "replace", "value": body}])) {
                assert!(stored(document), "{profile} PATCH {body}: lost");
            }
        }
        for unknown in [json!({"shoeSize": 42}), json!({"nothing.here": 1}), json!({"urn:x:y": {"a": 1}})] {
            assert_eq!(made(&switches, unknown.clone()).is_err(), strict, "{profile} {unknown}");
        }
    }
    // Said twice, in whatever notations, is refused.
    let switches = ClientProfile::Generic.switches();
    for twice in [
        json!({"name": {"givenName": "A"}, "name.givenName": "B"}),
        json!({"name.givenName": "A", "NAME.givenName": "B"}),
        json!({"department": "A", ENTERPRISE_URN: {"department": "B"}}),
        json!({ENTERPRISE_URN: {"manager": {"value": "A"}, "manager.value": "B"}}),
        json!({"name": "A", "name.givenName": "B"}),
    ] {
        assert_eq!(made(&switches, twice.clone()).unwrap_err().kind, Some(ScimType::InvalidValue), "{twice}");
    }
}

#[test]
fn no_tolerance_makes_an_element_that_the_path_names() {
    let before = || json!({"emails": [{"value": "a@x", "type": "work"}]});
    for profile in ClientProfile::ALL.map(|(profile, _)| profile) {
        let switches = profile.switches();
        let lenient = profile != ClientProfile::Strict;
        for op in ["add", "replace"] {
            for (path, value, makes) in [
                ("emails[value eq \"nobody@x\"].type", json!("home"), false),
                ("emails[value eq \"nobody@x\"].value", json!("b@x"), false),
                ("emails[value eq \"nobody@x\"]", json!({"type": "home"}), false),
                ("emails[value eq \"nobody@x\" and type eq \"home\"].display", json!("N"), false),
                ("emails[type eq \"home\"].type", json!("other"), false),
                ("emails[type ne \"work\"].value", json!("b@x"), false),
                ("emails[type co \"home\"].value", json!("b@x"), false),
                ("emails[type sw \"home\"].value", json!("b@x"), false),
                ("emails[not (type eq \"work\")].value", json!("b@x"), false),
                ("emails[type eq \"home\" or type eq \"other\"].value", json!("b@x"), false),
                ("emails[display pr].value", json!("b@x"), false),
                ("emails[type eq \"home\"].value", json!("b@x"), true),
                ("emails[type eq \"home\" and primary eq true].value", json!("b@x"), true),
                ("roles[primary eq true].value", json!("r"), true),
                ("addresses[type eq \"work\"].formatted", json!("Quay 4"), true),
                ("emails[type eq \"home\"]", json!({"value": "b@x"}), true),
            ] {
                let done = patched(&switches, before(), json!([{"op": op, "path": path, "value": value}]));
                match done {
                    Ok(document) => {
                        assert!(makes && lenient, "{profile} {op} {path}: {document:?}");
                        assert!(document.len() > 3 || document["emails"].as_array().unwrap().len() == 2, "{path}");
                    }
                    Err(error) => {
                        assert!(!(makes && lenient), "{profile} {op} {path}: {error}");
                        assert_eq!(error.kind, Some(ScimType::NoTarget), "{profile} {op} {path}: {error}");
                    }
                }
            }
        }
        // What is not there need not be taken away.
        let gone = patched(&switches, before(), json!([{"op": "remove", "path": "emails[value eq \"nobody@x\"]"}]));
        assert_eq!(gone.unwrap()["emails"].as_array().unwrap().len(), 1, "{profile}");
    }
}

/// Filters as the documentation of providers has them: the profile, the resource type, the filter, and what it comes to.
const FILTERS: &[(ClientProfile, &str, &str, &str)] = &[
    // learn.microsoft.com, use-scim-to-provision-users-and-groups; SCIM Validator.
    (ClientProfile::Entra, "User", "userName eq \"Test_User_dfeef4c5\"", "userName"),
    (ClientProfile::Entra, "User", "userName eq \"non-existent user\"", "userName"),
    (ClientProfile::Entra, "User", "externalId eq \"jyoung\"", "externalId"),
    (ClientProfile::Entra, "User", "externalId eq jyoung", "externalId"),
    (ClientProfile::Entra, "User", "emails[type eq \"work\"].value eq \"a@x\"", "emails"),
    (ClientProfile::Entra, "User", "id eq \"54D382A4\" and manager eq \"2819c223\"", "manager.value"),
    (ClientProfile::EntraFlag, "User", "id eq \"54D382A4\" and manager eq \"2819c223\"", "manager.value"),
    (
        ClientProfile::Entra,
        "User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq \"2819c223\"",
        "manager.value",
    ),
    (
        ClientProfile::Entra,
        "User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq \"7\"",
        "employeeNumber",
    ),
    (ClientProfile::Entra, "User", "employeeNumber eq \"7\"", "employeeNumber"),
    (ClientProfile::Entra, "User", "department pr", "department"),
    (ClientProfile::Entra, "User", "roles[primary eq \"True\"].value eq \"admin\"", "roles"),
    (ClientProfile::Entra, "Group", "displayName eq \"displayName\"", "displayName"),
    (ClientProfile::Entra, "Group", "externalId eq \"60f1bb27\"", "externalId"),
    (ClientProfile::Entra, "Group", "id eq \"c2815f78\" and members eq \"2819c223\"", "members"),
    // developer.okta.com, reference/scim/scim-20.
    (ClientProfile::Okta, "User", "userName eq \"test.user@okta.local\"", "userName"),
    (ClientProfile::Okta, "User", "id eq \"23a35c27\"", "id"),
    (ClientProfile::Okta, "User", "emails eq \"test.user@okta.local\"", "emails"),
    (ClientProfile::Okta, "User", "emails.value eq \"test.user@okta.local\"", "emails"),
    (ClientProfile::Okta, "User", "name.familyName eq \"User\"", "name.familyName"),
    (ClientProfile::Okta, "Group", "displayName eq \"Test SCIMv2\"", "displayName"),
    // developers.onelogin.com; support.jumpcloud.com; docs.pingidentity.com, SCIM provisioner.
    (ClientProfile::OneLogin, "User", "userName eq \"x@y\"", "userName"),
    (ClientProfile::JumpCloud, "User", "userName eq \"x@y\"", "userName"),
    (ClientProfile::JumpCloud, "Group", "displayName eq \"Ops\"", "displayName"),
    (ClientProfile::Ping, "User", "userName eq \"x@y\"", "userName"),
    (ClientProfile::Ping, "User", "userName Eq \"x@y\"", "userName"),
    (ClientProfile::Ping, "User", "externalId eq \"7\"", "externalId"),
    // developer.sailpoint.com; docs.aws.amazon.com, singlesignon; docs.goauthentik.io.
    (ClientProfile::SailPoint, "User", "userName sw \"A\" and active eq true", "active"),
    (ClientProfile::SailPoint, "User", "meta.lastModified gt \"2026-01-31T08:00:00Z\"", "meta.lastModified"),
    (ClientProfile::Authentik, "User", "userName eq \"x\"", "userName"),
    (ClientProfile::Google, "User", "userName eq \"x@y\"", "userName"),
    (ClientProfile::Rippling, "Group", "displayName eq \"Ops\" and externalId eq \"7\"", "externalId"),
];

#[test]
fn filters_of_the_providers_documentation_are_understood() {
    let limits = PageLimits { default_count: 100, max_count: 100, cursor_lifetime: None };
    let set = SchemaSet::base();
    let asked = |profile: ClientProfile, name: &str, filter: &str| {
        let resource = set.resource(name).unwrap();
        let params = Params { filter: Some(filter.to_owned()), ..Params::default() };
        let translated = profile.switches().translate_query(Some(resource), params);
        let resolved = Query::parse(&translated.request, limits)?.resolve(resource)?.filter.unwrap();
        Ok::<_, crate::scim::error::ScimError>((resolved, translated))
    };
    for (profile, name, filter, place) in FILTERS {
        for profile in [*profile, ClientProfile::Generic] {
            let (resolved, _) = asked(profile, name, filter).unwrap_or_else(|e| panic!("{profile} {filter}: {e}"));
            let said = format!("{resolved:?}");
            assert!(place.split('.').all(|part| said.contains(&format!("\"{part}\""))), "{profile} {filter}: {said}");
        }
    }
    let (_, translated) = asked(ClientProfile::Entra, "User", "manager eq \"m\"").unwrap();
    let meant = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"m\"";
    assert_eq!(translated.request.filter.as_deref(), Some(meant));
    assert_eq!(translated.acts.iter().map(|act| act.switch).collect::<Vec<_>>(), [Switch::LooseFilter]);
    // Only what means one thing: no part of `name` is its value, and what two extensions have is neither's.
    for filter in ["name eq \"x\"", "meta eq \"x\"", "shoeSize eq \"x\""] {
        assert!(asked(ClientProfile::Entra, "User", filter).is_err(), "{filter}");
    }
    assert!(
        asked(ClientProfile::Strict, "User", "manager eq \"m\"").is_err()
            && asked(ClientProfile::Strict, "User", "department pr").is_err()
    );
    let mut two = SchemaSet::base();
    let schema = json!({"id": "urn:example:x:User", "attributes": [{"name": "department"}, {"name": "floor"}]});
    two.extend("User", &schema, false).unwrap();
    assert!(
        two.users().extension_attribute("department").is_none() && two.users().extension_attribute("floor").is_some()
    );
    // What two extensions have is nobody's, and not dropped either.
    let body = json!({"schemas": [USER_URN], "userName": "ada", "department": "D"});
    let strict = ClientProfile::Generic.switches().translate_body(two.users(), BodyPurpose::Create, body);
    let refused = create(two.users(), strict.request, ClientProfile::Generic.switches().rules()).unwrap_err();
    assert_eq!(refused.kind, Some(ScimType::InvalidValue));
    let groups = SchemaSet::base();
    assert!(groups.groups().extension_attribute("department").is_none());
    assert_eq!(groups.groups().core.id, GROUP_URN);
}
