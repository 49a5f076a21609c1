//! 1.A: attributes and their characteristics.
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::{escaped, user_body};
use super::{ENTERPRISE, GROUP, PATCH, Stand, USER, rows};

const HARBOR: &str = "urn:ietf:params:scim:schemas:extension:harbor:2.0:User";

/// A schema of one's own, with an attribute of every kind.
fn harbor() -> Value {
    let plain = |name: &str, kind: &str| json!({"name": name, "type": kind, "multiValued": false});
    let with =
        |name: &str, key: &str, value: &str| json!({"name": name, "type": "string", "multiValued": false, key: value});
    json!({"schemas": [{"resource": "User", "schema": {"id": HARBOR, "name": "Harbor", "attributes": [
        plain("region", "string"), plain("level", "integer"), plain("share", "decimal"), plain("since", "dateTime"),
        plain("key", "binary"), plain("home", "reference"), plain("pilot", "boolean"),
        with("badge", "mutability", "immutable"), with("pin", "returned", "never"), with("note", "returned", "request"),
        {"name": "code", "type": "string", "multiValued": false, "caseExact": true},
    ]}}]})
}

async fn extended(at: &Stand, name: &str, harbor_values: Value) -> crate::app::Answer {
    at.post("/Users", user_body(name, json!({"schemas": [USER, HARBOR], HARBOR: harbor_values}))).await
}

rows! {
    async fn a01_names_have_no_case(at: &Stand) {
        let body = json!({"SCHEMAS": [USER], "USERNAME": "ida", "Name": {"FAMILYNAME": "Berg"},
            "eMails": [{"VALUE": "ida@harbor.example"}]});
        let made = at.post("/Users", body).await;
        assert_eq!((made.status, made.body["userName"].as_str()), (201, Some("ida")), "{made:?}");
        assert_eq!(made.body["emails"][0]["value"], "ida@harbor.example");
        assert_eq!(at.find("USERNAME EQ \"ida\"").await, ["ida"]);
        let path = format!("/Users/{}", made.id());
        let lower = json!({"schemas": [PATCH], "operations": [
            {"OP": "replace", "PATH": "NAME.familyname", "VALUE": "Ek"}]});
        let patched = at.send_body(Method::PATCH, &path, lower).await;
        assert_eq!(patched.body["name"]["familyName"], "Ek", "{patched:?}");
        let few = at.get(&format!("{path}?ATTRIBUTES=EMAILS")).await;
        assert!(few.body.get("emails").is_some() && few.body.get("name").is_none(), "{few:?}");
    }

    async fn a02_types_are_enforced(at: &Stand) {
        at.settings("generic", harbor()).await;
        let good = json!({"region": "Gotland", "level": 3, "share": 0.5, "since": "2026-01-31T08:00:00+02:00",
            "key": "AQID", "home": "https://harbor.example/x", "pilot": true});
        assert_eq!(extended(at, "good", good).await.status, 201);
        for (name, wrong) in [("level", json!(1.5)), ("level", json!(1e3)), ("level", json!("3")), ("share", json!("x")),
            ("since", json!("2026-01-31")), ("since", json!(7)), ("key", json!("%%%")), ("home", json!(7)),
            ("pilot", json!("perhaps")), ("pilot", json!(1)), ("region", json!(["x"]))] {
            extended(at, "bad", json!({name: wrong})).await.refused(400, "invalidValue");
        }
        for wrong in [json!({"active": 1}), json!({"userName": 7}), json!({"emails": {"value": "x"}}),
            json!({"emails": ["x"]}), json!({"name": "Ida"}), json!({"title": {"a": "b"}})] {
            at.post("/Users", user_body("bad", wrong)).await.refused(400, "invalidValue");
        }
        assert_eq!(at.get("/Users").await.body["totalResults"], 1);
    }

    async fn a03_order_of_keys_does_not_count_and_parts_have_no_parts(at: &Stand) {
        let shuffled = format!(r#"{{"name":{{"givenName":"Ida","familyName":"Berg"}},"userName":"ida","schemas":["{USER}"]}}"#);
        let request = at.request(Method::POST, "/Users").header("content-type", "application/json").body(shuffled);
        let made = at.send(request).await;
        assert_eq!((made.status, &made.body["name"]), (201, &json!({"familyName": "Berg", "givenName": "Ida"})));
        at.post("/Users", user_body("bo", json!({"name": {"givenName": {"first": "Bo"}}}))).await.refused(400, "invalidValue");
    }

    async fn a04_one_primary_at_most(at: &Stand) {
        let two = json!([{"value": "a@x", "primary": true}, {"value": "b@x", "primary": true}]);
        at.post("/Users", user_body("ida", json!({"emails": two}))).await.refused(400, "invalidValue");
        let made = at.make("ida", json!({"emails": [{"value": "a@x", "primary": true}, {"value": "b@x"}]})).await;
        assert!(made.body["emails"][1].get("primary").is_none_or(|primary| primary == false), "{made:?}");
    }

    async fn a05_a_value_is_there_once(at: &Stand) {
        let twice = json!([{"value": "a@x", "type": "work"}, {"value": "A@X", "type": "work"}, {"value": "a@x", "type": "home"}]);
        let made = at.make("ida", json!({"emails": twice})).await;
        assert_eq!(made.body["emails"].as_array().unwrap().len(), 2, "{made:?}");
        let path = format!("/Users/{}", made.id());
        let again = at.op(&path, "add", "emails", json!([{"value": "a@x", "type": "work"}])).await;
        assert_eq!(again.body["emails"], made.body["emails"]);
    }

    async fn a06_null_empty_and_absent_are_one_state(at: &Stand) {
        for nothing in [json!(null), json!([])] {
            let made = at.make(&format!("u{nothing}"), json!({"title": "x", "emails": [{"value": "a@x"}]})).await;
            let path = format!("/Users/{}", made.id());
            let cleared = at.op(&path, "replace", "emails", nothing.clone()).await;
            assert!(cleared.body.get("emails").is_none(), "{cleared:?}");
            assert!(at.get(&path).await.body.get("emails").is_none());
        }
        assert_eq!(at.count("/Users", "emails pr").await, 0);
        let made = at.make("ida", json!({"title": null, "emails": [], "name": {"givenName": null}})).await;
        assert!(["title", "emails", "name"].iter().all(|name| made.body.get(name).is_none()), "{made:?}");
    }

    async fn a07_schemas_say_what_is_there(at: &Stand) {
        at.post("/Users", json!({"userName": "ida"})).await.refused(400, "invalidSyntax");
        at.post("/Users", json!({"schemas": [], "userName": "ida"})).await.refused(400, "invalidSyntax");
        at.post("/Users", json!({"schemas": [ENTERPRISE], "userName": "ida"})).await.refused(400, "invalidSyntax");
        let made = at.make("ida", json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"department": "Quay"}})).await;
        assert_eq!(made.body["schemas"], json!([USER, ENTERPRISE]));
        let path = format!("/Users/{}", made.id());
        let gone = at.op(&path, "remove", &format!("{ENTERPRISE}:department"), json!(null)).await;
        assert_eq!(gone.body["schemas"], json!([USER]), "{gone:?}");
        assert!(gone.body.get(ENTERPRISE).is_none());
    }

    async fn a08_what_the_server_owns_is_ignored_or_refused(at: &Stand) {
        let forged = json!({"id": "mine", "meta": {"created": "2001-01-01T00:00:00Z", "resourceType": "Group"},
            "groups": [{"value": "x"}]});
        let made = at.make("ida", forged.clone()).await;
        assert!(made.id() != "mine" && made.body.get("groups").is_none(), "{made:?}");
        let path = format!("/Users/{}", made.id());
        let put = at.put(&path, user_body("ida", forged)).await;
        assert_eq!((put.status, &put.body), (200, &made.body), "nothing of it counts");
        for name in ["id", "meta", "meta.created", "groups"] {
            at.op(&path, "replace", name, json!("x")).await.refused(400, "mutability");
        }
    }

    async fn a09_immutable_values_are_set_once(at: &Stand) {
        at.settings("generic", harbor()).await;
        let made = at.make("ida", json!({})).await;
        let path = format!("/Users/{}", made.id());
        let badge = format!("{HARBOR}:badge");
        assert_eq!(at.op(&path, "add", &badge, json!("7")).await.body[HARBOR]["badge"], "7");
        assert_eq!(at.op(&path, "replace", &badge, json!("7")).await.status, 200);
        at.op(&path, "replace", &badge, json!("8")).await.refused(400, "mutability");
        at.op(&path, "remove", &badge, json!(null)).await.refused(400, "mutability");
        let other = user_body("ida", json!({"schemas": [USER, HARBOR], HARBOR: {"badge": "8"}}));
        at.put(&path, other).await.refused(400, "mutability");
        assert_eq!(at.put(&path, user_body("ida", json!({}))).await.body[HARBOR]["badge"], "7");
    }

    async fn a10_secrets_are_in_no_answer(at: &Stand) {
        at.settings("generic", harbor()).await;
        let secret = json!({"schemas": [USER, HARBOR], "password": "Zx9!placeholder", HARBOR: {"pin": "4711", "level": 1}});
        let made = at.make("ida", secret.clone()).await;
        let path = format!("/Users/{}", made.id());
        let data = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "password", "value": "Nq7!placeholder"}]});
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "PATCH", "path": path, "data": data}]});
        let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "attributes": ["password", format!("{HARBOR}:pin")]});
        let all = [made, at.get(&path).await, at.get(&format!("{path}?attributes=password,{HARBOR}:pin")).await,
            at.get("/Users").await, at.post("/Users/.search", search).await, at.put(&path, user_body("ida", secret)).await,
            at.op(&path, "replace", "title", json!("x")).await, at.post("/Bulk", bulk).await];
        for answer in all {
            assert!(answer.status < 300, "{answer:?}");
            let text = answer.body.to_string();
            assert!(!text.contains("placeholder") && !text.contains("4711") && !text.contains("password"), "{text}");
        }
        at.no_filter("password eq \"Zx9!placeholder\"").await;
        at.no_filter(&format!("{HARBOR}:pin sw \"4\"")).await;
        at.get(&format!("/Users?sortBy={HARBOR}:pin")).await.refused(400, "invalidValue");
    }

    async fn a11_what_is_always_shown_is_always_shown(at: &Stand) {
        let made = at.make("ida", json!({"title": "x"})).await;
        let path = format!("/Users/{}", made.id());
        let only = at.get(&format!("{path}?attributes=title")).await.body;
        assert!(only.get("id").is_some() && only.get("schemas").is_some() && only.get("userName").is_none(), "{only}");
        let without = at.get(&format!("{path}?excludedAttributes=id,schemas,title")).await.body;
        assert!(without.get("id").is_some() && without.get("schemas").is_some() && without.get("title").is_none());
    }

    async fn a12_some_attributes_are_shown_on_request(at: &Stand) {
        at.settings("generic", harbor()).await;
        let made = extended(at, "ida", json!({"note": "hello"})).await;
        assert_eq!(made.body[HARBOR]["note"], "hello", "the answer to the write that set it: {made:?}");
        let path = format!("/Users/{}", made.id());
        assert!(at.get(&path).await.body.get(HARBOR).is_none());
        assert_eq!(at.get(&format!("{path}?attributes={HARBOR}:note")).await.body[HARBOR]["note"], "hello");
    }

    async fn a13_case_counts_where_the_schema_says_so(at: &Stand) {
        at.settings("generic", harbor()).await;
        let made = at.make("ada", json!({"externalId": "a"})).await;
        at.post("/Users", user_body("ADA", json!({}))).await.refused(409, "uniqueness");
        at.make("bo", json!({"externalId": "A"})).await;
        assert_eq!(at.find("externalId eq \"a\"").await, ["ada"]);
        assert_eq!(at.find("externalId eq \"A\"").await, ["bo"]);
        assert_eq!(extended(at, "Cy", json!({"code": "xY", "region": "North"})).await.status, 201);
        assert_eq!(at.find(&format!("{HARBOR}:code eq \"xy\"")).await.len(), 0);
        assert_eq!(at.find(&format!("{HARBOR}:region eq \"NORTH\" and userName eq \"CY\"")).await, ["Cy"]);
        let changed = made.id().to_uppercase();
        assert_eq!(at.count("/Users", &format!("id eq \"{}\"", made.id())).await, 1);
        if changed != made.id() {
            assert_eq!(at.count("/Users", &format!("id eq \"{changed}\"")).await, 0);
        }
    }

    async fn a14_names_are_unique_within_one_connection(at: &Stand) {
        at.user("ida@harbor.example").await;
        at.post("/Users", user_body("ida@harbor.example", json!({}))).await.refused(409, "uniqueness");
        let bo = at.user("bo@harbor.example").await.id();
        let path = format!("/Users/{bo}");
        at.put(&path, user_body("IDA@harbor.example", json!({}))).await.refused(409, "uniqueness");
        at.op(&path, "replace", "userName", json!("ida@harbor.example")).await.refused(409, "uniqueness");
        assert_eq!(at.neighbour().await.user("ida@harbor.example").await.status, 201);
        assert_eq!(at.get(&path).await.body["userName"], "bo@harbor.example");
    }

    async fn a15_qualified_names_are_the_same(at: &Stand) {
        let made = at.make("ida", json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"department": "Quay"}})).await;
        let path = format!("/Users/{}", made.id());
        assert_eq!(at.find(&format!("{USER}:userName eq \"ida\"")).await, ["ida"]);
        assert_eq!(at.find(&format!("{ENTERPRISE}:department eq \"quay\"")).await, ["ida"]);
        assert_eq!(at.get(&format!("/Users?sortBy={USER}:userName")).await.status, 200);
        let few = at.get(&format!("{path}?attributes={USER}:name,{ENTERPRISE}:department")).await.body;
        assert_eq!((&few[ENTERPRISE], few.get("userName")), (&json!({"department": "Quay"}), None));
        let by_path = at.op(&path, "replace", &format!("{USER}:name.givenName"), json!("Ida")).await;
        assert_eq!(by_path.body["name"]["givenName"], "Ida", "{by_path:?}");
        let by_key = at.op(&path, "replace", "", json!({format!("{ENTERPRISE}:costCenter"): "12"})).await;
        assert_eq!(by_key.body[ENTERPRISE], json!({"department": "Quay", "costCenter": "12"}), "{by_key:?}");
    }

    async fn a16_references_can_be_followed(at: &Stand) {
        let ida = at.user("ida").await.id();
        let group = at.group("Operators", &[&ida]).await;
        let follow = async |url: &Value| at.get(url.as_str().unwrap().strip_prefix(&at.base).unwrap()).await;
        assert_eq!(follow(&group.body["meta"]["location"]).await.id(), group.id());
        assert_eq!(follow(&group.body["members"][0]["$ref"]).await.id(), ida);
        let user = at.get(&format!("/Users/{ida}")).await;
        assert_eq!(follow(&user.body["groups"][0]["$ref"]).await.id(), group.id());
        // Relative, and absolute without the version: the same user.
        let bare = at.base.replace("/v2", "");
        for reference in [format!("../Users/{ida}"), format!("/Users/{ida}"), format!("{bare}/Users/{ida}")] {
            let body = json!({"schemas": [GROUP], "displayName": "g", "members": [{"$ref": reference}]});
            let made = at.post("/Groups", body).await;
            assert_eq!(made.body["members"][0]["value"], ida, "{made:?}");
            assert_eq!(made.body["members"][0]["$ref"], group.body["members"][0]["$ref"]);
        }
    }

    async fn a17_the_schemas_describe_every_attribute(at: &Stand) {
        at.settings("generic", harbor()).await;
        let listed = at.get("/Schemas").await.body;
        let schemas: std::collections::HashMap<String, Value> = listed["Resources"].as_array().unwrap().iter()
            .map(|schema| (schema["id"].as_str().unwrap().to_owned(), schema["attributes"].clone())).collect();
        let made = extended(at, "ida", json!({"region": "Gotland", "level": 3})).await.body;
        for urn in made["schemas"].as_array().unwrap() {
            assert!(schemas.contains_key(urn.as_str().unwrap()), "{urn}");
        }
        let known = |urn: &str, name: &str| schemas[urn].as_array().unwrap().iter().any(|attr| attr["name"] == name);
        for (key, value) in made.as_object().unwrap() {
            match key.as_str() {
                "schemas" | "id" | "externalId" | "meta" => {}
                urn if urn.starts_with("urn:") => {
                    assert!(value.as_object().unwrap().keys().all(|name| known(urn, name)));
                }
                name => assert!(known(USER, name), "{name}"),
            }
        }
        for attributes in schemas.values() {
            described(attributes);
        }
    }

    async fn a18_suggested_values_bind_only_the_strict(at: &Stand) {
        let odd = json!({"phoneNumbers": [{"value": "1", "type": "pager2"}]});
        assert_eq!(at.make("ida", odd.clone()).await.body["phoneNumbers"][0]["type"], "pager2");
        at.settings("strict", json!({})).await;
        at.post("/Users", user_body("bo", odd)).await.refused(400, "invalidValue");
    }

    async fn a19_a_schema_of_ones_own_is_everywhere(at: &Stand) {
        at.settings("generic", harbor()).await;
        let types = at.get("/ResourceTypes/User").await.body.to_string();
        assert!(types.contains(HARBOR));
        assert_eq!(at.get(&format!("/Schemas/{HARBOR}")).await.body["name"], "Harbor");
        let made = extended(at, "ida", json!({"region": "Gotland", "level": 3})).await;
        assert_eq!(made.status, 201);
        let path = format!("/Users/{}", made.id());
        assert_eq!(at.find(&format!("{HARBOR}:level ge 3 and {HARBOR}:region sw \"got\"")).await, ["ida"]);
        assert_eq!(at.op(&path, "add", &format!("{HARBOR}:level"), json!(4)).await.body[HARBOR]["level"], 4);
        let sorted = at.get(&format!("/Users?sortBy={}", escaped(&format!("{HARBOR}:level")))).await;
        assert_eq!(sorted.status, 200);
        let neighbour = at.neighbour().await;
        neighbour.get(&format!("/Schemas/{HARBOR}")).await.refused(404, "");
    }
}

/// Fails unless every attribute has all its characteristics.
fn described(attributes: &Value) {
    for attribute in attributes.as_array().unwrap() {
        for key in ["name", "type", "multiValued", "description", "required", "mutability", "returned"] {
            assert!(!attribute[key].is_null(), "{attribute}: {key}");
        }
        if attribute["type"] == "complex" {
            described(&attribute["subAttributes"]);
        }
    }
}
