//! A good token never hears that it is a bad one: at a paused connection every address answers 503, with Retry-After.
use reqwest::Method;
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::{App, Scim};
use crate::support::database::on_both;
use crate::support::world::World;

statements! {
    STATE = "UPDATE connections SET state = $2, version = version + 1 WHERE id = $1";
    COUNT = "SELECT COUNT(*) FROM external_users";
    MODE = "UPDATE directories SET mode = $2 WHERE id = $1";
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

on_both! {
    async fn every_verb_at_a_paused_connection_says_so(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let connection = world.connections[0];
        let scim = app.scim(db, &world, connection).await;
        let user = scim.user("ida").await.id();
        let wrong = Scim { token: format!("rcs_{}", "A".repeat(43)), ..scim.clone() };
        let elsewhere = Scim { base: scim.base.replace(&connection.connection().to_string(), &world.connections[1].connection().to_string()), ..scim.clone() };
        let (one, many) = (format!("/Users/{user}"), "/Users".to_owned());
        let calls = [
            (Method::GET, &many), (Method::POST, &many), (Method::GET, &one), (Method::PUT, &one), (Method::PATCH, &one),
            (Method::DELETE, &one), (Method::POST, &"/Users/.search".to_owned()), (Method::POST, &"/Bulk".to_owned()),
            (Method::GET, &"/Groups".to_owned()), (Method::GET, &"/Schemas".to_owned()), (Method::GET, &"/ResourceTypes".to_owned()),
            (Method::GET, &"/ServiceProviderConfig".to_owned()), (Method::GET, &"/Me".to_owned()), (Method::GET, &"/nothing".to_owned()),
            (Method::POST, &"/.search".to_owned()), (Method::GET, &String::new()),
        ];
        let body = json!({"schemas": [USER], "userName": "bo"});
        for round in 0..2 {
            db.execute(&STATE, binds![connection.connection(), "paused"]).await;
            for (method, path) in &calls {
                let answer = scim.send_body(method.clone(), path, body.clone()).await;
                answer.refused(503, "");
                assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{method} {path}: {answer:?}");
                assert!(answer.header("www-authenticate").is_empty());
                for other in [&wrong, &elsewhere] {
                    let answer = other.send_body(method.clone(), path, body.clone()).await;
                    answer.refused(401, "");
                    assert!(!answer.header("www-authenticate").is_empty() && answer.header("retry-after").is_empty());
                }
            }
            let head = scim.request(Method::HEAD, &one).send().await.unwrap();
            assert_eq!(head.status(), 503, "round {round}");
            db.execute(&STATE, binds![connection.connection(), "active"]).await;
            assert_eq!(scim.get(&one).await.status, 200, "nothing was changed");
        }
        let mut told = Vec::new();
        for _ in 0..100 {
            told = app.running.app().request_log.page(&connection, "connection is paused", None, 10).await.unwrap().0;
            if !told.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(told.iter().all(|line| line.status == 503 && line.token.is_some()) && !told.is_empty(), "{told:?}");
        app.stop().await;
    }

    async fn a_paused_directory_takes_nothing_for_now(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = format!("/Users/{}", scim.user("ida").await.id());
        db.execute(&MODE, binds![world.directory, "paused"]).await;
        let body = json!({"schemas": [USER], "userName": "bo"});
        for (method, path) in [(Method::POST, "/Users"), (Method::PUT, &user), (Method::PATCH, &user), (Method::POST, "/Groups"),
            (Method::POST, "/Bulk"), (Method::DELETE, &user)] {
            let answer = scim.send_body(method, path, body.clone()).await;
            answer.refused(503, "");
            assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
        }
        assert_eq!(scim.get(&user).await.status, 200, "it still tells what it has");
        app.stop().await;
    }

    async fn a_bulk_request_stops_where_its_connection_is_paused(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let connection = world.connections[0];
        let scim = app.scim(db, &world, connection).await;
        let operations: Vec<_> = (0..600).map(|n| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{n}"),
            "data": {"schemas": [USER], "userName": format!("u{n}")}})).collect();
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        let pause = async {
            while db.store.reader().await.unwrap().one(&COUNT, binds![], rolecall::store::first::<i64>).await.unwrap() < 5 {
                tokio::task::yield_now().await;
            }
            db.execute(&STATE, binds![connection.connection(), "paused"]).await;
        };
        let (answer, ()) = futures_util::join!(scim.post("/Bulk", bulk), pause);
        assert_eq!(answer.status, 200, "{answer:?}");
        let statuses: Vec<&str> = answer.body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert!(statuses.contains(&"503") && statuses.iter().all(|status| ["201", "503"].contains(status)), "{statuses:?}");
        app.stop().await;
    }
}
