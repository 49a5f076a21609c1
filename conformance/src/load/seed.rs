//! Filling a store whose server is stopped: copies of what the server itself wrote for one user, made by the database.

use super::file_of;
use crate::args::Args;
use anyhow::{Context, Result};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::path::Path;

/// The name whose rows are copied; each copy has its own number in this one's place.
pub const TEMPLATE: &str = "seed-template";

/// The group whose rows are copied.
pub const TEMPLATE_GROUP: &str = "seed-template-group";

/// Rows made in one transaction.
const BATCH: usize = 50_000;

/// The name of a copy.
pub fn name(at: usize) -> String {
    format!("seed-{at}@example.com")
}

/// The id of a copy.
pub fn id(at: usize) -> String {
    format!("01970000-0000-7000-8000-{at:012x}")
}

/// The id of a copied group.
pub fn group_id(at: usize) -> String {
    format!("01970000-0000-7002-8000-{at:012x}")
}

/// The name of a copied group, which is its external id, too.
pub fn group_name(at: usize) -> String {
    format!("seed-{at}-group")
}

/// The words in which the two databases differ.
struct Words {
    /// The numbers from `$1` to `$2` as `n (i)`.
    numbers: &'static str,
    /// The id of copy `n.i`; `KIND` is one hexadecimal digit.
    id: &'static str,
    /// A text column, with the number in the place of the template's name.
    text: fn(&str) -> String,
    /// The same of a column of folded text.
    bytes: fn(&str) -> String,
}

const SQLITE: Words = Words {
    numbers: "WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)",
    id: "unhex('019700000000700KIND8000' || printf('%012x', n.i))",
    text: |column| format!("replace({column}, 'seed-template', 'seed-' || n.i)"),
    bytes: |column| format!("CAST(replace(CAST({column} AS TEXT), 'seed-template', 'seed-' || n.i) AS BLOB)"),
};

const POSTGRES: Words = Words {
    numbers: "WITH n (i) AS (SELECT generate_series($1::bigint, $2::bigint))",
    id: "('01970000-0000-700KIND-8000-' || lpad(to_hex(n.i), 12, '0'))::uuid",
    text: |column| format!("replace({column}, 'seed-template', 'seed-' || n.i)"),
    bytes: |column| {
        format!("convert_to(replace(convert_from({column}, 'UTF8'), 'seed-template', 'seed-' || n.i), 'UTF8')")
    },
};

/// The statements that copy person, identity and external user, in this order.
fn users(words: &Words) -> Vec<String> {
    let (text, bytes) = (words.text, words.bytes);
    let (external, person) = (words.id.replace("KIND", "0"), words.id.replace("KIND", "1"));
    let source =
        format!("n, external_users t JOIN users p ON p.id = t.user_id WHERE t.user_name = '{TEMPLATE}@example.com'");
    let copy = |table: &str, columns: &str, values: &[String]| {
        format!("INSERT INTO {table} ({columns}) {} SELECT {} FROM {source}", words.numbers, values.join(", "))
    };
    let keep = |columns: &str| -> Vec<String> { columns.split(", ").map(str::to_owned).collect() };
    let mut of_person = vec![person.clone(), "p.partner_id".into()];
    of_person.extend(["p.display_name", "p.given_name", "p.family_name", "p.email"].map(text));
    of_person.extend([bytes("p.email_key"), text("p.login_name"), bytes("p.login_key"), bytes("p.sort_key")]);
    of_person.extend(keep("p.primary_group_id, p.pinned_group_id, p.state, p.version, p.created_at, p.updated_at"));
    let of_identity = keep("t.directory_id");
    let of_identity = [of_identity, vec![bytes("t.match_key"), person.clone()], keep("TRUE, t.created_at")].concat();
    let mut of_user = vec![external, "t.connection_id".into(), "t.directory_id".into()];
    // Our id is the stable key of a SCIM user; any text that is unique will do.
    of_user.extend(["'seed-' || n.i".to_owned(), bytes("t.match_key"), text("t.external_id"), text("t.user_name")]);
    of_user.extend([
        bytes("t.user_name_key"),
        "t.active".into(),
        text("t.document"),
        text("t.search_keys"),
        "t.content_hash".into(),
    ]);
    of_user.extend([person, "t.link_origin".into(), "t.version".into(), "t.created_at".into(), "t.updated_at".into()]);
    vec![
        copy(
            "users",
            "id, partner_id, display_name, given_name, family_name, email, email_key, login_name, login_key, sort_key, \
             primary_group_id, pinned_group_id, state, version, created_at, updated_at",
            &of_person,
        ),
        copy("match_keys", "directory_id, match_key, user_id, is_immutable, created_at", &of_identity),
        copy(
            "external_users",
            "id, connection_id, directory_id, stable_id, match_key, external_id, user_name, user_name_key, active, document, \
             search_keys, content_hash, user_id, link_origin, version, created_at, updated_at",
            &of_user,
        ),
        // The addresses, which are looked up by themselves.
        format!(
            "INSERT INTO external_user_emails (connection_id, email_key, external_user_id) {} \
             SELECT t.connection_id, {}, {} FROM n, external_users t JOIN external_user_emails m ON m.external_user_id = t.id \
             WHERE t.user_name = '{TEMPLATE}@example.com'",
            words.numbers,
            bytes("m.email_key"),
            words.id.replace("KIND", "0"),
        ),
    ]
}

/// Who is copied into another partner, and the name of such a copy.
const LOCAL: &str = "lena";

/// The name of a copy of a partner's own person.
pub fn local(at: usize) -> String {
    format!("{LOCAL}-{at}")
}

/// Makes so many people of a partner's own, who come from no directory. The server must be stopped.
///
/// # Errors
/// When the database refuses.
pub async fn locals(args: &Args, keep: &Path, to: usize) -> Result<()> {
    let words = if args.database == "sqlite" { &SQLITE } else { &POSTGRES };
    let (text, bytes) = (words.text, words.bytes);
    let of = |made: String| made.replace(TEMPLATE, LOCAL).replace("'seed-'", &format!("'{LOCAL}-'"));
    let texts = ["email", "login_name"].map(|column| of(text(column))).join(", ");
    let keys = ["email_key", "login_key", "sort_key"].map(|column| of(bytes(column))).join(", ");
    let copy = format!(
        "INSERT INTO users (id, partner_id, display_name, email, login_name, email_key, login_key, sort_key, primary_group_id, \
         state, version, created_at, updated_at) {} SELECT {}, partner_id, {}, {texts}, {keys}, primary_group_id, state, version, \
         created_at, updated_at FROM n, users WHERE login_name = '{LOCAL}@lighthouse.example'",
        words.numbers,
        words.id.replace("KIND", "3"),
        of(text("login_name")),
    );
    let mut store = Store::open(args, keep).await?;
    store.all(&[copy], 1, to).await.context("copying people of a partner")?;
    store.tidy().await
}

/// The id of the person of a copy.
pub fn person_id(at: usize) -> String {
    format!("01970000-0000-7001-8000-{at:012x}")
}

/// Makes the copies numbered `from` (not less than 1) to `to`. The server must be stopped.
///
/// # Errors
/// When there is no template, or the database refuses.
pub async fn copies(args: &Args, keep: &Path, from: usize, to: usize) -> Result<()> {
    let words = if args.database == "sqlite" { &SQLITE } else { &POSTGRES };
    let mut store = Store::open(args, keep).await?;
    let mut from = from;
    while from <= to {
        let end = to.min(from + BATCH - 1);
        store.all(&users(words), from, end).await.context("copying users")?;
        from = end + 1;
    }
    store.tidy().await
}

/// Makes the copies of the group numbered 1 to `to`. The server must be stopped.
///
/// # Errors
/// When there is no template, or the database refuses.
pub async fn groups(args: &Args, keep: &Path, to: usize) -> Result<()> {
    let words = if args.database == "sqlite" { &SQLITE } else { &POSTGRES };
    let (text, id, numbers) = (words.text, words.id.replace("KIND", "2"), words.numbers);
    let copied = ["t.external_id", "t.display_name"].map(text).join(", ");
    let said = ["t.document", "t.search_keys"].map(text).join(", ");
    let key = (words.bytes)("t.display_name_key");
    let groups = format!(
        "INSERT INTO external_groups (id, connection_id, directory_id, stable_id, external_id, display_name, display_name_key, document, \
         search_keys, content_hash, is_removed, version, created_at, updated_at) {numbers} SELECT {id}, t.connection_id, t.directory_id, \
         'seed-' || n.i, {copied}, {key}, {said}, t.content_hash, t.is_removed, t.version, t.created_at, t.updated_at \
         FROM n, external_groups t WHERE t.display_name = '{TEMPLATE_GROUP}'"
    );
    let itself = format!(
        "INSERT INTO external_group_ancestors (ancestor_id, external_group_id) {numbers} SELECT {id}, {id} FROM n"
    );
    let mut store = Store::open(args, keep).await?;
    store.all(&[groups, itself], 1, to).await.context("copying groups")?;
    store.tidy().await
}

/// Reads the members of the first `groups` crowds `times` times, as plainly as the driver lets one; processor seconds of
/// this process and of the database.
///
/// # Errors
/// When the database refuses.
pub async fn read_members(args: &Args, keep: &Path, groups: usize, times: usize) -> Result<f64> {
    let meter = super::cpu::Meter::new(std::process::id(), &args.database);
    let text = "SELECT u.id, u.user_name FROM external_groups g JOIN external_group_members m ON m.external_group_id = g.id \
        JOIN external_users u ON u.id = m.external_user_id WHERE g.display_name = $1 ORDER BY m.external_user_id";
    let mut store = Store::open(args, keep).await?;
    // Once before, so that the statement is prepared and the pages are read.
    store.read(text, 0).await?;
    let before = meter.seconds();
    for _ in 0..times {
        for crowd in 0..groups {
            store.read(text, crowd).await?;
        }
    }
    let spent = meter.seconds() - before;
    Ok(spent)
}

/// Makes the copies numbered `from` to `to` members of the group that has this name.
///
/// # Errors
/// When the database refuses.
pub async fn members(args: &Args, keep: &Path, group: &str, (from, to): (usize, usize)) -> Result<()> {
    let words = if args.database == "sqlite" { &SQLITE } else { &POSTGRES };
    let text = format!(
        "INSERT INTO external_group_members (external_group_id, external_user_id) {} SELECT g.id, {} FROM n, external_groups g \
         WHERE g.display_name = '{group}'",
        words.numbers,
        words.id.replace("KIND", "0"),
    );
    let mut store = Store::open(args, keep).await?;
    store.all(&[text], from, to).await.context("filling a group")?;
    store.tidy().await
}

/// The numbers that the server keeps of users and groups, from what is there.
const COUNT: &str = "DELETE FROM kept_totals;
    INSERT INTO kept_totals (owner_id, kind, id, number)
        SELECT connection_id, 'external_users', connection_id, COUNT(*) FROM external_users GROUP BY connection_id;
    INSERT INTO kept_totals (owner_id, kind, id, number)
        SELECT connection_id, 'external_groups', connection_id, COUNT(*) FROM external_groups WHERE NOT is_removed GROUP BY connection_id;
    INSERT INTO kept_totals (owner_id, kind, id, number)
        SELECT partner_id, 'users', partner_id, COUNT(*) FROM users WHERE state = 'live' GROUP BY partner_id;
    INSERT INTO kept_totals (owner_id, kind, id, number)
        SELECT u.id, 'members', u.id, (SELECT COUNT(*) FROM users p WHERE p.primary_group_id = u.id AND p.state = 'live')
            + (SELECT COUNT(*) FROM user_group_members m WHERE m.user_group_id = u.id AND NOT u.is_primary)
            - CASE WHEN u.is_default THEN (SELECT COUNT(*) FROM users p WHERE p.partner_id = u.partner_id AND p.state = 'live')
                ELSE 0 END
        FROM user_groups u";

enum Store {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Store {
    async fn open(args: &Args, keep: &Path) -> Result<Store> {
        if args.database != "sqlite" {
            return Ok(Store::Postgres(PgConnection::connect(&args.database).await?));
        }
        let options = SqliteConnectOptions::new().filename(file_of(keep)).pragma("cache_size", "-262144");
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query("PRAGMA synchronous = OFF").execute(&mut connection).await?;
        Ok(Store::Sqlite(connection))
    }

    /// Runs statements over the numbers `from` to `to`, in one transaction.
    async fn all(&mut self, texts: &[String], from: usize, to: usize) -> Result<()> {
        let (from, to) = (i64::try_from(from)?, i64::try_from(to)?);
        match self {
            Store::Sqlite(connection) => {
                let mut transaction = connection.begin().await?;
                for text in texts {
                    let query = sqlx::query(AssertSqlSafe(text.as_str())).bind(from).bind(to);
                    query.execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
            }
            Store::Postgres(connection) => {
                let mut transaction = connection.begin().await?;
                for text in texts {
                    let query = sqlx::query(AssertSqlSafe(text.as_str())).bind(from).bind(to);
                    query.execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
            }
        }
        Ok(())
    }

    /// Reads the members of a crowd.
    async fn read(&mut self, text: &'static str, crowd: usize) -> Result<()> {
        let (name, mut bytes) = (format!("crowd-{crowd}"), 0);
        match self {
            Store::Sqlite(connection) => {
                let mut rows = sqlx::query_as::<_, (uuid::Uuid, String)>(text).bind(name).fetch(connection);
                while let Some((_, name)) = rows.try_next().await? {
                    bytes += name.len();
                }
            }
            Store::Postgres(connection) => {
                let mut rows = sqlx::query_as::<_, (uuid::Uuid, String)>(text).bind(name).fetch(connection);
                while let Some((_, name)) = rows.try_next().await? {
                    bytes += name.len();
                }
            }
        }
        anyhow::ensure!(bytes > 0, "nobody is in the group");
        Ok(())
    }

    /// What a server would have done by itself in the time it takes to fill a store slowly.
    async fn tidy(self) -> Result<()> {
        match self {
            Store::Sqlite(mut connection) => {
                sqlx::raw_sql(COUNT).execute(&mut connection).await?;
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
                connection.close().await?;
            }
            Store::Postgres(mut connection) => {
                sqlx::raw_sql(COUNT).execute(&mut connection).await?;
                sqlx::query("VACUUM ANALYZE").execute(&mut connection).await?;
                connection.close().await?;
            }
        }
        Ok(())
    }
}
