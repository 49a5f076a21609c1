//! A stored secret is used only for what it was given for, and opens under the keys that are configured.
use rolecall::admin::apply::{self, ApplyContext};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::keys;
use rolecall::clock::Clock;
use rolecall::config::{Config, Secret};
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::{ConnectionId, Id as _};
use rolecall::secret::Keyring;
use rolecall::store::Store;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::key_check::{self, SealedSecret};
use rolecall::web::server;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::console::Console;
use crate::support::database::{Database, on_both};
use crate::support::house::House;

const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const SECOND: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA";

fn ldap() -> Value {
    json!({"urls": ["ldaps://ldap.harbor.example"], "security": "ldaps", "bind_dn": "cn=reader,dc=harbor",
        "users": {"bases": ["ou=people,dc=harbor"]}})
}

fn oidc() -> Value {
    json!({"issuer": "https://login.harbor.example", "client_id": "rolecall", "token_endpoint_auth_method": "client_secret_basic"})
}

/// Kind, name, settings, and settings that change where its secret goes.
type Connected = (&'static str, &'static str, Value, Vec<(&'static str, Value)>);

/// A connection of each kind that has a secret, its settings, and each of them changed so that the secret would be shown
/// to somebody else, as somebody else, or on another line.
fn destinations() -> Vec<Connected> {
    let ldap_changes = vec![
        ("urls", json!(["ldaps://elsewhere.example"])),
        ("urls", json!(["ldaps://ldap.harbor.example", "ldaps://elsewhere.example"])),
        ("security", json!("starttls")),
        ("security", json!("none")),
        ("security", Value::Null),
        ("ca", json!(authority())),
        ("bind_dn", json!("cn=other,dc=harbor")),
        ("bind_dn", Value::Null),
    ];
    let oidc_changes = vec![
        ("issuer", json!("https://elsewhere.example")),
        ("client_id", json!("another")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("token_endpoint_auth_method", json!("none")),
        ("token_endpoint_auth_method", Value::Null),
    ];
    vec![("ldap", "our-ldap", ldap(), ldap_changes), ("oidc", "our-sso", oidc(), oidc_changes)]
}

/// The certificate of some authority, as PEM.
fn authority() -> String {
    rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap().cert.pem()
}

/// The settings with one of them changed; null takes it away.
fn with(settings: &Value, name: &str, value: &Value) -> Value {
    let mut changed = settings.clone();
    let map = changed.as_object_mut().unwrap();
    map.insert(name.to_owned(), value.clone());
    map.retain(|_, value| !value.is_null());
    changed
}

/// The scheme of an address fits its protection.
fn fitting(mut settings: Value) -> Value {
    let plain = matches!(settings["security"].as_str(), Some("none" | "starttls"));
    if plain && settings["urls"].is_array() {
        settings["urls"] = json!(["ldap://ldap.harbor.example"]);
    }
    settings
}

async fn connected(owner: &Api<'_>, house: &House, kind: &str, slug: &str, settings: &Value) {
    let new = json!({"kind": kind, "slug": slug, "profile": if kind == "ldap" { "openldap" } else { "generic" },
        "settings": settings, "secret": "the first secret", "state": "paused"});
    let made = owner.post(&format!("/directories/{}/connections", house.directory), new).await;
    assert_eq!(made.status, 201, "{made:?}");
}

on_both! {
    async fn another_destination_asks_for_the_secret_again(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        for (kind, slug, settings, changes) in destinations() {
            connected(&owner, &house, kind, slug, &settings).await;
            let path = format!("/connections/{slug}");
            for (name, value) in changes {
                let changed = fitting(with(&settings, name, &value));
                let before = owner.get(&path).await.body;
                problem(&owner.patch(&path, json!({"settings": changed})).await, 400, "Give the secret again");
                assert_eq!(owner.get(&path).await.body, before, "{name}: nothing was changed");
                let both = owner.patch(&path, json!({"settings": changed, "secret": "another"})).await;
                assert_eq!((both.status, &both.body["settings"]), (200, &changed), "{name} {value}: {both:?}");
                let back = owner.patch(&path, json!({"settings": settings, "secret": "the first secret"})).await;
                assert_eq!(back.status, 200, "{back:?}");
            }
            let free = if kind == "ldap" { ("page_size", json!(77)) } else { ("clock_skew_seconds", json!(7)) };
            let other = with(&settings, free.0, &free.1);
            assert_eq!(owner.patch(&path, json!({"settings": other})).await.status, 200, "not about the secret");
            let none = owner.patch(&path, json!({"settings": settings, "secret": null})).await;
            assert_eq!(none.status, 200, "{none:?}");
            let (name, value) = if kind == "ldap" { ("bind_dn", json!("cn=x")) } else { ("client_id", json!("x")) };
            let moved = owner.patch(&path, json!({"settings": with(&settings, name, &value)})).await;
            assert_eq!(moved.status, 200, "there is no secret to keep: {moved:?}");
        }
        app.stop().await;
    }

    async fn the_console_asks_for_the_secret_again(db: &Database) {
        let console = Console::open(db).await;
        let mut olga = console.sign_in("meridian", "olga@meridian.example").await;
        let page = "/connections/harbor-sso";
        let save = "/connections/harbor-sso/settings";
        let form = |issuer: &'static str, secret: &'static str| {
            [("issuer", issuer), ("client_id", "rolecall"), ("token_endpoint_auth_method", ""), ("secret", secret)]
        };
        let first = olga.submit(page, save, &form("https://login.harbor.example", "the secret")).await;
        assert_eq!(first.status, 303, "{}", first.text);
        let kept = olga.submit(page, save, &form("https://login.harbor.example", "")).await;
        assert_eq!(kept.status, 303, "{}", kept.text);
        let moved = olga.submit(page, save, &form("https://elsewhere.example", "")).await;
        assert_eq!(moved.status, 422, "{}", moved.text);
        assert!(moved.text.contains("The stored secret belongs to"), "{}", moved.text);
        assert!(!olga.get(page).await.text.contains("elsewhere.example"), "nothing was changed");
        let both = olga.submit(page, save, &form("https://elsewhere.example", "new")).await;
        assert_eq!(both.status, 303, "{}", both.text);
        console.app.stop().await;
    }

    async fn a_declaration_gives_the_secret_again(db: &Database) {
        let keys = Keyring::parse(FIRST, "the test").unwrap();
        let file = |issuer: &str| DEMO.replace("https://login.invalid/harbor/v2.0", issuer);
        let mut means = ApplyContext::new(&keys);
        means.connections.insert("harbor-sso".to_owned(), "the secret".to_owned().into());
        declared(&db.store, &file("https://login.harbor.example"), &means).await.unwrap();
        means.connections.clear();
        declared(&db.store, &file("https://login.harbor.example"), &means).await.unwrap();
        let refused = declared(&db.store, &file("https://elsewhere.example"), &means).await.unwrap_err();
        assert!(refused.contains("harbor-sso") && refused.contains("Give the secret again"), "{refused}");
        means.connections.insert("harbor-sso".to_owned(), "the secret".to_owned().into());
        declared(&db.store, &file("https://elsewhere.example"), &means).await.unwrap();
        let stored = stored(&db.store).await;
        assert_eq!(keys.open(stored[0].purpose, &stored[0].sealed).unwrap().as_slice(), b"the secret");
    }

    async fn after_a_start_nothing_needs_the_older_key(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = started(db, FIRST).await.unwrap();
        let owner = Api::owner(&app, &house).await;
        for (kind, slug, settings, _) in destinations() {
            connected(&owner, &house, kind, slug, &settings).await;
        }
        app.stop().await;

        let both = format!("{SECOND}\n{FIRST}\n");
        let rings = [FIRST, SECOND, &both].map(|keys| Keyring::parse(keys, "the test").unwrap());
        let findings = keys::findings(&db.store, &rings[2]).await.unwrap();
        assert!(findings.len() == 1 && findings[0].starts_with("Not sealed anew yet"), "{findings:?}");
        assert!(findings[0].contains("our-ldap") && findings[0].contains("our-sso"), "{findings:?}");
        let refused = started(db, SECOND).await.err().unwrap();
        assert!(refused.contains("a key is missing") && refused.contains("our-ldap"), "{refused}");

        started(db, &both).await.unwrap().stop().await;
        assert_eq!(keys::findings(&db.store, &rings[1]).await.unwrap(), [""; 0]);
        for secret in stored(&db.store).await {
            assert_eq!(rings[1].open(secret.purpose, &secret.sealed).unwrap().as_slice(), b"the first secret");
            assert!(rings[0].open(secret.purpose, &secret.sealed).is_err(), "{}", secret.slug);
        }
        started(db, SECOND).await.unwrap().stop().await;
    }

    async fn a_start_without_a_key_that_is_needed_names_what_needs_it(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = started(db, FIRST).await.unwrap();
        let owner = Api::owner(&app, &house).await;
        for (kind, slug, settings, _) in destinations() {
            connected(&owner, &house, kind, slug, &settings).await;
        }
        app.stop().await;

        let second = Keyring::parse(SECOND, "the test").unwrap();
        let refused = started(db, SECOND).await.err().unwrap();
        assert!(refused.contains("a key is missing") && refused.contains("our-ldap, our-sso"), "{refused}");
        let findings = keys::findings(&db.store, &second).await.unwrap();
        assert!(findings.len() == 1 && findings[0].starts_with("A key is missing"), "{findings:?}");
        started(db, &format!("{SECOND}\n{FIRST}")).await.unwrap().stop().await;
    }
}

const DEMO: &str = include_str!("../../config/demo.toml");

async fn declared(store: &Store, text: &str, means: &ApplyContext<'_>) -> Result<(), String> {
    let declaration = Declaration::parse(text).map_err(|error| error.to_string())?;
    let ctx = Clock.ctx(Actor::Operator);
    let done = apply::apply(store, &ctx, OperatorExtent::assume(), &declaration, means).await;
    done.map(drop).map_err(|error| error.to_string())
}

async fn stored(store: &Store) -> Vec<SealedSecret> {
    let mut reader = store.reader().await.unwrap();
    let all =
        key_check::secrets(&mut reader, &OperatorExtent::assume(), ConnectionId::from_uuid(Uuid::nil()), 100).await;
    all.unwrap()
}

/// A server with these keys, or why it does not start.
async fn started(db: &Database, keys: &str) -> Result<App, String> {
    let keys = keys.to_owned();
    let mut config = Config::default();
    config.server.listen.set_port(0);
    config.store.data_dir = db.folder();
    config.secrets.encryption_keys = Some(Secret::from(keys.clone()));
    let running = server::start(config, db.store.clone(), Clock).await.map_err(|error| error.to_string())?;
    running.stop().await;
    Ok(App::start_with(db, |config| config.secrets.encryption_keys = Some(Secret::from(keys))).await)
}
