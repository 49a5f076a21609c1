//! What real clients send, and what it comes to.

use super::*;
use crate::scim::error::ScimType;
use crate::scim::message::PATCH_URN;
use crate::scim::patch::{self, MemberOp, MemberSelector, Patched};
use crate::scim::query::{PageLimits, Query};
use crate::scim::resource::{Accepted, Document, create, replace};
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, SchemaSet, USER_URN};
use proptest::prelude::*;
use serde_json::json;

mod shapes;

const G1: &str = "0192f0c1-0000-7000-8000-000000000001";

fn made(profile: ClientProfile, body: Value) -> Result<Accepted> {
    let set = SchemaSet::base();
    let is_group = body.get("displayName").is_some() && body.get("userName").is_none();
    let resource = if is_group { set.groups() } else { set.users() };
    let switches = profile.switches();
    let strict = switches.translate_body(resource, BodyPurpose::Create, body);
    create(resource, strict.request, switches.rules())
}

fn user() -> Document {
    let body = json!({"schemas": [USER_URN], "userName": "mara", "title": "T", "name": {"familyName": "Lindqvist"}});
    made(ClientProfile::Strict, body).unwrap().document
}

fn group() -> Document {
    made(ClientProfile::Strict, json!({"schemas": [GROUP_URN], "displayName": "Backup Operators EU"})).unwrap().document
}

fn patch_of(
    resource: ResourceSchema<'_>,
    profile: ClientProfile,
    current: &Document,
    operations: &Value,
) -> Result<Patched> {
    let switches = profile.switches();
    let body = json!({"schemas": [PATCH_URN], "Operations": operations});
    let strict = switches.translate_patch(resource, G1, body)?;
    patch::apply(resource, current, &patch::parse(strict.request)?, switches.rules())
}

fn on_user(profile: ClientProfile, operations: Value) -> Result<Document> {
    patch_of(SchemaSet::base().users(), profile, &user(), &operations).map(|done| done.document)
}

fn on_group(profile: ClientProfile, operations: Value) -> Result<Patched> {
    patch_of(SchemaSet::base().groups(), profile, &group(), &operations)
}

/// The profiles a shape must work in, and strict, which refuses it.
fn both(operations: Value, profiles: &[ClientProfile], strict: Option<ScimType>) -> Value {
    let mut last = None;
    for &profile in profiles {
        let after = on_user(profile, operations.clone()).unwrap_or_else(|e| panic!("{profile} {operations}: {e}"));
        assert!(last.is_none_or(|before| before == after), "{profile} differs: {operations}");
        last = Some(after);
    }
    match (strict, on_user(ClientProfile::Strict, operations.clone())) {
        (None, result) => assert!(result.is_ok(), "strict {operations}: {result:?}"),
        (Some(kind), Err(error)) => assert_eq!(error.kind, Some(kind), "strict {operations}"),
        (Some(_), Ok(_)) => panic!("strict took {operations}"),
    }
    Value::Object(last.unwrap())
}

const ENTRA: &[ClientProfile] = &[ClientProfile::Generic, ClientProfile::Entra];

#[test]
fn fx_e03_e05_e16_creates() {
    let body = json!({"schemas": [USER_URN, ENTERPRISE_URN], "externalId": "mlindqvist", "userName": "mara@harbor.example",
        "active": "True", "emails": [{"primary": "true", "type": "work", "value": "mara@harbor.example"}],
        "meta": {"resourceType": "User"}, "name": {"formatted": "Mara L", "middleName": ""}, "roles": []});
    for profile in ENTRA {
        let document = made(*profile, body.clone()).unwrap().document;
        assert_eq!((&document["active"], &document["emails"][0]["primary"]), (&json!(true), &json!(true)));
        assert_eq!(document["name"], json!({"formatted": "Mara L"}));
    }
    assert_eq!(made(ClientProfile::Strict, body).unwrap_err().kind, Some(ScimType::InvalidValue));
    let group = json!({"schemas": [GROUP_URN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "2f0f", "displayName": "Backup Operators EU", "meta": {"resourceType": "Group"}});
    assert_eq!(made(ClientProfile::Entra, group.clone()).unwrap().document["schemas"], json!([GROUP_URN]));
    assert!(made(ClientProfile::Strict, group).is_err());
}

#[test]
fn fx_e06_legacy_update_creates_missing_elements() {
    let after = both(
        json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "mara.l@harbor.example"},
            {"op": "Replace", "path": "name.familyName", "value": "Lind"},
            {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+46 70"},
            {"op": "Replace", "path": "addresses[type eq \"work\"].formatted", "value": "Quay 4, Visby"}]),
        ENTRA,
        Some(ScimType::InvalidSyntax),
    );
    assert_eq!(after["emails"], json!([{"type": "work", "value": "mara.l@harbor.example"}]));
    assert_eq!(after["name"]["familyName"], "Lind");
    assert_eq!(after["phoneNumbers"][0]["value"], "+46 70");
    assert_eq!(after["addresses"][0]["formatted"], "Quay 4, Visby");
}

#[test]
fn fx_e07_flag_form_with_dotted_and_urn_keys() {
    let after = both(
        json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "m.lind@harbor.example"},
            {"op": "replace", "value": {"displayName": "M. Lind", "name.givenName": "Marit", "name.familyName": "Lind",
                "emails[type eq \"home\"].value": "h@x", format!("{ENTERPRISE_URN}:employeeNumber"): "40417"}}]),
        &[ClientProfile::Generic, ClientProfile::Entra, ClientProfile::EntraFlag],
        Some(ScimType::NoTarget),
    );
    assert_eq!(after["name"], json!({"givenName": "Marit", "familyName": "Lind"}));
    assert_eq!(after["displayName"], "M. Lind");
    assert_eq!(after["emails"].as_array().unwrap().len(), 2);
    assert_eq!(after[ENTERPRISE_URN]["employeeNumber"], "40417");
    assert_eq!(after["schemas"], json!([USER_URN, ENTERPRISE_URN]));
}

#[test]
fn fx_e08_e09_e10_active() {
    for (op, value, truth) in
        [("Replace", json!("False"), false), ("replace", json!(false), false), ("Replace", json!("True"), true)]
    {
        let operations = json!([{"op": op, "path": "active", "value": value}]);
        let strict = (op != "replace").then_some(ScimType::InvalidSyntax);
        assert_eq!(both(operations, ENTRA, strict)["active"], truth);
    }
    both(json!([{"op": "replace", "path": "active", "value": "False"}]), ENTRA, Some(ScimType::InvalidValue));
    both(json!([{"op": "replace", "value": {"active": "False"}}]), ENTRA, Some(ScimType::InvalidValue));
    assert!(on_user(ClientProfile::Generic, json!([{"op": "replace", "path": "active", "value": "maybe"}])).is_err());
}

#[test]
fn fx_e11_e12_manager_shapes() {
    let path = format!("{ENTERPRISE_URN}:manager");
    let all = [ClientProfile::Generic, ClientProfile::Entra, ClientProfile::EntraFlag];
    for (op, value, strict) in [
        ("add", json!("U2"), Some(ScimType::InvalidValue)),
        ("add", json!([{"$ref": "../Users/U2", "value": "U2"}]), Some(ScimType::InvalidValue)),
        ("replace", json!({"value": "U2"}), None),
    ] {
        let after = both(json!([{"op": op, "path": path, "value": value}]), &all, strict);
        assert_eq!(after[ENTERPRISE_URN]["manager"]["value"], "U2");
    }
    let set = json!({"op": "replace", "path": path, "value": {"value": "U2"}});
    for (clear, strict) in [
        (json!({"op": "Replace", "path": path, "value": ""}), ScimType::InvalidSyntax),
        (json!({"op": "Remove", "path": path}), ScimType::InvalidSyntax),
        (json!({"op": "replace", "value": {path.as_str(): ""}}), ScimType::InvalidValue),
    ] {
        let after = both(json!([set, clear]), &all, Some(strict));
        assert!(after.get(ENTERPRISE_URN).is_none(), "{clear}");
    }
}

#[test]
fn fx_e13_quoted_booleans_in_paths() {
    for word in ["\"True\"", "\"true\"", "true"] {
        let operations =
            json!([{"op": "add", "path": format!("roles[primary eq {word}].value"), "value": "tenant-operator"}]);
        let strict = if word == "true" { ScimType::NoTarget } else { ScimType::InvalidFilter };
        let after =
            both(operations, &[ClientProfile::Generic, ClientProfile::Entra, ClientProfile::EntraFlag], Some(strict));
        assert_eq!(after["roles"], json!([{"primary": true, "value": "tenant-operator"}]));
    }
}

#[test]
fn fx_e14_clear_by_empty() {
    assert!(both(json!([{"op": "replace", "path": "title", "value": null}]), ENTRA, None).get("title").is_none());
    let replaced = json!([{"op": "Replace", "path": "title", "value": ""}]);
    assert!(both(replaced, ENTRA, Some(ScimType::InvalidSyntax)).get("title").is_none());
    let added = json!([{"op": "Add", "path": "title", "value": ""}]);
    assert_eq!(both(added, ENTRA, Some(ScimType::InvalidSyntax))["title"], "T");
    let twice = json!([{"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@x"}]}, {"op": "replace", "path": "emails[type eq \"work\"].value", "value": ""}]);
    assert!(both(twice, ENTRA, None).get("emails").is_none());
    assert!(on_user(ClientProfile::Generic, json!([{"op": "replace", "path": "userName", "value": ""}])).is_err());
}

#[test]
fn fx_e15_unknown_and_registered_extensions() {
    let operations = json!([{"op": "add", "path": "urn:ietf:params:scim:schemas:extension:harbor:2.0:User:region", "value": "Gotland"}]);
    let before = user();
    assert_eq!(on_user(ClientProfile::Generic, operations.clone()).unwrap(), before);
    assert!(on_user(ClientProfile::Strict, operations.clone()).is_err());
    let mut set = SchemaSet::base();
    let schema =
        json!({"id": "urn:ietf:params:scim:schemas:extension:harbor:2.0:User", "attributes": [{"name": "region"}]});
    set.extend("User", &schema, false).unwrap();
    let done = patch_of(set.users(), ClientProfile::Entra, &before, &operations).unwrap();
    assert_eq!(done.document["urn:ietf:params:scim:schemas:extension:harbor:2.0:User"]["region"], "Gotland");
}

#[test]
fn fx_e17_to_e20_j02_a02_members() {
    let ids =
        |list: &[&str]| vec![MemberOp::Remove(MemberSelector::Ids(list.iter().map(|s| (*s).to_owned()).collect()))];
    let add = on_group(
        ClientProfile::Entra,
        json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "U1"}, {"value": "U2"}]}]),
    )
    .unwrap();
    assert!(matches!(&add.members[..], [MemberOp::Add(list)] if list.len() == 2));
    for profile in [
        ClientProfile::Generic,
        ClientProfile::Entra,
        ClientProfile::JumpCloud,
        ClientProfile::Authentik,
        ClientProfile::Okta,
    ] {
        let one =
            on_group(profile, json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "U1"}]}]))
                .unwrap();
        assert_eq!(one.members, ids(&["U1"]), "{profile}");
        let many = on_group(profile, json!([{"op": "remove", "path": "members", "value": [{"value": "U1"}]}, {"op": "remove", "path": "members[value eq \"U2\"]"}])).unwrap();
        assert_eq!(many.members, ids(&["U1", "U2"]), "{profile}");
        assert_eq!(on_group(profile, json!([{"op": "remove", "path": "members"}])).unwrap().members, [MemberOp::Clear]);
        // Nothing named: nothing goes, least of all everybody.
        assert_eq!(on_group(profile, json!([{"op": "remove", "path": "members", "value": []}])).unwrap().members, []);
        assert!(on_group(profile, json!([{"op": "remove", "path": "members", "value": [{"display": "x"}]}])).is_err());
    }
    let strict =
        on_group(ClientProfile::Strict, json!([{"op": "remove", "path": "members", "value": [{"value": "U1"}]}]));
    assert_eq!(strict.unwrap_err().kind, Some(ScimType::InvalidSyntax));
    let list: Vec<Value> = (0..2_000).map(|n| json!({"value": format!("{n:036}")})).collect();
    let many = on_group(ClientProfile::Entra, json!([{"op": "Remove", "path": "members", "value": list}])).unwrap();
    assert!(matches!(&many.members[..], [MemberOp::Remove(MemberSelector::Ids(ids))] if ids.len() == 2_000));
    let renamed =
        on_group(ClientProfile::Entra, json!([{"op": "Replace", "path": "displayName", "value": "Nordic"}])).unwrap();
    assert_eq!(renamed.document["displayName"], "Nordic");
}

#[test]
fn removal_by_value_works_on_every_list_and_only_there() {
    let mails = json!({"op": "add", "path": "emails", "value": [{"value": "a@x", "type": "work"}, {"value": "a@x", "type": "home"}, {"value": "b@x"}]});
    let after = on_user(
        ClientProfile::Generic,
        json!([mails, {"op": "remove", "path": "emails", "value": [{"value": "a@x", "type": "home"}]}]),
    )
    .unwrap();
    assert_eq!(after["emails"].as_array().unwrap().len(), 2);
    let after = on_user(ClientProfile::Generic, json!([{"op": "remove", "path": "title", "value": "T"}])).unwrap();
    assert!(!after.contains_key("title"));
}

#[test]
fn fx_e23_e24_x05_still_refused() {
    for profile in ClientProfile::ALL.map(|(profile, _)| profile) {
        assert_eq!(on_user(profile, json!([])).unwrap_err().kind, Some(ScimType::InvalidSyntax));
        let phone = json!([{"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].primary", "value": "+46 70"}]);
        assert!(on_user(profile, phone).is_err());
        assert!(made(profile, json!({})).is_err());
        let switches = profile.switches();
        let set = SchemaSet::base();
        let strict = switches.translate_patch(set.users(), G1, json!({})).unwrap();
        assert_eq!(patch::parse(strict.request).unwrap_err().kind, Some(ScimType::InvalidSyntax));
    }
}

#[test]
fn fx_o07_o08_o10_a01_pathless() {
    let named = [ClientProfile::Generic, ClientProfile::Okta];
    assert_eq!(both(json!([{"op": "replace", "value": {"active": false}}]), &named, None)["active"], false);
    for profile in [ClientProfile::Generic, ClientProfile::Okta, ClientProfile::Authentik] {
        let rename = |id: &str| {
            on_group(
                profile,
                json!([{"op": "replace", "value": {"id": id, "schemas": [GROUP_URN], "displayName": "Backup Operators EU"}}]),
            )
        };
        let same = rename(G1).unwrap();
        assert!(!same.changed && same.members.is_empty());
        assert_eq!(rename("someone-else").unwrap_err().kind, Some(ScimType::Mutability));
        let whole =
            on_group(profile, json!([{"op": "replace", "value": {"meta": {"version": "x"}, "externalId": "5b0e"}}]))
                .unwrap();
        assert_eq!(whole.document["externalId"], "5b0e");
    }
    let password = patch_of(
        SchemaSet::base().users(),
        ClientProfile::Okta,
        &user(),
        &json!([{"op": "replace", "value": {"password": "Nq7!"}}]),
    );
    assert!(password.unwrap().password.is_some());
}

#[test]
fn fx_o11_o12_o13_x04_members() {
    let done = on_group(ClientProfile::Okta, json!([{"op": "remove", "path": "members[value eq \"U1\"]"}, {"op": "add", "path": "members", "value": [{"value": "U2", "display": "tove"}]}])).unwrap();
    assert_eq!(done.members.len(), 2);
    assert!(matches!(
        &on_group(ClientProfile::Okta, json!([{"op": "replace", "path": "members", "value": [{"value": "U1"}]}]))
            .unwrap()
            .members[..],
        [MemberOp::ReplaceAll(_)]
    ));
    assert_eq!(
        on_group(ClientProfile::Okta, json!([{"op": "replace", "path": "members", "value": []}])).unwrap().members,
        [MemberOp::Clear]
    );
    assert!(matches!(
        &on_group(ClientProfile::Generic, json!([{"op": "add", "value": {"members": [{"value": "U1"}]}}]))
            .unwrap()
            .members[..],
        [MemberOp::Add(_)]
    ));
}

#[test]
fn fx_n02_legacy_urns() {
    let body = json!({"schemas": ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"], "userName": "ida",
        "urn:scim:schemas:extension:enterprise:2.0": {"department": "D"}, "active": true});
    for profile in [ClientProfile::Generic, ClientProfile::OneLogin] {
        let document = made(profile, body.clone()).unwrap().document;
        assert_eq!(document["schemas"], json!([USER_URN, ENTERPRISE_URN]));
    }
    assert!(made(ClientProfile::Strict, body).is_err());
}

#[test]
fn fx_p04_a03_put_without_members() {
    let set = SchemaSet::base();
    let put = |profile: ClientProfile| {
        let switches = profile.switches();
        let body = json!({"schemas": [GROUP_URN], "displayName": "Ops"});
        let strict = switches.translate_body(set.groups(), BodyPurpose::Replace, body);
        replace(set.groups(), &group(), strict.request, switches.rules()).unwrap().members
    };
    assert_eq!(put(ClientProfile::Generic), None);
    assert_eq!(put(ClientProfile::Authentik), Some(vec![]));
}

#[test]
fn fx_x01_x02_x03() {
    let two = json!({"op": "add", "path": "emails", "value": [{"value": "a@x", "primary": false}, {"value": "b@x", "primary": false}]});
    let all = both(
        json!([two, {"op": "replace", "path": "emails[primary eq false]", "value": {"value": "c@x"}}]),
        ENTRA,
        None,
    );
    assert_eq!(all["emails"], json!([{"value": "c@x"}]));
    assert_eq!(
        both(json!([{"op": "replace", "path": format!("{USER_URN}:active"), "value": false}]), ENTRA, None)["active"],
        false
    );
    let switches = ClientProfile::Generic.switches();
    let body = json!({"schemas": [PATCH_URN], "operations": [{"op": "Replace", "path": "title", "value": "X"}]});
    let strict = switches.translate_patch(SchemaSet::base().users(), G1, body).unwrap();
    assert_eq!(patch::parse(strict.request).unwrap().len(), 1);
    let private = json!({"schemas": [PATCH_URN], "Operations": [{"op": "replace", "path": "emails[value eq \"a@x\"].display", "value": ""}]});
    let acts = switches.translate_patch(SchemaSet::base().users(), G1, private).unwrap().acts;
    assert_eq!(acts, [AppliedSwitch { switch: Switch::EmptyStringClears, at: "emails".into() }]);
    assert_eq!(strict.acts, [AppliedSwitch { switch: Switch::OpCase, at: "replace".into() }]);
}

#[test]
fn fx_e01_n01_p01_filters() {
    let set = SchemaSet::base();
    let limits = PageLimits { default_count: 100, max_count: 100, cursor_lifetime: None };
    let strict_text = |profile: ClientProfile, text: &str| {
        let params = Params { filter: Some(text.to_owned()), ..Params::default() };
        let strict = profile.switches().translate_query(Some(set.users()), params);
        let query = Query::parse(&strict.request, limits)?;
        query.resolve(set.users())?;
        Ok::<_, crate::scim::error::ScimError>((query.filter.unwrap().to_string(), strict.acts.len()))
    };
    for (sent, meant) in [
        (r#"externalId eq mlindqvist"#, r#"externalId eq "mlindqvist""#),
        (r#"emails[type eq "work"].value eq "a@x""#, r#"emails[type eq "work" and value eq "a@x"]"#),
        (r#"roles[primary eq "True"]"#, "roles[primary eq true]"),
        (r#"active eq "true""#, "active eq true"),
        (r#"externalId eq 12345"#, r#"externalId eq "12345""#),
        (r#"externalId eq 0012 and active eq true"#, r#"externalId eq "0012" and active eq true"#),
        (r#"emails[value eq 7]"#, r#"emails[value eq "7"]"#),
        (r#"externalId eq 12345678901234567890123"#, r#"externalId eq "12345678901234567890123""#),
    ] {
        assert_eq!(strict_text(ClientProfile::Entra, sent).unwrap(), (meant.to_owned(), 1));
        assert!(strict_text(ClientProfile::Strict, sent).is_err(), "{sent}");
    }
    let empty = |profile: ClientProfile| {
        let params = Params { filter: Some(" ".to_owned()), ..Params::default() };
        Query::parse(&profile.switches().translate_query(Some(set.users()), params).request, limits)
    };
    assert!(empty(ClientProfile::Okta).unwrap().filter.is_none());
    assert_eq!(empty(ClientProfile::Strict).unwrap_err().kind, Some(ScimType::InvalidFilter));
    let plain = r#"userName eq "true""#;
    assert_eq!(strict_text(ClientProfile::Generic, plain).unwrap(), (plain.to_owned(), 0));
    assert!(strict_text(ClientProfile::Generic, "userName eq").is_err());
}

#[test]
fn profiles_and_switches_by_name() {
    for (profile, name) in ClientProfile::ALL {
        assert_eq!(name.parse::<ClientProfile>().unwrap(), profile);
        assert_eq!(profile.to_string(), name);
    }
    assert!("aol".parse::<ClientProfile>().unwrap_err().to_string().contains("entra-flag"));
    for (profile, _) in ClientProfile::ALL {
        let mut copy = Switches::default();
        for &switch in Switch::ALL {
            copy.set(switch.as_str(), profile.switches().value(switch)).unwrap();
        }
        assert_eq!(copy, profile.switches());
    }
    let mut switches = Switches::default();
    switches.set("string_booleans", "false").unwrap();
    switches.set("group_patch_status", "204").unwrap();
    switches.set("put_missing_members", "clear").unwrap();
    switches.set("unknown_member", "reject").unwrap();
    assert!(!switches.is_on(Switch::StringBooleans) && switches.group_patch == GroupPatchAnswer::Empty);
    assert!(switches.set("nothing", "true").is_err() && switches.set("pathless", "yes").is_err());
    assert!(switches.set("group_patch_status", "500").unwrap_err().to_string().contains("auto"));
    assert!(ClientProfile::Strict.switches().rules().refuse_unknown && !Switches::default().rules().refuse_unknown);
}

/// A strict request, in any profile, stays what it is.
fn strict_operation() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({"op": "replace", "path": "title", "value": "X"}),
        json!({"op": "add", "path": "emails", "value": [{"value": "a@x", "type": "work", "primary": true}]}),
        json!({"op": "remove", "path": "emails[type eq \"work\"].value"}),
        json!({"op": "remove", "path": "title"}),
        json!({"op": "replace", "path": "active", "value": false}),
        json!({"op": "replace", "path": "name", "value": {"givenName": null}}),
    ])
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "True",
            "x",
            "members",
            "emails[type eq \"work\"].value",
            "Add",
            "id",
            "urn:a:b"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop::sample::select(vec![
            "op",
            "path",
            "value",
            "Operations",
            "schemas",
            "emails",
            "name.x",
            "manager",
            "members",
            "urn:x:y",
            "active",
            "$ref",
            "id",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|list| list
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn a_strict_request_is_left_alone(operations in prop::collection::vec(strict_operation(), 1..4)) {
        let body = json!({"schemas": [PATCH_URN], "Operations": operations});
        for (profile, _) in ClientProfile::ALL {
            let strict = profile.switches().translate_patch(SchemaSet::base().users(), G1, body.clone()).unwrap();
            prop_assert_eq!(&strict.request, &body);
            prop_assert!(strict.acts.is_empty());
        }
    }

    #[test]
    fn translation_settles_and_never_panics(body in any_json(), as_patch in any::<bool>()) {
        let set = SchemaSet::base();
        let switches = Switches::default();
        for resource in [set.users(), set.groups()] {
            if as_patch {
                let message = json!({"schemas": [PATCH_URN], "Operations": [body.clone()]});
                if let Ok(once) = switches.translate_patch(resource, G1, message) {
                    let again = switches.translate_patch(resource, G1, once.request.clone()).unwrap();
                    prop_assert_eq!(again.request, once.request);
                }
            } else {
                let once = switches.translate_body(resource, BodyPurpose::Create, body.clone());
                let _ = create(resource, once.request, switches.rules());
            }
        }
    }
}
