//! Many writers at once, some failing, some panicking, some vanishing at any moment; and writers of the same row.
use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use rolecall::store::{Dialect, Store, StoreError, first, tuple};
use rolecall::{binds, statements};
use tokio::sync::Notify;

use crate::support::database::on_both;

statements! {
    CREATE = "CREATE TABLE pair (number BIGINT NOT NULL, half BIGINT NOT NULL, PRIMARY KEY (number, half))";
    HALF = "INSERT INTO pair (number, half) VALUES ($1, $2)";
    PAIRS = "SELECT number, COUNT(*) FROM pair GROUP BY number ORDER BY number";
    CREATE_TALLY = "CREATE TABLE tally (id BIGINT PRIMARY KEY, sum BIGINT NOT NULL)";
    START_TALLY = "INSERT INTO tally (id, sum) VALUES (1, 0)";
    TALLY = "SELECT sum FROM tally WHERE id = 1";
    LOCK_TALLY(dialect) = format!("SELECT sum FROM tally WHERE id = 1 {}", dialect.for_update());
    SET_TALLY = "UPDATE tally SET sum = $1 WHERE id = 1";
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What a caller knows of its write in the end.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Known {
    Acknowledged,
    Refused,
    /// It stopped waiting.
    Nothing,
}

#[derive(Clone, Copy)]
enum Fate {
    Good,
    Fails,
    Repeats,
    Panics,
    Vanishes(Duration),
}

async fn write_pair(store: &Store, number: i64, fate: Fate) -> Known {
    let work = store.write(async |tx| {
        tx.execute(&HALF, binds![number, 1]).await?;
        match fate {
            Fate::Fails => return Err(StoreError::NotFound),
            Fate::Repeats => drop(tx.execute(&HALF, binds![number, 1]).await?),
            Fate::Panics => panic!("meant to happen"),
            Fate::Good | Fate::Vanishes(_) => {}
        }
        tx.execute(&HALF, binds![number, 2]).await
    });
    let outcome = match fate {
        Fate::Vanishes(after) => tokio::time::timeout(after, work).await.ok(),
        _ => Some(work.await),
    };
    match outcome {
        Some(Ok(_)) => Known::Acknowledged,
        Some(Err(_)) => Known::Refused,
        None => Known::Nothing,
    }
}

on_both! {
    async fn what_was_acknowledged_is_stored_and_what_was_refused_is_not(db: &Database) {
        let sqlite = db.store.dialect() == Dialect::Sqlite;
        let (tasks, writes) = if sqlite { (64, 60) } else { (24, 20) };
        db.store.write(async |tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
        let tasks = (0..tasks).map(|task: u64| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut dice = Dice(task);
                let mut known = Vec::new();
                for write in 0..writes {
                    let number = i64::try_from(task * writes + write).unwrap();
                    let fate = match dice.roll(10) {
                        0 => Fate::Fails,
                        1 => Fate::Repeats,
                        2 => Fate::Panics,
                        3 | 4 => Fate::Vanishes(Duration::from_micros(dice.roll(20_000))),
                        _ => Fate::Good,
                    };
                    let store = store.clone();
                    let outcome = tokio::spawn(async move { write_pair(&store, number, fate).await }).await;
                    known.push((number, outcome.unwrap_or(Known::Refused)));
                }
                known
            })
        });
        let known: Vec<(i64, Known)> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
        // Whatever was accepted before this write is decided once this one is acknowledged.
        assert_eq!(write_pair(&db.store, -1, Fate::Good).await, Known::Acknowledged);

        let pairs = db.store.reader().await.unwrap().all(&PAIRS, binds![], tuple::<(i64, i64)>).await.unwrap();
        assert!(pairs.iter().all(|(_, halves)| *halves == 2), "half a write is stored");
        let stored: BTreeSet<i64> = pairs.into_iter().map(|(number, _)| number).collect();
        for (number, known) in &known {
            match known {
                Known::Acknowledged => assert!(stored.contains(number), "{number} was acknowledged and is lost"),
                Known::Refused => assert!(!stored.contains(number), "{number} was refused and is stored"),
                Known::Nothing => {}
            }
        }
        let count = |wanted| known.iter().filter(|(_, known)| *known == wanted).count();
        assert!(count(Known::Acknowledged) > known.len() / 3 && count(Known::Nothing) > 0);
    }

    async fn writers_of_one_row_lose_nothing(db: &Database) {
        let start = db.store.write(async |tx| {
            tx.execute(&CREATE_TALLY, binds![]).await?;
            tx.execute(&START_TALLY, binds![]).await
        });
        start.await.unwrap();
        let store = &db.store;
        let serializable = join_all((0..12).map(|_| async move {
            store
                .write_serializable(async |tx| {
                    let sum: i64 = tx.one(&TALLY, binds![], first).await?;
                    tx.execute(&SET_TALLY, binds![sum + 1]).await
                })
                .await
        }));
        let locking = join_all((0..12).map(|_| async move {
            store
                .write(async |tx| {
                    let sum: i64 = tx.one(&LOCK_TALLY, binds![], first).await?;
                    tx.execute(&SET_TALLY, binds![sum + 1]).await
                })
                .await
        }));
        let (one, two) = tokio::join!(serializable, locking);
        let acknowledged = one.iter().chain(&two).filter(|outcome| outcome.is_ok()).count();
        let sum: i64 = store.reader().await.unwrap().one(&TALLY, binds![], first).await.unwrap();
        assert_eq!(sum, i64::try_from(acknowledged).unwrap());
        assert_eq!(acknowledged, 24, "{one:?} {two:?}");
    }

    async fn whoever_writes_while_the_store_closes_is_answered(db: &Database) {
        db.store.write(async |tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
        let mut acknowledged = Vec::new();
        for round in 0..12 {
            let store = db.open_again().await.unwrap();
            let wrote = Notify::new();
            let writers = (0..80).map(|writer: i64| {
                let (store, wrote) = (&store, &wrote);
                async move {
                    let mut numbers = (0..).map(|write| round * 1_000_000 + writer * 1_000 + write);
                    let mut known = Vec::new();
                    while let Some(number) = numbers.next()
                        && write_pair(store, number, Fate::Good).await == Known::Acknowledged
                    {
                        known.push(number);
                        wrote.notify_one();
                    }
                    known
                }
            });
            let closing = async {
                wrote.notified().await;
                store.close().await;
            };
            let all = async { tokio::join!(join_all(writers), closing).0 };
            let known = tokio::time::timeout(Duration::from_secs(30), all).await.expect("somebody hears nothing");
            acknowledged.extend(known.into_iter().flatten());
        }
        let store = db.open_again().await.unwrap();
        let pairs = store.reader().await.unwrap().all(&PAIRS, binds![], tuple::<(i64, i64)>).await.unwrap();
        store.close().await;
        acknowledged.sort_unstable();
        assert_eq!(pairs, acknowledged.into_iter().map(|number| (number, 2)).collect::<Vec<_>>());
    }
}
