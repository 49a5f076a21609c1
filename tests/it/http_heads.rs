//! Requests as bytes, so that no client puts them right: what RFC 9112 and RFC 9110 say must not be taken is refused, nothing
//! that follows it on the line is read as a request, and what they allow is taken.
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::App;
use crate::support::database::Database;
use crate::support::world::World;

/// The statuses of every answer that the bytes get until the server closes the line; a line that stays open for long ends
/// with 0.
async fn answers(app: &App, bytes: &[u8]) -> Vec<u16> {
    let mut socket = TcpStream::connect(app.running.address()).await.unwrap();
    // The server may close before it has read everything.
    let _sent = socket.write_all(bytes).await;
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut text)).await;
    let text = String::from_utf8_lossy(&text);
    let mut statuses: Vec<u16> = text
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|part| part.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0))
        .collect();
    if read.is_err() {
        statuses.push(0);
    }
    statuses
}

/// A request that reads users, and the parts that differ.
struct Parts {
    path: String,
    auth: String,
}

impl Parts {
    fn target(&self, target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n{}\r\nconnection: close\r\n\r\n", self.auth)
    }

    fn with(&self, line: &str) -> String {
        self.head("GET", &[line])
    }

    fn head(&self, method: &str, lines: &[&str]) -> String {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        format!(
            "{method} {} HTTP/1.1\r\nhost: a.example\r\n{}\r\n{lines}connection: close\r\n\r\n",
            self.path, self.auth
        )
    }

    /// A search of users whose body is sent as `framing` says, with another request behind it.
    fn body(&self, framing: &str, body: &str) -> String {
        format!(
            "POST {}/.search HTTP/1.1\r\nhost: a.example\r\n{}\r\ncontent-type: application/scim+json\r\n{framing}\r\n\r\n{body}{}",
            self.path,
            self.auth,
            self.with("x: y")
        )
    }
}

const SEARCH: &str = "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:SearchRequest\"]}";

#[tokio::test]
async fn what_http_does_not_allow_is_refused_and_what_it_allows_is_taken() {
    let db = Database::sqlite().await;
    let world = World::new(&db.store).await;
    let app = App::start_with(&db, |config| config.server.limits.header_timeout_seconds = 5).await;
    let scim = app.scim(&db, &world, world.connections[0]).await;
    let parts = Parts {
        path: format!("/scim/{}/v2/Users", world.connections[0].connection()),
        auth: format!("authorization: Bearer {}", scim.token),
    };
    let (path, length) = (parts.path.as_str(), SEARCH.len());
    let chunk = format!("{length:x}\r\n{SEARCH}\r\n");
    let plain = |head: &str| parts.with("x: y").replacen(&format!("GET {path} HTTP/1.1"), head, 1);
    let host = |host: &str| parts.with("x: y").replacen("host: a.example\r\n", host, 1);

    let taken: Vec<(&str, String, &[u16])> = vec![
        ("9112 2.2: a single LF may end a line", parts.with("x: y").replace("\r\n", "\n"), &[200]),
        (
            "9112 2.2: an empty line before the request line is passed over",
            format!("\r\n{}", parts.with("x: y")),
            &[200],
        ),
        ("9112 3.2.2: absolute form", parts.target(&format!("http://a.example{path}")), &[200]),
        (
            "9112 3.2.2: of absolute form and Host the former counts",
            parts.target(&format!("http://b.example:80{path}")),
            &[200],
        ),
        ("9112 3.2.2: https names this server as well", parts.target(&format!("https://a.example{path}")), &[200]),
        ("9110 5.5: a tab and bytes above ASCII in a value", parts.with("x: a\tb \u{e4}"), &[200]),
        ("9110 5.5: an empty value", parts.with("x:"), &[200]),
        ("9110 5.6.2: every character of a token in a name", parts.with("!#$%&'*+-.^_`|~0aZ: y"), &[200]),
        ("9110 5.6.3: white space around a value", parts.with("x: \t y \t "), &[200]),
        ("9110 7.8: an upgrade to what is not spoken here is passed over", parts.with("upgrade: h2c"), &[200]),
        ("9112 3.2.4: asterisk form with OPTIONS names no resource", plain("OPTIONS * HTTP/1.1"), &[404]),
        ("9110 8.6: leading zeros", parts.body(&format!("content-length: 000{length}"), SEARCH), &[200, 200]),
        (
            "9112 6.1: the name of a coding in capitals",
            parts.body("transfer-encoding: Chunked", &format!("{chunk}0\r\n\r\n")),
            &[200, 200],
        ),
        (
            "9112 7.1: a size in capitals, in two chunks",
            parts.body(
                "transfer-encoding: chunked",
                &format!("00{:X}\r\n{}\r\n{:X}\r\n{}\r\n0\r\n\r\n", 10, &SEARCH[..10], length - 10, &SEARCH[10..]),
            ),
            &[200, 200],
        ),
        (
            "9112 7.1.1: an unknown extension of a chunk is passed over",
            parts.body("transfer-encoding: chunked", &format!("{length:x};a=b\r\n{SEARCH}\r\n0\r\n\r\n")),
            &[200, 200],
        ),
        ("3986 3.2.2: a percent sign in a name with its two digits", host("host: a%41.example\r\n"), &[200]),
    ];
    for (why, bytes, expected) in taken {
        assert_eq!(answers(&app, bytes.as_bytes()).await, expected, "{why}: {bytes:?}");
    }

    let refused: Vec<(&str, Vec<u8>)> = [
        ("9112 3.2: no Host", host("")),
        ("9112 3.2: two of them", host("host: a.example\r\nhost: a.example\r\n")),
        ("9112 3.2: two that differ in case", host("host: a.example\r\nHOST: b.example\r\n")),
        ("9110 4.2.1: an empty one", host("host:\r\n")),
        ("9110 7.2: userinfo", host("host: u:p@a.example\r\n")),
        ("9110 7.2: a path", host("host: a.example/x\r\n")),
        ("9110 7.2: a list", host("host: a.example, b.example\r\n")),
        ("3986 3.2.2: a percent sign without its two digits", host("host: a%4.example\r\n")),
        ("3986 3.2.3: a port that is no number", host("host: a.example:8o\r\n")),
        ("9110 4.2.4: userinfo in absolute form", parts.target(&format!("http://u@a.example{path}"))),
        ("9110 4.2.4: the same without a name", parts.target(&format!("http://@a.example{path}"))),
        ("9110 4.2.1: absolute form without a host", parts.target(&format!("http://{path}"))),
        ("9110 4.2.1: absolute form with a port alone", parts.target(&format!("http://:80{path}"))),
        ("9112 3.2.2: absolute form of another scheme", parts.target(&format!("ftp://a.example{path}"))),
        ("9112 3.2.3: authority form but for CONNECT", parts.target("a.example:80")),
        ("9112 3.2.4: asterisk form but for OPTIONS", parts.target("*")),
        ("9112 3.2: a path without its slash", parts.target("scim/x/v2/Users")),
        ("9112 3.2: a space in the target", parts.target(&format!("{path}?filter=a b"))),
        ("9112 3.2: a tab in the target", parts.target(&format!("{path}?a=\t"))),
        ("9112 3.2: nothing in its place", plain("GET  HTTP/1.1")),
        ("9112 3: a space before the method", plain(&format!(" GET {path} HTTP/1.1"))),
        ("9110 9.1: no method", plain(&format!(" {path} HTTP/1.1"))),
        ("9110 9.1: a method that is no token", plain(&format!("G@T {path} HTTP/1.1"))),
        ("9110 9.1: a method in other letters than ASCII", plain(&format!("G\u{c4}T {path} HTTP/1.1"))),
        ("9110 9.1: a control character in it", plain(&format!("G\x01T {path} HTTP/1.1"))),
        ("9112 2.3: no version", plain(&format!("GET {path}"))),
        ("9112 2.3: its name in small letters", plain(&format!("GET {path} http/1.1"))),
        ("9112 2.3: too many digits", plain(&format!("GET {path} HTTP/01.1"))),
        ("9112 2.3: another protocol", plain(&format!("GET {path} ICAP/1.1"))),
        ("9112 2.3: HTTP/2 is not spoken in text", plain(&format!("GET {path} HTTP/2.0"))),
        ("9112 2.2: white space before the first field", plain(&format!("GET {path} HTTP/1.1\r\n x: y"))),
        ("9112 2.2: a bare CR in a value", parts.with("x: a\rb")),
        ("9112 2.2: a bare CR in the request line", plain(&format!("GET {path}\r HTTP/1.1"))),
        ("9112 5.1: white space before the colon", parts.with("x : y")),
        ("9112 5.1: a tab before the colon", parts.with("x\t: y")),
        ("9112 5.1: no colon", parts.with("xy")),
        ("9110 5.1: no name", parts.with(": y")),
        ("9110 5.1: a space in a name", parts.with("x y: z")),
        ("9110 5.1: a name that is no token", parts.with("x(y): z")),
        ("9110 5.1: a name in other letters than ASCII", parts.with("\u{e4}: z")),
        ("9112 5.2: a folded line", parts.with("x: y\r\n z")),
        ("9112 5.2: folded with a tab", parts.with("x: y\r\n\tz")),
        ("9112 5.2: folded with nothing", parts.with("x: y\r\n ")),
        ("9110 5.5: NUL in a value", parts.with("x: a\0b")),
        ("9110 5.5: a control character in a value", parts.with("x: a\x08b")),
        ("9110 5.5: DEL in a value", parts.with("x: a\x7fb")),
        ("9110 5.4: a name longer than any head may be", parts.with(&format!("{}: y", "n".repeat(40_000)))),
        ("9110 8.6: a length with a plus", parts.body(&format!("content-length: +{length}"), SEARCH)),
        ("9110 8.6: with a minus", parts.body("content-length: -1", SEARCH)),
        ("9110 8.6: in base sixteen", parts.body("content-length: 0x10", SEARCH)),
        ("9110 8.6: with a fraction", parts.body("content-length: 1.0", SEARCH)),
        ("9110 8.6: none at all", parts.body("content-length:", SEARCH)),
        ("9110 8.6: larger than any number", parts.body("content-length: 18446744073709551616", SEARCH)),
        ("9112 6.3: a list of lengths that differ", parts.body(&format!("content-length: {length}, 1"), SEARCH)),
        ("9112 6.3: two lengths", parts.body(&format!("content-length: {length}\r\ncontent-length: 1"), SEARCH)),
        (
            "9112 6.1: a length beside chunks",
            parts.body(&format!("content-length: {length}\r\ntransfer-encoding: chunked"), SEARCH),
        ),
        (
            "9112 6.1: the other way round",
            parts.body(&format!("transfer-encoding: chunked\r\ncontent-length: {length}"), SEARCH),
        ),
        ("9112 6.3: chunks that are not last", parts.body("transfer-encoding: chunked, gzip", SEARCH)),
        ("9112 6.1: chunks twice", parts.body("transfer-encoding: chunked, chunked", &chunk)),
        ("9112 6.1: in two lines", parts.body("transfer-encoding: chunked\r\ntransfer-encoding: chunked", &chunk)),
        ("9112 6.1: an unknown coding", parts.body("transfer-encoding: xchunked", &chunk)),
        ("9112 6.1: identity is no coding any more", parts.body("transfer-encoding: identity", SEARCH)),
        ("9112 6.1: no coding", parts.body("transfer-encoding:", SEARCH)),
        ("9112 6.1: something beside the word", parts.body("transfer-encoding: chunked;q=1", &chunk)),
        ("9112 7.1: a size with a plus", parts.body("transfer-encoding: chunked", &format!("+{chunk}0\r\n\r\n"))),
        ("9112 7.1: a size with a minus", parts.body("transfer-encoding: chunked", "-1\r\n\r\n0\r\n\r\n")),
        (
            "9112 7.1: a size as programs write it",
            parts.body("transfer-encoding: chunked", &format!("0x{chunk}0\r\n\r\n")),
        ),
        ("9112 7.1: no size", parts.body("transfer-encoding: chunked", &format!("\r\n{SEARCH}\r\n0\r\n\r\n"))),
        (
            "9112 7.1: a size larger than any number",
            parts.body("transfer-encoding: chunked", &format!("1{:016x}\r\n{SEARCH}\r\n0\r\n\r\n", length)),
        ),
        (
            "9112 7.1: a chunk that ends late",
            parts.body("transfer-encoding: chunked", &format!("{length:x}\r\n{SEARCH}xx0\r\n\r\n")),
        ),
        (
            "9112 7.1.1: a line that ends in LF alone inside an extension",
            parts.body("transfer-encoding: chunked", &format!("{length:x};a\nb\r\n{SEARCH}\r\n0\r\n\r\n")),
        ),
        ("6455 4.2.2: an upgrade to what is not spoken here", parts.with("upgrade: websocket")),
        (
            "9112 6.3: the same, with a request behind it on a line that is to stay",
            parts.with("upgrade: WebSocket").replace("close", "keep-alive") + &parts.with("x: y"),
        ),
        (
            "9112 6.3, 9110 7.8: an upgrade beside a length",
            parts.body(&format!("content-length: {length}\r\nupgrade: websocket\r\nconnection: upgrade"), SEARCH),
        ),
        (
            "9112 6.1: chunks in HTTP/1.0",
            parts.body("transfer-encoding: chunked", &chunk).replacen("HTTP/1.1", "HTTP/1.0", 1),
        ),
    ]
    .into_iter()
    .map(|(why, text)| (why, text.into_bytes()))
    .collect();
    let mut wrong = Vec::new();
    for (why, bytes) in &refused {
        let found = answers(&app, bytes).await;
        // One answer, and the line is closed: what follows is read by nobody.
        if !matches!(found.as_slice(), [400 | 431]) {
            wrong.push(format!(
                "{why}: {found:?}: {:?}",
                String::from_utf8_lossy(bytes).chars().take(160).collect::<String>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), refused.len(), wrong.join("\n"));
    // The library gives up by itself on a name as long as this, and closes the line without an answer; that harms nobody else.
    let long = parts.with(&format!("{}: y", "n".repeat(70_000)));
    for _ in 0..10 {
        assert_eq!(answers(&app, long.as_bytes()).await, [0_u16; 0]);
        assert_eq!(answers(&app, parts.with("x: y").as_bytes()).await, [200]);
    }
    app.stop().await;
    db.remove().await;
}
