//! The event log is sealed beside the requests: readers see every line once, in order, and the chain holds.
use std::time::Duration;

use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::{PartnerId, UserId};
use rolecall::jobs::event_sealer;
use rolecall::provision::event::{Event, Kind};
use rolecall::provision::events;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, events as lines};
use tokio::sync::watch;

use crate::support::database::on_both;

async fn happen(store: &Store, times: usize) {
    let ctx = Clock.ctx(Actor::System);
    let (partner, user): (PartnerId, UserId) = (ctx.id(), ctx.id());
    for _ in 0..times {
        let event = Event::of(Kind::UserUpdated, user);
        store.write(async |tx| events::append(tx, &ctx, partner, std::slice::from_ref(&event)).await).await.unwrap();
    }
}

async fn sealed(store: &Store) -> Vec<i64> {
    let mut reader = store.reader().await.unwrap();
    let page = lines::after(&mut reader, &OperatorExtent::assume(), 0, 1_000).await.unwrap();
    page.into_iter().map(|line| line.seq).collect()
}

on_both! {
    async fn two_sealers_leave_no_gap_and_seal_what_is_left_when_told_to_stop(db: &Database) {
        let (tell, told) = watch::channel(false);
        let one = tokio::spawn(event_sealer::run(db.store.clone(), Clock, told.clone()));
        let two = tokio::spawn(event_sealer::run(db.store.clone(), Clock, told));
        happen(&db.store, 40).await;
        let all = async {
            while sealed(&db.store).await.len() < 40 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("sealed while running");
        happen(&db.store, 3).await;
        tell.send_replace(true);
        one.await.unwrap();
        two.await.unwrap();
        assert_eq!(sealed(&db.store).await, (1..=43).collect::<Vec<_>>());
        let mut reader = db.store.reader().await.unwrap();
        assert_eq!(events::verify(&mut reader, &OperatorExtent::assume()).await.unwrap(), Ok(43));
    }
}
