//! Faults beside good writes: every acknowledged write is kept, every refused one leaves nothing, and nobody pays for a
//! neighbour.
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rolecall::store::{Dialect, Store, StoreError, Tx, first};
use rolecall::{binds, statements};
use tokio::sync::{Notify, oneshot};

use crate::support::database::{Database, on_both};

statements! {
    CREATE = "CREATE TABLE mark (number BIGINT PRIMARY KEY, owner BIGINT REFERENCES mark (number) DEFERRABLE INITIALLY DEFERRED)";
    MARK = "INSERT INTO mark (number) VALUES ($1)";
    ORPHAN = "INSERT INTO mark (number, owner) VALUES ($1, 777777)";
    MARK_OR_ROLL_BACK = "INSERT OR ROLLBACK INTO mark (number) VALUES ($1)";
    MARKS = "SELECT number FROM mark ORDER BY number";
    CREATE_FILLER = "CREATE TABLE filler (number BIGINT PRIMARY KEY, words TEXT)";
    FILL = "INSERT INTO filler (number, words) VALUES ($1, $2)";
    FILLED = "SELECT number FROM filler ORDER BY number";
    PAGES = "PRAGMA page_count";
    LIMIT = "PRAGMA max_page_count = 400";
    ENDLESS = "WITH RECURSIVE step (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < 2000000000) \
               SELECT COUNT(*) FROM step";
}

async fn table(store: &Store) {
    store.write(async |tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
}

async fn mark(tx: &mut Tx, number: i64) -> Result<(), StoreError> {
    tx.execute(&MARK, binds![number]).await.map(drop)
}

async fn marks(store: &Store) -> Vec<i64> {
    store.reader().await.unwrap().all(&MARKS, binds![], first).await.unwrap()
}

/// What closures may fail with.
#[derive(Debug, PartialEq)]
enum Failure {
    Mine,
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Runs write number 0 until writes 1 to `others` stand in line behind it, so that (on SQLite) all share one commit.
async fn together<T>(others: i64, write: impl AsyncFn(i64, Option<&Notify>) -> T) -> Vec<T> {
    let everyone_waits = Notify::new();
    let writes = (0..=others).map(|number| {
        let (write, everyone_waits) = (&write, &everyone_waits);
        async move {
            if number == others {
                everyone_waits.notify_one();
            }
            write(number, (number == 0).then_some(everyone_waits)).await
        }
    });
    join_all(writes).await
}

on_both! {
    async fn a_failing_closure_leaves_nothing_and_hurts_nobody(db: &Database) {
        table(&db.store).await;
        let outcomes = together(8, async |number, gate| {
            db.store
                .write(async |tx| {
                    mark(tx, number).await?;
                    if let Some(gate) = gate {
                        gate.notified().await;
                    }
                    if number % 3 == 1 { Err(Failure::Mine) } else { Ok(number) }
                })
                .await
        });
        let outcomes = outcomes.await;
        for (number, outcome) in (0..).zip(&outcomes) {
            let expected = if number % 3 == 1 { Err(Failure::Mine) } else { Ok(number) };
            assert_eq!(*outcome, expected);
        }
        assert_eq!(marks(&db.store).await, [0, 2, 3, 5, 6, 8]);
    }

    async fn a_panic_reaches_its_caller_only(db: &Database) {
        table(&db.store).await;
        let tasks: Vec<_> = (0..12_i64)
            .map(|number| {
                let store = db.store.clone();
                tokio::spawn(async move {
                    store
                        .write(async |tx| {
                            mark(tx, number).await?;
                            assert!(number % 4 != 2, "meant to happen");
                            Ok::<_, StoreError>(())
                        })
                        .await
                })
            })
            .collect();
        for (number, outcome) in (0..).zip(join_all(tasks).await) {
            match outcome {
                Ok(written) => assert_eq!((written, number % 4 == 2), (Ok(()), false)),
                Err(error) => assert!(error.is_panic() && number % 4 == 2),
            }
        }
        assert_eq!(marks(&db.store).await, [0, 1, 3, 4, 5, 7, 8, 9, 11]);
    }

    async fn a_caller_who_vanishes_inside_the_closure_is_undone(db: &Database) {
        table(&db.store).await;
        let (inside, reached) = oneshot::channel();
        let store = db.store.clone();
        let vanishing = tokio::spawn(async move {
            let inside = std::sync::Arc::new(std::sync::Mutex::new(Some(inside)));
            store
                .write(async |tx| {
                    mark(tx, 1).await?;
                    inside.lock().unwrap().take().unwrap().send(()).unwrap();
                    pending::<Result<(), StoreError>>().await
                })
                .await
        });
        reached.await.unwrap();
        let neighbours = join_all((2..6).map(|number| {
            let store = &db.store;
            async move { store.write(async |tx| mark(tx, number).await).await }
        }));
        let abort = async {
            tokio::task::yield_now().await;
            vanishing.abort();
        };
        let (written, ()) = tokio::join!(neighbours, abort);
        assert!(written.iter().all(Result::is_ok), "{written:?}");
        assert!(vanishing.await.unwrap_err().is_cancelled());
        assert_eq!(marks(&db.store).await, [2, 3, 4, 5]);
    }

    async fn a_failed_commit_fails_only_the_write_to_blame(db: &Database) {
        table(&db.store).await;
        let runs = AtomicUsize::new(0);
        let outcomes = together(6, async |number, gate| {
            db.store
                .write(async |tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    if let Some(gate) = gate.filter(|_| runs.load(Ordering::Relaxed) == 1) {
                        gate.notified().await;
                    }
                    let text = if number == 3 { &ORPHAN } else { &MARK };
                    tx.execute(text, binds![number]).await
                })
                .await
        });
        let outcomes = outcomes.await;
        for (number, outcome) in (0..).zip(&outcomes) {
            assert_eq!(outcome.is_ok(), number != 3, "{number}: {outcome:?}");
        }
        assert_eq!(marks(&db.store).await, [0, 1, 2, 4, 5, 6]);
        let expected = if db.store.dialect() == Dialect::Sqlite { 14 } else { 7 };
        assert_eq!(runs.into_inner(), expected, "on SQLite all shared the failed commit, and each was run once more alone");
        db.store.write(async |tx| mark(tx, 9).await).await.unwrap();
    }

    async fn an_error_passed_over_is_refused(db: &Database) {
        table(&db.store).await;
        let outcome = db.store.write(async |tx| {
            mark(tx, 1).await?;
            let _ = mark(tx, 1).await;
            assert_eq!(mark(tx, 2).await, Err(StoreError::Failed));
            Ok::<_, StoreError>(())
        });
        assert_eq!(outcome.await, Err(StoreError::Failed));
        assert!(marks(&db.store).await.is_empty());
    }

    async fn a_statement_nobody_waited_for_is_refused(db: &Database) {
        table(&db.store).await;
        let outcome = db.store.write(async |tx| {
            let given_up = tokio::time::timeout(Duration::ZERO, mark(tx, 1)).await;
            if given_up.is_ok() {
                return Err(Failure::Mine);
            }
            Ok(())
        });
        assert!(outcome.await.is_err());
        assert!(marks(&db.store).await.is_empty());
    }

    async fn store_calls_inside_a_write_are_refused(db: &Database) {
        table(&db.store).await;
        let outcome = db.store.write(async |tx| {
            mark(tx, 1).await?;
            let nested = db.store.write(async |tx| mark(tx, 2).await).await;
            let serializable = db.store.write_serializable(async |tx| mark(tx, 2).await).await;
            let reader = db.store.reader().await.map(drop);
            let snapshot = db.store.snapshot(async |_| Ok::<_, StoreError>(())).await;
            Ok::<_, StoreError>([nested, serializable, reader, snapshot])
        });
        assert_eq!(outcome.await, Ok([const { Err(StoreError::Nested) }; 4]));
        assert_eq!(marks(&db.store).await, [1]);
    }

    async fn attempts_keep_undo_and_nest(db: &Database) {
        table(&db.store).await;
        let outcome = db.store.write(async |tx| {
            mark(tx, 1).await?;
            let kept = tx.attempt(false, async |tx| mark(tx, 2).await).await;
            let refused = tx.attempt(false, async |tx| {
                mark(tx, 3).await?;
                mark(tx, 1).await
            });
            let refused = refused.await;
            let tried = tx.attempt(true, async |tx| {
                mark(tx, 4).await?;
                tx.all(&MARKS, binds![], first::<i64>).await
            });
            let tried = tried.await;
            let nested = tx.attempt(false, async |tx| {
                mark(tx, 5).await?;
                assert_eq!(tx.attempt(false, async |tx| mark(tx, 5).await).await.map_err(|_| ()), Err(()));
                let inner = tx.attempt(true, async |tx| mark(tx, 6).await).await;
                tx.attempt(false, async |tx| mark(tx, 7).await).await?;
                inner
            });
            let nested = nested.await;
            let own = tx.attempt(false, async |tx| {
                mark(tx, 8).await?;
                Err::<(), _>(Failure::Mine)
            });
            assert_eq!(own.await, Err(Failure::Mine));
            let swallowed = tx.attempt(false, async |tx| {
                mark(tx, 9).await?;
                let _ = mark(tx, 9).await;
                Ok::<_, StoreError>(())
            });
            assert_eq!(swallowed.await, Err(StoreError::Failed));
            Ok::<_, StoreError>((kept, refused.is_err(), tried, nested))
        });
        assert_eq!(outcome.await, Ok((Ok(()), true, Ok(vec![1, 2, 4]), Ok(()))));
        assert_eq!(marks(&db.store).await, [1, 2, 5, 7]);
    }

    async fn an_attempt_nobody_waited_for_is_refused(db: &Database) {
        table(&db.store).await;
        let outcome = db.store.write(async |tx| {
            mark(tx, 1).await?;
            let hanging = tx.attempt(false, async |tx| {
                mark(tx, 2).await?;
                pending::<Result<(), StoreError>>().await
            });
            tokio::time::timeout(Duration::from_millis(50), hanging).await.unwrap_err();
            mark(tx, 3).await
        });
        assert_eq!(outcome.await, Err(StoreError::Failed));
        assert!(marks(&db.store).await.is_empty());
    }

    async fn a_read_out_of_time_is_stopped(db: &Database) {
        // More of them than there are readers: each must come back.
        for _ in 0..12 {
            let outcome = db.store.snapshot_within(Duration::from_millis(30), async |reader| {
                reader.one(&ENDLESS, binds![], first::<i64>).await
            });
            assert_eq!(outcome.await, Err(StoreError::TooLong));
        }
        assert_eq!(db.store.ping().await, Ok(()));
    }
}

/// `INSERT OR ROLLBACK` makes SQLite drop the whole transaction, with everyone's accepted work in it.
#[tokio::test]
async fn a_transaction_dropped_by_sqlite_is_noticed() {
    let db = Database::sqlite().await;
    table(&db.store).await;
    db.store.write(async |tx| mark(tx, 100).await).await.unwrap();
    let runs = AtomicUsize::new(0);
    let outcomes = together(5, async |number, gate| {
        db.store
            .write(async |tx| {
                runs.fetch_add(1, Ordering::Relaxed);
                if let Some(gate) = gate.filter(|_| runs.load(Ordering::Relaxed) == 1) {
                    gate.notified().await;
                }
                if number == 3 {
                    let _ = tx.execute(&MARK_OR_ROLL_BACK, binds![100]).await;
                    return Ok(());
                }
                mark(tx, number).await
            })
            .await
    });
    let outcomes = outcomes.await;
    for (number, outcome) in (0..).zip(&outcomes) {
        assert_eq!(outcome.is_ok(), number != 3, "{number}: {outcome:?}");
    }
    assert_eq!(marks(&db.store).await, [0, 1, 2, 4, 5, 100]);
    assert_eq!(runs.into_inner(), 6 + 3, "those accepted before it were run once more");
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_exactly_what_was_acknowledged() {
    let db = Database::sqlite().await;
    db.store.write(async |tx| tx.execute(&CREATE_FILLER, binds![]).await).await.unwrap();
    let limit = db.store.write(async |tx| {
        assert!(tx.one(&PAGES, binds![], first::<i64>).await? < 350);
        tx.one(&LIMIT, binds![], first::<i64>).await
    });
    assert_eq!(limit.await.unwrap(), 400);
    let words = "w".repeat(20_000);
    let outcomes = join_all((0..200_i64).map(|number| {
        let (store, words) = (&db.store, &words);
        async move { store.write(async |tx| tx.execute(&FILL, binds![number, words]).await).await }
    }))
    .await;
    let acknowledged: Vec<i64> = (0..).zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(n, _)| n).collect();
    assert!(outcomes.contains(&Err(StoreError::Full)), "{outcomes:?}");
    let stored: Vec<i64> = db.store.reader().await.unwrap().all(&FILLED, binds![], first).await.unwrap();
    assert_eq!(stored, acknowledged);
    db.remove().await;
}
