//! Every address of the API: who is let in, what strangers and onlookers are told, and that it is described.
use std::collections::BTreeSet;

use reqwest::Method;
use rolecall::domain::capability::CoreCapability;
use rolecall::web::api;
use rolecall::web::routes::{self, RouteAccess, RouteSpec};
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::support::api::{Api, problem, sent};
use crate::support::database::on_both;
use crate::support::house::House;

/// A body each route accepts, so that what is refused is refused for who asks.
fn fitting(method: &str, path: &str) -> Option<Value> {
    if method == "PATCH" {
        return Some(json!({"matching_attribute": "userName"}));
    }
    if method != "POST" {
        return None;
    }
    Some(match path.rsplit('/').next().unwrap() {
        "suspend" => json!({"reason": "a test"}),
        "directories" => json!({"name": "Stolen"}),
        "connections" => json!({"kind": "scim", "slug": "stolen"}),
        "undo" => json!({"from": "2026-01-01T00:00:00Z"}),
        "confirm" | "refuse" => json!({"user": "01a200c3-0111-753b-8f53-ae56b6e37edf"}),
        "introduction" => json!({"mode": "authoritative", "plan_hash": "none"}),
        "confirmations" => json!({"users": []}),
        "oauth-clients" | "tokens" => json!({"name": "stolen"}),
        _ => return None,
    })
}

/// The routes below a thing of somebody, with their methods.
fn below_something() -> impl Iterator<Item = (&'static RouteSpec, &'static str)> {
    let entries = api::ROUTES.iter().filter(|entry| entry.access == RouteAccess::Token && entry.path.contains('{'));
    entries.flat_map(|entry| entry.methods().into_iter().map(move |method| (entry, method)))
}

/// The path about a thing of the house, and the same about nothing.
fn paths(house: &House, entry: &RouteSpec, user: &str) -> (String, String) {
    let none = "01a200c3-0111-753b-8f53-ae56b6e37edf";
    let path = entry.path.strip_prefix("/api/v1").unwrap();
    let first = path.split('/').nth(1).unwrap();
    let ours = match first {
        "partners" => house.reseller.to_string(),
        "users" => user.to_owned(),
        "directories" => house.directory.to_string(),
        "connections" => "acme".to_owned(),
        other => panic!("what is below {other}?"),
    };
    let nothing = if first == "connections" { "no-such-door" } else { none };
    let fill = |one: &str| {
        let placed = path.replacen("{id}", if first == "connections" { none } else { one }, 1);
        placed.replace("{slug}", one).replace("{stable_id}", "g")
    };
    (fill(&ours), fill(nothing))
}

async fn call(api: &Api<'_>, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = api.request(method.parse::<Method>().unwrap(), path);
    sent(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

on_both! {
    async fn what_belongs_to_others_answers_like_what_is_not_there(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let body_of_quay = json!({"parent": house.top, "name": "Quay", "level": "reseller", "kind": "department"});
        let quay = owner.post("/partners", body_of_quay).await.id();
        let user = house.user("Ida").await;
        let stranger = house.user("Sten Stranger").await;
        house.grant(stranger, CoreCapability::ALL, "subtree", quay.parse().unwrap()).await;
        let stranger = Api::of(&app, &house, stranger, house.reseller).await;
        for (entry, method) in below_something() {
            let (ours, nothing) = paths(&house, entry, &user.to_string());
            let theirs = call(&stranger, method, &ours, fitting(method, entry.path)).await;
            let nobodys = call(&stranger, method, &nothing, fitting(method, entry.path)).await;
            problem(&theirs, 404, "");
            assert_eq!(theirs.body, nobodys.body, "{method} {ours}");
        }
        let seen: Vec<_> = stranger.all("/partners", 10).await.iter().map(|one| one["id"].clone()).collect();
        assert_eq!(seen, [json!(quay)], "a list shows only what is seen");
        assert_eq!(house.events("directory.created").await + house.events("connection_token.created").await, 0);
        app.stop().await;
    }

    async fn who_sees_but_may_not_is_told_why(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let user = house.user("Ida").await;
        let viewer = house.user("Viola Viewer").await;
        house.grant(viewer, &[CoreCapability::PartnerView], "subtree", house.reseller).await;
        let viewer = Api::of(&app, &house, viewer, house.reseller).await;
        for (entry, method) in below_something() {
            if entry.path == "/api/v1/partners/{id}" {
                continue;
            }
            let (ours, _) = paths(&house, entry, &user.to_string());
            let refused = call(&viewer, method, &ours, fitting(method, entry.path)).await;
            problem(&refused, 403, "No grant of the user carries the capability");
            assert!(refused.body["detail"].as_str().unwrap().contains("core."), "{refused:?}");
        }
        let parent = json!({"parent": house.reseller, "name": "Quay", "level": "reseller", "kind": "department"});
        problem(&viewer.post("/partners", parent).await, 403, "core.partner.add");
        assert_eq!(viewer.get(&format!("/partners/{}", house.reseller)).await.status, 200);
        app.stop().await;
    }

    async fn a_token_counts_as_long_as_its_user_does(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let helper = house.user("Hedda Helper").await;
        house.grant(helper, CoreCapability::ALL, "subtree", house.reseller).await;
        let api = Api::of(&app, &house, helper, house.reseller).await;
        assert_eq!(api.get("/partners").await.status, 200);
        house.suspend_user(helper).await;
        let refused = api.get("/partners").await;
        problem(&refused, 401, "token");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        app.stop().await;
    }

    async fn nobody_starves_the_others(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| {
            config.api.requests_per_second = 1;
            config.api.burst = 3;
        })
        .await;
        let owner = Api::owner(&app, &house).await;
        let mut refused = None;
        for _ in 0..8 {
            let answer = owner.get("/partners").await;
            if answer.status == 429 {
                refused = Some(answer);
            }
        }
        let refused = refused.expect("the fourth request within a second is too many");
        problem(&refused, 429, "Retry-After");
        assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
        let other = house.user("Ida").await;
        assert_eq!(Api::of(&app, &house, other, house.reseller).await.get("/partners").await.status, 200);
        app.stop().await;
    }

    async fn bad_bodies_are_named_and_change_nothing(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let api = Api::owner(&app, &house).await;
        let path = format!("/partners/{}/directories", house.reseller);
        problem(&api.post(&path, json!({"name": "AD", "colour": "red"})).await, 400, "unknown field `colour`");
        problem(&api.post(&path, json!({"name": 5})).await, 400, "`name`: invalid type");
        problem(&api.post(&path, json!({"name": "AD", "mode": "loud"})).await, 400, "`mode`: unknown variant");
        problem(&api.post(&path, json!({})).await, 400, "missing field `name`");
        problem(&api.post(&path, json!({"name": "  "})).await, 400, "`name`");
        problem(&api.post(&path, json!({"name": "a\u{0}b"})).await, 400, "one line");
        problem(&api.post(&path, json!([])).await, 400, "The body");
        let raw = |text: &str, kind: &str| {
            sent(api.request(Method::POST, &path).header("content-type", kind).body(text.to_owned()))
        };
        problem(&raw("{\"name\": ", "application/json").await, 400, "not JSON");
        problem(&raw("{\"name\": \"a\"} x", "application/json").await, 400, "goes on");
        problem(&raw("", "application/json").await, 400, "empty");
        problem(&raw("name=AD", "application/x-www-form-urlencoded").await, 415, "application/json");
        let large = format!("{{\"name\": \"{}\"}}", "x".repeat(2 << 20));
        problem(&raw(&large, "application/json").await, 413, "larger");
        problem(&api.get("/partners?colour=red").await, 400, "`colour`");
        problem(&api.get("/partners?limit=0").await, 400, "`limit`");
        problem(&api.get("/partners?after=nonsense").await, 400, "`after`");
        problem(&api.get("/partners/not-an-id").await, 404, "");
        problem(&api.get("/connections/%00").await, 400, "UTF-8");
        problem(&api.get("/connections/acme/external-groups/%00/members").await, 400, "UTF-8");
        problem(&api.get("/connections/acme/external-groups/%00/effective-members").await, 400, "UTF-8");
        let refused = sent(api.request(Method::PUT, "/partners")).await;
        problem(&refused, 405, "Allow");
        assert_eq!(refused.header("allow"), "GET, HEAD, POST");
        assert_eq!(api.get(&path).await.body["items"].as_array().unwrap().len(), 1, "nothing was made");
        app.stop().await;
    }

    async fn the_reference_is_for_programs_and_users(db: &Database) {
        let app = App::start(db).await;
        let description: Value = app.get("/api/v1/openapi.json").await.json().await.unwrap();
        assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(description["servers"][0]["url"], app.base);
        let page = app.get("/api/v1/docs").await;
        assert_eq!(page.status(), 200);
        let text = page.text().await.unwrap();
        for (path, _) in description["paths"].as_object().unwrap() {
            assert!(text.contains(path), "{path} is not on the page");
        }
        for outside in ["src=\"http", "href=\"http", "@import"] {
            assert!(!text.contains(outside), "the page needs nothing from elsewhere");
        }
        app.stop().await;
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described = serde_json::to_value(api::openapi::document()).unwrap();
    let mut in_description = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            in_description.insert((path.clone(), method.to_uppercase()));
            let says = operation["summary"].as_str().unwrap_or_default();
            assert!(says.len() > 10, "{method} {path} says nothing");
            let named: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let described = parameters.filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap());
            assert_eq!(described.collect::<BTreeSet<_>>(), named, "{method} {path}");
        }
    }
    let mut served = BTreeSet::new();
    for entry in routes::all().filter(|entry| entry.path.starts_with("/api/v1")) {
        served.extend(entry.methods().into_iter().map(|method| (entry.path.to_owned(), method.to_owned())));
    }
    let missing: Vec<_> = served.difference(&in_description).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
    let invented: Vec<_> = in_description.difference(&served).collect();
    assert!(invented.is_empty(), "described, and not there: {invented:?}");
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(to)) = members.get("$ref") {
                    found.insert(to.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let described = serde_json::to_value(api::openapi::document()).unwrap();
    let mut found = BTreeSet::new();
    references(&described, &mut found);
    assert!(found.len() > 10);
    for to in found {
        assert!(described.pointer(to.trim_start_matches('#')).is_some(), "{to}");
    }
}
