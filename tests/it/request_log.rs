//! The log of requests: nothing of a flood is lost, a search goes through all of it page by page, and what is old goes.
use std::time::Duration;

use rolecall::domain::time::Timestamp;
use rolecall::store::extent::ConnectionExtent;
use rolecall::store::request_log::{self, LoggedBody, RequestLog, RequestLogEntry};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;
use uuid::Uuid;

use crate::app::App;
use crate::support::database::{Database, on_both};
use crate::support::world::World;

/// More than a search looks at in one go, and than is written in one transaction.
const MANY: usize = 1_300;

fn entry(number: usize) -> RequestLogEntry {
    RequestLogEntry {
        request_id: format!("request-{number}"),
        at: Timestamp::from_micros(1_000_000 + number as i64 / 3),
        token: None,
        client_address: "127.0.0.1".to_owned(),
        method: "POST".to_owned(),
        path: "/Users".to_owned(),
        request: LoggedBody::of(
            &json!({"userName": format!("{}{number}", if number.is_multiple_of(7) { "Åsa" } else { "bo" })}),
        ),
        normalizations: Vec::new(),
        effect: json!({"attributes": ["userName"], "number": number}),
        dry_run: false,
        status: 201,
        error: None,
        duration_us: 1,
    }
}

/// Every page of what contains `search`, newest first, so many at a time.
async fn pages(log: &RequestLog, connection: &ConnectionExtent, search: &str, count: usize) -> Vec<RequestLogEntry> {
    let (mut all, mut place) = (Vec::new(), None);
    loop {
        let (page, next) = log.page(connection, search, place, count).await.unwrap();
        assert!(page.len() <= count);
        all.extend(page);
        place = next;
        if place.is_none() {
            return all;
        }
    }
}

on_both! {
    async fn what_came_in_a_flood_is_found_page_by_page(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let (log, [connection, other]) = (&app.running.app().request_log, world.connections);
        let written: Vec<RequestLogEntry> = (0..MANY).map(entry).collect();
        for (number, entry) in written.iter().enumerate() {
            log.record(connection.connection(), Uuid::from_u128(number as u128), entry);
        }
        log.record(other.connection(), Uuid::max(), &entry(0));
        let mut all = Vec::new();
        for _ in 0..300 {
            all = pages(log, &connection, "", 100).await;
            if all.len() == MANY && !pages(log, &other, "", 1).await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(log.dropped(), 0);
        assert!(all.iter().eq(written.iter().rev()), "each once, the newest first");

        let wanted = |entry: &&RequestLogEntry| entry.request.as_ref().is_some_and(|body| body.text().contains("Åsa"));
        for count in [1, 7, 50, 1_000] {
            let found = pages(log, &connection, " åSA", count).await;
            assert!(found.iter().eq(written.iter().rev().filter(wanted)), "{count} a page");
        }
        assert_eq!(pages(log, &connection, "\"number\":1299", 5).await.len(), 1, "what it did is searched too");
        assert!(pages(log, &connection, "50% of_it", 5).await.is_empty(), "no wildcards");
        assert_eq!(pages(log, &other, "åsa", 5).await.len(), 1);
        app.stop().await;
    }

    async fn what_is_old_goes_and_the_rest_stays(db: &Database) {
        let world = World::new(&db.store).await;
        std::fs::create_dir_all(db.folder()).unwrap();
        let (now, day) = (Timestamp::from_micros(1_700_000_000_000_000), 86_400_000_000);
        let (log, writer) = request_log::open(&db.url, &db.folder(), 2).await.unwrap();
        // More at one connection than go in one go, and a connection where nothing is old.
        let ages = [(world.connections[0], vec![(1_100, 3), (40, 1)]), (world.connections[1], vec![(7, 1)]), (world.stranger, vec![(3, 9)])];
        for (connection, ages) in &ages {
            for (number, (count, days)) in ages.iter().flat_map(|age| std::iter::repeat_n(age, age.0)).enumerate() {
                let at = Timestamp::from_micros(now.micros() - days * day + number as i64);
                log.record(connection.connection(), Uuid::from_u128(number as u128), &RequestLogEntry { at, ..entry(*count) });
            }
        }
        let (stop, told) = watch::channel(true);
        writer.run(|| std::future::ready(Some(Timestamp::from_micros(0))), told).await;
        let left = async |log: &RequestLog| {
            let mut left = Vec::new();
            for (connection, _) in &ages {
                left.push(pages(log, connection, "", 500).await.len());
            }
            left
        };
        assert_eq!(left(&log).await, [1_140, 7, 3]);

        let (log, writer) = request_log::open(&db.url, &db.folder(), 2).await.unwrap();
        stop.send_replace(false);
        let sweeper = tokio::spawn(writer.run(move || std::future::ready(Some(now)), stop.subscribe()));
        for _ in 0..300 {
            if left(&log).await == [40, 7, 0] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.send_replace(true);
        sweeper.await.unwrap();
        assert_eq!(left(&log).await, [40, 7, 0]);
    }
}

/// How many entries a connection has, once it has as many as are awaited, or after a while.
async fn awaited(log: &RequestLog, connection: &ConnectionExtent, wanted: usize) -> usize {
    let mut found = 0;
    for _ in 0..400 {
        found = pages(log, connection, "", 500).await.len();
        if found == wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    found
}

/// Another process holds the file for longer than anybody waits: what came meanwhile is there when that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_file_cannot_be_written() {
    let db = Database::sqlite().await;
    let world = World::new(&db.store).await;
    let connection = world.connections[0];
    let (log, writer) = request_log::open(&db.url, &db.folder(), 9).await.unwrap();
    let (stop, told) = watch::channel(false);
    let writing = tokio::spawn(writer.run(|| std::future::ready(Some(Timestamp::from_micros(0))), told));
    log.record(connection.connection(), Uuid::from_u128(0), &entry(0));
    assert_eq!(awaited(&log, &connection, 1).await, 1);
    let file = SqliteConnectOptions::new().filename(db.folder().join("log.db"));
    let mut other = file.connect().await.unwrap();
    // Longer than a writer waits for a lock, which it may do twice: it also forgets what is old.
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    for number in 1..300 {
        log.record(connection.connection(), Uuid::from_u128(number), &entry(number as usize));
    }
    let mut failing = false;
    for _ in 0..600 {
        failing = log.is_failing();
        if failing {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(failing, "it is told that entries wait");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(awaited(&log, &connection, 300).await, 300);
    assert_eq!((log.dropped(), log.is_failing()), (0, false));
    other.close().await.unwrap();
    stop.send_replace(true);
    writing.await.unwrap();
    db.remove().await;
}

/// The same while nobody can connect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_database_takes_no_writes() {
    let db = Database::postgres().await;
    let world = World::new(&db.store).await;
    let connection = world.connections[0];
    std::fs::create_dir_all(db.folder()).unwrap();
    let (log, writer) = request_log::open(&db.url, &db.folder(), 9).await.unwrap();
    let (stop, told) = watch::channel(false);
    let writing = tokio::spawn(writer.run(|| std::future::ready(Some(Timestamp::from_micros(0))), told));
    db.lock_out(true).await;
    for number in 0..300 {
        log.record(connection.connection(), Uuid::from_u128(number), &entry(number as usize));
    }
    let mut failing = false;
    for _ in 0..400 {
        failing = log.is_failing();
        if failing {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(failing, "it is told that entries wait");
    db.lock_out(false).await;
    assert_eq!(awaited(&log, &connection, 300).await, 300);
    assert_eq!((log.dropped(), log.is_failing()), (0, false));
    stop.send_replace(true);
    writing.await.unwrap();
    db.remove().await;
}

/// What SQLite finds wrong with the file of the log, `doctor` tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_the_log_is_told() {
    let db = Database::sqlite().await;
    let world = World::new(&db.store).await;
    let folder = db.folder();
    std::fs::create_dir_all(&folder).unwrap();
    assert_eq!(request_log::examine(&folder).await.unwrap(), Vec::<String>::new(), "no file is no damage");
    let (log, writer) = request_log::open(&db.url, &folder, 2).await.unwrap();
    for number in 0..2_000 {
        log.record(world.connections[0].connection(), Uuid::from_u128(number), &entry(3));
    }
    let (_stop, told) = watch::channel(true);
    writer.run(|| std::future::ready(Some(Timestamp::from_micros(0))), told).await;
    drop(log);
    let told = rolecall::jobs::doctor::told(&db.store, &folder, None).await.unwrap();
    assert!(!told.findings.iter().any(|line| line.contains("log.db")), "{told:?}");
    // Everything that is still beside the file goes into it; then its middle is written over.
    let path = folder.join("log.db");
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let (from, to) = (bytes.len() / 3, bytes.len() / 3 + 40_960);
    bytes[from..to].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let told = rolecall::jobs::doctor::told(&db.store, &folder, None).await.unwrap();
    assert!(told.findings.iter().any(|line| line.contains("log.db")), "{told:?}");
    db.remove().await;
}

/// Nothing is old while it is not known what time it is.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_while_the_time_is_not_known() {
    let db = Database::sqlite().await;
    let world = World::new(&db.store).await;
    std::fs::create_dir_all(db.folder()).unwrap();
    let (log, writer) = request_log::open(&db.url, &db.folder(), 2).await.unwrap();
    log.record(world.connections[0].connection(), Uuid::from_u128(1), &entry(3));
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (counted, (stop, told)) = (std::sync::Arc::clone(&asked), watch::channel(false));
    let writing = tokio::spawn(writer.run(
        move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::future::ready(None)
        },
        told,
    ));
    assert_eq!(awaited(&log, &world.connections[0], 1).await, 1);
    for _ in 0..400 {
        if asked.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(asked.load(std::sync::atomic::Ordering::Relaxed) > 0, "it is asked what is old");
    stop.send_replace(true);
    writing.await.unwrap();
    assert_eq!(pages(&log, &world.connections[0], "", 10).await.len(), 1);
    db.remove().await;
}
