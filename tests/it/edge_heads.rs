//! What every route answers to a method it does not have, to an address that is too long and to a head that is wrong: in
//! the form of its connection, with the headers that all answers have; and heads that RFC 9112 does not allow.
use std::collections::BTreeSet;

use reqwest::{Method, Response};
use rolecall::web::routes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{App, header};
use crate::support::database::on_both;
use crate::support::world::World;

/// The path of a route, with something in each of its places.
fn path(pattern: &str) -> String {
    pattern.split('/').skip(1).map(|part| format!("/{}", if part.starts_with('{') { "x" } else { part })).collect()
}

/// Fails unless a refusal has the form of the connection that `path` belongs to; a bare one has no body.
async fn formed(answer: Response, status: u16, path: &str, bare: bool) {
    assert_eq!(answer.status(), status, "{path}");
    assert!(!header(&answer, "x-request-id").is_empty(), "{path}");
    let (sniffing, referrer) = (header(&answer, "x-content-type-options"), header(&answer, "referrer-policy"));
    assert!(sniffing == "nosniff" && !referrer.is_empty(), "{path}");
    let kind = header(&answer, "content-type").to_owned();
    if bare {
        // Nothing follows the head that HEAD asks for.
        return;
    }
    let text = answer.text().await.unwrap();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap();
    match first {
        "scim" => {
            assert_eq!(kind, "application/scim+json", "{path}");
            assert_eq!(
                (&json["status"], &json["schemas"][0]),
                (&status.to_string().into(), &"urn:ietf:params:scim:api:messages:2.0:Error".into()),
                "{path}"
            );
        }
        "api" | "access" | "operator" => {
            assert_eq!(kind, "application/problem+json", "{path}");
            assert_eq!(json["status"], status, "{path}");
        }
        "oauth" => {
            assert_eq!(kind, "application/json", "{path}");
            assert!(json["error"].is_string() && json["error_description"].is_string(), "{path}: {text}");
        }
        ".well-known" if path.contains("configuration") || path.contains("oauth") => {
            assert!(kind.ends_with("json"), "{path}: {kind}");
        }
        _ => assert!(kind.starts_with("text/plain") || kind.starts_with("text/html"), "{path}: {kind}"),
    }
    assert!(!text.trim().is_empty(), "{path}");
}

on_both! {
    async fn every_route_refuses_in_the_form_of_its_connection(db: &Database) {
        let app = App::start(db).await;
        let all: Vec<Method> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"].iter().map(|name| name.parse().unwrap()).collect();
        let long = "a".repeat(40_000);
        let mut connections = BTreeSet::new();
        for entry in routes::all() {
            let path = path(entry.path);
            connections.insert(path.split('/').nth(1).unwrap_or_default().to_owned());
            for method in &all {
                let answer = app.request(method.clone(), &path).send().await.unwrap();
                let works = entry.allow().split(", ").any(|name| name == method.as_str());
                if works || entry.other.is_some() {
                    assert_ne!(answer.status(), 405, "{method} {path}");
                    continue;
                }
                assert_eq!(header(&answer, "allow"), entry.allow(), "{method} {path}");
                formed(answer, 405, &path, *method == Method::HEAD).await;
            }
            for (address, status) in [(format!("{path}?q={long}"), 414), (format!("{path}?q=%FF"), 400), (format!("{path}/{long}"), 414)] {
                let method: Method = entry.methods().first().unwrap_or(&"GET").parse().unwrap();
                formed(app.request(method, &address).send().await.unwrap(), status, &path, false).await;
            }
        }
        for connection in connections {
            for nothing in [format!("/{connection}/nothing/here/at/all"), format!("/{connection}//nothing")] {
                let answer = app.get(&nothing).await;
                // Who may not come in is not told what is there.
                let status = answer.status().as_u16();
                if status == 303 {
                    // Two strokes count as one, and a page asks a visitor to sign in first.
                    continue;
                }
                assert!([401, 404].contains(&status), "{nothing}: {status}");
                formed(answer, status, &nothing, false).await;
            }
        }
        let large = app.request(Method::POST, "/oauth/x/token").header("content-type", "application/x-www-form-urlencoded").body("a".repeat(70_000));
        formed(large.send().await.unwrap(), 413, "/oauth/x/token", false).await;
        app.stop().await;
    }

    async fn heads_that_http_does_not_allow_are_refused(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let line = format!("GET /scim/{}/v2/Users HTTP/1.1", world.connections[0].connection());
        let auth = format!("authorization: Bearer {}", scim.token);
        for good in ["a.example", "a.example:80", "[::1]:8080", "127.0.0.1"] {
            assert_eq!(status(&app, &format!("{line}\r\nhost: {good}\r\n{auth}\r\nconnection: close\r\n\r\n")).await, 200, "{good}");
        }
        let ten = line.replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(status(&app, &format!("{ten}\r\n{auth}\r\n\r\n")).await, 200, "HTTP/1.0 needs no host");
        for bad in ["", "a/b@c", "a@b", "a b", "a:b", "a:1:2", "[::1", "::1", "a?b", "a#b", "a\\b", "\u{e4}", "a, b\t c"] {
            assert_eq!(status(&app, &format!("{line}\r\nhost: {bad}\r\n{auth}\r\nconnection: close\r\n\r\n")).await, 400, "{bad:?}");
        }
        let host = "host: a.example";
        for head in [
            format!("{line}\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n{host}\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\n{host}\r\nhost: b.example\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\nhost : a.example\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n folded\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\n{host}\r\nx: a\0b\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\n{host}\r\nx y: a\r\n{auth}\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n{auth}\r\ncontent-length: 0\r\ncontent-length: 1\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n{auth}\r\ncontent-length: +1\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n{auth}\r\ncontent-length: x\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n{auth}\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\nconnection: close"),
            format!("{line}\r\n{host}\r\n{auth}\r\ntransfer-encoding: xchunked\r\nconnection: close"),
            format!("{}\r\n{host}\r\n{auth}\r\nconnection: close", line.replace("HTTP/1.1", "HTTP/1.2")),
            format!("{}\r\n{host}\r\n{auth}\r\nconnection: close", line.replace("GET /", "GET  /")),
        ] {
            assert_eq!(status(&app, &format!("{head}\r\n\r\n")).await, 400, "{head:?}");
        }
        app.stop().await;
    }
}

/// The status of a request that is sent byte by byte, so that no client puts it right.
async fn status(app: &App, head: &str) -> u16 {
    let mut socket = tokio::net::TcpStream::connect(app.running.address()).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let length = socket.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..length]).into_owned();
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {text:?}"))
}
