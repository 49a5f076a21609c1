//! Two servers on one PostgreSQL: nothing is lost between them, and what is taken away is gone on both.
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Tx, tokens};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::App;
use crate::support::database::Database;
use crate::support::world::World;

statements! {
    PROFILE = "UPDATE connections SET profile = $2, version = version + 1 WHERE id = $1";
    STATE = "UPDATE connections SET state = $2, version = version + 1 WHERE id = $1";
    MODE = "UPDATE directories SET mode = $2 WHERE id = $1";
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_lose_nothing_and_forget_at_once() {
    let db = Database::postgres().await;
    let world = World::new(&db.store).await;
    let first = App::start(&db).await;
    let (second, store) = App::second(&db).await;
    let here = first.scim(&db, &world, world.connections[0]).await;
    let there = here.at(&second);

    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "same"});
    let both = (0..32).flat_map(|_| [here.post("/Users", body.clone()), there.post("/Users", body.clone())]);
    let answers = futures_util::future::join_all(both).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)), "{answers:?}");

    let mut users = Vec::new();
    for number in 0..32 {
        users.push(here.user(&format!("user{number}")).await.id());
    }
    let path = format!("/Groups/{}", here.group("Operators", &[]).await.id());
    let adds = users.iter().enumerate().map(|(number, user)| {
        let node = if number % 2 == 0 { &here } else { &there };
        node.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": user}]}]))
    });
    for answer in futures_util::future::join_all(adds).await {
        assert!([200, 204].contains(&answer.status), "{answer:?}");
    }
    let members = there.get(&path).await.body["members"].as_array().unwrap().len();
    assert_eq!(members, 32);

    let at = OperatorExtent::assume().at(world.partner);
    let listed =
        tokens::list(&mut db.store.reader().await.unwrap(), &at, world.connections[0].connection()).await.unwrap();
    assert_eq!(there.get("/Users?count=0").await.status, 200);
    let revoke = async |tx: &mut Tx| tokens::revoke(tx, &at, listed[0].id, listed[0].created_at).await;
    db.store.write(revoke).await.unwrap();
    there.get("/Users?count=0").await.refused(401, "");

    first.stop().await;
    second.stop().await;
    store.close().await;
    db.remove().await;
}

/// Neither server remembers what the other has changed: the very next request says so, whatever was asked before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_changes_the_other_obeys_with_its_next_request() {
    let db = Database::postgres().await;
    let world = World::new(&db.store).await;
    let first = App::start(&db).await;
    let (second, store) = App::second(&db).await;
    let (connection, at) = (world.connections[0], OperatorExtent::assume().at(world.partner));
    for round in 0..5 {
        let here = first.scim(&db, &world, connection).await;
        let there = here.at(&second);
        for _ in 0..2 {
            assert_eq!((here.get("/Users").await.status, there.get("/Users").await.status), (200, 200));
        }
        let loose = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("u{round}"), "shoeSize": 42});
        db.execute(&PROFILE, binds![connection.connection(), "strict"]).await;
        assert_eq!(there.post("/Users", loose.clone()).await.status, 400, "the other profile");
        db.execute(&PROFILE, binds![connection.connection(), "generic"]).await;
        assert_eq!(there.post("/Users", loose).await.status, 201);
        db.execute(&MODE, binds![world.directory, "paused"]).await;
        there.post("/Groups", json!({})).await.refused(503, "");
        db.execute(&MODE, binds![world.directory, "authoritative"]).await;
        db.execute(&STATE, binds![connection.connection(), "paused"]).await;
        there.get("/Users").await.refused(503, "");
        db.execute(&STATE, binds![connection.connection(), "active"]).await;
        assert_eq!(there.get("/Users").await.status, 200);

        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, connection.connection()).await.unwrap();
        let newest = listed.last().unwrap().clone();
        let revoke = async |tx: &mut Tx| tokens::revoke(tx, &at, newest.id, newest.created_at).await;
        db.store.write(revoke).await.unwrap();
        there.get("/Users").await.refused(401, "");
        here.get("/Users").await.refused(401, "");
    }
    first.stop().await;
    second.stop().await;
    store.close().await;
    db.remove().await;
}
