//! 1.H, 1.O, 1.Q, 1.R, 1.S, 1.T: creating, replacing, deleting, bulk, conditions.
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::user_body;
use super::{ENTERPRISE, GROUP, PATCH, Stand, USER, rows, strings};
use crate::app::{Answer, App};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn bulk(at: &Stand, operations: Value) -> Answer {
    at.post("/Bulk", json!({"schemas": [BULK], "Operations": operations})).await
}

fn new_user(bulk_id: &str, name: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": user_body(name, json!({}))})
}

async fn with_match(at: &Stand, method: Method, path: &str, name: &str, tag: &str, body: Value) -> Answer {
    let request = at.request(method, path).header(name, tag).header("content-type", "application/json");
    at.send(request.body(body.to_string())).await
}

rows! {
    async fn h01_created_with_its_address(at: &Stand) {
        let made = at.user("ida").await;
        assert_eq!(made.header("location"), made.body["meta"]["location"]);
        assert_eq!(made.header("location"), format!("{}/Users/{}", at.base, made.id()));
        let group = at.group("g", &[]).await;
        assert_eq!(group.header("location"), format!("{}/Groups/{}", at.base, group.id()));
    }

    async fn h02_one_of_many_equal_posts_wins(at: &Stand) {
        let all = join_all((0..64).map(|_| at.post("/Users", user_body("ida@harbor.example", json!({}))))).await;
        assert_eq!(all.iter().filter(|answer| answer.status == 201).count(), 1);
        all.iter().filter(|answer| answer.status != 201).for_each(|answer| answer.refused(409, "uniqueness"));
        assert_eq!(at.get("/Users").await.body["totalResults"], 1);
    }

    async fn h03_defaults_are_shown(at: &Stand) {
        let made = at.make("ida", json!({"groups": [{"value": "x"}], "id": "x"})).await;
        assert_eq!(made.body["active"], true);
        assert!(made.body.get("groups").is_none() && made.id() != "x");
    }

    async fn h04_the_endpoint_says_what_it_is(at: &Stand) {
        let made = at.make("ida", json!({"meta": {"resourceType": "Group"}})).await;
        assert_eq!(made.body["meta"]["resourceType"], "User");
        at.post("/Groups", user_body("bo", json!({}))).await.refused(400, "invalidSyntax");
    }

    async fn o01_put_never_creates(at: &Stand) {
        at.put("/Users/01890a5d-ac96-774b-bcce-b302099a8057", user_body("ida", json!({}))).await.refused(404, "");
        at.put("/Users/mine", user_body("ida", json!({}))).await.refused(404, "");
        let group = json!({"schemas": [GROUP], "displayName": "g"});
        at.put("/Groups/01890a5d-ac96-774b-bcce-b302099a8057", group).await.refused(404, "");
        assert_eq!(at.get("").await.body["totalResults"], 0);
    }

    async fn o02_put_replaces_what_may_be_written(at: &Stand) {
        let made = at.make("ida", json!({"title": "x", "nickName": "I", "emails": [{"value": "a@x"}]})).await;
        let path = format!("/Users/{}", made.id());
        let put = at.put(&path, user_body("ida", json!({"title": "y", "id": "other", "meta": {"version": "9"}, "password": "Nq7!x"}))).await;
        assert_eq!((put.body["title"].as_str(), put.id()), (Some("y"), made.id()));
        assert!(put.body.get("nickName").is_none() && put.body.get("emails").is_none());
        at.put(&path, json!({"schemas": [USER], "title": "z"})).await.refused(400, "invalidValue");
        assert_eq!(at.get(&path).await.body["title"], "y");
    }

    async fn o03_get_edit_put_loses_nothing(at: &Stand) {
        let made = at.make("ida", json!({"schemas": [USER, ENTERPRISE], "title": "x", "emails": [{"value": "a@x", "type": "work"}],
            ENTERPRISE: {"department": "Quay"}})).await;
        let group = at.group("g", &[&made.id()]).await.id();
        let path = format!("/Users/{}", made.id());
        let mut body = at.get(&path).await.body;
        body["title"] = json!("y");
        let put = at.put(&path, body.clone()).await;
        assert!(put.body["meta"]["lastModified"].as_str() > body["meta"]["lastModified"].as_str());
        body["meta"] = put.body["meta"].clone();
        assert_eq!(put.body, body);
        assert_eq!(put.body["groups"][0]["value"], group);
    }

    async fn o04_put_without_active_keeps_it(at: &Stand) {
        let made = at.make("ida", json!({"active": false})).await;
        let put = at.put(&format!("/Users/{}", made.id()), user_body("ida", json!({"title": "x"}))).await;
        assert_eq!(put.body["active"], false);
    }

    async fn o05_put_of_a_group_without_members(at: &Stand) {
        let ida = at.user("ida").await.id();
        let group = at.group("g", &[&ida]).await.id();
        let path = format!("/Groups/{group}");
        let mut body = at.get(&format!("{path}?excludedAttributes=members")).await.body;
        body["displayName"] = json!("h");
        assert_eq!(at.put(&path, body.clone()).await.status, 200);
        assert_eq!(at.members(&group).await, [ida]);
        at.settings("authentik", json!({})).await;
        assert_eq!(at.put(&path, body).await.status, 200);
        assert_eq!(at.members(&group).await.len(), 0);
    }

    async fn o06_put_answers_with_the_whole(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        let put = at.put(&path, user_body("ida", json!({"title": "x"}))).await;
        assert_eq!((put.status, &put.body), (200, &at.get(&path).await.body));
        assert_eq!(put.header("etag"), put.body["meta"]["version"]);
    }

    async fn q01_deleted_is_gone(at: &Stand) {
        let made = at.make("ida", json!({"externalId": "e"})).await;
        let path = format!("/Users/{}", made.id());
        let deleted = at.delete(&path).await;
        assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
        at.get(&path).await.refused(404, "");
        at.put(&path, user_body("ida", json!({}))).await.refused(404, "");
        at.op(&path, "replace", "title", json!("x")).await.refused(404, "");
        at.delete(&path).await.refused(404, "");
        assert_eq!(at.get("/Users").await.body["totalResults"], 0);
        let group = at.group("g", &[]).await.id();
        assert_eq!(at.delete(&format!("/Groups/{group}")).await.status, 204);
        at.delete(&format!("/Groups/{group}")).await.refused(404, "");
    }

    async fn q02_the_name_is_free_at_once(at: &Stand) {
        let first = at.user("ida").await.id();
        at.delete(&format!("/Users/{first}")).await;
        assert_ne!(at.user("IDA").await.id(), first);
    }

    async fn q03_nothing_of_the_deleted_is_seen(at: &Stand) {
        let made = at.make("ida", json!({"externalId": "e"})).await;
        let group = at.group("g", &[&made.id()]).await.id();
        at.delete(&format!("/Users/{}", made.id())).await;
        for filter in [format!("id eq \"{}\"", made.id()), "userName eq \"ida\"".into(), "externalId eq \"e\"".into()] {
            assert_eq!(at.count("/Users", &filter).await, 0, "{filter}");
        }
        assert_eq!(at.members(&group).await.len(), 0);
        assert_eq!(at.count("/Groups", &format!("members[value eq \"{}\"]", made.id())).await, 0);
    }

    async fn r01_every_operation_is_whole(at: &Stand) {
        let data = user_body("a", json!({}));
        let answer = bulk(at, json!([{"method": "POST", "path": "/Users", "data": data}, {"method": "GET", "path": "/Users"},
            {"path": "/Users", "bulkId": "x", "data": data}, {"method": "POST", "bulkId": "y", "data": data},
            {"method": "DELETE", "path": "/Users"}, new_user("z", "z")])).await;
        assert_eq!(strings(&answer.body["Operations"], "status"), ["400", "400", "400", "400", "400", "201"], "{answer:?}");
        assert_eq!(answer.body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:BulkResponse");
        at.post("/Bulk", json!({"Operations": []})).await.refused(400, "invalidSyntax");
    }

    async fn r02_errors_are_counted(at: &Stand) {
        let some = |tag: &str| -> Value { (0..10).map(|n| if n % 3 == 2 { json!({"method": "DELETE", "path": "/Users/none"}) }
            else { new_user(&format!("b{n}"), &format!("{tag}{n}")) }).collect() };
        let all = bulk(at, some("a")).await;
        assert_eq!(all.body["Operations"].as_array().unwrap().len(), 10);
        for (most, answered) in [(1, 3), (2, 6)] {
            let body = json!({"schemas": [BULK], "failOnErrors": most, "Operations": some(&format!("c{most}-"))});
            let answer = at.post("/Bulk", body).await;
            assert_eq!(answer.body["Operations"].as_array().unwrap().len(), answered, "{answer:?}");
        }
    }

    async fn r03_every_entry_says_how_it_went(at: &Stand) {
        let answer = bulk(at, json!([new_user("a", "a"), new_user("b", "A"), {"method": "DELETE", "path": "/Users/none"}])).await;
        let entries = answer.body["Operations"].as_array().unwrap();
        assert_eq!((entries[0]["bulkId"].as_str(), entries[0]["method"].as_str()), (Some("a"), Some("POST")));
        assert!(entries[0]["location"].as_str().unwrap().starts_with(&at.base) && entries[0]["version"].is_string());
        assert_eq!((entries[1]["status"].as_str(), entries[1]["response"]["scimType"].as_str()), (Some("409"), Some("uniqueness")));
        assert!(entries[1].get("location").is_none() && entries[0].get("response").is_none());
        assert!(entries[2]["location"].as_str().unwrap().ends_with("/Users/none"), "{answer:?}");
    }

    async fn r04_bulk_ids_are_replaced_everywhere(at: &Stand) {
        let group = json!({"schemas": [GROUP], "displayName": "g", "members": [{"value": "bulkId:u"}]});
        let report = user_body("report", json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"manager": {"value": "bulkId:u"}}}));
        let rename = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "Boss"}]});
        let answer = bulk(at, json!([
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": group},
            {"method": "POST", "path": "/Users", "bulkId": "r", "data": report}, new_user("u", "boss"),
            {"method": "PATCH", "path": "/Users/bulkId:u", "data": rename}])).await;
        assert_eq!(strings(&answer.body["Operations"], "status"), ["201", "201", "201", "200"], "{answer:?}");
        let boss = &at.get("/Users?filter=userName%20eq%20%22boss%22").await.body["Resources"][0];
        assert_eq!(boss["title"], "Boss");
        assert_eq!(boss["groups"][0]["display"], "g");
        assert_eq!(at.find(&format!("{ENTERPRISE}:manager.value eq {}", boss["id"])).await, ["report"]);
    }

    async fn r05_circles_are_made(at: &Stand) {
        let group = |id: &str, other: &str| json!({"method": "POST", "path": "/Groups", "bulkId": id, "data":
            {"schemas": [GROUP], "displayName": id, "members": [{"value": format!("bulkId:{other}"), "type": "Group"}]}});
        let answer = bulk(at, json!([group("a", "b"), group("b", "a")])).await;
        assert_eq!(strings(&answer.body["Operations"], "status"), ["201", "201"], "{answer:?}");
        let groups = at.get("/Groups").await.body;
        assert!(groups["Resources"].as_array().unwrap().iter().all(|group| group["members"].as_array().unwrap().len() == 1), "{groups}");
    }

    async fn r06_limits_are_named(at: &Stand) {
        let app = App::start_with(&at.ground.db, |config| {
            config.scim.max_bulk_operations = 2;
            config.server.limits.max_bulk_body_bytes = 4_000;
        }).await;
        let small = app.scim(&at.ground.db, &at.world, at.world.connections[0]).await;
        let limits = small.get("/ServiceProviderConfig").await.body["bulk"].clone();
        assert_eq!((limits["maxOperations"].as_u64(), limits["maxPayloadSize"].as_u64()), (Some(2), Some(4_000)));
        let many = json!({"schemas": [BULK], "Operations": [new_user("a", "a"), new_user("b", "b"), new_user("c", "c")]});
        let refused = small.post("/Bulk", many).await;
        refused.refused(413, "");
        assert!(refused.body["detail"].as_str().unwrap().contains('2'));
        let large = small.post("/Bulk", json!({"schemas": [BULK], "Operations": [new_user("a", &"x".repeat(5_000))]})).await;
        large.refused(413, "");
        assert!(large.body["detail"].as_str().unwrap().contains("4000"), "{large:?}");
        assert_eq!(at.get("/Users").await.body["totalResults"], 0);
        app.stop().await;
    }

    async fn r07_the_order_of_answers_is_the_order_of_requests(at: &Stand) {
        let group = json!({"schemas": [GROUP], "displayName": "g", "members": [{"value": "bulkId:u"}]});
        let answer = bulk(at, json!([{"method": "POST", "path": "/Groups", "bulkId": "g", "data": group}, new_user("u", "ida"),
            {"method": "DELETE", "path": "/Users/bulkId:u"}, new_user("v", "ida")])).await;
        let entries = &answer.body["Operations"];
        assert_eq!(strings(entries, "method"), ["POST", "POST", "DELETE", "POST"], "{answer:?}");
        assert_eq!(strings(entries, "status"), ["201", "201", "204", "201"], "{answer:?}");
        assert_eq!(at.find("userName eq \"ida\"").await, ["ida"]);
    }

    async fn r08_an_operation_may_name_a_version(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        let data = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "x"}]});
        let op = |version: &str| json!({"method": "PATCH", "path": path, "version": version, "data": data});
        let answer = bulk(at, json!([op("W/\"99\""), op(made.header("etag")), op(made.header("etag"))])).await;
        assert_eq!(strings(&answer.body["Operations"], "status"), ["412", "200", "412"], "{answer:?}");
    }

    async fn r09_bulk_is_offered(at: &Stand) {
        assert_eq!(at.get("/ServiceProviderConfig").await.body["bulk"]["supported"], true);
        let answer = bulk(at, (0..60).map(|n| new_user(&format!("b{n}"), &format!("u{n}"))).collect()).await;
        assert!(strings(&answer.body["Operations"], "status").iter().all(|status| status == "201"));
        assert_eq!(at.get("/Users?count=0").await.body["totalResults"], 60);
    }

    async fn s01_a_connections_token_is_nobody(at: &Stand) {
        at.get("/Me").await.refused(501, "");
    }

    async fn t01_the_header_is_the_version(at: &Stand) {
        let made = at.user("ida").await;
        let group = at.group("g", &[&made.id()]).await;
        for (path, first) in [(format!("/Users/{}", made.id()), &made), (format!("/Groups/{}", group.id()), &group)] {
            let read = at.get(&path).await;
            assert_eq!(read.header("etag"), read.body["meta"]["version"]);
            let changed = at.op(&path, "replace", "externalId", json!("e")).await;
            assert_eq!(changed.header("etag"), changed.body["meta"]["version"]);
            assert_ne!(changed.header("etag"), first.header("etag"));
        }
    }

    async fn t02_what_the_client_has_is_not_sent_again(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        let ask = async |tag: &str| at.send(at.request(Method::GET, &path).header("if-none-match", tag)).await;
        let same = ask(made.header("etag")).await;
        assert_eq!((same.status, &same.body), (304, &Value::Null));
        assert_eq!(ask("*").await.status, 304);
        at.op(&path, "replace", "title", json!("x")).await;
        let changed = ask(made.header("etag")).await;
        assert_eq!(changed.status, 200);

        let group = at.group("crew", &[&made.id()]).await;
        let joined = ask(changed.header("etag")).await;
        assert_eq!((joined.status, &joined.body["groups"][0]["display"]), (200, &json!("crew")));
        assert_eq!(joined.body["meta"]["version"], joined.header("etag"));
        assert_eq!(ask(joined.header("etag")).await.status, 304);
        at.op(&format!("/Groups/{}", group.id()), "replace", "displayName", json!("staff")).await;
        let renamed = ask(joined.header("etag")).await;
        assert_eq!((renamed.status, &renamed.body["groups"][0]["display"]), (200, &json!("staff")));
        let title = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "y"}]});
        let written = with_match(at, Method::PATCH, &path, "if-match", joined.header("etag"), title).await;
        assert_eq!(written.status, 200, "the groups are no reason to refuse a write: {written:?}");
        at.delete(&format!("/Groups/{}", group.id())).await;
        assert_eq!(ask(written.header("etag")).await.status, 200);
    }

    async fn t03_a_stale_version_is_refused(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        let (old, strong) = (made.header("etag").to_owned(), made.header("etag").trim_start_matches("W/").to_owned());
        let title = |text: &str| json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": text}]});
        let first = with_match(at, Method::PATCH, &path, "if-match", &format!("\"nope\", {strong}"), title("a")).await;
        assert_eq!(first.status, 200, "{first:?}");
        with_match(at, Method::PATCH, &path, "if-match", &old, title("b")).await.refused(412, "");
        with_match(at, Method::PUT, &path, "if-match", &old, user_body("ida", json!({}))).await.refused(412, "");
        with_match(at, Method::DELETE, &path, "if-match", &old, json!({})).await.refused(412, "");
        assert_eq!(at.get(&path).await.body, first.body);
        assert_eq!(with_match(at, Method::DELETE, &path, "if-match", "*", json!({})).await.status, 204);
        let group = at.group("g", &[]).await;
        let path = format!("/Groups/{}", group.id());
        with_match(at, Method::PATCH, &path, "if-match", "W/\"77\"", title("b")).await.refused(412, "");
        with_match(at, Method::DELETE, &path, "if-match", "W/\"77\"", json!({})).await.refused(412, "");
    }

    async fn t04_a_version_is_needed_only_where_it_is_asked_for(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        assert_eq!(at.put(&path, user_body("ida", json!({"title": "a"}))).await.status, 200);
        at.settings("generic", json!({"switches": {"require_if_match": true}})).await;
        at.put(&path, user_body("ida", json!({"title": "b"}))).await.refused(428, "");
        at.op(&path, "replace", "title", json!("b")).await.refused(428, "");
        at.delete(&path).await.refused(428, "");
        let alone = bulk(at, json!([{"method": "DELETE", "path": path}])).await;
        assert_eq!(strings(&alone.body["Operations"], "status"), ["428"]);
        let tag = at.get(&path).await.header("etag").to_owned();
        assert_eq!(with_match(at, Method::DELETE, &path, "if-match", &tag, json!({})).await.status, 204);
    }

    async fn t05_a_groups_version_does_not_need_its_members(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let group = at.group("g", &[&ids[0]]).await;
        let path = format!("/Groups/{}", group.id());
        let bare = at.get(&format!("{path}?excludedAttributes=members")).await;
        assert_eq!(bare.header("etag"), group.header("etag"));
        at.op(&path, "add", "members", json!([{"value": ids[1]}])).await;
        let after = at.get(&format!("{path}?excludedAttributes=members")).await;
        assert_ne!(after.header("etag"), bare.header("etag"));
        assert!(after.body.get("members").is_none());
        let request = at.request(Method::GET, &path).header("if-none-match", after.header("etag"));
        assert_eq!(at.send(request).await.status, 304);
    }
}
