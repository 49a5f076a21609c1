//! One writer: what it asked for, what it was told, what it does not know.

use crate::http::{Answer, Client};
use crate::random::Random;
use anyhow::{Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// A user the server acknowledged.
pub struct Known {
    /// The SCIM id.
    pub id: String,
    /// The last acknowledged display name.
    pub display: String,
    /// Whether it was there after the last acknowledged write.
    pub alive: bool,
    /// Whether it was acknowledged as a member of the writer's group.
    pub member: bool,
    /// A write about it that was not answered.
    pub pending: Option<Pending>,
    /// Whether it changed since it was last checked.
    pub touched: bool,
}

/// A write whose answer never came.
#[derive(Clone, Debug)]
pub enum Pending {
    /// The display name it would have.
    Rename(String),
    /// It would be gone.
    Delete,
    /// It would be a member.
    Join,
}

/// One writer with users and one group of its own.
pub struct Writer {
    /// Of it and of what it makes.
    pub number: usize,
    /// Its group, once acknowledged.
    pub group: Option<String>,
    /// Its users.
    pub known: Vec<Known>,
    /// User names of creations that were never answered.
    pub unanswered: Vec<String>,
    /// Writes acknowledged.
    pub acknowledged: u64,
    random: Random,
    next: u32,
}

enum Act {
    Create(String),
    Change(usize, Pending),
}

impl Writer {
    /// A writer that has written nothing.
    pub fn new(number: usize, seed: u64) -> Writer {
        let random = Random::new(seed.wrapping_mul(1000) + number as u64);
        Writer { number, group: None, known: Vec::new(), unanswered: Vec::new(), acknowledged: 0, random, next: 0 }
    }

    /// Whether the last round cut a write of it short.
    pub fn was_interrupted(&self) -> bool {
        !self.unanswered.is_empty() || self.known.iter().any(|user| user.pending.is_some())
    }

    /// Writes until no answer comes any more.
    ///
    /// # Errors
    /// When the server answers and refuses: the writes are all well formed.
    pub async fn write(&mut self, client: &Client, stop: &AtomicBool) -> Result<()> {
        if self.group.is_none() && !self.found_group(client).await? {
            return Ok(());
        }
        while !stop.load(Ordering::Relaxed) {
            let act = self.choose();
            match self.send(client, &act).await {
                Ok(answer) => self.acknowledge(act, answer)?,
                Err(_) => {
                    self.leave_open(act);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn found_group(&mut self, client: &Client) -> Result<bool> {
        // A name that no unanswered attempt has used.
        let name = format!("faults-{}-{}", self.number, self.random.bits());
        let schema = "urn:ietf:params:scim:schemas:core:2.0:Group";
        let Ok(answer) = client.post("/Groups", &json!({"schemas": [schema], "displayName": name})).await else {
            return Ok(false);
        };
        let body = answer.good("creating a group")?;
        self.group = body["id"].as_str().map(str::to_owned);
        self.acknowledged += 1;
        Ok(self.group.is_some())
    }

    fn choose(&mut self) -> Act {
        self.next += 1;
        let free: Vec<usize> = (0..self.known.len()).rev().filter(|at| self.known[*at].alive).take(50).collect();
        if free.is_empty() || self.random.below(10) < 5 {
            return Act::Create(format!("faults-{}-{}@example.com", self.number, self.next));
        }
        let at = *self.random.pick(&free);
        let pending = match self.random.below(10) {
            0..=4 => Pending::Rename(format!("Renamed {}", self.next)),
            5..=6 => Pending::Delete,
            _ => Pending::Join,
        };
        Act::Change(at, pending)
    }

    async fn send(&self, client: &Client, act: &Act) -> Result<Answer> {
        match act {
            Act::Create(name) => client.post("/Users", &user(name)).await,
            Act::Change(at, Pending::Delete) => {
                client.send(Method::DELETE, &format!("/Users/{}", self.known[*at].id), None).await
            }
            Act::Change(at, Pending::Rename(display)) => {
                let operation = json!({"op": "replace", "path": "displayName", "value": display});
                client.send(Method::PATCH, &format!("/Users/{}", self.known[*at].id), Some(&patch(operation))).await
            }
            Act::Change(at, Pending::Join) => {
                let members = json!([{"value": self.known[*at].id}]);
                let operation = json!({"op": "add", "path": "members", "value": members});
                let group = self.group.as_deref().unwrap_or_default();
                client.send(Method::PATCH, &format!("/Groups/{group}"), Some(&patch(operation))).await
            }
        }
    }

    fn acknowledge(&mut self, act: Act, answer: Answer) -> Result<()> {
        let body = answer.good("a write under load")?;
        self.acknowledged += 1;
        match act {
            Act::Create(name) => {
                let Some(id) = body["id"].as_str() else { bail!("a created user has no id: {body}") };
                let (id, display) = (id.to_owned(), name);
                let known = Known { id, display, alive: true, member: false, pending: None, touched: true };
                self.known.push(known);
            }
            Act::Change(at, pending) => {
                let user = &mut self.known[at];
                user.touched = true;
                match pending {
                    Pending::Rename(display) => user.display = display,
                    Pending::Delete => user.alive = false,
                    Pending::Join => user.member = true,
                }
            }
        }
        Ok(())
    }

    fn leave_open(&mut self, act: Act) {
        match act {
            Act::Create(name) => self.unanswered.push(name),
            Act::Change(at, pending) => {
                self.known[at].pending = Some(pending);
                self.known[at].touched = true;
            }
        }
    }
}

/// The display name of a new user is its user name, so that a half-written one would show.
fn user(name: &str) -> Value {
    let schema = "urn:ietf:params:scim:schemas:core:2.0:User";
    json!({"schemas": [schema], "userName": name, "displayName": name, "active": true,
        "emails": [{"value": name, "type": "work", "primary": true}]})
}

fn patch(operation: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]})
}
