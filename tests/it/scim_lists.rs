//! Lists over HTTP: filters, order, pages by position and by cursor, projection.
use serde_json::{Value, json};

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

on_both! {
    async fn filters_pages_and_order(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        for name in ["ada", "Bo", "cy", "dee", "eve"] {
            scim.user(name).await;
        }
        let page = scim.get("/Users?startIndex=2&count=2&sortBy=userName").await;
        assert_eq!((names(&page.body), page.body["totalResults"].as_i64()), (vec!["Bo", "cy"], Some(5)));
        assert_eq!((page.body["startIndex"].as_i64(), page.body["itemsPerPage"].as_i64()), (Some(2), Some(2)));
        let ids = |body: &Value| body["Resources"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect::<Vec<_>>();
        let whole = ids(&scim.get("/Users").await.body);
        for start in 1..=6 {
            for count in 1..=3 {
                let page = scim.get(&format!("/Users?startIndex={start}&count={count}")).await;
                let held = &whole[(start - 1).min(5)..(start - 1 + count).min(5)];
                assert_eq!((ids(&page.body).as_slice(), page.body["totalResults"].as_i64()), (held, Some(5)), "{start} {count}");
            }
        }
        let down = scim.get("/Users?sortBy=userName&sortOrder=descending").await;
        assert_eq!(names(&down.body), ["eve", "dee", "cy", "Bo", "ada"]);
        let none = scim.get("/Users?filter=userName%20eq%20%227c1e6a3e-0d0b\"&").await;
        assert_eq!((none.status, none.body["totalResults"].as_i64()), (200, Some(0)), "{none:?}");
        let plus = scim.get("/Users?filter=userName+eq+%22BO%22&unknown=1").await;
        assert_eq!(names(&plus.body), ["Bo"]);
        assert_eq!(scim.get("/Users?count=0").await.body["totalResults"], 5);
        assert_eq!(scim.get("/Users?startIndex=9").await.body["totalResults"], 5);
        let only = scim.get("/Users?attributes=userName").await;
        let one = only.body["Resources"][0].as_object().unwrap();
        assert!(one.contains_key("id") && one.contains_key("userName") && !one.contains_key("meta"), "{one:?}");
        for (query, keyword) in [
            ("filter=foo%20eq%20%22x%22", "invalidFilter"),
            ("filter=userName%20regex%20%22x%22", "invalidFilter"),
            ("filter=active%20gt%20true", "invalidFilter"),
            ("filter=(((", "invalidFilter"),
            ("count=many", "invalidValue"),
            ("sortBy=name", "invalidValue"),
            ("attributes=a&excludedAttributes=b", "invalidValue"),
        ] {
            scim.get(&format!("/Users?{query}")).await.refused(400, keyword);
        }
        let bomb = "(".repeat(3_000);
        scim.get(&format!("/Users?filter={bomb}")).await.refused(400, "invalidFilter");
        app.stop().await;
    }
}

on_both! {
    async fn a_cursor_walk_sees_everyone_once_and_cannot_be_bent(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let other = app.scim(db, &world, world.connections[1]).await;
        let mut all = Vec::new();
        for number in 0..25 {
            all.push(scim.user(&format!("user{number:02}")).await.id());
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = scim.get(&format!("/Users?cursor={cursor}&count=10")).await;
            assert_eq!(page.status, 200, "{page:?}");
            seen.extend(page.body["Resources"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
            if seen.len() == 10 {
                // Others come and go meanwhile: nobody who stays is missed or seen twice.
                scim.delete(&format!("/Users/{}", seen[0])).await;
                scim.user("late").await;
            }
            match page.body["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        seen.sort_unstable();
        let before = seen.len();
        seen.dedup();
        assert_eq!(before, seen.len());
        assert!(all.iter().all(|id| seen.contains(id)));

        let first = scim.get("/Users?cursor=&count=10").await;
        let next = first.body["nextCursor"].as_str().unwrap();
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        scim.get(&format!("/Users?cursor={next}&count=11")).await.refused(400, "invalidCount");
        scim.get(&format!("/Groups?cursor={next}&count=10")).await.refused(400, "invalidCursor");
        scim.get(&format!("/Users?cursor={next}&count=10&filter=active+eq+true")).await.refused(400, "invalidCursor");
        other.get(&format!("/Users?cursor={next}&count=10")).await.refused(400, "invalidCursor");
        let forged = format!("{}A", &next[..next.len() - 1]);
        scim.get(&format!("/Users?cursor={}&count=10", if forged == next { "x" } else { &forged })).await.refused(400, "invalidCursor");
        scim.get("/Users?cursor=&count=100000").await.refused(400, "invalidCount");
        app.stop().await;
    }
}

on_both! {
    async fn search_by_post_finds_what_get_finds(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let ida = scim.user("ida").await;
        scim.user("bo").await;
        scim.group("Operators", &[&ida.id()]).await;
        let urn = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
        let body = json!({"schemas": [urn], "filter": "userName eq \"IDA\"", "attributes": ["userName"]});
        let posted = scim.post("/Users/.search", body).await;
        let got = scim.get("/Users?filter=userName%20eq%20%22IDA%22&attributes=userName").await;
        assert_eq!((posted.status, posted.body), (200, got.body));
        let groups = scim.post("/Groups/.search", json!({"schemas": [urn], "count": 1})).await;
        assert_eq!(groups.body["Resources"][0]["displayName"], "Operators");
        let whole = scim.get("").await;
        assert_eq!(whole.body["totalResults"], 3, "{whole:?}");
        let second = scim.post("/.search", json!({"schemas": [urn], "startIndex": 3, "count": 5})).await;
        assert_eq!(second.body["Resources"][0]["displayName"], "Operators");
        let typed = scim.get("?filter=meta.resourceType%20eq%20%22Group%22").await;
        assert_eq!(typed.body["totalResults"], 1, "{typed:?}");
        scim.post("/Users/.search", json!({})).await.refused(400, "invalidSyntax");
        app.stop().await;
    }
}

on_both! {
    async fn discovery_is_read_only_and_unfiltered(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let config = scim.get("/ServiceProviderConfig?startIndex=2").await;
        assert_eq!(config.body["bulk"]["maxOperations"], 1_000);
        assert_eq!(config.body["pagination"]["cursor"], true);
        assert!(scim.get("/Schemas?count=1").await.body["totalResults"].as_u64().unwrap() > 2);
        let user = scim.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await;
        assert_eq!(user.body["name"], "User");
        assert_eq!(scim.get("/ResourceTypes/Group").await.body["endpoint"], "/Groups");
        scim.get("/ResourceTypes/Nothing").await.refused(404, "");
        scim.get("/Schemas?filter=id%20pr").await.refused(403, "");
        scim.post("/Schemas", json!({})).await.refused(405, "");
        let me = scim.get("/Me").await;
        me.refused(501, "");
        app.stop().await;
    }
}

on_both! {
    async fn a_user_is_found_by_each_address_it_has_now(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = |name: &str, emails: Value| json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "emails": emails});
        let work = json!({"value": "Ida@Example.com", "type": "work"});
        let home = json!({"value": "ida.berg@example.net", "type": "home"});
        let ida = scim.post("/Users", user("ida@example.com", json!([work, home]))).await.id();
        let long = format!("{}@example.org", "x".repeat(1_012));
        let jo = scim.post("/Users", user("jo", json!([{"value": long}, {"value": "jo@example.org"}]))).await.id();
        scim.post("/Users", user("kim@example.com", json!([]))).await;
        let found = async |filter: &str| {
            let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            let page = scim.get(&format!("/Users?sortBy=userName&filter={query}")).await;
            assert_eq!(page.status, 200, "{filter}: {page:?}");
            names(&page.body).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("emails.value eq \"ida@EXAMPLE.com\"").await, ["ida@example.com"], "the name's own address");
        assert_eq!(found("emails eq \"Ida.Berg@example.net\"").await, ["ida@example.com"]);
        assert_eq!(found("emails[type eq \"home\" and value eq \"ida.berg@example.net\"]").await, ["ida@example.com"]);
        assert!(found("emails[type eq \"work\" and value eq \"ida.berg@example.net\"]").await.is_empty());
        assert!(found("emails.value eq \"kim@example.com\"").await.is_empty(), "a name is not an address");
        assert_eq!(found(&format!("emails.value eq \"{long}\"")).await, ["jo"], "as long as may be");
        assert_eq!(found("not (emails.value eq \"jo@example.org\")").await, ["ida@example.com", "kim@example.com"]);

        let change = json!([{"op": "replace", "path": "emails", "value": [{"value": "jo.new@example.org"}]}]);
        assert_eq!(scim.patch(&format!("/Users/{jo}"), change).await.status, 200);
        assert!(found("emails.value eq \"jo@example.org\"").await.is_empty());
        assert_eq!(found("emails.value eq \"jo.new@example.org\"").await, ["jo"]);
        let renamed = user("ida.berg@example.net", json!([work, home]));
        scim.put(&format!("/Users/{ida}"), renamed).await;
        assert_eq!(found("emails.value eq \"ida.berg@example.net\"").await, ["ida.berg@example.net"]);
        assert_eq!(found("emails.value eq \"ida@example.com\"").await, ["ida.berg@example.net"], "now only an address");
        scim.delete(&format!("/Users/{ida}")).await;
        assert!(found("emails.value eq \"ida@example.com\"").await.is_empty());
        app.stop().await;
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap()).collect()
}
