//! Bad input at the SCIM connection: a clear error in the right form, nothing changed, and the server goes on.
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{App, Scim};
use crate::support::database::on_both;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

on_both! {
    async fn bodies_that_cannot_be_used_change_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let kept = scim.user("ida@harbor.example").await;
        let path = format!("/Users/{}", kept.id());
        let deep = format!("{{\"schemas\":{}", "[".repeat(10_000));
        let twice = format!(r#"{{"schemas":["{USER}"],"userName":"a","userName":"b"}}"#);
        let nul = format!(r#"{{"schemas":["{USER}"],"userName":"a\u0000b"}}"#);
        let malformed: [&[u8]; 9] = [b"", b"{", b"{}", b"[]", b"null", deep.as_bytes(), twice.as_bytes(), nul.as_bytes(),
            b"{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"\xff\xfe\"}"];
        for body in malformed {
            for (method, path) in [(Method::POST, "/Users"), (Method::PUT, path.as_str()), (Method::PATCH, path.as_str())] {
                let request = scim.request(method.clone(), path).header("content-type", "application/scim+json");
                let refused = scim.send(request.body(body.to_vec())).await;
                assert!(refused.status == 400, "{method} {:?}: {refused:?}", String::from_utf8_lossy(&body[..body.len().min(80)]));
                refused.refused(400, "invalidSyntax");
            }
        }
        for (body, keyword) in [
            (json!({"schemas": [USER]}), "invalidValue"),
            (json!({"schemas": [USER], "userName": ""}), "invalidValue"),
            (json!({"schemas": [USER], "userName": 7}), "invalidValue"),
            (json!({"schemas": [USER], "userName": "x", "emails": "x@y"}), "invalidValue"),
            (json!({"schemas": [USER], "userName": "x", "name": {"givenName": {"a": 1}}}), "invalidValue"),
            (json!({"userName": "x"}), "invalidSyntax"),
        ] {
            scim.post("/Users", body).await.refused(400, keyword);
        }
        for (operations, keyword) in [
            (json!([]), "invalidSyntax"),
            (json!([{"op": "move", "path": "title"}]), "invalidSyntax"),
            (json!([{"op": "replace", "path": "emails[", "value": "x"}]), "invalidPath"),
            (json!([{"op": "remove"}]), "noTarget"),
            (json!([{"op": "remove", "path": "userName"}]), "mutability"),
            (json!([{"op": "replace", "path": "meta.created", "value": "x"}]), "mutability"),
            (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), "invalidValue"),
        ] {
            scim.patch(&path, operations).await.refused(400, keyword);
        }
        assert_eq!(scim.get(&path).await.body, kept.body);
        assert_eq!(scim.get("/Users").await.body["totalResults"], 1);
        app.stop().await;
    }
}

on_both! {
    async fn media_types_methods_and_addresses(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let body = json!({"schemas": [USER], "userName": "émile 🦊 עברית"}).to_string();
        for wrong in ["text/xml", "application/x-www-form-urlencoded", "application/scim+json; charset=latin1"] {
            let request = scim.request(Method::POST, "/Users").header("content-type", wrong).body(body.clone());
            scim.send(request).await.refused(415, "");
        }
        let zipped = scim.request(Method::POST, "/Users").header("content-encoding", "br").body(body.clone());
        scim.send(zipped).await.refused(415, "");
        let plain = scim.request(Method::POST, "/Users//").header("content-type", "application/json; charset=UTF-8")
            .header("accept", "application/json").body(body);
        let made = scim.send(plain).await;
        assert_eq!((made.status, made.header("content-type")), (201, "application/json"), "{made:?}");
        assert_eq!(made.body["userName"], "émile 🦊 עברית");

        scim.send(scim.request(Method::PUT, "/Users")).await.refused(405, "");
        scim.get("/Nothing").await.refused(404, "");
        scim.get("/Users/not-an-id").await.refused(404, "");
        scim.get("/Users/x/y").await.refused(404, "");
        let v3 = Scim { base: scim.base.replace("/v2", "/v3"), ..scim.clone() };
        v3.get("/Users").await.refused(400, "invalidVers");
        let bare = Scim { base: scim.base.replace("/v2", ""), ..scim.clone() };
        bare.get("/Users").await.refused(404, "");
        let odd = Scim { base: scim.base.replace("/v2", "//v2/"), ..scim.clone() };
        assert_eq!(odd.get("/Users/?").await.status, 200);
        app.stop().await;
    }
}

on_both! {
    async fn bodies_beyond_the_limit_are_refused_before_they_end(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| {
            config.server.limits.max_body_bytes = 10_000;
            config.server.limits.body_timeout_seconds = 1;
        })
        .await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let large = json!({"schemas": [USER], "userName": "x".repeat(20_000)});
        scim.post("/Users", large).await.refused(413, "");

        // Told by its length, and told while it comes: the answer does not wait for the rest.
        for length in ["content-length: 5000000\r\n\r\n", "transfer-encoding: chunked\r\n\r\n"] {
            let mut socket = begin(&app, &scim, length).await;
            let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
            let _refused_early = socket.write_all(chunk.as_bytes()).await;
            let answer = answer(&mut socket).await;
            assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("messages:2.0:Error"), "{answer}");
        }
        let mut socket = begin(&app, &scim, "content-length: 100\r\n\r\n{\"schemas\"").await;
        let slow = tokio::time::timeout(Duration::from_secs(8), answer(&mut socket)).await.unwrap();
        assert!(slow.starts_with("HTTP/1.1 408") && slow.contains("messages:2.0:Error"), "{slow}");

        assert_eq!(scim.get("/Users").await.body["totalResults"], 0);
        app.stop().await;
    }
}

on_both! {
    async fn sixty_four_equal_posts_make_one_user(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let body = json!({"schemas": [USER], "userName": "ida@harbor.example"});
        let all = futures_util::future::join_all((0..64).map(|_| scim.post("/Users", body.clone()))).await;
        assert_eq!(all.iter().filter(|answer| answer.status == 201).count(), 1);
        for refused in all.iter().filter(|answer| answer.status != 201) {
            refused.refused(409, "uniqueness");
        }
        assert_eq!(scim.get("/Users").await.body["totalResults"], 1);
        app.stop().await;
    }
}

on_both! {
    async fn a_dry_run_says_what_would_be_and_changes_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let ida = scim.user("ida@harbor.example").await;
        let path = format!("/Users/{}", ida.id());
        let dry = |method: Method, path: &str, body: serde_json::Value| {
            let request = scim.request(method, path).header("rolecall-dry-run", "true");
            scim.send(request.header("content-type", "application/json").body(body.to_string()))
        };
        let unclear = scim.request(Method::DELETE, &path).header("rolecall-dry-run", "yes");
        scim.send(unclear).await.refused(400, "");
        let created = dry(Method::POST, "/Users", json!({"schemas": [USER], "userName": "bo"})).await;
        assert_eq!((created.status, created.header("rolecall-dry-run")), (200, "true"), "{created:?}");
        assert_eq!((created.body["status"].as_str(), created.body["changed"].as_bool()), (Some("201"), Some(true)));
        assert_eq!(created.body["effect"]["users"][0]["change"], "created");
        assert_eq!(created.body["resource"]["userName"], "bo");
        dry(Method::POST, "/Users", json!({"schemas": [USER], "userName": "IDA@harbor.example"})).await.refused(409, "uniqueness");
        let off = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "active", "value": false}]});
        let switched = dry(Method::PATCH, &path, off).await;
        assert_eq!(switched.body["effect"]["users"][0]["change"], "suspended", "{switched:?}");
        assert_eq!(dry(Method::DELETE, &path, json!({})).await.body["status"], "204");
        let bulk = dry(Method::POST, "/Bulk", json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "DELETE", "path": path}, {"method": "DELETE", "path": path}]})).await;
        let statuses: Vec<_> = bulk.body["resource"]["Operations"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
        assert_eq!(statuses, ["204", "404"], "{bulk:?}");
        assert_eq!(scim.get(&path).await.body, ida.body);
        assert_eq!(scim.get("/Users").await.body["totalResults"], 1);
        app.stop().await;
    }
}

/// The head of a POST to /Users, and what follows it.
async fn begin(app: &App, scim: &Scim, rest: &str) -> TcpStream {
    let path = scim.base.strip_prefix(&app.base).unwrap();
    let head = format!(
        "POST {path}/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{rest}",
        scim.token
    );
    let mut socket = TcpStream::connect(app.running.address()).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn answer(socket: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let count = socket.read(&mut bytes).await.unwrap_or(0);
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
