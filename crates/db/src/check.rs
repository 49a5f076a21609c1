//! Before anything is served: every statement is prepared on the connected database, every constraint the program
//! knows by name is looked up.
use sqlx::postgres::{PgConnectOptions, PgTypeInfo};
use sqlx::{ConnectOptions as _, Either, Executor as _, Postgres, SqliteConnection};
use sqlx::{SqlSafeStr as _, SqlStr};

use crate::schema::Schema;
use crate::{Dialect, SqlType, UniqueIndex, postgres};

/// Statements that SQLite does not take, each as a sentence. Prepared on the writer, which keeps them.
pub(crate) async fn on_sqlite(schema: &Schema, connection: &mut SqliteConnection) -> Vec<String> {
    let mut problems = Vec::new();
    for statement in schema.statements() {
        let ready = statement.ready(Dialect::Sqlite);
        let prepared = (&mut *connection).prepare(text(&ready.text)).await;
        problems.extend(compare(statement.name(), ready.parameters, prepared));
    }
    problems
}

/// Statements that PostgreSQL does not take. On a connection of its own: a text prepared here, without the types of
/// its values, must not be met again by a call that declares them.
pub(crate) async fn on_postgres(schema: &Schema, options: &PgConnectOptions) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = options.connect().await?;
    let mut problems = Vec::new();
    for statement in schema.statements() {
        let ready = statement.ready(Dialect::Postgres);
        let kinds: Vec<PgTypeInfo> = statement.kinds().iter().map(|kind| postgres_type(*kind)).collect();
        let prepared = (&mut connection).prepare_with(text(&ready.text), &kinds).await;
        problems.extend(compare(statement.name(), ready.parameters, prepared));
    }
    let indexes = postgres::unique_indexes(&mut connection).await?;
    problems.extend(missing(schema.unique_indexes, indexes.iter().map(String::as_str)));
    Ok(problems)
}

/// Those of `known` that the database does not have, each as a sentence.
pub(crate) fn missing<'n>(known: &'static [UniqueIndex], there: impl Iterator<Item = &'n str>) -> Vec<String> {
    let there: std::collections::HashSet<&str> = there.collect();
    let missing = known.iter().map(|index| index.name()).filter(|name| !there.contains(name));
    missing.map(|name| format!("the schema has no unique index {name}")).collect()
}

/// (table, index, origin, column) of every unique index, columns in order.
pub(crate) async fn sqlite_unique_columns(
    connection: &mut SqliteConnection,
) -> Result<Vec<(String, String, String, Option<String>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT t.name, i.name, i.origin, c.name FROM sqlite_schema t, pragma_index_list(t.name) i, \
         pragma_index_info(i.name) c WHERE t.type = 'table' AND i.\"unique\" ORDER BY t.name, i.name, c.seqno",
    )
    .fetch_all(connection)
    .await
}

fn text(text: &'static str) -> SqlStr {
    text.into_sql_str()
}

fn compare<S: sqlx::Statement>(name: &str, counted: usize, prepared: Result<S, sqlx::Error>) -> Option<String> {
    let statement = match prepared {
        Ok(statement) => statement,
        Err(error) => return Some(format!("statement {name}: {error}")),
    };
    let taken = match statement.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => counted,
    };
    (taken != counted).then(|| format!("statement {name}: {counted} parameters written, {taken} taken"))
}

fn postgres_type(kind: SqlType) -> PgTypeInfo {
    match kind {
        SqlType::Uuid => <uuid::Uuid as sqlx::Type<Postgres>>::type_info(),
        SqlType::Bool => <bool as sqlx::Type<Postgres>>::type_info(),
        SqlType::I64 => <i64 as sqlx::Type<Postgres>>::type_info(),
        SqlType::Text => <str as sqlx::Type<Postgres>>::type_info(),
        SqlType::Bytes => <[u8] as sqlx::Type<Postgres>>::type_info(),
    }
}
