//! Partners, users, groups, roles and the event feed over the API.
use rolecall::domain::capability::CoreCapability;
use rolecall::provision::events;
use serde_json::{Value, json};

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::database::on_both;
use crate::support::house::House;

on_both! {
    async fn partners_are_made_seen_and_switched_off(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let new = json!({"parent": house.reseller, "name": " Dock ", "level": "reseller", "kind": "department",
            "external_id": "dock-1"});
        let made = owner.post("/partners", new.clone()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let dock = made.id();
        assert_eq!(made.header("location"), format!("/api/v1/partners/{dock}"));
        assert_eq!(owner.get(&format!("/partners/{dock}")).await.body, made.body);
        assert_eq!(made.body["name"], "Dock");
        assert_eq!(house.events("partner.created").await, 1);
        problem(&owner.post("/partners", new).await, 409, "external id");
        let company = json!({"parent": house.reseller, "name": "Pier", "level": "reseller"});
        problem(&owner.post("/partners", company).await, 400, "`level`");
        let unknown = json!({"parent": house.reseller, "name": "Pier", "level": "galaxy"});
        problem(&owner.post("/partners", unknown).await, 400, "must be one of reseller");

        let all = owner.all("/partners", 2).await;
        let counts = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["directory_count"].as_u64().unwrap());
        let mut counted: Vec<_> = all.iter().map(counts).collect();
        counted.sort();
        assert_eq!(counted, [("Dock".to_owned(), 0), ("Harbor".to_owned(), 1), ("Meridian".to_owned(), 0)]);

        let path = format!("/partners/{dock}");
        let helper = house.user("Hedda Helper").await;
        house.grant(helper, CoreCapability::ALL, "subtree", house.reseller).await;
        let inside = Api::of(&app, &house, helper, house.reseller).await;
        problem(&inside.post(&format!("/partners/{}/suspend", house.reseller), json!({"reason": "oops"})).await, 403, "lock yourself out");
        let off = owner.post(&format!("{path}/suspend"), json!({"reason": "unpaid"})).await;
        assert_eq!((off.status, &off.body["changed"]), (200, &json!(true)), "{off:?}");
        assert_eq!(owner.post(&format!("{path}/suspend"), json!({"reason": "unpaid"})).await.body["changed"], false);
        assert_eq!(owner.get(&path).await.body["suspended"], true);
        assert_eq!(owner.post(&format!("{path}/reactivate"), json!({})).await.body["changed"], true);
        assert_eq!(owner.get(&path).await.body["suspended"], false);
        assert_eq!((house.events("partner.suspended").await, house.events("partner.reactivated").await), (1, 1));
        app.stop().await;
    }

    async fn users_are_found_explained_and_switched_off(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let mut ids = Vec::new();
        for name in ["cleo", "ada", "bea", "ada"] {
            ids.push(house.user(name).await);
        }
        let path = format!("/partners/{}/users", house.reseller);
        let listed = owner.all(&path, 1).await;
        let mut names: Vec<_> = listed.iter().map(|one| one["display_name"].as_str().unwrap().to_lowercase()).collect();
        assert_eq!(names.len(), 4);
        names.sort();
        assert_eq!(names, ["ada", "ada", "bea", "cleo"]);
        let found = owner.get(&format!("{path}?q=BE")).await;
        assert_eq!(found.body["items"][0]["display_name"], "bea", "{found:?}");
        assert_eq!(owner.get(&format!("/partners/{}/users", house.top)).await.body["items"].as_array().unwrap().len(), 1, "not those below");

        let cleo = format!("/users/{}", ids[0]);
        house.grant(ids[0], &[CoreCapability::UserView], "partner", house.reseller).await;
        let access = owner.get(&format!("{cleo}/access")).await;
        let grant = &access.body["items"][0];
        assert_eq!((&grant["ceiling_effect"], &grant["inactive_reason"], &grant["scope"]["kind"]), (&json!("none"), &Value::Null, &json!("partner")), "{access:?}");
        assert!(grant["summary"].as_str().unwrap().starts_with("The role "), "{access:?}");
        assert_eq!(grant["origin"]["kind"], "manual");

        let shown = owner.get(&cleo).await;
        assert_eq!(shown.body["groups"][0]["group"]["name"], "Everyone", "{shown:?}");
        let off = owner.post(&format!("{cleo}/suspend"), json!({"reason": "left"})).await;
        assert_eq!(off.body["changed"], true, "{off:?}");
        let suspended = owner.get(&cleo).await;
        assert_eq!(suspended.body["suspensions"][0]["reason"], "left", "{suspended:?}");
        assert_eq!(owner.post(&format!("{cleo}/reactivate"), json!({})).await.body["changed"], true);
        assert_eq!(owner.post(&format!("{cleo}/reactivate"), json!({})).await.body["changed"], false);
        assert_eq!((house.events("user.suspended").await, house.events("user.reactivated").await), (1, 1));
        app.stop().await;
    }

    async fn nobody_switches_off_who_holds_more(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let chief = house.user("Carla Chief").await;
        house.grant(chief, CoreCapability::ALL, "subtree", house.reseller).await;
        let clerk = house.user("Claus Clerk").await;
        house.grant(clerk, &[CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::UserWrite], "subtree", house.reseller).await;
        let clerks = Api::of(&app, &house, clerk, house.reseller).await;
        let cause = json!({"reason": "a coup"});
        problem(&clerks.post(&format!("/users/{chief}/suspend"), cause.clone()).await, 403, "do not hold yourself");
        problem(&clerks.post(&format!("/users/{clerk}/suspend"), cause.clone()).await, 400, "switches themselves off");
        let chiefs = Api::of(&app, &house, chief, house.reseller).await;
        assert_eq!(chiefs.post(&format!("/users/{clerk}/suspend"), cause).await.status, 200);
        problem(&clerks.get("/partners").await, 401, "");
        app.stop().await;
    }

    async fn groups_and_roles_of_a_partner_are_listed(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let groups = owner.get(&format!("/partners/{}/user-groups", house.reseller)).await;
        assert_eq!(groups.body["items"][0]["is_default"], true, "{groups:?}");
        let roles = owner.get(&format!("/partners/{}/roles", house.reseller)).await;
        let all = roles.body["items"][0]["capabilities"].as_array().unwrap().len();
        assert_eq!(all, CoreCapability::ALL.len(), "the owner's role can be used below: {roles:?}");
        assert_eq!(roles.body["items"][0]["partner"], house.top.to_string());
        app.stop().await;
    }

    async fn the_feed_tells_each_line_once_to_whom_it_concerns(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        for name in ["One", "Two", "Three"] {
            let body = json!({"parent": house.reseller, "name": name, "level": "reseller", "kind": "department"});
            assert_eq!(owner.post("/partners", body).await.status, 201);
        }
        let above = json!({"parent": house.top, "name": "Quay", "level": "reseller", "kind": "department"});
        assert_eq!(owner.post("/partners", above).await.status, 201);
        let helper = house.user("Hedda Helper").await;
        house.grant(helper, &[CoreCapability::AuditView], "subtree", house.reseller).await;
        let helpers = Api::of(&app, &house, helper, house.reseller).await;
        while events::seal(&db.store).await.unwrap_or(1) > 0 {}
        let walk = async |api: &Api<'_>| {
            let (mut seen, mut after) = (Vec::new(), 0);
            loop {
                let page = api.get(&format!("/events?after={after}&limit=2")).await;
                let items = page.body["items"].as_array().unwrap().clone();
                after = page.body["next"].as_i64().unwrap();
                if items.is_empty() {
                    return seen;
                }
                seen.extend(items);
            }
        };
        let all = walk(&owner).await;
        let created = all.iter().filter(|line| line["kind"] == "partner.created").count();
        assert_eq!(created, 4, "{all:?}");
        let numbers: Vec<_> = all.iter().map(|line| line["seq"].as_i64().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert_eq!(all[0]["actor"]["kind"], "user");
        let theirs = walk(&helpers).await;
        assert_eq!(theirs.iter().filter(|line| line["kind"] == "partner.created").count(), 3, "{theirs:?}");
        app.stop().await;
    }
}
