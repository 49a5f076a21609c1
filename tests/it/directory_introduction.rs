//! What putting an observed directory in force would do is shown user by user, and done by the hash of what was shown.
use std::collections::{BTreeMap, BTreeSet};

use rolecall::admin::apply::{self, ApplyContext, ApplyPlan};
use rolecall::admin::declaration::Declaration;
use rolecall::clock::Clock;
use rolecall::jobs::introductions;
use rolecall::provision::introduce::MOST_SHOWN;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::Scim;
use crate::support::api::{Api, problem};
use crate::support::console::Console;
use crate::support::database::on_both;
use crate::support::house::ctx;
use crate::support::stage::{api_token, push_at};

statements! {
    DIRECTORY = "SELECT id FROM directories WHERE name = $1";
    EVENTS = "SELECT COUNT(*) FROM events";
    LINKED = "SELECT COUNT(*) FROM external_users u JOIN directories d ON d.id = u.directory_id \
        WHERE d.name = 'Trial' AND u.user_id IS NOT NULL";
}

const HENRIK: &str = "henrik@harbor.example";

fn declaration(mode: &str) -> String {
    format!(
        "[[user]]\npartner = \"harbor\"\nlogin_name = \"ada@harbor.example\"\ndisplay_name = \"Ada Local\"\n\
         [[user]]\npartner = \"harbor\"\nlogin_name = \"anna@harbor.example\"\ndisplay_name = \"Anna\"\n\
         [[grant]]\nrole = \"Administrator\"\npartner = \"harbor\"\nuser = \"anna@harbor.example\"\n\
         scope = {{ subtree = \"harbor\" }}\n\
         [[directory]]\npartner = \"harbor\"\nname = \"Trial\"\nmode = \"{mode}\"\n\
         [[directory.ceiling]]\nrole = \"SuperUser\"\nscope = {{ subtree = \"harbor\" }}\n\
         [[directory.connection]]\nkind = \"scim\"\nslug = \"trial\"\nmatching_attribute = \"externalId\"\n\
         [[directory.connection]]\nkind = \"scim\"\nslug = \"trial-two\"\nmatching_attribute = \"externalId\"\n\
         [[directory.rule]]\nname = \"Everybody\"\nwhen = 'memberOf eq \"Everybody\"'\nprimary_group = \"Technicians\"\n\
         [[directory.rule]]\nname = \"Admins\"\nwhen = 'memberOf eq \"Admins\"'\n\
         grant_role = \"Administrator\"\nscope = {{ subtree = \"harbor\" }}\n\
         [[directory]]\npartner = \"harbor\"\nname = \"Vault\"\nmode = \"observe\"\n\
         [[directory.ceiling]]\nrole = \"Security Officer\"\nscope = {{ subtree = \"harbor\" }}\n"
    )
}

async fn declare(console: &Console, mode: &str, rehearse: bool) -> ApplyPlan {
    let keyring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap();
    let means = ApplyContext::new(&keyring);
    let (declaration, by) = (Declaration::parse(&declaration(mode)).unwrap(), OperatorExtent::assume());
    let planned = apply::rehearse(&console.store, &ctx(), by, &declaration, &means).await.unwrap();
    if !rehearse {
        apply::apply_agreed(&console.store, &ctx(), by, (&declaration, &planned.hash()), &means).await.unwrap();
    }
    planned
}

fn user(name: &str, active: bool) -> Value {
    let key = name.split('@').next().unwrap();
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": key,
        "displayName": format!("{key} said"), "active": active})
}

async fn made(scim: &Scim, name: &str, active: bool) -> String {
    let made = scim.post("/Users", user(name, active)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.id()
}

/// Who waits: somebody new, an administrator, one who resembles Ada, one who is off; and the new one at a second door.
async fn say(console: &Console) -> BTreeMap<&'static str, String> {
    let (scim, two) = (push_at(console, "harbor", "trial").await, push_at(console, "harbor", "trial-two").await);
    let mut ids = BTreeMap::new();
    for (name, active) in [("new", true), ("boss", true), ("ada", true), ("off", false)] {
        ids.insert(name, made(&scim, &format!("{name}@harbor.example"), active).await);
    }
    ids.insert("again", made(&two, "new@harbor.example", true).await);
    let all: Vec<&str> = ["new", "boss", "ada", "off"].iter().map(|name| ids[name].as_str()).collect();
    scim.group("Everybody", &all).await;
    scim.group("Admins", &[&ids["boss"]]).await;
    ids
}

async fn path(console: &Console) -> String {
    path_of(console, "Trial").await
}

async fn path_of(console: &Console, name: &str) -> String {
    let reader = &mut console.store.reader().await.unwrap();
    let id: rolecall::domain::id::DirectoryId = reader.one(&DIRECTORY, binds![name], |row| row.get(0)).await.unwrap();
    format!("/directories/{id}/introduction")
}

async fn number(console: &Console, statement: &'static rolecall::store::Statement) -> i64 {
    console.store.reader().await.unwrap().one(statement, binds![], |row| row.get(0)).await.unwrap()
}

fn names(line: &Value, list: &str, kind: &str) -> BTreeSet<String> {
    let items = line[list].as_array().unwrap().iter();
    items.filter_map(|item| item[kind]["name"].as_str()).map(str::to_owned).collect()
}

on_both! {
    async fn what_is_shown_before_a_directory_counts_is_what_happens(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await;
        let henrik = Api::with(&console.app, &api_token(&console, "harbor", HENRIK).await);
        let ids = say(&console).await;
        let (path, before) = (path(&console).await, number(&console, &EVENTS).await);

        let shown = henrik.get(&path).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        let plan = &shown.body;
        assert_eq!((&plan["waiting"], &plan["next"]), (&json!(5), &Value::Null), "{plan}");
        assert_eq!(plan["counts"], json!({"created": 3, "matched": 1, "match_proposed": 1, "refused": 0, "suspended": 1, "privileged": 1}));
        let lines = plan["users"].as_array().unwrap();
        assert_eq!(lines[0]["external_user"], json!(ids["boss"]), "the privileged one is first: {plan}");
        let line = |name: &str| lines.iter().find(|line| line["external_user"] == json!(ids[name])).unwrap();
        let fate = |name: &str| (line(name)["outcome"].as_str().unwrap(), line(name)["suspended"].as_bool().unwrap());
        assert_eq!([fate("new"), fate("boss"), fate("off")], [("created", false), ("created", false), ("created", true)]);
        assert_eq!([fate("ada"), fate("again")], [("match_proposed", false), ("matched", false)]);
        assert_eq!(line("ada")["users"][0]["name"], "Ada Local");
        assert_eq!(line("ada")["users"][0]["id"], json!(console.user("harbor", "ada@harbor.example").await));
        assert_eq!(line("again")["users"][0], json!({"id": null, "name": "new said", "created_for": ids["new"]}));
        assert_eq!(names(line("new"), "gains", "user_group"), BTreeSet::from(["Technicians".to_owned()]));
        assert_eq!(names(line("boss"), "gains", "role"), BTreeSet::from(["Administrator", "Supporter"].map(str::to_owned)));
        assert_eq!(line("boss")["privileged"], true);

        // Showing it did nothing, and shows the same again.
        assert_eq!((number(&console, &EVENTS).await, number(&console, &LINKED).await), (before, 0));
        assert_eq!(henrik.get(&path).await.body, *plan);
        let adding = henrik.get(&format!("{path}?mode=additive")).await.body;
        assert_ne!(adding["plan_hash"], plan["plan_hash"]);

        // Somebody is said meanwhile: nothing is done, and the answer shows what would be.
        let scim = push_at(&console, "harbor", "trial").await;
        let late = made(&scim, "late@harbor.example", true).await;
        let body = json!({"mode": "authoritative", "plan_hash": plan["plan_hash"]});
        let changed = henrik.post(&path, body.clone()).await;
        problem(&changed, 409, "changed since you saw it");
        assert_eq!(changed.body["plan"]["waiting"], 6);
        assert_eq!((number(&console, &EVENTS).await, number(&console, &LINKED).await), (before + 1, 0));
        assert_eq!(scim.delete(&format!("/Users/{late}")).await.status, 204);

        let done = henrik.post(&path, body).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(done.body["introduced"], json!({"linked": 4, "waiting": 1, "again": 0}));
        for name in ["new", "boss", "off"] {
            let user = console.user("harbor", &format!("{name}@harbor.example")).await;
            let whole = henrik.get(&format!("/users/{user}")).await.body;
            let groups: BTreeSet<String> =
                whole["groups"].as_array().unwrap().iter().map(|one| one["group"]["name"].as_str().unwrap().to_owned()).collect();
            assert_eq!(groups, names(line(name), "gains", "user_group"), "{name}: {whole}");
            let access = henrik.get(&format!("/users/{user}/access")).await.body;
            for role in names(line(name), "gains", "role") {
                assert!(access.to_string().contains(&role), "{name} holds {role}: {access}");
            }
            assert_eq!(whole["suspensions"].as_array().unwrap().is_empty(), name != "off", "{whole}");
        }
        let again = henrik.get(&path).await;
        problem(&again, 409, "not only observed");
        console.app.stop().await;
    }

    async fn who_may_not_give_what_the_directory_may_confer_does_not_put_it_in_force(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await;
        let path = path(&console).await;
        let body = json!({"mode": "authoritative", "plan_hash": "none"});
        for (partner, login, status) in [("harbor", "anna@harbor.example", 403), ("lighthouse", "lena@lighthouse.example", 404)] {
            let api = Api::with(&console.app, &api_token(&console, partner, login).await);
            for answer in [api.get(&path).await, api.post(&path, body.clone()).await] {
                assert_eq!(answer.status, status, "{login}: {answer:?}");
            }
        }
        let henrik = Api::with(&console.app, &api_token(&console, "harbor", HENRIK).await);
        // He may change directories there, and could not give what this one may confer.
        let vault = path_of(&console, "Vault").await;
        for answer in [henrik.get(&vault).await, henrik.post(&vault, body.clone()).await] {
            problem(&answer, 403, "could not give yourself");
        }
        for (query, part) in [("?mode=observe", "Choose"), ("?mode=x", "mode"), ("?after=x", "after"), ("?limit=9", "parameters")] {
            problem(&henrik.get(&format!("{path}{query}")).await, 400, part);
        }
        problem(&henrik.post(&path, json!({"mode": "observe", "plan_hash": ""})).await, 400, "Choose");
        problem(&henrik.post(&path, body).await, 409, "changed since you saw it");
        assert_eq!(number(&console, &LINKED).await, 0);
        console.app.stop().await;
    }

    async fn of_very_many_the_privileged_are_shown_first(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await;
        let scim = push_at(&console, "harbor", "trial").await;
        let all = MOST_SHOWN + 3;
        let one = |number: usize| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{number}"),
            "data": user(&format!("u{number:04}@harbor.example"), true)});
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": (0..all).map(one).collect::<Vec<_>>()});
        assert_eq!(scim.post("/Bulk", bulk).await.status, 200);
        let boss = made(&scim, "boss@harbor.example", true).await;
        scim.group("Admins", &[&boss]).await;

        let henrik = Api::with(&console.app, &api_token(&console, "harbor", HENRIK).await);
        let path = path(&console).await;
        let begun = std::time::Instant::now();
        let first = henrik.get(&path).await;
        assert_eq!(first.status, 200, "{first:?}");
        eprintln!("{MOST_SHOWN} of {all} shown in {:?}", begun.elapsed());
        let first = first.body;
        assert_eq!(first["waiting"], json!(all + 1));
        let lines = |page: &Value| -> Vec<String> {
            page["users"].as_array().unwrap().iter().map(|line| line["external_user"].as_str().unwrap().to_owned()).collect()
        };
        let mut seen = lines(&first);
        assert_eq!((seen.len(), &seen[0]), (MOST_SHOWN, &boss), "who came last is shown first");
        let rest = henrik.get(&format!("{path}?after={}", first["next"].as_str().unwrap())).await.body;
        assert_eq!((&rest["next"], &rest["plan_hash"]), (&Value::Null, &Value::Null), "{rest}");
        seen.extend(lines(&rest));
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (all + 1, all + 1), "each once");

        let done = henrik.post(&path, json!({"mode": "authoritative", "plan_hash": first["plan_hash"]})).await;
        assert_eq!((done.status, &done.body["introduced"]), (200, &Value::Null), "{}", done.body);
        introductions::turn(&console.store, Clock).await.unwrap();
        assert_eq!(number(&console, &LINKED).await, i64::try_from(all + 1).unwrap());
        console.app.stop().await;
    }

    async fn the_page_shows_it_before_the_directory_is_put_in_force(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await;
        say(&console).await;
        let mut henrik = console.sign_in("harbor", HENRIK).await;
        let there = path(&console).await;
        let directory = there.trim_end_matches("/introduction").to_owned();
        let page = henrik.get(&directory).await.text;
        assert!(page.contains("being tried out") && page.contains(&there), "{page}");
        let page = henrik.get(&there).await;
        assert_eq!(page.status, 200, "{}", page.text);
        for part in ["5 users wait", "boss said", "privileged", "switched off", "waits for a match with Ada Local",
            "is linked to new said", "Administrator over", "group Technicians"] {
            assert!(page.text.contains(part), "{part}: {}", page.text);
        }
        assert!(page.text.find("boss said").unwrap() < page.text.find("new said").unwrap(), "the privileged one is first");
        let hash = page.text.split_once("name=\"plan_hash\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let stale = henrik.submit(&there, &there, &[("mode", "authoritative"), ("plan_hash", "0")]).await;
        assert_eq!(stale.status, 409);
        assert!(stale.text.contains("changed since you saw it"), "{}", stale.text);
        assert_eq!(number(&console, &LINKED).await, 0);
        let done = henrik.submit(&there, &there, &[("mode", "authoritative"), ("plan_hash", &hash)]).await;
        assert_eq!(done.status, 303, "{}", done.text);
        assert_eq!(number(&console, &LINKED).await, 4);
        assert!(!henrik.get(&directory).await.text.contains("being tried out"));
        console.app.stop().await;
    }

    async fn a_declaration_says_it_of_each_before_it_is_applied(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await;
        say(&console).await;
        let shown = declare(&console, "authoritative", true).await;
        let text: Vec<String> = shown.changes.iter().map(ToString::to_string).collect();
        for part in ["privileged: a user is made for boss@harbor.example; gains group Technicians", "role Administrator",
            "a user is made for off@harbor.example, switched off", "ada@harbor.example waits for a match with Ada Local",
            "new@harbor.example is linked to the user new said"] {
            assert!(text.iter().any(|line| line.contains(part)), "{part}: {text:#?}");
        }
        assert_eq!(number(&console, &LINKED).await, 0);
        // What was agreed to is what is done: one more who waits is another plan.
        let scim = push_at(&console, "harbor", "trial").await;
        made(&scim, "late@harbor.example", true).await;
        assert_ne!(declare(&console, "authoritative", true).await.hash(), shown.hash());
        declare(&console, "authoritative", false).await;
        assert_eq!(number(&console, &LINKED).await, 5);
        console.app.stop().await;
    }
}
