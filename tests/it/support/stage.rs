//! The demo world with a provider that pushes to Harbor's SCIM connection, and an administrator who asks the API.
use std::collections::BTreeMap;
use std::time::Duration;

use rolecall::domain::ctx::Actor;
use rolecall::domain::time::Timestamp;
use rolecall::store::{StoreError, Tx, api_tokens, connections, tokens};
use serde_json::{Value, json};

use crate::app::{Answer, Scim};
use crate::support::api::sent;
use crate::support::console::Console;
use crate::support::database::Database;

/// The connection that everything here is about.
pub const CONNECTION: &str = "/api/v1/connections/harbor-entra";

/// A pushed world.
pub struct Stage {
    pub console: Console,
    pub scim: Scim,
    token: String,
}

/// What is there, in a form that compares.
pub type Picture = BTreeMap<String, Value>;

impl Stage {
    /// Opens the demo world; Henrik of Harbor asks the API.
    pub async fn open(db: &Database) -> Self {
        let console = Console::open(db).await;
        let token = api_token(&console, "harbor", "henrik@harbor.example").await;
        let scim = push_at(&console, "harbor", "harbor-entra").await;
        Self { console, scim, token }
    }

    /// The same world behind a server that has started again.
    pub async fn again(console: Console, scim: Scim) -> Self {
        let token = api_token(&console, "harbor", "henrik@harbor.example").await;
        Self { console, scim, token }
    }

    /// A request of somebody's token to the API.
    pub async fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.console.app.request(method.parse().unwrap(), path).bearer_auth(token);
        sent(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask_as(&self.token, "GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask_as(&self.token, "POST", path, Some(body)).await
    }

    /// The plan of what was taken away within a time.
    pub async fn plan(&self, from: Timestamp, to: Timestamp) -> Value {
        let body = json!({"from": from.to_string(), "to": to.to_string()});
        let answer = self.post(&format!("{CONNECTION}/undo"), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Carries the plan of a hash out.
    pub async fn apply(&self, from: Timestamp, to: Timestamp, hash: &Value) -> Answer {
        let body = json!({"from": from.to_string(), "to": to.to_string(), "plan_hash": hash});
        self.post(&format!("{CONNECTION}/undo"), body).await
    }

    /// Everything that Harbor's directory says and that its users hold: what an undo must bring back.
    pub async fn picture(&self) -> Picture {
        let mut picture = Picture::new();
        for kind in ["Users", "Groups"] {
            let page = self.scim.get(&format!("/{kind}?count=1000")).await;
            for resource in page.body["Resources"].as_array().cloned().unwrap_or_default() {
                let mut resource = resource;
                let meta = resource["meta"].as_object_mut().unwrap();
                meta.remove("version");
                meta.remove("lastModified");
                if let Some(members) = resource.get_mut("members").and_then(Value::as_array_mut) {
                    members.sort_by_key(ToString::to_string);
                }
                picture.insert(format!("{kind} {}", resource["id"]), resource);
            }
        }
        let harbor = self.console.partner("harbor").await.partner();
        let users = self.get(&format!("/api/v1/partners/{harbor}/users?limit=500")).await;
        for user in users["items"].as_array().unwrap() {
            let id = user["id"].as_str().unwrap();
            let mut whole = self.get(&format!("/api/v1/users/{id}")).await;
            if let Some(version) = whole.get_mut("version") {
                *version = Value::Null;
            }
            picture.insert(format!("user {id}"), whole);
            picture.insert(format!("access of {id}"), self.get(&format!("/api/v1/users/{id}/access")).await);
        }
        picture
    }

    /// How many events of a kind the feed has, once it has any: lines are sealed a moment after they are written.
    pub async fn events(&self, kind: &str) -> usize {
        for _ in 0..200 {
            match self.sealed(kind).await {
                0 => tokio::time::sleep(Duration::from_millis(50)).await,
                found => return found,
            }
        }
        0
    }

    async fn sealed(&self, kind: &str) -> usize {
        let (mut found, mut after) = (0, String::new());
        loop {
            let page = self.get(&format!("/api/v1/events?limit=500{after}")).await;
            let items = page["items"].as_array().unwrap();
            found += items.iter().filter(|event| event["kind"] == kind).count();
            match page["next"].as_str() {
                Some(next) if !items.is_empty() => after = format!("&after={next}"),
                _ => return found,
            }
        }
    }

    /// The removal alerts of a connection, once `wanted` holds of them.
    pub async fn removal_alerts(&self, connection: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        for _ in 0..200 {
            let page = self.get(&format!("{connection}/removal-alerts")).await;
            let removal_alerts = page["items"].as_array().unwrap().clone();
            if wanted(&removal_alerts) {
                return removal_alerts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the alarm did not come in time: {}", self.get(&format!("{connection}/removal-alerts")).await);
    }

    /// Switches a user off or on, as a provider does.
    pub async fn set_active(&self, id: &str, active: bool) -> Answer {
        self.scim.patch(&format!("/Users/{id}"), json!([{"op": "replace", "path": "active", "value": active}])).await
    }
}

/// A moment that nothing shares: what came before is before it, what comes is not.
pub async fn now() -> Timestamp {
    // Moments are microseconds; two acts at the same one could not be told apart.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let moment = rolecall::clock::Clock.ctx(Actor::Operator).now();
    tokio::time::sleep(Duration::from_millis(2)).await;
    moment
}

/// An API token of a user.
pub async fn api_token(console: &Console, partner: &str, login: &str) -> String {
    let (at, user) = (console.partner(partner).await, console.user(partner, login).await);
    let ctx = crate::support::house::ctx();
    let made: Result<_, StoreError> =
        console.store.write(async |tx: &mut Tx| api_tokens::create(tx, &at, &ctx, user, "test", None).await).await;
    made.unwrap().1.reveal().to_owned()
}

/// A provider that pushes to a SCIM connection.
pub async fn push_at(console: &Console, partner: &str, slug: &str) -> Scim {
    let (at, ctx) = (console.partner(partner).await, crate::support::house::ctx());
    let made: Result<_, StoreError> = console
        .store
        .write(async |tx: &mut Tx| {
            let connection = connections::by_slug(tx, &at, slug).await?.unwrap();
            tokens::create(tx, &at, &ctx, connection.connection.id, "test", None).await
        })
        .await;
    let token = made.unwrap().1.reveal().to_owned();
    let base = format!("{}/scim/{slug}/v2", console.app.base);
    Scim { base, token, client: console.app.client.clone() }
}
