//! Requests that mean less than they seem to, or something else: nothing is lost by them, and nothing is passed over in
//! silence.
use serde_json::json;

use crate::app::{Answer, App, Scim};
use crate::support::database::on_both;
use crate::support::profile::set;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

on_both! {
    async fn an_empty_text_empties_no_group_and_no_list(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.doors[0]).await;
        let ida = rich(&scim, "ida").await;
        let user = format!("/Users/{}", ida.id());
        let group = format!("/Groups/{}", scim.group("Operators", &[&ida.id()]).await.id());
        for profile in ["generic", "entra"] {
            set(db, &world, profile, json!({})).await;
            for operation in [json!({"op": "add", "path": "members", "value": ""}), json!({"op": "add", "value": {"members": ""}})] {
                assert!([200, 204].contains(&scim.patch(&group, json!([operation])).await.status));
            }
            for operation in [json!({"op": "replace", "path": "members", "value": ""}), json!({"op": "replace", "value": {"members": ""}})] {
                scim.patch(&group, json!([operation])).await.refused(400, "invalidValue");
            }
            assert_eq!(members(&scim, &group).await, [ida.id()]);
            for path in ["emails", "name", "title"] {
                let added = scim.patch(&user, json!([{"op": "add", "path": path, "value": ""}])).await;
                assert_eq!(added.body[path], ida.body[path], "{added:?}");
            }
            for path in ["emails", "name"] {
                scim.patch(&user, json!([{"op": "replace", "path": path, "value": ""}])).await.refused(400, "invalidValue");
            }
        }
        let emptied = scim.patch(&user, json!([{"op": "replace", "path": "name", "value": {"givenName": ""}},
            {"op": "replace", "value": {ENTERPRISE: {"department": ""}}}])).await;
        assert_eq!(emptied.body["name"], json!({"familyName": "Berg"}), "{emptied:?}");
        assert_eq!(emptied.body[ENTERPRISE], json!({"costCenter": "7"}), "{emptied:?}");
        app.stop().await;
    }
}

on_both! {
    async fn whoever_is_shut_out_stays_out(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.doors[0]).await;
        let user = format!("/Users/{}", scim.user("ida").await.id());
        for profile in ["generic", "entra"] {
            set(db, &world, profile, json!({})).await;
            scim.patch(&user, json!([{"op": "replace", "path": "active", "value": false}])).await;
            for operation in [
                json!({"op": "remove", "path": "active"}),
                json!({"op": "replace", "path": "active", "value": null}),
                json!({"op": "replace", "value": {"active": null}}),
            ] {
                let kept = scim.patch(&user, json!([operation])).await;
                assert_eq!((kept.status, &kept.body["active"]), (200, &json!(false)), "{operation}");
            }
            let put = scim.put(&user, json!({"schemas": [USER], "userName": "ida", "active": null})).await;
            assert_eq!(put.body["active"], false);
            assert_eq!(found(&scim, "active eq false and active pr").await, 1);
            assert_eq!(found(&scim, "active eq true").await, 0);
        }
        app.stop().await;
    }
}

on_both! {
    async fn a_member_is_who_its_id_names(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.doors[0]).await;
        let ida = scim.user("ida").await.id();
        let inner = scim.group("Inner", &[]).await.id();
        let mut all = vec![ida.clone(), inner.clone()];
        all.sort_unstable();
        for named in [
            json!([{"value": ida, "type": "Group"}, {"value": inner, "type": "User"}]),
            json!([{"$ref": format!("../Groups/{ida}")}, {"$ref": format!("../Users/{inner}")}]),
        ] {
            let outer = json!({"schemas": [GROUP], "displayName": "Outer", "members": named});
            for profile in ["generic", "entra"] {
                set(db, &world, profile, json!({})).await;
                let group = format!("/Groups/{}", scim.post("/Groups", outer.clone()).await.id());
                assert_eq!(members(&scim, &group).await, all, "POST {named}");
                for operation in ["add", "replace"] {
                    scim.patch(&group, json!([{"op": "remove", "path": "members"}])).await;
                    scim.patch(&group, json!([{"op": operation, "path": "members", "value": named}])).await;
                    assert_eq!(members(&scim, &group).await, all, "{operation} {named}");
                }
                scim.put(&group, outer.clone()).await;
                assert_eq!(members(&scim, &group).await, all, "PUT {named}");
            }
            set(db, &world, "strict", json!({})).await;
            let group = format!("/Groups/{}", scim.group("Strict", &[&ida]).await.id());
            for operation in ["add", "replace"] {
                let refused = scim.patch(&group, json!([{"op": operation, "path": "members", "value": named}])).await;
                refused.refused(400, "invalidValue");
            }
            scim.put(&group, outer.clone()).await.refused(400, "invalidValue");
            scim.post("/Groups", outer).await.refused(400, "invalidValue");
            assert_eq!(members(&scim, &group).await, vec![ida.clone()]);
        }
        app.stop().await;
    }
}

/// A user that says more than its name.
async fn rich(scim: &Scim, name: &str) -> Answer {
    let made = scim
        .post(
            "/Users",
            json!({"schemas": [USER, ENTERPRISE], "userName": name, "title": "Pilot",
                "name": {"givenName": "Ida", "familyName": "Berg"},
                "emails": [{"type": "work", "value": format!("{name}@harbor.example")}],
                ENTERPRISE: {"department": "Quay", "costCenter": "7"}}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    made
}

/// The ids of a group's members, in order.
async fn members(scim: &Scim, group: &str) -> Vec<String> {
    let read = scim.get(group).await;
    let list = read.body["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> = list.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}

/// How many users a filter finds.
async fn found(scim: &Scim, filter: &str) -> u64 {
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let answer = scim.get(&format!("/Users?filter={filter}")).await;
    answer.body["totalResults"].as_u64().unwrap_or_else(|| panic!("{answer:?}"))
}
