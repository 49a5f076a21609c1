//! Groups over HTTP: members as a set, answers as the client wants them, groups too large to hold.
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, Scim};
use crate::support::database::on_both;
use crate::support::world::World;

on_both! {
    async fn members_come_and_go(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let users = users(&scim, 3).await;
        let made = scim.group("Operators", &[&users[0]]).await;
        assert_eq!(made.body["members"][0]["value"], users[0]);
        assert_eq!(made.body["members"][0]["$ref"], format!("{}/Users/{}", scim.base, users[0]));
        assert_eq!(made.body["members"][0]["type"], "User");
        let path = format!("/Groups/{}", made.id());

        let add = json!([{"op": "add", "path": "members", "value": [{"value": users[0]}, {"value": users[1]}]}]);
        let added = scim.patch(&path, add.clone()).await;
        assert_eq!((added.status, values(&added.body).len()), (200, 2), "{added:?}");
        let again = scim.patch(&path, add).await;
        assert_eq!(again.body["meta"], added.body["meta"], "nothing changed, so neither version nor time");
        assert_eq!(scim.get(&format!("/Users/{}", users[1])).await.body["groups"][0]["value"], made.id());

        let azure = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": users[0]}]}]);
        assert_eq!(values(&scim.patch(&path, azure).await.body), [users[1].clone()]);
        let rename = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Renamed"});
        let renamed = scim.put(&path, rename).await;
        assert_eq!((renamed.body["displayName"].as_str(), values(&renamed.body).len()), (Some("Renamed"), 1));
        let replaced = scim.patch(&path, json!([{"op": "replace", "path": "members", "value": []}])).await;
        assert!(replaced.body.get("members").is_none(), "{replaced:?}");

        let filled = scim.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": users[2]}]}])).await;
        assert_eq!(values(&filled.body), [users[2].clone()]);
        assert!(scim.get(&format!("{path}?excludedAttributes=members")).await.body.get("members").is_none());
        let found = scim.get(&format!("/Groups?filter=members%5Bvalue%20eq%20%22{}%22%5D", users[2])).await;
        assert_eq!(found.body["totalResults"], 1, "{found:?}");
        assert_eq!(scim.delete(&format!("/Users/{}", users[2])).await.status, 204);
        assert!(scim.get(&path).await.body.get("members").is_none());
        assert_eq!(scim.delete(&path).await.status, 204);
        scim.get(&path).await.refused(404, "");
        app.stop().await;
    }
}

on_both! {
    async fn a_failed_operation_undoes_those_before_it(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let users = users(&scim, 2).await;
        let made = scim.group("Operators", &[&users[0]]).await;
        let path = format!("/Groups/{}", made.id());
        let half = json!([{"op": "add", "path": "members", "value": [{"value": users[1]}]},
            {"op": "replace", "path": "id", "value": "other"}]);
        scim.patch(&path, half).await.refused(400, "mutability");
        let unknown = json!([{"op": "add", "path": "members", "value": [{"value": "nobody"}, {"value": users[1]}]}]);
        assert_eq!(values(&scim.patch(&path, unknown).await.body).len(), 2, "an unknown member is skipped, not the push");
        assert_eq!(scim.get(&path).await.body["displayName"], "Operators");
        app.stop().await;
    }
}

on_both! {
    async fn a_huge_group_is_streamed_whole(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let users = users(&scim, 2_300).await;
        let all: Vec<&str> = users.iter().map(String::as_str).collect();
        let made = scim.group("Everyone", &all).await;
        let path = format!("/Groups/{}", made.id());
        let read = scim.get(&path).await;
        let mut sent = values(&read.body);
        sent.sort_unstable();
        let mut expected = users.clone();
        expected.sort_unstable();
        assert_eq!(sent, expected);
        assert_eq!(read.body["displayName"], "Everyone");
        assert_eq!(read.header("etag"), read.body["meta"]["version"]);
        let few = scim.get(&format!("{path}?attributes=members.value")).await;
        assert_eq!(few.body["members"].as_array().unwrap().len(), 2_300);
        assert_eq!(few.body["members"][0].as_object().unwrap().len(), 1);
        let patched = scim.patch(&path, json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", users[0])}]));
        assert_eq!(patched.await.status, 204, "a large group is not sent back");
        let wanted = scim.request(Method::PATCH, &format!("{path}?attributes=displayName")).header("content-type",
            "application/json").body(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "displayName", "value": "All"}]}).to_string());
        let shown = scim.send(wanted).await;
        assert_eq!((shown.status, shown.body["displayName"].as_str()), (200, Some("All")));
        app.stop().await;
    }
}

on_both! {
    async fn sixty_four_members_at_once_all_arrive(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let users = users(&scim, 64).await;
        let path = format!("/Groups/{}", scim.group("Operators", &[]).await.id());
        let adds = users.iter().map(|user| {
            scim.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": user}]}]))
        });
        for answer in futures_util::future::join_all(adds).await {
            assert!([200, 204].contains(&answer.status), "{answer:?}");
        }
        assert_eq!(values(&scim.get(&path).await.body).len(), 64);
        app.stop().await;
    }
}

async fn users(scim: &Scim, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("user{n}@harbor.example")).collect();
    let mut ids = Vec::new();
    for some in names.chunks(64) {
        let made = futures_util::future::join_all(some.iter().map(|name| scim.user(name))).await;
        ids.extend(made.iter().map(crate::app::Answer::id));
    }
    ids
}

fn values(group: &Value) -> Vec<String> {
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}
