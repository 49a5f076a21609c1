//! Everything that a user or a connection can make has a most.
use rolecall::admin::api_tokens;
use rolecall::admin::clients::{self, Credential};
use rolecall::admin::most;
use rolecall::domain::id::{AttemptId, PartnerId, TokenId};
use rolecall::store::api_tokens as stored;
use rolecall::store::login_attempts::MOST_OPEN;
use rolecall::store::oauth_clients::MOST_TOKENS;
use rolecall::store::{ConnectionLimits, StoreError, Tx};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::{App, Scim};
use crate::support::api::{Api, problem};
use crate::support::browser::Browser;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};
use crate::support::provider::HostileProvider;

statements! {
    CHILD: rows = "INSERT INTO partners (id, parent_id, name, sort_key, kind, level_id, state, version, authority_version, \
        created_at, updated_at) VALUES ($1, $2, 'Many', $3, 'department', 1, 'live', 1, 1, 0, 0)";
    ROWS = "SELECT COUNT(*) FROM api_tokens WHERE user_id = $1";
    ISSUED: rows = "INSERT INTO connection_tokens (id, connection_id, oauth_client_id, name, prefix, hash, created_at, expires_at) \
        VALUES ($1, $2, $3, 'many', 'rcs_', $4, $5, $6)";
    TOKENS = "SELECT COUNT(*) FROM connection_tokens WHERE oauth_client_id = $1";
    ATTEMPT: rows = "INSERT INTO login_attempts (id, connection_id, browser_hash, state_hash, nonce, pkce_verifier, return_to, \
        created_at, expires_at) VALUES ($1, $2, $3, $3, 'n', $3, '/', $4, $5)";
    ATTEMPTS = "SELECT COUNT(*) FROM login_attempts WHERE connection_id = $1";
    THERE = "SELECT 1 FROM login_attempts WHERE id = $1";
    SAID = "INSERT INTO kept_totals (owner_id, kind, id, number) VALUES ($1, $2, $3, $4)";
}

on_both! {
    async fn lasting_credentials_and_connections_have_a_most(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.api.burst = 10_000).await;
        let owner = Api::owner(&app, &house).await;
        for at in 0..most::CONNECTION_TOKENS {
            let made = owner.post("/connections/acme/tokens", json!({"name": format!("t{at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post("/connections/acme/tokens", json!({"name": "more"})).await, 409, "50 are the most");
        let listed = owner.get("/connections/acme/tokens").await;
        let first = listed.body["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(owner.delete(&format!("/connections/acme/tokens/{first}")).await.status, 204);
        assert_eq!(owner.post("/connections/acme/tokens", json!({"name": "again"})).await.status, 201);

        for at in 0..most::CLIENTS {
            let made = owner.post("/connections/acme/oauth-clients", json!({"name": format!("c{at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post("/connections/acme/oauth-clients", json!({"name": "more"})).await, 409, "50 are the most");

        // The house has two connections and a directory.
        let connections = format!("/directories/{}/connections", house.directory);
        for at in 2..most::CONNECTIONS {
            let made = owner.post(&connections, json!({"kind": "scim", "slug": format!("door-{at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post(&connections, json!({"kind": "scim", "slug": "door-more"})).await, 409, "20 are the most");
        let directories = format!("/partners/{}/directories", house.reseller);
        for at in 1..most::DIRECTORIES {
            let made = owner.post(&directories, json!({"name": format!("Directory {at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post(&directories, json!({"name": "More"})).await, 409, "50 are the most");
        app.stop().await;
    }

    async fn a_user_makes_so_many_tokens_and_ended_ones_are_forgotten(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let user = house.user("Ida").await;
        let (_, text) = house.api_token(user, house.reseller).await;
        let mut reader = db.store.reader().await.unwrap();
        let me = stored::authenticate(&mut reader, &text, ctx().now()).await.unwrap().unwrap().extent;
        let of = (&me, house.reseller);
        for at in 1..most::API_TOKENS {
            api_tokens::make(&db.store, &ctx(), of, &format!("t{at}"), 0).await.unwrap();
        }
        let refused = api_tokens::make(&db.store, &ctx(), of, "more", 0).await.unwrap_err();
        assert!(refused.to_string().contains("100 are the most"), "{refused}");
        // Ending and making in turn leaves no more rows than are kept.
        for round in 0..usize::try_from(most::ENDED_TOKENS).unwrap() + 20 {
            let oldest = stored::list(&mut reader, &me).await.unwrap();
            let oldest = oldest.iter().find(|one| one.revoked_at.is_none()).unwrap().id;
            api_tokens::end(&db.store, &ctx(), of, oldest).await.unwrap();
            api_tokens::make(&db.store, &ctx(), of, &format!("r{round}"), 1).await.unwrap();
        }
        let rows: i64 = reader.one(&ROWS, binds![user], |row| row.get(0)).await.unwrap();
        assert!(rows <= most::ENDED_TOKENS + i64::try_from(most::API_TOKENS).unwrap() + 1, "{rows}");
    }

    async fn a_connection_says_so_many_users_and_groups(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.api.requests_per_second = 0).await;
        let owner = Api::owner(&app, &house).await;
        let token = owner.post("/connections/acme/tokens", json!({"name": "t"})).await;
        let token = token.body["secret"].as_str().or(token.body["token"].as_str()).unwrap().to_owned();
        let scim = Scim { base: format!("{}/scim/acme/v2", app.base), token, client: app.client.clone() };
        // As if all but two were there, in the row to which a job adds the others.
        let most = ConnectionLimits::default();
        let nil = uuid::Uuid::nil();
        db.execute(&SAID, binds![house.scim, "external_users", nil, most.users - 2]).await;
        db.execute(&SAID, binds![house.scim, "external_groups", nil, most.groups - 1]).await;
        let one = scim.user("one@harbor.example").await.id();
        // The last place, and nobody gets a second one by coming together with others.
        let user = |name: String| json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name});
        let operations: Vec<_> = (0..3)
            .map(|at| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{at}"), "data": user(format!("bulk-{at}@harbor.example"))}))
            .collect();
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        let answer = scim.post("/Bulk", bulk).await;
        let statuses: Vec<_> = answer.body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect();
        assert_eq!(statuses, ["201", "403", "403"], "{answer:?}");
        let refused = scim.post("/Users", user("more@harbor.example".to_owned())).await;
        refused.refused(403, "");
        assert!(refused.body["detail"].as_str().unwrap().contains("2000000 users already"), "{refused:?}");
        let (events, users) = (house.events("external_user.created").await, house.external_users(house.scim).await);
        assert_eq!((events, users), (2, 2), "nothing of it was written");
        // What is there goes on; one that goes makes room.
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        assert_eq!(scim.patch(&format!("/Users/{one}"), off).await.status, 200);
        assert_eq!(scim.delete(&format!("/Users/{one}")).await.status, 204);
        scim.user("again@harbor.example").await;
        scim.post("/Users", user("more@harbor.example".to_owned())).await.refused(403, "");

        let group = scim.group("first", &[]).await.id();
        let more = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "second"});
        scim.post("/Groups", more.clone()).await.refused(403, "");
        assert_eq!(scim.delete(&format!("/Groups/{group}")).await.status, 204);
        assert_eq!(scim.post("/Groups", more).await.status, 201);
        app.stop().await;
    }

    async fn a_client_has_so_many_access_tokens(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let made = clients::create(&house.store, &ctx(), house.owner, "acme", "Okta", &Credential::Secret).await;
        let (client, secret) = made.unwrap();
        let now = ctx().now();
        let most = usize::try_from(MOST_TOKENS).unwrap();
        let rows: Vec<_> = (0..most + 5)
            .map(|at| {
                let (id, hash): (TokenId, [u8; 32]) = (ctx().id(), ctx().random());
                let end = now.plus_seconds(60 + i64::try_from(at).unwrap());
                binds![id, house.scim, client, hash, now, end]
            })
            .collect();
        let written: Result<_, StoreError> =
            db.store.write(async |tx: &mut Tx| tx.execute_rows(&ISSUED, rows.clone()).await).await;
        written.unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", "client_credentials"), ("client_id", &client.to_string()), ("client_secret", secret.unwrap().reveal())])
            .finish();
        let request = app.request(reqwest::Method::POST, "/oauth/acme/token").header("content-type", "application/x-www-form-urlencoded");
        let answer = crate::support::api::sent(request.body(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.body["access_token"].as_str().unwrap().to_owned();
        let scim = Scim { base: format!("{}/scim/acme/v2", app.base), token, client: app.client.clone() };
        assert_eq!(scim.get("/Users").await.status, 200, "the newest is good");
        let left: i64 = db.store.reader().await.unwrap().one(&TOKENS, binds![client], |row| row.get(0)).await.unwrap();
        assert_eq!(left, i64::from(MOST_TOKENS), "the oldest ended");
        app.stop().await;
    }

    async fn so_many_sign_ins_are_open_at_a_connection(db: &Database) {
        let provider = HostileProvider::start().await;
        let house = House::build(&db.store, &provider.issuer("ok_public")).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        let now = ctx().now();
        let ids: Vec<AttemptId> = (0..MOST_OPEN + 3).map(|_| ctx().id()).collect();
        let rows: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| {
                let begun = now.plus_seconds(-300).micros() + i64::try_from(at).unwrap();
                binds![*id, house.oidc, vec![0_u8; 32], begun, now.plus_seconds(300)]
            })
            .collect();
        let written: Result<_, StoreError> =
            db.store.write(async |tx: &mut Tx| tx.execute_rows(&ATTEMPT, rows.clone()).await).await;
        written.unwrap();
        let mut browser = Browser::new();
        let there = browser.get(format!("{}/login/acme-sso", app.base)).await;
        assert_eq!(there.status, 303, "{}", there.text);
        let mut reader = db.store.reader().await.unwrap();
        let left: i64 = reader.one(&ATTEMPTS, binds![house.oidc], |row| row.get(0)).await.unwrap();
        assert_eq!(left, i64::from(MOST_OPEN));
        for (at, there) in [(0, false), (3, false), (4, true), (ids.len() - 1, true)] {
            let found = reader.optional(&THERE, binds![ids[at]], |_| Ok(())).await.unwrap();
            assert_eq!(found.is_some(), there, "{at}: the oldest end");
        }
        app.stop().await;
        provider.stop().await;
    }

    async fn so_many_partners_stand_directly_below_one(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.api.burst = 10_000).await;
        let owner = Api::owner(&app, &house).await;
        let ids: Vec<PartnerId> = (0..most::PARTNERS_BELOW).map(|_| ctx().id()).collect();
        let rows = ids.iter().skip(1).map(|id| binds![*id, house.reseller, id.to_string().into_bytes()]);
        let rows: Vec<_> = rows.collect();
        let written: Result<_, StoreError> =
            db.store.write(async |tx: &mut Tx| tx.execute_rows(&CHILD, rows.clone()).await).await;
        written.unwrap();
        let body = json!({"parent": house.reseller, "name": "Last", "level": "reseller", "kind": "department"});
        assert_eq!(owner.post("/partners", body.clone()).await.status, 201);
        problem(&owner.post("/partners", body).await, 409, "10000 are the most");
        app.stop().await;
    }
}
