//! No statement begins at everything that a tenant has: asserted of the plan of each, on SQLite without statistics, which
//! it never has, and on PostgreSQL, for values that are not known, with large tables that were never looked at, and with the
//! same looked at as closely as the server's job has them looked at. What may, is listed with its reason.
use std::collections::{BTreeMap, BTreeSet};

use rolecall::domain::filter::Filter;
use rolecall::domain::page::{PageRequest, Position, Sort};
use rolecall::scim::filter::{FilterAst as Asked, Foreign};
use rolecall::scim::query::{PageLimits, Params, Query};
use rolecall::scim::schema::SchemaSet;
use rolecall::store::{Dialect, search, texts};
use serde_json::Value as Json;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, Row as _, SqliteConnection};

use crate::support::database::Database;

/// Tables that grow with users, and the columns by which a tenant has all of its rows.
const LARGE: &[(&str, &[&str])] = &[
    ("external_users", &["connection_id", "directory_id"]),
    ("external_user_emails", &["connection_id"]),
    ("external_groups", &["connection_id", "directory_id"]),
    ("external_group_members", &[]),
    ("external_subgroups", &[]),
    ("external_group_ancestors", &[]),
    ("users", &["partner_id"]),
    ("user_suspensions", &[]),
    ("attribute_condition_members", &[]),
    ("match_keys", &["directory_id"]),
    ("user_group_members", &[]),
    ("events", &["partner_id"]),
    ("sessions", &[]),
    ("deleted_external_users", &["connection_id"]),
    ("deleted_external_groups", &["connection_id"]),
    ("request_log_entries", &["connection_id"]),
];

/// Statements that go through all that a tenant has, or all that anybody has; and why they may.
const MAY: &[(&str, &str)] = &[
    ("reserved_groups::NAMES", "names to choose from, for whoever wrote one that the directory has not"),
    ("connections::INSERT", "SQLite's plan of a reference that is only looked at when one was broken before"),
    ("declared::HELD_BY_USERS", "what the people of a partner hold, for whoever declares that partner"),
    ("declared::LOGINS", "a declaration that names very many people goes through everybody once"),
    ("declared::PAGE", "the export of a partner has all of its own people, by page"),
    ("declared::USERS", "whoever declares a partner has all of its own people"),
    ("deleted::FORGET_GROUPS", "the oldest first, up to a moment"),
    ("deleted::FORGET_USERS", "the oldest first, up to a moment"),
    ("deleted::OLD", "whether the oldest is older than a moment"),
    ("directories::SPEAKS", "whether anybody is linked; the first who is ends the search"),
    ("directory_summaries::UNLINKED", "those who wait to be linked have an index of their own"),
    ("effective_below::INSIDE", "what everybody below a partner holds, before it is switched off"),
    ("effective_below::OUTSIDE", "what everybody below a partner holds, before it is switched off"),
    ("effective_lists::USERS_OF_DIRECTORY", "the preview of a directory's rules looks at everyone, by page"),
    ("entrance::SHUT", "doctor looks whether anybody is in; the first session ends the search"),
    ("events::AHEAD", "doctor looks at everything"),
    ("events::LAST", "the last line of an index"),
    ("events::NEWEST", "the last line of an index"),
    ("events::OLDEST", "the first line of an index"),
    ("events::SEAL", "lines that wait to be sealed have an index of their own"),
    ("events::UNSEALED", "lines that wait to be sealed have an index of their own"),
    ("grants::HOLDERS", "who holds all of a partner, for a link that gets somebody back in: a command by hand"),
    ("grants::HELD_HERE", "what the people of a partner hold, for the export of that partner"),
    ("invariants::COUNTED_WRONG", "doctor looks at everything"),
    ("invariants::GROUPS_COUNTED_WRONG", "doctor looks at everything"),
    ("invariants::GROUPS_IN_NO_TIME", "doctor looks at everything"),
    ("invariants::MEMBERS_ACROSS", "doctor looks at everything"),
    ("invariants::NESTING_MISSING", "doctor looks at everything"),
    ("invariants::NESTING_SURPLUS", "doctor looks at everything"),
    ("invariants::PARTNERS_COUNTED_WRONG", "doctor looks at everything"),
    ("invariants::PLACED_ELSEWHERE", "doctor looks at everything"),
    ("invariants::USERS_IN_NO_TIME", "doctor looks at everything"),
    ("partners::MADE_BY", "lines that wait to be sealed have an index of their own"),
    ("users::OWN_USERS", "the export of a partner has all of its own people"),
    ("sessions::ANY", "one row, whichever it is"),
    ("sessions::EXPIRED", "a job looks at each session"),
    ("delegated_access::BESIDE", "whether two directories speak of one person, before rules or a ceiling are changed"),
    ("delegated_access::GRANTS", "what the people of a directory hold, before its rules or its ceiling are changed"),
    ("delegated_access::RESTING", "doctor looks at everything"),
    ("delegated_access::UNCONFIRMED", "doctor looks at everything"),
    ("baseline::DELETED", "a run reads its whole connection, and this once"),
    ("baseline::UNLINKED", "a run reads its whole connection, and this once"),
    ("baseline::PRIVILEGED", "a run reads its whole connection, and this once"),
    ("users::UNCONFIRMED_MATCHING", "looks for people of the partner that is asked about, until there are enough"),
    ("removal_alerts::NO_MORE_THAN", "counts up to a bound"),
    ("removal_events::KEPT_OUT", "256 of them, or all who are suspended where those are fewer"),
    ("removal_events::KEPT_OUT_GONE", "256 of them, or all who are suspended where those are fewer"),
    ("removal_events::LAST", "the last line of an index"),
    ("removal_events::LAST_BEFORE_AT", "back from the last line, to the moment that is asked for"),
    ("removal_events::NEWER", "lines that wait to be sealed have an index of their own"),
    ("removal_events::UNSEALED", "lines that wait to be sealed have an index of their own"),
];

/// Statements that PostgreSQL begins at a whole table as long as it has no statistics of any: it takes one row in two hundred
/// for found then, whatever is looked for, so that two looks-up by index cost more than one table in order. The server's
/// job has tables that grew looked at within two seconds (`jobs/statistics`), and a plan that is kept is made anew then.
const BLIND: &[&str] = &[
    "members.value eq \"018f4e6a-7a70-7cc0-8000-000000000001\"",
    "rolecall::store::directory_summaries::MATCHES",
    "rolecall::store::effective::DECISION_OWNED",
    "rolecall::store::effective_lists::CANDIDATES",
    "rolecall::store::effective_many::DECISIONS",
    "rolecall::store::external_groups::LOCK_GROUPS_OF",
    "rolecall::store::external_groups::OF_USER",
    "rolecall::store::external_groups::OF_USERS",
    "rolecall::store::external_groups::TOUCH_GROUPS_OF",
    "rolecall::store::matches::BY_EMAIL",
    "rolecall::store::matches::BY_LOGIN",
    "rolecall::store::members::USERS_OF",
    "rolecall::store::user_summaries::SAID_BY",
    "rolecall::store::user_summaries::SUSPENDED",
];

/// A place where a plan goes through a large table.
type Places = BTreeSet<String>;

fn columns_of(table: &str) -> Option<&'static [&'static str]> {
    LARGE.iter().find(|(name, _)| *name == table).map(|(_, columns)| *columns)
}

/// Whether looking up by these columns finds all that a tenant has.
fn is_whole(table: &str, columns: &[String]) -> bool {
    columns_of(table).is_some_and(|whole| columns.iter().all(|column| whole.contains(&column.as_str())))
}

/// SQLite's tables and indexes: the table of each index, and what begins at each page of the file.
struct Shelf {
    indexes: BTreeMap<String, String>,
    pages: BTreeMap<i64, (String, String)>,
}

impl Shelf {
    async fn read(connection: &mut SqliteConnection) -> Self {
        let all = "SELECT type, name, tbl_name, rootpage FROM sqlite_schema WHERE type IN ('table', 'index')";
        let (mut indexes, mut pages) = (BTreeMap::new(), BTreeMap::new());
        for row in sqlx::query(all).fetch_all(connection).await.unwrap() {
            let (kind, name, table): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            pages.insert(row.get(3), (table.clone(), name.clone()));
            if kind == "index" {
                indexes.insert(name, table);
            }
        }
        Self { indexes, pages }
    }

    /// Where a plan goes through a large table: a cursor that is set to the first or last row of all, or a look-up by
    /// columns that say no more than whose rows they are.
    async fn places(&self, connection: &mut SqliteConnection, text: &str) -> Places {
        let mut places = Places::new();
        let steps = sqlx::query(AssertSqlSafe(format!("EXPLAIN {text}"))).fetch_all(&mut *connection).await;
        let mut cursors = BTreeMap::new();
        for step in steps.unwrap_or_else(|error| panic!("{error}: {text}")) {
            let (verb, cursor, page): (String, i64, i64) = (step.get("opcode"), step.get("p1"), step.get("p2"));
            match verb.as_str() {
                "OpenRead" | "OpenWrite" | "ReopenIdx" => {
                    cursors.insert(cursor, page);
                }
                "Rewind" | "Last" => {
                    let opened = cursors.get(&cursor).and_then(|page| self.pages.get(page));
                    if let Some((table, by)) = opened.filter(|(table, _)| columns_of(table).is_some()) {
                        places.insert(format!("all of {table} by {by}"));
                    }
                }
                _ => {}
            }
        }
        let steps = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(connection).await;
        for step in steps.unwrap() {
            let detail: String = step.get("detail");
            let Some((before, inside)) = detail.strip_prefix("SEARCH ").and_then(|rest| rest.split_once(" (")) else {
                continue;
            };
            let index = before.rsplit(' ').next().unwrap_or_default();
            let inside = inside.split(')').next().unwrap_or_default();
            let column = |part: &str| part.split(['=', '>', '<']).next().unwrap_or_default().to_owned();
            let columns: Vec<String> = inside.split(" AND ").map(column).collect();
            if self.indexes.get(index).is_some_and(|table| is_whole(table, &columns)) {
                places.insert(detail);
            }
        }
        places
    }
}

/// Where PostgreSQL's plan for values it does not know goes through a large table.
async fn on_postgres(
    connection: &mut PgConnection,
    indexes: &BTreeMap<String, String>,
    (text, types, parameters): (&str, &[&str], usize),
) -> Places {
    let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    let prepare = format!("PREPARE asked{types} AS {text}");
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *connection)
        .await
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    let values = vec!["NULL"; parameters].join(", ");
    let values = if values.is_empty() { values } else { format!("({values})") };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE asked{values}");
    let row = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *connection).await.unwrap();
    let plan: Json = row.get(0);
    sqlx::raw_sql("DEALLOCATE asked").execute(&mut *connection).await.unwrap();
    let mut places = Places::new();
    walk(&plan[0]["Plan"], indexes, &mut places);
    places
}

fn walk(node: &Json, indexes: &BTreeMap<String, String>, places: &mut Places) {
    let said = |key: &str| node[key].as_str().unwrap_or_default();
    let kind = said("Node Type");
    let index = said("Index Name");
    let table = match said("Relation Name") {
        "" => indexes.get(index).map(String::as_str).unwrap_or_default(),
        table => table,
    };
    let columns: Vec<String> = said("Index Cond")
        .split(" AND ")
        .map(|part| {
            let part = part.trim_start_matches(['(']).trim_start_matches("ROW(");
            part.split([' ', ',', ')']).next().unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned()
        })
        .filter(|column| !column.is_empty())
        .collect();
    let through = match kind {
        "Seq Scan" => columns_of(table).is_some(),
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => is_whole(table, &columns),
        _ => false,
    };
    if through {
        places.insert(format!("{kind} {table} {index} {}", said("Index Cond")));
    }
    for part in node["Plans"].as_array().into_iter().flatten() {
        walk(part, indexes, places);
    }
}

/// What the tests ask of users and groups by an identifier, alone and together.
fn probes() -> Vec<(bool, String)> {
    let id = "018f4e6a-7a70-7cc0-8000-000000000001";
    let users = [
        format!("id eq \"{id}\""),
        "userName eq \"u7\"".to_owned(),
        "externalId eq \"e7\"".to_owned(),
        "emails.value eq \"u7@example.com\"".to_owned(),
        "emails[type eq \"work\" and value eq \"u7@example.com\"]".to_owned(),
    ];
    let groups = [format!("id eq \"{id}\""), "displayName eq \"g7\"".to_owned(), "externalId eq \"e7\"".to_owned()];
    let mut probes = Vec::new();
    for (is_groups, alone) in [(false, &users[..]), (true, &groups[..])] {
        for one in alone {
            probes.push((is_groups, one.clone()));
            for other in alone.iter().filter(|other| *other != one) {
                probes.extend(["and", "or"].map(|word| (is_groups, format!("{one} {word} {other}"))));
            }
            if !is_groups {
                probes.push((false, format!("{one} and active eq true")));
                probes.push((false, format!("active eq true and ({one} or {})", users[1])));
            } else {
                probes.push((true, format!("{one} and members.value eq \"{id}\"")));
            }
        }
    }
    probes.push((true, format!("members.value eq \"{id}\"")));
    probes.push((false, format!("groups.value eq \"{id}\"")));
    probes
}

fn sorted(groups: bool) -> Vec<Option<Sort>> {
    let set = SchemaSet::base();
    let (kind, names) =
        if groups { (set.groups(), ["displayName", "externalId"]) } else { (set.users(), ["userName", "externalId"]) };
    let limits = PageLimits { default_count: 100, max_count: 1_000, cursor_lifetime: None };
    let sort = |name: &str| {
        let params = Params::from_query(&format!("sortBy={name}")).unwrap();
        Query::parse(&params, limits).unwrap().resolve(kind).unwrap().sort
    };
    let mut sorts = vec![None];
    sorts.extend(names.map(sort));
    assert!(sorts[1].is_some() && sorts[2].is_some());
    sorts
}

/// What is asked of lists: its name, the text, and how many parameters it has. Each kind of page of everything by id and
/// in the order of names; each probe, sorted and not, with the number of all.
fn searches(dialect: Dialect) -> Vec<(String, String, usize)> {
    let set = SchemaSet::base();
    let position = Position { key: None, id: uuid::Uuid::from_u128(7) };
    let pages = [
        PageRequest::Index { start: 1, count: 100 },
        PageRequest::Cursor { after: None, count: 100 },
        PageRequest::Cursor { after: Some(position.clone()), count: 100 },
        PageRequest::Back { before: position, count: 100 },
    ];
    let mut found = Vec::new();
    let mut ask = |name: String, groups: bool, filter: Option<&Filter>, sort: Option<&Sort>, page: &PageRequest| {
        for (text, values) in search::texts(dialect, groups, filter, sort, page) {
            found.push((name.clone(), text, values.len()));
        }
    };
    for (groups, probe) in probes() {
        let kind = if groups { set.groups() } else { set.users() };
        let filter = Asked::parse(&probe).unwrap().resolve(kind, Foreign::Refuse).unwrap();
        for sort in sorted(groups) {
            for page in pages.iter().take(if sort.is_some() { 2 } else { 4 }) {
                ask(probe.clone(), groups, Some(&filter), sort.as_ref(), page);
            }
        }
    }
    found
}

fn judge(name: &str, places: Places, faults: &mut BTreeMap<String, Places>) {
    if !places.is_empty() {
        faults.entry(name.to_owned()).or_default().extend(places);
    }
}

fn settle(dialect: Dialect, mut faults: BTreeMap<String, Places>) {
    let known: BTreeSet<&str> = texts(dialect).iter().map(|statement| statement.name).collect();
    for (name, _) in MAY {
        let name = format!("rolecall::store::{name}");
        assert!(known.contains(name.as_str()), "there is no statement {name}");
        faults.remove(&name);
    }
    let lines = |places: &Places| places.iter().map(|place| format!("\n    {place}")).collect::<String>();
    let told: String = faults.iter().map(|(name, places)| format!("\n{name}{}", lines(places))).collect();
    let advice = "look a row that is known by its id up by that alone (COALESCE(connection = $1, FALSE) keeps its \
                  index out of the plan), begin at the smaller side (CROSS JOIN), or say above why it may";
    assert!(faults.is_empty(), "{} plans begin at a whole table: {advice}{told}", faults.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    let database = Database::sqlite().await;
    let path = database.url.strip_prefix("sqlite:").unwrap();
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let shelf = Shelf::read(&mut connection).await;
    let mut faults = BTreeMap::new();
    for statement in texts(Dialect::Sqlite) {
        judge(statement.name, shelf.places(&mut connection, statement.text).await, &mut faults);
    }
    for (name, text, _) in searches(Dialect::Sqlite) {
        judge(&name, shelf.places(&mut connection, &text).await, &mut faults);
    }
    settle(Dialect::Sqlite, faults);
    database.remove().await;
}

/// Rows without meaning, many enough that going through them all is dear.
const MANY: &str = "
    SET session_replication_role = replica;
    DO $$ DECLARE t TEXT; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', t); END LOOP; END $$;
    CREATE FUNCTION n(kind TEXT, number BIGINT) RETURNS UUID IMMUTABLE LANGUAGE SQL
        AS $$ SELECT md5(kind || number)::uuid $$;
    INSERT INTO external_users (id, connection_id, directory_id, stable_id, match_key, external_id, user_name, user_name_key,
        active, document, search_keys, user_id, link_origin, version, created_at, updated_at)
        SELECT n('u', i), n('c', i / 50000), n('d', i / 50000), 's' || i, ('u' || i)::bytea, 'e' || i, 'u' || i,
        ('u' || i)::bytea, TRUE, repeat('{}', 100), repeat('{}', 100), n('p', i), 'created', 1, i, i
        FROM generate_series(1, 100000) i;
    INSERT INTO external_user_emails SELECT n('c', i / 50000), ('m' || i)::bytea, n('u', i) FROM generate_series(1, 100000) i;
    INSERT INTO external_groups (id, connection_id, directory_id, stable_id, external_id, display_name, display_name_key, document, search_keys,
        is_removed, version, created_at, updated_at)
        SELECT n('g', i), n('c', i / 10000), n('d', i / 10000), 's' || i, 'e' || i, 'g' || i, ('g' || i)::bytea, '{}',
        '{}', FALSE, 1, i, i FROM generate_series(1, 20000) i;
    INSERT INTO external_group_members SELECT n('g', i % 20000), n('u', i % 99991) FROM generate_series(1, 300000) i
        ON CONFLICT DO NOTHING;
    INSERT INTO external_subgroups SELECT n('g', i), n('g', i + 1) FROM generate_series(1, 20000) i;
    INSERT INTO external_group_ancestors SELECT n('g', i), n('g', i) FROM generate_series(1, 20000) i;
    INSERT INTO external_group_ancestors SELECT n('g', i), n('g', i + 1) FROM generate_series(1, 20000) i;
    INSERT INTO partners SELECT n('q', i), CASE WHEN i > 0 THEN n('q', 0) END, 'e' || i, 'q' || i, ('q' || i)::bytea,
        'company', 1, 'live', 1, 1, 1, 1 FROM generate_series(0, 5000) i;
    INSERT INTO partner_ancestors SELECT n('q', i), n('q', i), 0 FROM generate_series(0, 5000) i;
    INSERT INTO partner_ancestors SELECT n('q', i), n('q', 0), 1 FROM generate_series(1, 5000) i;
    INSERT INTO users (id, partner_id, display_name, email, email_key, login_name, login_key, sort_key, primary_group_id, state,
        version, created_at, updated_at)
        SELECT n('p', i), n('q', i % 3), 'p' || i, 'p' || i, ('p' || i)::bytea, 'p' || i, ('p' || i)::bytea,
        ('p' || i)::bytea, n('a', i % 3), 'live', 1, i, i FROM generate_series(1, 100000) i;
    INSERT INTO user_suspensions SELECT n('p', i), 'admin', 'x', i FROM generate_series(1, 30000) i;
    INSERT INTO attribute_condition_members SELECT n('k', i % 20), n('u', i) FROM generate_series(1, 100000) i;
    INSERT INTO match_keys SELECT n('d', i / 50000), ('u' || i)::bytea, n('p', i), TRUE, i
        FROM generate_series(1, 100000) i;
    INSERT INTO user_group_members SELECT n('a', i % 50), n('p', i), NULL, i FROM generate_series(1, 100000) i;
    INSERT INTO events SELECT n('v', i), i, 'x', n('q', i % 3), n('p', i % 5000), 'x', '{}', i, 'x'
        FROM generate_series(1, 150000) i;
    INSERT INTO sessions SELECT n('t', i), ('t' || i)::bytea, n('p', i % 5000), NULL, 1, i, i, i
        FROM generate_series(1, 50000) i;
    INSERT INTO deleted_external_users (id, connection_id, directory_id, stable_id, user_name, user_name_key, active, document, search_keys, version,
        created_at, deleted_at)
        SELECT n('x', i), n('c', i / 25000), n('d', i / 25000), 's' || i, 'u' || i, ('u' || i)::bytea, TRUE, '{}', '{}',
        1, i, i FROM generate_series(1, 50000) i;
    INSERT INTO deleted_external_groups (id, connection_id, directory_id, stable_id, display_name, display_name_key, document, search_keys, version,
        created_at, deleted_at)
        SELECT n('y', i), n('c', i / 25000), n('d', i / 25000), 's' || i, 'g' || i, ('g' || i)::bytea, '{}', '{}', 1, i, i
        FROM generate_series(1, 50000) i;
    INSERT INTO request_log_entries SELECT n('c', i / 50000), i, n('r', i), '{}' FROM generate_series(1, 100000) i;
";

/// How the store has the server plan, on every connection.
const PLANNING: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET join_collapse_limit = 4;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    let database = Database::postgres().await;
    let mut connection = database.url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    sqlx::raw_sql(MANY).execute(&mut connection).await.unwrap();
    sqlx::raw_sql(PLANNING).execute(&mut connection).await.unwrap();
    let rows = sqlx::query("SELECT indexname::text, tablename::text FROM pg_indexes WHERE schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let indexes: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (statistics, may) in [("", BLIND), ("SET default_statistics_target = 10; ANALYZE", &[])] {
        sqlx::raw_sql(statistics).execute(&mut connection).await.unwrap();
        let mut faults = BTreeMap::new();
        for statement in texts(Dialect::Postgres) {
            let asked = (statement.text, statement.types.as_slice(), parameters(statement.text));
            judge(statement.name, on_postgres(&mut connection, &indexes, asked).await, &mut faults);
        }
        for (name, text, values) in searches(Dialect::Postgres) {
            judge(&name, on_postgres(&mut connection, &indexes, (&text, &[], values)).await, &mut faults);
        }
        for name in may {
            assert!(faults.remove(*name).is_some(), "{name} is right without statistics, too");
        }
        settle(Dialect::Postgres, faults);
    }
    drop(connection);
    database.remove().await;
}

/// The highest parameter of a text.
fn parameters(text: &str) -> usize {
    let number =
        |rest: &str| rest.split(|char: char| !char.is_ascii_digit()).next().unwrap_or_default().parse().unwrap_or(0);
    text.split('$').skip(1).map(number).max().unwrap_or(0)
}
