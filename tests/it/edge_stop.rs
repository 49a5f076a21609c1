//! The server under way: a stop that waits for who is being served, a handler that panics, compressed answers.
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, test as actix, web};
use rolecall::web::middleware::edge;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{App, header};
use crate::support::database::on_both;
use crate::support::world::World;

on_both! {
    async fn a_request_under_way_is_answered_before_the_stop(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ida"}).to_string();
        let (begun, rest) = body.split_at(20);
        let path = scim.base.strip_prefix(&app.base).unwrap().to_owned();
        let mut socket = TcpStream::connect(app.running.address()).await.unwrap();
        let head = format!(
            "POST {path}/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            scim.token,
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        socket.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the server has taken the request up");
        socket.write_all(begun.as_bytes()).await.unwrap();
        let state = app.running.app().clone();
        let stop = tokio::spawn(app.stop());
        while !state.is_stopping() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        socket.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = [0; 2048];
        let count = socket.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..count]).starts_with("HTTP/1.1 201"));
        stop.await.unwrap();
        // What was acknowledged is there.
        let again = App::start(db).await;
        let found = again.scim(db, &world, world.connections[0]).await.get("/Users?filter=userName%20eq%20%22ida%22").await;
        assert_eq!(found.body["totalResults"], 1);
        again.stop().await;
    }
}

on_both! {
    async fn a_panic_is_a_500_in_the_form_of_its_connection(db: &Database) {
        let app = App::start(db).await;
        async fn broken() -> HttpResponse {
            panic!("on purpose")
        }
        let service = actix_web::App::new()
            .app_data(app.running.app().clone())
            .route("/{tail:.*}", web::to(broken))
            .wrap(from_fn(edge));
        let service = actix::init_service(service).await;
        for (path, form) in [
            ("/scim/x/v2/Users", "application/scim+json"),
            ("/api/v1/x", "application/problem+json"),
            ("/x", "text/plain; charset=utf-8"),
        ] {
            let request = actix::TestRequest::with_uri(path).insert_header(("host", "a.example")).to_request();
            let error = actix::try_call_service(&service, request).await.unwrap_err();
            let answer = error.error_response();
            assert_eq!(answer.status(), 500);
            assert_eq!(answer.headers().get("content-type").unwrap(), form);
            assert!(answer.headers().contains_key("x-request-id"));
            let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap_or_default();
            assert!(!String::from_utf8_lossy(&body).contains("purpose"));
            if form != "text/plain; charset=utf-8" {
                assert!(serde_json::from_slice::<Value>(&body).unwrap()["detail"].is_string());
            }
        }
        assert_eq!(app.get("/livez").await.status(), 200);
        app.stop().await;
    }
}

on_both! {
    async fn answers_are_compressed_for_those_who_ask(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let request = scim.request(reqwest::Method::GET, "/Schemas").header("accept-encoding", "gzip");
        let zipped = request.send().await.unwrap();
        assert_eq!(header(&zipped, "content-encoding"), "gzip");
        let bytes = zipped.bytes().await.unwrap();
        assert_eq!(&bytes[..2], b"\x1f\x8b");
        assert!(bytes.len() < scim.get("/Schemas").await.body.to_string().len());
        app.stop().await;
    }
}
