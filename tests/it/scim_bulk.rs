//! Bulk requests over HTTP.
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::on_both;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

on_both! {
    async fn references_point_forward_and_in_circles(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let answer = bulk(&scim, json!([
            group("g1", "Outer", json!([{"value": "bulkId:g2", "type": "Group"}, {"value": "bulkId:u1"}])),
            group("g2", "Inner", json!([{"value": "bulkId:g1", "type": "Group"}])),
            user("u1", "ida@harbor.example")])).await;
        let entries = answer.body["Operations"].as_array().unwrap();
        assert_eq!(statuses(&answer), ["201", "201", "201"], "{answer:?}");
        let location = entries[0]["location"].as_str().unwrap();
        let outer = scim.get(location.strip_prefix(&scim.base).unwrap()).await;
        assert_eq!(outer.body["members"].as_array().unwrap().len(), 2, "{outer:?}");
        assert_eq!(outer.body["meta"]["version"], entries[0]["version"]);
        app.stop().await;
    }
}

on_both! {
    async fn each_operation_stands_alone_and_errors_are_counted(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let ida = scim.user("ida@harbor.example").await;
        let operations = json!([
            user("a", "new@harbor.example"),
            user("b", "IDA@harbor.example"),
            {"method": "POST", "path": "/Users", "data": {"schemas": [USER], "userName": "nobulkid"}},
            {"method": "PATCH", "path": format!("/Users/{}", ida.id()), "version": "W/\"99\"", "data":
                {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                 "Operations": [{"op": "replace", "path": "title", "value": "x"}]}},
            {"method": "DELETE", "path": format!("/Users/{}", ida.id())},
            {"method": "DELETE", "path": "/Users/nobody"}]);
        let answer = bulk(&scim, operations.clone()).await;
        assert_eq!(statuses(&answer), ["201", "409", "400", "412", "204", "404"], "{answer:?}");
        assert_eq!(answer.body["Operations"][1]["response"]["scimType"], "uniqueness");
        assert_eq!(scim.get("/Users").await.body["totalResults"], 1);
        let stopped = scim.post("/Bulk", json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "failOnErrors": 1, "Operations": operations})).await;
        assert_eq!(statuses(&stopped), ["409"], "{stopped:?}");
        app.stop().await;
    }
}

on_both! {
    async fn too_many_operations_are_refused_by_their_limit(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| config.scim.max_bulk_operations = 2).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let many = json!([user("a", "a"), user("b", "b"), user("c", "c")]);
        let refused = bulk(&scim, many).await;
        refused.refused(413, "");
        assert!(refused.body["detail"].as_str().unwrap().contains('2'));
        assert_eq!(scim.get("/Users").await.body["totalResults"], 0);
        scim.post("/Bulk", json!({"Operations": []})).await.refused(400, "invalidSyntax");
        app.stop().await;
    }
}

async fn bulk(scim: &Scim, operations: Value) -> Answer {
    let urn = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    scim.post("/Bulk", json!({"schemas": [urn], "Operations": operations})).await
}

fn user(bulk_id: &str, name: &str) -> Value {
    let data = json!({"schemas": [USER], "userName": name});
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data})
}

fn group(bulk_id: &str, name: &str, members: Value) -> Value {
    let data = json!({"schemas": [GROUP], "displayName": name, "members": members});
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data})
}

fn statuses(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["Operations"].as_array().unwrap().iter().map(|entry| entry["status"].as_str().unwrap()).collect()
}
