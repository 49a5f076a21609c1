//! What a connection took away between two moments comes back, exactly that, and only as the plan was shown.
use std::process::Command;

use rolecall::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::app::Scim;
use crate::support::api::problem;
use crate::support::database::on_both;
use crate::support::stage::{CONNECTION, Picture, Stage, api_token, now, push_at};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Pushes a user of the department IT, whose `active` is said or left unsaid.
async fn user(scim: &Scim, name: &str, active: Option<bool>) -> String {
    let mut body = json!({"schemas": [USER, ENTERPRISE], "userName": format!("{name}@harbor.example"),
        "externalId": format!("ext-{name}"), "displayName": name,
        "emails": [{"value": format!("{name}@private.example"), "type": "home"}], ENTERPRISE: {"department": "IT"}});
    if let Some(active) = active {
        body["active"] = json!(active);
    }
    let answer = scim.post("/Users", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.id()
}

async fn take_out(scim: &Scim, group: &str, member: &str) {
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{member}\"]")}]);
    let answer = scim.patch(&format!("/Groups/{group}"), out).await;
    assert!(answer.status < 300, "{answer:?}");
}

async fn put_in(scim: &Scim, group: &str, member: &str) {
    let add = json!([{"op": "add", "path": "members", "value": [{"value": member}]}]);
    let answer = scim.patch(&format!("/Groups/{group}"), add).await;
    assert!(answer.status < 300, "{answer:?}");
}

async fn delete(scim: &Scim, path: &str) {
    let answer = scim.delete(path).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// Our id of the user behind a name.
async fn behind(stage: &Stage, name: &str) -> String {
    stage.console.user("harbor", &format!("{name}@harbor.example")).await.to_string()
}

fn count(plan: &Value, what: &str) -> u64 {
    plan["counts"][what].as_u64().unwrap()
}

/// The two pictures without what `but` names.
fn same(one: &Picture, other: &Picture, but: &[&str]) {
    let of = |picture: &Picture| -> Vec<(String, Value)> {
        let named = |key: &String| but.iter().any(|name| key.contains(name));
        picture.iter().filter(|(key, _)| !named(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (one, other) = (of(one), of(other));
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
}

on_both! {
    async fn exactly_what_was_taken_comes_back(db: &Database) {
        let stage = Stage::open(db).await;
        let scim = &stage.scim;
        let mut ids = Vec::new();
        for name in ["ann", "bea", "cid", "dan", "eva", "fay", "gus", "hal", "ivy", "jon"] {
            ids.push(user(scim, name, (name != "bea").then_some(true)).await);
        }
        let [ann, bea, cid, dan, eva, fay, gus, hal, ivy, jon] = ids.as_slice() else { panic!() };
        let operators = scim.group("Backup Operators", &[ann, bea, cid, dan, eva]).await.id();
        let crew = scim.group("Crew", &[ann, fay, gus]).await.id();
        let all = scim.group("All", &[jon]).await.id();
        put_in(scim, &all, &crew).await;
        // Gone before, by this connection; and kept out by an administrator, whatever it says.
        stage.set_active(hal, false).await;
        take_out(scim, &operators, eva).await;
        let eva_here = behind(&stage, "eva").await;
        let suspended = stage.post(&format!("/api/v1/users/{eva_here}/suspend"), json!({"reason": "left the team"})).await;
        assert_eq!(suspended.status, 200, "{suspended:?}");
        let before = stage.picture().await;

        let from = now().await;
        stage.set_active(ann, false).await;
        stage.set_active(bea, false).await;
        stage.set_active(eva, false).await;
        take_out(scim, &operators, ann).await;
        delete(scim, &format!("/Users/{cid}")).await;
        stage.set_active(dan, false).await;
        delete(scim, &format!("/Users/{dan}")).await;
        delete(scim, &format!("/Groups/{crew}")).await;
        // What is taken and given back within the time is no matter of the plan.
        stage.set_active(ivy, false).await;
        stage.set_active(ivy, true).await;
        let to = now().await;
        // Taken away later, or given back and taken away again: that stands.
        stage.set_active(fay, false).await;
        take_out(scim, &all, jon).await;
        let taken = stage.picture().await;
        assert_ne!(before, taken);

        let plan = stage.plan(from, to).await;
        assert_eq!(taken, stage.picture().await, "a look changes nothing");
        let restorable: Vec<_> = plan["entries"].as_array().unwrap().iter()
            .filter(|entry| entry["state"] == "restorable")
            .map(|entry| (entry["kind"].as_str().unwrap(), entry["user_name"].as_str().unwrap_or_default().split('@').next().unwrap()))
            .collect();
        let of = |kind: &str| {
            let mut names: Vec<_> = restorable.iter().filter(|(one, _)| *one == kind).map(|(_, name)| *name).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(of("user"), ["cid", "dan"]);
        assert_eq!(of("active"), ["ann", "bea", "dan", "eva"]);
        assert_eq!(of("group").len(), 1);
        // Four of Backup Operators or Crew, and Crew in All.
        assert_eq!(of("membership"), ["", "ann", "ann", "cid", "dan", "fay", "gus"]);
        assert_eq!((count(&plan, "restorable"), count(&plan, "already_restored"), count(&plan, "not_restorable")), (14, 1, 0));
        let kept_out = |entry: &&Value| entry["still_suspended"] == true;
        let kept: Vec<_> = plan["entries"].as_array().unwrap().iter().filter(kept_out).collect();
        assert_eq!((kept.len(), kept[0]["user"].as_str().unwrap()), (1, eva.as_str()));

        let done = stage.apply(from, to, &plan["plan_hash"]).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(done.body["applied"], json!({"restored": 14, "skipped": 0}), "{done:?}");
        let after = stage.picture().await;
        let fay_here = behind(&stage, "fay").await;
        same(&before, &after, &[fay, &fay_here, &all, jon]);
        assert_eq!(after[&format!("Users \"{fay}\"")]["active"], false, "taken later, stays taken");
        let members = after[&format!("Groups \"{all}\"")]["members"].to_string();
        assert!(members.contains(crew.as_str()) && !members.contains(jon.as_str()), "{members}");
        let eva_after = &after[&format!("user {eva_here}")];
        assert_eq!(eva_after["suspensions"].as_array().unwrap().len(), 1, "{eva_after}");

        // Once more there is nothing to do, and nothing is done.
        let plan = stage.plan(from, to).await;
        assert_eq!((count(&plan, "restorable"), count(&plan, "already_restored")), (0, 15));
        let again = stage.apply(from, to, &plan["plan_hash"]).await;
        assert_eq!(again.body["applied"], json!({"restored": 0, "skipped": 0}), "{again:?}");
        assert_eq!(after, stage.picture().await);
        assert_eq!(stage.events("removals.undone").await, 1);
        let by_address = "/Users?filter=emails.value%20eq%20%22cid@private.example%22";
        assert_eq!(scim.get(by_address).await.body["totalResults"], 1, "found as before");
        // The provider goes on with what is there: what it takes now is taken.
        delete(scim, &format!("/Users/{cid}")).await;
        assert_eq!(scim.get(&format!("/Users/{cid}")).await.status, 404);
        stage.console.app.stop().await;
    }

    async fn a_plan_that_has_changed_is_refused_with_the_new_one(db: &Database) {
        let stage = Stage::open(db).await;
        let ann = user(&stage.scim, "ann", Some(true)).await;
        let bea = user(&stage.scim, "bea", Some(true)).await;
        let from = now().await;
        stage.set_active(&ann, false).await;
        stage.set_active(&bea, false).await;
        let to = now().await;
        let plan = stage.plan(from, to).await;
        assert_eq!(count(&plan, "restorable"), 2);
        // The connection gives one of them back, by itself.
        stage.set_active(&ann, true).await;
        let refused = stage.apply(from, to, &plan["plan_hash"]).await;
        problem(&refused, 409, "nothing was changed");
        assert_eq!(count(&refused.body["plan"], "restorable"), 1);
        assert_eq!(stage.scim.get(&format!("/Users/{bea}")).await.body["active"], false);
        let done = stage.apply(from, to, &refused.body["plan"]["plan_hash"]).await;
        assert_eq!(done.body["applied"]["restored"], 1, "{done:?}");
        assert_eq!(stage.scim.get(&format!("/Users/{bea}")).await.body["active"], true);
        for wrong in [json!("no hash"), json!("")] {
            problem(&stage.apply(from, to, &wrong).await, 409, "nothing was changed");
        }
        let backwards = json!({"from": to.to_string(), "to": from.to_string()});
        problem(&stage.post(&format!("{CONNECTION}/undo"), backwards).await, 400, "empty");
        stage.console.app.stop().await;
    }

    async fn only_whoever_may_change_the_connection_undoes(db: &Database) {
        let stage = Stage::open(db).await;
        let ann = user(&stage.scim, "ann", Some(true)).await;
        let from = now().await;
        stage.set_active(&ann, false).await;
        let to = now().await;
        let plan = stage.plan(from, to).await;
        let body = json!({"from": from.to_string(), "to": to.to_string(), "plan_hash": plan["plan_hash"]});
        let path = format!("{CONNECTION}/undo");
        // Lena runs one of Harbor's customers: Harbor's connection is nothing to her.
        let lena = api_token(&stage.console, "lighthouse", "lena@lighthouse.example").await;
        let looks = json!({"from": from.to_string()});
        for body in [&looks, &body] {
            let theirs = stage.ask_as(&lena, "POST", &path, Some(body.clone())).await;
            let none = stage.ask_as(&lena, "POST", "/api/v1/connections/no-such/undo", Some(body.clone())).await;
            problem(&theirs, 404, "");
            assert_eq!(theirs.body, none.body);
        }
        // Henrik loses what the ceiling confers: from then on he may look, and not restore.
        let ceiling = "role = \"Operator\"\nscope = { subtree = \"harbor\" }";
        let declared = include_str!("../../config/demo.toml").replacen(ceiling, &format!(
            "{ceiling}\n\n[[directory.ceiling]]\nrole = \"Security Officer\"\nscope = {{ subtree = \"meridian\" }}"), 1);
        stage.console.apply(&declared).await;
        problem(&stage.post(&path, body.clone()).await, 403, "could not give yourself");
        assert_eq!(count(&stage.plan(from, to).await, "restorable"), 1);
        assert_eq!(stage.scim.get(&format!("/Users/{ann}")).await.body["active"], false);
        let olga = api_token(&stage.console, "meridian", "olga@meridian.example").await;
        let done = stage.ask_as(&olga, "POST", &path, Some(body)).await;
        assert_eq!(done.body["applied"]["restored"], 1, "{done:?}");
        stage.console.app.stop().await;
    }

    async fn nobody_brings_back_who_holds_more(db: &Database) {
        let stage = Stage::open(db).await;
        let ann = user(&stage.scim, "ann", Some(true)).await;
        let boss = user(&stage.scim, "boss", Some(true)).await;
        let grant = "[[grant]]\nrole = \"SuperUser\"\npartner = \"harbor\"\nuser = \"boss@harbor.example\"\n\
            scope = { subtree = \"meridian\" }\nreason = \"Runs everything\"\n";
        let marker = "[[grant]]";
        let declared = include_str!("../../config/demo.toml").replacen(marker, &format!("{grant}\n{marker}"), 1);
        stage.console.apply(&declared).await;
        let from = now().await;
        stage.set_active(&ann, false).await;
        delete(&stage.scim, &format!("/Users/{boss}")).await;
        let to = now().await;
        let plan = stage.plan(from, to).await;
        assert_eq!(count(&plan, "restorable"), 2);
        problem(&stage.apply(from, to, &plan["plan_hash"]).await, 403, "may do more than you");
        assert_eq!(stage.scim.get(&format!("/Users/{ann}")).await.body["active"], false, "nothing was changed");
        assert_eq!(stage.scim.get(&format!("/Users/{boss}")).await.status, 404);
        let olga = api_token(&stage.console, "meridian", "olga@meridian.example").await;
        let body = json!({"from": from.to_string(), "to": to.to_string(), "plan_hash": plan["plan_hash"]});
        let done = stage.ask_as(&olga, "POST", &format!("{CONNECTION}/undo"), Some(body)).await;
        assert_eq!(done.body["applied"]["restored"], 2, "{done:?}");
        assert_eq!(stage.scim.get(&format!("/Users/{boss}")).await.body["active"], true);
        stage.console.app.stop().await;
    }

    async fn what_cannot_come_back_is_said_line_by_line(db: &Database) {
        let stage = Stage::open(db).await;
        let scim = &stage.scim;
        let [ann, bea, cid] = [user(scim, "ann", None).await, user(scim, "bea", None).await, user(scim, "cid", None).await];
        let crew = scim.group("Crew", &[&ann, &bea, &cid]).await.id();
        let from = now().await;
        for id in [&ann, &bea] {
            delete(scim, &format!("/Users/{id}")).await;
        }
        stage.set_active(&cid, false).await;
        let to = now().await;
        // Ann is pushed again by the directory; Cid goes later; Bea is kept no longer.
        user(scim, "ann", None).await;
        delete(scim, &format!("/Users/{cid}")).await;
        let plan = stage.plan(from, to).await;
        let fate = |plan: &Value, kind: &str, id: &str| {
            let entries = plan["entries"].as_array().unwrap();
            let entry = entries.iter().find(|entry| entry["kind"] == kind && entry["user"] == id);
            entry.unwrap_or_else(|| panic!("no {kind} of {id} in {plan}"))["state"].as_str().unwrap().to_owned()
        };
        assert_eq!(fate(&plan, "user", &ann), "already_restored");
        assert_eq!(fate(&plan, "membership", &ann), "not_restorable");
        assert_eq!((fate(&plan, "user", &bea), fate(&plan, "membership", &bea)), ("restorable".into(), "restorable".into()));
        assert_eq!(fate(&plan, "active", &cid), "not_restorable");
        let hash = plan["plan_hash"].clone();
        rolecall::jobs::purge::turn(&db.store, rolecall::clock::Clock, 0).await.unwrap();
        let plan = stage.plan(from, to).await;
        assert_eq!((fate(&plan, "user", &bea), fate(&plan, "membership", &bea)), ("not_restorable".into(), "not_restorable".into()));
        let entries = plan["entries"].as_array().unwrap();
        assert!(entries.iter().all(|entry| entry["reason"].as_str().is_some_and(|why| why.ends_with('.'))), "{plan}");
        problem(&stage.apply(from, to, &hash).await, 409, "nothing was changed");
        assert_eq!(scim.get(&format!("/Groups/{crew}")).await.body.get("members"), None);
        stage.console.app.stop().await;
    }

    async fn the_command_shows_the_plan_and_restores_it(db: &Database) {
        let stage = Stage::open(db).await;
        let ann = user(&stage.scim, "ann", Some(true)).await;
        let bea = user(&stage.scim, "bea", Some(true)).await;
        let from = now().await.to_string();
        stage.set_active(&ann, false).await;
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
            command.args(["undo", "--data"]).arg(db.folder()).args(arguments).env_remove("ROLECALL_CONFIG");
            if db.url.starts_with("postgres") {
                command.env("ROLECALL_STORE_DATABASE_URL", &db.url);
            }
            let output = command.output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
        };
        let (code, out, err) = command(&["harbor-entra", "--from", &from]);
        assert_eq!(code, 3, "{out}{err}");
        assert!(out.contains("ann@harbor.example was switched off") && out.contains("1 can be restored"), "{out}");
        assert_eq!(stage.scim.get(&format!("/Users/{ann}")).await.body["active"], false, "it only looked");
        let (code, out, err) = command(&["harbor-entra", "--from", &from, "--yes", "--json"]);
        let plan: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &plan["applied"]["restored"]), (0, &json!(1)), "{out}{err}");
        assert_eq!(stage.scim.get(&format!("/Users/{ann}")).await.body["active"], true);
        let (code, out, _) = command(&["harbor-entra", "--from", &from]);
        assert!(code == 0 && out.contains("There is nothing to restore."), "{out}");
        let (code, _, err) = command(&["no-such", "--from", &from]);
        assert!(code == 1 && err.contains("There is no such thing"), "{err}");
        let (code, _, err) = command(&["harbor-entra", "--from", "yesterday"]);
        assert!(code == 2 && err.contains("2026-11-22T01:30:00Z"), "{err}");
        // Without a server the command works on the database itself; a test's SQLite file has another name.
        stage.set_active(&bea, false).await;
        stage.console.app.stop().await;
        if db.url.starts_with("postgres") {
            let (code, out, err) = command(&["harbor-entra", "--from", &from, "--yes"]);
            assert!(code == 0 && out.contains("Restored 1; skipped 0."), "{out}{err}");
            assert_eq!(command(&["harbor-entra", "--from", &from]).0, 0);
        }
    }

    async fn other_connections_and_administrators_are_left_alone(db: &Database) {
        let stage = Stage::open(db).await;
        let owner = api_token(&stage.console, "meridian", "olga@meridian.example").await;
        let directory = stage.get(CONNECTION).await["directory"].as_str().unwrap().to_owned();
        let connection = json!({"kind": "scim", "slug": "harbor-second", "profile": "generic", "matching_attribute": "externalId"});
        let made = stage.ask_as(&owner, "POST", &format!("/api/v1/directories/{directory}/connections"), Some(connection)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let second = push_at(&stage.console, "harbor", "harbor-second").await;
        let ann = user(&stage.scim, "ann", Some(true)).await;
        let ann_there = user(&second, "ann", Some(true)).await;
        let ann_here = behind(&stage, "ann").await;
        let from = now().await;
        stage.set_active(&ann, false).await;
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        assert!(second.patch(&format!("/Users/{ann_there}"), off).await.status < 300);
        stage.post(&format!("/api/v1/users/{ann_here}/suspend"), json!({"reason": "under review"})).await;
        let to = now().await;
        let plan = stage.plan(from, to).await;
        assert_eq!((count(&plan, "restorable"), &plan["entries"][0]["still_suspended"]), (1, &json!(true)));
        assert_eq!(stage.apply(from, to, &plan["plan_hash"]).await.body["applied"]["restored"], 1);
        let user = stage.get(&format!("/api/v1/users/{ann_here}")).await;
        let sources: Vec<_> = user["suspensions"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
        assert_eq!(sources.len(), 2, "{user}");
        assert!(sources.contains(&"partner"));
        assert_eq!(second.get(&format!("/Users/{ann_there}")).await.body["active"], false);
        stage.console.app.stop().await;
    }

    async fn the_page_shows_the_plan_and_restores_it(db: &Database) {
        let stage = Stage::open(db).await;
        let ann = user(&stage.scim, "ann", Some(true)).await;
        let bea = user(&stage.scim, "bea", Some(true)).await;
        let from = now().await;
        stage.set_active(&ann, false).await;
        let to = now().await;
        let mut henrik = stage.console.sign_in("harbor", "henrik@harbor.example").await;
        let here = "/connections/harbor-entra/undo";
        assert!(henrik.get("/connections/harbor-entra").await.text.contains(&format!("href=\"{here}\"")));
        let asked = |from: Timestamp, to: Timestamp| format!("{here}?from={from}&to={to}");
        let page = henrik.get(&asked(from, to)).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("ann@harbor.example") && page.text.contains("1 removal would be undone, for 1 user"), "{}", page.text);
        let hidden = |text: &str, name: &str| {
            let part = format!("type=\"hidden\" name=\"{name}\" value=\"");
            text.split_once(&part).unwrap().1.split('"').next().unwrap().to_owned()
        };
        let stale = [("from", hidden(&page.text, "from")), ("to", hidden(&page.text, "to")), ("plan", "x".to_owned())];
        let stale = stale.each_ref().map(|(name, value)| (*name, value.as_str()));
        let refused = henrik.submit(&asked(from, to), here, &stale).await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("The plan has changed since you saw it"));
        assert_eq!(stage.scim.get(&format!("/Users/{ann}")).await.body["active"], false);
        let plan = hidden(&refused.text, "plan");
        let done = henrik.submit(&asked(from, to), here, &[stale[0], stale[1], ("plan", &plan)]).await;
        assert_eq!(done.status, 303, "{}", done.text);
        assert_eq!(stage.scim.get(&format!("/Users/{ann}")).await.body["active"], true);
        let location = done.location.unwrap();
        let page = henrik.get(&format!("{}?{}", location.path(), location.query().unwrap())).await;
        assert!(page.text.contains("Given back") && page.text.contains("Is back already"), "{}", page.text);
        // A minute is enough of a moment; nonsense is told.
        assert_eq!(henrik.get(&format!("{here}?from=2026-01-01T00:00&to=2026-01-01T00:01")).await.status, 200);
        assert_eq!(henrik.get(&format!("{here}?from=yesterday")).await.status, 422);
        stage.set_active(&bea, false).await;
        assert!(henrik.get(here).await.text.contains("bea@harbor.example"), "the last hour, unless it is told");
        stage.console.app.stop().await;
    }
}
