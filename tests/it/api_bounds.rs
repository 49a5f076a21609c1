//! The description of the API is the server: what it declares allowed is taken, what it does not is refused.
use reqwest::Method;
use rolecall::domain::capability::CoreCapability;
use rolecall::web::api::openapi;
use serde_json::{Value, json};

use crate::app::App;
use crate::support::api::{Api, sent};
use crate::support::database::on_both;
use crate::support::house::House;

/// Whether a schema takes null.
fn takes_null(schema: &Value) -> bool {
    let named = |kind: &Value| kind == "null";
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(named),
        kind if named(kind) => true,
        _ => ["oneOf", "anyOf"]
            .iter()
            .any(|name| schema[*name].as_array().is_some_and(|some| some.iter().any(takes_null))),
    }
}

on_both! {
    async fn queries_are_bounded_as_they_are_described(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.api.requests_per_second = 0).await;
        let owner = Api::owner(&app, &house).await;
        let described = serde_json::to_value(openapi::document()).unwrap();
        let (mut limits, mut others) = (0, 0);
        for (pattern, item) in described["paths"].as_object().unwrap() {
            for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
                let (place, name, schema) = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap(), &parameter["schema"]);
                if place != "query" {
                    continue;
                }
                assert!(!takes_null(schema), "{pattern}: {name} is sent or it is not");
                assert_ne!(parameter["required"], true, "{pattern}: {name}");
                let path = pattern.trim_start_matches("/api/v1").replace("{slug}", "acme").replace("{stable_id}", "x")
                    .replace("{id}", &house.reseller.to_string());
                let status = async |value: String| owner.get(&format!("{path}?{name}={value}")).await.status;
                for (bound, inside) in [("minimum", 1), ("maximum", -1)] {
                    let Some(number) = schema[bound].as_i64() else { continue };
                    for (value, wrong) in [(number, false), (number + inside, false), (number - inside, true), (number - 10 * inside, true)] {
                        assert_eq!(status(value.to_string()).await == 400, wrong, "{path}?{name}={value}");
                    }
                    limits += 1;
                }
                if schema["type"] == "integer" {
                    for odd in ["x", "1.5", "", "9223372036854775808", "null"] {
                        assert_eq!(status(odd.to_owned()).await, 400, "{path}?{name}={odd}");
                    }
                }
                if let Some(most) = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
                    assert_ne!(status("a".repeat(most)).await, 400, "{path}?{name}");
                    assert_eq!(status("a".repeat(most + 1)).await, 400, "{path}?{name}");
                    others += 1;
                }
            }
        }
        assert!(limits >= 18 && others >= 2, "{limits} {others}");
        app.stop().await;
    }

    async fn bodies_are_bounded_as_they_are_described(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.api.requests_per_second = 0).await;
        let owner = Api::owner(&app, &house).await;
        let described = serde_json::to_value(openapi::document()).unwrap();
        let number = std::sync::atomic::AtomicUsize::new(0);
        // Names are taken once: each has its own beginning.
        let fresh = |length: usize| {
            let mut text = format!("n{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            text.push_str(&"x".repeat(length.saturating_sub(text.len())));
            text.truncate(length);
            text
        };
        let below = house.reseller.to_string();
        let calls: [(&str, &str, String, &dyn Fn() -> Value); 6] = [
            ("post", "/api/v1/partners", "/partners".to_owned(), &|| json!({"parent": below, "name": fresh(9), "level": "reseller", "kind": "department"})),
            ("post", "/api/v1/partners/{id}/directories", format!("/partners/{below}/directories"), &|| json!({"name": fresh(9)})),
            ("post", "/api/v1/connections/{slug}/tokens", "/connections/acme/tokens".to_owned(), &|| json!({"name": fresh(9)})),
            ("post", "/api/v1/connections/{slug}/oauth-clients", "/connections/acme/oauth-clients".to_owned(), &|| json!({"name": fresh(9)})),
            ("patch", "/api/v1/connections/{slug}", "/connections/acme".to_owned(), &|| json!({"profile": "generic"})),
            // The last one: what is below a suspended partner answers nothing else.
            ("post", "/api/v1/partners/{id}/suspend", format!("/partners/{below}/suspend"), &|| json!({"reason": "unpaid"})),
        ];
        let mut bounds = 0;
        for (method, pattern, path, base) in calls {
            let schema = &described["paths"][pattern][method]["requestBody"]["content"]["application/json"]["schema"];
            let schema = described.pointer(schema["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
            let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let method: Method = method.to_uppercase().parse().unwrap();
            let status = async |body: &Value| {
                let answer = sent(owner.request(method.clone(), &path).json(body)).await;
                assert!(answer.status < 500, "{path} {body}: {answer:?}");
                answer.status
            };
            assert_ne!(status(&base()).await, 400, "{path}");
            for (name, property) in schema["properties"].as_object().unwrap() {
                let with = |value: Value| {
                    let mut body = base();
                    body[name.as_str()] = value;
                    body
                };
                let null = with(Value::Null);
                if name == "kind" {
                    // Left unsaid it is a company, for which this level will not do.
                    continue;
                }
                assert_eq!(status(&null).await != 400, takes_null(property), "{path} {null}");
                let mut without = base();
                if without.as_object_mut().unwrap().remove(name).is_some() {
                    assert_eq!(status(&without).await == 400, required.contains(&name.as_str()), "{path} {without}");
                }
                let length = |bound: &str| property[bound].as_u64().and_then(|length| usize::try_from(length).ok());
                if let (Some(least), Some(most)) = (length("minLength"), length("maxLength")) {
                    // Which profiles and join attributes there are is told apart from how long they may be.
                    let free = !["profile", "matching_attribute"].contains(&name.as_str());
                    for (length, wrong) in [(least, false), (most, false), (most + 1, true), (most * 10, true)] {
                        let body = with(fresh(length).into());
                        if wrong || free {
                            assert_eq!(status(&body).await == 400, wrong, "{path} {name} of {length}");
                        }
                    }
                    if least > 0 {
                        assert_eq!(status(&with("".into())).await, 400, "{path} {name} of nothing");
                    }
                    bounds += 1;
                }
            }
            let mut unknown = base();
            unknown["nobody"] = json!(1);
            assert_eq!(status(&unknown).await, 400, "{path}: an unknown field");
        }
        assert!(bounds >= 7, "{bounds}");
        // Ids have one spelling in bodies too.
        for spelled in [below.to_uppercase(), below.replace('-', ""), format!("{{{below}}}"), format!("urn:uuid:{below}")] {
            let body = json!({"parent": spelled, "name": fresh(9), "level": "reseller", "kind": "department"});
            assert_eq!(owner.post("/partners", body).await.status, 400, "{spelled}");
            assert_eq!(owner.get(&format!("/partners/{spelled}")).await.status, 404, "{spelled}");
            let bodies = [
                (format!("/partners/{below}/suspend"), json!({"reason": "x", "standing": spelled})),
                (format!("/partners/{below}/confirmations"), json!({"users": [spelled]})),
                (format!("/connections/acme/matches/{below}/confirm"), json!({"user": spelled})),
                (format!("/connections/acme/matches/{below}/refuse"), json!({"user": spelled})),
            ];
            for (path, body) in bodies {
                assert_eq!(owner.post(&path, body).await.status, 400, "{path} {spelled}");
            }
        }
        let slugs = described["components"]["schemas"]["NewConnectionBody"]["properties"]["slug"]["pattern"].as_str().unwrap();
        assert_eq!(slugs, "^[a-z0-9][a-z0-9-]{0,59}$");
        app.stop().await;
    }
    async fn a_decision_knows_an_id_in_one_spelling(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.api.requests_per_second = 0).await;
        let helper = house.user("Hedda Helper").await;
        house.grant(helper, &[CoreCapability::UserView], "partner", house.reseller).await;
        let (_, token) = house.api_token(house.owner, house.top).await;
        let ask = async |subject: &str, kind: &str, id: &str, properties: Value| {
            let question = json!({"subject": {"type": "user", "id": subject}, "action": {"name": "core.user.view"},
                "resource": {"type": kind, "id": id, "properties": properties}});
            let answer = sent(app.request(Method::POST, "/access/v1/evaluation").bearer_auth(&token).json(&question)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body["decision"].as_bool().unwrap()
        };
        let (user, partner, group) = (helper.to_string(), house.reseller.to_string(), house.everyone.to_string());
        let places = |partner: &str, group: &str, owner: &str| json!({"partner": partner, "group": group, "owner": owner});
        assert!(ask(&user, "partner", &partner, json!({})).await && ask(&user, "user", &user, json!({})).await);
        assert!(ask(&user, "user_group", &group, json!({})).await && ask(&user, "mailbox", "m", places(&partner, &group, &user)).await);
        let spellings = |id: &str| [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}"), format!(" {id}")];
        for (at, user_s) in spellings(&user).iter().enumerate() {
            let (partner_s, group_s) = (&spellings(&partner)[at], &spellings(&group)[at]);
            assert!(!ask(user_s, "partner", &partner, json!({})).await, "{user_s}");
            assert!(!ask(&user, "partner", partner_s, json!({})).await, "{partner_s}");
            assert!(!ask(&user, "user", user_s, json!({})).await, "{user_s}");
            assert!(!ask(&user, "user_group", group_s, json!({})).await, "{group_s}");
            for properties in [places(partner_s, &group, &user), places(&partner, group_s, &user), places(&partner, &group, user_s)] {
                assert!(!ask(&user, "mailbox", "m", properties.clone()).await, "{properties}");
            }
        }
        app.stop().await;
    }
}
