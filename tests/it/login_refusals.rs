//! Where an administrator reads why somebody was not let in: the page of the connection and the API, for each connection; and
//! that looking changes nothing and good use meets no limit.
use std::time::Duration;

use reqwest::Method;
use rolecall::admin::links;
use rolecall::store::StoreError;
use rolecall::store::one_time_links::OneTimeLinkPurpose;
use rolecall::web::routes;
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::login_claims::Place;
use crate::support::api::Api;
use crate::support::browser::Browser;
use crate::support::database::on_both;
use crate::support::house::ctx;
use crate::support::provider::Script;

statements! {
    WRITTEN = "SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM login_attempts) + (SELECT COUNT(*) FROM sessions) \
        + (SELECT COUNT(*) FROM external_users) + (SELECT COUNT(*) FROM users) \
        + (SELECT COUNT(*) FROM one_time_links WHERE used_at IS NOT NULL)";
}

/// How much was written down.
async fn written(place: &Place) -> i64 {
    place.house.store.reader().await.unwrap().one(&WRITTEN, binds![], |row| row.get(0)).await.unwrap()
}

/// The address of a one-time link of the owner.
async fn link(place: &Place) -> String {
    let (at, ctx) = (place.house.at(place.house.top), ctx());
    let made: Result<_, StoreError> = place
        .house
        .store
        .write(async |tx| links::create(tx, &ctx, &at, place.house.owner, OneTimeLinkPurpose::SetUp).await)
        .await;
    links::address(place.app.running.app().public_url.as_str(), &made.unwrap()).to_string()
}

/// The owner in front of a browser.
async fn owner(place: &Place) -> Browser {
    let mut browser = Browser::new();
    let address = link(place).await;
    let token = address.split_once("token=").unwrap().1;
    assert_eq!(browser.post(format!("{}/link", place.app.base), &[("token", token)]).await.status, 303);
    browser
}

/// The lines of a connection that hold `part`, by the API, once there are any.
async fn lines(api: &Api<'_>, slug: &str, part: &str) -> Vec<Value> {
    for _ in 0..100 {
        let page = api.get(&format!("/connections/{slug}/request-log?q={part}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().unwrap();
        if !items.is_empty() {
            return items.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no line of {slug} holds {part}");
}

/// Longer than a connection is told of once.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

on_both! {
    async fn each_refused_sign_in_has_its_line(db: &Database) {
        let place = Place::open(db).await;
        let api = Api::owner(&place.app, &place.house).await;
        place.house.push("alice", "oid-a").await;
        place.connection("app", "oid", false).await;
        let base = &place.app.base;

        // At the beginning: the provider is down, the settings are broken, the connection is switched off.
        place.provider.follow("script_app", Script { broken: vec!["discovery"], ..Script::default() });
        assert_eq!(Browser::new().get(format!("{base}/login/app")).await.status, 502);
        let line = &lines(&api, "app", "provider.error").await[0];
        assert_eq!((&line["path"], &line["status"]), (&json!("/login/app"), &json!(502)));
        assert!(line["error"].as_str().unwrap().contains("status 500"), "{line}");
        let broken = place.connection("broken", "sub", false).await;
        place.house.set_config(broken, &json!({"issuer": "nowhere"})).await;
        assert_eq!(Browser::new().get(format!("{base}/login/broken")).await.status, 502);
        lines(&api, "broken", "connection.config").await;
        let paused = place.connection("paused", "sub", false).await;
        place.house.set_connection_state(paused, "paused").await;
        assert_eq!(Browser::new().get(format!("{base}/login/paused")).await.status, 404);
        let line = &lines(&api, "paused", "connection.unknown").await[0];
        assert!(line["error"].as_str().unwrap().contains("switched off"), "{line}");

        // An answer that is none, and one of somebody whom nobody knows.
        assert_eq!(Browser::new().get(format!("{base}/sso/broken/callback?code=c")).await.status, 400);
        place.connection("open", "oid", false).await;
        assert_eq!(Browser::new().get(format!("{base}/sso/open/callback?code=c")).await.status, 400);
        lines(&api, "open", "callback.state").await;
        next_second().await;
        let unknown = Browser::new().get(format!("{base}/sso/open/callback?state=x&code=c")).await;
        assert_eq!(unknown.status, 400);
        lines(&api, "open", "login_attempt.unknown").await;
        place.refused("open", json!({"sub": "s1", "oid": "oid-z", "name": "Zoe", "preferred_username": "zoe@z.example"}), "user.not_linked").await;
        let line = &lines(&api, "open", "user.not_linked").await[0];
        let who: Value = serde_json::from_str(line["request"].as_str().unwrap()).unwrap();
        assert_eq!(who, json!({"sub": "s1", "name": "Zoe", "preferred_username": "zoe@z.example"}));
        assert!(line["error"].as_str().unwrap().contains("no other connection of the directory has said"), "{line}");
        assert!(!line.to_string().contains("code="), "{line}");

        let page = owner(&place).await.get(format!("{base}/connections/open")).await;
        for part in ["Refused sign-ins", "user.not_linked", "zoe@z.example", "callback.state"] {
            assert!(page.text.contains(part), "{part}");
        }
        // A flood of strangers is told of once a second, and hides nobody who came from the provider.
        for _ in 0..20 {
            Browser::new().get(format!("{base}/sso/open/callback?state=x&code=c")).await;
        }
        let strangers = lines(&api, "open", "login_attempt.unknown").await.len();
        assert!(strangers < 6, "{strangers}");
        place.close().await;
    }

    async fn a_refused_token_has_its_line_whoever_sends_it(db: &Database) {
        let place = Place::open(db).await;
        let api = Api::owner(&place.app, &place.house).await;
        let unknown = format!("rcs_{}", "A".repeat(43));
        for (token, part) in [(Some(unknown.as_str()), "none of this connection"), (None, "no bearer token")] {
            let mut request = place.app.request(Method::GET, "/scim/acme/v2/Users");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            assert_eq!(request.send().await.unwrap().status(), 401);
            let line = &lines(&api, "acme", part).await[0];
            assert_eq!((&line["status"], &line["path"]), (&json!(401), &json!("/Users")));
            assert!(!line.to_string().contains(&unknown));
            next_second().await;
        }
        place.close().await;
    }

    async fn good_sign_ins_meet_no_limit(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", "oid-a").await;
        place.connection("app", "oid", false).await;
        for visit in 0..70 {
            let page = place.sign_in("app", json!({"sub": "s1", "oid": "oid-a"})).await;
            assert_eq!(page.status, 303, "{visit}: {}", page.text);
        }
        place.close().await;
    }

    async fn a_look_changes_nothing(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", "oid-a").await;
        place.connection("app", "oid", false).await;
        let mut browser = owner(&place).await;
        let link = link(&place).await;
        let address = url::Url::parse(&link).unwrap();
        let link = format!("{}?{}", address.path(), address.query().unwrap());
        let begun = browser.get(format!("{}/login/app", place.app.base)).await;
        place.provider.follow("script_app", Script::saying(json!({"oid": "oid-a"})));
        let back = browser.get(begun.location.unwrap()).await.location.unwrap();
        let callback = format!("{}?{}", back.path(), back.query().unwrap());
        let before = written(&place).await;
        let one_time = [link.clone(), callback.clone()];
        let paths = routes::all().filter(|entry| entry.get.is_some()).map(|entry| {
            let slug = if entry.path.starts_with("/scim") || entry.path.starts_with("/oauth") { "acme" } else { "app" };
            entry.path.replace("{slug}", slug).replace("{id}", &place.house.reseller.to_string())
        });
        for path in paths.filter(|path| !path.contains('{')).chain(one_time) {
            for (method, headers) in [
                (Method::HEAD, &[][..]),
                (Method::GET, &[("sec-purpose", "prefetch")]),
                (Method::GET, &[("purpose", "prefetch")]),
                (Method::GET, &[("x-moz", "prefetch")]),
            ] {
                let answer = browser.send(method.clone(), &format!("{}{path}", place.app.base), None, headers).await;
                assert!(answer.set_cookies.is_empty(), "{method} {path}: {:?}", answer.set_cookies);
            }
        }
        assert_eq!(written(&place).await, before);
        // Afterwards each is still good, once.
        assert_eq!(browser.get(format!("{}{callback}", place.app.base)).await.status, 303);
        assert!(browser.get(format!("{}{link}", place.app.base)).await.text.contains("Set up this installation"));
        let token = link.split_once("token=").unwrap().1;
        let post = format!("{}/link", place.app.base);
        assert_eq!(browser.post(&post, &[("token", token)]).await.status, 303);
        let used = browser.post(&post, &[("token", token)]).await;
        assert!(used.text.contains("has been used") && used.text.contains("recover-owner"), "{}", used.text);
        place.close().await;
    }
}
