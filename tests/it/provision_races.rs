//! Many requests at the same moment: nothing is lost, nothing is doubled, nobody waits in a circle.
use std::sync::Arc;

use rolecall::domain::ctx::Ctx;
use rolecall::domain::id::{ExternalGroupId, ExternalUserId};
use rolecall::provision::groups::{self, GroupInput, NewExternalGroup};
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Execution, ProvisionError, events};
use rolecall::scim::patch::MemberOp;
use rolecall::scim::resource::{Document, MemberRef};
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, first, members};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::support::database::on_both;
use crate::support::world::{World, ctx};

statements! {
    USERS = "SELECT COUNT(*) FROM live_users";
    EXTERNAL_USERS = "SELECT COUNT(*) FROM external_users";
    ORPHANS = "SELECT COUNT(*) FROM external_group_members m \
        WHERE NOT EXISTS (SELECT 1 FROM external_users u WHERE u.id = m.external_user_id)";
    ALTER = "UPDATE events SET data = '{}' WHERE seq = 7";
    ADDED = "SELECT COUNT(*) FROM events WHERE kind = 'external_group_member.added'";
}

/// How many at a time.
const MANY: i64 = 64;

async fn count(store: &Store, statement: &'static rolecall::store::Statement) -> i64 {
    store.reader().await.unwrap().one(statement, binds![], first).await.unwrap()
}

async fn user(store: &Store, at: Ctx, world: &World, body: Json) -> Result<ExternalUserId, ProvisionError> {
    let new = NewExternalUser { stable_key: None, said: world.user(body).into() };
    Ok(users::create(store, &at, &world.source(), new, Execution::Real).await?.value.id)
}

async fn group(store: &Store, world: &World) -> ExternalGroupId {
    let new = NewExternalGroup { stable_key: None, document: world.group("Ops"), members: vec![], row_hash: None };
    groups::create(store, &ctx(1), &world.source(), &new, Execution::Real).await.unwrap().value.id
}

async fn add(
    store: &Store,
    at: Ctx,
    world: &World,
    id: ExternalGroupId,
    member: ExternalUserId,
) -> Result<bool, ProvisionError> {
    let ops = vec![MemberOp::Add(vec![MemberRef::named(&member.to_string(), None)])];
    let change = |doc: &Document| Ok(GroupInput { document: doc.clone(), members: ops.clone(), row_hash: None });
    Ok(groups::update(store, &at, &world.source(), id, None, &change, Execution::Real).await?.changed)
}

on_both! {
    async fn p22_parallel_member_adds_lose_nothing(db: &Database) {
        let world = Arc::new(World::new(&db.store).await);
        let id = group(&db.store, &world).await;
        let mut all = Vec::new();
        for n in 0..MANY {
            all.push(user(&db.store, ctx(n + 10), &world, json!({"userName": format!("u{n}")})).await.unwrap());
        }
        let mut tasks = JoinSet::new();
        for (n, member) in (0..).zip(all) {
            let (store, world) = (db.store.clone(), Arc::clone(&world));
            tasks.spawn(async move { add(&store, ctx(1_000 + n), &world, id, member).await });
        }
        while let Some(done) = tasks.join_next().await {
            assert!(done.unwrap().unwrap());
        }
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(members::count(&mut reader, &world.connections[0], id).await.unwrap(), MANY as u64);
        let read = groups::get(&mut reader, &world.source(), id).await.unwrap().unwrap();
        assert_eq!(read.version, 1 + MANY);
        assert_eq!(count(&db.store, &ADDED).await, MANY);
    }

    async fn h02_parallel_equal_creates_make_one(db: &Database) {
        let world = Arc::new(World::new(&db.store).await);
        let mut tasks = JoinSet::new();
        for n in 0..MANY {
            let (store, world) = (db.store.clone(), Arc::clone(&world));
            tasks.spawn(async move {
                user(&store, ctx(n + 10), &world, json!({"userName": "ada@cove.example", "externalId": "A"})).await
            });
        }
        let (mut made, mut refused) = (0, 0);
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(_) => made += 1,
                Err(ProvisionError::Uniqueness { attribute: "userName" }) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((made, refused), (1, MANY - 1));
        assert_eq!((count(&db.store, &EXTERNAL_USERS).await, count(&db.store, &USERS).await), (1, 1));
    }

    async fn the_same_user_at_two_connections_at_once_is_one(db: &Database) {
        let world = Arc::new(World::new(&db.store).await);
        for round in 0..10 {
            let mut tasks = JoinSet::new();
            for connection in 0..2 {
                let (store, world) = (db.store.clone(), Arc::clone(&world));
                tasks.spawn(async move {
                    let source = world.at(world.connections[connection]);
                    let body = json!({"userName": format!("u{round}-{connection}"), "externalId": format!("E{round}")});
                    let new = NewExternalUser { stable_key: None, said: world.user(body).into() };
                    let at = ctx(round * 10 + i64::try_from(connection).unwrap());
                    users::create(&store, &at, &source, new, Execution::Real).await.unwrap().value.user
                });
            }
            let mut users = Vec::new();
            while let Some(done) = tasks.join_next().await {
                users.push(done.unwrap().unwrap());
            }
            assert_eq!(users[0], users[1]);
        }
        assert_eq!(count(&db.store, &USERS).await, 10);
    }

    async fn adding_and_renaming_at_once_keep_both(db: &Database) {
        let world = Arc::new(World::new(&db.store).await);
        let id = group(&db.store, &world).await;
        let mut all = Vec::new();
        for n in 0..MANY / 2 {
            all.push(user(&db.store, ctx(n + 10), &world, json!({"userName": format!("u{n}")})).await.unwrap());
        }
        let mut tasks = JoinSet::new();
        for (n, member) in (0..).zip(all) {
            let (store, here) = (db.store.clone(), Arc::clone(&world));
            tasks.spawn(async move { add(&store, ctx(1_000 + n), &here, id, member).await });
            let (store, world) = (db.store.clone(), Arc::clone(&world));
            tasks.spawn(async move {
                let rename = |_: &Document| {
                    Ok(GroupInput { document: world.group(&format!("Ops {n}")), members: vec![], row_hash: None })
                };
                let done = groups::update(&store, &ctx(2_000 + n), &world.source(), id, None, &rename, Execution::Real).await;
                done.map(|done| done.changed)
            });
        }
        while let Some(done) = tasks.join_next().await {
            assert!(done.unwrap().unwrap());
        }
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(members::count(&mut reader, &world.connections[0], id).await.unwrap(), (MANY / 2) as u64);
        let read = groups::get(&mut reader, &world.source(), id).await.unwrap().unwrap();
        assert_eq!(read.version, 1 + MANY);
        assert_eq!(read.doc["displayName"], json!(read.display_name));
    }

    async fn deleting_a_user_while_it_is_added_leaves_no_trace(db: &Database) {
        let world = Arc::new(World::new(&db.store).await);
        let id = group(&db.store, &world).await;
        for round in 0..16 {
            let victim = user(&db.store, ctx(round + 10), &world, json!({"userName": format!("u{round}")})).await.unwrap();
            let mut tasks = JoinSet::new();
            for n in 0..4 {
                let (store, world) = (db.store.clone(), Arc::clone(&world));
                tasks.spawn(async move {
                    let at = ctx(1_000 + round * 10 + n);
                    if n == 1 {
                        users::delete(&store, &at, &world.source(), victim, None, Execution::Real).await.map(|_| true)
                    } else {
                        add(&store, at, &world, id, victim).await
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap().unwrap();
            }
        }
        assert_eq!(count(&db.store, &ORPHANS).await, 0);
        assert_eq!(count(&db.store, &EXTERNAL_USERS).await, 0);
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(members::count(&mut reader, &world.connections[0], id).await.unwrap(), 0);
    }

    async fn the_log_is_sealed_densely_while_it_grows(db: &Database) {
        let world = Arc::new(World::new(&db.store).await);
        let mut tasks = JoinSet::new();
        for n in 0..MANY {
            let (store, world) = (db.store.clone(), Arc::clone(&world));
            tasks.spawn(async move {
                user(&store, ctx(n + 10), &world, json!({"userName": format!("u{n}")})).await.unwrap();
                // Two that seal at the same moment refuse each other and harm nothing.
                let _ = events::seal(&store).await;
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        while events::seal(&db.store).await.unwrap() > 0 {}
        let operator = OperatorExtent::assume();
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(events::verify(&mut reader, &operator).await.unwrap(), Ok(MANY * 3));
        let page = rolecall::store::events::after(&mut reader, &operator, 0, 1_000).await.unwrap();
        assert!(page.iter().zip(1..).all(|(line, seq)| line.seq == seq));
        let extent = operator.at(world.partner);
        let about = page.iter().find(|line| line.line.kind == "user.created").unwrap();
        let found = rolecall::store::events::about(&mut reader, &extent, about.line.subject.unwrap(), i64::MAX, 10).await;
        assert_eq!(found.unwrap().as_slice(), std::slice::from_ref(about));
        drop(reader);

        // A line that was altered breaks the chain where it stands.
        db.store.write(async |tx: &mut rolecall::store::Tx| tx.execute(&ALTER, binds![]).await).await.unwrap();
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(events::verify(&mut reader, &operator).await.unwrap().unwrap_err().seq, 7);
    }
}
