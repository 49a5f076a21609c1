//! Reads that share a trip to the database: each answer belongs to its question, whatever is taken away is gone at the
//! very next request, and nobody pays for a neighbour.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{SqlValue, Statement, Tx, tokens};
use rolecall::{binds, statements};
use tokio::io::AsyncWriteExt as _;

use crate::app::{App, Scim};
use crate::support::database::{Database, on_both};
use crate::support::world::World;

statements! {
    STATE = "UPDATE connections SET state = $2, version = version + 1 WHERE id = $1";
    SETTINGS = "UPDATE connections SET settings = $2, version = version + 1 WHERE id = $1";
    PARTNER = "UPDATE partners SET state = $2 WHERE id = $1";
}

/// A path, its status before and after the change, and how the change is made and undone.
type Change<'p> = (&'p str, (u16, u16), &'static Statement, Vec<SqlValue>, Vec<SqlValue>);

on_both! {
    async fn an_answer_belongs_to_its_connection_and_its_question(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let connections = [app.scim(db, &world, world.connections[0]).await, app.scim(db, &world, world.stranger).await];
        let mut known: [Vec<(String, String)>; 2] = Default::default();
        for number in 0..12 {
            for (connection, known) in connections.iter().zip(&mut known) {
                // Half of the names exist at both connections.
                let name = if number % 2 == 0 { format!("both{number}") } else { format!("own{number}-{}", connection.token) };
                known.push((connection.user(&name).await.id(), name));
            }
        }
        let (ours, theirs) = (connections[0].group("Ours", &[&known[0][0].0]).await.id(), connections[1].group("Theirs", &[]).await.id());
        let readers = (0..16).map(|reader: usize| {
            let (connections, known, ours, theirs) = (&connections, &known, &ours, &theirs);
            async move {
                for step in 0..30 {
                    let (at, which) = ((reader + step) % 2, (reader * 7 + step * 5) % 12);
                    let (id, name) = &known[at][which];
                    let (foreign, foreign_name) = &known[1 - at][which];
                    let one = connections[at].get(&format!("/Users/{id}")).await;
                    assert_eq!((one.status, one.body["id"].as_str(), one.body["userName"].as_str()), (200, Some(&**id), Some(&**name)));
                    let in_group = at == 0 && which == 0;
                    assert_eq!(one.body["groups"][0]["value"].as_str(), in_group.then_some(&**ours), "{one:?}");
                    connections[at].get(&format!("/Users/{foreign}")).await.refused(404, "");
                    let found = connections[at].get(&format!("/Users?filter=userName%20eq%20%22{}%22", name.to_uppercase())).await;
                    assert_eq!((found.body["totalResults"].as_i64(), found.body["Resources"][0]["id"].as_str()), (Some(1), Some(&**id)));
                    let none = connections[at].get(&format!("/Users?filter=userName+eq+%22{foreign_name}%22&cursor=")).await;
                    let shared = if which % 2 == 0 { Some(&**id) } else { None };
                    assert_eq!((none.status, none.body["Resources"][0]["id"].as_str()), (200, shared));
                    assert_eq!(connections[at].get(&format!("/Groups/{}", [ours, theirs][1 - at])).await.status, 404);
                }
            }
        });
        join_all(readers).await;
        app.stop().await;
    }
}

/// While many read at one server, another one takes rights away and gives them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_away_is_gone_for_those_who_read_at_another_server() {
    let db = Database::postgres().await;
    let world = World::new(&db.store).await;
    let first = App::start(&db).await;
    let (second, store) = App::second(&db).await;
    let (connection, at) = (world.connections[0], OperatorExtent::assume().at(world.partner));
    let there = first.scim(&db, &world, connection).await.at(&second);
    let path = format!("/Users/{}", there.user("ada").await.id());
    // The requests of a reader, each with what had been decided before it was sent.
    let read = async |scim: &Scim, path: &str, (open, shut): (u16, u16), taken: &AtomicBool, done: &AtomicBool| {
        while !done.load(Ordering::SeqCst) {
            let after = taken.load(Ordering::SeqCst);
            let status = scim.get(path).await.status;
            assert!(
                status == shut || (status == open && !after),
                "{path}: {status}, asked after it was taken: {after}"
            );
        }
    };
    let settings = |on: bool| format!("{{\"switches\": {{\"resource_types_enabled\": {on}}}}}");
    for round in 0..3 {
        let changes: [Change<'_>; 3] = [
            (
                &path,
                (200, 503),
                &STATE,
                binds![connection.connection(), "paused"],
                binds![connection.connection(), "active"],
            ),
            (&path, (200, 401), &PARTNER, binds![world.partner, "deleted"], binds![world.partner, "live"]),
            (
                "/Roles",
                (200, 404),
                &SETTINGS,
                binds![connection.connection(), settings(false)],
                binds![connection.connection(), settings(true)],
            ),
        ];
        for (path, answers, statement, take, give) in changes {
            db.execute(statement, give.clone()).await;
            assert_eq!(there.get(path).await.status, answers.0, "round {round}");
            let (taken, done) = (AtomicBool::new(false), AtomicBool::new(false));
            let readers = (0..16).map(|_| read(&there, path, answers, &taken, &done));
            let taking = async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                db.execute(statement, take).await;
                taken.store(true, Ordering::SeqCst);
                join_all((0..16).map(|_| there.get(path)))
                    .await
                    .iter()
                    .for_each(|answer| assert_eq!(answer.status, answers.1));
                done.store(true, Ordering::SeqCst);
            };
            futures_util::join!(join_all(readers), taking);
            db.execute(statement, give).await;
            assert_eq!(there.get(path).await.status, answers.0, "given back");
        }

        let brief = first.scim(&db, &world, connection).await.at(&second);
        assert_eq!(brief.get(&path).await.status, 200);
        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, connection.connection()).await.unwrap();
        let newest = listed.last().unwrap().clone();
        let (taken, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let readers = (0..16).map(|_| read(&brief, &path, (200, 401), &taken, &done));
        let taking = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            let revoke = async |tx: &mut Tx| tokens::revoke(tx, &at, newest.id, newest.created_at).await;
            db.store.write(revoke).await.unwrap();
            taken.store(true, Ordering::SeqCst);
            brief.get(&path).await.refused(401, "");
            done.store(true, Ordering::SeqCst);
        };
        futures_util::join!(join_all(readers), taking);
        assert_eq!(there.get(&path).await.status, 200, "its neighbour is not");
    }
    first.stop().await;
    second.stop().await;
    store.close().await;
    db.remove().await;
}

on_both! {
    async fn who_hangs_up_disturbs_nobody(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let id = scim.user("ada").await.id();
        let address = app.base.strip_prefix("http://").unwrap();
        let request = format!(
            "GET /scim/{}/v2/Users/{id} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n",
            world.connections[0].connection(), scim.token
        );
        let leavers = (0..4).map(|_| async {
            for _ in 0..25 {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
            }
        });
        let stayers = (0..8).map(|_| async {
            for _ in 0..25 {
                assert_eq!(scim.get(&format!("/Users/{id}")).await.id(), id);
            }
        });
        futures_util::join!(join_all(leavers), join_all(stayers));
        app.stop().await;
    }
}

/// Whoever asks while the database is away hears 503, and is served again once it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_everyone_is_told_and_afterwards_served() {
    let db = Database::postgres().await;
    let world = World::new(&db.store).await;
    let app = App::start(&db).await;
    let scim = app.scim(&db, &world, world.connections[0]).await;
    let id = scim.user("ada").await.id();
    let paths =
        [format!("/Users/{id}"), "/Users?filter=userName+eq+%22ada%22".to_owned(), "/Users?startIndex=1".to_owned()];
    let all = async || join_all(paths.iter().cycle().take(24).map(|path| scim.get(path))).await;
    assert!(all().await.iter().all(|answer| answer.status == 200));
    for _ in 0..2 {
        db.lock_out(true).await;
        for answer in all().await {
            answer.refused(503, "");
        }
        db.lock_out(false).await;
        assert!(all().await.iter().all(|answer| answer.status == 200));
    }
    // Connections that were cut while they rested are noticed before anyone hears of it.
    db.cut_off().await;
    assert_eq!(scim.get(&paths[0]).await.status, 200);
    app.stop().await;
    db.remove().await;
}
