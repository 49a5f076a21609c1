//! Runs through a running server: the API, and the command that asks the server whose folder it is given.
use std::process::Command;

use reqwest::Method;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::id::ConnectionId;
use rolecall::store::Tx;
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::support::database::{Database, on_both};
use crate::support::house::{House, ctx};
use crate::support::slapd::{BASE, Slapd, Tree, user_dn};

statements! {
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, created_at, \
        updated_at) VALUES ($1, $2, 'ldap', 'acme-ldap', 'openldap', 'active', $3, 1, 0, 0)";
}

/// A house whose directory has an LDAP connection to a server that lets anybody read.
async fn house(db: &Database, slapd: &Slapd) -> (House, ConnectionId) {
    let house = House::build(&db.store, "http://127.0.0.1:1").await;
    let connection: ConnectionId = ctx().id();
    let config = json!({
        "urls": [format!("ldap://{}", slapd.address)],
        "security": "none",
        "users": {"bases": [format!("ou=people,{BASE}")]},
        "groups": {"bases": [format!("ou=groups,{BASE}")]},
    });
    let values = binds![connection, house.directory, config.to_string()];
    let insert = async |tx: &mut Tx| tx.execute(&CONNECTION, values.clone()).await;
    db.store.write(insert).await.unwrap();
    (house, connection)
}

async fn slapd(users: usize) -> Slapd {
    let mut tree = Tree::new();
    tree.users(users).group("all", &[user_dn("u000")]);
    Slapd::start_open(&tree).await
}

async fn post(app: &App, path: &str, token: &str, body: &Json) -> (u16, Json) {
    let request = app.request(Method::POST, path).bearer_auth(token).json(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// `rolecall sync run` on the data folder of the running server.
fn command(db: &Database, loopback: bool, arguments: &[&str]) -> (i32, Json, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.args(["sync", "run"]).args(arguments).arg("--json");
    match db.url.starts_with("postgres") {
        false => command.arg("--data").arg(db.folder()),
        // On PostgreSQL the command works beside the servers, with a configuration like theirs.
        true => {
            let file = db.folder().join("rolecall.toml");
            let (url, folder) = (&db.url, db.folder().display().to_string());
            let text = format!(
                "[store]\ndatabase_url = \"{url}\"\ndata_dir = \"{folder}\"\n[outbound]\nallow_loopback = {loopback}\n"
            );
            std::fs::write(&file, text).unwrap();
            command.arg("--config").arg(file)
        }
    };
    let output = command.env_remove("ROLECALL_CONFIG").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
}

const RUNS: &str = "/api/v1/connections/acme-ldap/sync-runs";
const SYNC: &str = "/api/v1/connections/acme-ldap/sync-runs";

on_both! {
    async fn the_command_runs_through_the_server_that_owns_the_data(db: &Database) {
        let slapd = slapd(7).await;
        let (house, connection) = house(db, &slapd).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        let (code, dry, said) = command(db, true, &["acme-ldap", "--dry-run"]);
        assert_eq!((code, &dry["status"], &dry["users"]["created"]), (0, &json!("done"), &json!(7)), "{said}");
        assert_eq!(house.external_users(connection).await, 0);
        let (code, report, said) = command(db, true, &["acme-ldap"]);
        assert_eq!((code, &report["users"]["created"], &report["members"]["added"]), (0, &json!(7), &json!(1)), "{said}");
        assert_eq!(house.external_users(connection).await, 7);

        for uid in ["u001", "u002"] {
            slapd.delete(&user_dn(uid)).await;
        }
        let (code, held, _) = command(db, true, &["acme-ldap"]);
        assert_eq!((code, &held["status"], &held["users"]["held"]), (3, &json!("held"), &json!(2)));
        let (code, _, _) = command(db, true, &["acme-ldap", "--approve", held["run"].as_str().unwrap()]);
        assert_eq!((code, house.external_users(connection).await), (0, 5));

        let (code, nothing, said) = command(db, true, &["nobody"]);
        assert_eq!((code, nothing), (1, Json::Null));
        assert!(said.contains("There is no such thing"), "{said}");
        let notice = db.folder().join("server.json");
        assert!(notice.exists());
        app.stop().await;
        assert!(!notice.exists(), "the notice goes with the server");
    }

    async fn a_directory_in_the_neighbourhood_needs_the_operators_word(db: &Database) {
        let slapd = slapd(3).await;
        let (house, connection) = house(db, &slapd).await;
        let app = App::start(db).await;
        let (code, report, _) = command(db, false, &["acme-ldap"]);
        assert_eq!((code, &report["status"]), (1, &json!("failed")));
        assert!(report["failure"].as_str().unwrap().contains("not in `outbound.allowed_networks`"), "{report}");
        assert_eq!(house.external_users(connection).await, 0);
        app.stop().await;
    }

    async fn a_run_needs_its_capability_and_other_partners_learn_nothing(db: &Database) {
        let slapd = slapd(3).await;
        let (house, connection) = house(db, &slapd).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        let none = app.request(Method::POST, SYNC).send().await.unwrap();
        assert_eq!(none.status().as_u16(), 401);
        assert_eq!(post(&app, SYNC, "rco_guessed", &json!({})).await.0, 401);

        let stranger = house.user("Nobody").await;
        let (_, token) = house.api_token(stranger, house.reseller).await;
        let (status, hidden) = post(&app, SYNC, &token, &json!({})).await;
        let (missing, unknown) = post(&app, "/api/v1/connections/other/sync-runs", &token, &json!({})).await;
        assert_eq!((status, missing), (404, 404));
        assert_eq!(hidden["detail"], unknown["detail"], "hidden and unknown look alike");
        house.grant(stranger, &[CoreCapability::PartnerView], "partner", house.reseller).await;
        assert_eq!(post(&app, SYNC, &token, &json!({})).await.0, 403);
        assert_eq!(house.external_users(connection).await, 0);

        let (_, owner) = house.api_token(house.owner, house.top).await;
        let (status, report) = post(&app, SYNC, &owner, &json!({"wait": true})).await;
        assert_eq!((status, &report["status"]), (200, &json!("done")), "{report}");
        let (status, steps) = post(&app, "/api/v1/connections/acme-ldap/test", &owner, &json!({})).await;
        assert_eq!(status, 200);
        let passed: Vec<bool> = steps["steps"].as_array().unwrap().iter().map(|step| step["passed"] == true).collect();
        assert_eq!(passed, [true; 4], "{steps}");

        let (status, begun) = post(&app, SYNC, &owner, &json!({"dry_run": true, "wait": false})).await;
        assert_eq!(status, 202, "{begun}");
        let one = format!("{RUNS}/{}", begun["id"].as_str().unwrap());
        let ended = async {
            loop {
                let answer = app.request(Method::GET, &one).bearer_auth(&owner).send().await.unwrap();
                let run: Json = answer.json().await.unwrap();
                if run["status"] != "running" {
                    return run;
                }
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(ended.await["report"]["users"]["unchanged"], 3);
        let list: Json = app.request(Method::GET, RUNS).bearer_auth(&owner).send().await.unwrap().json().await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
        let (status, refused) = post(&app, SYNC, &owner, &json!({"dry": true})).await;
        assert_eq!(status, 400, "{refused}");
        app.stop().await;
    }
}
