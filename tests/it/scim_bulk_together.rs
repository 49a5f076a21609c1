//! Users of one bulk request who are created together are what they would be had each been sent alone.
use serde_json::{Value, json};

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn user(number: usize, name: &str) -> Value {
    let data = json!({"schemas": [USER], "userName": name, "emails": [{"value": format!("{name}@harbor.example")}]});
    json!({"method": "POST", "path": "/Users", "bulkId": format!("u{number}"), "data": data})
}

fn statuses(body: &Value) -> Vec<&str> {
    body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect()
}

on_both! {
    async fn each_is_answered_for_itself_and_in_order(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        scim.user("taken").await;
        // More than go together; among them one who is here already, twins, and one who is refused by the schema.
        let mut operations: Vec<Value> = (0..150).map(|number| user(number, &format!("user{number}"))).collect();
        operations[10] = user(10, "taken");
        operations[20] = user(20, "USER19");
        operations[30]["data"]["userName"] = json!("");
        operations[40]["data"]["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] =
            json!({"manager": {"value": "bulkId:u41"}});
        operations.push(json!({"method": "POST", "path": "/Groups", "bulkId": "g", "data": {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "all",
            "members": [{"value": "bulkId:u0"}, {"value": "bulkId:u149"}]}}));
        let answer = scim.post("/Bulk", json!({"schemas": [BULK], "Operations": operations})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = statuses(&answer.body);
        for (number, status) in told.iter().enumerate() {
            let expected = match number {
                10 | 20 => "409",
                30 => "400",
                _ => "201",
            };
            assert_eq!(*status, expected, "operation {number}: {}", answer.body["Operations"][number]);
            assert_eq!(answer.body["Operations"][number]["bulkId"], if number == 150 { json!("g") } else {
                json!(format!("u{number}")) });
        }
        let list = scim.get("/Users?count=1").await;
        assert_eq!(list.body["totalResults"], 148, "one was there, and 147 of 150 came");
        let path = |number: usize| {
            let url = answer.body["Operations"][number]["location"].as_str().unwrap();
            url.strip_prefix(&scim.base).unwrap().to_owned()
        };
        for number in [1, 19, 63, 64, 65, 148] {
            let read = scim.get(&path(number)).await;
            assert_eq!(read.body["userName"], format!("user{number}"));
            assert_eq!(read.body["meta"]["version"], answer.body["Operations"][number]["version"]);
        }
        let manager = &scim.get(&path(40)).await.body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
        assert!(path(41).ends_with(manager["manager"]["value"].as_str().unwrap()));
        assert_eq!(scim.get(&path(150)).await.body["members"].as_array().unwrap().len(), 2);
        app.stop().await;
    }

    async fn nothing_runs_behind_the_error_that_ends_it(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        scim.user("user5").await;
        let operations: Vec<Value> = (0..40).map(|number| user(number, &format!("user{number}"))).collect();
        let request = json!({"schemas": [BULK], "failOnErrors": 1, "Operations": operations});
        let answer = scim.post("/Bulk", request).await;
        assert_eq!(statuses(&answer.body), ["201", "201", "201", "201", "201", "409"]);
        assert_eq!(scim.get("/Users?count=1").await.body["totalResults"], 6);
        app.stop().await;
    }
}
