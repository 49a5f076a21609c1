//! Statements of a whole list of members: one of which nothing, or less than half, is known takes nobody out.
use rolecall::scim::profile::{ClientProfile, UnknownMember};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::{Database, on_both};
use crate::support::world::{World, fresh_id};

statements! {
    PROFILE = "UPDATE connections SET profile = $2, version = version + 1 WHERE id = $1";
}

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn profile(db: &Database, world: &World, profile: ClientProfile) {
    db.execute(&PROFILE, binds![world.connections[0].connection(), profile.as_str()]).await;
}

/// Every way to say who the members of a group are, all of them.
async fn every_way(scim: &Scim, group: &str, members: Value) -> Vec<(&'static str, Answer)> {
    let path = format!("/Groups/{group}");
    let put = json!({"schemas": [GROUP], "displayName": "Ops", "members": members});
    let replace = json!([{"op": "replace", "path": "members", "value": members}]);
    let pathless = json!([{"op": "replace", "value": {"members": members}}]);
    let urn = json!([{"op": "replace", "path": format!("{GROUP}:members"), "value": members}]);
    let anew = json!([{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": members}]);
    let one_by_one: Vec<Value> = std::iter::once(json!({"op": "replace", "path": "members", "value": []}))
        .chain(members.as_array().unwrap().iter().map(|one| json!({"op": "add", "path": "members", "value": [one]})))
        .collect();
    let bulk = |method: &str, data: Value| {
        json!({"schemas": [BULK],
        "Operations": [{"method": method, "path": path, "data": data}]})
    };
    let in_bulk = [
        ("bulk put", bulk("PUT", put.clone())),
        ("bulk patch", bulk("PATCH", json!({"schemas": [PATCH], "Operations": replace}))),
    ];
    let mut answers = vec![
        ("put", scim.put(&path, put).await),
        ("replace", scim.patch(&path, replace).await),
        ("path-less", scim.patch(&path, pathless).await),
        ("urn", scim.patch(&path, urn).await),
        ("remove and add", scim.patch(&path, anew).await),
        ("one by one", scim.patch(&path, one_by_one.into()).await),
    ];
    for (name, body) in in_bulk {
        let mut answer = scim.post("/Bulk", body).await;
        let operation = &answer.body["Operations"][0];
        answer.status = operation["status"].as_str().unwrap().parse().unwrap();
        answer.body = operation["response"].clone();
        answers.push((name, answer));
    }
    answers
}

fn list(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({"value": id})).collect()
}

async fn members(scim: &Scim, group: &str) -> Vec<String> {
    let shown = scim.get(&format!("/Groups/{group}")).await;
    let mut ids: Vec<String> = shown.body["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

on_both! {
    async fn a_list_of_which_nothing_is_known_changes_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let neighbour = app.scim(db, &world, world.connections[1]).await;
        let users: Vec<String> = vec![scim.user("a").await.id(), scim.user("b").await.id()];
        let group = scim.group("Ops", &[&users[0], &users[1]]).await.id();
        let elsewhere = neighbour.user("c").await.id();
        let gone = scim.user("d").await.id();
        assert_eq!(scim.delete(&format!("/Users/{gone}")).await.status, 204);
        let unknown = fresh_id().to_string();
        // Ids of another kind, spelling and environment.
        let strangers = ["nobody", "a", &unknown, &users[0].to_uppercase(), &elsewhere, &gone, &group,
            "00uHARBOR0001", "bulkId:x"].map(str::to_owned);
        for (known, _) in ClientProfile::ALL {
            profile(db, &world, known).await;
            for stranger in &strangers {
                for (way, answer) in every_way(&scim, &group, list(&[stranger])).await {
                    if way.starts_with("bulk") && stranger.starts_with("bulkId:") {
                        continue;
                    }
                    assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("invalidValue")), "{known} {way} {stranger}: {answer:?}");
                }
            }
            assert_eq!(members(&scim, &group).await.len(), 2, "{known}");
        }
        profile(db, &world, ClientProfile::Generic).await;
        for odd in [json!([null]), json!([null, null]), json!([{}]), json!([{"value": ""}]), json!([""]), json!("nobody")] {
            let path = format!("/Groups/{group}");
            for answer in [scim.patch(&path, json!([{"op": "replace", "path": "members", "value": odd}])).await,
                scim.patch(&path, json!([{"op": "replace", "value": {"members": odd}}])).await,
                scim.put(&path, json!({"schemas": [GROUP], "displayName": "Ops", "members": odd})).await] {
                assert_eq!(answer.status, 400, "{odd}: {answer:?}");
            }
        }
        assert_eq!(members(&scim, &group).await.len(), 2);
        // Nobody is still somebody's wish.
        for (way, answer) in every_way(&scim, &group, json!([])).await {
            assert!(answer.status < 300, "{way}: {answer:?}");
        }
        assert!(members(&scim, &group).await.is_empty());
        app.stop().await;
    }

    async fn of_a_mixed_list_the_known_count_unless_most_are_unknown(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let mut users = Vec::new();
        for name in ["a", "b", "c", "d"] {
            users.push(scim.user(name).await.id());
        }
        let nested = scim.group("Nested", &[]).await.id();
        let group = scim.group("Ops", &[&users[3]]).await.id();
        let strangers: Vec<String> = (0..4).map(|_| fresh_id().to_string()).collect();
        for (known, _) in ClientProfile::ALL {
            profile(db, &world, known).await;
            let strict = known.switches().unknown_member == UnknownMember::Reject;
            for (right, wrong) in [(1, 1), (2, 1), (2, 2), (1, 2), (2, 3), (0, 1), (3, 4)] {
                let mut ids: Vec<&str> = users.iter().take(right).chain(strangers.iter().take(wrong)).map(String::as_str).collect();
                let mut after: Vec<String> = users[..right].to_vec();
                if right == 3 {
                    // One said twice counts once; a group is known too.
                    ids.extend([users[0].as_str(), users[0].as_str(), nested.as_str()]);
                    after.push(nested.clone());
                }
                after.sort();
                let refused = strict || wrong > after.len();
                let before = members(&scim, &group).await;
                for (way, answer) in every_way(&scim, &group, list(&ids)).await {
                    assert_eq!(answer.status >= 400, refused, "{known} {way} {right}+{wrong}: {answer:?}");
                }
                assert_eq!(members(&scim, &group).await, if refused { before } else { after }, "{known} {right}+{wrong}");
            }
        }
        app.stop().await;
    }

    async fn whom_add_and_remove_do_not_know_the_log_tells(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let (user, other) = (scim.user("a").await.id(), scim.user("b").await.id());
        let group = scim.group("Ops", &[]).await.id();
        let path = format!("/Groups/{group}");
        let unknown = fresh_id().to_string();
        let filter = |id: &str| format!("members[value eq \"{id}\"]");
        for (operations, told) in [
            (json!([{"op": "add", "path": "members", "value": [{"value": unknown}]}]), vec![unknown.clone()]),
            (json!([{"op": "add", "path": "members", "value": [{"value": user}, {"value": "nobody"}]}]), vec!["nobody".to_owned()]),
            (json!([{"op": "remove", "path": filter(&unknown)}]), vec![unknown.clone()]),
            (json!([{"op": "remove", "path": "members", "value": [{"value": user}, {"value": "nobody"}]}]), vec!["nobody".to_owned()]),
            // Known, and no member: what was wanted is so.
            (json!([{"op": "remove", "path": filter(&other)}]), vec![]),
        ] {
            let answer = scim.patch(&path, operations.clone()).await;
            assert!(answer.status < 300, "{operations}: {answer:?}");
            let request = answer.header("x-request-id").to_owned();
            let line = loop {
                let (lines, _) = app.running.app().request_log.page(&world.connections[0], "", None, 100).await.unwrap();
                if let Some(line) = lines.into_iter().find(|line| line.request_id == request) {
                    break line;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            };
            let said: Vec<String> = serde_json::from_value(line.effect["unknownMembers"].clone()).unwrap_or_default();
            assert_eq!(said, told, "{operations}: {line:?}");
        }
        assert!(members(&scim, &group).await.is_empty());
        app.stop().await;
    }
}
