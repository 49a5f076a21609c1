//! What few clients send, and every one of them once: ids in other letters, names in white space, groups in themselves,
//! values taken out of their elements, and lists of members too long for a tree of JSON.
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, Scim};
use crate::support::database::on_both;
use crate::support::profile::set;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

on_both! {
    async fn an_id_in_other_letters_names_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida").await.id();
        let group = scim.group("Operators", &[]).await.id();
        let title = json!([{"op": "replace", "path": "title", "value": "x"}]);
        for other in [user.to_uppercase(), user.replace('-', ""), format!("urn:uuid:{user}"), format!("%7B{user}%7D")] {
            let path = format!("/Users/{other}");
            scim.get(&path).await.refused(404, "");
            scim.patch(&path, title.clone()).await.refused(404, "");
            scim.put(&path, json!({"schemas": [USER], "userName": "ida"})).await.refused(404, "");
            scim.delete(&path).await.refused(404, "");
            let operation = json!({"method": "DELETE", "path": path});
            let bulk = scim.post("/Bulk", json!({"schemas": [BULK], "Operations": [operation]})).await;
            assert_eq!(bulk.body["Operations"][0]["status"], "404", "{bulk:?}");
        }
        let upper = user.to_uppercase();
        scim.get(&format!("/Groups/{}", group.to_uppercase())).await.refused(404, "");
        assert_eq!(scim.get(&format!("/Users?filter=id%20eq%20%22{upper}%22")).await.body["totalResults"], 0);
        let add = json!([{"op": "add", "path": "members", "value": [{"value": upper}]}]);
        scim.patch(&format!("/Groups/{group}"), add).await;
        assert!(members(&scim, &group).await.is_empty());
        let manager = json!([{"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": {"value": upper}}]);
        let named = scim.patch(&format!("/Users/{user}"), manager).await;
        assert_eq!(named.body[ENTERPRISE]["manager"], json!({"value": upper}), "no $ref: nobody is known by it");
        app.stop().await;
    }
}

on_both! {
    async fn white_space_makes_no_other_user(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let padded = |name: &str| json!({"schemas": [USER], "userName": name});
        let made = scim.post("/Users", padded("\u{a0}ida berg ")).await;
        assert_eq!((made.status, made.body["userName"].as_str()), (201, Some("ida berg")), "{made:?}");
        scim.post("/Users", padded("ida berg ")).await.refused(409, "uniqueness");
        scim.post("/Users", padded(" ")).await.refused(400, "invalidValue");
        let found = scim.get("/Users?filter=userName%20eq%20%22%20ida%20berg%22").await;
        assert_eq!(found.body["totalResults"], 1, "{found:?}");
        let path = format!("/Users/{}", made.id());
        let rename = json!([{"op": "replace", "path": "userName", "value": " ida ek "}]);
        assert_eq!(scim.patch(&path, rename.clone()).await.body["userName"], "ida ek");
        let put = scim.put(&path, padded("ida ek ")).await;
        assert_eq!((put.status, put.body["userName"].as_str()), (200, Some("ida ek")));

        set(db, &world, "strict", json!({})).await;
        scim.post("/Users", padded(" bo")).await.refused(400, "invalidValue");
        scim.put(&path, padded("ida ek ")).await.refused(400, "invalidValue");
        scim.patch(&path, rename).await.refused(400, "invalidValue");
        assert_eq!(scim.get("/Users?filter=userName%20eq%20%22%20ida%20ek%22").await.body["totalResults"], 0);
        app.stop().await;
    }
}

on_both! {
    async fn a_group_is_no_member_of_itself(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida").await.id();
        let group = scim.group("Operators", &[]).await.id();
        let path = format!("/Groups/{group}");
        let both = json!([{"value": group}, {"value": user}]);
        let body = json!({"schemas": [GROUP], "displayName": "Operators", "members": both});
        let patch = |op: &str| json!([{"op": op, "path": "members", "value": both}]);
        for op in ["add", "replace"] {
            assert!(scim.patch(&path, patch(op)).await.status < 300);
            assert_eq!(members(&scim, &group).await, std::slice::from_ref(&user));
        }
        assert_eq!(scim.put(&path, body.clone()).await.status, 200);
        assert_eq!(members(&scim, &group).await, std::slice::from_ref(&user));
        let groups = scim.get(&format!("/Users/{user}")).await.body["groups"].clone();
        assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");

        set(db, &world, "generic", json!({"switches": {"unknown_member": "reject"}})).await;
        for op in ["add", "replace"] {
            scim.patch(&path, patch(op)).await.refused(400, "invalidValue");
        }
        scim.put(&path, body).await.refused(400, "invalidValue");
        assert_eq!(members(&scim, &group).await, [user]);
        app.stop().await;
    }
}

on_both! {
    async fn an_element_goes_with_its_value(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let emails = json!([{"value": "w@x.example", "type": "work", "primary": true, "display": "W"},
            {"value": "h@x.example", "type": "home"}]);
        let made = scim.post("/Users", json!({"schemas": [USER], "userName": "ida", "emails": emails})).await;
        let path = format!("/Users/{}", made.id());
        let value = r#"emails[type eq "work"].value"#;
        let one = scim.patch(&path, json!([{"op": "remove", "path": value}])).await;
        assert_eq!(one.body["emails"], json!([{"value": "h@x.example", "type": "home"}]), "{one:?}");
        let none = scim.patch(&path, json!([{"op": "replace", "path": "emails.value", "value": null}])).await;
        assert!(none.body.get("emails").is_none(), "{none:?}");
        app.stop().await;
    }
}

on_both! {
    async fn the_tag_of_a_user_follows_what_is_shown_of_its_manager(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let boss = scim.user("boss").await.id();
        let named = json!({"schemas": [USER, ENTERPRISE], "userName": "ida", ENTERPRISE: {"manager": {"value": boss}}});
        let made = scim.post("/Users", named).await;
        let path = format!("/Users/{}", made.id());
        let before = scim.get(&path).await;
        assert!(before.body[ENTERPRISE]["manager"]["$ref"].is_string(), "{before:?}");
        assert_eq!(before.header("etag"), made.header("etag"));
        assert_eq!(before.header("etag"), before.body["meta"]["version"]);
        let cached = || scim.request(Method::GET, &path).header("if-none-match", before.header("etag"));
        assert_eq!(scim.send(cached()).await.status, 304);
        assert_eq!(scim.delete(&format!("/Users/{boss}")).await.status, 204);
        let after = scim.send(cached()).await;
        assert_eq!(after.status, 200, "a cache must not keep showing the link: {after:?}");
        assert!(after.body[ENTERPRISE]["manager"].get("$ref").is_none());
        let write = scim.request(Method::DELETE, &path).header("if-match", before.header("etag"));
        assert_eq!(scim.send(write).await.status, 204, "what is shown beside the user is no writer's matter");
        app.stop().await;
    }
}

on_both! {
    async fn a_long_list_of_members_means_what_a_short_one_does(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida").await.id();
        let other = scim.group("Inner", &[]).await.id();
        let made = scim.group("Operators", &[]).await.id();
        let path = format!("/Groups/{made}");
        // Many that nobody knows, fewer than those that count.
        let create = |n: usize| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{n}"),
            "data": {"schemas": [USER], "userName": format!("known-{n}")}});
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": (0..600).map(create).collect::<Value>()});
        let created = scim.post("/Bulk", bulk).await;
        let known: Vec<String> = created.body["Operations"].as_array().unwrap().iter()
            .map(|one| one["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect();
        let strangers = (0..500).map(|n| json!({"value": format!("stranger-{n}")}));
        let long = |more: [Value; 2]| {
            let known = known.iter().map(|id| json!({"value": id}));
            strangers.clone().chain(known).chain(more).collect::<Value>()
        };
        let plain = long([json!({"value": user}), json!({"value": other, "type": "Group"})]);
        let linked = long([json!({"value": user, "$ref": format!("{}/Users/{user}", scim.base)}),
            json!({"value": other, "$ref": format!("{}/Groups/{other}", scim.base), "display": "Inner"})]);
        let mixed = long([json!({"VALUE": user}), json!({"$ref": format!("../Groups/{other}")})]);
        let mut both: Vec<String> = known.iter().cloned().chain([user.clone(), other.clone()]).collect();
        both.sort_unstable();
        let group = |members: &Value| json!({"schemas": [GROUP], "displayName": "Operators", "members": members});
        for list in [&plain, &linked, &mixed] {
            for operation in [json!({"op": "add", "path": "members", "value": list}),
                json!({"op": "replace", "path": "members", "value": list}),
                json!({"op": "replace", "value": {"members": list}}),
                json!({"value": list, "op": "replace", "path": "members"})] {
                let done = scim.patch(&path, json!([operation])).await;
                assert!(done.status < 300, "{done:?}");
                assert_eq!(members(&scim, &made).await, both);
                let cleared = scim.patch(&path, json!([{"op": "remove", "path": "members", "value": list}])).await;
                assert!(cleared.status < 300, "{cleared:?}");
                assert!(members(&scim, &made).await.is_empty());
            }
            assert_eq!(scim.put(&path, group(list)).await.status, 200);
            assert_eq!(members(&scim, &made).await, both);
            let new = scim.post("/Groups", group(list)).await;
            assert_eq!((new.status, members(&scim, &new.id()).await), (201, both.clone()));
            scim.patch(&path, json!([{"op": "replace", "path": "members", "value": []}])).await;
        }
        let elsewhere = json!([{"op": "add", "path": "displayName", "value": plain}]);
        scim.patch(&path, elsewhere).await.refused(400, "invalidValue");
        let broken = long([json!({"value": user}), json!({"value": 1})]);
        scim.put(&path, group(&broken)).await.refused(400, "invalidValue");

        set(db, &world, "generic", json!({"switches": {"unknown_member": "reject"}})).await;
        let refused = scim.patch(&path, json!([{"op": "replace", "path": "members", "value": plain}])).await;
        refused.refused(400, "invalidValue");
        assert!(refused.body["detail"].as_str().unwrap().contains("stranger-0"), "{refused:?}");
        assert!(members(&scim, &made).await.is_empty());
        app.stop().await;
    }
}

/// The ids of a group's members, in order.
async fn members(scim: &Scim, group: &str) -> Vec<String> {
    let shown = scim.get(&format!("/Groups/{group}")).await.body;
    let members = shown["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> = members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}
