//! What happens at the same moment about the same user or rule is not half seen: the later one counts it, or it is
//! looked at again.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::{ExternalGroupId, Id as _};
use rolecall::provision::groups::{self, GroupInput};
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{ProvisionError, ProvisionSource, UnknownMembers};
use rolecall::scim::patch::MemberOp;
use rolecall::scim::resource::{self, Document, MemberRef, Rules};
use rolecall::scim::schema::SchemaSet;
use rolecall::store::extent::ConnectionExtent;
use rolecall::store::{Store, Tx, connections, first};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::app::{App, Scim};
use crate::support::creations::{Seen, Sent};
use crate::support::database::{Database, on_both};
use crate::support::stage::Stage;
use crate::support::world::World;

statements! {
    JOIN = "UPDATE connections SET matching_attribute = 'externalId', version = version + 1 WHERE id = $1";
    ADDITIVE = "UPDATE directories SET mode = 'additive', version = version + 1 WHERE id = $1";
    REVOKE = "UPDATE connection_tokens SET revoked_at = 1 WHERE connection_id = $1";
    VERSION = "SELECT rule_set_version FROM directories WHERE name = 'Harbor Entra ID'";
    FINANCE = "SELECT m.external_user_id FROM attribute_condition_members m JOIN attribute_conditions c ON c.id = m.condition_id \
        WHERE c.expression LIKE '%\"Finance\"%'";
    TECHNICIANS = "SELECT id FROM user_groups WHERE name = 'Technicians'";
    COUNT = "SELECT COUNT(*) FROM external_users";
}

/// As often as a transaction may be run again.
const MANY: usize = 100;

const DEMO: &str = include_str!("../../config/demo.toml");
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The demo's declaration with another condition for being a technician.
fn technicians_are(when: &str) -> String {
    let old = format!("'{ENTERPRISE}:department eq \"IT\"'");
    assert_eq!(DEMO.matches(&old).count(), 1);
    DEMO.replace(&old, &format!("'{when}'"))
}

/// Harbor's SCIM connection.
struct Connection {
    extent: ConnectionExtent,
    schemas: SchemaSet,
}

impl Connection {
    async fn of(stage: &Stage) -> Self {
        let at = stage.console.partner("harbor").await;
        let mut reader = stage.console.store.reader().await.unwrap();
        let extent = connections::by_slug(&mut reader, &at, "harbor-entra").await.unwrap().unwrap().extent;
        Self { extent, schemas: SchemaSet::base() }
    }

    fn source(&self) -> ProvisionSource<'_> {
        let (extent, schemas, unknown_members) = (self.extent, &self.schemas, UnknownMembers::Skip);
        ProvisionSource { extent, schemas, matching_attribute: Some("externalId"), unknown_members }
    }

    async fn create(&self, tx: &mut Tx, body: Json) -> Result<Uuid, ProvisionError> {
        let document = resource::create(self.schemas.users(), body, Rules::STRICT).unwrap().document;
        let new = NewExternalUser { stable_key: None, said: document.into() };
        let ctx = Clock.ctx(Actor::System);
        Ok(users::create_in(tx, &ctx, &self.source(), new).await?.value.id.uuid())
    }

    async fn add(&self, tx: &mut Tx, group: &str, member: &str) -> Result<(), ProvisionError> {
        let ops = vec![MemberOp::Add(vec![MemberRef::named(member, None)])];
        let change = |doc: &Document| Ok(GroupInput { document: doc.clone(), members: ops.clone(), row_hash: None });
        let (ctx, id) = (Clock.ctx(Actor::System), ExternalGroupId::from_uuid(group.parse().unwrap()));
        groups::update_in(tx, &ctx, &self.source(), id, None, &change).await?;
        Ok(())
    }
}

async fn placed(store: &Store, user: Uuid) -> bool {
    let place: Uuid = store.reader().await.unwrap().one(&TECHNICIANS, binds![], first).await.unwrap();
    let seen = Seen::of(store).await;
    seen.users[&seen.external_users[&user].user.unwrap()].primary_group == place
}

fn user_body(name: &str, more: Json) -> Json {
    let mut body = json!({"schemas": [USER], "userName": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_come_into_force_beside_a_write_count_for_it() {
    let db = Database::postgres().await;
    let stage = Stage::open(&db).await;
    let (connection, store) = (Connection::of(&stage).await, db.store.clone());
    let ida = user_body("ida", json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"department": "Finance"}}));
    let (written, go_on) = (Notify::new(), Semaphore::new(0));
    let writes = async {
        let write = async |tx: &mut Tx| {
            let id = connection.create(tx, ida.clone()).await?;
            written.notify_one();
            go_on.acquire().await.unwrap().forget();
            Ok::<_, ProvisionError>(id)
        };
        store.write(write).await.unwrap()
    };
    let applies = async {
        written.notified().await;
        stage.console.apply(&technicians_are(&format!("{ENTERPRISE}:department eq \"Finance\""))).await;
    };
    let version = async || db.store.reader().await.unwrap().one(&VERSION, binds![], first::<i64>).await.unwrap();
    let before = version().await;
    let ends = async {
        while version().await == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        go_on.add_permits(MANY);
    };
    let (id, (), ()) = futures_util::join!(writes, applies, ends);
    let members: Vec<Uuid> = db.store.reader().await.unwrap().all(&FINANCE, binds![], first).await.unwrap();
    assert_eq!(members, [id]);
    assert!(placed(&db.store, id).await);
    stage.console.app.stop().await;
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_two_groups_place_together_is_placed_when_both_come_at_once() {
    let db = Database::postgres().await;
    let stage = Stage::open(&db).await;
    stage.console.apply(&technicians_are("memberOf eq \"A\" and memberOf eq \"B\"")).await;
    let (connection, store) = (Connection::of(&stage).await, db.store.clone());
    let ida = stage.scim.user("ida").await.id();
    let [a, b] = [stage.scim.group("A", &[]).await.id(), stage.scim.group("B", &[]).await.id()];
    let (written, go_on) = (Notify::new(), Semaphore::new(0));
    let first_one = async {
        let write = async |tx: &mut Tx| {
            connection.add(tx, &a, &ida).await?;
            written.notify_one();
            go_on.acquire().await.unwrap().forget();
            Ok::<_, ProvisionError>(())
        };
        store.write(write).await.unwrap();
    };
    let done = AtomicBool::new(false);
    let second_one = async {
        written.notified().await;
        store.write(async |tx: &mut Tx| connection.add(tx, &b, &ida).await).await.unwrap();
        done.store(true, Ordering::SeqCst);
    };
    let ends = async {
        // The second is through, or stands before what the first holds.
        let mut watcher = PgConnection::connect(&db.url).await.unwrap();
        let held = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
            AND wait_event_type = 'Lock')";
        while !done.load(Ordering::SeqCst)
            && !sqlx::query_scalar::<_, bool>(held).fetch_one(&mut watcher).await.unwrap()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        go_on.add_permits(MANY);
        watcher.close().await.unwrap();
    };
    futures_util::join!(first_one, second_one, ends);
    assert!(placed(&db.store, ida.parse().unwrap()).await);
    stage.console.app.stop().await;
    db.remove().await;
}

/// Two connections of one directory that join.
async fn joined(db: &Database) -> (World, App, [Scim; 2]) {
    let world = World::new(&db.store).await;
    for connection in world.connections {
        db.execute(&JOIN, binds![connection.connection()]).await;
    }
    let app = App::start(db).await;
    let connections =
        [app.scim(db, &world, world.connections[0]).await, app.scim(db, &world, world.connections[1]).await];
    (world, app, connections)
}

on_both! {
    async fn who_has_two_keys_is_joined_once(db: &Database) {
        let (_, app, [one, two]) = joined(db).await;
        for round in 0..4 {
            // The user keeps both keys: the second connection still says the first one.
            let [old, new] = ["old", "new"].map(|word| format!("{word} {round}"));
            let there = one.post("/Users", user_body(&format!("a{round}"), json!({"externalId": old}))).await;
            let other = two.post("/Users", user_body(&format!("b{round}"), json!({"externalId": old}))).await;
            let path = format!("/Users/{}", there.id());
            let named = one.patch(&path, json!([{"op": "replace", "path": "externalId", "value": new}])).await;
            assert_eq!((other.status, named.status, one.delete(&path).await.status), (201, 200, 204));

            let mut all: Vec<Json> = (0..10).map(|n| user_body(&format!("n{round}-{n}"), json!({}))).collect();
            all.push(user_body(&format!("x{round}"), json!({"externalId": old})));
            all.push(user_body(&format!("y{round}"), json!({"externalId": new})));
            let sent = join_all(all.into_iter().map(|body| Sent::post(&one, body, false))).await;
            let seen = Seen::of(&db.store).await;
            let user = seen.external_users[&other.id().parse().unwrap()].user;
            let both: Vec<_> = sent[10..].iter().map(|sent| seen.external_users[&sent.id()].user).collect();
            assert!(both.contains(&user) && both.contains(&None), "one joins, the other waits for review: {both:?}");
        }
        app.stop().await;
    }

    async fn a_directory_that_only_adds_switches_nobody_off_by_joining(db: &Database) {
        let (world, app, [one, two]) = joined(db).await;
        let here = one.post("/Users", user_body("ida", json!({"externalId": "7"}))).await;
        db.execute(&ADDITIVE, binds![world.directory]).await;
        let inactive = |name: &str, key: &str| user_body(name, json!({"externalId": key, "active": false}));
        let (joins, stranger) = (inactive("ida", "7"), inactive("bo", "8"));
        let answers = join_all([joins, stranger].map(|body| two.post("/Users", body))).await;
        answers[0].refused(403, "");
        assert!(answers[0].body["detail"].as_str().unwrap().contains("only adds"), "{:?}", answers[0]);
        assert_eq!(answers[1].status, 201, "nobody is switched off by somebody new");
        let seen = Seen::of(&db.store).await;
        assert_eq!(seen.external_users.len(), 2);
        assert!(!seen.is_off(seen.external_users[&here.id().parse().unwrap()].user.unwrap()));
        assert_eq!(two.post("/Users", user_body("ida", json!({"externalId": "7"}))).await.status, 201);
        app.stop().await;
    }

    async fn a_bulk_request_ends_with_its_token(db: &Database) {
        let (world, app, [one, _]) = joined(db).await;
        let operations: Vec<Json> = (0..400)
            .map(|n| json!({"method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user_body(&format!("u{n}"), json!({}))}))
            .collect();
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        let revoked = async {
            while db.store.reader().await.unwrap().one(&COUNT, binds![], first::<i64>).await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            db.execute(&REVOKE, binds![world.connections[0].connection()]).await;
        };
        let (answer, ()) = futures_util::join!(one.post("/Bulk", body), revoked);
        assert_eq!(answer.status, 200, "{answer:?}");
        let told = answer.body["Operations"].as_array().unwrap();
        let made = told.iter().take_while(|operation| operation["status"] == "201").count();
        assert!((1..400).contains(&made), "{made}");
        assert!(told[made..].iter().all(|operation| operation["status"] == "401"), "{:?}", told[made]);
        assert_eq!((told.len(), Seen::of(&db.store).await.external_users.len()), (400, made));
        app.stop().await;
    }

    async fn a_rule_finds_the_group_that_took_the_name_of_one_that_is_gone(db: &Database) {
        let stage = Stage::open(db).await;
        let ida = stage.scim.user("ida").await.id();
        let old = stage.scim.group("Backup Operators", &[&ida]).await.id();
        let user = Seen::of(&db.store).await.external_users[&ida.parse().unwrap()].user.unwrap();
        let on_call = async || {
            let shown = stage.get(&format!("/api/v1/users/{user}")).await;
            shown["groups"].as_array().unwrap().iter().any(|group| group["group"]["name"] == "On call")
        };
        assert!(on_call().await);
        assert_eq!(stage.scim.delete(&format!("/Groups/{old}")).await.status, 204);
        let new = stage.scim.group("Backup Operators", &[&ida]).await.id();
        assert!(old != new && !on_call().await);
        stage.console.apply(DEMO).await;
        assert!(on_call().await);
        // A group that is only called otherwise is still the one that was meant.
        let renamed = json!([{"op": "replace", "path": "displayName", "value": "Keepers"}]);
        assert_eq!(stage.scim.patch(&format!("/Groups/{new}"), renamed).await.status, 204);
        stage.console.apply(DEMO).await;
        assert!(on_call().await);
        stage.console.app.stop().await;
    }
}
