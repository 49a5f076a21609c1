//! What real clients send, word for word, and what they are answered: the files in `conformance/scim/replay`.
//!
//! A file is one client: a profile, headers, and groups of exchanges. Each group begins at an empty connection. Where an
//! exchange has a `strict` result, its group runs once more under the strict profile. Words in braces stand for what an
//! earlier answer held (`keep`), `{n}` for the number of a repeated exchange, all of which are sent at once.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::HeaderMap;
use rolecall::store::{StoreError, Tx};
use rolecall::{binds, statements};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::{Database, on_both};
use crate::support::world::{World, fresh_id};

statements! {
    SETTINGS = "UPDATE connections SET profile = $2, settings = $3, version = version + 1 WHERE id = $1";
    CAPABILITY = "INSERT INTO capabilities (id, name, title, category, risk, on_suspended) \
        VALUES ($1, $2, $3, 'Devices', 0, FALSE) ON CONFLICT DO NOTHING";
    ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, $3, $4, 1, 0)";
    ROLE_ANCESTOR = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $2)";
    CONFERS = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, 'subtree', $2)";
    CEILING = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
}

/// The fewest exchanges and clients that the files must hold.
const LEAST: (usize, usize) = (150, 12);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    client: String,
    profile: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    description: String,
    #[serde(default)]
    settings: Value,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Exchange {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The whole body.
    body: Option<Value>,
    /// The operations of a PATCH, sent in their envelope.
    operations: Option<Value>,
    #[serde(default)]
    repeat: usize,
    expect: Expect,
    /// What the strict profile answers, when it is something else.
    strict: Option<Expect>,
    /// Name of what is kept, and where it stands in the answer.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: Vec<u16>,
    #[serde(rename = "scimType")]
    scim_type: Option<String>,
    /// Values by JSON pointer.
    #[serde(default)]
    holds: BTreeMap<String, Value>,
    /// Lists by JSON pointer, and how long they are; a list that is not there has no length.
    #[serde(default)]
    counts: BTreeMap<String, usize>,
    /// JSON pointers to nothing.
    #[serde(default)]
    lacks: Vec<String>,
}

on_both! {
    async fn every_client_gets_its_answers(db: &Database) {
        let app = App::start(db).await;
        let files = files();
        let mut problems = Vec::new();
        for file in &files {
            for group in &file.groups {
                problems.extend(run(db, &app, file, group, false).await);
                if group.exchanges.iter().any(|exchange| exchange.strict.is_some()) {
                    problems.extend(run(db, &app, file, group, true).await);
                }
            }
        }
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
        app.stop().await;
    }
}

#[test]
fn there_are_many_exchanges_of_many_clients() {
    let files = files();
    let clients: BTreeSet<&str> = files.iter().map(|file| file.client.as_str()).collect();
    let exchanges: usize = files.iter().flat_map(|file| &file.groups).map(|group| group.exchanges.len()).sum();
    assert!(exchanges >= LEAST.0 && clients.len() >= LEAST.1, "{exchanges} exchanges of {} clients", clients.len());
}

fn files() -> Vec<Client> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/scim/replay");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap())
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// The directory may confer two roles, which allow three things. The role above one of them is out of its reach, and so
/// is what that role does not have.
async fn lay_ceiling(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    let all = [
        (2_001, "quay.crane.view", "See cranes"),
        (2_002, "quay.crane.move", "Move cranes"),
        (2_003, "quay.gate.open", "Open gates"),
        (2_004, "quay.dredge", "Dredge"),
    ];
    for (number, name, title) in all {
        tx.execute(&CAPABILITY, binds![number, name, title]).await?;
    }
    let (master, driver, keeper) = (fresh_id(), fresh_id(), fresh_id());
    for (role, name, confers) in [
        (master, "Harbor master", &[2_001, 2_002, 2_003][..]),
        (driver, "Crane driver", &[2_001, 2_002, 2_004]),
        (keeper, "Gatekeeper", &[2_003]),
    ] {
        tx.execute(&ROLE, binds![role, world.partner, name, name.to_lowercase().into_bytes()]).await?;
        tx.execute(&ROLE_ANCESTOR, binds![role, role]).await?;
        for capability in confers {
            tx.execute(&CONFERS, binds![role, *capability]).await?;
        }
    }
    tx.execute(&ROLE_ANCESTOR, binds![driver, master]).await?;
    for role in [driver, keeper] {
        let scope = fresh_id();
        tx.execute(&SCOPE, binds![scope, world.partner]).await?;
        tx.execute(&CEILING, binds![world.directory, role, scope]).await?;
    }
    Ok(())
}

/// Runs one group at a connection of its own; what went otherwise than expected.
async fn run(db: &Database, app: &App, file: &Client, group: &Group, strict: bool) -> Vec<String> {
    let world = World::new(&db.store).await;
    let connection = world.connections[0];
    let profile = if strict { "strict" } else { &file.profile };
    let settings = match (&group.settings, strict) {
        (Value::Null, _) => json!({}),
        // The switches are what differs from strict; schemas stay.
        (settings, true) => json!({"schemas": settings.get("schemas").cloned().unwrap_or(json!([]))}),
        (settings, false) => settings.clone(),
    };
    let set = async |tx: &mut Tx| -> Result<(), StoreError> {
        tx.execute(&SETTINGS, binds![connection.connection(), profile, settings.to_string()]).await.map(drop)
    };
    db.store.write(set).await.unwrap();
    db.store.write(async |tx: &mut Tx| lay_ceiling(tx, &world).await).await.unwrap();
    let scim = app.scim(db, &world, connection).await;
    let mut kept = BTreeMap::from([("BASE".to_owned(), scim.base.clone())]);
    let mut problems = Vec::new();
    for (at, exchange) in group.exchanges.iter().enumerate() {
        let copies = (0..exchange.repeat.max(1)).map(|n| {
            let mut exchange = exchange.clone();
            let mut filled = kept.clone();
            filled.insert("n".to_owned(), n.to_string());
            exchange.keep = exchange.keep.into_iter().map(|(name, at)| (fill(&name, &filled), at)).collect();
            (exchange, filled)
        });
        let copies: Vec<_> = copies.collect();
        let answers = join_all(copies.iter().map(|(exchange, kept)| send(&scim, file, exchange, kept))).await;
        for ((exchange, filled), answer) in copies.iter().zip(answers) {
            let wanted = exchange.strict.as_ref().filter(|_| strict).unwrap_or(&exchange.expect);
            if let Some(problem) = differs(wanted, &answer, filled) {
                let number = at + 1;
                problems.push(format!("{} ({profile}) {} {number}: {problem}; {answer:?}", file.client, group.name));
            }
            for (name, pointer) in &exchange.keep {
                let value = answer.body.pointer(pointer).and_then(Value::as_str).unwrap_or("nothing was kept");
                kept.insert(name.clone(), value.to_owned());
            }
        }
    }
    if group.description.is_empty() {
        problems.push(format!("{}: a description is missing", group.name));
    }
    problems
}

async fn send(scim: &Scim, file: &Client, exchange: &Exchange, kept: &BTreeMap<String, String>) -> Answer {
    let method: Method = exchange.method.parse().unwrap();
    let mut request = scim.request(method, &fill(&exchange.path, kept));
    let mut headers = file.headers.clone();
    headers.extend(exchange.headers.clone());
    let parsed = headers.iter().map(|(name, value)| (name.parse().unwrap(), fill(value, kept).parse().unwrap()));
    // In the place of the ones that are there: a client may send other credentials.
    request = request.headers(parsed.collect::<HeaderMap>());
    let urn = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    let operations = exchange.operations.as_ref().map(|list| json!({"schemas": [urn], "Operations": list}));
    if let Some(body) = exchange.body.clone().or(operations) {
        if !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/scim+json");
        }
        request = request.body(filled(&body, kept).to_string());
    }
    scim.send(request).await
}

/// The text with everything in braces that is known put in; the number first, because it may be part of a name.
fn fill(text: &str, kept: &BTreeMap<String, String>) -> String {
    let number = kept.get("n").map_or_else(|| text.to_owned(), |number| text.replace("{n}", number));
    kept.iter().fold(number, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The same for every text in a document.
fn filled(value: &Value, kept: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => fill(text, kept).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, kept)).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), filled(item, kept))).collect(),
        other => other.clone(),
    }
}

/// What is wrong with an answer, if anything is.
fn differs(wanted: &Expect, answer: &Answer, kept: &BTreeMap<String, String>) -> Option<String> {
    if !wanted.status.contains(&answer.status) {
        return Some(format!("status {:?} expected", wanted.status));
    }
    let kind = answer.body["scimType"].as_str();
    if wanted.scim_type.as_deref().is_some_and(|wanted| Some(wanted) != kind) {
        return Some(format!("scimType {:?} expected", wanted.scim_type));
    }
    if answer.status >= 400 && answer.body["status"].as_str() != Some(answer.status.to_string().as_str()) {
        return Some("an error of another form".to_owned());
    }
    for (pointer, value) in &wanted.holds {
        let value = filled(value, kept);
        if answer.body.pointer(&fill(pointer, kept)) != Some(&value) {
            return Some(format!("{pointer} should be {value}"));
        }
    }
    for (pointer, count) in &wanted.counts {
        if answer.body.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len) != *count {
            return Some(format!("{pointer} should have {count}"));
        }
    }
    let there = wanted.lacks.iter().find(|pointer| answer.body.pointer(pointer).is_some());
    there.map(|pointer| format!("{pointer} should not be there"))
}
