//! Somebody who is to leave at a moment: until then nothing changes, from then on they are off everywhere; who is stopped with
//! a partner is shown before; and those who are off are told what was written for them.
use rolecall::access::decide::Question;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::grant::Resource;
use rolecall::domain::id::{SessionId, UserId};
use rolecall::domain::time::Timestamp;
use rolecall::store::{effective, sessions};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::browser::Browser;
use crate::support::console::Console;
use crate::support::database::{Database, on_both};
use crate::support::house::{House, ctx};
use crate::support::provider::{HostileProvider, SUBJECT};

statements! {
    SESSION = "INSERT INTO sessions (id, hash, user_id, user_version, created_at, last_seen_at, expires_at, partner_id) \
        SELECT $1, $2, p.id, p.version, $4, $4, $5, p.partner_id FROM users p WHERE p.id = $3";
}

fn moment(at: Timestamp) -> Value {
    json!(at.to_string())
}

async fn may(house: &House, principal: UserId, now: Timestamp) -> bool {
    let resource = Resource { partner: house.reseller, group: None, owner: None };
    let question = Question { principal, capability: CoreCapability::PartnerView.id(), resource, now };
    let mut reader = house.store.reader().await.unwrap();
    let decision = effective::decide(&mut reader, &question).await.unwrap();
    let whole = effective::explain(&mut reader, &question).await.unwrap().decision;
    assert_eq!(decision.allowed, whole.allowed);
    if !whole.allowed {
        let rolecall::access::explain::DecisionReason::Denied { denials } = &whole.reason else { panic!("{whole:?}") };
        assert_eq!(denials[0].word(), "user_suspended");
        assert!(denials[0].to_string().contains("were to leave"), "{}", denials[0]);
    }
    decision.allowed
}

async fn session(db: &Database, user: UserId) -> [u8; 32] {
    let (id, hash, now): (SessionId, [u8; 32], _) = (ctx().id(), ctx().random(), ctx().now());
    db.execute(&SESSION, binds![id, hash, user, now, now.plus_seconds(10 * 86_400)]).await;
    hash
}

async fn lives(db: &Database, hash: [u8; 32], now: Timestamp) -> bool {
    let mut reader = db.store.reader().await.unwrap();
    sessions::authenticate(&mut reader, hash, now, now.plus_seconds(-20 * 86_400)).await.unwrap().is_some()
}

on_both! {
    async fn somebody_is_off_from_their_last_moment_on(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let ida = house.user("Ida").await;
        house.grant(ida, &[CoreCapability::PartnerView, CoreCapability::UserView], "partner", house.reseller).await;
        let own = Api::of(&app, &house, ida, house.reseller).await;
        let hash = session(db, ida).await;
        let now = ctx().now();
        let end = now.plus_seconds(86_400);
        let path = format!("/users/{ida}/suspend");
        let body = |at: Timestamp| json!({"kind": "end", "reason": "contract ends", "effective_at": moment(at)});
        assert_eq!(owner.post(&path, body(end)).await.body, json!({"changed": true}));
        assert_eq!(owner.post(&path, body(end)).await.body, json!({"changed": false}), "the same day again");
        // Before and after, to the microsecond, in every way to be let in.
        let before = Timestamp::from_micros(end.micros() - 1);
        assert!(may(&house, ida, now).await && may(&house, ida, before).await && !may(&house, ida, end).await);
        assert!(lives(db, hash, before).await && !lives(db, hash, end).await);
        assert_eq!(own.get(&format!("/partners/{}", house.reseller)).await.status, 200);
        let shown = owner.get(&format!("/users/{ida}")).await.body["suspensions"].clone();
        assert_eq!((&shown[0]["kind"], &shown[0]["effective_at"], &shown[0]["reason"]), (&json!("end"), &moment(end), &json!("contract ends")));
        assert_eq!(shown.as_array().unwrap().len(), 1);
        // Moved into the past, it holds at once: token, session and decision.
        assert_eq!(owner.post(&path, body(now.plus_seconds(-5))).await.body, json!({"changed": true}));
        assert_eq!(own.get(&format!("/partners/{}", house.reseller)).await.status, 401);
        assert!(!may(&house, ida, ctx().now()).await && !lives(db, hash, ctx().now()).await);
        // Lifted, sessions of before do not come back.
        let reactivate = format!("/users/{ida}/reactivate");
        assert_eq!(owner.post(&reactivate, json!({"kind": "end"})).await.body, json!({"changed": true, "remaining": 0}));
        assert!(may(&house, ida, end).await && !lives(db, hash, ctx().now()).await);
        // Lifted before its day it ends nothing.
        let hash = session(db, ida).await;
        assert_eq!(owner.post(&path, body(end)).await.body, json!({"changed": true}));
        assert_eq!(owner.post(&reactivate, json!({})).await.body, json!({"changed": true, "remaining": 0}));
        assert!(lives(db, hash, end).await);
        assert_eq!((house.events("user.suspended").await, house.events("user.reactivated").await), (3, 2));
        app.stop().await;
    }

    async fn whoever_could_set_an_end_may_move_and_lift_it_and_nobody_else(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let ida = house.user("Ida").await;
        house.grant(ida, &[CoreCapability::PartnerView, CoreCapability::RoleView], "partner", house.reseller).await;
        let able = house.user("Able").await;
        house.grant(able, &[CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::UserWrite, CoreCapability::RoleView], "partner", house.reseller).await;
        let weak = house.user("Weak").await;
        house.grant(weak, &[CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::UserWrite], "partner", house.reseller).await;
        let able = Api::of(&app, &house, able, house.reseller).await;
        let weak = Api::of(&app, &house, weak, house.reseller).await;
        let (path, reactivate) = (format!("/users/{ida}/suspend"), format!("/users/{ida}/reactivate"));
        let end = |days: i64| json!({"kind": "end", "reason": "leaves", "effective_at": moment(ctx().now().plus_seconds(days * 86_400))});
        problem(&weak.post(&path, end(3)).await, 403, "do not hold yourself");
        assert_eq!(owner.post(&path, end(3)).await.body["changed"], true);
        problem(&weak.post(&path, end(4)).await, 403, "do not hold yourself");
        problem(&weak.post(&reactivate, json!({})).await, 403, "");
        assert_eq!(able.post(&path, end(5)).await.body["changed"], true, "moved by who could have set it");
        assert_eq!(able.post(&reactivate, json!({"kind": "end"})).await.body, json!({"changed": true, "remaining": 0}));
        // A suspension of another kind beside it is lifted by its own law.
        assert_eq!(owner.post(&path, end(3)).await.body["changed"], true);
        assert_eq!(owner.post(&path, json!({"reason": "now"})).await.body["changed"], true);
        assert_eq!(able.post(&reactivate, json!({})).await.body, json!({"changed": true, "remaining": 1}));
        for (body, part) in [
            (json!({"kind": "end", "reason": "x"}), "`effective_at`"),
            (json!({"reason": "x", "effective_at": "2027-01-01T00:00:00Z"}), "leave `effective_at` out"),
            (json!({"kind": "billing", "reason": "x", "effective_at": "2027-01-01T00:00:00Z"}), "leave `effective_at` out"),
            (json!({"kind": "end", "reason": "x", "effective_at": "2027-01-01T00:00:00Z", "standing": house.top}), "leave `standing` out"),
            (json!({"kind": "end", "reason": "x", "effective_at": "tomorrow"}), "moment"),
        ] {
            problem(&owner.post(&path, body.clone()).await, 400, part);
        }
        let whole = format!("/partners/{}/suspend", house.reseller);
        problem(&owner.post(&whole, json!({"kind": "end", "reason": "x", "effective_at": "2027-01-01T00:00:00Z"})).await, 400, "Only users");
        app.stop().await;
    }

    async fn who_is_stopped_is_shown_before(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let body = json!({"parent": house.reseller, "name": "Dock", "level": "reseller", "kind": "department"});
        let dock = owner.post("/partners", body).await.id();
        let (ida, ole) = (house.user("Ida").await, house.user("Ole").await);
        house.grant(ida, &[CoreCapability::PartnerView, CoreCapability::PartnerSuspend], "partner", house.reseller).await;
        session(db, ida).await;
        session(db, ida).await;
        house.api_token(ole, house.reseller).await;
        house.push("ada@harbor.example", "k-ada").await;
        let path = format!("/partners/{}/suspend", house.reseller);
        let told = owner.get(&path).await;
        assert_eq!(told.status, 200, "{told:?}");
        let numbers = |told: &Value| ["partners", "users", "signed_in", "tokens"].map(|name| told[name].as_i64().unwrap());
        assert_eq!(numbers(&told.body), [2, 3, 1, 1]);
        let of = |name: &str| told.body["by_partner"].as_array().unwrap().iter().find(|one| one["partner"]["name"] == name).cloned();
        let harbor = of("Harbor").unwrap();
        assert_eq!((&harbor["users"], &harbor["signed_in"]), (&json!(3), &json!(1)));
        assert_eq!(of("Dock").unwrap()["partner"]["id"], json!(dock));
        assert_eq!(owner.get(&format!("/partners/{dock}/suspend")).await.body["users"], 0);
        // Whoever may suspend this partner alone is told of no other by name; all are counted.
        let near = Api::of(&app, &house, ida, house.reseller).await;
        let theirs = near.get(&path).await;
        assert_eq!(numbers(&theirs.body), [2, 3, 1, 2], "{theirs:?}");
        assert_eq!(theirs.body["by_partner"].as_array().unwrap().len(), 1, "{theirs:?}");
        // Whoever may only look is not told.
        let looks = house.user("Lou").await;
        house.grant(looks, &[CoreCapability::PartnerView, CoreCapability::UserView], "subtree", house.reseller).await;
        let looks = Api::of(&app, &house, looks, house.reseller).await;
        problem(&looks.get(&path).await, 403, "core.partner.suspend");
        app.stop().await;
    }

    async fn the_pages_say_what_stops_and_when(db: &Database) {
        let console = Console::open(db).await;
        let ada = console.push("ada@harbor.example", "Backup Operators").await;
        let mut olga = console.sign_in("meridian", "olga@meridian.example").await;
        let harbor = console.partner("harbor").await.partner();
        let page = olga.get(&format!("/partners/{harbor}")).await.text;
        assert!(page.contains("Stops 3 users in ") && page.contains("Lighthouse"), "{page}");
        let path = format!("/partners/{harbor}");
        let sent = olga.submit(&path, &format!("{path}/suspend"), &[("reason", "unpaid since May"), ("notice", "Ask your landlord")]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        let page = olga.get(&path).await.text;
        assert!(page.contains("unpaid since May") && page.contains("Switch on again") && !page.contains("Stops "), "{page}");
        let sent = olga.submit(&path, &format!("{path}/reactivate"), &[]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        assert!(!olga.get(&path).await.text.contains("unpaid since May"));

        let path = format!("/users/{ada}");
        let sent = olga.submit(&path, &format!("{path}/suspend"), &[("reason", "moves on"), ("day", "2999-03-01")]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        let page = olga.get(&path).await.text;
        assert!(page.contains("Will be switched off") && page.contains("1 Mar 2999") && page.contains(">active<"), "{page}");
        let list = olga.get(&format!("/partners/{harbor}/users?q=ada")).await.text;
        assert!(!list.contains(">suspended<"), "{list}");
        assert_eq!(olga.submit(&path, &format!("{path}/suspend"), &[("reason", "x"), ("day", "soon")]).await.status, 422);
        assert_eq!(olga.submit(&path, &format!("{path}/reactivate"), &[]).await.status, 303);
        let sent = olga.submit(&path, &format!("{path}/suspend"), &[("reason", "moved on"), ("day", "2020-03-01")]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        let page = olga.get(&path).await.text;
        assert!(page.contains("Switched off by") && page.contains("1 Mar 2020") && page.contains(">suspended<"), "{page}");
        assert!(olga.get(&format!("/partners/{harbor}/users?q=ada")).await.text.contains(">suspended<"));
        console.app.stop().await;
    }

    async fn who_is_off_is_told_what_was_written_for_them(db: &Database) {
        let provider = HostileProvider::start().await;
        let house = House::build(&db.store, &provider.issuer("ok_public")).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        let owner = Api::owner(&app, &house).await;
        let (_, ada) = house.push("ada", SUBJECT).await;
        let enter = async || {
            let mut browser = Browser::new();
            let there = browser.get(format!("{}/login/acme-sso", app.base)).await.location.unwrap();
            let back = browser.get(there).await.location.unwrap();
            browser.get(back).await
        };
        assert_eq!(enter().await.status, 303);
        let partner = format!("/partners/{}", house.reseller);
        let of_partner = json!({"reason": "unpaid since May", "notice": "Ask the landlord & friends"});
        assert_eq!(owner.post(&format!("{partner}/suspend"), of_partner).await.status, 200);
        let page = enter().await;
        assert_eq!(page.status, 403);
        for (part, there) in [("suspended", true), ("Ask the landlord", true), ("unpaid since May", false), ("<& friends", false)] {
            assert_eq!(page.text.contains(part), there, "{part}: {}", page.text);
        }
        assert_eq!(owner.post(&format!("{partner}/reactivate"), json!({})).await.status, 200);
        let path = format!("/users/{ada}/suspend");
        let later = moment(ctx().now().plus_seconds(86_400));
        let of_user = json!({"kind": "end", "reason": "contract", "notice": "Thank you for everything", "effective_at": later});
        assert_eq!(owner.post(&path, of_user).await.status, 200);
        assert_eq!(enter().await.status, 303, "not yet");
        let of_user = json!({"kind": "end", "reason": "contract", "notice": "Thank you for everything", "effective_at": moment(ctx().now())});
        assert_eq!(owner.post(&path, of_user).await.status, 200);
        let page = enter().await;
        assert!(page.text.contains("Thank you for everything") && !page.text.contains("contract"), "{}", page.text);
        app.stop().await;
        provider.stop().await;
    }
}
