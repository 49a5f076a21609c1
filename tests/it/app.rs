//! The real server, in this process, on a free port.
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use rolecall::clock::Clock;
use rolecall::config::Config;
use rolecall::web::server::{self, Running};

use crate::support::database::Database;

/// A running server and a client for it.
pub struct App {
    /// Scheme, host and port.
    pub base: String,
    pub client: Client,
    pub running: Running,
}

impl App {
    /// Starts a server on the database, with settings that a test may change.
    pub async fn start_with(database: &Database, change: impl FnOnce(&mut Config)) -> Self {
        // Only fails when another test has installed it.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.workers = 2;
        config.server.stop_seconds = 5;
        config.store.data_dir = database.folder();
        config.scim.requests_per_second = 0;
        change(&mut config);
        let running = server::start(config, database.store.clone(), Clock).await.unwrap();
        let base = format!("http://{}", running.address());
        let client = Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
        Self { base, client, running }
    }

    /// Starts a server on the database.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, |_| ()).await
    }

    /// A request to a path of this server.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A GET, answered.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Stops the server; running requests are answered first.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// The text of a header, empty when it is not there.
pub fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}
