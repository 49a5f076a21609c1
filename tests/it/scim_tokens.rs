//! Tokens of a connection, its rate, and the log of its requests.
use std::time::Duration;

use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::time::Timestamp;
use rolecall::store::extent::{ConnectionExtent, OperatorExtent};
use rolecall::store::request_log::RequestLogEntry;
use rolecall::store::{StoreError, Tx, tokens};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::{App, Scim, new_token};
use crate::support::database::on_both;
use crate::support::world::World;

statements! {
    PAUSE = "UPDATE connections SET state = 'paused', version = version + 1 WHERE id = $1";
    RESUME = "UPDATE connections SET state = 'active', version = version + 1 WHERE id = $1";
    GONE = "UPDATE partners SET state = 'deleted' WHERE id = $1";
    BACK = "UPDATE partners SET state = 'live' WHERE id = $1";
    FREEZE = "UPDATE directories SET mode = 'paused' WHERE id = $1";
}

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

on_both! {
    async fn tokens_overlap_expire_and_end_at_once(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let connection = world.connections[0];
        let old = app.scim(db, &world, connection).await;
        let new = Scim { token: new_token(db, &world, connection, None).await, ..old.clone() };
        assert_eq!((old.get("/Users").await.status, new.get("/Users").await.status), (200, 200));
        let past = Clock.ctx(Actor::System).now().plus_seconds(-1);
        let expired = Scim { token: new_token(db, &world, connection, Some(past)).await, ..old.clone() };
        let refused = expired.get("/Users").await;
        refused.refused(401, "");
        assert!(refused.header("www-authenticate").contains("invalid_token"));

        let at = OperatorExtent::assume().at(world.partner);
        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, connection.connection()).await.unwrap();
        assert_eq!(listed.len(), 3);
        assert!(old.token.starts_with(&listed[0].prefix) && listed[0].prefix.starts_with("rcs_"));
        let revoke = async |tx: &mut Tx| tokens::revoke(tx, &at, listed[0].id, Timestamp::from_micros(1)).await;
        db.store.write(revoke).await.unwrap();
        old.get("/Users").await.refused(401, "");
        assert_eq!(new.get("/Users").await.status, 200);
        app.stop().await;

        // Last use is written apart from the requests, at the latest when the server stops.
        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, connection.connection()).await.unwrap();
        let used: Vec<bool> = listed.iter().map(|token| token.last_used_at.is_some()).collect();
        assert_eq!(used, [true, true, false]);
    }
}

on_both! {
    async fn a_paused_connection_is_closed_and_a_paused_directory_takes_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let closed = app.scim(db, &world, world.connections[1]).await;
        let user = scim.user("ida@harbor.example").await.id();
        let pause = async |tx: &mut Tx| -> Result<(), StoreError> {
            tx.execute(&PAUSE, binds![world.connections[1].connection()]).await?;
            tx.execute(&FREEZE, binds![world.directory]).await.map(drop)
        };
        db.store.write(pause).await.unwrap();
        closed.get("/Users").await.refused(503, "");
        assert_eq!(scim.get("/Users").await.body["totalResults"], 1);
        scim.post("/Users", json!({"schemas": [USER], "userName": "bo"})).await.refused(503, "");
        scim.delete(&format!("/Users/{user}")).await.refused(503, "");
        assert_eq!(scim.get("/Users").await.body["totalResults"], 1);
        app.stop().await;
    }
}

on_both! {
    async fn a_flood_of_one_connection_is_told_to_wait_and_its_neighbour_is_not(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| {
            config.scim.requests_per_second = 1;
            config.scim.burst = 5;
        })
        .await;
        let flood = app.scim(db, &world, world.connections[0]).await;
        let calm = app.scim(db, &world, world.stranger).await;
        let answers = futures_util::future::join_all((0..20).map(|_| flood.get("/Users"))).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert!(refused.len() >= 10, "{}", refused.len());
        refused[0].refused(429, "");
        assert!(refused[0].header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(calm.get("/Users").await.status, 200);
        let written = logged(&app, world.connections[0], answers.len() - refused.len() + 1).await;
        let told = written.iter().filter(|entry| entry.status == 429).count();
        assert!((1..refused.len()).contains(&told), "one a second is written down, not {told} of {}", refused.len());
        app.stop().await;
    }
}

on_both! {
    async fn the_log_says_what_was_asked_understood_and_done_without_secrets(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let body = json!({"schemas": [USER], "userName": "ida@harbor.example", "password": "hunter2!"});
        let made = scim.post("/Users", body).await;
        let path = format!("/Users/{}", made.id());
        scim.patch(&path, json!([{"op": "Replace", "path": "active", "value": "False"}])).await;
        let refused = scim.patch(&path, json!([{"op": "replace", "path": "password", "value": "hunter3!"},
            {"op": "remove", "path": "userName"}])).await;
        refused.refused(400, "mutability");
        scim.post("/Users/.search", json!({"filter": "password eq \"hunter4!\""})).await;
        scim.get("/Users?filter=userName%20eq%20%22jo@harbor.example%22").await;
        let operations = json!([{"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "jo"}},
            {"method": "DELETE", "path": "/Users/0192f0c0-0000-7000-8000-000000000000"}]);
        scim.post("/Bulk", json!({"schemas": [BULK], "Operations": operations})).await;
        let entries = logged(&app, world.connections[0], 6).await;
        let whole = serde_json::to_string(&entries).unwrap();
        assert!(!whole.contains("hunter") && !whole.contains(&scim.token));
        let [bulk, lookup, _, last, changed, first] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((first.method.as_str(), first.path.as_str(), first.status), ("POST", "/Users", 201));
        assert_eq!(first.request_id, made.header("x-request-id"));
        assert!(first.request.as_ref().unwrap().text().contains("ida@harbor.example"));
        assert!(changed.normalizations.iter().any(|act| act.starts_with("op_case")), "{changed:?}");
        assert!(changed.normalizations.iter().any(|act| act.starts_with("string_booleans")), "{changed:?}");
        assert_eq!(changed.effect["users"][0]["change"], "suspended", "{changed:?}");
        assert_eq!(bulk.effect[0]["effect"]["events"][0]["kind"], "external_user.created", "{bulk:?}");
        assert!(bulk.effect[1]["refused"]["detail"].is_string(), "{bulk:?}");
        assert_eq!(lookup.path, "/Users?filter=userName eq \"jo@harbor.example\"");
        assert_eq!(last.status, 400);
        assert!(last.error.as_deref().unwrap().contains("mutability"));

        let log = &app.running.app().request_log;
        let (found, _) = log.page(&world.connections[0], "IDA@harbor", None, 10).await.unwrap();
        assert_eq!(found.len(), 1);
        let (first_page, next) = log.page(&world.connections[0], "", None, 2).await.unwrap();
        let (rest, end) = log.page(&world.connections[0], "", next, 2).await.unwrap();
        assert_eq!((first_page.len(), rest.len(), end.is_some()), (2, 2, true));
        assert!(log.page(&world.stranger, "", None, 10).await.unwrap().0.is_empty());
        assert_eq!(log.dropped(), 0);
        app.stop().await;
    }
}

on_both! {
    async fn nothing_is_written_while_the_log_is_off(db: &Database) {
        let world = World::new(&db.store).await;
        let connection = world.connections[0];
        let app = App::start(db).await;
        let scim = app.scim(db, &world, connection).await;
        scim.user("ida").await;
        assert_eq!(logged(&app, connection, 1).await.len(), 1);
        app.stop().await;

        let app = App::start_with(db, |config| config.retention.request_log_days = 0).await;
        let scim = app.scim(db, &world, connection).await;
        scim.user("bo").await;
        scim.get("/Users?filter=userName+eq+%22bo%22").await;
        scim.get("/Nothing").await.refused(404, "");
        let stale = Scim { token: new_token(db, &world, connection, Some(Timestamp::from_micros(1))).await, ..scim.clone() };
        stale.get("/Users").await.refused(401, "");
        // What was kept before goes, too.
        let mut left = usize::MAX;
        for _ in 0..100 {
            left = app.running.app().request_log.page(&connection, "", None, 100).await.unwrap().0.len();
            if left == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(left, 0);
        scim.get("/Users").await;
        app.stop().await;

        // Everything that waited is written when a server stops: there was nothing.
        let app = App::start(db).await;
        let scim = app.scim(db, &world, connection).await;
        assert_eq!(scim.get("/Users").await.body["totalResults"], 2);
        let lines = logged(&app, connection, 1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        app.stop().await;
    }
}

on_both! {
    async fn the_log_of_a_connection_says_why_its_tokens_are_shut_out_and_the_caller_is_not_told(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let (connection, at) = (world.connections[0], OperatorExtent::assume().at(world.partner));
        let scim = app.scim(db, &world, connection).await;
        let unknown = Scim { token: format!("rcs_{}", "A".repeat(43)), ..scim.clone() };
        let told = unknown.get("/Users").await;
        told.refused(401, "");
        let shut = async |client: &Scim, why: &str| {
            for _ in 0..100 {
                let answer = client.get("/Users?filter=password+pr").await;
                assert_eq!((answer.status, &answer.body), (401, &told.body), "alike for every cause");
                let (lines, _) = app.running.app().request_log.page(&connection, why, None, 10).await.unwrap();
                if let Some(line) = lines.first() {
                    assert_eq!((line.status, line.method.as_str(), line.token.is_some()), (401, "GET", true));
                    assert!(line.path.starts_with("/Users?") && !line.path.contains("password"), "{line:?}");
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("the log does not say: {why}");
        };
        let past = Clock.ctx(Actor::System).now().plus_seconds(-1);
        let ended = Scim { token: new_token(db, &world, connection, Some(past)).await, ..scim.clone() };
        shut(&ended, "token has ended").await;
        let elsewhere = Scim { base: scim.base.replace(&connection.connection().to_string(), &world.connections[1].connection().to_string()), ..scim.clone() };
        shut(&elsewhere, "address of another").await;
        let withdrawn = Scim { token: new_token(db, &world, connection, None).await, ..scim.clone() };
        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, connection.connection()).await.unwrap();
        let newest = listed.last().unwrap().id;
        db.store.write(async |tx: &mut Tx| tokens::revoke(tx, &at, newest, Timestamp::from_micros(1)).await).await.unwrap();
        shut(&withdrawn, "token was withdrawn").await;
        // Whose address it was used at hears of a stranger, and not whose token it was.
        let log = &app.running.app().request_log;
        let (strange, _) = log.page(&world.connections[1], "", None, 10).await.unwrap();
        assert!(strange.iter().all(|line| line.token.is_none()), "{strange:?}");
        let (lines, _) = log.page(&connection, "", None, 100).await.unwrap();
        for line in lines.iter().filter(|line| line.token.is_none()) {
            let why = line.error.as_deref().unwrap();
            assert!(why.contains("none of this connection") || why.contains("no bearer token"), "{line:?}");
        }
        // Whoever knocks for ever does not fill the log.
        let before = lines.len();
        futures_util::future::join_all((0..30).map(|_| ended.get("/Users"))).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(log.page(&connection, "", None, 100).await.unwrap().0.len() < before + 15);
        app.stop().await;
    }
}

on_both! {
    async fn what_a_token_was_known_to_open_is_asked_anew_after_any_change(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let (connection, at) = (world.connections[0], OperatorExtent::assume().at(world.partner));
        let scim = app.scim(db, &world, connection).await;
        let twice = async || [scim.get("/Users").await.status, scim.get("/Users").await.status];
        assert_eq!(twice().await, [200, 200]);
        let change = async |statement, id: rolecall::store::SqlValue| {
            let values = vec![id];
            let work = async |tx: &mut Tx| -> Result<(), StoreError> { tx.execute(statement, values.clone()).await.map(drop) };
            db.store.write(work).await.unwrap();
        };
        change(&PAUSE, connection.connection().into()).await;
        assert_eq!(twice().await, [503, 503]);
        change(&RESUME, connection.connection().into()).await;
        assert_eq!(twice().await, [200, 200]);
        change(&FREEZE, world.directory.into()).await;
        scim.post("/Users", json!({"schemas": [USER], "userName": "bo"})).await.refused(503, "");
        change(&GONE, world.partner.into()).await;
        assert_eq!(twice().await, [401, 401]);
        change(&BACK, world.partner.into()).await;
        assert_eq!(twice().await, [200, 200]);

        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, connection.connection()).await.unwrap();
        let revoke = async |tx: &mut Tx| tokens::revoke(tx, &at, listed[0].id, Timestamp::from_micros(1)).await;
        db.store.write(revoke).await.unwrap();
        assert_eq!(twice().await, [401, 401]);

        // A token that ends by itself ends although nothing is written.
        let soon = Clock.ctx(Actor::System).now().plus_seconds(2);
        let brief = Scim { token: new_token(db, &world, connection, Some(soon)).await, ..scim.clone() };
        assert_eq!(brief.get("/Users").await.status, 200);
        while Clock.ctx(Actor::System).now() < soon {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        brief.get("/Users").await.refused(401, "");
        app.stop().await;
    }
}

/// The newest entries of a connection, once so many are written.
async fn logged(app: &App, connection: ConnectionExtent, count: usize) -> Vec<RequestLogEntry> {
    for _ in 0..100 {
        let (entries, _) = app.running.app().request_log.page(&connection, "", None, 100).await.unwrap();
        if entries.len() >= count {
            return entries;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the log stays empty");
}
