//! Groups are sent with all of their members, however many those are, wherever groups are sent: alone, in lists of every
//! kind, and as the answer of a write.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{Answer, App, Scim};
use crate::support::database::on_both;
use crate::support::world::World;

/// Members of the groups: none, few, and on both sides of what is read at once.
const SIZES: [usize; 9] = [0, 1, 5, 998, 999, 1_000, 1_001, 2_000, 2_001];

fn values(group: &Value) -> BTreeSet<String> {
    let members = group["members"].as_array().into_iter().flatten();
    let all: Vec<String> = members.map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    let once: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(once.len(), all.len(), "nobody is sent twice");
    once
}

/// The groups of a list, by id, with their members.
fn groups(list: &Answer) -> BTreeMap<String, BTreeSet<String>> {
    assert_eq!(list.status, 200, "{}", list.body);
    let all = list.body["Resources"].as_array().unwrap();
    assert_eq!(list.body["itemsPerPage"], all.len());
    let groups = all.iter().filter(|one| one["meta"]["resourceType"] == "Group");
    groups.map(|group| (group["id"].as_str().unwrap().to_owned(), values(group))).collect()
}

/// The lengths of the parts in which an answer is sent while it is read.
async fn parts(app: &App, scim: &Scim, path: &str) -> Vec<usize> {
    let (place, token) = (&scim.base[app.base.len()..], &scim.token);
    let mut socket = TcpStream::connect(app.running.address()).await.unwrap();
    let ask =
        format!("GET {place}{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    socket.read_to_end(&mut all).await.unwrap();
    let text = String::from_utf8(all).unwrap();
    let (head, mut body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{path} is sent whole: {head}");
    let mut parts = Vec::new();
    loop {
        let (length, rest) = body.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return parts;
        }
        parts.push(length);
        body = &rest[length + 2..];
    }
}

async fn users(scim: &Scim, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("user{n}@harbor.example")).collect();
    let mut ids = Vec::new();
    for some in names.chunks(64) {
        let made = futures_util::future::join_all(some.iter().map(|name| scim.user(name))).await;
        ids.extend(made.iter().map(Answer::id));
    }
    ids
}

on_both! {
    async fn every_way_to_see_groups_shows_all_members(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let users = users(&scim, SIZES[8]).await;
        let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for size in SIZES {
            let named: Vec<&str> = users[..size].iter().map(String::as_str).collect();
            let made = scim.group(&format!("of {size}"), &named).await;
            assert_eq!(made.status, 201);
            assert_eq!(values(&made.body).len(), size, "the answer of a POST");
            assert_eq!(made.header("etag"), made.body["meta"]["version"]);
            assert_eq!(made.header("location"), made.body["meta"]["location"]);
            assert_eq!(made.body.get("members").is_some(), size > 0);
            expected.insert(made.id(), users[..size].iter().cloned().collect());
        }
        let inner: Vec<String> = expected.keys().cloned().collect();
        let named: Vec<&str> = inner.iter().map(String::as_str).chain([users[0].as_str()]).collect();
        let outer = scim.group("of groups", &named).await;
        expected.insert(outer.id(), named.iter().map(|id| (*id).to_owned()).collect());

        for (id, members) in &expected {
            let read = scim.get(&format!("/Groups/{id}")).await;
            assert_eq!(&values(&read.body), members);
            assert_eq!(read.header("etag"), read.body["meta"]["version"]);
        }
        let shown = scim.get(&format!("/Groups/{}", outer.id())).await;
        for member in shown.body["members"].as_array().unwrap() {
            let (kind, id) = (member["type"].as_str().unwrap(), member["value"].as_str().unwrap());
            assert_eq!(kind, if inner.contains(&id.to_owned()) { "Group" } else { "User" });
            assert_eq!(member["$ref"], format!("{}/{kind}s/{id}", scim.base));
            assert!(member.get("display").is_none(), "the name is shown to who asks");
        }
        let named = scim.get(&format!("/Groups/{}?attributes=members.display", outer.id())).await;
        for member in named.body["members"].as_array().unwrap() {
            assert!(member["display"].is_string() && member.get("type").is_none());
        }

        assert_eq!(groups(&scim.get("/Groups").await), expected);
        // What is held at once does not grow with the answer, whatever the answer is.
        let large = expected.iter().max_by_key(|(_, members)| members.len()).map(|(id, _)| id).unwrap();
        for path in [
            "/Groups".to_owned(),
            "/Groups?sortBy=displayName&sortOrder=descending".to_owned(),
            "/Groups?filter=displayName%20sw%20%22of%22".to_owned(),
            format!("/?startIndex={}&count=50", users.len() + 1),
            format!("/Groups/{large}"),
        ] {
            let parts = parts(&app, &scim, &path).await;
            assert!(parts.len() > 1 && parts.iter().all(|part| *part < 1 << 20), "{path}: {parts:?}");
        }
        assert_eq!(groups(&scim.get("/Groups?sortBy=displayName&sortOrder=descending").await), expected);
        assert_eq!(groups(&scim.get("/Groups?filter=displayName%20sw%20%22of%22").await), expected);
        assert_eq!(groups(&scim.get(&format!("/?startIndex={}&count=50", users.len() + 1)).await), expected);
        let (mut walked, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let page = scim.get(&format!("/Groups?count=4&cursor={cursor}")).await;
            walked.extend(groups(&page));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert_eq!(walked, expected);
        let few = scim.get("/Groups?attributes=members.value").await;
        assert_eq!(groups_of_values(&few), expected.values().cloned().collect());
        let none = scim.get("/Groups?excludedAttributes=members").await;
        assert!(none.body["Resources"].as_array().unwrap().iter().all(|group| group.get("members").is_none()));

        let path = format!("/Groups/{}", outer.id());
        let members: Vec<Value> = users[..1_500].iter().map(|id| json!({"value": id})).collect();
        let replaced = scim.put(&path, json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "replaced", "members": members})).await;
        assert_eq!(values(&replaced.body).len(), 1_500, "the answer of a PUT");
        let patched = scim.patch(&format!("{path}?attributes=members"), json!([{"op": "add", "path": "members",
            "value": [{"value": users[1_500]}]}])).await;
        assert_eq!((patched.status, values(&patched.body).len()), (200, 1_501), "the answer of a PATCH");
        app.stop().await;
    }
}

fn groups_of_values(list: &Answer) -> BTreeSet<BTreeSet<String>> {
    let all = list.body["Resources"].as_array().unwrap();
    for member in all.iter().flat_map(|group| group["members"].as_array().into_iter().flatten()) {
        assert_eq!(member.as_object().unwrap().len(), 1, "only what was asked for");
    }
    all.iter().map(values).collect()
}
