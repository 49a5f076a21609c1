//! A session whose connection was taken away stays refused, also when the connection is given back.
use rolecall::domain::directory::{Directory, DirectoryMode};
use rolecall::store::{StoreError, Tx, directories};
use serde_json::{Value, json};
use url::Url;

use crate::app::App;
use crate::support::api::Api;
use crate::support::browser::Browser;
use crate::support::database::{Database, on_both};
use crate::support::house::House;
use crate::support::provider::{HostileProvider, SUBJECT};

const CONNECTION: &str = "/connections/acme-sso";

/// Signs Ada in at the provider; the path that opens when she is in.
async fn signed_in(app: &App) -> Browser {
    let mut browser = Browser::new();
    let back = at_the_provider(app, &mut browser).await;
    let landed = browser.get(back).await;
    assert_eq!(landed.status, 303, "{}", landed.text);
    assert!(is_in(app, &mut browser).await);
    browser
}

/// From the first click to the provider's answer, which is not taken yet.
async fn at_the_provider(app: &App, browser: &mut Browser) -> Url {
    let there = browser.get(format!("{}/login/acme-sso", app.base)).await.location.unwrap();
    browser.get(there).await.location.unwrap()
}

async fn is_in(app: &App, browser: &mut Browser) -> bool {
    browser.get(format!("{}/account", app.base)).await.status == 200
}

async fn mode(db: &Database, house: &House, mode: DirectoryMode) {
    let at = house.at(house.reseller);
    let set = async |tx: &mut Tx| -> Result<(), StoreError> {
        let known = directories::get(tx, &at, house.directory).await?;
        directories::update(tx, &at, &Directory { mode, ..known }).await
    };
    db.store.write(set).await.unwrap();
}

on_both! {
    async fn what_was_taken_away_does_not_come_back_by_itself(db: &Database) {
        let provider = HostileProvider::start().await;
        let issuer = provider.issuer("ok_public");
        let house = House::build(&db.store, &issuer).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        house.push("ada", SUBJECT).await;
        let owner = Api::owner(&app, &house).await;
        let settings = owner.get(CONNECTION).await.body["settings"].clone();
        let with = |name: &str, value: Value| {
            let mut changed = settings.clone();
            changed[name] = value;
            json!({"settings": changed})
        };
        for (what, away, back) in [
            ("state", json!({"state": "paused"}), json!({"state": "active"})),
            ("matching_attribute", json!({"matching_attribute": "oid"}), json!({"matching_attribute": "sub"})),
            ("issuer", with("issuer", json!("https://elsewhere.example")), json!({"settings": settings})),
            ("client", with("client_id", json!("another")), json!({"settings": settings})),
        ] {
            let mut browser = signed_in(&app).await;
            let mut midway = Browser::new();
            let answer = at_the_provider(&app, &mut midway).await;
            assert_eq!(owner.patch(CONNECTION, away).await.status, 200, "{what}");
            assert!(!is_in(&app, &mut browser).await, "{what}: away");
            assert_eq!(owner.patch(CONNECTION, back).await.status, 200, "{what}");
            assert!(!is_in(&app, &mut browser).await, "{what}: given back");
            let late = midway.get(answer).await;
            assert!(late.text.contains("login_attempt.unknown"), "{what}: {}", late.text);
        }
        let mut browser = signed_in(&app).await;
        mode(db, &house, DirectoryMode::Observe).await;
        assert!(!is_in(&app, &mut browser).await, "a directory that only observes opens nothing");
        mode(db, &house, DirectoryMode::Authoritative).await;
        assert!(!is_in(&app, &mut browser).await);
        signed_in(&app).await;
        app.stop().await;
        provider.stop().await;
    }

    async fn what_does_not_touch_trust_ends_no_session(db: &Database) {
        let provider = HostileProvider::start().await;
        let house = House::build(&db.store, &provider.issuer("ok_public")).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        house.push("ada", SUBJECT).await;
        let owner = Api::owner(&app, &house).await;
        let mut browser = signed_in(&app).await;
        let mut settings = owner.get(CONNECTION).await.body["settings"].clone();
        settings["clock_skew_seconds"] = json!(7);
        assert_eq!(owner.patch(CONNECTION, json!({"settings": settings})).await.status, 200);
        mode(db, &house, DirectoryMode::Paused).await;
        mode(db, &house, DirectoryMode::Authoritative).await;
        assert!(is_in(&app, &mut browser).await);
        app.stop().await;
        provider.stop().await;
    }
}
