//! Bulk requests against a small model of a store.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const LIMITS: BulkLimits = BulkLimits { operations: 2_000, bytes: 1_000_000 };

fn request(operations: Value, fail_on_errors: Option<u64>) -> Value {
    json!({"schemas": [BULK_REQUEST_URN], "failOnErrors": fail_on_errors, "Operations": operations})
}

/// Carries calls out: POST makes the id `ID-<bulkId's display name>`; a PATCH
/// with an add and no path merges; a body with `"fail": true` fails.
fn run(body: Value) -> (Value, BTreeMap<String, Value>, Vec<String>) {
    let mut execution = BulkExecution::new(parse(body, LIMITS).unwrap());
    let mut store: BTreeMap<String, Value> = BTreeMap::new();
    let mut order = Vec::new();
    while let Some(ready) = execution.next_call() {
        let call = &ready.call;
        let name = call.data.get("name").and_then(Value::as_str).unwrap_or("?");
        let id = call.id.clone().unwrap_or_else(|| format!("ID-{name}"));
        order.push(format!("{} {}/{id}", call.method.as_str(), call.endpoint));
        assert!(!call.data.to_string().contains("bulkId:"), "unresolved: {}", call.data);
        if call.data.get("fail").is_some() {
            execution.failed(&ready, invalid_value("no"));
            continue;
        }
        let status = match call.method {
            Method::Post => {
                store.insert(id.clone(), call.data.clone());
                201
            }
            Method::Delete => {
                store.remove(&id);
                204
            }
            Method::Put | Method::Patch => {
                if ready.completes {
                    let Some(Value::Object(target)) = store.get_mut(&id) else { panic!("{id} is not there") };
                    let added = call.data["Operations"][0]["value"].as_object().unwrap().clone();
                    for (key, value) in added {
                        match (target.get_mut(&key), value) {
                            (Some(Value::Array(have)), Value::Array(more)) => have.extend(more),
                            (_, value) => {
                                target.insert(key, value);
                            }
                        }
                    }
                }
                200
            }
        };
        execution.succeeded(&ready, Success { status, id, version: Some("W/\"1\"".into()) });
    }
    (execution.finish("https://a.example/v2"), store, order)
}

fn post(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|m| json!({"value": m})).collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": name, "data": {"name": name, "members": members}})
}

fn statuses(response: &Value) -> Vec<&str> {
    response["Operations"].as_array().unwrap().iter().map(|o| o["status"].as_str().unwrap()).collect()
}

#[test]
fn r01_malformed_entries_are_answered_in_their_place() {
    let (response, _, _) = run(request(
        json!([{"method": "POST", "path": "/Users", "data": {}}, 5, {"method": "GET", "path": "/Users"}, post("a", &[]),
            post("a", &[]), {"method": "PUT", "path": "/Users", "data": {}}, {"method": "DELETE", "path": "/Users/1/2"},
            {"method": "PATCH", "path": "/Users/7"}, {"method": "POST", "path": "/Users/1", "bulkId": "z", "data": {}},
            {"method": "put", "path": "Users/7/", "version": " ", "data": {}}, {"method": "DELETE", "path": "/Users/7", "version": "\"x"},
            {"method": "POST", "path": "", "bulkId": "y", "data": {}}]),
        None,
    ));
    assert_eq!(
        statuses(&response),
        ["400", "400", "400", "201", "400", "400", "400", "400", "400", "200", "400", "400"]
    );
    assert_eq!(response["Operations"][7]["location"], "https://a.example/v2/Users/7");
    assert_eq!(response["Operations"][0]["response"]["status"], "400");
    assert!(parse(json!({"Operations": []}), LIMITS).is_err());
    assert!(parse(request(json!({}), None), LIMITS).is_err());
    for number in [json!("1"), json!(-1), json!(1.5)] {
        let body = json!({"schemas": [BULK_REQUEST_URN], "failOnErrors": number, "Operations": []});
        assert!(parse(body, LIMITS).is_err(), "{number}");
    }
}

#[test]
fn r02_stops_after_the_accepted_number_of_errors() {
    let bad = json!({"method": "POST", "path": "/Users", "data": {}});
    let operations = json!([post("1", &[]), bad, post("2", &[]), bad, post("3", &[]), bad, post("4", &[])]);
    for (accepted, answered) in [(None, 7), (Some(0), 2), (Some(1), 2), (Some(2), 4), (Some(9), 7)] {
        let (response, _, _) = run(request(operations.clone(), accepted));
        assert_eq!(statuses(&response).len(), answered, "{accepted:?}");
    }
}

#[test]
fn r03_every_answer_has_what_it_must() {
    let (response, _, _) = run(request(
        json!([post("a", &[]), {"method": "DELETE", "path": "/Groups/bulkId:a"}, {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"fail": true}}]),
        None,
    ));
    let all = &response["Operations"];
    assert_eq!(
        all[0],
        json!({"method": "POST", "bulkId": "a", "status": "201", "version": "W/\"1\"", "location": "https://a.example/v2/Groups/ID-a"})
    );
    assert_eq!((&all[1]["status"], &all[1]["location"]), (&json!("204"), &json!("https://a.example/v2/Groups/ID-a")));
    assert!(all[2].get("location").is_none());
    assert_eq!(all[2]["response"]["scimType"], "invalidValue");
}

#[test]
fn r04_references_are_replaced_everywhere() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let (response, store, order) = run(request(
        json!([post("g", &["bulkId:u", "other"]),
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"name": "u", urn: {"manager": {"value": "bulkId:m", "$ref": "../Users/bulkId:m"}}}},
            {"method": "POST", "path": "/Users", "bulkId": "m", "data": {"name": "m"}},
            {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [{"op": "remove", "path": "members[value eq \"bulkId:u\" or value eq \"bulkId:m\"]"}]}},
            {"method": "PATCH", "path": "/Groups/1", "data": {"v": "bulkId:nobody"}}]),
        None,
    ));
    assert_eq!(statuses(&response), ["201", "201", "201", "200", "400"]);
    assert_eq!(order, ["POST /Users/ID-m", "POST /Users/ID-u", "POST /Groups/ID-g", "PATCH /Groups/ID-g"]);
    assert_eq!(store["ID-g"]["members"], json!([{"value": "ID-u"}, {"value": "other"}]));
    assert_eq!(store["ID-u"][urn]["manager"], json!({"value": "ID-m", "$ref": "../Users/ID-m"}));
}

#[test]
fn r05_circles_are_closed_afterwards() {
    let (response, store, order) =
        run(request(json!([post("a", &["bulkId:b", "x"]), post("b", &["bulkId:a"]), post("c", &["bulkId:c"])]), None));
    assert_eq!(statuses(&response), ["201", "201", "201"]);
    let calls =
        ["POST /Groups/ID-b", "POST /Groups/ID-a", "PATCH /Groups/ID-b", "POST /Groups/ID-c", "PATCH /Groups/ID-c"];
    assert_eq!(order, calls);
    assert_eq!(store["ID-a"]["members"], json!([{"value": "ID-b"}, {"value": "x"}]));
    assert_eq!(store["ID-b"]["members"], json!([{"value": "ID-a"}]));
    assert_eq!(store["ID-c"]["members"], json!([{"value": "ID-c"}]));
}

#[test]
fn r05_only_the_part_that_closes_a_circle_waits() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let second = json!({"name": "v", "friends": [{"value": "bulkId:u"}, {"value": "y"}], "boss": {"value": "bulkId:u", "display": "U"},
        urn: {"department": "D", "manager": {"value": "bulkId:u"}}});
    let operations = json!([{"method": "POST", "path": "/Users", "bulkId": "u", "data": {"name": "u", "friend": "bulkId:v"}},
        {"method": "POST", "path": "/Users", "bulkId": "v", "data": second}]);
    let mut execution = BulkExecution::new(parse(request(operations, None), LIMITS).unwrap());
    let mut calls = Vec::new();
    while let Some(ready) = execution.next_call() {
        let id = ready.call.id.clone().unwrap_or_else(|| format!("ID-{}", ready.call.data["name"].as_str().unwrap()));
        execution.succeeded(&ready, Success { status: 200, id, version: None });
        calls.push(ready.call.data);
    }
    assert_eq!(calls[0], json!({"name": "v", "friends": [{"value": "y"}], urn: {"department": "D"}}));
    assert_eq!(calls[1], json!({"name": "u", "friend": "ID-v"}));
    assert_eq!(
        calls[2]["Operations"][0]["value"],
        json!({"friends": [{"value": "ID-u"}], "boss": {"value": "ID-u", "display": "U"}, urn: {"manager": {"value": "ID-u"}}})
    );
}

#[test]
fn r04_what_depends_on_a_failure_fails() {
    let broken = json!({"method": "POST", "path": "/Users", "bulkId": "u", "data": {"fail": true}});
    let (response, store, _) = run(request(json!([post("g", &["bulkId:u"]), broken, post("h", &[])]), None));
    assert_eq!(statuses(&response), ["409", "400", "201"]);
    assert!(!store.contains_key("ID-g"));
}

#[test]
fn r06_limits_name_themselves() {
    let many = vec![json!({}); 2_001];
    let error = parse(request(many.into(), None), LIMITS).unwrap_err();
    assert_eq!(error.status, 413);
    assert!(error.detail.contains("maxOperations"));
    let error = check_size(LIMITS.bytes + 1, LIMITS).unwrap_err();
    assert!(error.status == 413 && error.detail.contains("maxPayloadSize"));
    assert!(check_size(LIMITS.bytes, LIMITS).is_ok());
}

#[test]
fn r04_a_chain_as_long_as_the_request() {
    let chain: Vec<Value> = (0..2_000)
        .map(|n| match n {
            1_999 => post("1999", &[]),
            n => post(&n.to_string(), &[&format!("bulkId:{}", n + 1)]),
        })
        .collect();
    let (response, store, order) = run(request(chain.into(), None));
    assert!(statuses(&response).iter().all(|s| *s == "201"));
    assert_eq!(order[0], "POST /Groups/ID-1999");
    assert_eq!(store["ID-0"]["members"][0]["value"], "ID-1");
}

proptest! {
    #[test]
    fn r07_any_web_of_groups_ends_as_it_was_written(edges in prop::collection::vec((0..8usize, 0..8usize), 0..24)) {
        let operations: Vec<Value> = (0..8).map(|n| {
            let members: Vec<String> = edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| format!("bulkId:{to}")).collect();
            post(&n.to_string(), &members.iter().map(String::as_str).collect::<Vec<_>>())
        }).collect();
        let (response, store, _) = run(request(operations.into(), None));
        prop_assert!(statuses(&response).iter().all(|s| *s == "201"));
        for n in 0..8 {
            let mut have: Vec<String> = store[&format!("ID-{n}")]["members"].as_array().unwrap().iter().map(|m| m["value"].as_str().unwrap().to_owned()).collect();
            let mut want: Vec<String> = edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| format!("ID-{to}")).collect();
            have.sort();
            want.sort();
            prop_assert_eq!(have, want);
        }
    }
}
