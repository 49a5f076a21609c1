//! Conditional requests (RFC 9110 §13.1): no condition that a verb can keep is ignored.
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::on_both;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn asked(scim: &Scim, method: &Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
    let mut request = scim.request(method.clone(), path).header("content-type", "application/scim+json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    scim.send(request.body(body.map_or_else(String::new, |body| body.to_string()))).await
}

on_both! {
    async fn every_verb_keeps_every_condition(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        for kind in ["/Users", "/Groups"] {
            let body = |name: &str| match kind {
                "/Users" => json!({"schemas": [USER], "userName": name}),
                _ => json!({"schemas": [GROUP], "displayName": name}),
            };
            let attribute = if kind == "/Users" { "userName" } else { "displayName" };
            let made = scim.post(kind, body("a")).await;
            let path = format!("{kind}/{}", made.id());
            let patch = |name: &str| json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": attribute, "value": name}]});
            let etag = async || scim.get(&path).await.header("etag").to_owned();
            let current = etag().await;
            let stale = "W/\"99\"";
            let two = format!("{stale}, {current}");
            // What is refused, by whichever verb.
            for headers in [
                vec![("if-none-match", "*")], vec![("if-none-match", current.as_str())], vec![("if-none-match", two.as_str())],
                vec![("if-match", stale)], vec![("if-match", current.as_str()), ("if-none-match", "*")],
                vec![("if-match", stale), ("if-none-match", stale)],
                vec![("if-none-match", stale), ("if-none-match", current.as_str())],
            ] {
                for (method, body) in [(Method::PUT, Some(body("b"))), (Method::PATCH, Some(patch("b"))), (Method::DELETE, None)] {
                    asked(&scim, &method, &path, &headers, body).await.refused(412, "");
                }
                assert_eq!(scim.get(&path).await.body, made.body, "nothing changed");
            }
            for (headers, status) in [
                (vec![("if-match", stale)], 412), (vec![("if-match", current.as_str())], 200), (vec![("if-match", "*")], 200),
                (vec![("if-none-match", stale)], 200), (vec![("if-none-match", "*")], 304), (vec![("if-none-match", current.as_str())], 304),
                (vec![("if-match", stale), ("if-none-match", "*")], 412),
                (vec![("if-match", stale), ("if-match", current.as_str())], 200),
            ] {
                assert_eq!(asked(&scim, &Method::GET, &path, &headers, None).await.status, status, "{headers:?}");
                let request = headers.iter().fold(scim.request(Method::HEAD, &path), |request, (name, value)| request.header(*name, *value));
                assert_eq!(request.send().await.unwrap().status(), status, "HEAD {headers:?}");
            }
            for odd in ["", "\"", "\u{e4}"] {
                for name in ["if-match", "if-none-match"] {
                    for method in [Method::GET, Method::PUT, Method::DELETE] {
                        let answer = asked(&scim, &method, &path, &[(name, odd)], Some(body("b"))).await;
                        assert_eq!(answer.status, 400, "{method} {name}: {odd:?}");
                    }
                }
            }
            // What is taken.
            let taken = asked(&scim, &Method::PUT, &path, &[("if-match", &current), ("if-none-match", stale)], Some(body("c"))).await;
            assert_eq!((taken.status, &taken.body[attribute]), (200, &json!("c")), "{taken:?}");
            let taken = asked(&scim, &Method::PATCH, &path, &[("if-none-match", &current)], Some(patch("d"))).await;
            assert!(taken.status < 300, "{taken:?}");
            // A create selects no representation of what it makes: there is nothing its conditions could be about.
            assert_eq!(asked(&scim, &Method::POST, kind, &[("if-none-match", "*"), ("if-match", "*")], Some(body("e"))).await.status, 201);
            // In bulk.
            let bulk = async |version: Value| {
                let operation = json!({"method": "PATCH", "path": path, "version": version, "data": patch("f")});
                let answer = scim.post("/Bulk", json!({"schemas": [BULK], "Operations": [operation]})).await;
                answer.body["Operations"][0]["status"].as_str().unwrap().to_owned()
            };
            for (version, status) in [(json!(stale), "412"), (json!(7), "400"), (json!(["W/\"1\""]), "400"), (json!({}), "400"), (json!("\""), "400")] {
                assert_eq!(bulk(version.clone()).await, status, "{version}");
            }
            assert_eq!(scim.get(&path).await.body[attribute], "d");
            assert_eq!(bulk(json!(etag().await)).await, "200");
            assert_eq!(bulk(Value::Null).await, "200");
        }
        app.stop().await;
    }
}
