//! Runs beside each other: a directory that holds its run up holds up nobody else, and no stop.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use rolecall::clock::Clock;
use rolecall::domain::id::{ConnectionId, DirectoryId, PartnerId};
use rolecall::jobs::schedule::{self, OF_A_PARTNER};
use rolecall::ldap::client::Guard;
use rolecall::ldap::run::SyncContext;
use rolecall::secret::Keyring;
use rolecall::store::runs::MOST_KEPT;
use rolecall::store::{Store, Tx, tuple};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};
use crate::support::peer::{Ask, Peer, Protection, Says, element, entry, message, paged, result};

statements! {
    DIRECTORY = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, created_at) \
        VALUES ($1, $2, 'LDAP', $3, 'authoritative', 1, 9, 1, 0)";
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, created_at, \
        updated_at) VALUES ($1, $2, 'ldap', $3, 'openldap', 'active', $4, 1, 0, 0)";
    RUNS = "SELECT c.slug, r.status FROM sync_runs r JOIN connections c ON c.id = r.connection_id ORDER BY c.slug, r.started_at";
    BREAK = "UPDATE connections SET settings = $2 WHERE slug = $1";
    SEALED = "UPDATE connections SET secret = $2 WHERE slug = $1";
    PAUSE = "UPDATE connections SET state = 'paused' WHERE slug = $1";
    MOVE = "UPDATE connections SET directory_id = $2 WHERE slug = $1";
    FREEZE = "UPDATE directories SET mode = 'paused' WHERE id = $1";
    OLD_RUN = "INSERT INTO sync_runs (id, connection_id, dry_run, status, started_at, finished_at, report) \
        SELECT $1, c.id, FALSE, 'failed', $3, $3, '{}' FROM connections c WHERE c.slug = $2";
    OLD_HELD = "INSERT INTO pending_changes (sync_run_id, ordinal, kind, stable_id, name, reason) VALUES ($1, 0, 'user', 's', 't', 'r')";
    RUN_IDS = "SELECT id FROM sync_runs";
    RUN = "SELECT 1 FROM sync_runs WHERE id = $1";
    REPORTS = "SELECT r.status, r.report FROM sync_runs r";
}

/// How a server holds a read up.
#[derive(Clone, Copy, Debug)]
enum Stuck {
    /// It never answers.
    Silent,
    /// It sends an answer now and then, and never the last.
    Dripping,
    /// The same, inside one message.
    InDrops,
}

async fn stuck(how: Stuck) -> Peer {
    Peer::start(Protection::Plain, move |ask| match how {
        Stuck::Silent => Says::Slowly(vec![0x30; 3], Duration::from_secs(3_600)),
        Stuck::Dripping => Says::Slowly(message(ask.id, &element(0x79, &[])).repeat(20_000), Duration::from_millis(20)),
        Stuck::InDrops => {
            let user = entry("uid=1,dc=x", &[("entryUUID", vec![vec![b'1'; 5_000]])]);
            Says::Slowly(message(ask.id, &user), Duration::from_millis(200))
        }
    })
    .await
}

/// A directory with nobody in it, read to its end at once.
async fn quick() -> Peer {
    Peer::start(Protection::Plain, |ask: Ask| Says::Bytes(message(ask.id, &[result(0x65, 0), paged(b"")].concat())))
        .await
}

fn config(peer: &Peer) -> String {
    json!({
        "urls": [peer.url],
        "security": "none",
        "users": {"bases": ["dc=x"]},
        "timeouts": {"connect": 5, "answer": 3_600, "read": 86_400},
        "every_minutes": 5,
    })
    .to_string()
}

async fn connect(store: &Store, directory: DirectoryId, slug: &str, peer: &Peer) {
    let (connection, config): (ConnectionId, _) = (ctx().id(), config(peer));
    let insert = async |tx: &mut Tx| tx.execute(&CONNECTION, binds![connection, directory, slug, &config]).await;
    store.write(insert).await.unwrap();
}

async fn directory(store: &Store, partner: PartnerId) -> DirectoryId {
    let id: DirectoryId = ctx().id();
    let insert = async |tx: &mut Tx| tx.execute(&DIRECTORY, binds![id, partner, b"ldap"]).await;
    store.write(insert).await.unwrap();
    id
}

async fn runs(store: &Store) -> Vec<(String, String)> {
    store.reader().await.unwrap().all(&RUNS, binds![], tuple).await.unwrap()
}

/// Waits until it is so, at most half a minute.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_both! {
    async fn a_stuck_directory_holds_up_nobody_else_and_the_stop_keeps_its_time(db: &Database) {
        let store = &db.store;
        let house = House::build(store, "http://127.0.0.1:1").await;
        let above = directory(store, house.top).await;
        let peers = [stuck(Stuck::Silent).await, stuck(Stuck::Dripping).await, stuck(Stuck::InDrops).await];
        let good = quick().await;
        for number in 0..OF_A_PARTNER + 2 {
            connect(store, house.directory, &format!("a-stuck-{number}"), &peers[number % peers.len()]).await;
        }
        connect(store, above, "quick", &good).await;

        let stopping = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&stopping);
        let keys = Arc::new(Keyring::parse(&"A".repeat(43), "the test").unwrap());
        let stop = Arc::new(move || watched.load(Ordering::Relaxed));
        let env = SyncContext { store: store.clone(), keys, clock: Clock, guard: Guard::new(|_| true), stop };
        let (tell, told) = tokio::sync::watch::channel(false);
        let schedule = schedule::start_every(Duration::from_millis(50), env, told);
        let done = |all: &[(String, String)]| all.iter().any(|(slug, status)| slug == "quick" && status != "running");
        until("the quick one runs beside the stuck ones", async || done(&runs(store).await)).await;
        let stuck = async || runs(store).await.into_iter().filter(|(slug, status)| slug != "quick" && status == "running").count();
        until("as many as a partner may have wait", async || stuck().await == OF_A_PARTNER).await;

        // Somebody who comes later runs all the same.
        connect(store, above, "late", &good).await;
        until("the late one runs", async || runs(store).await.iter().any(|(slug, status)| slug == "late" && status != "running")).await;
        assert_eq!(stuck().await, OF_A_PARTNER, "one partner has no more than its places");

        let began = Instant::now();
        stopping.store(true, Ordering::Relaxed);
        tell.send_replace(true);
        tokio::time::timeout(Duration::from_secs(5), schedule).await.expect("the stop waits for no directory").unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(stuck().await, 0, "each run is ended in its row");
        let reports: Vec<(String, String)> = store.reader().await.unwrap().all(&REPORTS, binds![], tuple).await.unwrap();
        let stopped = reports.iter().filter(|(status, report)| status == "failed" && report.contains("The server is stopping"));
        assert_eq!(stopped.count(), OF_A_PARTNER);
    }

    async fn a_run_that_cannot_begin_is_told_like_one_that_failed(db: &Database) {
        let store = &db.store;
        let house = House::build(store, "http://127.0.0.1:1").await;
        let app = App::start(db).await;
        let api = crate::support::api::Api::owner(&app, &house).await;
        let good = quick().await;
        for slug in ["a-settings", "b-secret", "c-paused", "d-frozen", "e-good", "f-unscheduled"] {
            connect(store, house.directory, slug, &good).await;
        }
        let own = directory(store, house.reseller).await;
        let broken = json!({"urls": 7, "every_minutes": 5}).to_string();
        let unscheduled = json!({"urls": 7}).to_string();
        for (statement, values) in [
            (&BREAK, binds!["a-settings", &broken]),
            (&BREAK, binds!["f-unscheduled", &unscheduled]),
            (&SEALED, binds!["b-secret", b"not sealed by any key"]),
            (&PAUSE, binds!["c-paused"]),
            (&MOVE, binds!["d-frozen", own]),
            (&FREEZE, binds![own]),
        ] {
            db.execute(statement, values).await;
        }
        let keys = Arc::new(Keyring::parse(&"A".repeat(43), "the test").unwrap());
        let env = SyncContext { store: store.clone(), keys, clock: Clock, guard: Guard::new(|_| true), stop: Arc::new(|| false) };
        let (tell, told) = tokio::sync::watch::channel(false);
        let schedule = schedule::start_every(Duration::from_millis(50), env.clone(), told);
        let of = async |slug: &str| -> Vec<String> {
            runs(store).await.into_iter().filter(|(other, _)| other == slug).map(|(_, status)| status).collect()
        };
        until("the schedule tries them", async || {
            !of("a-settings").await.is_empty() && !of("b-secret").await.is_empty() && of("e-good").await.iter().any(|status| status != "running")
        })
        .await;
        // It looked many times by now, and told it once: the next try is due when a run would be.
        tell.send_replace(true);
        schedule.await.unwrap();
        assert_eq!((of("a-settings").await, of("b-secret").await), (vec!["failed".to_owned()], vec!["failed".to_owned()]));
        assert_eq!(of("f-unscheduled").await, Vec::<String>::new());
        // Whoever asks is told, and so is who looks at the connection; a dry run leaves nothing.
        for (slug, part) in [("a-settings", "cannot be read"), ("b-secret", "cannot be opened"), ("c-paused", "is paused"), ("d-frozen", "is paused")] {
            let path = format!("/connections/{slug}/sync-runs");
            for _ in 0..3 {
                crate::support::api::problem(&api.post(&path, json!({})).await, 409, part);
            }
            let listed = api.get(&format!("/connections/{slug}/sync-runs")).await;
            let lines = listed.body["items"].as_array().unwrap();
            assert_eq!(lines.len(), 1, "{slug}: the same within a minute is one line: {listed:?}");
            let failure = lines[0]["error"].as_str().unwrap();
            assert!(failure.starts_with("It did not begin") && failure.contains(part), "{slug}: {failure}");
            assert_eq!(lines[0]["status"], "failed");
        }
        app.stop().await;
    }

    async fn so_many_runs_are_kept(db: &Database) {
        let store = &db.store;
        let house = House::build(store, "http://127.0.0.1:1").await;
        let good = quick().await;
        connect(store, house.directory, "ldap", &good).await;
        let keys = Arc::new(Keyring::parse(&"A".repeat(43), "the test").unwrap());
        let env = SyncContext { store: store.clone(), keys, clock: Clock, guard: Guard::new(|_| true), stop: Arc::new(|| false) };
        let run = async || rolecall::ldap::run::start(&env, "ldap", Default::default()).await.unwrap().run;
        let first = run().await;
        let long_ago: Vec<_> = (0..i64::from(MOST_KEPT) + 50)
            .map(|at| { let id: rolecall::domain::id::RunId = ctx().id(); binds![id, "ldap", at] })
            .collect();
        let held: Vec<_> = long_ago.iter().map(|row| vec![row[0].clone()]).collect();
        let written: Result<_, rolecall::store::StoreError> = store.write(async |tx: &mut Tx| {
            for row in &long_ago {
                tx.execute(&OLD_RUN, row.clone()).await?;
            }
            for row in held.iter().take(20) {
                tx.execute(&OLD_HELD, row.clone()).await?;
            }
            Ok(())
        }).await;
        written.unwrap();
        let last = run().await;
        let all: Vec<rolecall::domain::id::RunId> = store.reader().await.unwrap().all(&RUN_IDS, binds![], rolecall::store::first).await.unwrap();
        assert!(all.len() <= usize::try_from(MOST_KEPT).unwrap() + 3, "{}", all.len());
        assert!(all.contains(&first) && all.contains(&last), "the newest stay");
        let oldest = long_ago[0][0].clone();
        let there = store.reader().await.unwrap().optional(&RUN, vec![oldest], |_| Ok(())).await.unwrap();
        assert!(there.is_none(), "the oldest went, with what it held");
    }

    async fn a_server_stops_in_time_whatever_it_waits_for(db: &Database) {
        let house = House::build(&db.store, "http://127.0.0.1:1").await;
        let (_, owner) = house.api_token(house.owner, house.top).await;
        let peer = stuck(Stuck::Silent).await;
        for slug in ["one", "two", "three"] {
            connect(&db.store, house.directory, slug, &peer).await;
        }
        let mut app = App::start_with(db, |config| {
            config.outbound.allow_loopback = true;
            config.server.shutdown_timeout_seconds = 3;
        })
        .await;
        let begin = |slug: &str, what: &str, body: Json| {
            app.request(Method::POST, &format!("/api/v1/connections/{slug}/{what}")).bearer_auth(&owner).json(&body).send()
        };
        let unwaited = begin("one", "sync-runs", json!({"wait": false})).await.unwrap();
        assert_eq!(unwaited.status(), 202);
        let waiting = tokio::spawn(begin("two", "sync-runs", json!({"wait": true})));
        let testing = tokio::spawn(begin("three", "test", json!({})));
        until("two runs wait", async || runs(&db.store).await.len() == 2).await;
        // Work that never ends by itself, as of a job whose database has fallen silent.
        app.running.add_task(tokio::spawn(std::future::pending()));

        let began = Instant::now();
        tokio::time::timeout(Duration::from_secs(15), app.stop()).await.expect("the stop ends");
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        let report: Json = waiting.await.unwrap().expect("who waits is answered").json().await.unwrap();
        assert_eq!(report["status"], "failed", "{report}");
        assert!(report["failure"].as_str().unwrap().contains("The server is stopping"), "{report}");
        drop(testing.await.unwrap());
        assert!(runs(&db.store).await.iter().all(|(_, status)| status == "failed"));
    }
}
