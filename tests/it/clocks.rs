//! Clocks that are wrong: no node's own decides for another, a server whose clock is off says so and stops what depends on
//! it, and what a wrong clock wrote holds nothing up for long.
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rolecall::cli::doctor::examine;
use rolecall::clock::Clock;
use rolecall::config::{Config, RetentionConfig};
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::{PartnerId, UserId};
use rolecall::jobs::health::{self, Health, Look, Trouble};
use rolecall::jobs::{event_sealer, purge};
use rolecall::provision::event::{Event, Kind};
use rolecall::provision::events;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{self, Options, Store, StoreError, Tx, events as lines, first, leases, request_log, runs};
use rolecall::web::server;
use rolecall::{binds, statements};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::app::App;
use crate::support::database::{Database, on_both};
use crate::support::world::{World, fresh_id};

statements! {
    SHIFT = "UPDATE leases SET expires_at = expires_at + $2 WHERE name = $1";
    UNTIL = "SELECT expires_at FROM leases WHERE name = $1";
    AT = "UPDATE events SET at = $1";
    RUN = "INSERT INTO sync_runs (id, connection_id, dry_run, status, report, started_at) VALUES ($1, $2, FALSE, 'done', '{}', $3)";
    SKEW = "UPDATE skew SET seconds = $1";
    TOMBS = "SELECT COUNT(*) FROM deleted_external_users";
    OLD_TOMBS = "UPDATE deleted_external_users SET deleted_at = 0";
}

const DAY: i64 = 86_400_000_000;
const TERM: Duration = Duration::from_secs(10);

async fn take(store: &Store, holder: u128) -> Option<leases::Lease> {
    store.write(async |tx: &mut Tx| leases::acquire(tx, "job", Uuid::from_u128(holder), TERM).await).await.unwrap()
}

async fn renew(store: &Store, lease: &leases::Lease) -> bool {
    store.write(async |tx: &mut Tx| leases::renew(tx, lease, TERM).await).await.unwrap()
}

async fn happen(store: &Store, times: usize) {
    let ctx = Clock.ctx(Actor::System);
    let (partner, user): (PartnerId, UserId) = (ctx.id(), ctx.id());
    for _ in 0..times {
        let event = Event::of(Kind::UserUpdated, user);
        store.write(async |tx| events::append(tx, &ctx, partner, std::slice::from_ref(&event)).await).await.unwrap();
    }
}

async fn seals(store: &Store, wanted: usize) {
    let (tell, told) = watch::channel(false);
    let sealer = tokio::spawn(event_sealer::run(store.clone(), Clock, told));
    let sealed = async || {
        let mut reader = store.reader().await.unwrap();
        lines::after(&mut reader, &OperatorExtent::assume(), 0, 1_000).await.unwrap().len()
    };
    let all = async {
        while sealed().await < wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(25), all).await.expect("the feed goes on");
    tell.send_replace(true);
    sealer.await.unwrap();
}

on_both! {
    async fn a_lease_passes_on_when_it_ran_out_by_the_clock_of_the_database(db: &Database) {
        let store = &db.store;
        let one = take(store, 1).await.unwrap();
        assert_eq!(take(store, 2).await, None);
        assert!(renew(store, &one).await);
        let until: i64 = store.reader().await.unwrap().one(&UNTIL, binds!["job"], first).await.unwrap();
        let now = Clock.now().micros();
        assert!((until - now - 10_000_000).abs() < 5_000_000, "ten seconds from the database's now on");
        db.execute(&SHIFT, binds!["job", -11_000_000]).await;
        let two = take(store, 2).await.unwrap();
        assert!(!renew(store, &one).await, "its fence is an old one");
        assert!(renew(store, &two).await);
        store.write(async |tx: &mut Tx| leases::release(tx, &one).await).await.unwrap();
        assert_eq!(take(store, 1).await, None, "who lost it cannot give it back");
        store.write(async |tx: &mut Tx| leases::release(tx, &two).await).await.unwrap();
        assert!(take(store, 1).await.is_some());
    }

    async fn a_lease_that_ends_later_than_any_could_binds_nobody(db: &Database) {
        take(&db.store, 1).await.unwrap();
        db.execute(&SHIFT, binds!["job", DAY]).await;
        assert!(take(&db.store, 2).await.is_some(), "it was given by a clock that was a day ahead");
        db.execute(&SHIFT, binds!["job", -30 * DAY]).await;
        assert!(take(&db.store, 3).await.is_some(), "or a month behind");
    }

    async fn the_feed_goes_on_after_a_clock_that_was_a_day_ahead(db: &Database) {
        // A write, and the lease of the sealer, by a clock of tomorrow; then that process is killed.
        happen(&db.store, 3).await;
        let lease = async |tx: &mut Tx| leases::acquire(tx, "sealer", Uuid::from_u128(1), TERM).await;
        db.store.write(lease).await.unwrap().unwrap();
        db.execute(&SHIFT, binds!["sealer", DAY]).await;
        db.execute(&AT, binds![Clock.now().micros() + DAY]).await;
        happen(&db.store, 2).await;
        seals(&db.store, 5).await;

        let found = examine(&db.store).await.unwrap();
        assert!(found.iter().any(|told| told.starts_with("3 events lie in the future, the first at line 1")), "{found:?}");
    }

    async fn a_future_event_is_told_and_nothing_is_forgotten_by_such_a_clock(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida").await.id();
        assert_eq!(scim.delete(&format!("/Users/{user}")).await.status, 204);
        app.stop().await;
        while events::seal(&db.store).await.unwrap() > 0 {}
        assert_eq!(health::future(&db.store, Clock).await.unwrap(), None);
        db.execute(&AT, binds![Clock.now().micros() + DAY]).await;
        let told = health::future(&db.store, Clock).await.unwrap().expect("it lies in the future");
        assert!(told.contains("lies in the future"), "{told}");

        let app = App::start(db).await;
        let ready: Value = app.get("/readyz").await.json().await.unwrap();
        assert_eq!((&ready["status"], &ready["degraded"][0]), (&"degraded".into(), &"future".into()), "{ready}");
        assert_eq!(app.get("/readyz?for=writes").await.status(), 200, "writes go on");
        app.stop().await;

        // What was deleted long ago by the clock of now would go at once.
        db.execute(&OLD_TOMBS, binds![]).await;
        let tombs = async || db.store.reader().await.unwrap().one(&TOMBS, binds![], first::<i64>).await.unwrap();
        let health = Arc::new(Health::new());
        let (log, _writer) = request_log::open(&db.url, &db.folder(), 1).await.unwrap();
        let mut look = Look::new(db.store.clone(), Clock, log);
        look.turn(&health).await;
        assert!(health.of(Trouble::Future).is_some() && !health.knows_the_time());
        let forget = async || purge::look(&db.store, Clock, &RetentionConfig::default(), &health).await.unwrap();
        forget().await;
        assert_eq!(tombs().await, 1, "not while it is not sure what time it is");
        db.execute(&AT, binds![Clock.now().micros() - 1]).await;
        look.turn(&health).await;
        forget().await;
        assert_eq!(tombs().await, 0);
    }

    async fn a_run_that_began_tomorrow_keeps_no_schedule_from_today(db: &Database) {
        let world = World::new(&db.store).await;
        let at = &world.connections[0];
        let now = Clock.now();
        let last = async || runs::last_start(&mut db.store.reader().await.unwrap(), at, now).await.unwrap();
        db.execute(&RUN, binds![fresh_id(), at.connection(), now.micros() + DAY]).await;
        assert_eq!(last().await, None);
        db.execute(&RUN, binds![fresh_id(), at.connection(), now.micros() - 5]).await;
        assert_eq!(last().await.map(|at| at.micros()), Some(now.micros() - 5));
    }
}

/// A SQLite file belongs to one process: whoever held a job before it was opened is gone.
#[tokio::test]
async fn leases_are_void_when_a_sqlite_file_is_opened() {
    let db = Database::sqlite().await;
    take(&db.store, 1).await.unwrap();
    let again = db.open_again().await.unwrap();
    assert!(take(&again, 2).await.is_some());
    again.close().await;
    db.remove().await;
}

/// A server of PostgreSQL whose clock can be set.
async fn skewed() -> Database {
    let db = Database::postgres().await;
    db.on_the_server(
        "CREATE TABLE skew (seconds BIGINT NOT NULL); INSERT INTO skew VALUES (0); \
         CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
         'SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT s.seconds FROM public.skew s))'; \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
    )
    .await;
    db
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_off_does_not_start() {
    let db = skewed().await;
    for (seconds, side) in [(3_600, "behind"), (-3_600, "ahead of"), (7, "behind"), (-7, "ahead of")] {
        let set = async |tx: &mut Tx| tx.execute(&SKEW, binds![seconds]).await.map(drop);
        db.store.write::<(), StoreError>(set).await.unwrap();
        let store = store::open(&db.url, &Options::default()).await.unwrap();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.store.data_dir = db.folder();
        config.store.database_url = Some(db.url.clone().into());
        let refused = server::start(config, store.clone(), Clock).await.err().expect("refused").to_string();
        assert!(refused.contains(side) && refused.contains("set both right"), "{refused}");
        let found = examine(&store).await.unwrap();
        assert!(found.iter().any(|told| told.contains("The clock of this server is")), "{found:?}");
        store.close().await;
    }
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_goes_wrong_answers_nothing_but_how_it_is() {
    let db = skewed().await;
    let world = World::new(&db.store).await;
    let (app, store) = App::second(&db).await;
    let scim = app.scim(&db, &world, world.connections[0]).await;
    assert_eq!(scim.get("/Users").await.status, 200);
    let skew = async |seconds: i64| {
        let set = async |tx: &mut Tx| tx.execute(&SKEW, binds![seconds]).await.map(drop);
        db.store.write::<(), StoreError>(set).await.unwrap();
    };
    let until = async |status: u16| {
        for _ in 0..150 {
            if app.get("/readyz").await.status() == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("/readyz never answers {status}");
    };
    for seconds in [30, -30] {
        skew(seconds).await;
        until(503).await;
        let refused = scim.get("/Users").await;
        refused.refused(503, "");
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(app.request(Method::GET, "/api/v1/partners").send().await.unwrap().status(), 503);
        assert_eq!(app.get("/livez").await.status(), 200);
        skew(0).await;
        until(200).await;
        assert_eq!(scim.get("/Users").await.status, 200);
    }
    app.stop().await;
    store.close().await;
    db.remove().await;
}
