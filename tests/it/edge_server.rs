//! The server itself: health, errors in the form of each connection, headers, figures, the graceful stop.
use reqwest::Method;
use rolecall::clock::Clock;
use rolecall::config::{Config, Secret};
use rolecall::web::server;
use serde_json::Value;

use crate::app::{App, header};
use crate::support::console::Console;
use crate::support::database::on_both;

on_both! {
    async fn health_follows_the_store(db: &Database) {
        let app = App::start(db).await;
        assert_eq!(app.get("/livez").await.status(), 200);
        assert_eq!(app.get("/readyz").await.status(), 200);
        db.store.close().await;
        assert_eq!(app.get("/livez").await.status(), 200);
        let refused = app.get("/readyz").await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.text().await.unwrap(), "The store does not answer.\n");
        app.stop().await;
    }
}

on_both! {
    async fn every_connection_refuses_in_its_own_form(db: &Database) {
        let app = App::start(db).await;
        for path in ["/api/v1/nothing", "/api", "/access/v1/nothing"] {
            let refused = app.get(path).await;
            assert_eq!(refused.status(), 404, "{path}");
            assert_eq!(header(&refused, "content-type"), "application/problem+json");
            let body: Value = refused.json().await.unwrap();
            assert_eq!(body["status"], 404);
            assert!(body["detail"].is_string());
        }
        let refused = app.get("/nothing").await;
        assert_eq!(refused.status(), 404);
        assert_eq!(header(&refused, "content-type"), "text/plain; charset=utf-8");
        let refused = app.request(Method::DELETE, "/livez").send().await.unwrap();
        assert_eq!((refused.status().as_u16(), header(&refused, "allow")), (405, "GET, HEAD"));
        app.stop().await;
    }
}

on_both! {
    async fn answers_carry_an_id_and_the_headers_that_protect_pages(db: &Database) {
        let app = App::start(db).await;
        let first = app.get("/livez").await;
        let second = app.get("//livez//").await;
        assert_eq!(second.status(), 200);
        assert_ne!(header(&first, "x-request-id"), header(&second, "x-request-id"));
        assert!(header(&first, "content-security-policy").contains("default-src 'none'"));
        assert!(!header(&first, "content-security-policy").contains("unsafe"));
        assert_eq!(header(&first, "x-content-type-options"), "nosniff");
        assert_eq!(header(&first, "strict-transport-security"), "");
        assert_eq!(app.request(Method::HEAD, "/livez").send().await.unwrap().status(), 200);
        app.stop().await;
    }
}

on_both! {
    async fn figures_need_their_token(db: &Database) {
        let closed = App::start(db).await;
        assert_eq!(closed.get("/metrics").await.status(), 404);
        closed.stop().await;

        let app = App::start_with(db, |config| config.metrics.token = Some("figures".to_owned().into())).await;
        let refused = app.get("/metrics").await;
        assert_eq!((refused.status().as_u16(), header(&refused, "www-authenticate").is_empty()), (401, false));
        let wrong = app.request(Method::GET, "/metrics").bearer_auth("figure").send().await.unwrap();
        assert_eq!(wrong.status(), 401);
        let shown = app.request(Method::GET, "/metrics").bearer_auth("figures").send().await.unwrap();
        assert_eq!(shown.status(), 200);
        assert!(shown.text().await.unwrap().contains("rolecall_http_requests_total{route=\"/metrics\""));
        app.stop().await;
    }
}

on_both! {
    async fn stopping_ends_the_listener(db: &Database) {
        let app = App::start(db).await;
        let (base, client) = (app.base.clone(), app.client.clone());
        assert_eq!(app.get("/livez").await.status(), 200);
        app.stop().await;
        let after = client.get(format!("{base}/livez")).send().await;
        assert!(after.is_err(), "the port still answers after the stop");
        // The store outlives the server: it belongs to whoever opened it.
        db.store.ping().await.unwrap();
    }
}

on_both! {
    async fn a_server_with_other_keys_does_not_start(db: &Database) {
        // Only an installation has keys of its own.
        let console = Console::open(db).await;
        console.app.stop().await;
        let start = async |keys: &str| {
            let mut config = Config::default();
            config.server.listen.set_port(0);
            config.server.shutdown_timeout_seconds = 1;
            config.store.database_url = db.url.starts_with("postgres").then(|| db.url.clone().into());
            config.store.data_dir = db.folder();
            config.secrets.encryption_keys = Some(Secret::from(keys.to_owned()));
            server::start(config, db.store.clone(), Clock).await
        };
        let (ours, new) = (std::fs::read_to_string(db.folder().join("secret.key")).unwrap(), "BQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        let refused = start(new).await.err().expect("other keys").to_string();
        assert!(refused.contains("do not open what the installation sealed"), "{refused}");
        start(&format!("{new}\n{ours}")).await.expect("turned over").stop().await;
        start(new).await.expect("the old key is not needed any more").stop().await;
    }
}
