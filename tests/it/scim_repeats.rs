//! A provider that repeats a create, because it did not hear the answer, finds one of it.
use std::collections::BTreeMap;

use futures_util::future::join_all;
use rolecall::scim::profile::ClientProfile;
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

statements! {
    PROFILE = "UPDATE connections SET profile = $2, version = version + 1 WHERE id = $1";
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

on_both! {
    async fn a_repeated_create_is_told_in_turn_and_at_once(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let neighbour = app.scim(db, &world, world.connections[1]).await;
        for (profile, name) in ClientProfile::ALL {
            db.execute(&PROFILE, binds![world.connections[0].connection(), profile.as_str()]).await;
            let user = |n: u8| json!({"schemas": [USER], "userName": format!("{name}-{n}"), "externalId": format!("u-{name}-{n}")});
            let group = |n: u8| json!({"schemas": [GROUP], "displayName": format!("{name}-{n}"), "externalId": format!("g-{name}-{n}"), "members": []});
            let both: [(&str, &dyn Fn(u8) -> Value); 2] = [("/Users", &user), ("/Groups", &group)];
            for (path, body) in both {
                assert_eq!(scim.post(path, body(1)).await.status, 201, "{name} {path}");
                scim.post(path, body(1)).await.refused(409, "uniqueness");
                let bulk = json!({"schemas": [BULK], "Operations": [{"method": "POST", "path": path, "bulkId": "a", "data": body(1)},
                    {"method": "POST", "path": path, "bulkId": "b", "data": body(2)}, {"method": "POST", "path": path, "bulkId": "c", "data": body(2)}]});
                let answer = scim.post("/Bulk", bulk).await;
                let statuses: Vec<&str> = answer.body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
                assert_eq!(statuses, ["409", "201", "409"], "{name} {path}: {answer:?}");
                let at_once = join_all((0..8).map(|_| scim.post(path, body(3)))).await;
                let mut counted: BTreeMap<u16, usize> = BTreeMap::new();
                at_once.iter().for_each(|answer| *counted.entry(answer.status).or_default() += 1);
                assert_eq!(counted, BTreeMap::from([(201, 1), (409, 7)]), "{name} {path}");
                assert_eq!(neighbour.post(path, body(1)).await.status, 201, "another connection has its own");
            }
        }
        app.stop().await;
    }

    async fn an_external_id_names_one_living_group(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let body = |name: &str, external: Value| json!({"schemas": [GROUP], "displayName": name, "externalId": external});
        let first = scim.post("/Groups", body("A", json!("e1"))).await.id();
        let second = scim.post("/Groups", body("A", json!("e2"))).await.id();
        // Names are not unique, and neither is having no external id.
        for _ in 0..2 {
            assert_eq!(scim.post("/Groups", body("A", Value::Null)).await.status, 201);
        }
        // The case counts (RFC 7643 §3.1).
        assert_eq!(scim.post("/Groups", body("A", json!("E1"))).await.status, 201);
        let path = format!("/Groups/{second}");
        scim.put(&path, body("B", json!("e1"))).await.refused(409, "uniqueness");
        scim.patch(&path, json!([{"op": "replace", "path": "externalId", "value": "e1"}])).await.refused(409, "uniqueness");
        scim.patch(&path, json!([{"op": "replace", "value": {"externalId": "e1"}}])).await.refused(409, "uniqueness");
        let kept = scim.get(&path).await;
        assert_eq!((&kept.body["externalId"], &kept.body["displayName"]), (&json!("e2"), &json!("A")));
        assert_eq!(scim.put(&path, body("C", json!("e2"))).await.status, 200, "its own is no other's");
        assert_eq!(scim.delete(&format!("/Groups/{first}")).await.status, 204);
        let again = scim.post("/Groups", body("A", json!("e1"))).await;
        assert_eq!(again.status, 201, "free again");
        assert_eq!(again.id(), first, "what comes back under its own id is the same group, with its rules");
        app.stop().await;
    }
}
