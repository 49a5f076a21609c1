//! A connection's profile and switches, as its client meets them.
use serde_json::json;

use crate::app::{App, Scim};
use crate::support::database::on_both;
use crate::support::profile::set;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const HARBOR: &str = "urn:ietf:params:scim:schemas:extension:harbor:2.0:User";

on_both! {
    async fn strict_refuses_what_generic_takes(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = format!("/Users/{}", scim.user("ida").await.id());
        let loose = json!([{"op": "Replace", "path": "active", "value": "False"}]);
        assert_eq!(scim.patch(&user, loose.clone()).await.body["active"], false);
        set(db, &world, "strict", json!({})).await;
        scim.patch(&user, loose).await.refused(400, "invalidSyntax");
        let string = json!([{"op": "replace", "path": "active", "value": "True"}]);
        scim.patch(&user, string).await.refused(400, "invalidValue");
        let unknown = json!({"schemas": [USER], "userName": "bo", "shoeSize": 42});
        assert_eq!(scim.post("/Users", unknown).await.status, 400);
        let pathless = json!([{"op": "replace", "value": {"shoeSize": 42}}]);
        scim.patch(&user, pathless).await.refused(400, "invalidValue");
        app.stop().await;
    }
}

on_both! {
    async fn switches_decide_what_the_rfc_leaves_open(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let ida = scim.user("ida").await.id();
        let group = format!("/Groups/{}", scim.group("Operators", &[&ida]).await.id());
        let renamed = json!({"schemas": [GROUP], "displayName": "Renamed"});
        let rename = json!([{"op": "replace", "path": "displayName", "value": "Again"}]);

        set(db, &world, "generic", json!({"switches": {"group_patch_status": "204", "unknown_member": "reject"}})).await;
        assert_eq!(scim.patch(&group, rename.clone()).await.status, 204);
        let unknown = json!([{"op": "add", "path": "members", "value": [{"value": "nobody"}]}]);
        scim.patch(&group, unknown).await.refused(400, "invalidValue");
        assert_eq!(members(&scim, &group).await, 1);
        assert_eq!(scim.put(&group, renamed.clone()).await.status, 200);
        assert_eq!(members(&scim, &group).await, 1, "kept: the PUT did not speak of members");
        set(db, &world, "generic", json!({"switches": {"put_missing_members": "clear"}})).await;
        scim.put(&group, renamed).await;
        assert_eq!(members(&scim, &group).await, 0);

        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        scim.patch(&format!("/Users/{ida}"), off).await;
        let again = json!({"schemas": [USER], "userName": "IDA", "title": "Back"});
        scim.post("/Users", again.clone()).await.refused(409, "uniqueness");
        set(db, &world, "generic", json!({"switches": {"reprovision_inactive": true}})).await;
        let revived = scim.post("/Users", again.clone()).await;
        assert_eq!((revived.status, revived.id(), revived.body["active"].as_bool()), (201, ida, Some(true)), "{revived:?}");
        scim.post("/Users", again).await.refused(409, "uniqueness");
        app.stop().await;
    }
}

on_both! {
    async fn a_schema_of_the_connection_is_published_stored_and_filtered(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let schema = json!({"id": HARBOR, "name": "Harbor", "attributes": [
            {"name": "region", "type": "string", "multiValued": false, "caseExact": false}]});
        set(db, &world, "generic", json!({"schemas": [{"resource": "User", "schema": schema}]})).await;
        assert_eq!(scim.get(&format!("/Schemas/{HARBOR}")).await.body["attributes"][0]["name"], "region");
        let user = format!("/Users/{}", scim.user("ida").await.id());
        let add = json!([{"op": "add", "path": format!("{HARBOR}:region"), "value": "Gotland"}]);
        let patched = scim.patch(&user, add).await;
        assert_eq!(patched.body[HARBOR]["region"], "Gotland", "{patched:?}");
        assert!(patched.body["schemas"].as_array().unwrap().contains(&json!(HARBOR)));
        let found = scim.get(&format!("/Users?filter={HARBOR}:region%20eq%20%22gotland%22")).await;
        assert_eq!(found.body["totalResults"], 1, "{found:?}");
        let other = app.scim(db, &world, world.connections[1]).await;
        other.get(&format!("/Schemas/{HARBOR}")).await.refused(404, "");
        set(db, &world, "no-such-profile", json!({})).await;
        scim.get("/Users").await.refused(500, "");
        app.stop().await;
    }
}

on_both! {
    async fn discovery_can_be_open_and_then_tells_nothing_of_tenants(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| config.scim.public_discovery = true).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let slug = world.connections[0].connection().to_string();
        for document in ["ServiceProviderConfig", "Schemas", "ResourceTypes/User"] {
            let real = app.get(&format!("/scim/{slug}/v2/{document}")).await;
            assert_eq!(real.status(), 200, "{document}");
            let real = real.text().await.unwrap();
            let none = app.get(&format!("/scim/nobody/v2/{document}")).await.text().await.unwrap();
            assert_eq!(real.replace(&slug, "nobody"), none);
        }
        let wrong = Scim { token: "rcs_wrong".to_owned(), ..scim };
        wrong.get("/Schemas").await.refused(401, "");
        assert_eq!(app.get(&format!("/scim/{slug}/v2/Users")).await.status(), 401);
        app.stop().await;
    }
}

async fn members(scim: &Scim, group: &str) -> usize {
    scim.get(group).await.body["members"].as_array().map_or(0, Vec::len)
}
