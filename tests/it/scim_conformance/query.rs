//! 1.I, 1.J, 1.K, 1.M, 1.N: lists, filters, order, projection, search.
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::escaped;
use super::{ENTERPRISE, GROUP, PATCH, Stand, USER, rows, strings};
use crate::app::{Answer, App};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Three users to ask about.
async fn three(at: &Stand) {
    at.make("ada", json!({"title": "Pilot", "externalId": "A1", "active": true, "emails": [
        {"value": "ada@work.example", "type": "work"}, {"value": "ada@home.example", "type": "home", "primary": true}]})).await;
    at.make(
        "Bo",
        json!({"title": "pilot boat", "active": false, "emails": [{"value": "bo@home.example", "type": "work"}]}),
    )
    .await;
    at.make("cy", json!({"externalId": "a1", "schemas": [USER, ENTERPRISE], ENTERPRISE: {"department": "Quay"}})).await;
}

/// How many resources a page holds.
fn rows_of(page: &Answer) -> usize {
    page.body["Resources"].as_array().map_or(0, Vec::len)
}

rows! {
    async fn i01_lists_say_how_many(at: &Stand) {
        three(at).await;
        let list = at.get("/Users?startIndex=2&count=1").await.body;
        assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
        assert_eq!((&list["totalResults"], &list["startIndex"], &list["itemsPerPage"]), (&json!(3), &json!(2), &json!(1)));
        assert_eq!(list["Resources"].as_array().unwrap().len(), 1);
    }

    async fn i02_nothing_found_is_200(at: &Stand) {
        let body = at.get(&format!("/Users?filter={}", escaped("userName eq \"7c1e6a3e-0d0b-4a55-9c0e-5d4a5f3b2a10\""))).await;
        assert_eq!((body.status, body.body["totalResults"].as_i64()), (200, Some(0)));
        assert_eq!(at.count("/Groups", "displayName eq \"7c1e6a3e\"").await, 0);
    }

    async fn i03_unknown_parameters_are_ignored(at: &Stand) {
        three(at).await;
        assert_eq!(at.get("/Users?foo=1&aadOptscim062020&foo=2").await.body["totalResults"], 3);
    }

    async fn i04_the_base_address_lists_every_type(at: &Stand) {
        three(at).await;
        at.group("Quay", &[]).await;
        assert_eq!(at.get("").await.body["totalResults"], 4);
        assert_eq!(at.count("", "meta.resourceType eq \"Group\"").await, 1);
        assert_eq!(at.count("", "userName pr").await, 3, "a group has no such value");
        assert_eq!(at.count("", "displayName eq \"quay\" or userName eq \"ada\"").await, 2);
        at.get(&format!("?filter={}", escaped("nothing pr"))).await.refused(400, "invalidFilter");

        // By cursor, one type after another.
        at.group("Mole", &[]).await;
        for count in [1, 2, 3, 5, 6] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = at.get(&format!("?cursor={cursor}&count={count}")).await;
                assert!(page.status == 200 && rows_of(&page) <= count, "{page:?}");
                seen.extend(strings(&page.body["Resources"], "id"));
                match page.body["nextCursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen, strings(&at.get("").await.body["Resources"], "id"), "{count} at a time");
            if !cursor.is_empty() {
                at.get(&format!("/Users?cursor={cursor}&count={count}")).await.refused(400, "invalidCursor");
                at.get(&format!("?cursor={cursor}&count=9")).await.refused(400, "invalidCount");
            }
        }
        assert_eq!(at.get("?cursor=&count=0").await.body["totalResults"], 5);
        let typed = at.get(&format!("?cursor=&filter={}", escaped("meta.resourceType eq \"Group\""))).await;
        assert_eq!((rows_of(&typed), typed.body.get("nextCursor")), (2, None));
    }

    async fn i05_more_than_can_be_counted_is_too_many(at: &Stand) {
        let user = |number: usize| json!({"method": "POST", "path": "/Users", "bulkId": number.to_string(),
            "data": {"schemas": [USER], "userName": format!("user{number}"), "emails": [{"value": "x@harbor.example"}]}});
        let all: Vec<Value> = (0..200).map(user).collect();
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": all});
        assert_eq!(at.post("/Bulk", bulk).await.status, 200);
        // Every user fits, and is asked for a hundred things before that is known.
        let slow: String = (0..100).map(|number| format!("emails[value co \"none{number}\"] or ")).collect();
        let search = |more: Value| {
            let mut body = json!({"schemas": [SEARCH], "filter": format!("{slow}emails[value co \"harbor\"]"), "count": 1, "attributes": ["id"]});
            body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            body
        };
        let (position, cursor) = (search(json!({})), search(json!({"cursor": ""})));
        assert_eq!(at.get("/Users?count=0").await.body["totalResults"], 200);

        for none_at_all in [false, true] {
            let app = App::start_with(&at.ground.db, |config| config.scim.count_timeout_ms = u64::from(!none_at_all)).await;
            let there = app.scim(&at.ground.db, &at.world, at.world.connections[0]).await;
            there.post("/Users/.search", position.clone()).await.refused(400, "tooMany");
            there.post("/.search", position.clone()).await.refused(400, "tooMany");
            let page = there.post("/Users/.search", cursor.clone()).await;
            assert_eq!((page.status, page.body.get("totalResults"), rows_of(&page)), (200, None, 1), "{page:?}");
            assert!(page.body["nextCursor"].is_string());
            // A page that holds everything needs no counting.
            assert_eq!(there.get("/Users?filter=userName+eq+%22user7%22").await.body["totalResults"], 1);
            app.stop().await;
        }
        // A page that cannot be found in time is refused whichever way it is asked for; a lookup by name is not.
        let app = App::start_with(&at.ground.db, |config| config.scim.search_timeout_ms = 1).await;
        let there = app.scim(&at.ground.db, &at.world, at.world.connections[0]).await;
        for paging in [json!({"count": 200}), json!({"count": 200, "cursor": ""})] {
            there.post("/Users/.search", search(paging)).await.refused(400, "tooMany");
        }
        assert_eq!(there.get("/Users?filter=userName+eq+%22user7%22").await.body["totalResults"], 1);
        app.stop().await;
    }

    async fn i06_nobody_is_404(at: &Stand) {
        for path in ["/Users/01890a5d-ac96-774b-bcce-b302099a8057", "/Users/x", "/Groups/01890a5d-ac96-774b-bcce-b302099a8057"] {
            at.get(path).await.refused(404, "");
        }
    }

    async fn j01_every_operator(at: &Stand) {
        three(at).await;
        for (filter, found) in [
            ("userName eq \"BO\"", vec!["Bo"]), ("userName ne \"bo\"", vec!["ada", "cy"]), ("title co \"ILO\"", vec!["ada", "Bo"]),
            ("title sw \"pilot b\"", vec!["Bo"]), ("title ew \"boat\"", vec!["Bo"]), ("title pr", vec!["ada", "Bo"]),
            ("userName gt \"bo\"", vec!["cy"]), ("userName ge \"bo\"", vec!["Bo", "cy"]), ("userName lt \"bo\"", vec!["ada"]),
            ("userName le \"BO\"", vec!["ada", "Bo"]), ("active eq false", vec!["Bo"]), ("active ne false", vec!["ada", "cy"]),
            ("externalId eq \"A1\"", vec!["ada"]), ("externalId sw \"a\"", vec!["cy"]), ("externalId ge \"A\"", vec!["ada", "cy"]),
            ("USERNAME Eq \"bo\"", vec!["Bo"]), ("title PR", vec!["ada", "Bo"]),
            ("meta.created gt \"2020-01-01T00:00:00Z\"", vec!["ada", "Bo", "cy"]), ("meta.created lt \"2020-01-01T00:00:00Z\"", vec![]),
            ("meta.resourceType eq \"User\"", vec!["ada", "Bo", "cy"]),
        ] {
            assert_eq!(at.find(filter).await, found, "{filter}");
        }
    }

    async fn j02_words_between_filters(at: &Stand) {
        three(at).await;
        for (filter, found) in [
            ("title pr and active eq true", vec!["ada"]), ("userName eq \"cy\" or userName eq \"bo\"", vec!["Bo", "cy"]),
            ("not (title pr)", vec!["cy"]), ("userName eq \"cy\" or title pr and active eq false", vec!["Bo", "cy"]),
            ("(userName eq \"cy\" or title pr) and active eq true", vec!["ada", "cy"]),
            ("not (userName eq \"ada\" or userName eq \"bo\") AND active eq true", vec!["cy"]),
            ("not (userName eq \"ada\") and title pr", vec!["Bo"]),
        ] {
            assert_eq!(at.find(filter).await, found, "{filter}");
        }
    }

    async fn j03_a_value_path_asks_one_element(at: &Stand) {
        three(at).await;
        assert_eq!(at.find("emails[type eq \"work\" and value co \"@home\"]").await, ["Bo"]);
        assert_eq!(at.find("emails.type eq \"work\" and emails.value co \"@home\"").await, ["ada", "Bo"]);
        assert_eq!(at.find("emails[not (type eq \"work\") and (value sw \"ada\" or value sw \"x\")]").await, ["ada"]);
        assert_eq!(at.find("emails[primary eq true]").await, ["ada"]);
    }

    async fn j04_any_of_many_values(at: &Stand) {
        three(at).await;
        assert_eq!(at.find("emails eq \"ADA@home.example\"").await, ["ada"]);
        assert_eq!(at.find("emails.value ew \"home.example\"").await, ["ada", "Bo"]);
        assert_eq!(at.find("emails co \"work\"").await, ["ada"]);
    }

    async fn j05_operators_fit_their_types(at: &Stand) {
        for filter in ["active gt true", "active co true", "userName regex \"a\"", "active eq \"perhaps\"", "meta.created gt 5",
            "meta.created co \"2026\"", "x509Certificates.value lt \"AQ==\"", "meta.created eq \"yesterday\""] {
            at.no_filter(filter).await;
        }
    }

    async fn j06_malformed_filters_are_refused(at: &Stand) {
        for filter in ["name eq \"x\"", "userName", "userName eq", "eq \"x\"", "(userName pr", "userName pr)", "userName eq \"x", "and",
            "userName pr and", "not userName pr", "emails[type eq \"work\"", "emails[]", "userName eq \"x\" userName pr", "name.x eq \"a\"",
            "userName eq 'x'", "userName eq \"\\x\"", "addresses eq \"x\"", "userName[value pr]", "a.b.c pr"] {
            at.no_filter(filter).await;
        }
        at.get("/Users?filter=%00").await.refused(400, "");
        assert_eq!(at.get("/Users?filter=").await.status, 200, "an empty parameter says nothing");
    }

    async fn j07_times_are_moments(at: &Stand) {
        let made = at.user("ida").await.body["meta"]["created"].as_str().unwrap().to_owned();
        assert_eq!(at.find(&format!("meta.created eq \"{made}\"")).await, ["ida"]);
        let later = format!("{}+02:00", made.trim_end_matches('Z'));
        assert_eq!(at.find(&format!("meta.created gt \"{later}\"")).await, ["ida"], "{later} is two hours earlier");
        assert_eq!(at.find(&format!("meta.created lt \"{}-02:00\"", made.trim_end_matches('Z'))).await, ["ida"]);
        assert_eq!(at.find("meta.lastModified gt \"2020-01-01T00:00:00.123456Z\"").await, ["ida"]);
    }

    async fn j08_everything_can_be_asked(at: &Stand) {
        three(at).await;
        let ada = at.get(&format!("/Users?filter={}", escaped("userName eq \"ada\""))).await.body["Resources"][0].clone();
        let id = ada["id"].as_str().unwrap();
        let group = at.group("Quay", &[id]).await;
        for filter in [format!("schemas eq \"{USER}\" and userName eq \"ada\""), format!("id eq \"{id}\""), "externalId eq \"A1\"".into(),
            format!("groups.value eq \"{}\"", group.id()), "groups[display eq \"quay\"]".to_owned(),
            format!("meta.version eq {} and userName eq \"ada\"", ada["meta"]["version"])] {
            assert_eq!(at.find(&filter).await, ["ada"], "{filter}");
        }
        assert_eq!(at.find(&format!("schemas eq \"{ENTERPRISE}\"")).await, ["cy"]);
        assert_eq!(at.find(&format!("{ENTERPRISE}:department eq \"quay\"")).await, ["cy"]);
        for filter in [format!("members[value eq \"{id}\"]"), format!("members.value eq \"{id}\""), "members pr".into(), "members[type eq \"User\"]".into()] {
            assert_eq!(at.count("/Groups", &filter).await, 1, "{filter}");
        }
        assert_eq!(at.count("/Groups", "members[type eq \"Group\"]").await, 0);
    }

    async fn j09_null_is_absence(at: &Stand) {
        three(at).await;
        assert_eq!(at.find("title eq null").await, ["cy"]);
        assert_eq!(at.find("title ne null").await, at.find("title pr").await);
        at.make("dee", json!({"title": null, "emails": []})).await;
        assert_eq!(at.find("title eq null").await, ["cy", "dee"]);
        assert_eq!(at.find("not (emails pr)").await, ["cy", "dee"]);
    }

    async fn j10_defaults_can_be_asked(at: &Stand) {
        at.user("ida").await;
        assert_eq!(at.find("active eq true").await, ["ida"]);
        assert_eq!(at.find("active pr and not (active eq false)").await, ["ida"]);
        assert!(at.find("active eq false or active ne true").await.is_empty());
    }

    async fn j11_unknown_attributes_are_refused(at: &Stand) {
        three(at).await;
        for filter in ["foo eq \"x\"", "emails[foo eq \"x\"]", "urn:nobody:User:x eq \"y\"", "members pr", "userName eq \"a\" or foo pr"] {
            at.no_filter(filter).await;
        }
    }

    async fn j12_filters_have_an_end(at: &Stand) {
        let search = async |filter: String| at.post("/Users/.search", json!({"schemas": [SEARCH], "filter": filter})).await;
        search(format!("{}userName pr{}", "(".repeat(10_000), ")".repeat(10_000))).await.refused(400, "invalidFilter");
        search(format!("{}userName pr{}", "not (".repeat(40), ")".repeat(40))).await.refused(400, "invalidFilter");
        search(vec!["id eq \"x\""; 2_000].join(" or ")).await.refused(400, "invalidFilter");
        search(format!("userName eq \"{}\"", "x".repeat(100_000))).await.refused(400, "invalidFilter");
        let wide = vec!["id eq \"x\""; 200].join(" or ");
        assert_eq!(search(wide).await.status, 200);
    }

    async fn j13_values_are_only_values(at: &Stand) {
        let names = ["a%b", "a_b", "a\\b", "a\"b", "a'b", "a;--", "a/*", "a\u{1F98A}", "axb"];
        for name in names {
            at.user(name).await;
        }
        for name in names {
            let quoted = Value::from(name).to_string();
            assert_eq!(at.find(&format!("userName eq {quoted}")).await, [name], "{name}");
            assert_eq!(at.find(&format!("userName sw {quoted}")).await, [name], "{name}");
            assert_eq!(at.find(&format!("userName co {quoted}")).await, [name], "{name}");
        }
        assert_eq!(at.find("userName eq \"a\\u0025b\"").await, ["a%b"]);
        assert_eq!(at.find("userName eq \"x\\\" or userName pr or userName eq \\\"\"").await.len(), 0);
        assert_eq!(at.get(&format!("/Users?filter={}", escaped("userName eq \"a\\u0000b\""))).await.body["totalResults"].as_i64().unwrap_or(0), 0);
    }

    async fn k01_order_of_lists(at: &Stand) {
        at.make("a", json!({"title": "2", "emails": [{"value": "z@x"}, {"value": "b@x", "primary": true}]})).await;
        at.make("b", json!({"title": "1", "emails": [{"value": "c@x"}, {"value": "a@x"}], "name": {"familyName": "Ek"}})).await;
        at.make("c", json!({"name": {"familyName": "Berg"}})).await;
        for (query, order) in [("sortBy=title", "bac"), ("sortBy=title&sortOrder=descending", "cab"), ("sortBy=emails", "abc"),
            ("sortBy=name.familyName", "cba"), ("sortBy=userName&sortOrder=descending", "cba"), ("sortBy=emails.value&sortOrder=DESCENDING", "cba")] {
            let list = at.get(&format!("/Users?{query}")).await.body;
            assert_eq!(strings(&list["Resources"], "userName").concat(), order, "{query}");
        }
        at.get("/Users?sortBy=title&sortOrder=sideways").await.refused(400, "invalidValue");
        at.get("/Users?sortBy=nothing").await.refused(400, "invalidValue");
    }

    async fn k02_order_has_no_case(at: &Stand) {
        for name in ["Zebra", "apfel", "Äpfel", "Birne"] {
            at.make(name, json!({"externalId": name})).await;
        }
        let by = async |name: &str| strings(&at.get(&format!("/Users?sortBy={name}")).await.body["Resources"], "userName");
        let names = by("userName").await;
        let place = |name: &str| names.iter().position(|one| one == name).unwrap();
        assert!(place("apfel") < place("Birne") && place("Birne") < place("Zebra"), "{names:?}");
        assert_eq!(&by("externalId").await[..2], ["Birne", "Zebra"], "case counts for externalId");
    }

    async fn k03_ties_are_broken_the_same_way(at: &Stand) {
        for number in 0..30 {
            at.make(&format!("u{number}"), json!({"title": "same"})).await;
        }
        let mut seen = Vec::new();
        for start in [1, 8, 15, 22, 29] {
            let page = at.get(&format!("/Users?sortBy=title&startIndex={start}&count=7")).await.body;
            seen.extend(strings(&page["Resources"], "id"));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 30);
    }

    async fn m01_projection_of_every_answer(at: &Stand) {
        let made = at.make("ida", json!({"title": "x"})).await;
        let path = format!("/Users/{}", made.id());
        let body = json!({"schemas": [USER], "userName": "ida", "title": "y"});
        let patch = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "z"}]});
        let search = at.post("/Users/.search", json!({"schemas": [SEARCH], "attributes": ["userName"]})).await;
        let listed = at.get("/Users?attributes=userName").await;
        let other = json!({"schemas": [USER], "userName": "bo", "title": "y"});
        let all = [at.get(&format!("{path}?attributes=userName")).await.body, at.put(&format!("{path}?attributes=userName"), body).await.body,
            at.send_body(Method::PATCH, &format!("{path}?attributes=userName"), patch).await.body,
            at.post("/Users?attributes=userName", other).await.body, search.body["Resources"][0].clone(), listed.body["Resources"][0].clone()];
        for shown in all {
            assert!(shown.get("userName").is_some() && shown.get("title").is_none() && shown.get("id").is_some(), "{shown}");
        }
        at.get("/Users?attributes=userName&excludedAttributes=title").await.refused(400, "invalidValue");
    }

    async fn m02_lists_of_names(at: &Stand) {
        let made = at.make("ida", json!({"schemas": [USER, ENTERPRISE], "name": {"givenName": "Ida", "familyName": "Berg"},
            ENTERPRISE: {"department": "Quay", "costCenter": "1"}})).await;
        let query = format!("?attributes=name.givenName,%20{ENTERPRISE}:department");
        let shown = at.get(&format!("/Users/{}{query}", made.id())).await.body;
        assert_eq!((&shown["name"], &shown[ENTERPRISE]), (&json!({"givenName": "Ida"}), &json!({"department": "Quay"})));
        let rest = at.get(&format!("/Users/{}?excludedAttributes=name.givenName,{ENTERPRISE}", made.id())).await.body;
        assert_eq!((&rest["name"], rest.get(ENTERPRISE)), (&json!({"familyName": "Berg"}), None));
    }

    async fn m03_what_is_always_shown_cannot_be_left_out(at: &Stand) {
        let made = at.user("ida").await;
        let shown = at.get(&format!("/Users/{}?excludedAttributes=id,userName,meta", made.id())).await.body;
        assert!(shown.get("id").is_some() && shown.get("userName").is_none() && shown.get("meta").is_none(), "{shown}");
    }

    async fn m04_members_left_out_are_not_there(at: &Stand) {
        let ids = at.users(&["a", "b"]).await;
        let group = at.group("g", &[&ids[0], &ids[1]]).await.id();
        for path in [format!("/Groups/{group}?excludedAttributes=members"), format!("/Groups/{group}?attributes=displayName")] {
            let shown = at.get(&path).await.body;
            assert!(shown.get("members").is_none() && shown["displayName"] == "g", "{shown}");
        }
        let list = at.get("/Groups?excludedAttributes=members").await.body;
        assert!(list["Resources"][0].get("members").is_none());
        let search = at.post("/Groups/.search", json!({"schemas": [SEARCH], "excludedAttributes": ["members"]})).await.body;
        assert!(search["Resources"][0].get("members").is_none());
    }

    async fn n01_search_is_get(at: &Stand) {
        three(at).await;
        at.post("/Groups", json!({"schemas": [GROUP], "displayName": "g"})).await;
        for query in [vec![("filter", json!("title pr"))], vec![("sortBy", json!("userName")), ("sortOrder", json!("descending"))],
            vec![("startIndex", json!(2)), ("count", json!(1))], vec![("attributes", json!(["userName", "emails"]))],
            vec![("excludedAttributes", json!(["emails"])), ("filter", json!("active eq false"))], vec![("count", json!(0))]] {
            let mut body = json!({"schemas": [SEARCH]});
            let mut address = String::new();
            for (name, value) in query {
                let text = match &value {
                    Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(","),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                address.push_str(&format!("{name}={}&", escaped(&text)));
                body[name] = value;
            }
            let posted = at.post("/Users/.search", body).await;
            assert_eq!((posted.status, posted.body), (200, at.get(&format!("/Users?{address}")).await.body), "{address}");
        }
        assert_eq!(at.post("/.search", json!({"schemas": [SEARCH]})).await.body["totalResults"], 4);
        assert_eq!(at.post("/Groups/.search", json!({"schemas": [SEARCH]})).await.body["totalResults"], 1);
        at.post("/Users/.search", json!({"schemas": [USER]})).await.refused(400, "invalidSyntax");
    }
}
