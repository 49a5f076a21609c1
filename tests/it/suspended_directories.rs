//! Directories of a partner that is off, or below one: nothing they say is taken, whoever speaks is told to come again, and
//! what was missed comes once the partner is on again.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use rolecall::admin::clients::{self, Credential};
use rolecall::clock::Clock;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::id::{ConnectionId, PartnerId};
use rolecall::jobs::{doctor, schedule};
use rolecall::ldap::client::Guard;
use rolecall::ldap::report::Status;
use rolecall::ldap::run::{self, SyncContext, SyncOptions, SyncStartError};
use rolecall::secret::Keyring;
use rolecall::store::{Store, first, tuple};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::{App, Scim};
use crate::login_claims::Place;
use crate::support::api::{Api, problem};
use crate::support::console::Console;
use crate::support::database::{Database, on_both};
use crate::support::house::{House, ctx};
use crate::support::peer::{Ask, Peer, Protection, Says, entry, message, paged, result};
use crate::support::stage::{api_token, push_at};

statements! {
    SUSPEND = "INSERT INTO partner_suspensions (partner_id, source, reason, suspended_at) VALUES ($1, 'admin', 'unpaid', 0)";
    LIFT = "DELETE FROM partner_suspensions";
    LDAP = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, created_at, \
        updated_at) VALUES ($1, $2, 'ldap', 'ldap', 'openldap', 'active', $3, 1, 0, 0)";
    RUNS = "SELECT r.status, r.report FROM sync_runs r WHERE r.started_at > 0 ORDER BY r.started_at";
    EXTERNAL = "SELECT COUNT(*) FROM external_users";
    AGE = "UPDATE sync_runs SET started_at = 0, finished_at = 0";
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// Users on a page.
const PAGE: usize = 1_000;

async fn external_users(store: &Store) -> i64 {
    store.reader().await.unwrap().one(&EXTERNAL, binds![], first).await.unwrap()
}

async fn runs(store: &Store) -> Vec<(String, String)> {
    store.reader().await.unwrap().all(&RUNS, binds![], tuple).await.unwrap()
}

fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": name})
}

async fn pushes(api: &Api<'_>, app: &App) -> Scim {
    let token = api.post("/connections/acme/tokens", json!({"name": "t"})).await;
    let token = token.body["token"].as_str().unwrap().to_owned();
    Scim { base: format!("{}/scim/acme/v2", app.base), token, client: app.client.clone() }
}

/// A directory that has this many users.
async fn peer(users: usize) -> Peer {
    let user = |number: usize| {
        let attributes = [
            ("entryUUID", vec![format!("id-{number}").into_bytes()]),
            ("uid", vec![format!("u{number}").into_bytes()]),
        ];
        entry(&format!("uid=u{number},dc=x"), &attributes)
    };
    Peer::start(Protection::Plain, move |ask: Ask| {
        // What the base is like is asked first, and then page by page.
        let page = if ask.what == 0x63 { ask.before.wrapping_mul(PAGE).checked_sub(PAGE) } else { None };
        let (from, to) = page.map_or((0, 0), |from| (from, users.min(from + PAGE)));
        let mut bytes: Vec<u8> = (from..to).flat_map(|number| message(ask.id, &user(number))).collect();
        let cookie: &[u8] = if to > 0 && to < users { b"more" } else { b"" };
        bytes.extend(message(ask.id, &[result(0x65, 0), paged(cookie)].concat()));
        Says::Bytes(bytes)
    })
    .await
}

async fn connect(db: &Database, house: &House, peer: &Peer) -> SyncContext {
    let settings = json!({"urls": [peer.url], "security": "none", "users": {"bases": ["dc=x"]}, "every_minutes": 5,
        "timeouts": {"connect": 5, "answer": 60, "read": 300}});
    let id: ConnectionId = ctx().id();
    db.execute(&LDAP, binds![id, house.directory, settings.to_string()]).await;
    let keys = Arc::new(Keyring::parse(&"A".repeat(43), "the test").unwrap());
    SyncContext { store: db.store.clone(), keys, clock: Clock, guard: Guard::new(|_| true), stop: Arc::new(|| false) }
}

/// Waits until it is so, at most half a minute.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

on_both! {
    async fn every_push_is_asked_to_come_again_and_then_taken(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let api = Api::owner(&app, &house).await;
        let scim = pushes(&api, &app).await;
        let (client, secret) = clients::create(&db.store, &ctx(), house.owner, "acme", "Okta", &Credential::Secret).await.unwrap();
        let (client, secret) = (client.to_string(), secret.unwrap().reveal().to_owned());
        let token = async |secret: &str| {
            let form = [("grant_type", "client_credentials"), ("client_id", &client), ("client_secret", secret)];
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let request = app.request(Method::POST, "/oauth/acme/token");
            request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
        };
        let one = format!("/Users/{}", scim.post("/Users", user("ida")).await.id());
        let wrong = Scim { token: format!("rcs_{}", "A".repeat(43)), ..scim.clone() };
        let many = "/Users".to_owned();
        let calls = [
            (Method::GET, &many), (Method::POST, &many), (Method::GET, &one), (Method::PUT, &one), (Method::PATCH, &one),
            (Method::DELETE, &one), (Method::POST, &"/Users/.search".to_owned()), (Method::POST, &"/Bulk".to_owned()),
            (Method::GET, &"/Groups".to_owned()), (Method::POST, &"/Groups".to_owned()), (Method::GET, &"/Schemas".to_owned()),
            (Method::GET, &"/ServiceProviderConfig".to_owned()), (Method::GET, &"/nothing".to_owned()),
        ];
        for (round, partner) in [house.reseller, house.top, house.reseller].into_iter().enumerate() {
            let name = format!("bo{round}");
            db.execute(&SUSPEND, binds![partner]).await;
            for (method, path) in &calls {
                let answer = scim.send_body(method.clone(), path, user(&name)).await;
                answer.refused(503, "");
                assert!(answer.body["detail"].as_str().unwrap().contains("suspended"), "{answer:?}");
                assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{method} {path}: {answer:?}");
                assert!(answer.header("www-authenticate").is_empty());
                wrong.send_body(method.clone(), path, user(&name)).await.refused(401, "");
            }
            let refused = token(&secret).await;
            assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
            assert!(refused.text().await.unwrap().contains("suspended"));
            assert_eq!(token("rco_guessed").await.status(), 401);
            db.execute(&LIFT, binds![]).await;
            assert_eq!(scim.get(&one).await.status, 200, "nothing was changed");
            assert_eq!(scim.post("/Users", user(&name)).await.status, 201, "what was refused comes again");
            assert_eq!(token(&secret).await.status(), 200);
        }
        let mut told = Vec::new();
        until("the log of requests says why", async || {
            let mut reader = db.store.reader().await.unwrap();
            let at = rolecall::store::extent::OperatorExtent::assume().connection(&mut reader, house.scim).await.unwrap().unwrap();
            told = app.running.app().request_log.page(&at, "is suspended", None, 10).await.unwrap().0;
            !told.is_empty()
        })
        .await;
        assert!(told.iter().all(|line| line.status == 503), "{told:?}");
        app.stop().await;
    }

    async fn a_bulk_request_stops_where_its_partner_is_suspended(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let scim = pushes(&Api::owner(&app, &house).await, &app).await;
        let operations: Vec<_> = (0..600).map(|n| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{n}"),
            "data": user(&format!("u{n}"))})).collect();
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        let suspend = async {
            while external_users(&db.store).await < 5 {
                tokio::task::yield_now().await;
            }
            db.execute(&SUSPEND, binds![house.top]).await;
        };
        let (answer, ()) = futures_util::join!(scim.post("/Bulk", bulk), suspend);
        assert_eq!(answer.status, 200, "{answer:?}");
        let statuses: Vec<&str> = answer.body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert!(statuses.contains(&"503") && statuses.iter().all(|status| ["201", "503"].contains(status)), "{statuses:?}");
        app.stop().await;
    }

    async fn no_run_begins_by_schedule_or_by_hand_and_the_next_one_catches_up(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let peer = peer(3).await;
        let env = connect(db, &house, &peer).await;
        for partner in [house.reseller, house.top] {
            db.execute(&AGE, binds![]).await;
            db.execute(&SUSPEND, binds![partner]).await;
            let before = external_users(&db.store).await;
            let (tell, told) = tokio::sync::watch::channel(false);
            let schedule = schedule::start_every(Duration::from_millis(20), env.clone(), told);
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!((runs(&db.store).await.len(), external_users(&db.store).await), (0, before));
            db.execute(&LIFT, binds![]).await;
            until("the schedule catches up", async || runs(&db.store).await.iter().any(|(status, _)| status == "done")).await;
            assert_eq!(external_users(&db.store).await, 3);
            tell.send_replace(true);
            schedule.await.unwrap();

            db.execute(&AGE, binds![]).await;
            db.execute(&SUSPEND, binds![partner]).await;
            let refused = run::prepare(&env, "ldap", SyncOptions::default()).await.err();
            assert_eq!(refused, Some(SyncStartError::Suspended("ldap".to_owned())));
            let told = runs(&db.store).await;
            assert!(told.len() == 1 && told[0].0 == "failed" && told[0].1.contains("is suspended"), "{told:?}");
            let dry = run::start(&env, "ldap", SyncOptions { dry: true, approve: None }).await.unwrap();
            assert_eq!(dry.status, Status::Done, "{dry:?}");
            db.execute(&LIFT, binds![]).await;
            assert_eq!(run::start(&env, "ldap", SyncOptions::default()).await.unwrap().status, Status::Done);
        }
    }

    async fn a_run_that_goes_on_ends_when_nothing_is_taken_any_more(db: &Database) {
        statements! {
            PAUSE = "UPDATE connections SET state = 'paused'";
            RESUME = "UPDATE connections SET state = 'active'";
            FREEZE = "UPDATE directories SET mode = 'paused'";
            THAW = "UPDATE directories SET mode = 'authoritative'";
        }
        const MANY: usize = 6_000;
        let house = House::build(&db.store, "https://login.example.com").await;
        let peer = peer(MANY).await;
        let env = connect(db, &house, &peer).await;
        let cases = [(&SUSPEND, binds![house.top], &LIFT, "suspended"), (&PAUSE, binds![], &RESUME, "connection was paused"), (&FREEZE, binds![], &THAW, "directory was paused")];
        for (take, values, give, part) in cases {
            let before = external_users(&db.store).await;
            let stopping = async {
                let began = Instant::now();
                while external_users(&db.store).await == before && began.elapsed() < Duration::from_secs(30) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                db.execute(take, values).await;
            };
            let prepared = run::prepare(&env, "ldap", SyncOptions::default()).await.unwrap();
            let (report, ()) = futures_util::join!(prepared.run_apart(), stopping);
            let there = external_users(&db.store).await;
            assert_eq!(report.status, Status::Failed, "{part}: {there} of {MANY}, {report:?}");
            assert!(report.failure.as_ref().is_some_and(|why| why.contains(part)), "{report:?}");
            assert!(there > before && there < MANY as i64, "{part}: {there}");
            db.execute(give, binds![]).await;
        }
        assert_eq!(run::start(&env, "ldap", SyncOptions::default()).await.unwrap().status, Status::Done);
        assert_eq!(external_users(&db.store).await, MANY as i64);
    }

    async fn nobody_new_comes_in_by_its_sign_in(db: &Database) {
        let place = Place::open(db).await;
        for (slug, jit) in [("jit", true), ("known", false)] {
            place.connection(slug, "sub", jit).await;
        }
        for partner in [place.house.reseller, place.house.top] {
            db.execute(&SUSPEND, binds![partner]).await;
            let before = external_users(&db.store).await;
            for slug in ["jit", "known"] {
                place.refused(slug, json!({"sub": "s-9", "email": "nia@harbor.example", "email_verified": true}), "partner.suspended").await;
            }
            assert_eq!(external_users(&db.store).await, before, "nothing is noted of them");
            db.execute(&LIFT, binds![]).await;
        }
        let nia = place.enter("jit", json!({"sub": "s-9"})).await;
        db.execute(&SUSPEND, binds![place.house.top]).await;
        place.refused("jit", json!({"sub": "s-9", "name": "Another"}), "user.suspended").await;
        db.execute(&LIFT, binds![]).await;
        assert_eq!(place.enter("jit", json!({"sub": "s-9"})).await, nia);
        place.close().await;
    }

    async fn it_is_told_before_and_meanwhile(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let peer = peer(1).await;
        connect(db, &house, &peer).await;
        let of = |partner: PartnerId| format!("/partners/{partner}/suspend");
        // Three connections of one directory: one pushes, one is read, one signs in.
        for partner in [house.reseller, house.top] {
            let told = owner.get(&of(partner)).await;
            assert_eq!((&told.body["connections"], &told.body["directories"]), (&json!(3), &json!(1)), "{told:?}");
            let line = &told.body["by_directory"][0];
            assert_eq!((&line["directory"]["name"], &line["partner"]["name"], &line["connections"]), (&json!("Our Entra"), &json!("Harbor"), &json!(3)), "{told:?}");
        }
        house.set_connection_state(house.scim, "paused").await;
        assert_eq!(owner.get(&of(house.reseller)).await.body["connections"], json!(2), "what is paused is not stopped by it");
        house.set_connection_state(house.scim, "active").await;
        house.set_directory_mode("paused").await;
        assert_eq!(owner.get(&of(house.reseller)).await.body["directories"], json!(0));
        house.set_directory_mode("authoritative").await;
        // Who may not see connections is told how many, and not which.
        let clerk = house.user("Claus Clerk").await;
        house.grant(clerk, &[CoreCapability::PartnerView, CoreCapability::BillingHold], "subtree", house.top).await;
        let told = Api::of(&app, &house, clerk, house.reseller).await.get(&of(house.reseller)).await;
        assert_eq!((&told.body["connections"], &told.body["by_directory"]), (&json!(3), &json!([])), "{told:?}");

        assert_eq!(owner.get("/connections/ldap").await.body["suspended"], json!(false));
        assert!(doctor::remarks(&db.store).await.unwrap().iter().all(|line| !line.contains("suspended")));
        db.execute(&SUSPEND, binds![house.reseller]).await;
        assert_eq!(owner.get("/connections/ldap").await.body["suspended"], json!(true));
        let remarks = doctor::remarks(&db.store).await.unwrap();
        for slug in ["acme", "acme-sso", "ldap"] {
            let line = remarks.iter().find(|line| line.contains(&format!("connection {slug} "))).unwrap();
            assert!(line.contains("Our Entra") && line.contains("Harbor"), "{line}");
        }
        // Nobody but the operator gets as far as the run: whoever asks is told why not.
        problem(&owner.post("/connections/ldap/sync-runs", json!({})).await, 403, "suspended");
        app.stop().await;
    }

    async fn the_console_says_so(db: &Database) {
        let console = Console::open(db).await;
        let scim = push_at(&console, "harbor", "harbor-entra").await;
        let harbor = console.partner("harbor").await.partner();
        let owner = api_token(&console, "meridian", "olga@meridian.example").await;
        let mut olga = console.sign_in("meridian", "olga@meridian.example").await;
        let before = olga.get(&format!("/partners/{harbor}")).await.text;
        assert!(before.contains("What directories say is not taken meanwhile") && before.contains("open connection"), "{before}");
        let path = format!("/api/v1/partners/{harbor}/suspend");
        let off = console.app.request(Method::POST, &path).bearer_auth(&owner).json(&json!({"reason": "unpaid"})).send().await.unwrap();
        assert_eq!(off.status(), 200);
        scim.get("/Users").await.refused(503, "");
        for (page, part) in [("/connections/harbor-entra".to_owned(), "Nothing is taken at the moment"), (format!("/partners/{harbor}/directories"), "partner suspended")] {
            let page = olga.get(&page).await;
            assert!(page.status == 200 && page.text.contains(part), "{}", page.text);
        }
        let path = format!("/api/v1/partners/{harbor}/reactivate");
        let on = console.app.request(Method::POST, &path).bearer_auth(&owner).json(&json!({})).send().await.unwrap();
        assert_eq!(on.status(), 200);
        assert_eq!(scim.get("/Users").await.status, 200);
        assert!(!olga.get("/connections/harbor-entra").await.text.contains("Nothing is taken at the moment"));
        console.app.stop().await;
    }
}

/// What is written down of two servers is one store: the suspension counts at the other one's next request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_counts_at_the_next_request_of_another_server() {
    let db = Database::postgres().await;
    let house = House::build(&db.store, "https://login.example.com").await;
    let app = App::start(&db).await;
    let (second, store) = App::second(&db).await;
    let scim = pushes(&Api::owner(&app, &house).await, &app).await;
    let there = scim.at(&second);
    let path = format!("/Users/{}", scim.post("/Users", user("ida")).await.id());
    for round in 0..5 {
        for node in [&scim, &there] {
            assert_eq!(node.get(&path).await.status, 200, "round {round}");
        }
        let (taken, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let reading = async {
            while !done.load(Ordering::SeqCst) {
                let after = taken.load(Ordering::SeqCst);
                let status = there.get(&path).await.status;
                assert!(status == 503 || (status == 200 && !after), "{status}, asked after it was suspended: {after}");
            }
        };
        let suspending = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            db.execute(&SUSPEND, binds![if round % 2 == 0 { house.top } else { house.reseller }]).await;
            taken.store(true, Ordering::SeqCst);
            for node in [&scim, &there] {
                node.get(&path).await.refused(503, "");
                node.post("/Users", user(&format!("bo{round}"))).await.refused(503, "");
            }
            done.store(true, Ordering::SeqCst);
        };
        futures_util::join!(reading, suspending);
        db.execute(&LIFT, binds![]).await;
        assert_eq!(there.post("/Users", user(&format!("bo{round}"))).await.status, 201, "given back");
    }
    app.stop().await;
    second.stop().await;
    store.close().await;
    db.remove().await;
}
