//! PATCH, operation by operation.

use super::*;
use crate::scim::error::ScimType;
use crate::scim::resource::{Document, MemberKind, MemberRef, Rules, create};
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, SchemaSet, USER_URN};
use proptest::prelude::*;
use serde_json::json;

fn ada() -> Document {
    let body = json!({"schemas": [USER_URN], "userName": "ada", "externalId": "E1",
        "name": {"givenName": "Ada", "familyName": "Lind"},
        "emails": [{"value": "a@work.example", "type": "work", "primary": true}, {"value": "a@home.example", "type": "home"}],
        "addresses": [{"type": "work", "region": "Gotland", "locality": "Visby"}]});
    create(SchemaSet::base().users(), body, Rules::STRICT).unwrap().document
}

fn message(operations: &Value) -> Value {
    json!({"schemas": [PATCH_URN], "Operations": operations})
}

fn run(document: &Document, operations: Value, rules: Rules) -> Result<Patched> {
    apply(SchemaSet::base().users(), document, &parse(message(&operations))?, rules)
}

fn patched(operations: Value) -> Value {
    let shown = operations.to_string();
    let done = run(&ada(), operations, Rules::STRICT).unwrap_or_else(|e| panic!("{shown}: {e}"));
    Value::Object(done.document)
}

fn unchanged(operations: Value) {
    let shown = operations.to_string();
    assert!(!run(&ada(), operations, Rules::STRICT).unwrap().changed, "{shown}");
}

fn refused(operation: Value, kind: ScimType) {
    let shown = operation.to_string();
    let error = run(&ada(), json!([operation]), Rules::STRICT).expect_err(&shown);
    assert_eq!(error.kind, Some(kind), "{shown}: {error}");
}

fn group(operations: Value) -> Result<Patched> {
    let set = SchemaSet::base();
    let body = json!({"schemas": [GROUP_URN], "displayName": "Ops"});
    let document = create(set.groups(), body, Rules::STRICT).unwrap().document;
    apply(set.groups(), &document, &parse(message(&operations))?, Rules::STRICT)
}

fn refs(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().map(|id| MemberRef::named(id, None)).collect()
}

#[test]
fn p01_malformed_messages() {
    for bad in [
        json!({}),
        json!([]),
        json!({"Operations": []}),
        message(&json!([])),
        message(&json!({})),
        message(&json!(["x"])),
        message(&json!([{"path": "title", "value": "x"}])),
        message(&json!([{"op": "move", "path": "title"}])),
        message(&json!([{"op": "Add", "path": "title", "value": "x"}])),
        message(&json!([{"op": 1}])),
        message(&json!([{"op": "remove", "path": "title", "value": "x"}])),
        json!({"schemas": [USER_URN], "Operations": [{"op": "remove", "path": "title"}]}),
    ] {
        assert_eq!(parse(bad.clone()).unwrap_err().kind, Some(ScimType::InvalidSyntax), "{bad}");
    }
    let lower = json!({"SCHEMAS": [PATCH_URN], "operations": [{"OP": "add", "Path": "title", "VALUE": "x"}]});
    assert_eq!(parse(lower).unwrap().len(), 1);
    let many = vec![json!({"op": "remove", "path": "title"}); MAX_OPERATIONS + 1];
    assert_eq!(parse(message(&many.into())).unwrap_err().status, 413);
}

#[test]
fn p02_all_or_nothing_in_order() {
    let before = ada();
    let error = run(
        &before,
        json!([{"op": "replace", "path": "title", "value": "T"}, {"op": "remove", "path": "userName"}]),
        Rules::STRICT,
    );
    assert!(error.is_err());
    assert_eq!(before, ada());
    let steps = patched(
        json!([{"op": "add", "path": "title", "value": "1"}, {"op": "replace", "path": "title", "value": "2"}]),
    );
    assert_eq!(steps["title"], "2");
}

#[test]
fn a06_taking_away_is_the_same_however_it_is_said() {
    for operation in [
        json!({"op": "remove", "path": "active"}),
        json!({"op": "replace", "path": "active", "value": null}),
        json!({"op": "replace", "value": {"active": null}}),
        json!({"op": "replace", "path": format!("{USER_URN}:active"), "value": null}),
    ] {
        assert!(patched(json!([operation])).get("active").is_none(), "{operation}");
    }
    unchanged(json!([{"op": "add", "path": "active", "value": null}]));
}

#[test]
fn p04_schema_and_mutability() {
    refused(json!({"op": "replace", "path": "active", "value": "False"}), ScimType::InvalidValue);
    refused(json!({"op": "replace", "path": "id", "value": "x"}), ScimType::Mutability);
    refused(json!({"op": "replace", "value": {"id": "x"}}), ScimType::Mutability);
    refused(json!({"op": "add", "path": "meta.created", "value": "2026-01-01T00:00:00Z"}), ScimType::Mutability);
    refused(json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}), ScimType::Mutability);
    refused(
        json!({"op": "add", "path": format!("{ENTERPRISE_URN}:manager.displayName"), "value": "B"}),
        ScimType::Mutability,
    );
    for path in [
        "nothing",
        "name.nothing",
        "emails[type eq \"work\"].nothing",
        "title[a pr]",
        "urn:x:y:z",
        "emails.value[type pr]",
    ] {
        refused(json!({"op": "add", "path": path, "value": "x"}), ScimType::InvalidPath);
    }
    refused(json!({"op": "add", "path": "emails[nothing eq \"x\"].value", "value": "x"}), ScimType::InvalidFilter);
    refused(json!({"op": "add", "value": {"nothing": 1}}), ScimType::InvalidValue);
    refused(json!({"op": "add", "value": {"name.givenName": "G"}}), ScimType::InvalidValue);
    refused(json!({"op": "add", "value": "x"}), ScimType::InvalidValue);
    refused(json!({"op": "add", "path": "title"}), ScimType::InvalidValue);
    refused(json!({"op": "replace", "path": "userName", "value": " "}), ScimType::InvalidValue);
    refused(json!({"op": "replace", "path": "userName", "value": null}), ScimType::InvalidValue);
}

#[test]
fn p03_what_nobody_here_knows_is_left_out_and_what_is_misspelt_refused() {
    let lenient = |path: &str| run(&ada(), json!([{"op": "add", "path": path, "value": "x"}]), Rules::LENIENT);
    let foreign = lenient("urn:x:y:z").unwrap();
    assert!(!foreign.changed);
    assert_eq!(foreign.ignored, ["urn:x:y:z"]);
    for misspelt in [
        "nothing",
        &format!("{USER_URN}:nothing"),
        &format!("{ENTERPRISE_URN}:nothing"),
        &format!("{ENTERPRISE_URN}[type pr]"),
        &format!("{ENTERPRISE_URN}.nothing"),
        USER_URN,
    ] {
        assert_eq!(lenient(misspelt).unwrap_err().kind, Some(ScimType::InvalidPath), "{misspelt}");
    }
}

#[test]
fn a09_p04_immutable_values() {
    let mut set = SchemaSet::base();
    let schema = json!({"id": "urn:example:x", "attributes": [{"name": "badge", "mutability": "immutable"}]});
    set.extend("User", &schema, false).unwrap();
    let run = |document: &Document, operation: Value| {
        apply(set.users(), document, &parse(message(&json!([operation]))).unwrap(), Rules::STRICT)
    };
    let once = run(&ada(), json!({"op": "add", "path": "urn:example:x:badge", "value": "b"})).unwrap().document;
    assert!(!run(&once, json!({"op": "add", "path": "urn:example:x:badge", "value": "b"})).unwrap().changed);
    for bad in [
        json!({"op": "replace", "path": "urn:example:x:badge", "value": "c"}),
        json!({"op": "remove", "path": "urn:example:x:badge"}),
    ] {
        assert_eq!(run(&once, bad).unwrap_err().kind, Some(ScimType::Mutability));
    }
}

#[test]
fn p05_one_primary() {
    let after = patched(json!([{"op": "add", "path": "emails", "value": [{"value": "n@x", "primary": true}]}]));
    assert_eq!(
        after["emails"],
        json!([{"value": "a@work.example", "type": "work", "primary": false}, {"value": "a@home.example", "type": "home"},
            {"value": "n@x", "primary": true}])
    );
    let other = patched(json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "h@x"}}]));
    assert_eq!((&other["emails"][0]["primary"], &other["emails"][1]), (&json!(true), &json!({"value": "h@x"})));
    let after = patched(json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]));
    assert_eq!((&after["emails"][0]["primary"], &after["emails"][1]["primary"]), (&json!(false), &json!(true)));
    refused(json!({"op": "replace", "path": "emails.primary", "value": true}), ScimType::InvalidValue);
    refused(
        json!({"op": "add", "path": "emails", "value": [{"value": "1", "primary": true}, {"value": "2", "primary": true}]}),
        ScimType::InvalidValue,
    );
}

#[test]
fn p06_schemas_follow_the_content() {
    let path = format!("{ENTERPRISE_URN}:costCenter");
    let after = patched(json!([{"op": "add", "path": path, "value": "C"}]));
    assert_eq!(after["schemas"], json!([USER_URN, ENTERPRISE_URN]));
    let with = after.as_object().unwrap().clone();
    let gone = |operation: Value| Value::Object(run(&with, json!([operation]), Rules::STRICT).unwrap().document);
    for operation in [
        json!({"op": "remove", "path": path}),
        json!({"op": "remove", "path": ENTERPRISE_URN}),
        json!({"op": "remove", "path": format!("schemas[value eq \"{ENTERPRISE_URN}\"]")}),
        json!({"op": "replace", "path": path, "value": null}),
        json!({"op": "replace", "value": {ENTERPRISE_URN: null}}),
    ] {
        let after = gone(operation);
        assert_eq!(after["schemas"], json!([USER_URN]));
        assert!(after.get(ENTERPRISE_URN).is_none());
    }
    let added = gone(json!({"op": "add", "value": {ENTERPRISE_URN: null}}));
    assert_eq!(added[ENTERPRISE_URN], with[ENTERPRISE_URN], "adding nothing takes nothing away");
    refused(json!({"op": "add", "value": {ENTERPRISE_URN: 5}}), ScimType::InvalidValue);
    unchanged(json!([{"op": "add", "path": "schemas", "value": [ENTERPRISE_URN, USER_URN]}]));
    let filtered = format!("schemas[value eq \"{ENTERPRISE_URN}\"]");
    refused(json!({"op": "add", "path": filtered, "value": "urn:nobody"}), ScimType::Mutability);
    refused(json!({"op": "add", "path": "schemas", "value": ["urn:nobody"]}), ScimType::InvalidValue);
    refused(json!({"op": "remove", "path": "schemas"}), ScimType::Mutability);
    refused(json!({"op": "remove", "path": format!("schemas[value eq \"{USER_URN}\"]")}), ScimType::Mutability);
    let whole = patched(
        json!([{"op": "add", "path": ENTERPRISE_URN, "value": {"department": "D", "manager": {"value": "M"}}}]),
    );
    assert_eq!(whole[ENTERPRISE_URN]["manager"]["value"], "M");
}

#[test]
fn p08_p09_p10_add() {
    let after = patched(
        json!([{"op": "add", "value": {"title": "X", "name": {"givenName": "Adina"}, "emails": [{"value": "c@x"}], format!("{ENTERPRISE_URN}:division"): "V"}}]),
    );
    assert_eq!(after["title"], "X");
    assert_eq!(after["name"], json!({"givenName": "Adina", "familyName": "Lind"}));
    assert_eq!(after["emails"].as_array().unwrap().len(), 3);
    assert_eq!(after[ENTERPRISE_URN]["division"], "V");
    unchanged(json!([{"op": "add", "path": "emails", "value": [{"value": "A@WORK.example", "type": "work"}]}]));
    unchanged(json!([{"op": "add", "path": "emails", "value": []}]));
    unchanged(
        json!([{"op": "add", "path": "externalId", "value": null}, {"op": "add", "path": "name.givenName", "value": null}]),
    );
    unchanged(
        json!([{"op": "add", "path": "name", "value": {"givenName": "Ada"}}, {"op": "add", "path": "title", "value": null}]),
    );
    let spelt = json!({"value": "A@WORK.example", "type": "Work", "display": "D"});
    let merged = patched(json!([{"op": "add", "path": "emails", "value": spelt}]));
    assert_eq!(
        merged["emails"][0],
        json!({"value": "a@work.example", "type": "work", "primary": true, "display": "D"})
    );
    let single = patched(json!([{"op": "add", "path": "emails", "value": {"value": "d@x"}}]));
    assert_eq!(single["emails"].as_array().unwrap().len(), 3);
    assert_eq!(
        patched(json!([{"op": "add", "path": "name.middleName", "value": "B"}]))["name"],
        json!({"givenName": "Ada", "familyName": "Lind", "middleName": "B"})
    );
    let merged = patched(json!([{"op": "add", "path": "emails[type eq \"home\"]", "value": {"display": "Home"}}]));
    assert_eq!(merged["emails"][1], json!({"value": "a@home.example", "type": "home", "display": "Home"}));
}

#[test]
fn p11_p12_p13_p14_p15_remove() {
    refused(json!({"op": "remove"}), ScimType::NoTarget);
    refused(json!({"op": "remove", "path": ""}), ScimType::NoTarget);
    refused(json!({"op": "remove", "path": "userName"}), ScimType::Mutability);
    refused(json!({"op": "remove", "path": "id"}), ScimType::Mutability);
    assert!(patched(json!([{"op": "remove", "path": "emails"}])).get("emails").is_none());
    assert!(patched(json!([{"op": "remove", "path": "addresses[type eq \"work\"]"}])).get("addresses").is_none());
    assert!(
        patched(json!([{"op": "remove", "path": "name.givenName"}, {"op": "remove", "path": "name.familyName"}]))
            .get("name")
            .is_none()
    );
    let region = patched(json!([{"op": "remove", "path": "addresses[type eq \"work\"].region"}]));
    assert_eq!(region["addresses"], json!([{"type": "work", "locality": "Visby"}]));
    unchanged(json!([{"op": "remove", "path": "emails[value eq \"unknown\"]"}, {"op": "remove", "path": "title"}]));
    // What only tells of a value goes with it.
    let home = patched(json!([{"op": "remove", "path": "emails[type eq \"work\"].value"}]));
    assert_eq!(home["emails"].as_array().unwrap().len(), 1);
    for gone in [
        json!({"op": "remove", "path": "emails.value"}),
        json!({"op": "replace", "path": "emails.value", "value": null}),
    ] {
        assert!(patched(json!([gone])).get("emails").is_none());
    }
    let parts = ["locality", "region"].map(|part| json!({"op": "remove", "path": format!("addresses.{part}")}));
    assert!(patched(json!(parts)).get("addresses").is_none());
}

#[test]
fn a06_p16_p17_p18_p19_replace() {
    let after = patched(json!([{"op": "replace", "value": {"nickName": "N", "name": {"givenName": "G"}}}]));
    assert_eq!((&after["nickName"], &after["name"]), (&json!("N"), &json!({"givenName": "G", "familyName": "Lind"})));
    assert_eq!(after["externalId"], "E1");
    assert_eq!(patched(json!([{"op": "replace", "path": "title", "value": "T"}]))["title"], "T");
    assert_eq!(
        patched(json!([{"op": "replace", "path": "name", "value": {"givenName": null}}]))["name"],
        json!({"familyName": "Lind"})
    );
    let list = patched(json!([{"op": "replace", "path": "emails", "value": [{"value": "z@x"}]}]));
    assert_eq!(list["emails"], json!([{"value": "z@x"}]));
    for empty in [json!(null), json!([])] {
        assert!(patched(json!([{"op": "replace", "path": "emails", "value": empty}])).get("emails").is_none());
    }
    for path in ["externalId", "name", "addresses[type eq \"work\"]"] {
        let key = path.split('[').next().unwrap();
        assert!(patched(json!([{"op": "replace", "path": path, "value": null}])).get(key).is_none());
    }
}

#[test]
fn p20_value_paths() {
    let after = patched(json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@x"}]));
    assert_eq!(after["emails"][0], json!({"value": "new@x", "type": "work", "primary": true}));
    let all = patched(json!([{"op": "replace", "path": "emails[value co \"example\"].display", "value": "D"}]));
    assert!(all["emails"].as_array().unwrap().iter().all(|e| e["display"] == "D"));
    let object = patched(json!([{"op": "replace", "path": "emails[primary ne true]", "value": {"value": "x@x"}}]));
    assert_eq!(object["emails"][1], json!({"value": "x@x"}));
    for path in ["addresses[type eq \"work\"].region", "addresses[type eq \"work\"]"] {
        unchanged(json!([{"op": "add", "path": path, "value": null}]));
    }
    let region = patched(json!([{"op": "replace", "path": "addresses[type eq \"work\"].region", "value": null}]));
    assert_eq!(region["addresses"], json!([{"type": "work", "locality": "Visby"}]));
    let boxed = patched(json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": ["new@x"]}]));
    assert_eq!(boxed["emails"][0]["value"], "new@x");
    unchanged(json!([{"op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": null}]));
    refused(
        json!({"op": "add", "path": "emails[type eq \"work\"].value", "value": ["a@x", "b@x"]}),
        ScimType::InvalidValue,
    );
    for op in ["add", "replace"] {
        refused(json!({"op": op, "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}), ScimType::NoTarget);
        let lenient =
            |path: &str, value: Value| run(&ada(), json!([{"op": op, "path": path, "value": value}]), Rules::LENIENT);
        let made = lenient("phoneNumbers[type eq \"work\"].value", json!("1")).unwrap();
        assert!(made.created_on_no_match);
        let both = lenient("phoneNumbers[type eq \"work\" and display eq \"D\"].value", json!("1")).unwrap();
        assert_eq!(both.document["phoneNumbers"], json!([{"type": "work", "display": "D", "value": "1"}]));
        assert_eq!(made.document["phoneNumbers"], json!([{"type": "work", "value": "1"}]));
        assert_eq!(
            lenient("roles[primary eq true].value", json!("r")).unwrap().document["roles"],
            json!([{"primary": true, "value": "r"}])
        );
        assert_eq!(
            lenient("phoneNumbers[not (type eq \"x\")].value", json!("1")).unwrap_err().kind,
            Some(ScimType::NoTarget)
        );
    }
}

#[test]
fn a10_password_leaves_the_document() {
    let done = run(&ada(), json!([{"op": "replace", "value": {"password": "Nq7!"}}]), Rules::STRICT).unwrap();
    assert!(!done.changed && !done.document.contains_key("password"));
    assert!(matches!(done.password, Some(PasswordChange::Set(p)) if p.expose() == "Nq7!"));
    let done = run(&ada(), json!([{"op": "remove", "path": "password"}]), Rules::STRICT).unwrap();
    assert_eq!(done.password, Some(PasswordChange::Clear));
    let done = run(&ada(), json!([{"op": "add", "value": {"password": null}}]), Rules::STRICT).unwrap();
    assert_eq!(done.password, None, "adding nothing takes nothing away");
}

#[test]
fn p04_parts_that_are_required_or_immutable() {
    let mut set = SchemaSet::base();
    let parts =
        json!([{"name": "room", "required": true}, {"name": "badge", "mutability": "immutable"}, {"name": "row"}]);
    let desk = json!({"name": "desk", "type": "complex", "subAttributes": parts});
    let desks = json!({"name": "desks", "type": "complex", "multiValued": true, "subAttributes": parts});
    set.extend("User", &json!({"id": "urn:example:x", "attributes": [desk, desks]}), false).unwrap();
    let run = |document: &Document, op: &str, path: &str, value: Value| {
        let mut operation = json!({"op": op, "path": format!("urn:example:x:{path}")});
        if op != "remove" {
            operation["value"] = value;
        }
        let done = apply(set.users(), document, &parse(message(&json!([operation])))?, Rules::STRICT)?;
        Ok::<_, ScimError>(done.document)
    };
    let first = run(&ada(), "add", "desk", json!({"room": "1"})).unwrap();
    let first = run(&first, "add", "desks", json!([{"room": "1"}, {"room": "2", "badge": "b"}])).unwrap();
    let kind = |op: &str, path: &str, value: Value| run(&first, op, path, value).map_err(|error| error.kind.unwrap());
    assert_eq!(kind("remove", "desk.room", json!(null)), Err(ScimType::Mutability));
    assert_eq!(kind("replace", "desk.room", json!(null)), Err(ScimType::InvalidValue));
    assert_eq!(kind("replace", "desk", json!({"room": null})), Err(ScimType::InvalidValue));
    assert_eq!(kind("remove", "desks[room eq \"1\"].room", json!(null)), Err(ScimType::Mutability));
    assert_eq!(kind("replace", "desks[room eq \"2\"].badge", json!("c")), Err(ScimType::Mutability));
    let marked = kind("replace", "desks[room eq \"1\"].badge", json!("c")).unwrap();
    assert_eq!(marked["urn:example:x"]["desks"][0], json!({"room": "1", "badge": "c"}));
    let badge = kind("add", "desk.badge", json!("b")).unwrap();
    assert_eq!(badge["urn:example:x"]["desk"], json!({"room": "1", "badge": "b"}));
    for (op, path, value) in [
        ("replace", "desk.badge", json!("c")),
        ("add", "desk", json!({"room": "1", "badge": "c"})),
        ("remove", "desk.badge", json!(null)),
    ] {
        assert_eq!(run(&badge, op, path, value).unwrap_err().kind, Some(ScimType::Mutability), "{op} {path}");
    }
    assert_eq!(run(&badge, "replace", "desk.badge", json!("b")).unwrap(), badge);
    let boss = json!([{"op": "add", "path": format!("{ENTERPRISE_URN}:manager.displayName"), "value": "B"}]);
    let error = apply(set.users(), &first, &parse(message(&boss)).unwrap(), Rules::STRICT).unwrap_err();
    assert!(error.detail.contains("\"manager.displayName\" is read-only"), "{error}");
}

#[test]
fn d02_d04_p14_p19_p21_members_are_set_operations() {
    let ops = |operations: Value| group(operations).unwrap().members;
    assert_eq!(
        ops(json!([{"op": "add", "path": "members", "value": [{"value": "1", "$ref": null}, {"value": "2"}]}])),
        [MemberOp::Add(refs(&["1", "2"]))]
    );
    assert_eq!(ops(json!([{"op": "add", "value": {"members": [{"value": "1"}]}}])), [MemberOp::Add(refs(&["1"]))]);
    assert_eq!(ops(json!([{"op": "add", "path": "members", "value": []}])), []);
    assert_eq!(
        ops(json!([{"op": "replace", "path": "members", "value": [{"value": "1"}]}])),
        [MemberOp::ReplaceAll(refs(&["1"]))]
    );
    for clear in [
        json!({"op": "replace", "path": "members", "value": []}),
        json!({"op": "remove", "path": "members"}),
        json!({"op": "replace", "value": {"members": null}}),
    ] {
        assert_eq!(ops(json!([clear])), [MemberOp::Clear]);
    }
    let ids = |list: &[&str]| MemberOp::Remove(MemberSelector::Ids(list.iter().map(|s| (*s).to_owned()).collect()));
    assert_eq!(ops(json!([{"op": "remove", "path": "members[value eq \"1\"]"}])), [ids(&["1"])]);
    assert_eq!(
        ops(
            json!([{"op": "remove", "path": "members[value eq \"1\" or value eq \"2\"]"}, {"op": "remove", "path": "members[value eq \"3\"]"}])
        ),
        [ids(&["1", "2", "3"])]
    );
    let mixed = json!([{"op": "remove", "path": "members[value eq \"1\"]"}, {"op": "add", "path": "members", "value": [{"value": "2", "display": "x"}]}, {"op": "replace", "path": "displayName", "value": "Ops 2"}]);
    let done = group(mixed).unwrap();
    assert_eq!(done.members, [ids(&["1"]), MemberOp::Add(refs(&["2"]))]);
    assert!(done.changed);
    assert!(matches!(
        &ops(json!([{"op": "remove", "path": "members[type eq \"Group\"]"}]))[..],
        [MemberOp::Remove(MemberSelector::Matching(_))]
    ));
    for bad in
        ["members[value eq \"1\"].display", "members[value eq \"1\"].value", "members[value eq \"1\"]", "members.type"]
    {
        assert_eq!(
            group(json!([{"op": "replace", "path": bad, "value": "x"}])).unwrap_err().kind,
            Some(ScimType::Mutability),
            "{bad}"
        );
    }
    assert_eq!(
        group(json!([{"op": "add", "path": "members", "value": ["1"]}])).unwrap_err().kind,
        Some(ScimType::InvalidValue)
    );
    assert_eq!(group(json!([{"op": "remove", "path": "displayName"}])).unwrap_err().kind, Some(ScimType::Mutability));
    let typed = ops(json!([{"op": "add", "path": "members", "value": {"value": "g", "type": "Group"}}]));
    assert_eq!(typed, [MemberOp::Add(vec![MemberRef::named("g", Some(MemberKind::Group))])]);
}

#[test]
fn p22_ten_thousand_members_in_one_add() {
    let members: Vec<Value> = (0..10_000).map(|n| json!({"value": n.to_string()})).collect();
    let done = group(json!([{"op": "add", "path": "members", "value": members}])).unwrap();
    assert!(matches!(&done.members[..], [MemberOp::Add(list)] if list.len() == 10_000));
    let each: Vec<Value> =
        (0..10_000).map(|n| json!({"op": "remove", "path": format!("members[value eq \"{n}\"]")})).collect();
    assert_eq!(group(each.into()).unwrap().members.len(), 1);
}

#[test]
fn p22_work_on_long_lists_is_bounded() {
    let many: Vec<Value> = (0..900).map(|n| json!({"value": n.to_string()})).collect();
    let mut operations = vec![json!({"op": "add", "path": "emails", "value": many})];
    operations.extend((0..1_000).map(|n| json!({"op": "add", "path": "emails", "value": {"value": n.to_string()}})));
    assert_eq!(run(&ada(), operations.into(), Rules::STRICT).unwrap_err().status, 413);
    let mails = |count: usize| (0..count).map(|n| json!({"value": n.to_string()})).collect::<Vec<Value>>();
    let full = patched(
        json!([{"op": "replace", "path": "emails", "value": mails(999)}, {"op": "add", "path": "emails", "value": {"value": "x"}}]),
    );
    assert_eq!(full["emails"].as_array().unwrap().len(), 1_000);
    let over = json!([{"op": "replace", "path": "emails", "value": mails(1_000)}, {"op": "add", "path": "emails", "value": {"value": "x"}}]);
    assert_eq!(run(&ada(), over, Rules::STRICT).unwrap_err().kind, Some(ScimType::InvalidValue));
    let too_many: Vec<Value> = (0..1_001).map(|n| json!({"value": n.to_string()})).collect();
    refused(json!({"op": "add", "path": "emails", "value": too_many}), ScimType::InvalidValue);
}

fn operation() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec![
        "title",
        "userName",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "emails[type eq \"work\"]",
        "active",
        "schemas",
        "emails[type eq \"work\"].value",
        "emails[not (type pr)].primary",
        "id",
        "password",
        "addresses",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "nothing",
    ]);
    let value = prop::sample::select(vec![
        json!(null),
        json!("x"),
        json!(""),
        json!(true),
        json!(5),
        json!([]),
        json!({}),
        json!({"givenName": "G"}),
        json!([{"value": "v", "type": "work"}]),
        json!({"value": "w", "primary": true}),
        json!([{"value": "v"}, {"value": "V"}]),
        json!({"title": "T", "emails": [{"value": "p"}]}),
        json!([[]]),
        json!({"department": "D"}),
    ]);
    (prop::sample::select(vec!["add", "remove", "replace"]), prop::option::weighted(0.9, path), value).prop_map(
        |(op, path, value)| match op {
            "remove" => json!({"op": op, "path": path}),
            _ => json!({"op": op, "path": path, "value": value}),
        },
    )
}

fn settled(document: &Document) -> Result<()> {
    let again = create(SchemaSet::base().users(), Value::Object(document.clone()), Rules::STRICT)?.document;
    let mut document = document.clone();
    document.entry("active").or_insert(json!(true));
    assert_eq!(again, document);
    Ok(())
}

proptest! {
    #[test]
    fn p02_any_patch_leaves_a_valid_document_or_none(operations in prop::collection::vec(operation(), 1..6), lenient in any::<bool>()) {
        let rules = if lenient { Rules::LENIENT } else { Rules::STRICT };
        if let Ok(done) = run(&ada(), operations.into(), rules) {
            settled(&done.document).unwrap();
        }
    }

    #[test]
    fn p09_add_twice_is_add_once(operation in operation()) {
        prop_assume!(operation["op"] == "add");
        if let Ok(once) = run(&ada(), json!([operation]), Rules::LENIENT) {
            let twice = run(&once.document, json!([operation]), Rules::LENIENT).unwrap();
            prop_assert_eq!(twice.document, once.document);
        }
    }

    #[test]
    fn p12_remove_undoes_add(name in prop::sample::select(vec!["title", "nickName", "phoneNumbers", "ims"])) {
        let value = if name == "title" || name == "nickName" { json!("x") } else { json!([{"value": "v"}]) };
        let done = run(&ada(), json!([{"op": "add", "path": name, "value": value}, {"op": "remove", "path": name}]), Rules::STRICT).unwrap();
        prop_assert!(!done.changed);
    }

    #[test]
    fn p03_arbitrary_messages_never_panic(text in r#"(?:[ -~]{0,6}|\{|\}|\[|\]|"op"|:|,|"add"|"path"|"emails[type eq \\"work\\"]"|"value"|null|1){0,20}"#) {
        let body = crate::scim::json::read(text.as_bytes(), crate::scim::json::JsonLimits::default());
        if let Ok(body) = body
            && let Ok(operations) = parse(message(&json!([body])))
        {
            let _ = apply(SchemaSet::base().users(), &ada(), &operations, Rules::LENIENT);
        }
    }
}

#[test]
fn a12_what_was_written_is_told() {
    let operations = json!([{"op": "add", "path": "name.givenName", "value": "A"}, {"op": "remove", "path": "externalId"},
        {"op": "replace", "value": {"title": "T", ENTERPRISE_URN: {"department": "D"}}}]);
    let written = run(&ada(), operations, Rules::STRICT).unwrap().written;
    assert_eq!(
        Value::Object(written),
        json!({"name": {"givenName": null}, "title": null, ENTERPRISE_URN: {"department": null}})
    );
}
