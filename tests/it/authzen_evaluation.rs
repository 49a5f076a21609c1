//! Decisions over HTTP.
use reqwest::Method;
use rolecall::domain::capability::CoreCapability;
use serde_json::{Value, json};

use crate::app::{App, header};
use crate::support::console::Console;
use crate::support::database::on_both;
use crate::support::house::House;

const ONE: &str = "/access/v1/evaluation";
const MANY: &str = "/access/v1/evaluations";

/// Asks as the holder of `token`; status and body.
async fn ask(app: &App, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = app.request(Method::POST, path).bearer_auth(token).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn question(subject: impl ToString, action: &str, kind: &str, id: impl ToString) -> Value {
    json!({
        "subject": {"type": "user", "id": subject.to_string()},
        "action": {"name": action},
        "resource": {"type": kind, "id": id.to_string()},
    })
}

/// The answer without the moment it was given.
fn timeless(mut answer: Value) -> Value {
    let context = answer["context"].as_object_mut().unwrap();
    assert!(context.remove("at").is_some() && context.remove("revision").is_some());
    answer
}

on_both! {
    async fn a_product_asks_and_is_told_why(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let helper = house.user("Hedda Helper").await;
        house.grant(helper, &[CoreCapability::UserView, CoreCapability::UserCredential], "partner", house.reseller).await;
        let (_, token) = house.api_token(house.owner, house.top).await;

        let (status, yes) = ask(&app, &token, ONE, &question(helper, "core.user.credential", "partner", house.reseller)).await;
        assert_eq!((status, &yes["decision"]), (200, &json!(true)), "{yes}");
        assert!(yes["context"]["reason"].as_str().unwrap().contains("Harbor"), "{yes}");
        assert_eq!(yes["context"]["detail"]["result"], "allowed");
        let (_, no) = ask(&app, &token, ONE, &question(helper, "core.partner.edit", "partner", house.reseller)).await;
        assert_eq!(no["decision"], false);
        assert!(!no["context"]["reason"].as_str().unwrap().is_empty());
        let (_, above) = ask(&app, &token, ONE, &question(helper, "core.user.credential", "partner", house.top)).await;
        assert_eq!(above["decision"], false, "the grant does not reach above");

        let (_, user) = ask(&app, &token, ONE, &question(helper, "core.user.view", "user", helper)).await;
        assert_eq!(user["decision"], true, "{user}");
        let (_, group) = ask(&app, &token, ONE, &question(helper, "core.user.view", "user_group", house.everyone)).await;
        assert_eq!(group["decision"], true, "{group}");
        let mut product = question(helper, "core.user.view", "mailbox", "m-1");
        product["resource"]["properties"] = json!({"partner": house.reseller, "owner": helper, "size": 7});
        assert_eq!(ask(&app, &token, ONE, &product).await.1["decision"], true);
        product["resource"]["properties"]["partner"] = json!(house.top);
        assert_eq!(ask(&app, &token, ONE, &product).await.1["decision"], false);

        house.suspend_user(helper).await;
        let (_, off) = ask(&app, &token, ONE, &question(helper, "core.user.credential", "partner", house.reseller)).await;
        assert_eq!(off["decision"], false, "the next answer knows");
        assert!(off["context"]["reason"].as_str().unwrap().contains("suspended"), "{off}");
        app.stop().await;
    }

    async fn what_the_asker_may_not_ask_about_answers_like_what_is_not_there(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let asker = house.user("Anna Asker").await;
        house.grant(asker, &[CoreCapability::AccessAsk], "partner", house.reseller).await;
        let (_, token) = house.api_token(asker, house.reseller).await;
        let nowhere = "0190d0c0-0000-7000-8000-000000000000";

        let here = question(house.owner, "core.partner.view", "partner", house.reseller);
        assert_eq!(ask(&app, &token, ONE, &here).await.1["decision"], true);
        let hidden = timeless(ask(&app, &token, ONE, &question(house.owner, "core.partner.view", "partner", nowhere)).await.1);
        assert_eq!(hidden["decision"], false);
        for (kind, id) in [
            ("partner", house.top.to_string()),
            ("user", house.owner.to_string()),
            ("user", nowhere.to_owned()),
            ("user_group", nowhere.to_owned()),
            ("partner", "not-an-id".to_owned()),
            ("mailbox", "no-properties".to_owned()),
        ] {
            for subject in [house.owner, asker] {
                let answer = ask(&app, &token, ONE, &question(subject, "core.partner.view", kind, &id)).await;
                assert_eq!((answer.0, timeless(answer.1)), (200, hidden.clone()), "{subject} {kind} {id}");
            }
        }
        app.stop().await;
    }

    async fn a_rule_is_told_with_the_group_that_made_it_match(db: &Database) {
        let console = Console::open(db).await;
        let ida = console.push("ida@harbor.example", "Backup Operators").await;
        let mut henrik = console.sign_in("harbor", "henrik@harbor.example").await;
        henrik.submit("/account/tokens", "/account/tokens", &[("name", "product"), ("days", "0")]).await;
        let page = henrik.get("/account/tokens").await.text;
        let token = format!("rca_{}", page.split_once("data-copy=\"rca_").unwrap().1.split('"').next().unwrap());
        let dentist = console.partner("lighthouse").await.partner();
        let asked = question(ida, "cove.recover.device", "partner", dentist);
        let (_, answer) = ask(&console.app, &token, ONE, &asked).await;
        assert_eq!(answer["decision"], true, "{answer}");
        assert!(answer["context"]["reason"].as_str().unwrap().contains("Backup Operators"), "{answer}");
        console.app.stop().await;
    }

    async fn of_users_elsewhere_only_the_answer_is_told(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let asker = house.user("Anna Asker").await;
        house.grant(asker, &[CoreCapability::AccessAsk], "partner", house.reseller).await;
        let (_, token) = house.api_token(asker, house.reseller).await;
        let told = async |subject: String, action: &str| {
            timeless(ask(&app, &token, ONE, &question(subject, action, "partner", house.reseller)).await.1)
        };
        let above = told(house.owner.to_string(), "core.partner.view").await;
        assert_eq!(above["decision"], true, "a product must learn it");
        assert_eq!(above["context"].as_object().unwrap().len(), 1, "but not through what: {above}");
        assert!(!above["context"]["reason"].as_str().unwrap().contains(" over "), "{above}");
        let nobody = told("0190d0c0-0000-7000-8000-000000000000".to_owned(), "core.partner.view").await;
        assert_eq!(nobody["decision"], false);
        let unable = told(house.owner.to_string(), "core.nothing").await;
        assert_eq!(unable, nobody, "a user elsewhere who may not is like nobody");
        let own = told(asker.to_string(), "core.access.ask").await;
        assert!(own["context"]["reason"].as_str().unwrap().contains(" over "), "{own}");
        app.stop().await;
    }

    async fn anybody_may_ask_about_themselves(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let plain = house.user("Per Plain").await;
        house.grant(plain, &[CoreCapability::PartnerView], "partner", house.reseller).await;
        let (_, token) = house.api_token(plain, house.reseller).await;
        let own = |action| question(plain, action, "partner", house.reseller);
        assert_eq!(ask(&app, &token, ONE, &own("core.partner.view")).await.1["decision"], true);
        let (_, no) = ask(&app, &token, ONE, &own("core.partner.edit")).await;
        assert_eq!((&no["decision"], &no["context"]["detail"]["result"]), (&json!(false), &json!("denied")));
        let other = question(house.owner, "core.partner.view", "partner", house.reseller);
        let (_, other) = ask(&app, &token, ONE, &other).await;
        assert_eq!(other["decision"], false, "others only with core.access.ask");
        assert!(other["context"].get("detail").is_none());
        app.stop().await;
    }

    async fn unknown_users_and_capabilities_are_a_no(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let (_, token) = house.api_token(house.owner, house.top).await;
        for (subject, action) in [
            ("0190d0c0-0000-7000-8000-000000000000".to_owned(), "core.partner.view"),
            ("alice".to_owned(), "core.partner.view"),
            (house.owner.to_string(), "core.nothing"),
        ] {
            let (status, answer) = ask(&app, &token, ONE, &question(&subject, action, "partner", house.top)).await;
            assert_eq!((status, &answer["decision"]), (200, &json!(false)), "{subject} {action}");
            assert!(!answer["context"]["reason"].as_str().unwrap().is_empty());
        }
        let mut service = question(house.owner, "core.partner.view", "partner", house.top);
        service["subject"]["type"] = json!("service");
        assert_eq!(ask(&app, &token, ONE, &service).await.1["decision"], false);
        app.stop().await;
    }

    async fn a_token_ends_at_once(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let helper = house.user("Hedda Helper").await;
        let (id, token) = house.api_token(helper, house.reseller).await;
        let (_, other) = house.api_token(helper, house.reseller).await;
        let body = question(helper, "core.partner.view", "partner", house.reseller);
        assert_eq!(ask(&app, &token, ONE, &body).await.0, 200);
        let bearer = app.running.app().desk.login.bearer(&token, crate::support::house::ctx().now()).await.unwrap().unwrap();
        let now = crate::support::house::ctx().now();
        let revoked: Result<(), rolecall::store::StoreError> = db
            .store
            .write(async |tx| rolecall::store::api_tokens::revoke(tx, &bearer.extent, id, now).await)
            .await;
        revoked.unwrap();
        assert_eq!(ask(&app, &token, ONE, &body).await.0, 401);
        assert_eq!(ask(&app, &other, ONE, &body).await.0, 200);
        house.suspend_user(helper).await;
        assert_eq!(ask(&app, &other, ONE, &body).await.0, 401, "whose user may not act opens nothing");
        app.stop().await;
    }

    async fn a_wrong_request_is_refused_in_form(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let (_, token) = house.api_token(house.owner, house.top).await;
        let good = question(house.owner, "core.partner.view", "partner", house.top).to_string();
        let send = async |kind: &str, body: &str| {
            let request = app.request(Method::POST, ONE).bearer_auth(&token).header("content-type", kind);
            let answer = request.header("x-request-id", "mine-7").body(body.to_owned()).send().await.unwrap();
            let status = answer.status().as_u16();
            if status == 200 {
                assert_eq!(header(&answer, "x-request-id"), "mine-7");
            } else {
                assert_eq!(header(&answer, "content-type"), "application/problem+json", "{body}");
            }
            status
        };
        assert_eq!(send("application/json", &good).await, 200);
        assert_eq!(send("application/json; charset=utf-8", &good).await, 200);
        for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
            assert_eq!(send(kind, &good).await, 400, "{kind}");
        }
        for body in ["", "[]", "{", "{}", "null", "\"x\"", r#"{"subject":{"type":"user","id":"u"}}"#] {
            assert_eq!(send("application/json", body).await, 400, "{body}");
        }
        assert_eq!(send("application/json", &format!("{{\"x\":\"{}\"}}", "x".repeat(300_000))).await, 413);

        for token in [None, Some("rca_wrong"), Some("rcs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")] {
            let mut request = app.request(Method::POST, ONE).header("content-type", "application/json");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.body(good.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 401);
            assert!(header(&answer, "www-authenticate").starts_with("Bearer"));
        }
        assert_eq!(app.get(ONE).await.status(), 405);
        app.stop().await;
    }

    async fn several_questions_are_answered_in_order(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let (_, token) = house.api_token(house.owner, house.top).await;
        let mut body = json!({
            "subject": {"type": "user", "id": house.owner},
            "action": {"name": "core.partner.view"},
            "evaluations": [
                {"resource": {"type": "partner", "id": house.top}},
                {"resource": {"type": "partner", "id": "nowhere"}},
                {},
                {"action": {"name": "core.partner.edit"}, "resource": {"type": "partner", "id": house.reseller}},
            ],
        });
        let decisions = |answer: &Value| -> Vec<bool> {
            answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
        };
        let (status, all) = ask(&app, &token, MANY, &body).await;
        assert_eq!((status, decisions(&all)), (200, vec![true, false, false, true]), "{all}");
        assert_eq!(all["evaluations"][2]["context"]["error"]["status"], 400);
        body["options"] = json!({"evaluations_semantic": "deny_on_first_deny"});
        assert_eq!(decisions(&ask(&app, &token, MANY, &body).await.1), [true, false]);
        body["options"] = json!({"evaluations_semantic": "permit_on_first_permit"});
        assert_eq!(decisions(&ask(&app, &token, MANY, &body).await.1), [true]);
        body["options"] = json!({"evaluations_semantic": "sometimes"});
        assert_eq!(ask(&app, &token, MANY, &body).await.0, 400);
        body["options"] = json!({});
        body["evaluations"] = json!(vec![json!({}); 201]);
        assert_eq!(ask(&app, &token, MANY, &body).await.0, 400);
        let single = question(house.owner, "core.partner.view", "partner", house.top);
        assert_eq!(ask(&app, &token, MANY, &single).await.1["decision"], true, "without a list it is one question");
        app.stop().await;
    }

    async fn the_endpoints_are_published(db: &Database) {
        let app = App::start(db).await;
        let metadata: Value = app.get("/.well-known/authzen-configuration").await.json().await.unwrap();
        assert_eq!(metadata["policy_decision_point"], app.base);
        assert_eq!(metadata["access_evaluation_endpoint"], format!("{}{ONE}", app.base));
        assert_eq!(metadata["access_evaluations_endpoint"], format!("{}{MANY}", app.base));
        app.stop().await;
    }
}
