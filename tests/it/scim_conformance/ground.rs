//! One server for many tests.
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use rolecall::store::{StoreError, Tx};
use rolecall::{binds, statements};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;

use crate::app::{Answer, App, Scim};
use crate::support::database::Database;
use crate::support::world::World;

statements! {
    SETTINGS = "UPDATE connections SET profile = $2, settings = $3, version = version + 1 WHERE id = $1";
    MODE = "UPDATE directories SET mode = $2 WHERE id = $1";
}

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The server outlives the test that starts it, so it runs in a runtime of its own.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// A database and a server on it.
pub struct Ground {
    pub db: Database,
    pub app: App,
}

/// The ground of all tests on one kind of database.
pub struct Shared {
    ground: Mutex<Option<Arc<Ground>>>,
    done: AtomicUsize,
}

pub static SQLITE: Shared = Shared::new();
pub static POSTGRES: Shared = Shared::new();

impl Shared {
    const fn new() -> Self {
        Self { ground: Mutex::const_new(None), done: AtomicUsize::new(0) }
    }

    /// Runs one test. When one fails, its database stays for a look.
    pub fn run(&self, open: impl AsyncFnOnce() -> Database, body: impl AsyncFnOnce(&Stand)) {
        RUNTIME.block_on(async {
            let ground = {
                let mut ground = self.ground.lock().await;
                match &*ground {
                    Some(ground) => ground.clone(),
                    None => {
                        let db = open().await;
                        let app = App::start(&db).await;
                        ground.insert(Arc::new(Ground { db, app })).clone()
                    }
                }
            };
            let stand = Stand::new(ground).await;
            body(&stand).await;
            drop(stand);
            if self.done.fetch_add(1, Ordering::SeqCst) + 1 == super::TESTS {
                let ground = self.ground.lock().await.take().and_then(Arc::into_inner);
                if let Some(Ground { db, app }) = ground {
                    app.stop().await;
                    db.remove().await;
                }
            }
        });
    }
}

/// What one test stands on: a partner of its own, and a client at its first connection.
pub struct Stand {
    pub ground: Arc<Ground>,
    pub world: World,
    pub scim: Scim,
}

impl Deref for Stand {
    type Target = Scim;

    fn deref(&self) -> &Scim {
        &self.scim
    }
}

impl Stand {
    async fn new(ground: Arc<Ground>) -> Self {
        let world = World::new(&ground.db.store).await;
        let scim = ground.app.scim(&ground.db, &world, world.connections[0]).await;
        Self { ground, world, scim }
    }

    /// A client at the second connection of the same directory.
    pub async fn neighbour(&self) -> Scim {
        self.ground.app.scim(&self.ground.db, &self.world, self.world.connections[1]).await
    }

    /// Gives the first connection another profile, and switches and schemas that differ from it.
    pub async fn settings(&self, profile: &str, settings: Value) {
        let connection = self.world.connections[0].connection();
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            tx.execute(&SETTINGS, binds![connection, profile, settings.to_string()]).await.map(drop)
        };
        self.ground.db.store.write(work).await.unwrap();
    }

    /// Puts the directory into another mode.
    pub async fn mode(&self, mode: &str) {
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            tx.execute(&MODE, binds![self.world.directory, mode]).await.map(drop)
        };
        self.ground.db.store.write(work).await.unwrap();
    }

    /// Creates a user with these attributes beside its name.
    pub async fn make(&self, name: &str, more: Value) -> Answer {
        let answer = self.post("/Users", user_body(name, more)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// Users of these names; their ids.
    pub async fn users(&self, names: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for name in names {
            ids.push(self.user(name).await.id());
        }
        ids
    }

    /// The names of the users that a filter finds, in order.
    pub async fn find(&self, filter: &str) -> Vec<String> {
        let found = self.get(&format!("/Users?sortBy=userName&filter={}", escaped(filter))).await;
        assert_eq!(found.status, 200, "{filter}: {found:?}");
        strings(&found.body["Resources"], "userName")
    }

    /// How many resources a path with a filter finds.
    pub async fn count(&self, path: &str, filter: &str) -> i64 {
        let found = self.get(&format!("{path}?filter={}", escaped(filter))).await;
        assert_eq!(found.status, 200, "{filter}: {found:?}");
        found.body["totalResults"].as_i64().unwrap()
    }

    /// Fails unless the filter is refused.
    pub async fn no_filter(&self, filter: &str) {
        let answer = self.get(&format!("/Users?filter={}", escaped(filter))).await;
        assert_eq!(answer.status, 400, "{filter}: {answer:?}");
        answer.refused(400, "invalidFilter");
    }

    /// The ids of a group's members, in order.
    pub async fn members(&self, group: &str) -> Vec<String> {
        let mut ids = strings(&self.get(&format!("/Groups/{group}")).await.body["members"], "value");
        ids.sort_unstable();
        ids
    }

    /// One operation on a resource.
    pub async fn op(&self, path: &str, op: &str, target: &str, value: Value) -> Answer {
        let mut operation = json!({"op": op, "value": value});
        if !target.is_empty() {
            operation["path"] = json!(target);
        }
        if operation["value"].is_null() && op == "remove" {
            operation.as_object_mut().unwrap().remove("value");
        }
        self.patch(path, json!([operation])).await
    }
}

/// A user's body.
pub fn user_body(name: &str, more: Value) -> Value {
    let mut body = json!({"schemas": [USER], "userName": name});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body
}

/// Text as it stands in an address.
pub fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// One text of every element of a list.
pub fn strings(list: &Value, name: &str) -> Vec<String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter().map(|item| item[name].as_str().unwrap_or_default().to_owned()).collect()
}

/// Declares the tests of some rows: `rows! { async fn j03_what_it_says(at: &Stand) { … } }`.
macro_rules! rows {
    ($(async fn $name:ident($at:ident: &Stand) $body:block)*) => {
        /// How many tests are here.
        pub const TESTS: usize = [$(stringify!($name)),*].len();

        $(mod $name {
            #[allow(unused_imports, reason = "a body may name nothing of its module")]
            use super::*;

            async fn body($at: &super::Stand) $body

            #[test]
            fn sqlite() {
                let open = async || $crate::support::database::Database::sqlite().await;
                $crate::scim_conformance::ground::SQLITE.run(open, async |at: &super::Stand| body(at).await);
            }

            #[test]
            fn postgres() {
                let open = async || $crate::support::database::Database::postgres().await;
                $crate::scim_conformance::ground::POSTGRES.run(open, async |at: &super::Stand| body(at).await);
            }
        })*
    };
}
pub(super) use rows;
