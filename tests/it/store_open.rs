//! Opening, and what it refuses.
use rolecall::store::{self, Dialect, Options, Store, StoreError, first};
use rolecall::{binds, statements};
use sqlx::{ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::database::{Database, on_both};

statements! {
    CREATE = "CREATE TABLE mark (number BIGINT PRIMARY KEY)";
    DROP = "DROP TABLE mark";
    MARK = "INSERT INTO mark (number) VALUES ($1)";
    COUNT = "SELECT COUNT(*) FROM mark";
    NEWER = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 99999, 'of a later version', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1";
}

async fn open(url: &str) -> Result<Store, String> {
    store::open(url, &Options::default()).await.map_err(|error| error.to_string())
}

on_both! {
    async fn what_is_written_is_there_after_opening_again(db: &Database) {
        db.store.write(async |tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
        db.store.write(async |tx| tx.execute(&MARK, binds![1]).await).await.unwrap();
        let again = db.open_again().await.unwrap();
        assert_eq!(again.reader().await.unwrap().one(&COUNT, binds![], first::<i64>).await, Ok(1));
        again.close().await;
        let closed = db.store.write(async |tx| tx.execute(&MARK, binds![2]).await).await;
        assert_eq!(closed, Err(StoreError::Unavailable));
    }

    async fn a_newer_schema_is_refused_in_a_sentence(db: &Database) {
        db.store.write(async |tx| tx.execute(&NEWER, binds![]).await).await.unwrap();
        let refused = db.open_again().await.unwrap_err().to_string();
        assert!(refused.contains("newer version of this program"), "{refused}");
    }

    async fn the_clock_of_a_server_can_be_compared(db: &Database) {
        let here = rolecall::clock::Clock.now().seconds();
        match store::clock(&db.store).await.unwrap() {
            Some(there) => assert!((there.seconds() - here).abs() < 60),
            None => assert_eq!(db.store.dialect(), Dialect::Sqlite),
        }
    }

    async fn every_statement_is_taken_by_the_database(db: &Database) {
        db.store.check().await.unwrap();
        assert!(db.store.objections().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_may_lose_acknowledged_writes_is_refused() {
    let db = Database::postgres().await;
    db.on_the_server(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
    )
    .await;
    let refused = db.open_again().await.unwrap_err().to_string();
    assert!(refused.contains("synchronous_commit is off"), "{refused}");
    db.remove().await;
}

#[tokio::test]
async fn one_process_owns_a_file() {
    let db = Database::sqlite().await;
    let refused = open(&db.url).await.unwrap_err();
    assert!(refused.contains("in use by another process"), "{refused}");
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    db.remove().await;
}

/// The lock is on the file itself: whatever is removed beside it, a second process is refused.
#[tokio::test]
async fn a_second_process_is_refused_whatever_lies_beside_the_file() {
    let db = Database::sqlite().await;
    let path = db.url.strip_prefix("sqlite:").unwrap().to_owned();
    let another = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command
            .arg("migrate")
            .env_remove("ROLECALL_CONFIG")
            .env("ROLECALL_STORE_DATABASE_URL", format!("sqlite:{path}"));
        let output = command.env("ROLECALL_STORE_DATA_DIR", db.folder()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for beside in [None, Some(".lock")] {
        if let Some(beside) = beside {
            std::fs::remove_file(format!("{path}{beside}")).unwrap();
        }
        let (good, said) = another();
        assert!(!good && said.contains("in use by another process"), "{beside:?}: {said}");
        let here = open(&db.url).await.unwrap_err();
        assert!(here.contains("in use by another process"), "{here}");
        // What the refused ones did has not let go of anything.
        db.store.write(async |tx| tx.execute(&CREATE, binds![]).await.map(drop)).await.unwrap();
        db.store.write(async |tx| tx.execute(&DROP, binds![]).await.map(drop)).await.unwrap();
    }
    db.store.close().await;
    let (good, said) = another();
    assert!(good, "{said}");
    db.remove().await;
}

#[tokio::test]
async fn urls_of_other_kinds_are_refused() {
    for url in ["mysql://localhost/x", "", "main.db"] {
        let refused = open(url).await.unwrap_err();
        assert!(refused.contains("sqlite: or postgres:"), "{refused}");
    }
    let refused = open("postgres://user:secret@[/x").await.unwrap_err();
    assert!(!refused.contains("secret"), "{refused}");
}

#[tokio::test]
async fn a_passing_store_leaves_no_file() {
    let store = open("sqlite::memory:").await.unwrap();
    store.write(async |tx| tx.execute(&CREATE, binds![]).await).await.unwrap();
    assert_eq!(store.reader().await.unwrap().one(&COUNT, binds![], first::<i64>).await, Ok(0));
    store.close().await;
}

/// The database file is for its owner's eyes: it holds personal data.
#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_private_and_durable() {
    use std::os::unix::fs::PermissionsExt as _;
    let db = Database::sqlite().await;
    let path = db.url.strip_prefix("sqlite:").unwrap();
    for name in [path.to_owned(), format!("{path}-wal")] {
        assert_eq!(std::fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let mut other: SqliteConnection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut other).await.unwrap();
    assert_eq!(mode, "wal");
    db.remove().await;
}
