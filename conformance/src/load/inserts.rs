//! The baseline of durable creations: the rows that the server writes for one user, events included, put into a copy of
//! its store by the same driver in durable transactions of 16 users. A process of its own, so that its disk can be
//! slowed as the server's is.

use super::seed::TEMPLATE;
use crate::args::Args;
use anyhow::{Context, Result};
use serde_json::json;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments, AssertSqlSafe, Column, Connection, Row, SqliteConnection, TypeInfo, ValueRef};
use std::time::Instant;

/// Users of one transaction: as many as there are connections in the run it is compared with.
const BATCH: usize = 16;

/// A row as it is to be written again: its insert and its values.
struct Shape {
    insert: String,
    values: Vec<Value>,
}

#[derive(Clone)]
enum Value {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Writes `args.users` users into the file `args.database`; prints how many a second.
///
/// # Errors
/// When the file has no template, or the disk refuses.
pub async fn write(args: &Args) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(&args.database)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", "4000");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let shapes = shapes(&mut connection).await?;
    let (since, mut written) = (Instant::now(), 0);
    while written < args.users {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for at in written..written + BATCH {
            for shape in &shapes {
                let arguments = shape.of(at)?;
                sqlx::query_with(AssertSqlSafe(shape.insert.as_str()), arguments).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        written += BATCH;
    }
    let rate = written as f64 / since.elapsed().as_secs_f64();
    println!("{}", json!({"rate": rate}));
    Ok(())
}

/// The rows behind the template's user, in the order in which they refer to each other.
async fn shapes(connection: &mut SqliteConnection) -> Result<Vec<Shape>> {
    let external_user = format!("(SELECT id FROM external_users WHERE user_name = '{TEMPLATE}@example.com')");
    let person = format!("(SELECT user_id FROM external_users WHERE user_name = '{TEMPLATE}@example.com')");
    let mut shapes = Vec::new();
    for (table, which) in [
        ("users", format!("id = {person}")),
        ("match_keys", format!("user_id = {person}")),
        ("external_users", format!("id = {external_user}")),
        ("events", format!("subject IN ({external_user}, {person})")),
    ] {
        let text = format!("SELECT * FROM {table} WHERE {which}");
        for row in sqlx::query(AssertSqlSafe(text)).fetch_all(&mut *connection).await? {
            // Numbers and hashes of events are given later, by the sealer, to both.
            let columns: Vec<usize> =
                (0..row.columns().len()).filter(|at| !["seq", "hash"].contains(&row.column(*at).name())).collect();
            let names: Vec<&str> = columns.iter().map(|at| row.column(*at).name()).collect();
            let places: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
            let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
            let values = columns.iter().map(|at| read(&row, *at)).collect::<Result<_>>()?;
            shapes.push(Shape { insert, values });
        }
    }
    Ok(shapes)
}

fn read(row: &sqlx::sqlite::SqliteRow, at: usize) -> Result<Value> {
    let raw = row.try_get_raw(at)?;
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "NULL" => Value::Null,
        "INTEGER" | "BOOLEAN" => Value::Number(row.try_get_unchecked(at)?),
        "TEXT" => Value::Text(row.try_get_unchecked(at)?),
        _ => Value::Bytes(row.try_get_unchecked(at)?),
    })
}

impl Shape {
    /// The values of user number `at`: its ids are near the template's, as ids made in order of time are, and its texts
    /// have its name. The last two bytes stay: ids of one moment differ there.
    fn of(&self, at: usize) -> Result<SqliteArguments> {
        let (name, number) = (format!("raw-{at}"), u128::try_from(at + 1)?);
        let mut arguments = SqliteArguments::default();
        for (place, value) in self.values.iter().enumerate() {
            let added = match value {
                Value::Null => arguments.add(None::<i64>),
                Value::Number(number) => arguments.add(*number),
                // It is the text of the server's own id.
                Value::Text(_) if self.column(place) == "stable_id" => arguments.add(name.clone()),
                Value::Text(text) => arguments.add(text.replace(TEMPLATE, &name)),
                Value::Bytes(bytes) if self.is_own(place) => match <[u8; 16]>::try_from(bytes.as_slice()) {
                    Ok(id) => arguments.add((u128::from_be_bytes(id) ^ (number << 16)).to_be_bytes().to_vec()),
                    Err(_) => arguments.add(bytes.clone()),
                },
                Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => arguments.add(text.replace(TEMPLATE, &name).into_bytes()),
                    Err(_) => arguments.add(bytes.clone()),
                },
            };
            added.ok().context("a value")?;
        }
        Ok(arguments)
    }

    /// Whether the column holds an id of the user itself, and not one of what it belongs to.
    fn is_own(&self, at: usize) -> bool {
        ["id", "user_id", "subject"].contains(&self.column(at))
    }

    /// The name of a column.
    fn column(&self, at: usize) -> &str {
        let columns = self.insert.split(['(', ')']).nth(1).unwrap_or_default();
        columns.split(", ").nth(at).unwrap_or_default()
    }
}
