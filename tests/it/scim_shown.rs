//! What an answer shows: the value in force, where it is, and of what is shown on request only what was asked or written.
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::support::database::on_both;
use crate::support::profile::set;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const HARBOR: &str = "urn:ietf:params:scim:schemas:extension:harbor:2.0:User";

on_both! {
    async fn a_removed_active_is_unassigned_and_the_value_in_force_is_found(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        for (name, active) in [("on", true), ("off", false)] {
            let user = scim.user(name).await.id();
            let path = format!("/Users/{user}");
            scim.patch(&path, json!([{"op": "replace", "path": "active", "value": active}])).await;
            let taken = scim.patch(&path, json!([{"op": "remove", "path": "active"}])).await;
            assert_eq!((taken.status, &taken.body["active"]), (200, &Value::Null), "what was removed is unassigned (RFC 7644 §3.5.2.2): {taken:?}");
            let replaced = scim.put(&path, json!({"schemas": [USER], "userName": name, "title": "T"})).await;
            assert_eq!(replaced.body["active"], Value::Null);
            assert_eq!(scim.get(&path).await.body["active"], Value::Null);
            assert_eq!(scim.get(&format!("{path}?attributes=active")).await.body["active"], Value::Null);
            for (filter, found) in [(format!("active eq {active}"), true), (format!("active eq {}", !active), false), ("active pr".to_owned(), true),
                ("active eq null".to_owned(), false)] {
                let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": format!("userName eq \"{name}\" and {filter}")});
                let answer = scim.post("/Users/.search", body).await;
                assert_eq!(answer.body["totalResults"] == 1, found, "{name}: {filter}");
                if found {
                    assert_eq!(answer.body["Resources"][0]["active"], Value::Null, "{filter}");
                }
            }
        }
        let listed = scim.get("/Users?sortBy=active").await;
        let order: Vec<&Value> = listed.body["Resources"].as_array().unwrap().iter().map(|user| &user["userName"]).collect();
        assert_eq!(order, [&json!("off"), &json!("on")], "sorted by the value in force");
        app.stop().await;
    }

    async fn every_answer_with_one_resource_says_where_it_is(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let told = |what: &str, answer: &Answer| {
            let location = answer.header("content-location");
            assert!(!location.is_empty() && answer.body["meta"]["location"] == location, "{what}: {answer:?}");
        };
        let member = scim.user("m").await.id();
        for (kind, body, patch) in [
            ("/Users", json!({"schemas": [USER], "userName": "a"}), json!([{"op": "replace", "path": "title", "value": "T"}])),
            ("/Groups", json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": member}]}), json!([{"op": "replace", "path": "externalId", "value": "7"}])),
        ] {
            let made = scim.post(kind, body.clone()).await;
            told("POST", &made);
            let path = format!("{kind}/{}", made.id());
            told("PUT", &scim.put(&path, body).await);
            told("PATCH", &scim.patch(&path, patch.clone()).await);
            told("GET", &scim.get(&path).await);
            let kept = scim.send(scim.request(Method::GET, &path).header("if-none-match", "*")).await;
            assert_eq!((kept.status, kept.header("content-location")), (304, format!("{}{path}", scim.base).as_str()));
            let dry = scim.request(Method::PATCH, &path).header("rolecall-dry-run", "true").header("content-type", "application/scim+json");
            let message = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": patch});
            assert_eq!(scim.send(dry.body(message.to_string())).await.header("content-location"), "", "that is no resource");
            assert_eq!(scim.get(kind).await.header("content-location"), "", "that is a list");
            assert_eq!(scim.delete(&path).await.header("content-location"), "");
        }
        // A group whose members are sent as they are read.
        let many: Vec<Value> = (0..1_001).map(|n| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{n}"), "data": {"schemas": [USER], "userName": format!("u{n}")}})).collect();
        let mut ids = Vec::new();
        for part in many.chunks(500) {
            let answer = scim.post("/Bulk", json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": part})).await;
            ids.extend(answer.body["Operations"].as_array().unwrap().iter().map(|one| json!({"value": one["location"].as_str().unwrap().rsplit('/').next().unwrap()})));
        }
        let large = scim.post("/Groups", json!({"schemas": [GROUP], "displayName": "L", "members": ids})).await;
        let read = scim.get(&format!("/Groups/{}", large.id())).await;
        assert_eq!(read.body["members"].as_array().unwrap().len(), 1_001);
        told("a large group", &read);
        app.stop().await;
    }

    async fn what_is_shown_on_request_comes_when_it_was_asked_for_or_written(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let part = |name: &str, returned: &str| json!({"name": name, "type": "string", "returned": returned});
        let card = |name: &str, many: bool| json!({"name": name, "type": "complex", "multiValued": many, "subAttributes": [
            part("note", "request"), part("name", "default"), part("kind", "always"), part("code", "never")]});
        let schema = json!({"id": HARBOR, "name": "Harbor", "attributes": [part("shy", "request"), card("card", false), card("cards", true)]});
        set(db, &world, "generic", json!({"schemas": [{"resource": "User", "schema": schema}]})).await;
        let whole = || json!({"note": "O", "name": "N", "kind": "K", "code": "C"});
        let said = json!({"shy": "S", "card": whole(), "cards": [whole()]});
        let user = scim.post("/Users", json!({"schemas": [USER, HARBOR], "userName": "a", HARBOR: said})).await;
        let shown = |answer: &Answer| {
            let mut names: Vec<String> = Vec::new();
            let extension = answer.body[HARBOR].as_object().cloned().unwrap_or_default();
            for (name, value) in &extension {
                match value.as_array().map_or(value, |items| &items[0]) {
                    Value::Object(parts) => names.extend(parts.keys().map(|part| format!("{name}.{part}"))),
                    _ => names.push(name.clone()),
                }
            }
            names.sort();
            names.join(" ")
        };
        let plain = "card.kind card.name cards.kind cards.name";
        assert_eq!(shown(&user), "card.kind card.name card.note cards.kind cards.name cards.note shy", "all of it was written");
        let path = format!("/Users/{}", user.id());
        assert_eq!(shown(&scim.get(&path).await), plain);
        let asked = |names: &str| format!("{path}?attributes={HARBOR}:{}", names.replace(' ', &format!(",{HARBOR}:")));
        assert_eq!(shown(&scim.get(&asked("shy")).await), "shy");
        assert_eq!(shown(&scim.get(&asked("card.note cards.note")).await), "card.kind card.note cards.kind cards.note");
        for (value, expected) in [
            (json!([{"op": "replace", "path": format!("{HARBOR}:card.name"), "value": "M"}]), plain.to_owned()),
            (json!([{"op": "replace", "path": format!("{HARBOR}:card"), "value": {"name": "M2"}}]), plain.to_owned()),
            (json!([{"op": "replace", "value": {HARBOR: {"card": {"name": "M3"}}}}]), plain.to_owned()),
            (json!([{"op": "replace", "path": format!("{HARBOR}:cards[kind eq \"K\"].name"), "value": "M4"}]), plain.to_owned()),
            (json!([{"op": "replace", "path": "title", "value": "T"}]), plain.to_owned()),
            (json!([{"op": "replace", "path": format!("{HARBOR}:card.note"), "value": "P"}]), "card.kind card.name card.note cards.kind cards.name".to_owned()),
            (json!([{"op": "replace", "path": format!("{HARBOR}:cards[kind eq \"K\"].note"), "value": "P"}]), "card.kind card.name cards.kind cards.name cards.note".to_owned()),
            (json!([{"op": "replace", "value": {HARBOR: {"card": {"note": "P2"}, "shy": "S2"}}}]), "card.kind card.name card.note cards.kind cards.name shy".to_owned()),
        ] {
            let answer = scim.patch(&path, value.clone()).await;
            assert_eq!(shown(&answer), expected, "{value}");
        }
        // A PUT that says it, and one that does not.
        let put = |said: Value| json!({"schemas": [USER, HARBOR], "userName": "a", HARBOR: said});
        assert_eq!(shown(&scim.put(&path, put(json!({"card": whole(), "cards": [{"name": "N", "kind": "K"}]}))).await), "card.kind card.name card.note cards.kind cards.name");

        let member = scim.user("m").await.id();
        let group = format!("/Groups/{}", scim.group("G", &[]).await.id());
        let keys = |answer: &Answer| {
            let mut keys: Vec<String> = answer.body["members"][0].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys.join(" ")
        };
        let quiet = keys(&scim.patch(&group, json!([{"op": "add", "path": "members", "value": [{"value": member}]}])).await);
        assert_eq!(quiet, "$ref type value", "nobody asked for more");
        assert_eq!(keys(&scim.get(&group).await), quiet);
        assert_eq!(keys(&scim.get(&format!("{group}?attributes=members.display")).await), "display");
        let put = json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": member}]});
        assert_eq!(keys(&scim.put(&group, put).await), quiet);
        app.stop().await;
    }
}
