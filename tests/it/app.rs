//! The real server, in this process, on a free port.
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use rolecall::clock::Clock;
use rolecall::config::Config;
use rolecall::domain::ctx::Actor;
use rolecall::domain::time::Timestamp;
use rolecall::store::extent::{ConnectionExtent, OperatorExtent};
use rolecall::store::{self, Options, Store, Tx, tokens};
use rolecall::web::server::{self, HttpServerHandle};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::world::World;

/// A running server and a client for it.
pub struct App {
    /// Scheme, host and port.
    pub base: String,
    pub client: Client,
    pub running: HttpServerHandle,
}

impl App {
    /// Starts a server on the database, with settings that a test may change.
    pub async fn start_with(database: &Database, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(database, database.store.clone(), change).await
    }

    /// Starts a second node on the database, with a store of its own that is closed after it.
    pub async fn second(database: &Database) -> (Self, Store) {
        let store = store::open(&database.url, &Options::default()).await.unwrap();
        (Self::start_on(database, store.clone(), |_| ()).await, store)
    }

    /// Starts a server on a store of one's own.
    pub async fn start_on(database: &Database, store: Store, change: impl FnOnce(&mut Config)) -> Self {
        // Only fails when another test has installed it.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.workers = 2;
        config.server.shutdown_timeout_seconds = 5;
        config.store.data_dir = database.folder();
        config.scim.requests_per_second = 0;
        config.server.limits.requests_per_second = 0;
        if database.url.starts_with("postgres") {
            config.store.database_url = Some(database.url.clone().into());
        }
        change(&mut config);
        let running = server::start(config, store, Clock).await.unwrap();
        let base = format!("http://{}", running.address());
        let client =
            Client::builder().timeout(Duration::from_secs(20)).redirect(Policy::none()).no_proxy().build().unwrap();
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

/// A SCIM client: one connection's address and token.
#[derive(Clone)]
pub struct Scim {
    pub base: String,
    pub token: String,
    pub client: Client,
}

impl Scim {
    /// The same connection and token at another node.
    pub fn at(&self, node: &App) -> Self {
        let path = &self.base[self.base.find("/scim/").unwrap()..];
        Self { base: format!("{}{path}", node.base), ..self.clone() }
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// A header, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The `id` of the resource.
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }

    /// Fails unless it is an error of this status and keyword (empty: none), in the form of RFC 7644 §3.12.
    #[track_caller]
    pub fn refused(&self, status: u16, keyword: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/scim+json", "{self:?}");
        assert_eq!(self.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{self:?}");
        assert_eq!(self.body["status"], status.to_string(), "{self:?}");
        assert_eq!(self.body["scimType"].as_str().unwrap_or_default(), keyword, "{self:?}");
        assert!(!self.body["detail"].as_str().unwrap().is_empty(), "{self:?}");
    }
}

impl App {
    /// A client of a connection, with a fresh token.
    pub async fn scim(&self, db: &Database, world: &World, connection: ConnectionExtent) -> Scim {
        let token = new_token(db, world, connection, None).await;
        let base = format!("{}/scim/{}/v2", self.base, connection.connection());
        Scim { base, token, client: self.client.clone() }
    }
}

/// Makes a token for a connection.
pub async fn new_token(db: &Database, world: &World, connection: ConnectionExtent, end: Option<Timestamp>) -> String {
    let at = OperatorExtent::assume().at(world.partner);
    let ctx = Clock.ctx(Actor::Operator);
    let make = async |tx: &mut Tx| tokens::create(tx, &at, &ctx, connection.connection(), "test", end).await;
    let (_, token) = db.store.write(make).await.unwrap();
    token.reveal().to_owned()
}

impl Scim {
    /// A request to a path below the base address.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send_body(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send_body(Method::PUT, path, body).await
    }

    /// A PATCH of these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        self.send_body(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn send_body(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.request(method, path).header("content-type", "application/scim+json");
        self.send(request.body(body.to_string())).await
    }

    /// Creates a user of this name.
    pub async fn user(&self, name: &str) -> Answer {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name});
        let answer = self.post("/Users", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// Creates a group with these users as members.
    pub async fn group(&self, name: &str, members: &[&str]) -> Answer {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name,
            "members": members});
        let answer = self.post("/Groups", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }
}
