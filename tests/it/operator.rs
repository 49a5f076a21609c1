//! Commands through the running server: a SQLite file belongs to one process, and still nothing has to stop for them.
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use rolecall::admin::setup::{self, SetUp, When};
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, StoreError, Tx, one_time_links};
use rolecall::web::operator_token::ServerNotice;
use rolecall::web::routes::{self, RouteAccess};

use crate::app::App;
use crate::support::database::on_both;

const DEMO: &str = include_str!("../../config/demo.toml");

/// A folder of its own, removed when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rolecall-operator-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command.args(arguments).env_remove("ROLECALL_CONFIG").env("ROLECALL_STORE_DATA_DIR", self.0.join("data"));
        command.env("ROLECALL_SERVER_LISTEN", "127.0.0.1:0").env("ROLECALL_LOG_FILTER", "error");
        command.stdin(Stdio::null());
        command
    }

    /// A command: its exit code, what it says, and what it says is wrong.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), said(stdout), said(stderr))
    }

    /// A server on the folder that answers, and has said what it says at its start.
    fn serve(&self, settings: &[(&str, &str)]) -> Serving {
        let mut command = self.command(&["serve"]);
        command.envs(settings.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (said, mut out) = (Arc::new(Mutex::new(String::new())), child.stdout.take().unwrap());
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut some) {
                heard.lock().unwrap().push_str(std::str::from_utf8(&some[..count]).unwrap());
            }
        });
        let (begun, id) = (Instant::now(), child.id());
        let server = Serving { child, said };
        // Whoever is asked answers only when the server of this run does.
        loop {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server {id} did not get ready");
            let told = server.said();
            if told.ends_with('\n') && (told.contains("/link?token=") || told.contains("Nobody is signed in")) {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _kept = std::fs::remove_dir_all(&self.0);
    }
}

struct Serving {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Serving {
    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn stop(mut self) {
        self.signal("-TERM");
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The token of the link that is told.
fn link(said: &str) -> String {
    let word = said.split_whitespace().find(|word| word.contains("/link?token="));
    word.unwrap_or_else(|| panic!("no link: {said}")).split_once("token=").unwrap().1.to_owned()
}

#[test]
fn every_command_works_beside_the_server_and_without_it() {
    let folder = Folder::new("commands");
    let world = folder.file("world.toml", DEMO);
    let wrong = folder.file("wrong.toml", &DEMO.replace("role = \"Operator\"", "role = \"Opperator\""));
    let mut server = Some(folder.serve(&[]));
    let mut exports = Vec::new();
    for running in [true, false] {
        if !running {
            server.take().unwrap().stop();
        }
        let (code, said, error) = folder.run(&["apply", &world]);
        match running {
            true => assert!(code == 3 && said.contains("+ partner lighthouse"), "{code} {said}{error}"),
            false => assert!(code == 0 && said.starts_with("Nothing to do"), "{code} {said}{error}"),
        }
        let (code, said, error) = folder.run(&["apply", &world, "--yes"]);
        assert_eq!((code, said.contains("Applied: ")), (0, running), "{said}{error}");
        let (code, said, error) = folder.run(&["export"]);
        assert!(code == 0 && said.contains("lighthouse"), "{said}{error}");
        exports.push(said);
        let (code, said, error) = folder.run(&["doctor"]);
        assert_eq!((code, said.trim_end()), (0, "Nothing is wrong."), "{error}");
        let (code, said, error) = folder.run(&["migrate", "--check"]);
        assert!(code == 0 && said.contains("the schema of this version"), "{said}{error}");
        for who in [
            &["--login", "olga@meridian.example"][..],
            &[],
            &["--partner", "lighthouse", "--login", "lena@lighthouse.example"],
            &["--partner", "harbor"],
        ] {
            let (code, said, error) = folder.run(&[&["admin", "recover-owner"], who].concat());
            assert_eq!(code, 0, "{who:?}: {said}{error}");
            link(&said);
        }
        for (who, why) in [
            (&["--partner", "nobody"][..], "there is no partner `nobody`"),
            (&["--partner", "lighthouse", "--login", "olga@meridian.example"], "there is no user"),
            (&["--partner", "quayside"], "nobody at home here holds a role over all of it"),
        ] {
            let (code, _, error) = folder.run(&[&["admin", "recover-owner"], who].concat());
            assert!(code == 1 && error.contains(why), "{error}");
        }
        let (code, _, error) = folder.run(&["apply", &wrong]);
        let line = 1 + DEMO.lines().position(|line| line == "role = \"Operator\"").unwrap();
        assert!(code == 1 && error.contains(&format!("wrong.toml:{line}: ")), "{error}");
        assert!(error.contains("there is no role `Opperator`"), "{error}");
        let (code, _, error) = folder.run(&["sync", "run", "nothing"]);
        assert!(code == 1 && !error.contains("in use"), "{error}");
    }
    assert_eq!(exports[0], exports[1]);
}

#[test]
fn a_notice_that_a_killed_server_left_is_no_server() {
    let folder = Folder::new("stale");
    folder.serve(&[]).kill();
    assert!(ServerNotice::read(&folder.0.join("data")).is_some(), "it is still there");
    let (code, said, error) = folder.run(&["export"]);
    assert!(code == 0 && said.contains("Our company"), "{error}");
}

/// The server that runs on a folder is asked for its own database alone.
#[test]
fn a_server_of_another_database_is_not_asked() {
    let folder = Folder::new("other");
    let world = folder.file("world.toml", DEMO);
    let server = folder.serve(&[]);
    let other = format!("sqlite:{}", folder.0.join("other.db").display());
    let mut apply = folder.command(&["apply", &world, "--yes"]);
    let Output { status, stdout, stderr } = apply.env("ROLECALL_STORE_DATABASE_URL", other).output().unwrap();
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success() && said.contains("Applied: "), "{said}{}", String::from_utf8_lossy(&stderr));
    let (code, said, error) = folder.run(&["export"]);
    assert!(code == 0 && said.contains("Our company") && !said.contains("lighthouse"), "{said}{error}");
    server.stop();
}

#[test]
fn commands_know_the_certificate_of_their_own_server() {
    let folder = Folder::new("tls");
    let issue = || {
        let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer_key = rcgen::KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::new(authority, issuer_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["id.example.com".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        (folder.file("crt.pem", &leaf.pem()), folder.file("key.pem", &key.serialize_pem()))
    };
    let (certificate, key) = issue();
    let settings = [
        ("ROLECALL_SERVER_TLS_CERTIFICATE", certificate.as_str()),
        ("ROLECALL_SERVER_TLS_KEY", key.as_str()),
        ("ROLECALL_SERVER_PUBLIC_URL", "https://id.example.com"),
    ];
    let server = folder.serve(&settings);
    for arguments in [&["export"][..], &["doctor"], &["admin", "setup-link"]] {
        let (code, said, error) = folder.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}{error}");
    }
    let (_, _, error) = folder.run(&["sync", "run", "nothing"]);
    assert!(error.contains("There is no such thing"), "it was asked: {error}");
    let before = ServerNotice::read(&folder.0.join("data")).unwrap().certificate;
    issue();
    server.signal("-HUP");
    let begun = Instant::now();
    while ServerNotice::read(&folder.0.join("data")).unwrap().certificate == before {
        assert!(begun.elapsed() < Duration::from_secs(30), "the new certificate is not told");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (code, _, error) = folder.run(&["export"]);
    assert_eq!(code, 0, "{error}");
    server.stop();
}

#[test]
fn the_first_steps_of_the_readme_hold_in_both_orders() {
    let own = "[[partner]]\nkey = \"northwind\"\nname = \"Northwind\"\nlevel = \"distributor\"\n\n\
        [[partner]]\nkey = \"south\"\nname = \"South\"\nparent = \"northwind\"\nlevel = \"reseller\"\n";
    // First the server, then one's own root.
    let folder = Folder::new("serve-first");
    let world = folder.file("world.toml", own);
    let server = folder.serve(&[]);
    let (code, said, error) = folder.run(&["apply", &world, "--yes"]);
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains("the root of the tree, “Our company” with the key root so far, is “Northwind”"), "{said}");
    let (_, said, _) = folder.run(&["apply", &world]);
    assert!(said.starts_with("Nothing to do"), "{said}");
    let (code, shown, error) = folder.run(&["admin", "setup-link"]);
    assert_eq!((code, link(&shown)), (0, link(&server.said())), "the owner is the same: {error}");
    server.stop();
    // First one's own root, then the server: it makes an owner there.
    let folder = Folder::new("apply-first");
    let world = folder.file("world.toml", own);
    let (code, said, error) = folder.run(&["apply", &world, "--yes"]);
    assert_eq!(code, 0, "{said}{error}");
    let (code, said, _) = folder.run(&["doctor"]);
    assert!(code == 1 && said.contains("Nobody holds the catalog's first roles over the whole tree"), "{said}");
    let server = folder.serve(&[]);
    link(&server.said());
    let (code, said, _) = folder.run(&["doctor"]);
    assert_eq!((code, said.trim_end()), (0, "Nothing is wrong."));
    let (_, said, _) = folder.run(&["apply", &world]);
    assert!(said.starts_with("Nothing to do"), "{said}");
    server.stop();
    // A file that has an owner of its own: the link is for whoever is named there.
    let folder = Folder::new("owned");
    let world = folder.file("world.toml", DEMO);
    assert_eq!(folder.run(&["apply", &world, "--yes"]).0, 0);
    let server = folder.serve(&[]);
    assert!(server.said().contains("admin setup-link"), "{}", server.said());
    let (code, said, error) = folder.run(&["admin", "setup-link"]);
    assert_eq!(code, 0, "{error}");
    link(&said);
    // Another root beside a declared one is refused, with the name of the one there is.
    let other = folder.file("other.toml", own);
    let (code, _, error) = folder.run(&["apply", &other, "--yes"]);
    assert!(code == 1 && error.contains("other.toml:1: ") && error.contains("a root already, `meridian`"), "{error}");
    server.stop();
}

#[test]
fn the_first_owners_link_survives_a_kill_and_is_shown_again() {
    let folder = Folder::new("killed");
    let first = folder.serve(&[]);
    let made = link(&first.said());
    first.kill();
    let second = folder.serve(&[]);
    assert_eq!(link(&second.said()), made);
    let (code, said, error) = folder.run(&["admin", "setup-link"]);
    assert_eq!((code, link(&said)), (0, made.clone()), "{error}");
    second.stop();
    let (_, said, _) = folder.run(&["admin", "setup-link"]);
    assert_eq!(link(&said), made, "without a server too");
}

fn keys() -> Keyring {
    Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap()
}

async fn set_up(store: &Store, when: When) -> Option<String> {
    let wanted = SetUp { catalog: "cove", company: "Company", owner: "owner" };
    let (ctx, by, keys) = (Clock.ctx(Actor::Operator), OperatorExtent::assume(), keys());
    let token = setup::set_up(store, &ctx, by, &keys, (&wanted, when)).await.unwrap();
    token.map(|token| token.reveal().to_owned())
}

on_both! {
    async fn servers_that_start_at_once_show_one_link_until_it_is_used(db: &Database) {
        let start = || set_up(&db.store, When::AtStart);
        let (one, two, three) = tokio::join!(start(), start(), start());
        let token = one.unwrap();
        assert!(two.as_ref() == Some(&token) && three.as_ref() == Some(&token));
        assert_eq!(set_up(&db.store, When::Asked).await.as_ref(), Some(&token));
        let hash = rolecall::secret::sha256(token.as_bytes());
        let take = async |tx: &mut Tx| one_time_links::take(tx, hash, Clock.now()).await.map(drop);
        db.store.write::<(), StoreError>(take).await.unwrap();
        assert_eq!(set_up(&db.store, When::AtStart).await, None);
        assert_eq!(set_up(&db.store, When::Asked).await, None);
    }

    async fn only_the_token_in_the_data_folder_opens_what_the_operator_may(db: &Database) {
        let app = App::start(db).await;
        let notice = ServerNotice::read(&db.folder()).unwrap();
        let wrong = format!("{}x", &notice.token[..notice.token.len() - 1]);
        for entry in routes::all().filter(|entry| entry.access == RouteAccess::Operator) {
            for method in entry.methods() {
                let method: Method = method.parse().unwrap();
                let ask = |token: &str| app.request(method.clone(), entry.path).bearer_auth(token).body("{}").send();
                assert_eq!(ask(&wrong).await.unwrap().status(), 401, "{}", entry.path);
                let status = ask(&notice.token).await.unwrap().status().as_u16();
                assert!([200, 400].contains(&status), "{} {status}", entry.path);
            }
        }
        app.stop().await;
    }
}
