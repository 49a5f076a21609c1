//! Readiness and `doctor`: what does not work is said, by its name, and what still works goes on.
use std::time::Duration;

use rolecall::cli::doctor::examine;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::{PartnerId, UserId};
use rolecall::jobs::health::{Health, Look, Trouble};
use rolecall::provision::event::{Event, Kind};
use rolecall::provision::events;
use rolecall::store::{self, Dialect, Options, Tx, first, request_log};
use rolecall::{binds, statements};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::app::App;
use crate::support::database::{Database, on_both};
use crate::support::stage::Stage;
use crate::support::world::World;

statements! {
    FULL = "PRAGMA max_page_count = 1";
    ROOMY = "PRAGMA max_page_count = 1000000";
    OLD = "UPDATE events SET at = at - 120000000 WHERE seq IS NULL";
    NO_LINKS = "DELETE FROM one_time_links";
    NO_SESSIONS = "DELETE FROM sessions";
    NO_OIDC = "UPDATE connections SET state = 'paused' WHERE kind = 'oidc'";
    OIDC = "UPDATE connections SET state = 'active' WHERE kind = 'oidc'";
    LINK = "INSERT INTO one_time_links (hash, user_id, purpose, created_at, expires_at) \
        SELECT $1, one.id, 'set_up', 0, $2 FROM (SELECT id FROM live_users ORDER BY id LIMIT 1) one";
    LATE = "UPDATE one_time_links SET expires_at = 5";
    ROOT = "SELECT rootpage FROM sqlite_master WHERE name = 'external_users'";
    PAGE = "PRAGMA page_size";
}

/// From now on the database takes no writes, or takes them again: a full disk on SQLite, a replica on PostgreSQL.
async fn refuse_writes(db: &Database, refuse: bool) {
    match db.store.dialect() {
        Dialect::Sqlite => {
            let limit = if refuse { &FULL } else { &ROOMY };
            db.store.write(async |tx: &mut Tx| tx.one(limit, binds![], first::<i64>).await).await.unwrap();
        }
        Dialect::Postgres => {
            let word =
                if refuse { "SET default_transaction_read_only = on" } else { "RESET default_transaction_read_only" };
            db.on_the_server(&format!(
                "BEGIN READ WRITE; \
                 DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {word}', current_database()); END $$; COMMIT"
            ))
            .await;
            db.cut_off().await;
        }
    }
}

/// The same, where a limit has been forgotten.
async fn refuse_writes_still(db: &Database) {
    if db.store.dialect() == Dialect::Sqlite {
        refuse_writes(db, true).await;
    }
}

async fn ready(app: &App) -> Value {
    let answer = app.get("/readyz").await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn writes_are_taken_again(app: &App) {
    for _ in 0..200 {
        if app.get("/readyz?for=writes").await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("writes are never taken again");
}

fn words(ready: &Value) -> Vec<&str> {
    ready["degraded"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

on_both! {
    async fn a_server_that_works_is_ready_for_everything(db: &Database) {
        let app = App::start(db).await;
        let told = ready(&app).await;
        assert_eq!((&told["status"], words(&told)), (&json!("ready"), Vec::new()), "{told}");
        for purpose in ["reads", "writes"] {
            assert_eq!(app.get(&format!("/readyz?for={purpose}")).await.status(), 200);
        }
        assert_eq!(app.get("/readyz?for=everything").await.status(), 400);
        app.stop().await;
    }

    async fn refused_writes_are_told_and_reads_go_on(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| config.metrics.token = Some("figures".to_owned().into())).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida").await.id();
        refuse_writes(db, true).await;
        let mut refused = 0;
        for number in 0..40 {
            let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("u{number}"),
                "title": "x".repeat(500)});
            let answer = scim.post("/Users", body).await;
            assert!([201, 503].contains(&answer.status), "{answer:?}");
            refused += usize::from(answer.status == 503);
        }
        assert!(refused > 0, "nothing can be written");
        // For as long as it lasts, whatever is looked at in between.
        for _ in 0..3 {
            // A connection of SQLite that lost its transaction is opened anew, without the limit.
            refuse_writes_still(db).await;
            let told = ready(&app).await;
            assert!(words(&told).contains(&"writes"), "{told}");
            let writes = app.get("/readyz?for=writes").await;
            assert_eq!(writes.status(), 503);
            assert_eq!(app.get("/readyz?for=reads").await.status(), 200);
            assert_eq!(scim.get(&format!("/Users/{user}")).await.status, 200, "reads go on");
            tokio::time::sleep(Duration::from_millis(2_000)).await;
        }
        refuse_writes_still(db).await;
        let found = examine(&db.store).await.unwrap();
        assert!(found.iter().any(|told| told.starts_with("The database takes no writes")), "{found:?}");
        let figures = app.request(reqwest::Method::GET, "/metrics").bearer_auth("figures").send().await.unwrap();
        assert!(figures.text().await.unwrap().contains("rolecall_degraded{what=\"writes\"}"));
        refuse_writes(db, false).await;
        writes_are_taken_again(&app).await;
        assert!(!words(&ready(&app).await).contains(&"writes"));
        scim.user("again").await;
        app.stop().await;
    }

    async fn nobody_has_to_write_for_it_to_be_over(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        refuse_writes(db, true).await;
        for number in 0.. {
            let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": format!("{number} {}", "x".repeat(200))});
            let answer = scim.post("/Groups", body).await;
            assert!([201, 503].contains(&answer.status), "{answer:?}");
            if app.get("/readyz?for=writes").await.status() == 503 {
                break;
            }
            assert!(number < 400, "nothing tells that writes are refused");
        }
        refuse_writes(db, false).await;
        // A provider that is sent elsewhere writes nothing here: the server tries by itself.
        writes_are_taken_again(&app).await;
        app.stop().await;
    }

    async fn a_sealer_that_stands_still_is_told(db: &Database) {
        let ctx = Clock.ctx(Actor::System);
        let (partner, user): (PartnerId, UserId) = (ctx.id(), ctx.id());
        let event = Event::of(Kind::UserUpdated, user);
        db.store.write(async |tx| events::append(tx, &ctx, partner, std::slice::from_ref(&event)).await).await.unwrap();
        std::fs::create_dir_all(db.folder()).unwrap();
        let (log, _writer) = request_log::open(&db.url, &db.folder(), 1).await.unwrap();
        let health = Health::new();
        let mut look = Look::new(db.store.clone(), Clock, log).sealed_within(Duration::from_millis(50));
        look.turn(&health).await;
        assert_eq!(health.of(Trouble::Sealer), None, "it has its time");
        tokio::time::sleep(Duration::from_millis(100)).await;
        look.turn(&health).await;
        assert!(health.of(Trouble::Sealer).is_some_and(|told| told.contains("the feed and the audit stand still")));
        assert!(Trouble::Sealer.stops_writes() && !Trouble::Sealer.stops_reads());
        db.execute(&OLD, binds![]).await;
        let found = examine(&db.store).await.unwrap();
        assert!(found.iter().any(|told| told.starts_with("Events have waited 12")), "{found:?}");
        while events::seal(&db.store).await.unwrap() > 0 {}
        look.turn(&health).await;
        assert_eq!(health.of(Trouble::Sealer), None);
        assert_eq!(examine(&db.store).await.unwrap(), Vec::<String>::new());
    }

    async fn an_installation_that_nobody_can_enter_is_told(db: &Database) {
        let stage = Stage::open(db).await;
        stage.console.app.stop().await;
        let shut = async || {
            let found = examine(&db.store).await.unwrap();
            found.iter().any(|told| told.starts_with("Nobody can come in"))
        };
        for wound in [&NO_LINKS, &NO_SESSIONS, &NO_OIDC] {
            db.execute(wound, binds![]).await;
        }
        assert!(shut().await);
        db.execute(&OIDC, binds![]).await;
        assert!(!shut().await, "users come in by their provider");
        db.execute(&NO_OIDC, binds![]).await;
        db.execute(&LINK, binds![b"hash", i64::MAX]).await;
        assert!(!shut().await, "or by a link");
        db.execute(&LATE, binds![]).await;
        assert!(shut().await, "not by one that is over");
    }
}

/// Pages of a table are overwritten: whoever reads them is told that repeating does not help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_not_answered_as_if_it_passed() {
    let db = Database::sqlite().await;
    let world = World::new(&db.store).await;
    let app = App::start(&db).await;
    let scim = app.scim(&db, &world, world.connections[0]).await;
    for number in 0..30 {
        scim.user(&format!("u{number}")).await;
    }
    app.stop().await;
    let (root, size) = {
        let mut reader = db.store.reader().await.unwrap();
        let root: i64 = reader.one(&ROOT, binds![], first).await.unwrap();
        (root, reader.one(&PAGE, binds![], first::<i64>).await.unwrap())
    };
    db.store.close().await;
    let path = db.url.strip_prefix("sqlite:").unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let from = usize::try_from((root - 1) * size).unwrap();
    bytes[from..from + 64].fill(0x5a);
    std::fs::write(path, bytes).unwrap();

    let store = store::open(&db.url, &Options::default()).await.unwrap();
    let app = App::start_on(&db, store.clone(), |_| ()).await;
    let scim = scim.at(&app);
    let answers = [
        scim.get("/Users").await,
        scim.get("/Users?filter=title%20pr").await,
        scim.post("/Users", json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "new"}))
            .await,
    ];
    for answer in answers {
        answer.refused(500, "");
        assert!(answer.body["detail"].as_str().unwrap().contains("repeating the request does not help"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), "");
    }
    assert_eq!(words(&ready(&app).await), ["damage"]);
    assert_eq!(app.get("/readyz?for=writes").await.status(), 503);
    let found = examine(&store).await.unwrap();
    assert!(found.iter().any(|told| told.starts_with("The database is damaged")), "{found:?}");
    app.stop().await;
    store.close().await;
    db.remove().await;
}

/// Whatever flipped bit SQLite itself finds, `doctor` names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_that_the_database_finds_is_named() {
    let db = Database::sqlite().await;
    let world = World::new(&db.store).await;
    let app = App::start(&db).await;
    let scim = app.scim(&db, &world, world.connections[0]).await;
    let mut users = Vec::new();
    for number in 0..60 {
        users.push(scim.user(&format!("user-{number}@harbor.example")).await.id());
    }
    let members: Vec<&str> = users.iter().map(String::as_str).collect();
    for number in 0..5 {
        scim.group(&format!("Group {number}"), &members).await;
    }
    app.stop().await;
    db.store.close().await;
    let whole = std::fs::read(db.url.strip_prefix("sqlite:").unwrap()).unwrap();
    let copy = db.folder().join("copy.db");
    let (mut found_by_sqlite, mut place) = (0, 0x1234_5678_u64);
    for _ in 0..120 {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = 4_096 + usize::try_from(place >> 33).unwrap() % (whole.len() - 4_096);
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (place >> 13 & 7);
        std::fs::write(&copy, bytes).unwrap();
        let mut connection = SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
        let told: Result<String, _> = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
        connection.close().await.unwrap();
        if told.is_ok_and(|told| told == "ok") {
            continue;
        }
        found_by_sqlite += 1;
        let options = Options { migrate: false, ..Options::default() };
        // One that cannot even be opened says so.
        let Ok(store) = store::open(&format!("sqlite:{}", copy.display()), &options).await else { continue };
        let found = examine(&store).await.unwrap();
        assert!(found.iter().any(|told| told.starts_with("The database is damaged")), "byte {at}: {found:?}");
        store.close().await;
    }
    assert!(found_by_sqlite >= 10, "{found_by_sqlite} flips were found: too few to tell");
    db.remove().await;
}

/// Where PostgreSQL has its extension for it, an index that lacks rows of its table is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_looks_through_its_indexes() {
    let db = Database::postgres().await;
    db.on_the_server("CREATE EXTENSION amcheck").await;
    assert_eq!(examine(&db.store).await.unwrap(), Vec::<String>::new());
    db.on_the_server(
        "CREATE TABLE note (number BIGINT PRIMARY KEY, word TEXT); CREATE INDEX note_word ON note (word); \
         UPDATE pg_index SET indisready = false WHERE indexrelid = 'note_word'::regclass",
    )
    .await;
    db.on_the_server("INSERT INTO note SELECT n, 'w' || n FROM generate_series(1, 50) n").await;
    db.on_the_server("UPDATE pg_index SET indisready = true WHERE indexrelid = 'note_word'::regclass").await;
    let found = examine(&db.store).await.unwrap();
    assert!(found.iter().any(|told| told.contains("note_word")), "{found:?}");
    db.remove().await;
}
