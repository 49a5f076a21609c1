//! What POST and PUT bodies come to.

use super::*;
use crate::scim::error::{Result, ScimType};
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, SchemaSet, USER_URN};
use serde_json::json;

fn made(body: Value) -> Result<Accepted> {
    create(SchemaSet::base().users(), body, Rules::STRICT)
}

fn user(more: Value) -> Value {
    let mut body = json!({"schemas": [USER_URN], "userName": "ada"});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn kind(body: Value) -> ScimType {
    let shown = body.to_string();
    made(body).expect_err(&shown).kind.unwrap()
}

#[test]
fn a01_names_take_their_canonical_case() {
    let body = json!({"SCHEMAS": [USER_URN.to_uppercase()], "USERNAME": "ada", "Name": {"GIVENname": "A"},
        ENTERPRISE_URN.to_lowercase(): {"DEPARTMENT": "D"}});
    let document = made(body).unwrap().document;
    assert_eq!(document["userName"], "ada");
    assert_eq!(document["name"]["givenName"], "A");
    assert_eq!(document[ENTERPRISE_URN]["department"], "D");
    assert_eq!(document["schemas"], json!([USER_URN, ENTERPRISE_URN]));
    assert_eq!(kind(user(json!({"USERname": "b"}))), ScimType::InvalidValue);
}

#[test]
fn a02_a03_types_are_enforced() {
    for bad in [
        json!({"active": "true"}),
        json!({"active": 1}),
        json!({"title": 5}),
        json!({"title": true}),
        json!({"title": ["x"]}),
        json!({"name": "Ada"}),
        json!({"name": {"givenName": {"a": 1}}}),
        json!({"emails": "a@x"}),
        json!({"emails": {"value": "a@x"}}),
        json!({"emails": ["a@x"]}),
        json!({"emails": [{"value": "a", "primary": "yes"}]}),
        json!({"profileUrl": "not a url"}),
        json!({"x509Certificates": [{"value": "$$"}]}),
        json!({ENTERPRISE_URN: "x"}),
        json!({ENTERPRISE_URN: {"manager": "M1"}}),
        json!({"userName": "  "}),
        json!({"userName": null}),
    ] {
        assert_eq!(kind(user(bad.clone())), ScimType::InvalidValue, "{bad}");
    }
    let mut set = SchemaSet::base();
    let numbers = json!({"id": "urn:example:n", "attributes": [
        {"name": "age", "type": "integer"}, {"name": "rate", "type": "decimal"}, {"name": "at", "type": "dateTime"},
        {"name": "tags", "multiValued": true}]});
    set.extend("User", &numbers, false).unwrap();
    let accepts = |inner: Value| create(set.users(), user(json!({"urn:example:n": inner})), Rules::STRICT).is_ok();
    assert!(accepts(json!({"age": 5, "rate": 1.5, "at": "2026-01-01T00:00:00Z", "tags": ["a", "b"]})));
    for bad in [json!({"age": 5.0}), json!({"age": "5"}), json!({"at": "2026-01-01"}), json!({"tags": [1]})] {
        assert!(!accepts(bad));
    }
}

#[test]
fn a04_a05_primary_and_repeated_values() {
    let two = json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]});
    assert_eq!(kind(user(two)), ScimType::InvalidValue);
    let twice = json!({"emails": [{"value": "a@x", "type": "work"}, {"value": "A@X", "type": "Work", "primary": true},
        {"value": "a@x", "type": "home"}]});
    let document = made(user(twice)).unwrap().document;
    assert_eq!(
        document["emails"],
        json!([{"value": "a@x", "type": "work", "primary": true}, {"value": "a@x", "type": "home"}])
    );
    let later = json!({"emails": [{"value": "b@x"}, {"value": "a@x"}, {"value": "A@X", "primary": true}]});
    assert_eq!(
        made(user(later)).unwrap().document["emails"],
        json!([{"value": "b@x"}, {"value": "a@x", "primary": true}])
    );
    // Without a value all the rest counts; case counts where the schema says so.
    let homes = json!({"addresses": [{"locality": "A"}, {"locality": "a", "primary": true}, {"locality": "B"}],
        "x509Certificates": [{"value": "AAAA"}, {"value": "aaaa"}]});
    let document = made(user(homes)).unwrap().document;
    assert_eq!(document["addresses"], json!([{"locality": "A", "primary": true}, {"locality": "B"}]));
    assert_eq!(document["x509Certificates"].as_array().unwrap().len(), 2);
    let mut set = SchemaSet::base();
    let lists = json!({"id": "urn:example:x", "attributes": [{"name": "words", "multiValued": true},
        {"name": "codes", "multiValued": true, "caseExact": true}, {"name": "days", "multiValued": true, "type": "dateTime"}]});
    set.extend("User", &lists, false).unwrap();
    let (day, same) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00");
    let twice = json!({"urn:example:x": {"words": ["a", "A"], "codes": ["a", "A", "a"], "days": [day, same]}});
    let document = create(set.users(), user(twice), Rules::STRICT).unwrap().document;
    assert_eq!(document["urn:example:x"], json!({"words": ["a"], "codes": ["a", "A"], "days": [day]}));
    let texts =
        create(set.users(), user(json!({"urn:example:x": {"codes": [day, same]}})), Rules::STRICT).unwrap().document;
    assert_eq!(
        texts["urn:example:x"]["codes"],
        json!([day, same]),
        "what looks like a time is text where the schema says so"
    );
}

#[test]
fn a_list_has_at_most_a_thousand_elements() {
    let roles = |count: usize| {
        made(user(json!({"roles": (0..count).map(|n| json!({"value": n.to_string()})).collect::<Vec<_>>()})))
    };
    assert!(roles(MAX_ELEMENTS).is_ok());
    assert_eq!(roles(MAX_ELEMENTS + 1).unwrap_err().kind, Some(ScimType::InvalidValue));
}

#[test]
fn canonical_values_are_kept_to_where_the_rules_say_so() {
    let rules = Rules { refuse_uncanonical: true, ..Rules::STRICT };
    let accepts = |rules: Rules, kind: &str| {
        let body = user(json!({"emails": [{"value": "a@x", "type": kind}], "title": kind}));
        create(SchemaSet::base().users(), body, rules).is_ok()
    };
    assert!(accepts(rules, "work") && accepts(rules, "Work") && !accepts(rules, "boat"));
    assert!(accepts(Rules::STRICT, "boat"));
}

#[test]
fn a_value_of_the_wrong_type_is_told_what_it_should_be() {
    let mut set = SchemaSet::base();
    let types = ["string", "boolean", "integer", "decimal", "dateTime", "binary", "reference"];
    let attributes: Vec<Value> = types.iter().map(|kind| json!({"name": kind, "type": kind})).collect();
    set.extend("User", &json!({"id": "urn:example:x", "attributes": attributes}), false).unwrap();
    let wanted = ["a string", "true or false", "a whole number", "a number", "a date and time", "base64 text", "a URI"];
    for (kind, wanted) in types.iter().zip(wanted) {
        let body = user(json!({"urn:example:x": {*kind: {}}}));
        let error = create(set.users(), body, Rules::STRICT).unwrap_err();
        assert!(error.detail.contains(&format!("\"{kind}\" must be {wanted}")), "{error}");
    }
    let error = made(user(json!({"name": "Ada"}))).unwrap_err();
    assert!(error.detail.contains("must be an object, not a string"), "{error}");
}

#[test]
fn what_a_part_must_have_is_asked_of_the_client_only_when_it_may_write_it() {
    let mut set = SchemaSet::base();
    let desk = json!({"name": "desk", "type": "complex", "subAttributes": [{"name": "room", "required": true},
        {"name": "serial", "required": true, "mutability": "readOnly"}, {"name": "row"}]});
    let stamp = json!({"name": "stamp", "required": true, "mutability": "readOnly"});
    set.extend("User", &json!({"id": "urn:example:x", "attributes": [desk, stamp]}), false).unwrap();
    let accepts =
        |desk: Value| create(set.users(), user(json!({"urn:example:x": {"desk": desk}})), Rules::STRICT).is_ok();
    assert!(accepts(json!({"room": "1"})) && accepts(json!({"room": "1", "row": "a"})));
    assert!(!accepts(json!({"row": "a"})));
}

#[test]
fn a_hundred_unknown_attributes_are_reported_and_no_more() {
    let reported = |count: usize| {
        let mut body = user(json!({}));
        (0..count).for_each(|n| body[format!("x{n}")] = json!(1));
        create(SchemaSet::base().users(), body, Rules::LENIENT).unwrap().ignored.len()
    };
    assert_eq!((reported(99), reported(100), reported(101)), (99, 100, 100));
}

#[test]
fn a06_null_empty_and_absent_are_the_same() {
    let empty = user(json!({"title": null, "emails": [], "roles": [null, {}], "name": {}, "nickName": null,
        ENTERPRISE_URN: {"manager": {"value": null}}}));
    assert_eq!(made(empty).unwrap().document, made(user(json!({}))).unwrap().document);
    assert!(made(user(json!({ENTERPRISE_URN: null}))).is_ok());
}

#[test]
fn a07_schemas_must_be_there_and_are_computed() {
    assert_eq!(kind(json!({})), ScimType::InvalidSyntax);
    assert_eq!(kind(json!({"userName": "a"})), ScimType::InvalidSyntax);
    assert_eq!(kind(json!({"schemas": [], "userName": "a"})), ScimType::InvalidSyntax);
    assert_eq!(kind(json!({"schemas": [ENTERPRISE_URN], "userName": "a"})), ScimType::InvalidSyntax);
    assert_eq!(kind(json!([])), ScimType::InvalidSyntax);
    let document = made(json!({"schemas": [USER_URN, ENTERPRISE_URN], "userName": "a"})).unwrap().document;
    assert_eq!(document["schemas"], json!([USER_URN]));
}

#[test]
fn a08_b02_b03_h03_h04_what_the_server_owns_is_ignored() {
    let accepted = made(user(json!({"id": "x", "meta": {"resourceType": "Group"}, "groups": [{"value": "g"}],
        "externalId": "E1", "password": "secret", ENTERPRISE_URN: {"manager": {"value": "m", "displayName": "Boss"}}})))
    .unwrap();
    let document = accepted.document;
    assert!(!document.contains_key("id") && !document.contains_key("meta") && !document.contains_key("groups"));
    assert_eq!(document["externalId"], "E1");
    assert_eq!(document["active"], true);
    assert_eq!(document[ENTERPRISE_URN]["manager"], json!({"value": "m"}));
    assert!(!document.contains_key("password"));
    assert_eq!(accepted.password.as_ref().unwrap().expose(), "secret");
    assert_eq!(format!("{:?}", accepted.password.unwrap()), "Password(…)");
}

#[test]
fn a15_qualified_keys_are_understood() {
    let document = made(user(json!({format!("{ENTERPRISE_URN}:department"): "D", format!("{USER_URN}:title"): "T"})))
        .unwrap()
        .document;
    assert_eq!(document[ENTERPRISE_URN]["department"], "D");
    assert_eq!(document["title"], "T");
}

#[test]
fn unknown_attributes_are_refused_or_reported() {
    let body = user(
        json!({"schemas": [USER_URN, "urn:x:y"], "foo": 1, "name": {"bar": 1}, ENTERPRISE_URN: {"baz": 1}, "urn:x:y": {}}),
    );
    assert_eq!(kind(body.clone()), ScimType::InvalidValue);
    let accepted = create(SchemaSet::base().users(), body, Rules::LENIENT).unwrap();
    let mut ignored = accepted.ignored;
    ignored.sort();
    let qualified = format!("{ENTERPRISE_URN}:baz");
    assert_eq!(ignored, ["foo", "name.bar", qualified.as_str(), "urn:x:y", "urn:x:y"]);
}

#[test]
fn d01_d04_o05_groups_and_their_members() {
    let group = |more: Value| {
        let mut body = json!({"schemas": [GROUP_URN], "displayName": "Ops"});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        create(SchemaSet::base().groups(), body, Rules::STRICT)
    };
    assert_eq!(group(json!({})).unwrap().members, None);
    assert_eq!(group(json!({"members": []})).unwrap().members, Some(vec![]));
    let members = json!({"members": [{"value": "1", "$ref": null}, {"$ref": "../Users/2"}, {"value": "1", "type": "User"}, {"value": "3", "type": "Group"}]});
    let accepted = group(members).unwrap();
    assert!(!accepted.document.contains_key("members"));
    let members: Vec<_> = accepted.members.unwrap().into_iter().map(|m| (m.value(), m.kind)).collect();
    assert_eq!(
        members,
        [("1".into(), None), ("2".into(), Some(MemberKind::User)), ("3".into(), Some(MemberKind::Group))]
    );
    for bad in [
        json!({"members": "1"}),
        json!({"members": ["1"]}),
        json!({"members": [{}]}),
        json!({"members": [{"value": 1}]}),
        json!({"members": [{"value": "1", "type": "Robot"}]}),
        json!({"displayName": ""}),
    ] {
        assert_eq!(group(bad).unwrap_err().kind, Some(ScimType::InvalidValue));
    }
}

#[test]
fn o02_o03_o04_a09_replace() {
    let mut set = SchemaSet::base();
    let fixed = json!({"id": "urn:example:x", "attributes": [{"name": "badge", "mutability": "immutable"}, {"name": "pin", "mutability": "writeOnly", "returned": "never"}]});
    set.extend("User", &fixed, false).unwrap();
    let first = create(
        set.users(),
        user(json!({"title": "T", "active": false, "urn:example:x": {"badge": "b1", "pin": "1"}})),
        Rules::STRICT,
    )
    .unwrap()
    .document;
    let put = |more: Value| replace(set.users(), &first, user(more), Rules::STRICT);
    let after = put(json!({"nickName": "N"})).unwrap().document;
    assert_eq!(after["active"], false);
    assert!(!after.contains_key("title"));
    assert_eq!(after["urn:example:x"], json!({"badge": "b1", "pin": "1"}));
    assert!(put(json!({"urn:example:x": {"badge": "b1"}})).is_ok());
    assert_eq!(put(json!({"urn:example:x": {"badge": "b2"}})).unwrap_err().kind, Some(ScimType::Mutability));
    assert_eq!(put(json!({"userName": null})).unwrap_err().kind, Some(ScimType::InvalidValue));
    let empty = create(set.users(), user(json!({})), Rules::STRICT).unwrap().document;
    assert!(replace(set.users(), &empty, user(json!({"urn:example:x": {"badge": "b"}})), Rules::STRICT).is_ok());
    assert_eq!(put(json!({"title": "U"})).unwrap().document["title"], "U");
    // GET, edit, PUT loses nothing.
    let who =
        render::ResourceIdentity { id: "1", created: 0, last_modified: 0, version: crate::scim::etag::Version::new(1) };
    let shown = render::resource(set.users(), first.clone(), who, "https://a.example/v2");
    assert_eq!(replace(set.users(), &first, Value::Object(shown), Rules::STRICT).unwrap().document, first);
}

#[test]
fn o04_a_replace_keeps_the_immutable_parts_of_a_value() {
    let mut set = SchemaSet::base();
    let desk = json!({"name": "desk", "type": "complex", "subAttributes": [{"name": "room", "mutability": "immutable"}, {"name": "row"}]});
    set.extend("User", &json!({"id": "urn:example:x", "attributes": [desk]}), false).unwrap();
    let body = |desk: Value| user(json!({"urn:example:x": {"desk": desk}}));
    let first = create(set.users(), body(json!({"room": "1", "row": "a"})), Rules::STRICT).unwrap().document;
    let put = |desk: Value| replace(set.users(), &first, body(desk), Rules::STRICT);
    let kept = put(json!({"row": "b"})).unwrap().document;
    assert_eq!(kept["urn:example:x"]["desk"], json!({"room": "1", "row": "b"}));
    assert!(put(json!({"room": "1", "row": "c"})).is_ok());
    assert_eq!(put(json!({"room": "2"})).unwrap_err().kind, Some(ScimType::Mutability));
    let gone = replace(set.users(), &first, user(json!({})), Rules::STRICT).unwrap().document;
    assert!(!gone.contains_key("urn:example:x"));
}

#[test]
fn the_comparable_twin_has_every_value_in_the_form_it_is_compared_in() {
    let mut set = SchemaSet::base();
    let extension = json!({"id": "urn:example:x", "attributes": [{"name": "since", "type": "dateTime"},
        {"name": "code", "caseExact": true}, {"name": "pin", "returned": "never"}, {"name": "age", "type": "integer"}]});
    set.extend("User", &extension, false).unwrap();
    let since = "1970-01-01T00:00:01Z";
    let Value::Object(document) = json!({"userName": "Ada", "externalId": "E1", "active": true, "unknown": "X", "urn:nobody": {"a": "A"},
        "emails": [{"value": "A@X", "primary": true}], "profileUrl": "https://A.example",
        "urn:example:x": {"since": since, "code": since, "pin": "1", "age": 5}})
    else {
        panic!()
    };
    assert_eq!(
        keys(set.users(), &document),
        json!({"userName": "ada", "externalId": "E1", "active": true, "emails": [{"value": "a@x", "primary": true}],
            "profileUrl": "https://A.example", "urn:example:x": {"since": 1_000_000, "code": since, "age": 5}})
    );
}

#[test]
fn c03_d03_members_and_groups_as_they_are_sent() {
    let base = "https://a.example/v2";
    assert_eq!(
        render::member(MemberKind::Group, "1", Some("Ops"), base),
        json!({"value": "1", "$ref": "https://a.example/v2/Groups/1", "type": "Group", "display": "Ops"})
    );
    assert_eq!(
        render::member(MemberKind::User, "1", None, base),
        json!({"value": "1", "$ref": "https://a.example/v2/Users/1", "type": "User"})
    );
    let group = |direct: bool| render::group("2", Some("Ops"), direct, base);
    assert_eq!(
        group(true),
        json!({"value": "2", "$ref": "https://a.example/v2/Groups/2", "type": "direct", "display": "Ops"})
    );
    assert_eq!(group(false)["type"], "indirect");
    assert_eq!(render::location(SchemaSet::base().groups(), "2", base), "https://a.example/v2/Groups/2");
}

#[test]
fn d04_members_are_taken_out_of_a_body() {
    let mut body = json!({"displayName": "Ops", "MEMBERS": [{"value": "1", "type": "USER"}, null, {"value": "2", "type": "group"},
        {"$ref": "../Groups/3"}, {"$ref": "/Robots/4", "type": null}]});
    let members = take_members(&mut body).unwrap().unwrap();
    let (user, group) = (Some(MemberKind::User), Some(MemberKind::Group));
    let named = [("1", user), ("2", group), ("3", group), ("4", None)];
    assert_eq!(members, named.map(|(id, kind)| MemberRef::named(id, kind)));
    assert_eq!(body, json!({"displayName": "Ops"}));
    assert_eq!(take_members(&mut body).unwrap(), None);
    assert_eq!(take_members(&mut json!({"members": null})).unwrap(), Some(vec![]));
    assert_eq!(take_members(&mut json!({"members": {"value": "1"}})).unwrap().unwrap().len(), 1);
    for bad in [
        json!("1"),
        json!([5]),
        json!([{"value": ""}]),
        json!([{"value": "1", "$ref": 5}]),
        json!([{"$ref": "https://evil.example/Users/1"}]),
    ] {
        assert_eq!(take_members(&mut json!({"members": bad})).unwrap_err().kind, Some(ScimType::InvalidValue), "{bad}");
    }
}

#[test]
fn e06_a_required_extension_must_be_there() {
    let mut set = SchemaSet::base();
    let schema = json!({"id": "urn:example:x", "attributes": [{"name": "site", "required": true}, {"name": "row"}]});
    set.extend("User", &schema, true).unwrap();
    let accepts = |more: Value| create(set.users(), user(more), Rules::STRICT).is_ok();
    assert!(!accepts(json!({})) && !accepts(json!({"urn:example:x": {"row": "1"}})));
    assert!(accepts(json!({"urn:example:x": {"site": "s"}})));
}

#[test]
fn a19_bad_extensions_are_explained() {
    let problem = |schema: Value| SchemaSet::base().extend("User", &schema, false).unwrap_err().to_string();
    assert!(problem(json!({"attributes": []})).contains("\"id\""));
    assert!(problem(json!({"id": "urn:x:y", "attributes": []})).contains("at least one"));
    assert!(problem(json!({"id": "urn:x:y", "attributes": [{"name": "a", "type": "text"}]})).contains("unknown type"));
    assert!(problem(json!({"id": "urn:x:y", "attributes": [{"name": "1a"}]})).contains("letter"));
    assert!(problem(json!({"id": "urn:x:y", "attributes": [{"name": "a"}, {"name": "A"}]})).contains("twice"));
    assert!(
        problem(json!({"id": "urn:x:y", "attributes": [{"name": "a", "type": "complex"}]})).contains("subAttributes")
    );
    assert!(problem(json!({"id": USER_URN, "attributes": [{"name": "a"}]})).contains("taken"));
}

#[test]
fn a17_e03_discovery_describes_everything() {
    let set = SchemaSet::base();
    let schemas = set.schemas_json("https://a.example/v2");
    assert_eq!(schemas["totalResults"], 6);
    for schema in schemas["Resources"].as_array().unwrap() {
        assert_eq!(
            schema["meta"]["location"],
            format!("https://a.example/v2/Schemas/{}", schema["id"].as_str().unwrap())
        );
        for attribute in schema["attributes"].as_array().unwrap() {
            for key in [
                "name",
                "type",
                "multiValued",
                "description",
                "required",
                "caseExact",
                "mutability",
                "returned",
                "uniqueness",
            ] {
                assert!(attribute.get(key).is_some_and(|v| !v.is_null()), "{attribute} {key}");
            }
        }
        let reloaded = SchemaSet::base().extend("User", schema, false);
        assert!(reloaded.is_ok() || schema["meta"]["resourceType"] == "Schema");
    }
    let types = set.types_json("https://a.example/v2");
    assert_eq!(types["Resources"][0]["schemaExtensions"][0]["schema"], ENTERPRISE_URN);
    assert!(set.schema_json("urn:nobody", "").is_none() && set.type_json("Group", "").is_some());
}

#[test]
fn c04_c05_the_full_shape_round_trips() {
    let body = user(json!({
        "name": {"formatted": "Dr. Ada M. Lind, III", "familyName": "Lind", "givenName": "Ada", "middleName": "M", "honorificPrefix": "Dr.", "honorificSuffix": "III"},
        "displayName": "Ada", "nickName": "A", "profileUrl": "https://a.example/ada", "title": "T", "userType": "Employee",
        "preferredLanguage": "sv-SE", "locale": "sv-SE", "timezone": "Europe/Stockholm", "active": false,
        "emails": [{"value": "a@x.example", "display": "a", "type": "work", "primary": true}],
        "phoneNumbers": [{"value": "tel:+46-70", "type": "mobile"}], "ims": [{"value": "ada", "type": "xmpp"}],
        "photos": [{"value": "https://a.example/p.png", "type": "photo"}],
        "addresses": [{"formatted": "Quay 4\nVisby", "streetAddress": "Quay 4", "locality": "Visby", "region": "Gotland", "postalCode": "1", "country": "SE", "type": "work", "primary": true}],
        "entitlements": [{"value": "e"}], "roles": [{"value": "r", "type": "t"}], "x509Certificates": [{"value": "MIIB"}],
        ENTERPRISE_URN: {"employeeNumber": "1", "costCenter": "c", "organization": "o", "division": "d", "department": "d", "manager": {"value": "m"}},
    }));
    let mut document = Value::Object(made(body.clone()).unwrap().document);
    document["schemas"] = json!([USER_URN]);
    assert_eq!(document, body);
}

#[test]
fn c02_passwords_are_prepared() {
    let set = |text: &str| made(user(json!({"password": text}))).map(|a| a.password.unwrap().expose().to_owned());
    assert_eq!(set("e\u{301}\u{a0}x").unwrap(), "\u{e9} x");
    assert!(set("").is_err() && set("a\nb").is_err());
}
