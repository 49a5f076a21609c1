//! Clients that do not read, do not finish, stay too long or come too often: each costs itself alone.
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use reqwest::Method;
use rolecall::config::Config;
use rolecall::domain::capability::CoreCapability;
use rolecall::web::routes::{self, RouteAccess};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::app::{App, header};
use crate::support::database::{Database, on_both};
use crate::support::house::House;
use crate::support::world::World;

/// Longer than the stalls that the tests allow, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Everything that comes until the server ends the connection.
async fn until_the_end(socket: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let mut bytes = vec![0; 64 << 10];
    let read = async {
        while let Ok(count @ 1..) = socket.read(&mut bytes).await {
            all.extend_from_slice(&bytes[..count]);
        }
    };
    tokio::time::timeout(SOON, read).await.expect("the server ends the connection");
    all
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.running.address()).await.unwrap()
}

async fn others_are_served(app: &App) {
    for _ in 0..20 {
        assert_eq!(app.get("/livez").await.status(), 200);
    }
}

on_both! {
    async fn a_client_that_reads_nothing_ends_alone(db: &Database) {
        let app = App::start_with(db, |config| {
            config.server.limits.write_timeout_seconds = 1;
            config.server.limits.requests_per_second = 0;
        })
        .await;
        let request = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let mut socket = connect(&app).await;
            // More answers than any buffer between the two holds.
            let many = request.repeat(400);
            let _partly = tokio::time::timeout(Duration::from_millis(50), socket.write_all(&many)).await;
            stalled.push(socket);
        }
        others_are_served(&app).await;
        // Longer than a stall may last; meanwhile nothing of the answers is read.
        tokio::time::sleep(Duration::from_secs(3)).await;
        for mut socket in stalled {
            let got = until_the_end(&mut socket).await;
            let answers = got.windows(15).filter(|part| part == b"HTTP/1.1 200 OK").count();
            assert!(answers < 400, "ended in the middle: {answers}");
        }
        others_are_served(&app).await;
        app.stop().await;
    }

    async fn a_slow_client_that_reads_is_served_to_the_end(db: &Database) {
        let app = App::start_with(db, |config| config.server.limits.write_timeout_seconds = 1).await;
        let mut socket = connect(&app).await;
        socket.write_all(b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let (mut all, mut bytes) = (0, vec![0; 32 << 10]);
        loop {
            let count = socket.read(&mut bytes).await.unwrap();
            if count == 0 {
                break;
            }
            all += count;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let whole = app.get("/api/v1/openapi.json").await.text().await.unwrap().len();
        assert!(all > whole, "{all} of {whole}");
        app.stop().await;
    }

    async fn a_body_that_never_ends_is_given_up(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| config.server.limits.body_timeout_seconds = 1).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let path = scim.base.strip_prefix(&app.base).unwrap();
        // Where the body is read, where it is refused unread, and where there is nothing at all.
        for (path, token) in [(format!("{path}/Users"), &*scim.token), (format!("{path}/Users"), "x"), ("/nowhere".to_owned(), "x")] {
            let mut socket = connect(&app).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                content-type: application/json\r\ncontent-length: 100000\r\n\r\n{{");
            socket.write_all(head.as_bytes()).await.unwrap();
            let got = until_the_end(&mut socket).await;
            assert!(got.starts_with(b"HTTP/1.1 4"), "{path}: {}", String::from_utf8_lossy(&got));
        }
        others_are_served(&app).await;
        app.stop().await;
    }

    async fn an_idle_connection_outlives_a_balancers_and_then_ends(db: &Database) {
        assert_eq!(Config::default().server.limits.keep_alive_seconds, 75);
        let app = App::start_with(db, |config| config.server.limits.keep_alive_seconds = 4).await;
        let mut socket = connect(&app).await;
        let mut bytes = [0; 4096];
        for _ in 0..2 {
            socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let count = socket.read(&mut bytes).await.unwrap();
            assert!(bytes[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes[..count]));
            tokio::time::sleep(Duration::from_millis(2_500)).await;
        }
        let began = Instant::now();
        assert!(until_the_end(&mut socket).await.is_empty());
        assert!(began.elapsed() < SOON);
        app.stop().await;
    }

    async fn one_address_has_so_many_connections(db: &Database) {
        let app = App::start_with(db, |config| config.server.limits.max_connections_per_address = 3).await;
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut socket = connect(&app).await;
            socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert_ne!(socket.read(&mut [0; 512]).await.unwrap(), 0);
            open.push(socket);
        }
        assert!(until_the_end(&mut connect(&app).await).await.is_empty(), "a fourth is closed at once");
        open.pop();
        let mut again = false;
        for _ in 0..100 {
            let mut socket = connect(&app).await;
            let _closed = socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
            again = socket.read(&mut [0; 512]).await.unwrap_or(0) > 0;
            if again {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(again, "a place is free when a connection is gone");
        drop(open);
        app.stop().await;
    }

    async fn a_proxy_may_have_any_number(db: &Database) {
        let app = App::start_with(db, |config| {
            config.server.limits.max_connections_per_address = 1;
            config.server.trusted_proxies = vec!["127.0.0.0/8".to_owned().try_into().unwrap()];
        })
        .await;
        let mut open = Vec::new();
        for _ in 0..5 {
            let mut socket = connect(&app).await;
            socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert_ne!(socket.read(&mut [0; 512]).await.unwrap(), 0);
            open.push(socket);
        }
        app.stop().await;
    }

    async fn every_route_is_under_a_limit(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| {
            config.server.limits.requests_per_second = 1;
            config.server.limits.burst = 1;
            config.api.requests_per_second = 1;
            config.api.burst = 1;
        })
        .await;
        let (_, token) = house.api_token(house.owner, house.top).await;
        let mut unlimited = Vec::new();
        for entry in routes::all() {
            let path = entry.path.replace("{tail:.*}", "x").replace(['{', '}'], "");
            for method in entry.methods() {
                let method: Method = method.parse().unwrap();
                // Without anything, with a token that opens nothing, and with a good one where it counts.
                let mut keys = vec![None, Some("rcs_none")];
                if entry.access == RouteAccess::Token {
                    keys.push(Some(&*token));
                }
                for key in keys {
                    let mut limited = false;
                    for _ in 0..8 {
                        let request = app.request(method.clone(), &path);
                        let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
                        let answer = request.send().await.unwrap();
                        if answer.status() == 429 {
                            assert!(!header(&answer, "retry-after").is_empty(), "{method} {path}");
                            limited = true;
                            break;
                        }
                    }
                    if !limited {
                        unlimited.push((method.clone(), path.clone(), key.is_some()));
                    }
                }
            }
        }
        assert!(unlimited.is_empty(), "{unlimited:?}");
        app.stop().await;
    }

    async fn a_good_token_does_not_pay_for_the_guesses_of_its_address(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| {
            config.server.limits.requests_per_second = 1;
            config.server.limits.burst = 1;
        })
        .await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        for _ in 0..10 {
            let guess = app.client.get(format!("{}/Users", scim.base)).bearer_auth("rcs_guess").send().await.unwrap();
            assert!([401, 429].contains(&guess.status().as_u16()));
            assert_eq!(scim.get("/Users?count=0").await.status, 200);
        }
        app.stop().await;
    }

    async fn decisions_count_as_requests_of_their_user(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| {
            config.api.requests_per_second = 1;
            config.api.burst = 2;
        })
        .await;
        let other = house.user("Otto Other").await;
        house.grant(other, &[CoreCapability::PartnerView], "partner", house.reseller).await;
        let (_, token) = house.api_token(house.owner, house.top).await;
        let (_, others) = house.api_token(other, house.reseller).await;
        let ask = async |token: &str, path: &str| {
            let body = serde_json::json!({"subject": {"type": "user", "id": other.to_string()},
                "action": {"name": "core.partner.view"},
                "resource": {"type": "partner", "id": house.reseller.to_string()}});
            app.request(Method::POST, path).bearer_auth(token).json(&body).send().await.unwrap()
        };
        let mut seen = Vec::new();
        for path in ["/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/evaluation", "/access/v1/evaluations"] {
            seen.push(ask(&token, path).await);
        }
        let refused = seen.iter().find(|answer| answer.status() == 429).expect("the rate counts decisions");
        assert_eq!(header(refused, "content-type"), "application/problem+json");
        assert_eq!(ask(&others, "/access/v1/evaluation").await.status(), 200, "each user has a rate of their own");
        app.stop().await;
    }
}

/// On one database alone: what a process may open is the same for all of its tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_files_may_be_open_as_ever_may() {
    let db = Database::sqlite().await;
    // One fewer than may be, so that something is there to be raised wherever the tests run.
    let most = getrlimit(Resource::Nofile).maximum;
    let fewer = most.map_or(1 << 20, |most| most - 1);
    setrlimit(Resource::Nofile, Rlimit { current: Some(fewer), maximum: most }).unwrap();
    let app = App::start(&db).await;
    assert_eq!(getrlimit(Resource::Nofile).current, most);
    app.stop().await;
    db.remove().await;
}

/// A server that speaks TLS itself, and whom its clients trust.
async fn with_tls(db: &Database, change: impl FnOnce(&mut Config)) -> (App, TlsConnector) {
    let folder = db.folder().join("tls");
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("crt.pem"), folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write(&certificate, &made.cert.pem());
    write(&key, &made.signing_key.serialize_pem());
    let app = App::start_with(db, |config| {
        config.server.tls.certificate = Some(certificate);
        config.server.tls.key = Some(key);
        change(config);
    })
    .await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut settings = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    settings.alpn_protocols = vec![b"h2".to_vec()];
    (app, TlsConnector::from(Arc::new(settings)))
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

async fn greeted(address: SocketAddr, connector: &TlsConnector) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

on_both! {
    async fn an_http2_client_that_takes_nothing_of_an_answer_ends_alone(db: &Database) {
        let (app, connector) = with_tls(db, |config| {
            config.server.limits.write_timeout_seconds = 1;
            config.server.limits.requests_per_second = 0;
        })
        .await;
        let address = app.running.address();
        let (mut client, connection) = h2::client::handshake(greeted(address, &connector).await).await.unwrap();
        // Driven: pings are answered, frames are read. Only no window is given for what comes.
        let driven = tokio::spawn(connection);
        let url = format!("https://localhost:{}/api/v1/openapi.json", address.port());
        let answers: Vec<_> = (0..4).map(|_| client.send_request(h2_request(&url), true).unwrap().0).collect();
        let mut bodies = Vec::new();
        for answer in answers {
            bodies.push(answer.await.unwrap().into_body());
        }
        let began = Instant::now();
        let ended = tokio::time::timeout(SOON, driven).await.expect("the server ends the connection");
        drop(ended);
        assert!(began.elapsed() >= Duration::from_millis(500));
        drop(bodies);

        // One who takes it slowly is served to the end.
        let (mut client, connection) = h2::client::handshake(greeted(address, &connector).await).await.unwrap();
        let driven = tokio::spawn(connection);
        let mut body = client.send_request(h2_request(&url), true).unwrap().0.await.unwrap().into_body();
        let mut whole = 0;
        while let Some(part) = body.data().await {
            let part = part.unwrap();
            whole += part.len();
            tokio::time::sleep(Duration::from_millis(30)).await;
            body.flow_control().release_capacity(part.len()).unwrap();
        }
        assert!(whole > 100_000, "{whole}");
        driven.abort();
        app.stop().await;
    }

    async fn an_http2_client_that_sends_frames_of_nothing_ends_alone(db: &Database) {
        let world = World::new(&db.store).await;
        let (app, connector) = with_tls(db, |config| config.server.limits.requests_per_second = 0).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let address = app.running.address();
        let path = scim.base.strip_prefix(&app.base).unwrap();
        let url = format!("https://localhost:{}{path}/Users", address.port());
        let post = || {
            let request = http::Request::post(&url).header("content-type", "application/scim+json");
            request.header("authorization", format!("Bearer {}", scim.token)).body(()).unwrap()
        };
        let (mut client, connection) = h2::client::handshake(greeted(address, &connector).await).await.unwrap();
        let driven = tokio::spawn(connection);
        // The body is waited for, so what belongs to it is kept.
        let (_answer, mut body) = client.send_request(post(), false).unwrap();
        let flood = tokio::spawn(async move {
            while body.send_data(Bytes::new(), false).is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let _ended = tokio::time::timeout(SOON, driven).await.expect("the server ends the connection");
        tokio::time::timeout(SOON, flood).await.expect("nothing more is taken").unwrap();

        // One whose parts are sometimes empty is answered (that its JSON is none), however many requests it makes.
        let (mut client, connection) = h2::client::handshake(greeted(address, &connector).await).await.unwrap();
        let driven = tokio::spawn(connection);
        for _ in 0..300 {
            let (answer, mut body) = client.send_request(post(), false).unwrap();
            for part in [&b"{"[..], b"", b" "] {
                body.send_data(Bytes::from_static(part), false).unwrap();
            }
            body.send_data(Bytes::new(), true).unwrap();
            assert_eq!(answer.await.unwrap().status().as_u16(), 400);
        }
        driven.abort();
        app.stop().await;
    }

    async fn an_http2_connection_without_a_request_ends(db: &Database) {
        let (app, connector) = with_tls(db, |config| config.server.limits.keep_alive_seconds = 2).await;
        let address = app.running.address();
        // One that never asks, one that never ends the head of its request.
        let (_client, connection) = h2::client::handshake(greeted(address, &connector).await).await.unwrap();
        let driven = tokio::spawn(connection);
        let mut unfinished = greeted(address, &connector).await;
        unfinished.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
        // HEADERS on stream 1 without END_HEADERS: `:method GET`, and more is to come.
        unfinished.write_all(b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82").await.unwrap();
        let _ended = tokio::time::timeout(SOON, driven).await.expect("the server ends the connection");
        until_the_end(&mut unfinished).await;
        // A busy one stays.
        let (mut client, connection) = h2::client::handshake(greeted(address, &connector).await).await.unwrap();
        let driven = tokio::spawn(connection);
        for _ in 0..4 {
            let request = h2_request(&format!("https://localhost:{}/livez", address.port()));
            assert_eq!(client.send_request(request, true).unwrap().0.await.unwrap().status().as_u16(), 200);
            tokio::time::sleep(Duration::from_millis(1_000)).await;
        }
        driven.abort();
        app.stop().await;
    }

    async fn a_greeting_that_never_comes_is_given_up(db: &Database) {
        let (app, _) = with_tls(db, |_| ()).await;
        for hello in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
            let mut socket = connect(&app).await;
            socket.write_all(hello).await.unwrap();
            until_the_end(&mut socket).await;
        }
        app.stop().await;
    }
}

fn h2_request(url: &str) -> http::Request<()> {
    http::Request::get(url).body(()).unwrap()
}
