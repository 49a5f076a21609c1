//! 1.P: PATCH.
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::strings;
use super::{ENTERPRISE, PATCH, Stand, USER, rows};

rows! {
    async fn p01_a_message_is_whole(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        let send = async |body: Value| at.send_body(Method::PATCH, &path, body).await;
        for body in [json!({"Operations": [{"op": "add", "path": "title", "value": "x"}]}), json!({"schemas": [PATCH]}),
            json!({"schemas": [PATCH], "Operations": []}), json!({"schemas": [PATCH], "Operations": {}}),
            json!({"schemas": [PATCH], "Operations": [{"path": "title", "value": "x"}]}),
            json!({"schemas": [PATCH], "Operations": [{"op": "move", "path": "title", "value": "x"}]}),
            json!({"schemas": [PATCH], "Operations": [{"op": ["add"], "path": "title", "value": "x"}]}),
            json!({"schemas": [PATCH], "Operations": ["add"]})] {
            send(body).await.refused(400, "invalidSyntax");
        }
        send(json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "title"}]})).await.refused(400, "invalidValue");
    }

    async fn p02_all_or_nothing(at: &Stand) {
        let ids = at.users(&["ida", "bo"]).await;
        let user = at.get(&format!("/Users/{}", ids[0])).await;
        let bad = json!({"op": "replace", "path": "id", "value": "x"});
        at.patch(&format!("/Users/{}", ids[0]), json!([{"op": "add", "path": "title", "value": "x"}, bad])).await.refused(400, "mutability");
        assert_eq!(at.get(&format!("/Users/{}", ids[0])).await.body, user.body);
        let group = at.group("g", &[&ids[0]]).await;
        let path = format!("/Groups/{}", group.id());
        at.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": ids[1]}]}, {"op": "replace", "path": "displayName", "value": "h"}, bad])).await.refused(400, "mutability");
        assert_eq!(at.get(&path).await.body, group.body);
        // In order: what one sets the next one sees.
        let both = json!([{"op": "add", "path": "title", "value": "x"}, {"op": "replace", "path": "title", "value": "y"}]);
        assert_eq!(at.patch(&format!("/Users/{}", ids[0]), both).await.body["title"], "y");
    }

    async fn p03_paths_have_a_grammar(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        for bad in ["emails[", "emails[type]", "emails[type eq]", "emails]", "a b", "name..givenName", ".title", "title.", "emails[type eq \"work\"]value",
            "emails[type eq \"work\"].", "emails[type eq \"work\"][x pr]", "nothing", "name.nothing", "emails[nothing eq \"x\"]", "name[givenName pr]"] {
            let refused = at.op(&path, "replace", bad, json!("x")).await;
            assert_eq!(refused.status, 400, "{bad}: {refused:?}");
            assert!(["invalidPath", "invalidFilter"].contains(&refused.body["scimType"].as_str().unwrap()), "{bad}: {refused:?}");
        }
    }

    async fn p04_the_schema_holds(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        for (target, value, keyword) in [("title", json!(7), "invalidValue"), ("active", json!("perhaps"), "invalidValue"),
            ("name", json!("Ida"), "invalidValue"), ("emails", json!(["x"]), "invalidValue"), ("id", json!("x"), "mutability"),
            ("meta.version", json!("x"), "mutability"), ("groups", json!([]), "mutability"), ("userName", json!(""), "invalidValue")] {
            at.op(&path, "replace", target, value).await.refused(400, keyword);
        }
    }

    async fn p05_one_primary_takes_it_from_the_other(at: &Stand) {
        let made = at.make("ida", json!({"emails": [{"value": "a@x", "primary": true}]})).await;
        let path = format!("/Users/{}", made.id());
        let added = at.op(&path, "add", "emails", json!([{"value": "b@x", "primary": true}])).await;
        let primary = |body: &Value| body["emails"].as_array().unwrap().iter().filter(|one| one["primary"] == true).count();
        assert_eq!((primary(&added.body), &added.body["emails"][1]["primary"]), (1, &json!(true)), "{added:?}");
        let back = at.op(&path, "replace", "emails[value eq \"a@x\"].primary", json!(true)).await;
        assert_eq!((primary(&back.body), &back.body["emails"][0]["primary"]), (1, &json!(true)), "{back:?}");
    }

    async fn p06_schemas_follow(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        let set = at.op(&path, "add", &format!("{ENTERPRISE}:costCenter"), json!("12")).await;
        assert_eq!(set.body["schemas"], json!([USER, ENTERPRISE]));
        assert_eq!(at.op(&path, "add", "schemas", json!([ENTERPRISE])).await.status, 200);
        let gone = at.op(&path, "remove", &format!("{ENTERPRISE}:costCenter"), json!(null)).await;
        assert_eq!(gone.body["schemas"], json!([USER]));
        at.op(&path, "remove", &format!("schemas[value eq \"{USER}\"]"), json!(null)).await.refused(400, "mutability");
    }

    async fn p07_what_is_answered(at: &Stand) {
        let ida = at.user("ida").await.id();
        let changed = at.op(&format!("/Users/{ida}"), "add", "title", json!("x")).await;
        assert_eq!((changed.status, changed.body["title"].as_str()), (200, Some("x")));
        let path = format!("/Groups/{}", at.group("g", &[]).await.id());
        let add = json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": ida}]}]});
        assert_eq!(at.send_body(Method::PATCH, &path, add.clone()).await.status, 200);
        at.settings("entra", json!({})).await;
        let empty = at.send_body(Method::PATCH, &path, add.clone()).await;
        assert_eq!((empty.status, &empty.body), (204, &Value::Null));
        let asked = at.send_body(Method::PATCH, &format!("{path}?attributes=id"), add).await;
        assert_eq!(asked.status, 200);
        assert!(asked.body["id"].is_string() && asked.body.get("displayName").is_none());
    }

    async fn p08_add_without_a_path_merges(at: &Stand) {
        let made = at.make("ida", json!({"emails": [{"value": "a@x"}], "nickName": "I"})).await;
        let answer = at.op(&format!("/Users/{}", made.id()), "add", "", json!({"title": "X", "emails": [{"value": "b@x"}]})).await;
        assert_eq!((answer.body["title"].as_str(), answer.body["nickName"].as_str()), (Some("X"), Some("I")));
        assert_eq!(strings(&answer.body["emails"], "value"), ["a@x", "b@x"]);
    }

    async fn p09_add_appends_once(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let path = format!("/Groups/{}", at.group("g", &[&ids[0]]).await.id());
        let both = json!([{"value": ids[0]}, {"value": ids[1]}]);
        let first = at.op(&path, "add", "members", json!([{"value": ids[1]}])).await;
        assert_eq!(first.body["members"].as_array().unwrap().len(), 2);
        assert_eq!(at.op(&path, "add", "members", both).await.body["meta"], first.body["meta"]);
        let user = format!("/Users/{}", ids[0]);
        let mail = json!([{"value": "a@x", "type": "work"}]);
        let once = at.op(&user, "add", "emails", mail.clone()).await;
        assert_eq!(at.op(&user, "add", "emails", mail).await.body, once.body);
    }

    async fn p10_add_to_parts(at: &Stand) {
        let made = at.make("ida", json!({"name": {"familyName": "Berg"}, "title": "old"})).await;
        let path = format!("/Users/{}", made.id());
        let answer = at.op(&path, "add", "name", json!({"givenName": "Ida"})).await;
        assert_eq!(answer.body["name"], json!({"familyName": "Berg", "givenName": "Ida"}));
        assert_eq!(at.op(&path, "add", "title", json!("new")).await.body["title"], "new");
    }

    async fn p11_remove_needs_a_target(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        at.patch(&path, json!([{"op": "remove"}])).await.refused(400, "noTarget");
        at.patch(&path, json!([{"op": "remove", "path": ""}])).await.refused(400, "noTarget");
    }

    async fn p12_remove_takes_the_whole(at: &Stand) {
        let mails = json!({"emails": [{"value": "a@x", "type": "work"}], "title": "x"});
        let path = format!("/Users/{}", at.make("ida", mails.clone()).await.id());
        assert!(at.op(&path, "remove", "emails", json!(null)).await.body.get("emails").is_none());
        at.op(&path, "add", "", mails).await;
        let last = at.op(&path, "remove", "emails[type eq \"work\"]", json!(null)).await;
        assert!(last.body.get("emails").is_none() && at.get(&path).await.body.get("emails").is_none());
        assert!(at.op(&path, "remove", "title", json!(null)).await.body.get("title").is_none());
    }

    async fn p13_required_and_read_only_stay(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        for target in ["userName", "id", "meta", "groups"] {
            at.op(&path, "remove", target, json!(null)).await.refused(400, "mutability");
        }
        let group = format!("/Groups/{}", at.group("g", &[]).await.id());
        at.op(&group, "remove", "displayName", json!(null)).await.refused(400, "mutability");
    }

    async fn p14_removing_who_is_not_there_is_fine(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let group = at.group("g", &[&ids[0]]).await;
        let path = format!("/Groups/{}", group.id());
        for id in [ids[1].as_str(), "unknown", "01890a5d-ac96-774b-bcce-b302099a8057"] {
            let answer = at.op(&path, "remove", &format!("members[value eq \"{id}\"]"), json!(null)).await;
            assert_eq!((answer.status, &answer.body["meta"]), (200, &group.body["meta"]), "{answer:?}");
        }
        let user = at.op(&format!("/Users/{}", ids[0]), "remove", "title", json!(null)).await;
        assert_eq!(user.status, 200);
    }

    async fn p15_remove_by_filter(at: &Stand) {
        let made = at.make("ida", json!({"addresses": [{"type": "work", "region": "N", "locality": "V"}, {"type": "home", "region": "S"}],
            "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "work"}, {"value": "c@x", "type": "home"}]})).await;
        let path = format!("/Users/{}", made.id());
        let part = at.op(&path, "remove", "addresses[type eq \"work\"].region", json!(null)).await;
        assert_eq!(part.body["addresses"], json!([{"type": "work", "locality": "V"}, {"type": "home", "region": "S"}]));
        let all = at.op(&path, "remove", "emails[type eq \"work\"]", json!(null)).await;
        assert_eq!(strings(&all.body["emails"], "value"), ["c@x"]);
    }

    async fn p16_replace_without_a_path(at: &Stand) {
        let made = at.make("ida", json!({"title": "T", "name": {"familyName": "Berg"}})).await;
        let answer = at.op(&format!("/Users/{}", made.id()), "replace", "", json!({"nickName": "N", "name": {"givenName": "G"}})).await;
        assert_eq!((answer.body["nickName"].as_str(), answer.body["title"].as_str()), (Some("N"), Some("T")));
        assert_eq!(answer.body["name"]["givenName"], "G");
    }

    async fn p17_replace_of_nothing_adds(at: &Stand) {
        let path = format!("/Users/{}", at.user("ida").await.id());
        assert_eq!(at.op(&path, "replace", "title", json!("x")).await.body["title"], "x");
        assert_eq!(at.op(&path, "replace", "name.givenName", json!("Ida")).await.body["name"]["givenName"], "Ida");
    }

    async fn p18_replace_of_parts_keeps_the_others(at: &Stand) {
        let made = at.make("ida", json!({"name": {"givenName": "I", "familyName": "Berg"}})).await;
        let answer = at.op(&format!("/Users/{}", made.id()), "replace", "name", json!({"givenName": "Ida"})).await;
        assert_eq!(answer.body["name"], json!({"givenName": "Ida", "familyName": "Berg"}));
    }

    async fn p19_replace_of_a_whole_list(at: &Stand) {
        let ids = at.users(&["a", "b", "c"]).await;
        let group = at.group("g", &[&ids[0], &ids[1]]).await.id();
        let path = format!("/Groups/{group}");
        assert_eq!(at.op(&path, "replace", "members", json!([{"value": ids[1]}, {"value": ids[2]}])).await.status, 200);
        let mut expected = vec![ids[1].clone(), ids[2].clone()];
        expected.sort_unstable();
        assert_eq!(at.members(&group).await, expected);
        assert_eq!(at.op(&path, "replace", "members", json!([])).await.status, 200);
        assert_eq!(at.members(&group).await.len(), 0);
        let user = format!("/Users/{}", ids[0]);
        at.op(&user, "add", "emails", json!([{"value": "a@x"}])).await;
        let mails = at.op(&user, "replace", "emails", json!([{"value": "b@x"}])).await;
        assert_eq!(strings(&mails.body["emails"], "value"), ["b@x"]);
    }

    async fn p20_replace_where_nothing_matches(at: &Stand) {
        let path = format!("/Users/{}", at.make("ida", json!({"emails": [{"value": "a@x", "type": "home"}, {"value": "b@x", "type": "home"}]})).await.id());
        let made = at.op(&path, "replace", "emails[type eq \"work\"].value", json!("w@x")).await;
        assert_eq!(strings(&made.body["emails"], "value"), ["a@x", "b@x", "w@x"]);
        at.op(&path, "replace", "emails[type sw \"o\"].value", json!("w@x")).await.refused(400, "noTarget");
        let every = at.op(&path, "replace", "emails[type eq \"home\"].display", json!("H")).await;
        assert_eq!(strings(&every.body["emails"], "display"), ["H", "H", ""]);
        at.settings("strict", json!({})).await;
        at.op(&path, "replace", "emails[type eq \"other\"].value", json!("o@x")).await.refused(400, "noTarget");
    }

    async fn p21_removal_goes_by_id(at: &Stand) {
        let ids = at.users(&["a", "b", "c", "d", "e"]).await;
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let group = at.group("g", &all).await.id();
        let gone = [0, 2, 4].map(|at| json!({"op": "remove", "path": format!("members[value eq \"{}\"]", ids[at])}));
        assert_eq!(at.patch(&format!("/Groups/{group}"), json!(gone)).await.status, 200);
        let mut expected = vec![ids[1].clone(), ids[3].clone()];
        expected.sort_unstable();
        assert_eq!(at.members(&group).await, expected);
    }

    async fn p22_many_members_at_once(at: &Stand) {
        let names: Vec<String> = (0..60).map(|number| format!("u{number}")).collect();
        let ids: Vec<String> = join_all(names.iter().map(|name| at.user(name))).await.iter().map(crate::app::Answer::id).collect();
        let group = at.group("g", &[]).await.id();
        let path = format!("/Groups/{group}");
        let each: Value = ids.iter().map(|id| json!({"op": "add", "path": "members", "value": [{"value": id}]})).collect();
        assert_eq!(at.patch(&path, each).await.status, 200);
        assert_eq!(at.members(&group).await.len(), 60);
        let out: Value = ids.iter().take(50).map(|id| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")})).collect();
        assert_eq!(at.patch(&path, out).await.status, 200);
        assert_eq!(at.members(&group).await.len(), 10);
        let operation = json!({"op": "add", "path": "members", "value": [{"value": ids[0]}]});
        at.patch(&path, Value::Array(vec![operation; 10_001])).await.refused(413, "");
        let crowd: Value = (0..10_000).map(|_| json!({"value": ids[0]})).collect();
        assert_eq!(at.op(&path, "add", "members", crowd).await.status, 200);
    }
}
