//! A directory in observation makes nobody, links nobody and stops nobody, whatever it says; who waited is introduced when
//! it is put in force.
use rolecall::admin::apply::{self, ApplyContext, ApplyError, ApplyPlan};
use rolecall::admin::declaration::Declaration;
use rolecall::clock::Clock;
use rolecall::domain::directory::{Directory, DirectoryMode};
use rolecall::domain::id::UserId;
use rolecall::jobs::introductions;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{StoreError, Tx, directories, tuple};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::{App, Scim};
use crate::support::browser::Browser;
use crate::support::console::Console;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};
use crate::support::stage::{api_token, push_at};

statements! {
    USERS = "SELECT id, display_name, COALESCE(login_name, ''), state FROM users ORDER BY 1";
    OFF = "SELECT user_id, source FROM user_suspensions ORDER BY 1, 2";
    LINKS = "SELECT COUNT(*) FROM external_users u JOIN connections c ON c.id = u.connection_id \
        WHERE c.slug = 'trial' AND u.user_id IS NOT NULL";
    LEFT = "SELECT COUNT(*) FROM directories WHERE introducing";
}

fn declaration(mode: &str) -> String {
    format!(
        "[[user]]\npartner = \"harbor\"\nlogin_name = \"ada@harbor.example\"\ndisplay_name = \"Ada Local\"\n\
         [[directory]]\npartner = \"harbor\"\nname = \"Trial\"\nmode = \"{mode}\"\n\
         [[directory.ceiling]]\nrole = \"Operator\"\nscope = {{ subtree = \"harbor\" }}\n\
         [[directory.connection]]\nkind = \"scim\"\nslug = \"trial\"\nmatching_attribute = \"externalId\"\n\
         [[directory.rule]]\nname = \"Everybody\"\nwhen = 'memberOf eq \"Everybody\"'\nprimary_group = \"Technicians\"\n"
    )
}

async fn declare(console: &Console, mode: &str, rehearse: bool) -> Result<ApplyPlan, ApplyError> {
    let keyring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap();
    let means = ApplyContext::new(&keyring);
    let declaration = Declaration::parse(&declaration(mode)).unwrap();
    let by = OperatorExtent::assume();
    match rehearse {
        true => apply::rehearse(&console.store, &ctx(), by, &declaration, &means).await,
        false => apply::apply(&console.store, &ctx(), by, &declaration, &means).await,
    }
}

/// Everything that users are and may, as far as this can be seen.
async fn picture(console: &Console, henrik: &str) -> Value {
    let mut reader = console.store.reader().await.unwrap();
    let users: Vec<(UserId, String, String, String)> = reader.all(&USERS, binds![], tuple).await.unwrap();
    let off: Vec<(UserId, String)> = reader.all(&OFF, binds![], tuple).await.unwrap();
    let links: i64 = reader.one(&LINKS, binds![], |row| row.get(0)).await.unwrap();
    let harbor = console.partner("harbor").await.partner();
    let mut shown = Vec::new();
    for path in [format!("/api/v1/partners/{harbor}/users"), format!("/api/v1/partners/{harbor}/user-groups")] {
        let request = console.app.request(reqwest::Method::GET, &path).bearer_auth(henrik);
        shown.push(crate::support::api::sent(request).await.body);
    }
    for (id, ..) in &users {
        let path = format!("/api/v1/users/{id}/access");
        let request = console.app.request(reqwest::Method::GET, &path).bearer_auth(henrik);
        shown.push(crate::support::api::sent(request).await.body);
    }
    json!({"people": users, "off": off, "links": links, "shown": shown})
}

fn user(name: &str, key: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": key,
        "displayName": format!("{name} said"), "active": true})
}

/// Everything a client may say of users and groups; the ids of those who stay: somebody new, who resembles Ada, who is off.
async fn say_all(scim: &Scim, mut after_each: impl AsyncFnMut(&str)) -> [String; 3] {
    let mut ids = Vec::new();
    for (name, key) in [
        ("new@harbor.example", "k-new"),
        ("ada@harbor.example", "k-ada"),
        ("off@harbor.example", "k-off"),
        ("gone@harbor.example", "k-gone"),
    ] {
        let made = scim.post("/Users", user(name, key)).await;
        assert_eq!(made.status, 201, "{made:?}");
        ids.push(made.id());
        after_each("create").await;
    }
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(scim.patch(&format!("/Users/{}", ids[2]), off.clone()).await.status, 200);
    after_each("switch off").await;
    assert_eq!(scim.patch(&format!("/Users/{}", ids[1]), off).await.status, 200);
    after_each("switch off who resembles").await;
    let on = json!([{"op": "replace", "path": "active", "value": true}]);
    assert_eq!(scim.patch(&format!("/Users/{}", ids[1]), on).await.status, 200);
    let whole = user("new@harbor.example", "k-new");
    assert_eq!(scim.put(&format!("/Users/{}", ids[0]), whole).await.status, 200);
    after_each("replace").await;
    let group = scim.group("Everybody", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    after_each("group").await;
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": user("bulk@harbor.example", "k-bulk")},
        {"method": "DELETE", "path": format!("/Users/{}", ids[3])}]});
    assert_eq!(scim.post("/Bulk", bulk).await.status, 200);
    after_each("bulk").await;
    let found = scim.get("/Users?filter=userName%20eq%20%22bulk@harbor.example%22").await;
    let bulk = found.body["Resources"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(scim.delete(&format!("/Users/{bulk}")).await.status, 204);
    after_each("delete").await;
    let rename = json!([{"op": "replace", "path": "displayName", "value": "Everybody"}]);
    assert!(scim.patch(&format!("/Groups/{}", group.id()), rename).await.status < 300);
    after_each("rename").await;
    [ids[0].clone(), ids[1].clone(), ids[2].clone()]
}

async fn matches(console: &Console, token: &str) -> Vec<Value> {
    let request = console.app.request(reqwest::Method::GET, "/api/v1/connections/trial/matches").bearer_auth(token);
    crate::support::api::sent(request).await.body["items"].as_array().unwrap().clone()
}

on_both! {
    async fn an_observed_directory_changes_nothing_until_it_counts(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await.unwrap();
        let henrik = api_token(&console, "harbor", "henrik@harbor.example").await;
        let scim = push_at(&console, "harbor", "trial").await;
        let before = picture(&console, &henrik).await;
        let same = async |what: &str| assert_eq!(picture(&console, &henrik).await, before, "{what}");
        let [new, resembling, off] = say_all(&scim, same).await;

        let waiting = matches(&console, &henrik).await;
        assert_eq!(waiting.len(), 3, "{waiting:?}");
        assert!(waiting.iter().all(|one| one["waits_for"] == "observe"), "{waiting:?}");
        let ada = console.user("harbor", "ada@harbor.example").await;
        for verdict in ["confirm", "refuse"] {
            let path = format!("/api/v1/connections/trial/matches/{resembling}/{verdict}");
            let request = console.app.request(reqwest::Method::POST, &path).bearer_auth(&henrik);
            let answer = crate::support::api::sent(request.json(&json!({"user": ada}))).await;
            crate::support::api::problem(&answer, 409, "tried out");
        }
        assert_eq!(picture(&console, &henrik).await, before);

        // What would be done is told before, and then done: made, waits, made and off.
        let shown = declare(&console, "authoritative", true).await.unwrap();
        let told = format!("{shown:?}");
        for part in ["made for new@harbor.example; gains group Technicians", "off@harbor.example, switched off", "ada@harbor.example waits"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(picture(&console, &henrik).await, before, "a rehearsal");
        declare(&console, "authoritative", false).await.unwrap();
        let waiting = matches(&console, &henrik).await;
        let [one] = &waiting[..] else { panic!("{waiting:?}") };
        assert_eq!((&one["id"], &one["waits_for"]), (&json!(resembling), &json!("match")));
        assert_eq!(one["proposals"][0]["user"]["id"], json!(ada));
        let after = picture(&console, &henrik).await;
        assert_eq!(after["links"], 2);
        let of = |login: &str| after["people"].as_array().unwrap().iter().filter(|one| one[2] == login).count();
        assert_eq!((of("new@harbor.example"), of("off@harbor.example"), of("gone@harbor.example")), (1, 1, 0));
        assert_eq!(after["off"].as_array().unwrap().len(), 1, "only who is off there: {}", after["off"]);
        let made = console.user("harbor", "new@harbor.example").await;
        let request = console.app.request(reqwest::Method::GET, &format!("/api/v1/users/{made}")).bearer_auth(&henrik);
        let whole = crate::support::api::sent(request).await.body;
        assert_eq!(whole["groups"][0]["group"]["name"], "Technicians", "placed by the rule: {whole}");
        // They are who they were to the client, and nobody comes twice.
        assert_eq!(scim.get(&format!("/Users/{new}")).await.status, 200);
        assert_eq!(scim.get(&format!("/Users/{off}")).await.body["active"], false);
        introductions::turn(&console.store, Clock).await.unwrap();
        assert_eq!(picture(&console, &henrik).await, after);
        let again = declare(&console, "authoritative", true).await.unwrap();
        assert!(!format!("{again:?}").contains("harbor.example"), "{again:?}");
        // Whoever leaves an observed directory would not be seen to leave.
        let refused = declare(&console, "observe", false).await.unwrap_err().to_string();
        assert!(refused.contains("`paused`"), "{refused}");
        console.app.stop().await;
    }

    async fn who_was_left_over_is_introduced_by_the_job(db: &Database) {
        let console = Console::open(db).await;
        declare(&console, "observe", false).await.unwrap();
        let scim = push_at(&console, "harbor", "trial").await;
        assert_eq!(scim.post("/Users", user("new@harbor.example", "k")).await.status, 201);
        let henrik = api_token(&console, "harbor", "henrik@harbor.example").await;
        let before = picture(&console, &henrik).await;
        introductions::turn(&console.store, Clock).await.unwrap();
        assert_eq!(picture(&console, &henrik).await, before, "it is still observed");
        // The process that put it in force went no further than that.
        let at = console.partner("harbor").await;
        let flip = async |tx: &mut Tx| -> Result<(), StoreError> {
            let known = directories::by_name(tx, &at, "Trial").await?.unwrap();
            directories::update(tx, &at, &Directory { mode: DirectoryMode::Additive, ..known }).await
        };
        console.store.write(flip).await.unwrap();
        let left = async || -> i64 { console.store.reader().await.unwrap().one(&LEFT, binds![], |row| row.get(0)).await.unwrap() };
        assert_eq!(left().await, 1);
        introductions::turn(&console.store, Clock).await.unwrap();
        console.user("harbor", "new@harbor.example").await;
        assert_eq!(left().await, 0);
        console.app.stop().await;
    }

    async fn a_sign_in_that_is_tried_out_says_so(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        house.set_directory_mode("observe").await;
        let page = Browser::new().get(format!("{}/login/acme-sso", app.base)).await;
        assert_eq!(page.status, 403);
        assert!(page.text.contains("being tried out") && page.text.contains("connection.observed"), "{}", page.text);
        app.stop().await;
    }
}
