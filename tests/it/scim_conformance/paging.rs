//! 1.L and 1.V: pages by position and by cursor.
use rolecall::store::Tx;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::tokens;
use serde_json::{Value, json};

use super::{Stand, rows, strings};
use crate::app::App;

async fn crowd(at: &Stand, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("user{number:03}")).collect();
    let mut ids: Vec<String> = futures_util::future::join_all(names.iter().map(|name| at.user(name)))
        .await
        .iter()
        .map(crate::app::Answer::id)
        .collect();
    ids.sort_unstable();
    ids
}

/// All pages of a walk.
async fn walk(at: &Stand, query: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = at.get(&format!("/Users?cursor={cursor}&{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        seen.extend(strings(&page.body["Resources"], "id"));
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return seen,
        }
    }
}

async fn first(at: &Stand, query: &str) -> String {
    at.get(&format!("/Users?cursor=&{query}")).await.body["nextCursor"].as_str().unwrap().to_owned()
}

rows! {
    async fn l01_numbers_out_of_range_are_moved_into_it(at: &Stand) {
        crowd(at, 5).await;
        let whole = strings(&at.get("/Users").await.body["Resources"], "id");
        for (query, taken) in [("startIndex=0&count=2", &whole[..2]), ("startIndex=-7&count=2", &whole[..2]), ("startIndex=4&count=9", &whole[3..])] {
            let page = at.get(&format!("/Users?{query}")).await.body;
            assert_eq!(strings(&page["Resources"], "id"), taken, "{query}");
        }
        for query in ["count=0", "count=-3"] {
            let page = at.get(&format!("/Users?{query}")).await.body;
            assert_eq!((&page["totalResults"], page["Resources"].as_array().map_or(0, Vec::len)), (&json!(5), 0), "{query}");
        }
        at.get("/Users?count=many").await.refused(400, "invalidValue");
    }

    async fn l02_beyond_the_end_is_empty(at: &Stand) {
        crowd(at, 3).await;
        let page = at.get("/Users?startIndex=4").await.body;
        assert_eq!((&page["totalResults"], page["Resources"].as_array().map_or(0, Vec::len)), (&json!(3), 0));
        assert_eq!(at.get("/Users?startIndex=9223372036854775807").await.body["totalResults"], 3);
    }

    async fn l03_a_hundred_fit_on_a_page(at: &Stand) {
        crowd(at, 101).await;
        for query in ["", "count=100"] {
            let page = at.get(&format!("/Users?{query}")).await.body;
            assert_eq!(page["Resources"].as_array().unwrap().len(), 100);
        }
    }

    async fn l04_the_last_page_may_be_short(at: &Stand) {
        crowd(at, 5).await;
        let page = at.get("/Users?startIndex=5&count=3").await.body;
        assert_eq!((&page["itemsPerPage"], page["Resources"].as_array().unwrap().len()), (&json!(1), 1));
    }

    async fn v01_a_walk_by_cursor(at: &Stand) {
        let ids = crowd(at, 25).await;
        let page = at.get("/Users?cursor=&count=10").await.body;
        assert!(page["nextCursor"].is_string() && page.get("previousCursor").is_none());
        let mut seen = walk(at, "count=10").await;
        seen.sort_unstable();
        assert_eq!(seen, ids);
        let last = at.get("/Users?cursor=&count=25").await.body;
        assert!(last.get("nextCursor").is_none() && last.get("previousCursor").is_none(), "the only page has none");

        // And back: the same pages in the other direction, up to the first.
        for query in ["count=10", "count=7&sortBy=userName&sortOrder=descending", "count=4&sortBy=title&filter=active+eq+true"] {
            let (mut there, mut cursor) = (Vec::new(), String::new());
            let mut page = loop {
                let page = at.get(&format!("/Users?cursor={cursor}&{query}")).await.body;
                assert_eq!(page["previousCursor"].is_string(), !there.is_empty(), "{query}: {page}");
                there.push(strings(&page["Resources"], "id"));
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break page,
                }
            };
            let mut back = vec![strings(&page["Resources"], "id")];
            while let Some(previous) = page["previousCursor"].as_str() {
                page = at.get(&format!("/Users?cursor={previous}&{query}")).await.body;
                assert!(page["nextCursor"].is_string() && page.get("startIndex").is_none(), "{query}: {page}");
                back.push(strings(&page["Resources"], "id"));
            }
            back.reverse();
            assert_eq!(back, there, "{query}");
            let next = at.get(&format!("/Users?cursor={}&{query}", page["nextCursor"].as_str().unwrap())).await.body;
            assert_eq!(strings(&next["Resources"], "id"), there[1], "forward again");
        }
    }

    async fn v02_cursors_fit_into_addresses(at: &Stand) {
        crowd(at, 3).await;
        let cursor = first(at, "count=1").await;
        assert!(!cursor.is_empty() && cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)), "{cursor}");
        assert!(!cursor.contains("user"), "opaque");
    }

    async fn v03_a_walk_keeps_its_question(at: &Stand) {
        crowd(at, 5).await;
        let cursor = first(at, "count=2&sortBy=userName").await;
        at.get(&format!("/Users?cursor={cursor}&count=2")).await.refused(400, "invalidCursor");
        at.get(&format!("/Users?cursor={cursor}&count=2&sortBy=userName&filter=active+eq+true")).await.refused(400, "invalidCursor");
        at.get(&format!("/Users?cursor={cursor}&count=3&sortBy=userName")).await.refused(400, "invalidCount");
        at.get(&format!("/Groups?cursor={cursor}&count=2")).await.refused(400, "invalidCursor");
        at.get(&format!("/Users?cursor={cursor}&startIndex=2&count=2&sortBy=userName")).await.refused(400, "invalidValue");
        assert_eq!(at.get(&format!("/Users?cursor={cursor}&count=2&sortBy=userName")).await.status, 200);
    }

    async fn v04_cursors_end_and_counts_have_bounds(at: &Stand) {
        crowd(at, 3).await;
        at.get("/Users?cursor=forged").await.refused(400, "invalidCursor");
        at.get("/Users?cursor=%21").await.refused(400, "invalidCursor");
        at.get("/Users?cursor=&count=100000").await.refused(400, "invalidCount");
        at.get("/Users?cursor=&count=x").await.refused(400, "invalidCount");
        for count in ["0", "-5"] {
            let page = at.get(&format!("/Users?cursor=&count={count}")).await.body;
            assert_eq!((&page["totalResults"], page["Resources"].as_array().map_or(0, Vec::len)), (&json!(3), 0), "{page}");
        }
        let app = App::start_with(&at.ground.db, |config| config.scim.cursor_lifetime_seconds = 1).await;
        let brief = app.scim(&at.ground.db, &at.world, at.world.connections[0]).await;
        let cursor = brief.get("/Users?cursor=&count=1").await.body["nextCursor"].as_str().unwrap().to_owned();
        let mut answer = brief.get(&format!("/Users?cursor={cursor}&count=1")).await;
        let began = std::time::Instant::now();
        while answer.status == 200 && began.elapsed().as_secs() < 20 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            answer = brief.get(&format!("/Users?cursor={cursor}&count=1")).await;
        }
        answer.refused(400, "expiredCursor");
        app.stop().await;
    }

    async fn v05_the_service_says_how_it_pages(at: &Stand) {
        let paging = at.get("/ServiceProviderConfig").await.body["pagination"].clone();
        assert_eq!((&paging["cursor"], &paging["index"], &paging["defaultPaginationMethod"]), (&json!(true), &json!(true), &json!("index")));
        let most = paging["maxPageSize"].as_u64().unwrap();
        assert!(paging["defaultPageSize"].as_u64().unwrap() <= most && paging["cursorTimeout"].as_u64().unwrap() > 0);
        assert_eq!(at.get(&format!("/Users?cursor=&count={most}")).await.status, 200);
        at.get(&format!("/Users?cursor=&count={}", most + 1)).await.refused(400, "invalidCount");
    }

    async fn v06_old_clients_get_positions(at: &Stand) {
        crowd(at, 4).await;
        let plain = at.get("/Users?count=2").await.body;
        assert!(plain.get("nextCursor").is_none() && plain["startIndex"] == 1, "{plain}");
        let up = at.get("/Users?sortBy=userName").await.body;
        let mut down = walk(at, "count=3&sortBy=userName&sortOrder=descending").await;
        down.reverse();
        assert_eq!(down, strings(&up["Resources"], "id"));
    }

    async fn v07_search_walks_too(at: &Stand) {
        let ids = crowd(at, 5).await;
        let urn = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = at.post("/Users/.search", json!({"schemas": [urn], "cursor": cursor, "count": 2})).await;
            assert_eq!(page.status, 200, "{page:?}");
            seen.extend(strings(&page.body["Resources"], "id"));
            match page.body["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, ids);
    }

    async fn v08_a_cursor_opens_nothing(at: &Stand) {
        crowd(at, 3).await;
        let cursor = first(at, "count=1").await;
        let neighbour = at.neighbour().await;
        let foreign = neighbour.get(&format!("/Users?cursor={cursor}&count=1")).await;
        let nonsense = neighbour.get("/Users?cursor=nonsense&count=1").await;
        assert_eq!((foreign.status, &foreign.body), (400, &nonsense.body), "foreign and forged look the same");
        let extent = OperatorExtent::assume().at(at.world.partner);
        let connection = at.world.connections[0].connection();
        let mine = tokens::list(&mut at.ground.db.store.reader().await.unwrap(), &extent, connection).await.unwrap()[0].id;
        let now = rolecall::domain::time::Timestamp::from_micros(1);
        at.ground.db.store.write(async |tx: &mut Tx| tokens::revoke(tx, &extent, mine, now).await).await.unwrap();
        at.get(&format!("/Users?cursor={cursor}&count=1")).await.refused(401, "");
    }

    async fn v09_a_forged_cursor_is_seen(at: &Stand) {
        crowd(at, 3).await;
        let cursor = first(at, "count=1").await;
        // Whatever single character is changed.
        let forged = (0..cursor.len() - 1).map(|place| {
            let mut bytes = cursor.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        });
        let ask = async |forged: String| at.get(&format!("/Users?cursor={forged}&count=1")).await;
        for answer in futures_util::future::join_all(forged.map(ask)).await {
            answer.refused(400, "invalidCursor");
        }
    }

    async fn v10_nobody_who_stays_is_missed(at: &Stand) {
        let ids = crowd(at, 40).await;
        let gone: Vec<&String> = ids.iter().step_by(3).collect();
        let changes = async {
            for (number, id) in gone.iter().enumerate() {
                assert_eq!(at.delete(&format!("/Users/{id}")).await.status, 204);
                at.user(&format!("late{number}")).await;
            }
        };
        let (mut seen, ()) = tokio::join!(walk(at, "count=5"), changes);
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "nobody twice");
        for id in &ids {
            assert!(gone.contains(&id) || seen.contains(id), "{id} was there throughout");
        }

        // The same, with somebody leaving and somebody coming between every two pages.
        let before = walk(at, "count=5").await;
        let (mut seen, mut cursor, mut page) = (Vec::new(), String::new(), Value::Null);
        while page.is_null() || page["nextCursor"].is_string() {
            page = at.get(&format!("/Users?cursor={cursor}&count=5")).await.body;
            let found = strings(&page["Resources"], "id");
            at.delete(&format!("/Users/{}", found[0])).await;
            at.user(&format!("later{}", seen.len())).await;
            cursor = page["nextCursor"].as_str().unwrap_or_default().to_owned();
            seen.extend(found);
            assert!(seen.len() < 200, "there is an end");
        }
        assert!(before.iter().all(|id| seen.contains(id)), "each was there until it was seen");
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "nobody twice");
    }
}
