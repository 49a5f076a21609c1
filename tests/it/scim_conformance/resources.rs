//! 1.B, 1.C, 1.D: common attributes, users and groups.
use futures_util::future::join_all;
use reqwest::Method;
use rolecall::config::PublicUrl;
use rolecall::store::{Reader, StoreError, first};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use super::ground::{escaped, user_body};
use super::{ENTERPRISE, GROUP, PATCH, Stand, USER, rows, strings};
use crate::app::App;

statements! {
    DOCUMENTS = "SELECT document FROM external_users WHERE connection_id = $1";
}

rows! {
    async fn b01_ids_are_the_servers_and_never_come_back(at: &Stand) {
        let first = at.user("ida").await.id();
        assert_eq!(at.delete(&format!("/Users/{first}")).await.status, 204);
        let second = at.user("ida").await.id();
        let group = at.group("ida", &[]).await.id();
        assert!(first != second && group != first && group != second);
        assert!([&first, &second, &group].iter().all(|id| !id.is_empty() && !id.contains("bulkId")));
        assert_eq!(at.get(&format!("/Users/{second}")).await.id(), second);
        at.get(&format!("/Groups/{second}")).await.refused(404, "");
    }

    async fn b02_external_ids_are_the_clients(at: &Stand) {
        let made = at.user("ida").await;
        assert!(made.body.get("externalId").is_none(), "never made up");
        at.make("bo", json!({"externalId": "7"})).await;
        at.make("cy", json!({"externalId": "7"})).await;
        let neighbour = at.neighbour().await;
        assert_eq!(neighbour.post("/Users", user_body("dee", json!({"externalId": "7"}))).await.status, 201);
        assert_eq!(at.find("externalId eq \"7\"").await, ["bo", "cy"]);
    }

    async fn b03_meta_is_the_servers(at: &Stand) {
        let forged = json!({"meta": {"resourceType": "Group", "created": "2001-01-01T00:00:00Z", "location": "x", "version": "9"}});
        let made = at.make("ida", forged).await;
        let meta = &made.body["meta"];
        assert_eq!((meta["resourceType"].as_str(), &meta["created"]), (Some("User"), &meta["lastModified"]), "{meta}");
        assert!(meta["created"].as_str().unwrap() > "2026" && meta["location"].is_string());
        let changed = at.op(&format!("/Users/{}", made.id()), "add", "title", json!("x")).await;
        assert_eq!(changed.body["meta"]["created"], meta["created"]);
        assert!(changed.body["meta"]["lastModified"].as_str() > meta["lastModified"].as_str());
    }

    async fn b04_locations_are_what_the_client_sees(at: &Stand) {
        let made = at.user("ida").await;
        assert_eq!(made.header("location"), made.body["meta"]["location"]);
        assert_eq!(at.get(&format!("/Users/{}", made.id())).await.header("location"), made.header("location"));
        // Behind a proxy the address of the installation counts, whatever a header says.
        let public: PublicUrl = "https://id.harbor.example".to_owned().try_into().unwrap();
        let app = App::start_with(&at.ground.db, |config| config.server.public_url = Some(public)).await;
        let behind = app.scim(&at.ground.db, &at.world, at.world.connections[0]).await;
        let request = behind.request(Method::GET, &format!("/Users/{}", made.id()));
        let seen = behind.send(request.header("x-forwarded-host", "evil.example").header("host", "evil.example")).await;
        let location = seen.body["meta"]["location"].as_str().unwrap();
        assert!(location.starts_with("https://id.harbor.example/scim/"), "{location}");
        app.stop().await;
    }

    async fn b05_the_version_is_the_etag(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        let answers = [at.get(&path).await, at.put(&path, user_body("ida", json!({"title": "x"}))).await,
            at.op(&path, "replace", "title", json!("y")).await, made];
        for answer in answers {
            assert!(answer.header("etag").starts_with("W/\""), "{answer:?}");
            assert_eq!(answer.header("etag"), answer.body["meta"]["version"]);
        }
    }

    async fn b06_what_changes_nothing_leaves_time_and_version(at: &Stand) {
        let ida = at.make("ida", json!({"title": "x"})).await;
        let path = format!("/Users/{}", ida.id());
        assert_eq!(at.op(&path, "replace", "title", json!("x")).await.body["meta"], ida.body["meta"]);
        assert_eq!(at.put(&path, user_body("ida", json!({"title": "x"}))).await.body["meta"], ida.body["meta"]);
        let group = at.group("g", &[&ida.id()]).await;
        let again = at.op(&format!("/Groups/{}", group.id()), "add", "members", json!([{"value": ida.id()}])).await;
        assert_eq!(again.body["meta"], group.body["meta"]);
    }

    async fn b07_common_attributes_are_on_every_type(at: &Stand) {
        let body = json!({"schemas": [GROUP], "displayName": "g", "externalId": "e"});
        let group = at.post("/Groups", body).await.body;
        for resource in [&group, &at.make("ida", json!({"externalId": "e"})).await.body] {
            assert_eq!(resource["externalId"], "e");
            assert!(resource["id"].is_string() && resource["meta"]["location"].is_string());
            assert_eq!(resource["schemas"].as_array().unwrap().len(), 1, "no schema of their own: {resource}");
        }
    }

    async fn c01_a_user_has_a_name(at: &Stand) {
        for body in [json!({"schemas": [USER]}), user_body("", json!({})), user_body("   ", json!({})), json!({"schemas": [USER], "userName": null})] {
            at.post("/Users", body).await.refused(400, "invalidValue");
        }
        at.user("Ada").await;
        at.post("/Users", user_body("aDA", json!({}))).await.refused(409, "uniqueness");
    }

    async fn c02_passwords_are_taken_and_kept_nowhere(at: &Stand) {
        let made = at.make("ida", json!({"password": "Zx9!placeholder"})).await;
        assert!(made.body.get("password").is_none());
        let path = format!("/Users/{}", made.id());
        assert_eq!(at.op(&path, "replace", "password", json!("Nq7!placeholder")).await.status, 200);
        let connection = at.world.connections[0].connection();
        let mut reader: Reader = at.ground.db.store.reader().await.unwrap();
        let stored: Result<Vec<String>, StoreError> = reader.all(&DOCUMENTS, binds![connection], first).await;
        let stored = stored.unwrap();
        assert!(stored.len() == 1 && !stored[0].contains("placeholder") && !stored[0].contains("password"), "{stored:?}");
        at.no_filter("password co \"x\"").await;
    }

    async fn c03_a_user_shows_its_groups(at: &Stand) {
        let ida = at.user("ida").await.id();
        let inner = at.group("Inner", &[&ida]).await.id();
        let outer = at.group("Outer", &[&inner]).await.id();
        let user = at.get(&format!("/Users/{ida}")).await.body;
        let mut kinds: Vec<(String, String)> =
            strings(&user["groups"], "value").into_iter().zip(strings(&user["groups"], "type")).collect();
        kinds.sort_unstable();
        let mut expected = vec![(inner.clone(), "direct".to_owned()), (outer, "indirect".to_owned())];
        expected.sort_unstable();
        assert_eq!(kinds, expected, "{user}");
        assert!(user["groups"][0]["$ref"].as_str().unwrap().contains("/Groups/"));
        let put = at.put(&format!("/Users/{ida}"), user_body("ida", json!({"groups": []}))).await;
        assert_eq!(put.body["groups"].as_array().unwrap().len(), 2);
        assert_eq!(at.count("/Users", &format!("groups.value eq \"{inner}\"")).await, 1);
    }

    async fn c04_the_whole_user_comes_back(at: &Stand) {
        let whole = json!({
            "externalId": "e7", "displayName": "Ida Berg", "nickName": "Id", "profileUrl": "https://harbor.example/ida",
            "title": "Pilot", "userType": "Employee", "preferredLanguage": "sv-SE", "locale": "sv-SE",
            "timezone": "Europe/Stockholm", "active": true,
            "name": {"formatted": "Dr Ida M Berg", "familyName": "Berg", "givenName": "Ida", "middleName": "M",
                "honorificPrefix": "Dr", "honorificSuffix": "II"},
            "emails": [{"value": "ida@harbor.example", "type": "work", "primary": true, "display": "Ida"}],
            "phoneNumbers": [{"value": "+46 1", "type": "mobile"}], "ims": [{"value": "ida", "type": "xmpp"}],
            "photos": [{"value": "https://harbor.example/ida.png", "type": "photo"}],
            "addresses": [{"type": "work", "streetAddress": "Quay 4", "locality": "Visby", "region": "Gotland",
                "postalCode": "62157", "country": "SE", "formatted": "Quay 4, Visby", "primary": true}],
            "entitlements": [{"value": "crane"}], "roles": [{"value": "operator", "primary": true}],
            "x509Certificates": [{"value": "AQIDBA=="}]});
        let made = at.make("ida@harbor.example", whole.clone()).await;
        for (key, value) in whole.as_object().unwrap() {
            assert_eq!(&made.body[key], value, "{key}");
        }
        let read = at.get(&format!("/Users/{}", made.id())).await;
        assert_eq!(read.body, made.body);
        assert_eq!(at.put(&format!("/Users/{}", made.id()), read.body.clone()).await.body, read.body);
    }

    async fn c05_the_enterprise_extension(at: &Stand) {
        let boss = at.user("boss").await.id();
        let data = json!({"employeeNumber": "7", "costCenter": "12", "organization": "Harbor", "division": "Quay",
            "department": "Cranes", "manager": {"value": boss, "displayName": "forged"}});
        let made = at.make("ida", json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: data})).await;
        let shown = &made.body[ENTERPRISE];
        assert_eq!((shown["department"].as_str(), shown["manager"]["value"].as_str()), (Some("Cranes"), Some(boss.as_str())));
        assert_ne!(shown["manager"]["displayName"], "forged");
        let path = format!("/Users/{}", made.id());
        at.op(&path, "replace", &format!("{ENTERPRISE}:manager.displayName"), json!("x")).await.refused(400, "mutability");
        assert_eq!(at.find(&format!("{ENTERPRISE}:manager.value eq \"{boss}\"")).await, ["ida"]);
    }

    async fn c06_inactive_shuts_the_user_out(at: &Stand) {
        let made = at.user("ida").await;
        let path = format!("/Users/{}", made.id());
        let body = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": false}]});
        let dry = at.request(Method::PATCH, &path).header("rolecall-dry-run", "true")
            .header("content-type", "application/json").body(body.to_string());
        assert_eq!(at.send(dry).await.body["effect"]["users"][0]["change"], "suspended");
        assert_eq!(at.get(&path).await.body["active"], true);
        assert_eq!(at.op(&path, "replace", "active", json!(false)).await.body["active"], false);
        assert_eq!(at.count("/Users", "active eq false").await, 1);
        assert_eq!(at.op(&path, "replace", "active", json!(true)).await.body["active"], true);
    }

    async fn d01_a_group_has_a_name(at: &Stand) {
        at.post("/Groups", json!({"schemas": [GROUP]})).await.refused(400, "invalidValue");
        at.post("/Groups", json!({"schemas": [GROUP], "displayName": " "})).await.refused(400, "invalidValue");
        let schema = at.get(&format!("/Schemas/{GROUP}")).await.body;
        let name = schema["attributes"].as_array().unwrap().iter().find(|attr| attr["name"] == "displayName").unwrap().clone();
        assert_eq!(name["required"], true);
    }

    async fn d02_members_come_and_go_but_do_not_change(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let inner = at.group("Inner", &[]).await.id();
        let group = at.group("g", &[&ids[0]]).await;
        let path = format!("/Groups/{}", group.id());
        let member = &group.body["members"][0];
        assert_eq!((member["value"].as_str(), member["type"].as_str()), (Some(ids[0].as_str()), Some("User")), "{member}");
        assert!(member["$ref"].as_str().unwrap().ends_with(&format!("/Users/{}", ids[0])));
        at.op(&path, "replace", &format!("members[value eq \"{}\"].display", ids[0]), json!("x")).await.refused(400, "mutability");
        at.op(&path, "replace", &format!("members[value eq \"{}\"]", ids[0]), json!({"value": ids[1]})).await.refused(400, "mutability");
        let added = at.op(&path, "add", "members", json!([{"value": ids[1], "type": "User"}, {"value": inner, "type": "Group"}])).await;
        assert_eq!(added.body["members"].as_array().unwrap().len(), 3, "{added:?}");
        let removed = at.op(&path, "remove", "members[type eq \"Group\"]", json!(null)).await;
        assert_eq!(removed.body["members"].as_array().unwrap().len(), 2, "{removed:?}");
    }

    async fn d03_groups_in_a_circle(at: &Stand) {
        let ida = at.user("ida").await.id();
        let (a, b) = (at.group("A", &[&ida]).await.id(), at.group("B", &[]).await.id());
        for (outer, inner) in [(&a, &b), (&b, &a), (&a, &a)] {
            let answer = at.op(&format!("/Groups/{outer}"), "add", "members", json!([{"value": inner, "type": "Group"}])).await;
            assert!(answer.status < 500, "{answer:?}");
        }
        let groups = at.get(&format!("/Users/{ida}")).await.body["groups"].clone();
        assert_eq!(groups.as_array().unwrap().len(), 2, "{groups}");
        let path = format!("/Groups/{b}");
        assert!(at.op(&path, "remove", "members", json!(null)).await.status < 300);
        assert_eq!(at.members(&b).await.len(), 0);
        assert_eq!(at.get(&format!("/Users/{ida}")).await.body["groups"].as_array().unwrap().len(), 1);
    }

    async fn d04_membership_is_a_set(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let group = at.group("g", &[&ids[0], &ids[0], &ids[1]]).await;
        assert_eq!(at.members(&group.id()).await.len(), 2);
        at.op(&format!("/Groups/{}", group.id()), "add", "members", json!([{"value": ids[0]}])).await;
        assert_eq!(at.members(&group.id()).await.len(), 2);
        assert_eq!(at.delete(&format!("/Users/{}", ids[0])).await.status, 204);
        assert_eq!(at.members(&group.id()).await, [ids[1].clone()]);
        assert_ne!(at.get(&format!("/Groups/{}", group.id())).await.body["meta"]["version"], group.body["meta"]["version"]);
    }

    async fn d05_unknown_members_never_empty_a_group(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let group = at.group("g", &[&ids[0]]).await.id();
        let path = format!("/Groups/{group}");
        let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
        let pushed = json!([{"value": ids[1]}, {"value": nobody}]);
        at.settings("generic", json!({"switches": {"unknown_member": "reject"}})).await;
        at.op(&path, "replace", "members", pushed.clone()).await.refused(400, "invalidValue");
        assert_eq!(at.members(&group).await, [ids[0].clone()]);
        at.settings("generic", json!({})).await;
        assert!(at.op(&path, "replace", "members", pushed).await.status < 300);
        assert_eq!(at.members(&group).await, [ids[1].clone()]);
    }

    async fn f01_names_in_every_script(at: &Stand) {
        let names = ["Ærø", "עברית", "漢字", "🦊"];
        join_all(names.iter().map(|name| at.user(name))).await;
        for name in names {
            assert_eq!(at.find(&format!("userName eq \"{name}\"")).await, [name]);
            let found = at.get(&format!("/Users?filter={}", escaped(&format!("userName co \"{name}\"")))).await.body;
            assert_eq!(found["totalResults"], Value::from(1));
        }
    }
}
