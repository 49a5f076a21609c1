//! Users over HTTP: what a client sends, and what it gets back.
use reqwest::Method;
use serde_json::json;

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

on_both! {
    async fn a_user_lives_from_post_to_delete(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let sent = json!({"schemas": [USER, ENTERPRISE], "externalId": "e1", "userName": "ida@harbor.example",
            "name": {"givenName": "Ida", "familyName": "Berg"}, "active": true, "password": "Zx9!placeholder",
            "emails": [{"value": "ida@harbor.example", "type": "work", "primary": true}],
            "meta": {"resourceType": "Group", "version": "x"}, "id": "mine",
            ENTERPRISE: {"employeeNumber": "7"}});
        let made = scim.post("/Users", sent.clone()).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.header("content-type"), "application/scim+json");
        assert_eq!(made.header("location"), made.body["meta"]["location"]);
        assert_eq!(made.header("location"), format!("{}/Users/{}", scim.base, made.id()));
        assert_eq!(made.header("etag"), made.body["meta"]["version"]);
        assert_eq!(made.body["meta"]["created"], made.body["meta"]["lastModified"]);
        assert_eq!(made.body[ENTERPRISE]["employeeNumber"], "7");
        assert!(made.body.get("password").is_none());
        assert_ne!(made.id(), "mine");

        let path = format!("/Users/{}", made.id());
        let read = scim.get(&path).await;
        assert_eq!((read.status, &read.body), (200, &made.body));
        let same = scim.send(scim.request(Method::GET, &path).header("if-none-match", made.header("etag"))).await;
        assert_eq!((same.status, same.header("etag")), (304, made.header("etag")));

        scim.post("/Users", sent).await.refused(409, "uniqueness");
        let patched = scim.patch(&path, json!([{"op": "replace", "path": "name.familyName", "value": "Ek"}])).await;
        assert_eq!(patched.status, 200);
        assert_eq!(patched.body["name"], json!({"givenName": "Ida", "familyName": "Ek"}));
        assert_ne!(patched.header("etag"), made.header("etag"));
        let stale = scim.request(Method::DELETE, &path).header("if-match", made.header("etag"));
        scim.send(stale).await.refused(412, "");

        let put = json!({"schemas": [USER], "userName": "ida@harbor.example"});
        let replaced = scim.put(&path, put.clone()).await;
        assert_eq!(replaced.status, 200);
        assert!(replaced.body.get("name").is_none());
        assert_eq!(replaced.body["active"], true, "a PUT that forgets `active` keeps it");
        let listed = scim.get("/Users?filter=userName%20eq%20%22IDA@harbor.example%22").await;
        assert_eq!(listed.body["totalResults"], 1);
        assert_eq!(listed.body["Resources"][0]["id"], made.id());

        assert_eq!(scim.delete(&path).await.status, 204);
        scim.get(&path).await.refused(404, "");
        scim.put(&path, put.clone()).await.refused(404, "");
        scim.patch(&path, json!([{"op": "remove", "path": "title"}])).await.refused(404, "");
        scim.delete(&path).await.refused(404, "");
        let again = scim.post("/Users", put).await;
        assert_eq!(again.status, 201);
        assert_ne!(again.id(), made.id());
        app.stop().await;
    }
}
