//! Many removals in a short time raise one alarm, and none of them waits for it.
use serde_json::{Value, json};

use crate::app::App;
use crate::support::database::{Database, on_both};
use crate::support::stage::{CONNECTION, Stage};

async fn users(stage: &Stage, prefix: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(stage.scim.user(&format!("{prefix}{number}@harbor.example")).await.id());
    }
    ids
}

async fn switch_off(stage: &Stage, ids: &[String]) {
    for id in ids {
        let answer = stage.set_active(id, false).await;
        assert!([200, 204].contains(&answer.status), "{answer:?}");
        assert_eq!(stage.scim.get(&format!("/Users/{id}")).await.body["active"], false, "in force with the answer");
    }
}

fn of(removal_alert: &Value, name: &str) -> i64 {
    removal_alert[name].as_i64().unwrap()
}

on_both! {
    async fn thirty_switched_off_raise_one_alarm_that_is_seen_and_put_away(db: &Database) {
        let stage = Stage::open(db).await;
        let ids = users(&stage, "u", 60).await;
        switch_off(&stage, &ids[..30]).await;
        let removal_alerts = stage.removal_alerts(CONNECTION, |removal_alerts| removal_alerts.iter().any(|removal_alert| of(removal_alert, "user_count") == 30)).await;
        assert_eq!((removal_alerts.len(), of(&removal_alerts[0], "users_deactivated"), of(&removal_alerts[0], "users_deleted")), (1, 30, 0));

        let mut henrik = stage.console.sign_in("harbor", "henrik@harbor.example").await;
        let here = "/connections/harbor-entra";
        let page = henrik.get(here).await.text;
        assert!(page.contains("Much was taken away at once") && page.contains("30 users"), "{page}");
        assert!(page.contains("/connections/harbor-entra/undo?from="), "{page}");
        let harbor = stage.console.partner("harbor").await.partner();
        assert!(henrik.get(&format!("/partners/{harbor}/directories")).await.text.contains("30 users"));

        // It goes on: the same removal alert, no second alarm.
        switch_off(&stage, &ids[30..35]).await;
        let group = stage.scim.group("Crew", &[&ids[36], &ids[37]]).await.id();
        let out = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", ids[36])}]);
        assert!(stage.scim.patch(&format!("/Groups/{group}"), out).await.status < 300);
        assert_eq!(stage.scim.delete(&format!("/Users/{}", ids[40])).await.status, 204);
        let removal_alerts = stage.removal_alerts(CONNECTION, |removal_alerts| removal_alerts.iter().any(|removal_alert| of(removal_alert, "user_count") == 37)).await;
        assert_eq!(removal_alerts.len(), 1);
        let counts = ["users_deactivated", "users_deleted", "memberships_removed"].map(|name| of(&removal_alerts[0], name));
        assert_eq!(counts, [35, 1, 1]);
        assert_eq!(stage.events("removal_alert.raised").await, 1);

        let dismiss = format!("{here}/removal-alerts/{}/dismiss", removal_alerts[0]["id"].as_str().unwrap());
        let forged = henrik.browser.post(format!("{}{dismiss}", stage.console.app.base), &[("csrf", "x")]).await;
        assert_eq!(forged.status, 403);
        assert!(henrik.get(here).await.text.contains("Much was taken away at once"));
        let done = henrik.submit(here, &dismiss, &[]).await;
        assert_eq!(done.status, 303, "{}", done.text);
        assert!(!henrik.get(here).await.text.contains("Much was taken away at once"));
        let again = stage.post(&format!("{CONNECTION}/removal-alerts/{}/dismiss", removal_alerts[0]["id"].as_str().unwrap()), json!({})).await;
        assert_eq!((again.status, &again.body["changed"]), (200, &json!(false)));
        stage.console.app.stop().await;
    }

    async fn few_of_many_are_no_removal_alert_but_a_large_share_is(db: &Database) {
        let stage = Stage::open(db).await;
        let ids = users(&stage, "u", 100).await;
        // Nineteen users, and nineteen of a hundred: below both limits.
        switch_off(&stage, &ids[..19]).await;
        switch_off(&stage, &ids[..19]).await;
        let owner = crate::support::stage::api_token(&stage.console, "meridian", "olga@meridian.example").await;
        let fjordnet = stage.console.partner("fjordnet").await.partner();
        let list = format!("/api/v1/partners/{fjordnet}/directories");
        let made = stage.ask_as(&owner, "POST", &list, Some(json!({"name": "Small"}))).await;
        let connections = format!("/api/v1/directories/{}/connections", made.id());
        let connection = json!({"kind": "scim", "slug": "small", "profile": "generic"});
        let made = stage.ask_as(&owner, "POST", &connections, Some(connection)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let small = crate::support::stage::push_at(&stage.console, "fjordnet", "small").await;
        let mut few = Vec::new();
        for number in 0..10 {
            few.push(small.user(&format!("s{number}@fjordnet.example")).await.id());
        }
        // Five of ten, deleted; they raise the alarm after everything above was looked at.
        for id in &few[..5] {
            assert_eq!(small.delete(&format!("/Users/{id}")).await.status, 204);
        }
        let removal_alerts = async || {
            let answer = stage.ask_as(&owner, "GET", "/api/v1/connections/small/removal-alerts", None).await;
            answer.body["items"].as_array().unwrap().clone()
        };
        let mut found = removal_alerts().await;
        for _ in 0..200 {
            if !found.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            found = removal_alerts().await;
        }
        assert_eq!((found.len(), of(&found[0], "user_count"), of(&found[0], "users_deleted")), (1, 5, 5));
        assert_eq!(stage.get(&format!("{CONNECTION}/removal-alerts")).await["items"], json!([]));
        let mut henrik = stage.console.sign_in("harbor", "henrik@harbor.example").await;
        assert!(!henrik.get("/connections/harbor-entra").await.text.contains("Much was taken away at once"));
        stage.console.app.stop().await;
    }

    async fn a_server_that_starts_again_goes_on_with_the_same_removal_alert(db: &Database) {
        let stage = Stage::open(db).await;
        let ids = users(&stage, "u", 60).await;
        switch_off(&stage, &ids[..25]).await;
        stage.removal_alerts(CONNECTION, |removal_alerts| removal_alerts.iter().any(|removal_alert| of(removal_alert, "user_count") == 25)).await;
        let Stage { console, mut scim, .. } = stage;
        console.app.stop().await;
        let console = crate::support::console::Console { app: App::start(db).await, store: db.store.clone() };
        scim.base = format!("{}/scim/harbor-entra/v2", console.app.base);
        let stage = Stage::again(console, scim).await;
        switch_off(&stage, &ids[25..28]).await;
        let removal_alerts = stage.removal_alerts(CONNECTION, |removal_alerts| removal_alerts.iter().any(|removal_alert| of(removal_alert, "user_count") == 28)).await;
        assert_eq!(removal_alerts.len(), 1);
        assert_eq!(stage.events("removal_alert.raised").await, 1);
        stage.console.app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_raise_one_alarm() {
    let db = Database::postgres().await;
    let stage = Stage::open(&db).await;
    let (second, store) = App::second(&db).await;
    let ids = users(&stage, "u", 60).await;
    let there = stage.scim.at(&second);
    for (number, id) in ids[..30].iter().enumerate() {
        let node = if number % 2 == 0 { &stage.scim } else { &there };
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        assert!(node.patch(&format!("/Users/{id}"), off).await.status < 300);
    }
    let removal_alerts = stage
        .removal_alerts(CONNECTION, |removal_alerts| {
            removal_alerts.iter().any(|removal_alert| of(removal_alert, "user_count") == 30)
        })
        .await;
    assert_eq!(removal_alerts.len(), 1);
    assert_eq!(stage.events("removal_alert.raised").await, 1);
    // The other one takes the watch over.
    let mut stage = stage;
    stage.console.app.stop().await;
    stage.scim = there;
    stage.console.app = second;
    for id in &ids[30..34] {
        assert!(stage.set_active(id, false).await.status < 300);
    }
    let removal_alerts = stage
        .removal_alerts(CONNECTION, |removal_alerts| {
            removal_alerts.iter().any(|removal_alert| of(removal_alert, "user_count") == 34)
        })
        .await;
    assert_eq!(removal_alerts.len(), 1);
    assert_eq!(stage.events("removal_alert.raised").await, 1);
    stage.console.app.stop().await;
    store.close().await;
    db.remove().await;
}
