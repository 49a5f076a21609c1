//! No statement of the view reads a table whole: each is driven from a user or a partner by indexes.
use std::collections::BTreeMap;

use rolecall::store::effective_lists::texts;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::support::database::Database;

/// The tables and indexes that SQLite's program for a statement reads from the first row to the last: it rewinds a
/// cursor exactly there.
async fn scanned(connection: &mut SqliteConnection, text: &str) -> Vec<String> {
    let trees = sqlx::query("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0");
    let trees = trees.fetch_all(&mut *connection).await.unwrap();
    let trees: BTreeMap<i64, String> = trees.iter().map(|row| (row.get(0), row.get(1))).collect();
    let steps = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {text}"))).fetch_all(connection).await.unwrap();
    let (mut opened, mut scanned) = (BTreeMap::new(), Vec::new());
    for step in &steps {
        let (opcode, cursor, root): (String, i64, i64) = (step.get("opcode"), step.get("p1"), step.get("p2"));
        match opcode.as_str() {
            "OpenRead" => drop(opened.insert(cursor, root)),
            "Rewind" | "Last" => scanned.extend(opened.get(&cursor).and_then(|root| trees.get(root)).cloned()),
            _ => {}
        }
    }
    assert!(!opened.is_empty(), "the program opens no table");
    scanned
}

#[tokio::test]
async fn sqlite_scans_no_table() {
    let db = Database::sqlite().await;
    let path = db.url.strip_prefix("sqlite:").unwrap();
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let whole = "SELECT id FROM live_users WHERE display_name = 'Ada'";
    assert!(!scanned(&mut connection, whole).await.is_empty(), "a scan is seen where there is one");
    for (name, text) in texts() {
        let scanned = scanned(&mut connection, &text).await;
        assert!(scanned.is_empty(), "{name} reads whole: {scanned:?}");
    }
    connection.close().await.unwrap();
    db.remove().await;
}

/// With sequential scans forbidden PostgreSQL still makes one where no index would do.
#[tokio::test]
async fn postgres_scans_no_table() {
    let db = Database::postgres().await;
    let mut connection: PgConnection = PgConnection::connect(&db.url).await.unwrap();
    sqlx::raw_sql("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off")
        .execute(&mut connection)
        .await
        .unwrap();
    for (at, (name, text)) in texts().into_iter().enumerate() {
        let prepare = format!("PREPARE view_{at} AS {text}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut connection).await.unwrap();
        let highest = (1..=9).filter(|number| text.contains(&format!("${number}"))).max().unwrap();
        let nulls = vec!["NULL"; highest].join(", ");
        let explain = format!("EXPLAIN EXECUTE view_{at} ({nulls})");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains("Index")), "{name}: {plan:#?}");
        let scanned: Vec<_> = plan.iter().filter(|line| line.contains("Seq Scan on")).collect();
        assert!(scanned.is_empty(), "{name} reads whole: {scanned:?}");
    }
    connection.close().await.unwrap();
    db.remove().await;
}
