//! A database that says nothing, and nodes that hang in the middle of a write (PostgreSQL): whoever waits is answered in
//! a stated time, and nobody is held up longer than a hung transaction lasts.
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use rolecall::clock::Clock;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::{ExternalGroupId, ExternalUserId};
use rolecall::provision::{ProvisionError, groups, users};
use rolecall::store::{self, Options, Store, StoreError, Tx, external_groups, external_users, nesting, tokens};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::app::{App, Scim, header};
use crate::support::database::Database;
use crate::support::house::House;
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::world::{World, ctx};

/// The time in which whoever waits for a silent database is answered: it is doubted for 3 s, asked for a sign of life for
/// 4 s, and a busy machine adds its own.
const STATED: Duration = Duration::from_secs(20);

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// A server whose store, and log of requests, lie behind a wire.
async fn behind(db: &Database, wire: &Wire) -> (App, Store) {
    let url = wire.url(&db.url);
    let store = store::open(&url, &Options { connections: 6, readers: 4, ..Options::default() }).await.unwrap();
    let app = App::start_on(db, store.clone(), |config| config.store.database_url = Some(url.into())).await;
    (app, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_database_is_answered_503_in_time_and_used_again_when_it_speaks() {
    let db = Database::postgres().await;
    let house = House::build(&db.store, "https://login.example.com").await;
    let wire = Wire::to(&db.url).await;
    let (app, store) = behind(&db, &wire).await;
    let helper = house.user("Hedda Helper").await;
    house.grant(helper, &[CoreCapability::UserView], "partner", house.reseller).await;
    let (_, token) = house.api_token(house.owner, house.top).await;
    let decision = json!({"subject": {"type": "user", "id": helper.to_string()}, "action": {"name": "core.user.view"},
        "resource": {"type": "partner", "id": house.reseller.to_string()}});
    let (at, now) = (house.at(house.reseller), Clock.ctx(Actor::Operator));
    let make = async |tx: &mut Tx| tokens::create(tx, &at, &now, house.scim, "test", None).await;
    let bearer = db.store.write(make).await.unwrap().1.reveal().to_owned();
    let scim = Scim { base: format!("{}/scim/acme/v2", app.base), token: bearer, client: app.client.clone() };
    let create = |name: &str| {
        let body = json!({"schemas": [USER], "userName": name});
        scim.request(Method::POST, "/Users").header("content-type", "application/scim+json").body(body.to_string())
    };
    let patient = reqwest::Client::builder().timeout(Duration::from_secs(90)).no_proxy().build().unwrap();
    let requests = || {
        vec![
            ("a read", scim.request(Method::GET, "/Users?count=1")),
            ("a search", scim.request(Method::GET, "/Users?filter=title%20eq%20%22x%22")),
            ("a write", create("silent-one")),
            ("another write", create("silent-two")),
            ("a decision", app.request(Method::POST, "/access/v1/evaluation").bearer_auth(&token).json(&decision)),
            ("the API", app.request(Method::GET, "/api/v1/partners").bearer_auth(&token)),
            ("health", app.request(Method::GET, "/readyz")),
            ("a sign-in", app.request(Method::GET, "/login/acme-sso")),
        ]
    };
    // Statements are prepared and connections open, as in a server that works.
    for (what, request) in requests() {
        let status = patient.execute(request.build().unwrap()).await.unwrap().status();
        assert!(!status.is_server_error() || what == "a sign-in", "{what}: {status}");
    }
    for round in 0..2 {
        // Once while nothing is under way, once in the middle of writes.
        let under_way: Vec<_> = (0..round * 20)
            .map(|number| tokio::spawn(patient.execute(create(&format!("under-way-{number}")).build().unwrap())))
            .collect();
        if round == 1 {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        wire.silence(true);
        let began = Instant::now();
        let asked = requests().into_iter().map(|(what, request)| {
            let sent = patient.execute(request.build().unwrap());
            async move { (what, sent.await.unwrap(), Instant::now()) }
        });
        for (what, answer, at) in futures_util::future::join_all(asked).await {
            assert_eq!(answer.status(), 503, "{what}");
            assert!(!header(&answer, "retry-after").is_empty(), "{what}");
            assert!(at - began < STATED, "{what}: {:?}", at - began);
        }
        for answer in futures_util::future::join_all(under_way).await {
            let status = answer.unwrap().unwrap().status().as_u16();
            assert!([201, 503].contains(&status), "{status}");
        }
        assert!(began.elapsed() < STATED, "{:?}", began.elapsed());
        assert_eq!(app.get("/livez").await.status(), 200);
        wire.silence(false);
        let again = Instant::now();
        loop {
            let status = patient.execute(scim.request(Method::GET, "/Users?count=1").build().unwrap()).await.unwrap();
            if status.status() == 200 {
                break;
            }
            assert!(again.elapsed() < STATED, "used again when it speaks");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let written = patient.execute(create(&format!("after-{round}")).build().unwrap()).await.unwrap();
        assert_eq!(written.status(), 201);
    }
    app.stop().await;
    store.close().await;
    db.remove().await;
}

/// What a hung node may have done last, each with what it thereby holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hung {
    Nesting,
    Group,
    User,
    DeletingUser,
    DeletingGroup,
    SameName,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hangs_in_a_write_holds_up_what_it_holds_for_a_moment_and_nothing_else() {
    let db = Database::postgres().await;
    let world = World::new(&db.store).await;
    let app = App::start(&db).await;
    let options = Options { longest_pause: Duration::from_secs(2), ..Options::default() };
    let hanging = store::open(&db.url, &options).await.unwrap();
    let scim = app.scim(&db, &world, world.connections[0]).await;
    for hung in [Hung::Nesting, Hung::Group, Hung::User, Hung::DeletingUser, Hung::DeletingGroup, Hung::SameName] {
        let user = scim.user(&format!("{hung:?}-user")).await.id();
        let inner = scim.group(&format!("{hung:?}-inner"), &[]).await.id();
        let group = scim.group(&format!("{hung:?}-group"), &[&user, &inner]).await.id();
        let (group_id, user_id) = (id::<ExternalGroupId>(&group), id::<ExternalUserId>(&user));
        let (holds, store, at) = (Notify::new(), &hanging, world.connections[0]);
        let holds = &holds;
        let hang = async {
            let source = world.source();
            let source = &source;
            let world = &world;
            let outcome = store.write(async |tx: &mut Tx| {
                let ctx = ctx(2_000_000_000);
                match hung {
                    Hung::Nesting => nesting::lock(tx, &at).await?,
                    Hung::Group => drop(external_groups::lock(tx, &at, group_id).await?),
                    Hung::User => drop(external_users::lock(tx, &at, user_id).await?),
                    Hung::DeletingUser => {
                        users::delete_in(tx, &ctx, source, user_id, None).await.map_err(failed)?;
                    }
                    Hung::DeletingGroup => {
                        groups::delete_in(tx, &ctx, source, group_id, None).await.map_err(failed)?;
                    }
                    Hung::SameName => {
                        let new = users::NewExternalUser {
                            stable_key: None,
                            said: world.user(json!({"userName": format!("{hung:?}-same")})).into(),
                        };
                        users::create_in(tx, &ctx, source, new).await.map_err(failed)?;
                    }
                }
                holds.notify_one();
                // Past the time a node has, whatever it holds.
                tokio::time::sleep(Duration::from_secs(8)).await;
                nesting::lock(tx, &at).await
            });
            assert!(outcome.await.is_err(), "{hung:?}: its transaction has been ended");
        };
        let others = async {
            tokio::time::timeout(STATED, holds.notified()).await.unwrap_or_else(|_| panic!("{hung:?} holds nothing"));
            let began = Instant::now();
            // What has nothing to do with it does not wait at all: not even what only refers to the same rows.
            let free = scim.user(&format!("{hung:?}-free")).await.id();
            scim.group(&format!("{hung:?}-free"), &[&free]).await;
            assert!(began.elapsed() < Duration::from_millis(1_500), "{hung:?}: creations waited {:?}", began.elapsed());
            // What it holds is free when its transaction is ended.
            let same = json!({"schemas": [USER], "userName": format!("{hung:?}-same")});
            let (user_path, group_path) = (format!("/Users/{user}"), format!("/Groups/{group}"));
            let (patched, nested, same) = tokio::join!(
                scim.patch(&user_path, json!([{"op": "replace", "path": "title", "value": "x"}])),
                scim.patch(&group_path, json!([{"op": "remove", "path": "members"}])),
                scim.post("/Users", same),
            );
            assert!([200, 204].contains(&patched.status), "{hung:?}: {patched:?}");
            assert!([200, 204].contains(&nested.status), "{hung:?}: {nested:?}");
            assert!([201, 409].contains(&same.status), "{hung:?}: {same:?}");
            assert!(began.elapsed() < Duration::from_secs(7), "{hung:?}: {:?}", began.elapsed());
        };
        tokio::join!(hang, others);
    }
    app.stop().await;
    hanging.close().await;
    db.remove().await;
}

fn failed(error: ProvisionError) -> StoreError {
    eprintln!("{error:?}");
    StoreError::Failed
}

fn id<T: rolecall::domain::id::Id>(text: &str) -> T {
    T::from_uuid(Uuid::parse_str(text).unwrap())
}

/// A second server, in a process of its own.
struct Node(Child);

impl Node {
    fn start(db: &Database, port: u16, folder: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command.arg("serve").env_remove("ROLECALL_CONFIG").env("ROLECALL_STORE_DATABASE_URL", &db.url);
        command
            .env("ROLECALL_STORE_DATA_DIR", folder)
            .env("ROLECALL_SECRETS_ENCRYPTION_KEY_FILE", db.folder().join("secret.key"));
        command
            .env("ROLECALL_SERVER_LISTEN", format!("127.0.0.1:{port}"))
            .env("ROLECALL_SCIM_REQUESTS_PER_SECOND", "0");
        command
            .env("ROLECALL_STORE_MAX_WRITE_CONNECTIONS", "6")
            .env("ROLECALL_STORE_IDLE_TRANSACTION_TIMEOUT_SECONDS", "3");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_process_holds_nobody_up() {
    let db = Database::postgres().await;
    let stage = Stage::open(&db).await;
    let folder = db.folder().join("second");
    std::fs::create_dir_all(&folder).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = Node::start(&db, port, &folder);
    let here = &stage.scim;
    let path = &here.base[here.base.find("/scim/").unwrap()..];
    let there = Scim { base: format!("http://127.0.0.1:{port}{path}"), ..here.clone() };
    let up = Instant::now();
    loop {
        let ready = there.client.get(format!("http://127.0.0.1:{port}/readyz")).send().await;
        if ready.is_ok_and(|ready| ready.status() == 200) {
            break;
        }
        assert!(up.elapsed() < Duration::from_secs(60), "the second server starts");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let users: Vec<String> = {
        let mut users = Vec::new();
        for number in 0..4 {
            users.push(here.user(&format!("u{number}")).await.id());
        }
        users
    };
    let group = here.group("Busy", &[]).await.id();
    for round in 0..3 {
        // Every kind of write is under way on the second when it is stopped.
        let busy: Vec<_> = (0..8)
            .map(|number| {
                let (there, users, group) = (there.clone(), users.clone(), group.clone());
                tokio::spawn(async move {
                    for step in 0.. {
                        let user = &users[step % users.len()];
                        let request = match (number + step) % 4 {
                            0 => there.request(Method::POST, "/Users").body(
                                json!({"schemas": [USER], "userName": format!("n{round}-{number}-{step}")}).to_string(),
                            ),
                            1 => there.request(Method::PATCH, &format!("/Groups/{group}")).body(patch("add", user)),
                            2 => there.request(Method::PATCH, &format!("/Groups/{group}")).body(patch("remove", user)),
                            _ => there.request(Method::PATCH, &format!("/Users/{user}")).body(
                                json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                                    "Operations": [{"op": "replace", "path": "title", "value": format!("{step}")}]})
                                .to_string(),
                            ),
                        };
                        let request = request.header("content-type", "application/scim+json");
                        if request.timeout(Duration::from_secs(60)).send().await.is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(700)).await;
        node.signal(rustix::process::Signal::STOP);
        let began = Instant::now();
        let created = here.user(&format!("here-{round}")).await;
        assert_eq!(created.status, 201);
        let path = format!("/Groups/{group}");
        let writes = users.iter().map(|user| here.patch(&path, operations("add", user)));
        for answer in futures_util::future::join_all(writes).await {
            assert!([200, 204].contains(&answer.status), "{answer:?}");
        }
        for user in &users {
            let title = json!([{"op": "replace", "path": "title", "value": "here"}]);
            let answer = here.patch(&format!("/Users/{user}"), title).await;
            assert!([200, 204].contains(&answer.status), "{answer:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(25), "round {round}: {:?}", began.elapsed());
        node.signal(rustix::process::Signal::CONT);
        for task in busy {
            task.abort();
        }
    }
    drop(node);
    stage.console.app.stop().await;
    db.remove().await;
}

fn operations(op: &str, user: &str) -> Value {
    match op {
        "add" => json!([{"op": "add", "path": "members", "value": [{"value": user}]}]),
        _ => json!([{"op": "remove", "path": format!("members[value eq \"{user}\"]")}]),
    }
}

fn patch(op: &str, user: &str) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations(op, user)})
        .to_string()
}
