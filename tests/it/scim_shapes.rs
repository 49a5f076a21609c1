//! Requests that mean less than they seem to, or something else: nothing is lost by them, and nothing is passed over in
//! silence.
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::on_both;
use crate::support::profile::set;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const HARBOR: &str = "urn:ietf:params:scim:schemas:extension:harbor:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

on_both! {
    async fn an_empty_text_empties_no_group_and_no_list(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
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
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = format!("/Users/{}", scim.user("ida").await.id());
        for profile in ["generic", "entra"] {
            set(db, &world, profile, json!({})).await;
            for operation in [
                json!({"op": "remove", "path": "active"}),
                json!({"op": "replace", "path": "active", "value": null}),
                json!({"op": "replace", "value": {"active": null}}),
            ] {
                for active in [true, false] {
                    scim.patch(&user, json!([{"op": "replace", "path": "active", "value": active}])).await;
                    let unsaid = scim.patch(&user, json!([operation])).await;
                    assert_eq!((unsaid.status, &unsaid.body["active"]), (200, &Value::Null), "{operation}: what was removed is unassigned");
                    let (still, turned) = (format!("active eq {active}"), format!("active eq {}", !active));
                    assert_eq!((found(&scim, &still).await, found(&scim, &turned).await), (1, 0), "{operation}");
                }
            }
            scim.patch(&user, json!([{"op": "replace", "path": "active", "value": false}])).await;
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
        let scim = app.scim(db, &world, world.connections[0]).await;
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

on_both! {
    async fn the_url_of_a_manager_follows_who_it_is(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let (ida, bo) = (scim.user("ida").await.id(), scim.user("bo").await.id());
        let user = format!("/Users/{}", scim.user("cy").await.id());
        let path = format!("{ENTERPRISE}:manager");
        let told = |id: &str| json!({"value": id, "$ref": format!("{}/Users/{id}", scim.base)});
        for (operation, id) in [
            (json!({"op": "add", "path": path, "value": {"$ref": format!("../Users/{ida}")}}), &ida),
            (json!({"op": "replace", "path": path, "value": {"value": bo, "$ref": format!("../Users/{ida}")}}), &bo),
            (json!({"op": "replace", "path": format!("{path}.value"), "value": ida}), &ida),
            (json!({"op": "replace", "path": format!("{path}.$ref"), "value": format!("{}/Users/{bo}", scim.base)}), &bo),
            (json!({"op": "remove", "path": format!("{path}.$ref")}), &bo),
        ] {
            let patched = scim.patch(&user, json!([operation])).await;
            assert_eq!(patched.body[ENTERPRISE]["manager"], told(id), "{operation} {patched:?}");
            assert_eq!(scim.get(&user).await.body, patched.body);
        }
        assert_eq!(found(&scim, &format!("{path}.$ref eq \"{}/Users/{bo}\"", scim.base)).await, 1);
        let listed = scim.get("/Users?filter=userName%20eq%20%22cy%22").await;
        assert_eq!(listed.body["Resources"][0][ENTERPRISE]["manager"], told(&bo));
        let body = json!({"schemas": [USER, ENTERPRISE], "userName": "cy", ENTERPRISE: {"manager": {"value": ida, "$ref": "x"}}});
        assert_eq!(scim.put(&user, body).await.body[ENTERPRISE]["manager"], told(&ida));
        let body = json!({"schemas": [USER, ENTERPRISE], "userName": "di", ENTERPRISE: {"manager": {"$ref": format!("/Users/{ida}")}}});
        assert_eq!(scim.post("/Users", body).await.body[ENTERPRISE]["manager"], told(&ida));
        for unknown in ["E-17", &uuid::Uuid::nil().to_string()] {
            let patched = scim.patch(&user, json!([{"op": "replace", "path": path, "value": {"value": unknown}}])).await;
            assert_eq!(patched.body[ENTERPRISE]["manager"], json!({"value": unknown}));
        }
        let elsewhere = json!([{"op": "add", "path": path, "value": {"$ref": format!("https://evil.example/Users/{ida}")}}]);
        scim.patch(&user, elsewhere).await.refused(400, "invalidValue");
        app.stop().await;
    }
}

on_both! {
    async fn what_is_shown_is_found(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let made = rich(&scim, "ida").await;
        let (ida, bo) = (made.id(), scim.user("bo").await.id());
        let group = scim.group("Operators", &[&ida, &bo]).await;
        let location = made.body["meta"]["location"].as_str().unwrap();
        let link = scim.get(&format!("/Users/{ida}")).await.body["groups"][0]["$ref"].clone();
        for (filter, count) in [
            (format!("meta.location eq \"{location}\""), 1),
            (format!("meta.location eq \"{}\"", location.replace("/v2", "")), 1),
            (format!("meta.location eq \"https://evil.example/Users/{ida}\""), 0),
            (format!("meta.location ne \"{location}\""), 1),
            ("meta.location pr".to_owned(), 2),
            (format!("groups.$ref eq {link}"), 2),
            ("groups.$ref pr".to_owned(), 2),
        ] {
            assert_eq!(found(&scim, &filter).await, count, "{filter}");
        }
        scim.get("/Users?filter=meta.location%20co%20%22a%22").await.refused(400, "invalidFilter");
        for filter in [format!("members.$ref eq \"{location}\""), "members.display eq \"IDA\"".to_owned()] {
            let escaped: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            let listed = scim.get(&format!("/Groups?filter={escaped}")).await;
            assert_eq!(listed.body["totalResults"], 1, "{filter} {listed:?}");
        }
        let path = format!("/Groups/{}", group.id());
        scim.patch(&path, json!([{"op": "remove", "path": "members[display eq \"ida\"]"}])).await;
        assert_eq!(members(&scim, &path).await, vec![bo.clone()]);
        let by_url = format!("members[$ref eq \"{}/Users/{bo}\"]", scim.base);
        scim.patch(&path, json!([{"op": "remove", "path": by_url}])).await;
        assert!(members(&scim, &path).await.is_empty());
        app.stop().await;
    }
}

on_both! {
    async fn members_are_named_by_urls_of_this_connection(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let (ida, bo) = (scim.user("ida").await.id(), scim.user("bo").await.id());
        let group = format!("/Groups/{}", scim.group("Operators", &[&ida]).await.id());
        for own in [format!("{}/Users/{bo}", scim.base), format!("{}/Users/{bo}", scim.base.replace("/v2", "")), format!("../Users/{bo}")] {
            for (op, count) in [("add", 2), ("remove", 1)] {
                scim.patch(&group, json!([{"op": op, "path": "members", "value": [{"$ref": own}]}])).await;
                assert_eq!(members(&scim, &group).await.len(), count, "{op} {own}");
            }
        }
        let elsewhere = json!([{"$ref": format!("https://evil.example/Users/{bo}")}]);
        for op in ["add", "replace", "remove"] {
            let refused = scim.patch(&group, json!([{"op": op, "path": "members", "value": elsewhere}])).await;
            refused.refused(400, "invalidValue");
        }
        scim.post("/Groups", json!({"schemas": [GROUP], "displayName": "x", "members": elsewhere})).await.refused(400, "invalidValue");
        let nothing = scim.patch(&group, json!([{"op": "remove", "path": "members", "value": null}])).await;
        assert_eq!((nothing.status, members(&scim, &group).await), (200, vec![ida]));
        app.stop().await;
    }
}

on_both! {
    async fn nothing_is_passed_over_in_silence(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let schema = json!({"id": HARBOR, "name": "Harbor", "attributes": [
            {"name": "badge", "type": "string", "multiValued": false, "returned": "request"}]});
        set(db, &world, "entra", json!({"schemas": [{"resource": "User", "schema": schema}]})).await;
        let body = json!({"schemas": [USER], "userName": "ida", "externalId": "12345",
            "emails[type eq \"work\"].value": "ida@harbor.example", USER: {"title": "Pilot"}});
        let made = scim.post("/Users", body).await;
        assert_eq!((&made.body["emails"][0]["value"], &made.body["title"]), (&json!("ida@harbor.example"), &json!("Pilot")));
        let path = format!("/Users/{}", made.id());

        let patched = scim.patch(&path, json!([{"op": "add", "path": format!("{HARBOR}:badge"), "value": "B7"}])).await;
        assert_eq!(patched.body[HARBOR]["badge"], "B7", "{patched:?}");
        let other = scim.patch(&path, json!([{"op": "replace", "path": "title", "value": "Master"}])).await;
        assert!(other.body.get(HARBOR).is_none(), "{other:?}");

        let off = scim.patch(&path, json!([{"op": "replace", "value": {USER: {"active": false}}}])).await;
        assert_eq!(off.body["active"], false);
        let body = json!({"schemas": [USER], "userName": "ida", "externalId": "12345", USER: {"active": true}});
        assert_eq!(scim.put(&path, body).await.body["active"], true);

        assert_eq!(found(&scim, "externalId eq 12345").await, 1);
        assert_eq!(found(&scim, "").await, 1);
        let twice = json!([{"op": "replace", "OP": "remove", "path": "title", "value": "x"}]);
        scim.patch(&path, twice).await.refused(400, "invalidSyntax");
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
            {"method": "POST", "path": path, "bulkId": "a", "data": {"schemas": [USER], "userName": "x"}}]});
        let refused = scim.post("/Bulk", bulk).await;
        assert_eq!(refused.body["Operations"][0]["status"], "400", "{refused:?}");
        assert!(refused.body["Operations"][0].get("location").is_none(), "{refused:?}");

        set(db, &world, "strict", json!({})).await;
        scim.get("/Users?filter=").await.refused(400, "invalidFilter");
        scim.get("/Users?filter=externalId%20eq%2012345").await.refused(400, "invalidFilter");
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
