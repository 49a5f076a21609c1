//! Each switch alone: what it makes of a request, and that the request stays as it is while the switch is off.

use super::*;
use crate::scim::error::ScimType;
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, SchemaSet, USER_URN};
use serde_json::json;

const ID: &str = "0192f0c1-0000-7000-8000-000000000001";

/// The strict profile with one switch on.
fn only(switch: Switch) -> Switches {
    let mut switches = ClientProfile::Strict.switches();
    switches.turn(switch, true);
    switches
}

fn off(switch: Switch) -> Switches {
    let mut switches = ClientProfile::Strict.switches();
    switches.turn(switch, false);
    switches
}

fn places<T>(done: &NormalizedRequest<T>) -> Vec<(Switch, &str)> {
    done.acts.iter().map(|act| (act.switch, act.at.as_str())).collect()
}

/// The switch turns one body of a user into the other, says where, and does nothing while it is off.
fn body(switch: Switch, sent: Value, meant: Value, at: &[&str]) {
    let set = SchemaSet::base();
    let done = only(switch).translate_body(set.users(), BodyPurpose::Create, sent.clone());
    assert_eq!(done.request, meant, "{switch:?}: {sent}");
    assert_eq!(places(&done), at.iter().map(|at| (switch, *at)).collect::<Vec<_>>(), "{sent}");
    let left = off(switch).translate_body(set.users(), BodyPurpose::Create, sent.clone());
    assert_eq!(left, NormalizedRequest { request: sent, acts: vec![] }, "{switch:?} is off");
}

/// The switch leaves the body alone.
fn body_stays(switch: Switch, sent: Value) {
    body(switch, sent.clone(), sent, &[]);
}

fn patched(switches: &Switches, operations: &Value) -> Result<NormalizedRequest<Value>> {
    let set = SchemaSet::base();
    let done = switches.translate_patch(set.users(), ID, json!({"Operations": operations}))?;
    Ok(NormalizedRequest { request: done.request["Operations"].clone(), acts: done.acts })
}

/// The switch (beside `pathless`) turns one operation into others, and does nothing while it is off.
fn patch(switch: Switch, sent: Value, meant: Value, at: &[&str]) {
    let with = |mut switches: Switches| {
        switches.turn(Switch::Pathless, true);
        patched(&switches, &json!([sent])).unwrap()
    };
    let done = with(only(switch));
    assert_eq!(done.request, meant, "{switch:?}: {sent}");
    assert_eq!(places(&done), at.iter().map(|at| (switch, *at)).collect::<Vec<_>>(), "{sent}");
    assert_eq!(with(off(switch)), NormalizedRequest { request: json!([sent]), acts: vec![] }, "{switch:?} is off");
}

fn patch_stays(switch: Switch, sent: Value) {
    patch(switch, sent.clone(), json!([sent]), &[]);
}

#[test]
fn string_booleans() {
    let on = Switch::StringBooleans;
    body(on, json!({"active": "True"}), json!({"active": true}), &["active"]);
    body(on, json!({"emails": [{"primary": "FALSE"}]}), json!({"emails": [{"primary": false}]}), &["emails.primary"]);
    body_stays(on, json!({"active": "maybe", "title": "true"}));
    let sent = json!({"op": "add", "path": "active", "value": "true"});
    patch(on, sent, json!([{"op": "add", "path": "active", "value": true}]), &["active"]);
    let inside = json!({"op": "add", "value": {"active": "false"}});
    patch(on, inside, json!([{"op": "add", "value": {"active": false}}]), &["active"]);
}

#[test]
fn bare_string_manager() {
    let on = Switch::BareStringManager;
    let manager = |value: Value| json!({ENTERPRISE_URN: {"manager": value}});
    let meant = || manager(json!({"value": "U2"}));
    body(on, manager(json!("U2")), meant(), &["manager"]);
    body(on, manager(json!([{"value": "U2"}])), meant(), &["manager"]);
    body(on, manager(json!(["U2"])), meant(), &["manager", "manager"]);
    body_stays(on, manager(json!([{"value": "U2"}, {"value": "U3"}])));
    body_stays(on, json!({"title": ["x"], "name": ["x"], "emails": [{"value": "a@x"}], "roles": ["r"]}));
    body_stays(on, json!({"name": "x", "title": "x"}));
    let sent = json!({"op": "add", "path": ENTERPRISE_URN, "value": {"manager": "U2", "department": "D"}});
    let value = json!({"manager": {"value": "U2"}, "department": "D"});
    patch(on, sent, json!([{"op": "add", "path": ENTERPRISE_URN, "value": value}]), &["manager"]);
    let within = json!({"op": "add", "value": {ENTERPRISE_URN: {"manager": "U2"}}});
    patch(on, within, json!([{"op": "add", "value": {ENTERPRISE_URN: {"manager": {"value": "U2"}}}}]), &["manager"]);
}

#[test]
fn empty_string_clears_in_bodies() {
    let on = Switch::EmptyStringClears;
    body(on, json!({"title": "", "nickName": "N"}), json!({"nickName": "N"}), &["title"]);
    body(on, json!({"profileUrl": ""}), json!({}), &["profileUrl"]);
    let name = json!({"name": {"middleName": "", "givenName": "A"}});
    body(on, name, json!({"name": {"givenName": "A", "middleName": null}}), &["name.middleName"]);
    let certificate = json!({"x509Certificates": [{"value": "", "type": "t"}]});
    body(on, certificate, json!({"x509Certificates": [{"value": null, "type": "t"}]}), &["x509Certificates.value"]);
    body(on, json!({ENTERPRISE_URN: {"manager": ""}}), json!({ENTERPRISE_URN: {"manager": null}}), &["manager"]);
    // Required, read-only, or nothing that text could be a value of: the core says what is wrong.
    body_stays(on, json!({"userName": "", "id": "", "active": "", "name": "", "emails": "", "nothing": ""}));
}

#[test]
fn trimmed_names() {
    let on = Switch::TrimmedNames;
    body(on, json!({"userName": "\u{a0} ida \t"}), json!({"userName": "ida"}), &["userName"]);
    body(on, json!({"userName": "  "}), json!({"userName": ""}), &["userName"]);
    body_stays(on, json!({"userName": "ida berg", "displayName": " Ida ", "externalId": " 7", "id": " 7"}));
    let replace = |value: &str| json!({"op": "replace", "path": "userName", "value": value});
    patch(on, replace(" ida"), json!([replace("ida")]), &["userName"]);
    patch(
        on,
        json!({"op": "add", "value": {"userName": "ida "}}),
        json!([{"op": "add", "value": {"userName": "ida"}}]),
        &["userName"],
    );
}

#[test]
fn empty_string_clears_in_patches() {
    let on = Switch::EmptyStringClears;
    let cleared = |path: &str, meant: &str, at: &str| {
        let sent = json!({"op": "replace", "path": path, "value": ""});
        patch(on, sent, json!([{"op": "remove", "path": meant}]), &[at]);
    };
    cleared("title", "title", "title");
    cleared("name.middleName", "name.middleName", "name.middleName");
    cleared(
        &format!("{ENTERPRISE_URN}:manager"),
        &format!("{ENTERPRISE_URN}:manager"),
        &format!("{ENTERPRISE_URN}:manager"),
    );
    for path in ["emails", "emails.value", "name"] {
        let sent = json!([{"op": "replace", "path": path, "value": ""}]);
        assert_eq!(patched(&only(on), &sent).unwrap_err().kind, Some(ScimType::InvalidValue), "{path}");
    }
    let nothing = json!({"op": "add", "path": "title", "value": ""});
    patch(on, nothing, json!([{"op": "add", "value": {}}]), &["title"]);
    cleared(r#"emails[type eq "work"].value"#, r#"emails[type eq "work"]"#, "emails");
    cleared(r#"emails[type eq "work"].display"#, r#"emails[type eq "work"].display"#, "emails");
    for path in ["active", "userName", "id", "nothing", r#"emails[type eq "work"].nothing"#] {
        patch_stays(on, json!({"op": "replace", "path": path, "value": ""}));
    }
    let replaced = json!({"op": "replace", "value": {"title": "", "nickName": "N"}});
    patch(on, replaced, json!([{"op": "replace", "value": {"title": null, "nickName": "N"}}]), &["title"]);
    let added = json!({"op": "add", "value": {"title": "", "nickName": "N"}});
    patch(on, added, json!([{"op": "add", "value": {"nickName": "N"}}]), &["title"]);
    let nothing = json!({"op": "add", "value": {"title": ""}});
    patch(on, nothing, json!([{"op": "add", "value": {}}]), &["title"]);
}

#[test]
fn dotted_keys() {
    let on = Switch::DottedKeys;
    let sent = json!({"name.givenName": "A", "name.familyName": "B"});
    let meant = json!({"name": {"givenName": "A", "familyName": "B"}});
    body(on, sent, meant, &["name.familyName", "name.givenName"]);
    body_stays(on, json!({"urn:x:y:2.0:z": "A", "plain": "A"}));
    let value = json!({"title": "T", "name.givenName": "A", r#"emails[type eq "work"].value"#: "a@x"});
    let meant = json!([{"op": "add", "value": {"title": "T"}},
        {"op": "add", "path": r#"emails[type eq "work"].value"#, "value": "a@x"},
        {"op": "add", "path": "name.givenName", "value": "A"}]);
    patch(on, json!({"op": "add", "value": value}), meant, &["emails", "name.givenName"]);
    let alone = json!([{"op": "add", "path": "name.givenName", "value": "A"}]);
    patch(on, json!({"op": "add", "value": {"name.givenName": "A"}}), alone, &["name.givenName"]);
    patch_stays(on, json!({"op": "add", "value": {"nothing.givenName": "A", "name": {"givenName": "B"}}}));
}

#[test]
fn urn_keys() {
    let on = Switch::UrnKeys;
    let key = format!("{ENTERPRISE_URN}:department");
    let meant = json!([{"op": "add", "path": key, "value": "D"}]);
    patch(on, json!({"op": "add", "value": {key.as_str(): "D"}}), meant, &[&key]);
    patch_stays(on, json!({"op": "add", "value": {format!("{ENTERPRISE_URN}:nothing"): "D", "name.givenName": "A"}}));
    let filtered = format!(r#"{USER_URN}:emails[type eq "work"].value"#);
    patch_stays(on, json!({"op": "add", "value": {filtered: "a@x"}}));
}

#[test]
fn unknown_urns() {
    let on = Switch::UnknownUrn;
    body(on, json!({"urn:x:y": {"a": 1}, "title": "T"}), json!({"title": "T"}), &["urn:x:y"]);
    body_stays(on, json!({"urn:x:y": 5, "nothing": {"a": 1}, ENTERPRISE_URN: {"department": "D"}}));
    let sent = json!({"schemas": [USER_URN.to_uppercase(), "urn:x:y", ENTERPRISE_URN, 5]});
    body(on, sent, json!({"schemas": [USER_URN.to_uppercase(), ENTERPRISE_URN, 5]}), &["urn:x:y"]);
    let value = json!({"urn:x:y": {"a": 1}, "title": "T"});
    patch(on, json!({"op": "add", "value": value}), json!([{"op": "add", "value": {"title": "T"}}]), &["urn:x:y"]);
    patch_stays(
        on,
        json!({"op": "add", "value": {"urn:x:y": 5, "nothing": {"a": 1}, ENTERPRISE_URN: {"division": "D"}}}),
    );
    let listed = json!({"op": "add", "value": {"schemas": [USER_URN, "urn:x:y"]}});
    patch(on, listed, json!([{"op": "add", "value": {"schemas": [USER_URN]}}]), &["urn:x:y"]);
}

#[test]
fn legacy_urns() {
    let on = Switch::LegacyUrns;
    let enterprise = "urn:scim:schemas:extension:enterprise:2.0";
    body(on, json!({enterprise: {"department": "D"}}), json!({ENTERPRISE_URN: {"department": "D"}}), &[enterprise]);
    let core = "urn:scim:schemas:core:2.0:User";
    body(on, json!({"schemas": [core]}), json!({"schemas": [USER_URN]}), &[core]);
    body_stays(on, json!({"urn:scim:schemas:core:2.01": "x", "title": "T"}));
    let path = format!("{enterprise}:User:department");
    let meant = json!([{"op": "add", "path": format!("{ENTERPRISE_URN}:department"), "value": "D"}]);
    patch(on, json!({"op": "add", "path": path, "value": "D"}), meant, &[&path]);
    let set = SchemaSet::base();
    let group = json!({"schemas": ["urn:scim:schemas:core:2.0:Group"]});
    let done = only(on).translate_body(set.groups(), BodyPurpose::Create, group);
    assert_eq!(done.request, json!({"schemas": [GROUP_URN]}));
}

#[test]
fn op_case() {
    let on = Switch::OpCase;
    let sent = json!({"op": "Replace", "path": "title", "value": "T"});
    patch(on, sent, json!([{"op": "replace", "path": "title", "value": "T"}]), &["replace"]);
    patch_stays(on, json!({"op": "Move", "path": "title"}));
    patch_stays(on, json!({"op": "replace", "path": "title", "value": "T"}));
}

#[test]
fn quoted_booleans_in_paths() {
    let on = Switch::QuotedBooleanInFilter;
    let sent = json!({"op": "add", "path": r#"roles[ primary eq "True"].value"#, "value": "r"});
    patch(on, sent, json!([{"op": "add", "path": "roles[primary eq true].value", "value": "r"}]), &["roles"]);
    let off = json!({"op": "remove", "path": r#"roles[primary eq "false"]"#});
    patch(on, off, json!([{"op": "remove", "path": "roles[primary eq false]"}]), &["roles"]);
    patch_stays(on, json!({"op": "add", "path": r#"roles[ type eq "True"].value"#, "value": "r"}));
    patch_stays(on, json!({"op": "add", "path": r#"nothing[ primary eq "True"]"#, "value": "r"}));
    patch_stays(on, json!({"op": "add", "path": "roles[", "value": "r"}));
}

#[test]
fn remove_by_value() {
    let on = Switch::RemoveByValueArray;
    let removed = |path: &str, value: Value, meant: &str| {
        let sent = json!({"op": "remove", "path": path, "value": value});
        patch(on, sent, json!([{"op": "remove", "path": meant}]), &[path.split('[').next().unwrap()]);
    };
    removed("emails", json!([{"value": "a@x"}, "b@x"]), r#"emails[value eq "a@x" or value eq "b@x"]"#);
    removed("emails", json!({"value": "a@x", "type": "work"}), r#"emails[(value eq "a@x" and type eq "work")]"#);
    removed("title", json!("T"), "title");
    removed(r#"emails[type eq "work"]"#, json!([{"value": "a@x"}]), r#"emails[type eq "work"]"#);
    patch_stays(on, json!({"op": "remove", "path": "emails"}));
    let nothing = json!({"op": "remove", "path": "emails", "value": []});
    patch(on, nothing, json!([{"op": "add", "value": {}}]), &["emails"]);
    for unclear in [json!([{"type": "work"}]), json!([{"value": ""}]), json!([{"value": 5}]), json!(5)] {
        let sent = json!([{"op": "remove", "path": "emails", "value": unclear}]);
        assert_eq!(patched(&only(on), &sent).unwrap_err().kind, Some(ScimType::InvalidValue), "{sent}");
    }
    let null = json!([{"op": "remove", "path": "emails", "value": null}]);
    assert_eq!(patched(&off(on), &null).unwrap().request, json!([{"op": "remove", "path": "emails"}]));
}

#[test]
fn members_are_removed_by_id_alone_and_in_paths_of_bounded_length() {
    let set = SchemaSet::base();
    let paths = |members: Value| -> Vec<String> {
        let body = json!({"Operations": [{"op": "remove", "path": "members", "value": members}]});
        let done = only(Switch::RemoveByValueArray).translate_patch(set.groups(), ID, body).unwrap().request;
        let operations = done["Operations"].as_array().unwrap();
        operations.iter().map(|operation| operation["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(json!([{"value": "U1", "type": "User"}])), [r#"members[value eq "U1"]"#]);
    // 77 times `value eq "…"` with ` or ` between are 4,000 letters.
    let many = |count: usize| paths((0..count).map(|n| json!({"value": format!("{n:037}")})).collect());
    assert_eq!(many(77).iter().map(|path| path.len() - "members[]".len()).collect::<Vec<_>>(), [4_000]);
    let longer =
        (0..77).map(|n| json!({"value": if n < 76 { format!("{n:037}") } else { format!("{n:038}") }})).collect();
    assert_eq!(paths(longer).iter().map(|path| path.matches("eq").count()).collect::<Vec<_>>(), [76, 1]);
    assert_eq!(many(78).iter().map(|path| path.matches("eq").count()).collect::<Vec<_>>(), [77, 1]);
    assert_eq!(many(200).iter().map(|path| path.matches("eq").count()).collect::<Vec<_>>(), [77, 77, 46]);
}

#[test]
fn the_resource_s_own_id() {
    let on = Switch::IgnoreEqualId;
    let sent = json!({"op": "replace", "value": {"ID": ID, "title": "T"}});
    patch(on, sent, json!([{"op": "replace", "value": {"title": "T"}}]), &["id"]);
    patch_stays(on, json!({"op": "replace", "value": {"id": "another", "title": "T"}}));
}

#[test]
fn read_only_attributes() {
    let on = Switch::DropReadOnly;
    let sent = json!({"op": "replace", "value": {"meta": {"version": "x"}, "groups": [], "title": "T"}});
    patch(on, sent, json!([{"op": "replace", "value": {"title": "T"}}]), &["groups", "meta"]);
    patch_stays(on, json!({"op": "replace", "value": {"id": ID, "nothing": 1}}));
}

#[test]
fn operations_without_a_path() {
    let sent = json!([{"op": "replace", "value": {"title": "T"}}]);
    let kept = patched(&only(Switch::Pathless), &sent).unwrap();
    assert_eq!(kept, NormalizedRequest { request: sent.clone(), acts: vec![] });
    assert_eq!(patched(&off(Switch::Pathless), &sent).unwrap_err().kind, Some(ScimType::InvalidSyntax));
    // No path is what null and an empty one say; what is no operation at all is left for the core to refuse.
    for same in [json!({"op": "replace", "path": null, "value": {}}), json!({"op": "replace", "path": "", "value": {}})]
    {
        let done = patched(&only(Switch::Pathless), &json!([same])).unwrap();
        assert_eq!(done.request, json!([{"op": "replace", "value": {}}]), "{same}");
    }
    for odd in [
        json!("x"),
        json!({"op": 5, "path": "title"}),
        json!({"op": "add", "path": 5, "value": 1}),
        json!({"op": "remove"}),
    ] {
        assert_eq!(patched(&off(Switch::Pathless), &json!([odd])).unwrap().request, json!([odd]), "{odd}");
    }
}

#[test]
fn missing_members_of_a_put() {
    let set = SchemaSet::base();
    let mut clears = ClientProfile::Strict.switches();
    clears.set("put_missing_members", "clear").unwrap();
    let group = || json!({"displayName": "Ops"});
    let cleared = clears.translate_body(set.groups(), BodyPurpose::Replace, group());
    assert_eq!(cleared.request, json!({"displayName": "Ops", "members": []}));
    assert_eq!(places(&cleared), [(Switch::PutMissingMembers, "members")]);
    let left = |switches: &Switches, resource, purpose, body: Value| {
        assert_eq!(
            switches.translate_body(resource, purpose, body.clone()),
            NormalizedRequest { request: body, acts: vec![] }
        );
    };
    left(&clears, set.groups(), BodyPurpose::Create, group());
    left(&clears, set.groups(), BodyPurpose::Replace, json!({"Members": [{"value": "U1"}]}));
    left(&clears, set.users(), BodyPurpose::Replace, json!({"userName": "ada"}));
    left(&ClientProfile::Strict.switches(), set.groups(), BodyPurpose::Replace, group());
}

#[test]
fn filters() {
    let set = SchemaSet::base();
    let read = |switches: &Switches, filter: &str| {
        let params = Params { filter: Some(filter.to_owned()), ..Params::default() };
        let done = switches.translate_query(Some(set.users()), params);
        let acts: Vec<Switch> = done.acts.iter().map(|act| act.switch).collect();
        (done.request.filter.unwrap(), acts)
    };
    let (loose, quoted, trimmed) = (Switch::LooseFilter, Switch::QuotedBooleanInFilter, Switch::TrimmedNames);
    for (switch, sent, meant) in [
        (trimmed, r#"userName eq " ada""#, r#"userName eq "ada""#),
        (trimmed, r#"title pr and not (username eq "ada ")"#, r#"title pr and not (username eq "ada")"#),
        (loose, "userName eq ada", r#"userName eq "ada""#),
        (quoted, r#" active eq "True""#, "active eq true"),
        (quoted, r#"emails[primary eq "false"]"#, "emails[primary eq false]"),
    ] {
        assert_eq!(read(&only(switch), sent), (meant.to_owned(), vec![switch]));
        assert_eq!(read(&off(switch), sent), (sent.to_owned(), vec![]), "{switch:?} is off");
    }
    for same in [r#" title eq "true" "#, "userName eq", r#"emails[type eq "true"]"#, r#"active eq "yes""#] {
        assert_eq!(read(&only(quoted), same), (same.to_owned(), vec![]));
    }
    for same in [r#"userName co " b""#, r#"userName sw " ""#, r#"title eq " x ""#, r#"id eq " x""#] {
        assert_eq!(read(&only(trimmed), same), (same.to_owned(), vec![]));
    }
    let at_the_base = Params { filter: Some(r#"active eq "True""#.to_owned()), ..Params::default() };
    let done = only(quoted).translate_query(None, at_the_base.clone());
    assert_eq!(done, NormalizedRequest { request: at_the_base, acts: vec![] });
}

#[test]
fn g03_personal_data_stays_out_of_addresses() {
    let asks = |switches: &Switches, filter: &str| {
        let params = Params { filter: Some(filter.to_owned()), ..Params::default() };
        switches.check_address(&params).map_err(|error| error.kind)
    };
    let on = only(Switch::SensitiveFilters);
    for personal in [r#"userName eq "ada""#, r#"active eq true and emails.value co "x""#, "userName eq"] {
        assert_eq!(asks(&on, personal), Err(Some(ScimType::Sensitive)), "{personal}");
        assert_eq!(asks(&off(Switch::SensitiveFilters), personal), Ok(()), "{personal}");
    }
    for impersonal in [r#"ID eq "1""#, r#"externalId eq "1" or meta.created pr"#, r#"not (groups.value eq "g")"#] {
        assert_eq!(asks(&on, impersonal), Ok(()), "{impersonal}");
    }
    assert_eq!(on.check_address(&Params::default()), Ok(()));
}

#[test]
fn a_request_notes_a_hundred_acts_and_no_more() {
    let set = SchemaSet::base();
    let noted = |count: usize| {
        let unknown: Vec<Value> = (0..count).map(|n| json!(format!("urn:x:{n}"))).collect();
        let body = json!({"schemas": unknown});
        only(Switch::UnknownUrn).translate_body(set.users(), BodyPurpose::Create, body).acts.len()
    };
    assert_eq!((noted(99), noted(100), noted(101)), (99, 100, 100));
}

#[test]
fn every_word_of_a_switch_is_taken_and_shown_again() {
    for &switch in Switch::ALL {
        let mut switches = ClientProfile::Strict.switches();
        for word in Switches::words(switch) {
            switches.set(switch.as_str(), word).unwrap();
            assert_eq!(switches.value(switch), *word);
        }
        let problem = switches.set(switch.as_str(), "odd").unwrap_err().to_string();
        assert!(problem.ends_with(&Switches::words(switch).join(", ")), "{problem}");
        assert!(!switch.says().is_empty() && !switch.says().starts_with(' '));
    }
}

#[test]
fn clients_with_ways_of_their_own() {
    let answers = |profile: ClientProfile| profile.switches().group_patch;
    assert_eq!([ClientProfile::Entra, ClientProfile::EntraFlag].map(answers), [GroupPatchAnswer::Empty; 2]);
    assert_eq!([ClientProfile::Generic, ClientProfile::Okta].map(answers), [GroupPatchAnswer::Auto; 2]);
    assert_eq!(answers(ClientProfile::Strict), GroupPatchAnswer::Full);
    let rules = ClientProfile::Strict.switches().rules();
    assert!(rules.refuse_unknown && rules.refuse_uncanonical && !rules.create_on_no_match);
    let rules = ClientProfile::Okta.switches().rules();
    assert!(!rules.refuse_unknown && !rules.refuse_uncanonical && rules.create_on_no_match);
}
