//! Directories, their connections and tokens over the API.
use std::time::Duration;

use reqwest::Method;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::directory::CeilingEntry;
use rolecall::domain::grant::{Scope, ScopeBase};
use rolecall::store::{StoreError, Tx, directories};
use serde_json::{Value, json};

use crate::app::{App, Scim};
use crate::support::api::{Api, problem, sent};
use crate::support::database::{Database, on_both};
use crate::support::house::{House, ctx};

/// Lets the house's directory confer everything the owner holds, over the reseller and below.
async fn raise_the_ceiling(db: &Database, house: &House, owner: &Api<'_>) {
    let roles = owner.get(&format!("/partners/{}/roles", house.top)).await;
    let role = roles.body["items"][0]["id"].as_str().unwrap().parse().unwrap();
    let ceiling = [CeilingEntry { role, scope: Scope::of(ScopeBase::Subtree { partner: house.reseller }) }];
    let (at, ctx) = (house.at(house.reseller), ctx());
    let set = async |tx: &mut Tx| -> Result<(), StoreError> {
        directories::set_ceilings(tx, &at, house.directory, &ceiling, &ctx).await
    };
    db.store.write(set).await.unwrap();
}

fn ldap_settings() -> Value {
    json!({"urls": ["ldap://127.0.0.1:389"], "security": "none", "users": {"bases": ["ou=people,dc=example"]}})
}

on_both! {
    async fn a_directory_gets_a_connection_and_the_connection_a_token(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let list = format!("/partners/{}/directories", house.reseller);
        let made = owner.post(&list, json!({"name": "Our Okta"})).await;
        assert_eq!((made.status, &made.body["mode"], &made.body["priority"]), (201, &json!("authoritative"), &json!(2)), "{made:?}");
        let directory = format!("/directories/{}", made.id());
        problem(&owner.post(&list, json!({"name": "OUR OKTA"})).await, 409, "of that name");

        let new = json!({"kind": "scim", "slug": "okta-push", "profile": "okta", "matching_attribute": "externalId"});
        let connection = owner.post(&format!("{directory}/connections"), new.clone()).await;
        assert_eq!(connection.status, 201, "{connection:?}");
        assert_eq!(connection.header("location"), "/api/v1/connections/okta-push");
        let base = connection.body["address"].as_str().unwrap().to_owned();
        assert_eq!(base, format!("{}/scim/okta-push/v2", app.base));
        problem(&owner.post(&format!("{directory}/connections"), new).await, 409, "taken");
        for (new, part) in [
            (json!({"kind": "scim", "slug": "Big"}), "`slug`"),
            (json!({"kind": "scim", "slug": "x", "profile": "nobody"}), "`settings`"),
            (json!({"kind": "scim", "slug": "x", "settings": {"colour": 1}}), "colour"),
            (json!({"kind": "scim", "slug": "x", "secret": "s"}), "`secret`"),
            (json!({"kind": "scim", "slug": "x", "matching_attribute": "nope"}), "`matching_attribute`"),
            (json!({"kind": "ldap", "slug": "x", "profile": "openldap"}), "`settings`"),
            (json!({"kind": "fax", "slug": "x"}), "`kind`"),
        ] {
            problem(&owner.post(&format!("{directory}/connections"), new).await, 400, part);
        }

        let tokens = "/connections/okta-push/tokens";
        let token = owner.post(tokens, json!({"name": "Okta"})).await;
        assert_eq!(token.status, 201, "{token:?}");
        let text = token.body["token"].as_str().unwrap().to_owned();
        let okta = Scim { base, token: text.clone(), client: app.client.clone() };
        okta.user("ida@harbor.example").await;
        let listed = owner.get(tokens).await;
        assert_eq!(listed.body["items"][0]["name"], "Okta");
        assert!(!listed.body.to_string().contains(&text), "its text is shown once");
        let gone = owner.delete(&format!("{tokens}/{}", token.id())).await;
        assert_eq!(gone.status, 204, "{gone:?}");
        assert_eq!(okta.get("/Users").await.status, 401, "the next request is refused");
        problem(&owner.delete(&format!("{tokens}/{}", token.id())).await, 404, "");
        problem(&owner.post(tokens, json!({"name": "x", "expires_at": "2001-01-01T00:00:00Z"})).await, 400, "`expires_at`");
        problem(&owner.post(tokens, json!({"name": "x", "expires_at": "tomorrow"})).await, 400, "`expires_at`");
        problem(&owner.post("/connections/acme-sso/tokens", json!({"name": "x"})).await, 409, "SCIM");

        let whole = owner.get(&directory).await;
        assert_eq!(whole.body["ceiling"], json!([]));
        assert_eq!(whole.body["connections"][0]["slug"], "okta-push");
        for kind in ["directory.created", "connection.created", "connection_token.created", "connection_token.revoked"] {
            assert_eq!(house.events(kind).await, 1, "{kind}");
        }
        app.stop().await;
    }

    async fn a_connection_is_changed_and_closed(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let new = json!({"kind": "ldap", "slug": "our-ad", "profile": "openldap", "state": "paused"});
        let made = owner.post(&format!("/directories/{}/connections", house.directory), new).await;
        assert_eq!(made.status, 201, "it may be set up step by step: {made:?}");
        let path = "/connections/our-ad";
        problem(&owner.patch(path, json!({"state": "active"})).await, 400, "`settings`");
        problem(&owner.patch(path, json!({"settings": {"urls": "x"}})).await, 400, "`settings`");
        problem(&owner.patch(path, json!({"settings": []})).await, 400, "`settings`: invalid type");
        problem(&owner.patch(path, json!({"secret": 5})).await, 400, "`secret`: must be a text");
        problem(&owner.patch(path, json!({"slug": "other"})).await, 400, "unknown field `slug`");
        assert_eq!(owner.get(path).await.body, made.body, "nothing was changed");

        let secret = "correct horse battery staple";
        let change = json!({"settings": ldap_settings(), "secret": secret, "state": "active", "matching_attribute": "mail"});
        let changed = owner.patch(path, change.clone()).await;
        assert_eq!((changed.status, &changed.body["state"], &changed.body["matching_attribute"]), (200, &json!("active"), &json!("mail")), "{changed:?}");
        assert!(!changed.body.to_string().contains(secret));
        assert_ne!(changed.header("etag"), made.header("etag"));
        assert_eq!(owner.patch(path, json!({"matching_attribute": null})).await.body["matching_attribute"], Value::Null);
        let stale = sent(owner.request(Method::PATCH, path).header("if-match", made.header("etag")).json(&json!({"state": "paused"}))).await;
        problem(&stale, 412, "changed since");
        let tag = owner.get(path).await.header("etag").to_owned();
        let fresh = sent(owner.request(Method::PATCH, path).header("if-match", tag).json(&json!({"state": "paused"}))).await;
        assert_eq!((fresh.status, &fresh.body["state"]), (200, &json!("paused")), "{fresh:?}");
        let before = house.events("connection.updated").await;
        assert_eq!(owner.patch(path, json!({})).await.status, 200);
        assert_eq!(owner.patch(path, json!({"state": "paused"})).await.status, 200);
        assert_eq!(house.events("connection.updated").await, before, "what changes nothing is not told");

        let token = owner.post("/connections/acme/tokens", json!({"name": "t"})).await.body["token"].as_str().unwrap().to_owned();
        let push = Scim { base: format!("{}/scim/acme/v2", app.base), token, client: app.client.clone() };
        assert_eq!(push.get("/Users").await.status, 200);
        assert_eq!(owner.patch("/connections/acme", json!({"state": "paused"})).await.status, 200);
        assert_eq!(push.get("/Users").await.status, 503, "a closed connection says that it is closed");
        app.stop().await;
    }

    async fn a_connection_is_only_for_those_who_hold_what_it_may_confer(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let helper = house.user("Hedda Helper").await;
        let few = [CoreCapability::PartnerView, CoreCapability::ConnectionView, CoreCapability::ConnectionWrite, CoreCapability::RoleAssign];
        house.grant(helper, &few, "subtree", house.reseller).await;
        let helpers = Api::of(&app, &house, helper, house.reseller).await;
        assert_eq!(helpers.patch("/connections/acme", json!({"matching_attribute": "userName"})).await.status, 200, "the ceiling is empty");
        raise_the_ceiling(db, &house, &owner).await;
        let part = "may confer a role that you could not give";
        problem(&helpers.patch("/connections/acme", json!({"matching_attribute": "externalId"})).await, 403, part);
        problem(&helpers.post("/connections/acme/tokens", json!({"name": "x"})).await, 403, part);
        let new = json!({"kind": "scim", "slug": "mine"});
        let connections = format!("/directories/{}/connections", house.directory);
        problem(&helpers.post(&connections, new.clone()).await, 403, part);
        assert_eq!(house.events("connection_token.created").await + house.events("connection.created").await, 0);
        assert_eq!(owner.patch("/connections/acme", json!({"matching_attribute": "externalId"})).await.status, 200);
        assert_eq!(owner.post(&connections, new).await.status, 201);
        let whole = owner.get(&format!("/directories/{}", house.directory)).await;
        assert_eq!(whole.body["ceiling"][0]["scope"]["kind"], "subtree", "{whole:?}");
        app.stop().await;
    }

    async fn what_a_connection_was_told_is_read_back(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let token = owner.post("/connections/acme/tokens", json!({"name": "t"})).await.body["token"].as_str().unwrap().to_owned();
        let push = Scim { base: format!("{}/scim/acme/v2", app.base), token, client: app.client.clone() };
        let mut users = Vec::new();
        for name in ["ida@harbor.example", "jo@harbor.example", "kim@harbor.example"] {
            users.push(push.user(name).await.id());
        }
        let inner = push.group("Inner", &[&users[0]]).await.id();
        let outer = push.group("Outer", &[&users[1], &inner]).await.id();

        let said = owner.all("/connections/acme/external-users", 2).await;
        let ids: Vec<_> = said.iter().map(|one| one["stable_id"].as_str().unwrap()).collect();
        assert_eq!(ids, users);
        assert_eq!(said[0]["document"]["userName"], "ida@harbor.example");
        let user = owner.get(&format!("/users/{}", said[0]["user_id"].as_str().unwrap())).await;
        assert_eq!(user.status, 200, "{user:?}");
        let groups = owner.all("/connections/acme/external-groups", 1).await;
        assert_eq!(groups.len(), 2);
        for page in 1..=2 {
            let members = owner.all(&format!("/connections/acme/external-groups/{outer}/members"), page).await;
            assert_eq!(members, [json!({"type": "user", "stable_id": users[1]}), json!({"type": "group", "stable_id": inner})]);
            let inside = owner.all(&format!("/connections/acme/external-groups/{outer}/effective-members"), page).await;
            assert_eq!(inside, [json!({"stable_id": users[0]}), json!({"stable_id": users[1]})]);
        }
        problem(&owner.get("/connections/acme/external-groups/none/members").await, 404, "");
        problem(&owner.get("/connections/acme/external-groups/none/effective-members").await, 404, "");
        assert_eq!(owner.all("/connections/acme-sso/external-users", 5).await.len(), 0, "each connection its own");

        let mut lines = Vec::new();
        for _ in 0..100 {
            lines = owner.all("/connections/acme/request-log", 2).await;
            if lines.len() >= 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(lines.len(), 5, "the log is written apart");
        assert_eq!((&lines[0]["method"], &lines[0]["path"], &lines[0]["status"]), (&json!("POST"), &json!("/Groups"), &json!(201)), "the newest first");
        let found = owner.get("/connections/acme/request-log?q=kim%40harbor").await;
        assert_eq!(found.body["items"].as_array().unwrap().len(), 1, "{found:?}");
        app.stop().await;
    }
}
