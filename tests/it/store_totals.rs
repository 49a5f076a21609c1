//! The kept number of a connection's users and groups is the number of those that are there.
use std::time::Duration;

use rolecall::domain::page::PageRequest;
use rolecall::provision::groups::{self, NewExternalGroup};
use rolecall::provision::listing::ListQuery;
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Execution, ProvisionSource};
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, Tx, invariants, totals};
use rolecall::{binds, statements};
use serde_json::json;

use crate::support::database::on_both;
use crate::support::world::{World, ctx};

statements! {
    WRONG = "UPDATE kept_totals SET number = number + $1 WHERE kind IN ('external_users', 'external_groups')";
}

const SECOND: Duration = Duration::from_secs(1);

/// How many users and groups a list of one says there are.
async fn told(store: &Store, source: &ProvisionSource<'_>) -> (Option<u64>, Option<u64>) {
    told_on(store, source, &PageRequest::Index { start: 1, count: 1 }).await
}

/// The same on another page.
async fn told_on(store: &Store, source: &ProvisionSource<'_>, page: &PageRequest) -> (Option<u64>, Option<u64>) {
    let wanted = ListQuery { filter: None, sort: None, page, searching: SECOND, counting: SECOND };
    let users = users::list(store, source, wanted, false).await.unwrap().total;
    (users, groups::list(store, source, wanted).await.unwrap().total)
}

async fn fold(store: &Store) {
    let at = OperatorExtent::assume();
    store.write(async |tx: &mut Tx| totals::fold(tx, &at, 0).await).await.unwrap();
}

on_both! {
    async fn what_comes_and_goes_beside_each_other_is_counted(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        assert_eq!(told(&db.store, &source).await, (Some(0), Some(0)));
        let one = async |number: i64| {
            let said = world.user(json!({"userName": format!("u{number}")})).into();
            let new = NewExternalUser { stable_key: None, said };
            let user = users::create(&db.store, &ctx(number * 4), &source, new, Execution::Real).await.unwrap().value.id;
            let new = NewExternalGroup { stable_key: None, document: world.group("g"), members: Vec::new(), row_hash: None };
            let group = groups::create(&db.store, &ctx(number * 4 + 1), &source, &new, Execution::Real).await.unwrap().value.id;
            // Each act at a moment of its own: ids are made from it.
            if number % 3 == 0 {
                users::delete(&db.store, &ctx(number * 4 + 2), &source, user, None, Execution::Real).await.unwrap();
                groups::delete(&db.store, &ctx(number * 4 + 3), &source, group, None, Execution::Real).await.unwrap();
            }
            if number % 4 == 0 {
                fold(&db.store).await;
            }
        };
        futures_util::future::join_all((0..24).map(one)).await;
        assert_eq!(told(&db.store, &source).await, (Some(16), Some(16)));

        let tried = NewExternalUser { stable_key: None, said: world.user(json!({"userName": "tried"})).into() };
        users::create(&db.store, &ctx(500), &source, tried, Execution::Dry).await.unwrap();
        let taken = NewExternalUser { stable_key: None, said: world.user(json!({"userName": "u1"})).into() };
        users::create(&db.store, &ctx(500), &source, taken, Execution::Real).await.unwrap_err();
        assert_eq!(told(&db.store, &source).await, (Some(16), Some(16)), "what was not kept is not counted");

        fold(&db.store).await;
        assert_eq!(told(&db.store, &source).await, (Some(16), Some(16)));
        let mut reader = db.store.reader().await.unwrap();
        let at = OperatorExtent::assume();
        assert!(totals::long(&mut reader, &at, 1).await.unwrap().is_empty(), "one row each is left");
        assert_eq!(invariants::broken(&mut reader, &at).await.unwrap(), []);
        drop(reader);

        // Nobody counts for a page: a wrong number is told as it is kept, and `doctor` says that it is wrong.
        db.execute(&WRONG, binds![1_000]).await;
        for page in [PageRequest::Index { start: 1, count: 1 }, PageRequest::Index { start: 9, count: 1 }, PageRequest::Cursor { after: None, count: 1 }] {
            assert_eq!(told_on(&db.store, &source, &page).await, (Some(1_016), Some(1_016)), "{page:?}");
        }
        let mut reader = db.store.reader().await.unwrap();
        assert_ne!(invariants::broken(&mut reader, &at).await.unwrap(), []);
    }
}
