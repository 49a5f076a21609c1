//! Everything that a person or a connection can make has a most.
use rolecall::admin::api_tokens;
use rolecall::admin::most;
use rolecall::domain::id::PartnerId;
use rolecall::store::api_tokens as stored;
use rolecall::store::{StoreError, Tx};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

statements! {
    CHILD: rows = "INSERT INTO partner (id, parent, name, sort_key, kind, level, state, version, authority_version, \
        created_at, changed_at) VALUES ($1, $2, 'Many', $3, 'department', 1, 'live', 1, 1, 0, 0)";
    ROWS = "SELECT COUNT(*) FROM api_token WHERE person = $1";
}

on_both! {
    async fn lasting_credentials_and_doors_have_a_most(db: &Database) {
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
            let made = owner.post("/connections/acme/clients", json!({"name": format!("c{at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post("/connections/acme/clients", json!({"name": "more"})).await, 409, "50 are the most");

        // The house has two doors and a directory.
        let doors = format!("/directories/{}/connections", house.directory);
        for at in 2..most::CONNECTIONS {
            let made = owner.post(&doors, json!({"kind": "scim", "slug": format!("door-{at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post(&doors, json!({"kind": "scim", "slug": "door-more"})).await, 409, "20 are the most");
        let directories = format!("/partners/{}/directories", house.reseller);
        for at in 1..most::DIRECTORIES {
            let made = owner.post(&directories, json!({"name": format!("Directory {at}")})).await;
            assert_eq!(made.status, 201, "{at}: {made:?}");
        }
        problem(&owner.post(&directories, json!({"name": "More"})).await, 409, "50 are the most");
        app.stop().await;
    }

    async fn a_person_makes_so_many_tokens_and_ended_ones_are_forgotten(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let person = house.person("Ida").await;
        let (_, text) = house.api_token(person, house.reseller).await;
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
        let rows: i64 = reader.one(&ROWS, binds![person], |row| row.get(0)).await.unwrap();
        assert!(rows <= most::ENDED_TOKENS + i64::try_from(most::API_TOKENS).unwrap() + 1, "{rows}");
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
