//! Hostile clients: heads that are too large or never end.
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{App, header};
use crate::support::database::on_both;

on_both! {
    async fn headers_beyond_the_limit_are_refused_in_form(db: &Database) {
        let app = App::start(db).await;
        let refused = app.request(reqwest::Method::GET, "/api/x").header("x-big", "a".repeat(40_000)).send().await.unwrap();
        assert_eq!(refused.status(), 431);
        assert_eq!(header(&refused, "content-type"), "application/problem+json");
        let mut socket = connect(&app).await;
        let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx-big: {}\r\n\r\n", "a".repeat(300_000));
        // The server may answer and close while we still write.
        let _written = socket.write_all(head.as_bytes()).await;
        assert!(answer(&mut socket).await.starts_with("HTTP/1.1 431"));
        assert_eq!(app.get("/livez").await.status(), 200);
        app.stop().await;
    }
}

on_both! {
    async fn a_head_that_never_ends_is_given_up(db: &Database) {
        let app = App::start_with(db, |config| config.server.limits.header_timeout_seconds = 1).await;
        let mut socket = connect(&app).await;
        socket.write_all(b"GET /livez HTTP/1.1\r\nhost:").await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(10), answer(&mut socket)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        app.stop().await;
    }
}

on_both! {
    async fn bytes_that_are_no_request_are_refused(db: &Database) {
        let app = App::start(db).await;
        for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"GET /\xff HTTP/9\r\n\r\n"] {
            let mut socket = connect(&app).await;
            socket.write_all(garbage).await.unwrap();
            socket.shutdown().await.unwrap();
            let answer = answer(&mut socket).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        assert_eq!(app.get("/livez").await.status(), 200);
        app.stop().await;
    }
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.running.address()).await.unwrap()
}

/// Everything the server says until it closes, or the first kilobytes.
async fn answer(socket: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let count = socket.read(&mut bytes).await.unwrap_or(0);
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
