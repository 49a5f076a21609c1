//! Requests that mean less than they seem to, or something else.

use super::*;

/// Documents before and after operations, in a lenient profile.
fn lenient(profile: ClientProfile, first: &Value, then: &Value) -> (Document, Result<Document>) {
    let before = on_user(profile, first.clone()).unwrap();
    let after = patch_of(SchemaSet::base().users(), profile, &before, then).map(|done| done.document);
    (before, after)
}

#[test]
fn an_empty_text_adds_nothing_and_clears_no_list_or_object() {
    let first = json!([{"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@x"}]},
        {"op": "replace", "path": "displayName", "value": "Mara"},
        {"op": "add", "path": format!("{ENTERPRISE_URN}:manager"), "value": {"value": "U2"}}]);
    let manager = format!("{ENTERPRISE_URN}:manager");
    for profile in ENTRA {
        for path in
            ["emails", "name", "displayName", "title", "emails[type eq \"work\"].value", "name.familyName", &manager]
        {
            for operation in
                [json!({"op": "add", "path": path, "value": ""}), json!({"op": "Add", "value": {path: ""}})]
            {
                let (before, after) = lenient(*profile, &first, &json!([operation]));
                assert_eq!(after.unwrap(), before, "{profile} {operation}");
            }
        }
        for path in ["emails", "name", "emails[type eq \"work\"]", "emails.value", ENTERPRISE_URN] {
            let (_, after) = lenient(*profile, &first, &json!([{"op": "replace", "path": path, "value": ""}]));
            assert_eq!(after.unwrap_err().kind, Some(ScimType::InvalidValue), "{profile} {path}");
        }
        for path in ["emails", "name"] {
            let (_, after) = lenient(*profile, &first, &json!([{"op": "replace", "value": {path: ""}}]));
            assert_eq!(after.unwrap_err().kind, Some(ScimType::InvalidValue), "{profile} {path}");
        }
        for operations in
            [json!([{"op": "add", "path": "members", "value": ""}]), json!([{"op": "add", "value": {"members": ""}}])]
        {
            assert_eq!(on_group(*profile, operations).unwrap().members, []);
        }
        for operations in [
            json!([{"op": "replace", "path": "members", "value": ""}]),
            json!([{"op": "replace", "value": {"members": ""}}]),
        ] {
            assert_eq!(on_group(*profile, operations).unwrap_err().kind, Some(ScimType::InvalidValue));
        }
    }
}

#[test]
fn an_empty_text_in_an_object_is_null() {
    let manager = format!("{ENTERPRISE_URN}:manager");
    let first = json!([{"op": "add", "path": "name.givenName", "value": "Marit"},
        {"op": "add", "path": format!("{ENTERPRISE_URN}:department"), "value": "Quay"},
        {"op": "add", "path": manager, "value": {"value": "U2"}}]);
    for profile in ENTRA {
        for operation in [
            json!({"op": "replace", "path": "name", "value": {"givenName": ""}}),
            json!({"op": "replace", "value": {"name": {"givenName": ""}}}),
            json!({"op": "replace", "value": {"name.givenName": ""}}),
        ] {
            let (_, after) = lenient(*profile, &first, &json!([operation]));
            assert_eq!(after.unwrap()["name"], json!({"familyName": "Lindqvist"}), "{profile} {operation}");
        }
        for operation in [
            json!({"op": "replace", "path": ENTERPRISE_URN, "value": {"department": "", "manager": {"value": ""}}}),
            json!({"op": "replace", "value": {ENTERPRISE_URN: {"department": "", "manager": ""}}}),
        ] {
            let (_, after) = lenient(*profile, &first, &json!([operation]));
            assert!(!after.unwrap().contains_key(ENTERPRISE_URN), "{profile} {operation}");
        }
        let (_, after) =
            lenient(*profile, &first, &json!([{"op": "replace", "path": manager, "value": {"value": ""}}]));
        assert_eq!(after.unwrap()[ENTERPRISE_URN], json!({"department": "Quay"}));
        let adding = json!([{"op": "add", "path": "name", "value": {"givenName": ""}},
            {"op": "add", "value": {ENTERPRISE_URN: {"department": ""}}}]);
        let (before, after) = lenient(*profile, &first, &adding);
        assert_eq!(after.unwrap(), before);
    }
}

#[test]
fn the_core_urn_may_hold_what_it_names() {
    for profile in ENTRA {
        let body = json!({"schemas": [USER_URN], "userName": "mara", USER_URN: {"active": "False", "name": {"givenName": "M"}}});
        let document = match made(*profile, body) {
            Ok(made) => made.document,
            Err(error) => panic!("{profile}: {error}"),
        };
        assert_eq!((&document["active"], &document["name"]), (&json!(false), &json!({"givenName": "M"})));
        let twice = json!({"schemas": [USER_URN], "userName": "mara", USER_URN: {"userName": "ida"}});
        assert_eq!(made(*profile, twice).unwrap_err().kind, Some(ScimType::InvalidValue));
    }
    for operation in [
        json!({"op": "replace", "value": {USER_URN: {"active": false}}}),
        json!({"op": "replace", "path": USER_URN, "value": {"active": false}}),
    ] {
        for profile in ENTRA {
            assert_eq!(on_user(*profile, json!([operation])).unwrap()["active"], false, "{profile} {operation}");
        }
        assert!(on_user(ClientProfile::Strict, json!([operation])).is_err());
    }
    let body = json!({"schemas": [USER_URN], "userName": "mara", USER_URN: {"active": false}});
    assert_eq!(made(ClientProfile::Strict, body).unwrap_err().kind, Some(ScimType::InvalidValue));
}

#[test]
fn value_paths_as_keys_of_a_body() {
    let body = json!({"schemas": [USER_URN], "userName": "mara", "emails": [{"type": "home", "value": "h@x"}],
        "emails[type eq \"work\"].value": "w@x", "emails[type eq \"work\"].primary": "True",
        "phoneNumbers[type eq \"mobile\"].value": "+46 70", "addresses[type eq \"work\"].locality": ""});
    for profile in [ClientProfile::Generic, ClientProfile::Entra, ClientProfile::Okta] {
        let document = made(profile, body.clone()).unwrap().document;
        let work = json!({"type": "work", "value": "w@x", "primary": true});
        assert_eq!(document["emails"], json!([{"type": "home", "value": "h@x"}, work]));
        assert_eq!(document["phoneNumbers"], json!([{"type": "mobile", "value": "+46 70"}]));
        assert!(!document.contains_key("addresses"));
    }
    assert_eq!(made(ClientProfile::Strict, body).unwrap_err().kind, Some(ScimType::InvalidValue));
}

#[test]
fn members_are_removed_as_they_are_added() {
    let ids = |list: &[&str]| [MemberOp::Remove(MemberSelector::Ids(list.iter().map(|s| (*s).to_owned()).collect()))];
    for profile in ENTRA {
        let by_url = json!([{"op": "remove", "path": "members", "value": [{"$ref": "../Users/U1"}]}]);
        assert_eq!(on_group(*profile, by_url).unwrap().members, ids(&["U1"]));
        let elsewhere =
            json!([{"op": "remove", "path": "members", "value": [{"$ref": "https://evil.example/Users/U1"}]}]);
        assert!(on_group(*profile, elsewhere).is_err());
        let nothing = json!([{"op": "remove", "path": "members", "value": null}]);
        assert_eq!(on_group(*profile, nothing).unwrap().members, []);
        let everybody = json!([{"op": "remove", "path": "members"}]);
        assert_eq!(on_group(*profile, everybody).unwrap().members, [MemberOp::Clear]);
    }
    let elsewhere = json!([{"op": "add", "path": "members", "value": [{"$ref": "https://evil.example/Users/U1"}]}]);
    assert_eq!(on_group(ClientProfile::Generic, elsewhere).unwrap_err().kind, Some(ScimType::InvalidValue));
}

#[test]
fn the_url_of_a_manager_only_names_it() {
    let manager = format!("{ENTERPRISE_URN}:manager");
    let url = format!("{manager}.$ref");
    for (operations, value) in [
        (json!([{"op": "add", "path": manager, "value": {"$ref": "../Users/U2"}}]), json!({"value": "U2"})),
        (
            json!([{"op": "add", "path": manager, "value": {"value": "U3", "$ref": "../Users/U2"}}]),
            json!({"value": "U3"}),
        ),
        (
            json!([{"op": "add", "path": manager, "value": {"value": "U3"}}, {"op": "replace", "path": url, "value": "/Users/U2"}]),
            json!({"value": "U2"}),
        ),
        (
            json!([{"op": "add", "path": manager, "value": {"value": "U3"}}, {"op": "remove", "path": url}]),
            json!({"value": "U3"}),
        ),
    ] {
        assert_eq!(both(operations, ENTRA, None)[ENTERPRISE_URN]["manager"], value);
    }
    let elsewhere = json!([{"op": "add", "path": manager, "value": {"$ref": "https://evil.example/Users/U2"}}]);
    assert_eq!(on_user(ClientProfile::Generic, elsewhere).unwrap_err().kind, Some(ScimType::InvalidValue));
}

#[test]
fn unquoted_values_in_paths() {
    let first = json!([{"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@x"}]}]);
    for profile in ENTRA {
        let operations = json!([first[0], {"op": "replace", "path": "emails[type eq work].value", "value": "b@x"}]);
        assert_eq!(on_user(*profile, operations).unwrap()["emails"], json!([{"type": "work", "value": "b@x"}]));
    }
    let refused = on_user(
        ClientProfile::Strict,
        json!([{"op": "replace", "path": "emails[type eq work].value", "value": "b@x"}]),
    );
    assert_eq!(refused.unwrap_err().kind, Some(ScimType::InvalidPath));
}

#[test]
fn an_operation_says_everything_once() {
    for operation in [
        json!({"op": "replace", "OP": "remove", "path": "title", "value": "x"}),
        json!({"op": "replace", "path": "title", "Path": "displayName", "value": "x"}),
        json!({"op": "replace", "path": "title", "value": "x", "VALUE": "y"}),
    ] {
        for profile in [ClientProfile::Strict, ClientProfile::Generic, ClientProfile::Entra] {
            let refused = on_user(profile, json!([operation])).unwrap_err();
            assert_eq!(refused.kind, Some(ScimType::InvalidSyntax), "{profile} {operation}");
        }
    }
    let twice = json!({"schemas": [PATCH_URN], "Operations": [{"op": "remove", "path": "title"}], "operations": []});
    let strict = ClientProfile::Generic.switches().translate_patch(SchemaSet::base().users(), G1, twice).unwrap();
    assert_eq!(patch::parse(strict.request).unwrap_err().kind, Some(ScimType::InvalidSyntax));
}
