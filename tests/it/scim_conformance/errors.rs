//! 1.F and 1.G: HTTP, errors, authentication.
use reqwest::Method;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::tokens;
use rolecall::{binds, statements};
use serde_json::json;

use super::ground::{escaped, user_body};
use super::{PATCH, Stand, USER, rows};
use crate::app::{App, Scim, new_token};

statements! {
    HASHES = "SELECT hash, prefix FROM connection_tokens WHERE connection_id = $1";
}

rows! {
    async fn f01_both_media_types_in_and_out(at: &Stand) {
        for (number, (sent, wanted, got)) in [
            ("application/scim+json", "application/scim+json", "application/scim+json"),
            ("application/json", "application/json", "application/json"),
            ("application/json; charset=utf-8", "application/scim+json", "application/scim+json"),
            ("application/scim+json;charset=UTF-8", "*/*", "application/scim+json"),
        ].into_iter().enumerate() {
            let name = format!("🦊 עברית {number}");
            let request = at.request(Method::POST, "/Users").header("content-type", sent).header("accept", wanted);
            let made = at.send(request.body(user_body(&name, json!({})).to_string())).await;
            assert_eq!((made.status, made.header("content-type")), (201, got), "{made:?}");
            assert_eq!(made.body["userName"], name);
        }
    }

    async fn f02_every_error_has_the_same_form(at: &Stand) {
        let stranger = Scim { token: "rcs_wrong".to_owned(), ..at.scim.clone() };
        stranger.get("/Users").await.refused(401, "");
        stranger.get("/Nowhere").await.refused(401, "");
        at.get("/Nowhere").await.refused(404, "");
        at.get("/Users/nobody").await.refused(404, "");
        at.delete("/Users").await.refused(405, "");
        at.send(at.request(Method::POST, "/Users").header("content-type", "text/plain").body("x")).await.refused(415, "");
        at.send(at.request(Method::POST, "/Users").header("content-type", "application/json").body("{")).await.refused(400, "invalidSyntax");
        let large = format!("{{\"userName\":\"{}\"}}", "x".repeat(2 << 20));
        at.send(at.request(Method::POST, "/Users").header("content-type", "application/json").body(large)).await.refused(413, "");
    }

    async fn f03_each_keyword_has_its_case(at: &Stand) {
        let ida = at.user("ida").await.id();
        let path = format!("/Users/{ida}");
        at.get("/Users?filter=x").await.refused(400, "invalidFilter");
        at.post("/Users", user_body("ida", json!({}))).await.refused(409, "uniqueness");
        at.op(&path, "replace", "id", json!("x")).await.refused(400, "mutability");
        at.post("/Users", json!({"userName": "x"})).await.refused(400, "invalidSyntax");
        at.op(&path, "replace", "emails[", json!("x")).await.refused(400, "invalidPath");
        at.op(&path, "remove", "", json!(null)).await.refused(400, "noTarget");
        at.op(&path, "replace", "active", json!("x")).await.refused(400, "invalidValue");
        at.get("/Users?cursor=x").await.refused(400, "invalidCursor");
        at.get("/Users?cursor=&count=99999").await.refused(400, "invalidCount");
        Scim { base: at.base.replace("/v2", "/v1"), ..at.scim.clone() }.get("/Users").await.refused(400, "invalidVers");
    }

    async fn f04_what_is_not_offered_is_501(at: &Stand) {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::POST] {
            at.send_body(method, "/Me", json!({})).await.refused(501, "");
        }
    }

    async fn f05_the_version_stands_in_the_address(at: &Stand) {
        assert_eq!(at.get("/Users").await.status, 200);
        for (segment, status, keyword) in [("/v3", 400, "invalidVers"), ("/v1", 400, "invalidVers"), ("", 404, "")] {
            let other = Scim { base: at.base.replace("/v2", segment), ..at.scim.clone() };
            other.get("/Users").await.refused(status, keyword);
        }
    }

    async fn f06_odd_addresses_are_understood(at: &Stand) {
        at.user("ida@harbor.example").await;
        for odd in ["/Users/", "/Users?", "/Users?&", "//Users", "/Users?filter=userName+eq+%22ida%40harbor.example%22&",
            "/Users?filter=userName%20eq%20%22ida@harbor.example%22", "/Users?&&count=5&"] {
            let answer = at.get(odd).await;
            assert_eq!((answer.status, answer.body["totalResults"].as_i64()), (200, Some(1)), "{odd}: {answer:?}");
        }
    }

    async fn x03_bodies_from_hell_are_refused(at: &Stand) {
        let kept = at.user("ida").await;
        let path = format!("/Users/{}", kept.id());
        let wide = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"w\",\"emails\":[{}]}}",
            vec!["{\"value\":\"x\"}"; 30_000].join(","));
        let keys = format!("{{{}}}", (0..50_000).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(","));
        let objects = "{\"a\":".repeat(10_000);
        let brackets = format!("{{\"schemas\":[\"{PATCH}\"],\"Operations\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let numbers = format!("{{\"schemas\":[\"{USER}\"],\"userName\":{}}}", "9".repeat(100_000));
        let mut bodies: Vec<Vec<u8>> = [wide, keys, objects, brackets, numbers].map(String::into_bytes).into();
        bodies.push(format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"x\\ud800\"}}").into_bytes());
        bodies.push(b"\xef\xbb\xbf{}".to_vec());
        bodies.push(b"\xff\xfe{\x00}\x00".to_vec());
        bodies.push((0..=255).collect());
        bodies.push(b"{\"schemas\":[\"x\"]}garbage".to_vec());
        bodies.push(format!("{{\"schemas\":[\"{USER}\"],\"Schemas\":[\"{USER}\"],\"userName\":\"x\",\"username\":\"y\"}}").into_bytes());
        for (number, body) in bodies.into_iter().enumerate() {
            for (method, path) in [(Method::POST, "/Users"), (Method::PUT, path.as_str()), (Method::PATCH, path.as_str()),
                (Method::POST, "/Bulk"), (Method::POST, "/Users/.search")] {
                let request = at.request(method.clone(), path).header("content-type", "application/scim+json");
                let answer = at.send(request.body(body.clone())).await;
                assert!([400, 413].contains(&answer.status), "{number} {method} {path}: {answer:?}");
                assert_eq!(answer.body["status"], answer.status.to_string(), "{answer:?}");
            }
        }
        assert_eq!(at.get(&path).await.body, kept.body);
        assert_eq!(at.get("/Users").await.body["totalResults"], 1);
    }

    async fn x04_headers_and_addresses_from_hell_are_refused(at: &Stand) {
        let huge = at.request(Method::GET, "/Users").header("x-filler", "x".repeat(60_000));
        assert_eq!(huge.send().await.unwrap().status(), 431);
        for odd in ["/Users/%00", "/Users/%ff%fe", "/Users/..%2f..%2fUsers", "/Users/%F0%9F%92%A9", "/Users?filter=%ff%fe",
            "/Users?filter=%00", "/Users?sortBy=%00", "/Users?count=1&count=2", "/Users?attributes=%00&cursor=%ff"] {
            let answer = at.send(at.request(Method::GET, odd)).await;
            assert!(answer.status < 500, "{odd}: {answer:?}");
            if answer.status >= 400 {
                assert_eq!(answer.body["status"], answer.status.to_string(), "{odd}");
            }
        }
        let long = "x".repeat(20_000);
        let refused = at.get(&format!("/Users?filter={}", escaped(&format!("userName eq \"{long}\"")))).await;
        assert!(refused.status >= 400 && refused.status < 500, "{refused:?}");
    }

    async fn g01_a_refused_token_is_challenged(at: &Stand) {
        let past = Clock.ctx(Actor::System).now().plus_seconds(-1);
        let expired = new_token(&at.ground.db, &at.world, at.world.connections[0], Some(past)).await;
        for token in ["x", "rcs_", expired.as_str()] {
            let refused = Scim { token: token.to_owned(), ..at.scim.clone() }.get("/Users").await;
            refused.refused(401, "");
            assert!(refused.header("www-authenticate").starts_with("Bearer "), "{refused:?}");
        }
        for header in ["", "Bearer", "Basic eDp5", "Bearer  "] {
            let bare = at.client.get(format!("{}/Users", at.base)).header("authorization", header).send().await.unwrap();
            assert_eq!(bare.status(), 401);
            assert!(bare.headers().contains_key("www-authenticate"));
        }
    }

    async fn g02_tokens_are_long_and_can_end(at: &Stand) {
        assert!(at.token.len() >= 40);
        let soon = Clock.ctx(Actor::System).now().plus_seconds(60);
        new_token(&at.ground.db, &at.world, at.world.connections[0], Some(soon)).await;
        let extent = OperatorExtent::assume().at(at.world.partner);
        let mut reader = at.ground.db.store.reader().await.unwrap();
        let listed = tokens::list(&mut reader, &extent, at.world.connections[0].connection()).await.unwrap();
        assert!(listed.iter().any(|token| token.expires_at == Some(soon)));
        let past = Clock.ctx(Actor::System).now().plus_seconds(-1);
        let ended = new_token(&at.ground.db, &at.world, at.world.connections[0], Some(past)).await;
        Scim { token: ended, ..at.scim.clone() }.get("/Users").await.refused(401, "");
    }

    async fn g03_personal_data_can_be_kept_out_of_addresses(at: &Stand) {
        at.user("ida").await;
        assert_eq!(at.find("userName eq \"ida\"").await, ["ida"]);
        at.settings("generic", json!({"switches": {"sensitive_filters": true}})).await;
        at.get(&format!("/Users?filter={}", escaped("userName eq \"ida\""))).await.refused(403, "sensitive");
        at.get(&format!("/Users?filter={}", escaped("active eq true and emails co \"x\""))).await.refused(403, "sensitive");
        assert_eq!(at.count("/Users", "active eq true").await, 1);
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName eq \"ida\""});
        assert_eq!(at.post("/Users/.search", body).await.body["totalResults"], 1);
    }

    async fn g04_tokens_are_not_stored(at: &Stand) {
        let connection = at.world.connections[0].connection();
        let mut reader = at.ground.db.store.reader().await.unwrap();
        let read = |row: &rolecall::store::Row| Ok((row.get::<Vec<u8>>("hash")?, row.get::<String>("prefix")?));
        let stored = reader.all(&HASHES, binds![connection], read).await.unwrap();
        assert_eq!(stored.len(), 1);
        for (hash, prefix) in stored {
            assert_eq!(hash.len(), 32);
            assert!(!at.token.as_bytes().windows(32).any(|part| part == hash), "a part of the token instead of its hash");
            assert!(at.token.starts_with(&prefix) && prefix.len() < 12 && at.token.len() > 40, "{prefix}");
        }
    }

    async fn g05_tokens_overlap(at: &Stand) {
        let second = Scim { token: new_token(&at.ground.db, &at.world, at.world.connections[0], None).await, ..at.scim.clone() };
        assert_eq!((at.get("/Users").await.status, second.get("/Users").await.status), (200, 200));
        let extent = OperatorExtent::assume().at(at.world.partner);
        let connection = at.world.connections[0].connection();
        let first = tokens::list(&mut at.ground.db.store.reader().await.unwrap(), &extent, connection).await.unwrap()[0].clone();
        let now = Clock.ctx(Actor::System).now();
        at.ground.db.store.write(async |tx: &mut rolecall::store::Tx| tokens::revoke(tx, &extent, first.id, now).await).await.unwrap();
        at.get("/Users").await.refused(401, "");
        assert_eq!(second.get("/Users").await.status, 200);
    }

    async fn u01_a_token_opens_its_own_connection(at: &Stand) {
        let mine = at.user("ida").await.id();
        let neighbour = at.neighbour().await;
        let wrong = Scim { base: neighbour.base.clone(), ..at.scim.clone() };
        wrong.get("/Users").await.refused(401, "");
        wrong.post("/Users", user_body("x", json!({}))).await.refused(401, "");
        neighbour.get(&format!("/Users/{mine}")).await.refused(404, "");
        neighbour.put(&format!("/Users/{mine}"), user_body("x", json!({}))).await.refused(404, "");
        neighbour.delete(&format!("/Users/{mine}")).await.refused(404, "");
        let group = neighbour.group("g", &[]).await.id();
        let added = json!([{"op": "add", "path": "members", "value": [{"value": mine}]}]);
        let answer = neighbour.patch(&format!("/Groups/{group}"), added).await;
        assert!(answer.body.get("members").is_none(), "{answer:?}");
        assert_eq!(neighbour.get("/Users").await.body["totalResults"], 0);
    }

    async fn u02_external_ids_are_judged_inside_a_connection(at: &Stand) {
        let neighbour = at.neighbour().await;
        let stranger = at.ground.app.scim(&at.ground.db, &at.world, at.world.stranger).await;
        for scim in [&at.scim, &neighbour, &stranger] {
            assert_eq!(scim.post("/Users", user_body("ida", json!({"externalId": "e7"}))).await.status, 201);
            let found = scim.get(&format!("/Users?filter={}", escaped("externalId eq \"e7\""))).await;
            assert_eq!(found.body["totalResults"], 1);
        }
    }

    async fn u03_connections_cannot_be_guessed(at: &Stand) {
        let there = Scim { token: "rcs_x".to_owned(), ..at.scim.clone() };
        let real = there.get("/Users").await;
        let base = format!("{}/scim/nowhere/v2", at.ground.app.base);
        let nowhere = Scim { base, ..there.clone() }.get("/Users").await;
        assert_eq!((real.status, &real.body), (nowhere.status, &nowhere.body));
        assert_eq!(real.header("www-authenticate"), nowhere.header("www-authenticate"));
        let app = App::start_with(&at.ground.db, |config| config.scim.public_discovery = true).await;
        for slug in [at.world.connections[0].connection().to_string(), "nowhere".to_owned()] {
            let answer = app.get(&format!("/scim/{slug}/v2/Schemas")).await;
            assert_eq!(answer.status(), 200);
        }
        app.stop().await;
    }
}
