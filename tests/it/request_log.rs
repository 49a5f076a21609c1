//! The log of requests: nothing of a flood is lost, and a search goes through all of it, page by page.
use std::time::Duration;

use rolecall::domain::time::Timestamp;
use rolecall::store::extent::ConnectionExtent;
use rolecall::store::provisioning_log::{Entry, RequestLog};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

/// More than a search looks at in one go, and than is written in one transaction.
const MANY: usize = 1_300;

fn entry(door: &ConnectionExtent, number: usize) -> Entry {
    Entry {
        request_id: format!("request-{number}"),
        at: Timestamp::from_micros(1_000_000 + number as i64 / 3),
        connection: door.connection(),
        token: None,
        client: "127.0.0.1".to_owned(),
        method: "POST".to_owned(),
        path: "/Users".to_owned(),
        request: Some(format!("{{\"userName\":\"{}{number}\"}}", if number.is_multiple_of(7) { "Åsa" } else { "bo" })),
        translation: Vec::new(),
        effect: json!({"attributes": ["userName"], "number": number}),
        dry: false,
        status: 201,
        refusal: None,
        micros: 1,
    }
}

/// Every page of what contains `search`, newest first, so many at a time.
async fn pages(log: &RequestLog, door: &ConnectionExtent, search: &str, count: usize) -> Vec<Entry> {
    let (mut all, mut place) = (Vec::new(), None);
    loop {
        let (page, next) = log.page(door, search, place, count).await.unwrap();
        assert!(page.len() <= count);
        all.extend(page);
        place = next;
        if place.is_none() {
            return all;
        }
    }
}

on_both! {
    async fn what_came_in_a_flood_is_found_page_by_page(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let (log, [door, other]) = (&app.running.app().request_log, world.doors);
        let written: Vec<Entry> = (0..MANY).map(|number| entry(&door, number)).collect();
        for (number, entry) in written.iter().enumerate() {
            log.record(Uuid::from_u128(number as u128), entry.clone());
        }
        log.record(Uuid::max(), entry(&other, 0));
        let mut all = Vec::new();
        for _ in 0..300 {
            all = pages(log, &door, "", 100).await;
            if all.len() == MANY && !pages(log, &other, "", 1).await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(log.dropped(), 0);
        assert!(all.iter().eq(written.iter().rev()), "each once, the newest first");

        let wanted = |entry: &&Entry| entry.request.as_deref().is_some_and(|request| request.contains("Åsa"));
        for count in [1, 7, 50, 1_000] {
            let found = pages(log, &door, " åSA", count).await;
            assert!(found.iter().eq(written.iter().rev().filter(wanted)), "{count} a page");
        }
        assert_eq!(pages(log, &door, "\"number\":1299", 5).await.len(), 1, "what it did is searched too");
        assert!(pages(log, &door, "50% of_it", 5).await.is_empty(), "no wildcards");
        assert_eq!(pages(log, &other, "åsa", 5).await.len(), 1);
        app.stop().await;
    }
}
