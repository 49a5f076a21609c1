//! Many users at once: as each alone, in fewer trips.
use rolecall::provision::users::{self, MOST_TOGETHER, MatchKeySource, NewExternalUser, UserInput};
use rolecall::provision::{Outcome, ProvisionError};
use rolecall::store::external_users::ExternalUser;
use rolecall::store::{StoreError, Tx, first};
use rolecall::{binds, statements};
use serde_json::json;

use crate::support::database::on_both;
use crate::support::world::{World, ctx};

statements! {
    USERS = "SELECT COUNT(*) FROM external_users WHERE connection_id = $1";
    WAITING = "SELECT COUNT(*) FROM external_users WHERE connection_id = $1 AND user_id IS NULL";
    EVENTS = "SELECT COUNT(*) FROM events WHERE partner_id = $1";
}

/// What came of each: created and linked, created and waiting, or refused.
fn said(answer: &Result<Outcome<ExternalUser>, ProvisionError>) -> String {
    match answer {
        Ok(done) => format!("{} {}", done.value.user_name, done.value.user.is_some()),
        Err(error) => format!("{error:?}"),
    }
}

/// Users of whom some share a name, a mail address or a key with somebody before them.
fn users(world: &World, count: usize) -> Vec<NewExternalUser> {
    let one = |at: usize| {
        let (name, key, mail) = match at % 17 {
            3 => (format!("U{}", at - 1), format!("k{at}"), format!("m{at}@x")),
            7 => (format!("u{at}"), format!("k{}", at - 2), format!("m{at}@x")),
            11 => (format!("u{at}"), format!("k{at}"), format!("M{}@x", at - 1)),
            _ => (format!("u{at}"), format!("k{at}"), format!("m{at}@x")),
        };
        let document = world.user(json!({"userName": name, "emails": [{"value": mail, "primary": true}]}));
        NewExternalUser {
            stable_key: Some(key),
            said: UserInput { document, join: MatchKeySource::Key(None), row_hash: Some(vec![1]) },
        }
    };
    (0..count).map(one).collect()
}

on_both! {
    async fn many_at_once_are_what_each_alone_is(db: &Database) {
        let (together, apart) = (World::new(&db.store).await, World::new(&db.store).await);
        let count = 2 * MOST_TOGETHER + 9;
        let (now, source) = (ctx(1_000), together.source());
        let at_once = async |tx: &mut Tx| users::create_many_in(tx, &now, &source, users(&together, count)).await;
        let at_once = db.store.write(at_once).await.unwrap();
        let (now, source) = (ctx(2_000), apart.source());
        let each = async |tx: &mut Tx| {
            let mut answers = Vec::new();
            for new in users(&apart, count) {
                let one = async |tx: &mut Tx| users::create_in(tx, &now, &source, new.clone()).await;
                answers.push(tx.attempt(false, one).await);
            }
            Ok::<_, StoreError>(answers)
        };
        let each = db.store.write(each).await.unwrap();
        assert_eq!(at_once.len(), count);
        for (at, (one, other)) in at_once.iter().zip(&each).enumerate() {
            assert_eq!(said(one), said(other), "number {at}");
        }
        assert!(at_once.iter().any(Result::is_err) && at_once.iter().any(Result::is_ok));
        let mut reader = db.store.reader().await.unwrap();
        for statement in [&USERS, &WAITING] {
            let mut counts = Vec::new();
            for world in [&together, &apart] {
                let found: Option<i64> = reader.one(statement, binds![world.connections[0].connection()], first).await.unwrap();
                counts.push(found);
            }
            assert_eq!(counts[0], counts[1]);
        }
        let mut events = Vec::new();
        for world in [&together, &apart] {
            let found: Option<i64> = reader.one(&EVENTS, binds![world.partner], first).await.unwrap();
            events.push(found);
        }
        assert_eq!(events[0], events[1], "each has its events");
    }
}
