//! Modes of a directory, as its clients feel them. Not rows of the checklist: named x.
use serde_json::json;

use super::ground::user_body;
use super::{Stand, rows};

rows! {
    async fn x01_a_paused_directory_takes_nothing(at: &Stand) {
        let ida = at.user("ida").await;
        let group = at.group("g", &[&ida.id()]).await;
        let (user, path) = (format!("/Users/{}", ida.id()), format!("/Groups/{}", group.id()));
        let before = at.get(&user).await.body["meta"].clone();
        at.mode("paused").await;
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "DELETE", "path": user}]});
        let all = [at.post("/Users", user_body("bo", json!({}))).await, at.put(&user, user_body("ida", json!({}))).await,
            at.op(&user, "replace", "title", json!("x")).await, at.delete(&user).await, at.delete(&path).await,
            at.op(&path, "remove", "members", json!(null)).await, at.post("/Bulk", bulk).await];
        for answer in all {
            answer.refused(503, "");
            assert!(answer.body["detail"].as_str().unwrap().contains("paused") && !answer.header("retry-after").is_empty());
        }
        assert_eq!((at.get(&user).await.body["meta"].clone(), at.get("/Users").await.body["totalResults"].as_i64()),
            (before, Some(1)));
        at.mode("authoritative").await;
        assert_eq!(at.delete(&user).await.status, 204);
    }

    async fn x02_an_additive_directory_takes_nothing_away(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let group = at.group("g", &[&ids[0]]).await.id();
        at.mode("additive").await;
        let (user, path) = (format!("/Users/{}", ids[0]), format!("/Groups/{group}"));
        let before = (at.get(&user).await.body, at.get(&path).await.body);
        let all = [at.delete(&user).await, at.op(&user, "replace", "active", json!(false)).await,
            at.put(&user, user_body("a", json!({"active": false}))).await, at.delete(&path).await,
            at.op(&path, "remove", &format!("members[value eq \"{}\"]", ids[0]), json!(null)).await,
            at.op(&path, "replace", "members", json!([{"value": ids[1]}])).await,
            at.op(&path, "remove", "members", json!(null)).await];
        for answer in all {
            answer.refused(403, "");
            assert!(answer.body["detail"].as_str().unwrap().contains("only adds"), "{answer:?}");
        }
        assert_eq!((at.get(&user).await.body, at.get(&path).await.body), before);
        // What adds, and what removes nobody, is taken.
        assert_eq!(at.op(&user, "replace", "title", json!("x")).await.status, 200);
        let both = json!([{"value": ids[0]}, {"value": ids[1]}]);
        assert_eq!(at.op(&path, "replace", "members", both).await.status, 200);
        assert_eq!(at.members(&group).await.len(), 2);
        let nobody = "members[value eq \"01890a5d-ac96-774b-bcce-b302099a8057\"]";
        assert_eq!(at.op(&path, "remove", nobody, json!(null)).await.status, 200);
    }
}
