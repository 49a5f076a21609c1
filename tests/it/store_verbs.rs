//! The verbs: values in, rows out, many rows, attempts.
use std::time::Duration;

use rolecall::domain::id::{Id as _, PartnerId, UserId};
use rolecall::domain::time::Timestamp;
use rolecall::store::{Dialect, Store, StoreError, Tx, UniqueIndex, constraint, first, tuple};
use rolecall::{binds, from_row, statements};
use uuid::Uuid;

use crate::support::database::on_both;

statements! {
    CREATE = "CREATE TABLE sample (id UUID PRIMARY KEY, truth BOOLEAN, number BIGINT, words TEXT, bytes BYTEA)";
    INSERT = "INSERT INTO sample (id, truth, number, words, bytes) VALUES ($1, $2, $3, $4, $5)";
    INSERT_MANY: rows = "INSERT INTO sample (id, truth, number, words, bytes) VALUES ($1, $2, $3, $4, $5)";
    LATER: insert[Uuid, Bool, I64, Text, Bytes] = "INSERT INTO sample (id, truth, number, words, bytes) \
        VALUES ($1, $2, $3, $4, $5)";
    BY_ID = "SELECT id, truth, number, words, bytes FROM sample WHERE id = $1";
    COUNT = "SELECT COUNT(*) FROM sample";
    NUMBERS = "SELECT number FROM sample ORDER BY number";
    PAIRS = "SELECT number, words FROM sample WHERE number < $1 ORDER BY number";
    AMONG: set = "SELECT number FROM sample WHERE words = $1 AND id IN ($2)";
    WITH_IDS: set = "SELECT number FROM sample WHERE id IN ($1)";
    DELETE_AMONG: set = "DELETE FROM sample WHERE id IN ($1)";
    INSERT_RETURNING = "INSERT INTO sample (id, number) VALUES ($1, $2) RETURNING number";
    KNOWN_ROWS = "SELECT CAST(reltuples AS BIGINT) FROM pg_class WHERE relname = 'sample' \
        AND relnamespace = current_schema()::regnamespace";
    LEVEL = "INSERT INTO levels (id, ordinal, name, title) VALUES (1, 1, 'reseller', 'Reseller')";
    PARTNER = "INSERT INTO partners (id, external_id, name, sort_key, kind, level_id, state, version, authority_version, \
               created_at, updated_at, parent_id) VALUES ($1, $2, 'x', $3, 'company', 1, 'live', 1, 1, 0, 0, $4)";
    ORPHAN = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) VALUES ($1, $2, 0)";
    WRONG_STATE = "UPDATE partners SET state = 'asleep'";
    KEYS(dialect) = format!(
        "SELECT COUNT(*) FROM sample WHERE EXISTS (SELECT 1 FROM {} WHERE mail.value = $1) AND {} = $2 AND {} > $3",
        dialect.json_each("words", &["emails"], "mail"),
        dialect.json_text("words", &["urn:x:User", "dept's"]),
        dialect.json_integer("words", &["age"]),
    );
}

#[derive(PartialEq, Debug, Clone)]
struct Sample {
    id: UserId,
    truth: Option<bool>,
    number: Option<Timestamp>,
    words: Option<String>,
    bytes: Option<Vec<u8>>,
}

from_row!(Sample { id, truth, number, words, bytes });

fn id(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn sample(number: i64) -> Sample {
    Sample {
        id: id(u128::try_from(number).unwrap()),
        truth: Some(number % 2 == 0),
        number: Some(Timestamp::from_micros(number)),
        words: Some(format!("{{\"n\":{number}}}")),
        bytes: Some(vec![0, 255, 7]),
    }
}

fn values(row: &Sample) -> Vec<rolecall::store::SqlValue> {
    binds![row.id, row.truth, row.number, &row.words, &row.bytes]
}

async fn table(store: &Store) {
    store.write(async |tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
}

async fn insert(tx: &mut Tx, number: i64) -> Result<(), StoreError> {
    tx.execute(&INSERT, values(&sample(number))).await.map(drop)
}

async fn count(store: &Store) -> i64 {
    store.reader().await.unwrap().one(&COUNT, binds![], first).await.unwrap()
}

on_both! {
    async fn values_come_back_as_they_went_in(db: &Database) {
        table(&db.store).await;
        let full = sample(1);
        let empty = Sample { id: id(2), truth: None, number: None, words: None, bytes: None };
        for row in [&full, &empty] {
            db.store.write(async |tx| tx.execute(&INSERT, values(row)).await).await.unwrap();
            let read = db.store.reader().await.unwrap().one(&BY_ID, binds![row.id], tuple::<Sample>).await;
            assert_eq!(read.unwrap(), *row);
        }
        let (full, empty) = (Sample { id: id(4), ..full }, Sample { id: id(5), ..empty });
        db.store.write(async |tx| tx.later(&LATER, [values(&full), values(&empty)]).await).await.unwrap();
        for row in [&full, &empty] {
            let read = db.store.reader().await.unwrap().one(&BY_ID, binds![row.id], tuple::<Sample>).await;
            assert_eq!(read.unwrap(), *row);
        }
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(reader.optional(&BY_ID, binds![id(3)], tuple::<Sample>).await.unwrap(), None);
        assert_eq!(reader.one(&BY_ID, binds![id(3)], tuple::<Sample>).await, Err(StoreError::NotFound));
        let null = reader.one(&BY_ID, binds![id(2)], |row| row.get::<i64>("number")).await;
        assert_eq!(null, Err(StoreError::Decode("number".to_owned())), "NULL is not zero");
    }

    async fn a_wrong_number_of_values_is_refused(db: &Database) {
        table(&db.store).await;
        let short = db.store.write(async |tx| tx.execute(&INSERT, binds![id(1), true]).await).await;
        assert!(matches!(short, Err(StoreError::Binds(_))), "{short:?}");
        assert_eq!(count(&db.store).await, 0);
    }

    async fn a_repeated_key_is_told_apart(db: &Database) {
        table(&db.store).await;
        db.store.write(async |tx| insert(tx, 1).await).await.unwrap();
        let again = db.store.write(async |tx| insert(tx, 1).await).await;
        assert_eq!(again, Err(StoreError::Unique(UniqueIndex::OTHER)));
    }

    async fn a_violated_index_has_the_same_name_on_both(db: &Database) {
        let partner = async |number: u128, name: &str, above: Option<u128>| {
            let above = above.map(|above| PartnerId::from_uuid(Uuid::from_u128(above)));
            db.store
                .write(async |tx| tx.execute(&PARTNER, binds![PartnerId::from_uuid(Uuid::from_u128(number)), name, vec![7_u8], above]).await)
                .await
        };
        db.store.write(async |tx| tx.execute(&LEVEL, binds![]).await).await.unwrap();
        partner(1, "a", None).await.unwrap();
        partner(2, "a", Some(1)).await.unwrap();
        assert_eq!(partner(3, "a", Some(1)).await, Err(StoreError::Unique(constraint::PARTNER_EXTERNAL_ID)));
        assert_eq!(partner(1, "b", None).await, Err(StoreError::Unique(UniqueIndex::OTHER)));
        let orphan = db.store.write(async |tx| tx.execute(&ORPHAN, binds![id(9), id(8)]).await).await;
        assert_eq!(orphan, Err(StoreError::ForeignKey));
        let wrong = db.store.write(async |tx| tx.execute(&WRONG_STATE, binds![]).await).await;
        assert_eq!(wrong, Err(StoreError::Check));
    }

    async fn many_rows_and_sets_of_any_size(db: &Database) {
        table(&db.store).await;
        for size in [0_i64, 1, 15, 16, 17, 255, 256, 300, 1000] {
            let ids: Vec<UserId> = (0..size).map(|number| sample(number).id).collect();
            let (inserted, deleted, found) = db
                .store
                .write(async |tx| {
                    let rows = (0..size).map(|number| values(&Sample { words: Some("w".to_owned()), ..sample(number) }));
                    let inserted = tx.execute_rows(&INSERT_MANY, rows).await?;
                    let mut found = tx.all_in(&AMONG, binds!["w"], ids.iter().copied(), first::<i64>).await?;
                    found.sort_unstable();
                    let stored = tx.all(&NUMBERS, binds![], first::<i64>).await?;
                    assert_eq!(stored, (0..size).collect::<Vec<_>>());
                    let deleted = tx.execute_in(&DELETE_AMONG, binds![], ids.iter().copied()).await?;
                    Ok::<_, StoreError>((inserted, deleted, found))
                })
                .await
                .unwrap();
            let expected = u64::try_from(size).unwrap();
            assert_eq!((inserted, deleted), (expected, expected));
            assert_eq!(found, (0..size).collect::<Vec<_>>());
        }
    }

    async fn what_is_inserted_later_is_there_for_whoever_asks(db: &Database) {
        table(&db.store).await;
        let work = db.store.write(async |tx| {
            tx.later(&LATER, [values(&sample(1))]).await?;
            tx.later(&LATER, (2..6).map(|number| values(&sample(number)))).await?;
            let seen = tx.all(&NUMBERS, binds![], first::<i64>).await?;
            tx.later(&LATER, (6..400).map(|number| values(&sample(number)))).await?;
            tx.later(&LATER, [values(&sample(400))]).await?;
            Ok::<_, StoreError>(seen)
        });
        assert_eq!(work.await.unwrap(), [1, 2, 3, 4, 5]);
        let stored = db.store.reader().await.unwrap().all(&NUMBERS, binds![], first::<i64>).await.unwrap();
        assert_eq!(stored, (1..=400).collect::<Vec<_>>());
    }

    async fn a_set_of_any_size_is_asked_for_behind_what_is_inserted_later(db: &Database) {
        table(&db.store).await;
        for (round, size) in (0..).zip([1, 2, 3, 4, 2, 1, 16, 4]) {
            let numbers: Vec<i64> = (16 * round + 1..=16 * (round + 1)).collect();
            let samples: Vec<Sample> = numbers.iter().copied().map(sample).collect();
            let work = db.store.write(async |tx| {
                tx.later(&LATER, samples.iter().map(values)).await?;
                let ids = samples.iter().take(size).map(|sample| sample.id);
                tx.all_in(&WITH_IDS, binds![], ids, first::<i64>).await
            });
            let mut found = work.await.unwrap();
            found.sort_unstable();
            assert_eq!(found, numbers[..size]);
        }
    }

    async fn what_cannot_be_inserted_later_fails_the_write_at_its_end_at_the_latest(db: &Database) {
        table(&db.store).await;
        db.store.write(async |tx| insert(tx, 7).await).await.unwrap();
        let twice = async |tx: &mut Tx| {
            tx.later(&LATER, [values(&sample(1))]).await?;
            tx.later(&LATER, [values(&sample(7))]).await
        };
        let end = db.store.write(twice).await;
        assert_eq!(end, Err(StoreError::Unique(UniqueIndex::OTHER)));
        let question = db.store.write(async |tx| {
            twice(tx).await?;
            assert_eq!(tx.one(&COUNT, binds![], first::<i64>).await, Err(StoreError::Unique(UniqueIndex::OTHER)));
            Ok::<_, StoreError>(())
        });
        assert_eq!(question.await, Err(StoreError::Failed), "an error passed over");
        assert_eq!(count(&db.store).await, 1);
    }

    async fn an_attempt_keeps_or_undoes_what_it_inserted_later(db: &Database) {
        table(&db.store).await;
        let later = async |tx: &mut Tx, number: i64| tx.later(&LATER, [values(&sample(number))]).await;
        let work = db.store.write(async |tx| {
            later(tx, 1).await?;
            tx.attempt(false, async |tx| later(tx, 2).await).await?;
            tx.attempt(true, async |tx| later(tx, 3).await).await?;
            let taken = tx.attempt(false, async |tx| {
                later(tx, 4).await?;
                later(tx, 1).await
            });
            assert_eq!(taken.await, Err(StoreError::Unique(UniqueIndex::OTHER)), "its own error, inside");
            let refused = tx.attempt(false, async |tx| {
                later(tx, 5).await?;
                Err::<(), _>(StoreError::NotFound)
            });
            assert_eq!(refused.await, Err(StoreError::NotFound));
            later(tx, 6).await
        });
        work.await.unwrap();
        let stored = db.store.reader().await.unwrap().all(&NUMBERS, binds![], first::<i64>).await.unwrap();
        assert_eq!(stored, [1, 2, 6]);
    }

    async fn rows_are_read_one_by_one_as_tuples_and_from_inserts(db: &Database) {
        table(&db.store).await;
        let returned = db.store.write(async |tx| {
            for number in 1..4 {
                insert(tx, number).await?;
            }
            tx.one(&INSERT_RETURNING, binds![id(9), 9], first::<i64>).await
        });
        assert_eq!(returned.await.unwrap(), 9);
        let mut reader = db.store.reader().await.unwrap();
        let pairs = reader.all(&PAIRS, binds![3], tuple::<(i64, Option<String>)>).await.unwrap();
        assert_eq!(pairs, [(1, Some("{\"n\":1}".to_owned())), (2, Some("{\"n\":2}".to_owned()))]);
        let mut seen = 0;
        let each = reader.each(&NUMBERS, binds![], |row| {
            seen += row.get::<i64>(0)?;
            Ok(())
        });
        each.await.unwrap();
        assert_eq!(seen, 1 + 2 + 3 + 9);
    }

    async fn json_fragments_agree(db: &Database) {
        table(&db.store).await;
        let document = r#"{"emails":["a@x","b@x"],"urn:x:User":{"dept's":"R&D \"x\""},"age":41}"#;
        let without = r#"{"emails":"a@x"}"#;
        db.store
            .write(async |tx| {
                for (number, words) in [(1, document), (2, without), (3, "{}")] {
                    tx.execute(&INSERT, binds![id(number), None::<bool>, None::<i64>, words, None::<Vec<u8>>]).await?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        let mut reader = db.store.reader().await.unwrap();
        let wanted = "R&D \"x\"";
        for (mail, dept, age, expected) in
            [("b@x", wanted, 40, 1), ("c@x", wanted, 40, 0), ("b@x", "other", 40, 0), ("b@x", wanted, 41, 0)]
        {
            let found: i64 = reader.one(&KEYS, binds![mail, dept, age], first).await.unwrap();
            assert_eq!(found, expected, "{mail} {dept} {age}");
        }
    }

    async fn every_call_may_run_in_a_task_of_its_own(db: &Database) {
        table(&db.store).await;
        let store = db.store.clone();
        let task = tokio::spawn(async move {
            let number = 1;
            store.write(async |tx| insert(tx, number).await).await?;
            store.write_serializable(async |tx| tx.attempt(true, async |tx| insert(tx, 2).await).await).await?;
            let counted = store.snapshot(async |reader| reader.one(&COUNT, binds![], first::<i64>).await).await?;
            let numbers = store.reader().await?.all(&NUMBERS, binds![], first::<i64>).await?;
            Ok::<_, StoreError>((counted, numbers))
        });
        assert_eq!(task.await.unwrap(), Ok((1, vec![1])));
    }

    async fn readers_cannot_write(db: &Database) {
        table(&db.store).await;
        let alone = db.store.reader().await.unwrap().optional(&INSERT_RETURNING, binds![id(1), 1], first::<i64>).await;
        assert!(matches!(alone, Err(StoreError::Refused(_))), "{alone:?}");
        let snapshot = db.store.snapshot(async |reader| {
            reader.optional(&INSERT_RETURNING, binds![id(1), 1], first::<i64>).await
        });
        assert!(matches!(snapshot.await, Err(StoreError::Refused(_))));
        assert_eq!(count(&db.store).await, 0);
    }

    async fn a_snapshot_sees_one_moment(db: &Database) {
        table(&db.store).await;
        db.store.write(async |tx| insert(tx, 1).await).await.unwrap();
        let (begun, begin) = tokio::sync::oneshot::channel();
        let (written, write) = tokio::sync::oneshot::channel();
        let reading = db.store.snapshot(async |reader| {
            let before = reader.one(&COUNT, binds![], first::<i64>).await?;
            begun.send(()).unwrap();
            write.await.unwrap();
            Ok::<_, StoreError>((before, reader.one(&COUNT, binds![], first::<i64>).await?))
        });
        let writing = async {
            begin.await.unwrap();
            db.store.write(async |tx| insert(tx, 2).await).await.unwrap();
            written.send(()).unwrap();
        };
        let (counts, ()) = tokio::join!(reading, writing);
        assert_eq!(counts.unwrap(), (1, 1));
        assert_eq!(count(&db.store).await, 2);
    }
}

on_both! {
    async fn the_server_looks_again_at_a_table_that_grew(db: &Database) {
        let store = &db.store;
        store.write(async |tx: &mut Tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
        let row = |number: u128| {
            binds![Uuid::from_u128(number), true, Timestamp::from_micros(0), None::<String>, None::<Vec<u8>>]
        };
        store.write(async |tx: &mut Tx| tx.execute_rows(&INSERT_MANY, (0..2_000).map(row)).await).await.unwrap();
        if store.dialect() == Dialect::Sqlite {
            assert!(store.look_again().await.unwrap().is_empty());
            return;
        }
        // The server counts what was written a moment after it was, and may look by itself at the same time: so the end is
        // awaited, that the number is known and that the table is left alone from then on.
        let settled = async {
            loop {
                let outgrown = store.look_again().await.unwrap().contains(&"sample".to_owned());
                let rows: i64 = store.reader().await.unwrap().one(&KNOWN_ROWS, binds![], first).await.unwrap();
                if rows == 2_000 && !outgrown {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("looked at, then left alone");
    }
}
