//! 1.E: discovery.
use reqwest::Method;
use serde_json::json;

use super::ground::user_body;
use super::{Stand, USER, rows, strings};
use crate::app::{App, Scim};

rows! {
    async fn e01_the_service_says_what_it_can_do(at: &Stand) {
        let config = at.get("/ServiceProviderConfig").await;
        assert_eq!(config.status, 200);
        for feature in ["patch", "bulk", "filter", "sort", "etag"] {
            assert_eq!(config.body[feature]["supported"], true, "{feature}");
        }
        assert_eq!(config.body["changePassword"]["supported"], false);
        for (feature, limit) in [("bulk", "maxOperations"), ("bulk", "maxPayloadSize"), ("filter", "maxResults")] {
            assert!(config.body[feature][limit].as_u64().unwrap() > 0, "{limit}");
        }
        let most = config.body["filter"]["maxResults"].as_u64().unwrap();
        assert_eq!(at.get(&format!("/Users?count={}", most + 1)).await.status, 200);
    }

    async fn e02_schemes_can_be_read_before_signing_in(at: &Stand) {
        let kinds = strings(&at.get("/ServiceProviderConfig").await.body["authenticationSchemes"], "type");
        let known = ["oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"];
        assert!(!kinds.is_empty() && kinds.iter().all(|kind| known.contains(&kind.as_str())), "{kinds:?}");
        let closed = at.client.get(format!("{}/ServiceProviderConfig", at.base)).send().await.unwrap();
        assert_eq!(closed.status(), 401);
        let app = App::start_with(&at.ground.db, |config| config.scim.public_discovery = true).await;
        let open = app.scim(&at.ground.db, &at.world, at.world.connections[0]).await;
        for path in ["ServiceProviderConfig", "ResourceTypes", "Schemas"] {
            let answer = open.client.get(format!("{}/{path}", open.base)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
        assert_eq!(open.client.get(format!("{}/Users", open.base)).send().await.unwrap().status(), 401);
        app.stop().await;
    }

    async fn e03_lists_and_single_documents(at: &Stand) {
        for path in ["/ResourceTypes", "/Schemas"] {
            let list = at.get(path).await.body;
            assert_eq!(list["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:ListResponse");
            assert_eq!(list["totalResults"].as_u64().unwrap() as usize, list["Resources"].as_array().unwrap().len());
            for id in strings(&list["Resources"], "id") {
                assert_eq!(at.get(&format!("{path}/{id}")).await.body["id"], id);
            }
            at.get(&format!("{path}/nothing")).await.refused(404, "");
        }
        assert!(at.get("/Schemas").await.body["Resources"].as_array().unwrap().iter().any(|schema| schema["id"] == USER));
    }

    async fn e04_nothing_there_is_paged_or_filtered(at: &Stand) {
        for path in ["/ResourceTypes", "/Schemas"] {
            let whole = at.get(path).await.body;
            assert_eq!(at.get(&format!("{path}?startIndex=2&count=1&sortBy=id")).await.body, whole);
            at.get(&format!("{path}?filter=id%20pr")).await.refused(403, "");
        }
        at.get("/ServiceProviderConfig?filter=id%20pr").await.refused(403, "");
    }

    async fn e05_discovery_is_read_only(at: &Stand) {
        for path in ["/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", &format!("/Schemas/{USER}")] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let answer = at.send_body(method, path, json!({})).await;
                answer.refused(405, "");
                assert!(answer.header("allow").contains("GET"), "{answer:?}");
            }
        }
    }

    async fn e06_a_required_extension_is_required(at: &Stand) {
        let urn = "urn:example:harbor:2.0:User";
        let schema = json!({"id": urn, "name": "H", "attributes": [{"name": "berth", "type": "string", "multiValued": false}]});
        at.settings("generic", json!({"schemas": [{"resource": "User", "required": true, "schema": schema}]})).await;
        let types = at.get("/ResourceTypes/User").await.body;
        let listed = types["schemaExtensions"].as_array().unwrap().iter().find(|one| one["schema"] == urn).unwrap().clone();
        assert_eq!(listed["required"], true);
        at.post("/Users", user_body("ida", json!({}))).await.refused(400, "invalidValue");
        let good = user_body("ida", json!({"schemas": [USER, urn], urn: {"berth": "4"}}));
        let made = at.post("/Users", good).await;
        assert_eq!(made.status, 201, "{made:?}");
        at.op(&format!("/Users/{}", made.id()), "remove", urn, json!(null)).await.refused(400, "invalidValue");
    }

    async fn u01_every_connection_sees_its_own(at: &Stand) {
        let neighbour = at.neighbour().await;
        let other = Scim { base: neighbour.base, ..at.scim.clone() };
        other.get("/Schemas").await.refused(401, "");
    }
}
