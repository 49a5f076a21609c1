//! What somebody may not see is counted and not named, whatever the connection; and what keeps something off is said.
use std::path::Path;

use reqwest::Method;
use rolecall::access::decide::Question;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::grant::Resource;
use rolecall::domain::id::{PartnerId, UserId};
use rolecall::provision::events;
use rolecall::store::{StoreError, effective};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

statements! {
    GRANTED_BY = "UPDATE grants SET granted_by = $2 WHERE user_id = $1";
}

async fn below(owner: &Api<'_>, parent: PartnerId, name: &str) -> PartnerId {
    let body = json!({"parent": parent, "name": name, "level": "reseller", "kind": "department"});
    owner.post("/partners", body).await.id().parse().unwrap()
}

async fn ask(app: &App, token: &str, subject: UserId, action: &str, partner: PartnerId) -> Json {
    let body = json!({
        "subject": {"type": "user", "id": subject}, "action": {"name": action},
        "resource": {"type": "partner", "id": partner},
    });
    let request = app.request(Method::POST, "/access/v1/evaluation").bearer_auth(token).json(&body);
    request.send().await.unwrap().json().await.unwrap()
}

/// The answer without the moment it was given.
fn timeless(mut answer: Json) -> Json {
    let context = answer["context"].as_object_mut().unwrap();
    context.remove("at");
    context.remove("revision");
    answer
}

on_both! {
    async fn access_of_a_colleague_counts_what_is_out_of_sight(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let quay = below(&owner, house.top, "Quay").await;
        let viewer = house.user("Viola Viewer").await;
        let few = [CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::RoleView];
        house.grant(viewer, &few, "partner", house.reseller).await;
        let viewers = Api::of(&app, &house, viewer, house.reseller).await;
        let ida = house.user("Ida").await;
        house.grant(ida, &[CoreCapability::UserView], "partner", house.reseller).await;
        db.execute(&GRANTED_BY, binds![ida, house.owner]).await;
        let path = format!("/users/{ida}/access");
        let near = viewers.get(&path).await;
        assert_eq!((near.body["items"].as_array().unwrap().len(), &near.body["hidden_reasons"]), (1, &json!("0")), "{near:?}");
        // Who gave it stands above, and is not one she may see.
        assert!(near.body.to_string().contains("by an administrator") && !near.body.to_string().contains("Olga"), "{near:?}");
        assert!(!near.body.to_string().contains(&house.owner.to_string()), "{near:?}");
        assert!(owner.get(&path).await.body.to_string().contains("Olga"));
        for (count, told) in [(1, "1"), (2, "2")] {
            house.grant(ida, &[CoreCapability::PartnerEdit], "subtree", quay).await;
            let far = viewers.get(&path).await;
            assert_eq!(far.body["items"].as_array().unwrap().len(), 1, "{far:?}");
            assert_eq!(far.body["hidden_reasons"], told, "{count}");
            let text = far.body.to_string();
            assert!(!text.contains("Quay") && !text.contains(&quay.to_string()), "{text}");
        }
        for _ in 0..9 {
            house.grant(ida, &[CoreCapability::PartnerEdit], "subtree", house.top).await;
        }
        let many = viewers.get(&path).await;
        assert_eq!(many.body["hidden_reasons"], "10+", "{many:?}");
        assert!(!many.body.to_string().contains("Meridian"), "{many:?}");
        assert_eq!(owner.get(&path).await.body["items"].as_array().unwrap().len(), 12);
        // Whom the caller may see of, she sees whole.
        let own = viewers.get(&format!("/users/{viewer}/access")).await;
        assert_eq!(own.body["items"].as_array().unwrap().len(), 1, "{own:?}");
        // Partners beyond her sight are not named by those she sees either.
        let partner = viewers.get(&format!("/partners/{}", house.reseller)).await;
        assert_eq!(partner.body["parent"], Json::Null);
        assert_eq!(viewers.get("/partners").await.body["items"][0]["parent"], Json::Null);
        assert_eq!(owner.get(&format!("/partners/{}", house.reseller)).await.body["parent"], json!(house.top));
        app.stop().await;
    }

    async fn exceptions_groups_and_rules_are_named_to_those_who_see_them(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let (quay, dock) = (below(&owner, house.top, "Quay").await, below(&owner, house.reseller, "Dock").await);
        let viewer = house.user("Viola Viewer").await;
        let few = [CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::RoleView, CoreCapability::AccessAsk];
        house.grant(viewer, &few, "partner", house.reseller).await;
        let viewers = Api::of(&app, &house, viewer, house.reseller).await;
        let (user, ada) = house.push("ada@harbor.example", "k").await;
        house.grant(ada, &[CoreCapability::UserWrite], "subtree", house.reseller).await;
        let (scopes, role) = (house.scopes_of(ada).await, house.role_of(ada).await);
        house.leave_out(scopes[0], dock).await;
        let path = format!("/users/{ada}/access");
        let cut = |answer: &Json| answer["items"][0]["scope"]["excluded_partners"].clone();
        assert_eq!(cut(&owner.get(&path).await.body), json!([dock]));
        let seen = viewers.get(&path).await;
        assert_eq!(cut(&seen.body), json!([]), "{seen:?}");
        assert!(seen.body["items"][0]["summary"].as_str().unwrap().contains("(with exceptions)"), "{seen:?}");

        // A refusal names the exception to those who see it.
        let asked = |token: String| {
            let app = &app;
            async move { ask(app, &token, ada, "core.user.write", dock).await }
        };
        let told = asked(owner.token.clone()).await;
        assert!(told["context"]["reason"].as_str().unwrap().contains("Dock is an exception of it"), "{told}");
        assert_eq!(told["context"]["detail"]["exception"]["partner"]["name"], "Dock", "{told}");
        let none = ask(&app, &owner.token, ada, "core.partner.delete", house.reseller).await;
        assert!(none["context"]["reason"].as_str().unwrap().contains("core.partner.delete"), "{none}");
        assert_eq!(none["context"]["detail"]["capability"], "core.partner.delete");

        // A rule, its directory and what made it match, to those who see the directory.
        let directory = house.directory;
        let over = house.ceiling(role, "partner", house.reseller).await;
        let rule = house.rule(role, over, &[user]).await;
        let whole = owner.get(&path).await.body.to_string();
        assert!(whole.contains("Rule of Harbor") && whole.contains("Our Entra") && whole.contains("Secret"), "{whole}");
        let part = viewers.get(&path).await.body.to_string();
        assert!(part.contains("a rule of a directory"), "{part}");
        for hidden in ["Rule of Harbor", "Our Entra", "Secret", &rule.to_string(), &directory.to_string()] {
            assert!(!part.contains(hidden), "{hidden} in {part}");
        }
        // A ceiling that reaches beyond: its partner is not told to those who see the directory alone.
        house.ceiling(role, "subtree", quay).await;
        let keeper = house.user("Kai Keeper").await;
        house.grant(keeper, &[CoreCapability::PartnerView, CoreCapability::ConnectionView], "partner", house.reseller).await;
        let keepers = Api::of(&app, &house, keeper, house.reseller).await;
        let shown = keepers.get(&format!("/directories/{directory}")).await;
        assert_eq!(shown.body["ceiling"].as_array().unwrap().len(), 2, "{shown:?}");
        assert!(!shown.body.to_string().contains(&quay.to_string()), "{shown:?}");
        assert!(owner.get(&format!("/directories/{directory}")).await.body.to_string().contains(&quay.to_string()));
        app.stop().await;
    }

    /// Two worlds that differ only in what the asker may not see answer alike.
    async fn what_is_hidden_changes_no_byte(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let (one, other) = (below(&owner, house.top, "Quay").await, below(&owner, house.top, "Wharf and Pier").await);
        let viewer = house.user("Viola Viewer").await;
        let few = [CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::RoleView, CoreCapability::AccessAsk];
        house.grant(viewer, &few, "partner", house.reseller).await;
        let viewers = Api::of(&app, &house, viewer, house.reseller).await;
        let mut answers: Vec<Vec<Json>> = Vec::new();
        for (name, far, reach) in [("ada", one, "subtree"), ("bea", other, "partner")] {
            let user = house.user(name).await;
            house.grant(user, &[CoreCapability::PartnerEdit], reach, far).await;
            let mut seen = viewers.get(&format!("/users/{user}/access")).await.body;
            seen["user"] = Json::Null;
            let decided = ask(&app, &viewers.token, user, "core.partner.edit", house.reseller).await;
            assert!(decided["context"]["reason"].as_str().unwrap().contains("1 ground is hidden"), "{decided}");
            // An allowing ground out of sight.
            house.grant(user, &[CoreCapability::PartnerDelete], "subtree", house.top).await;
            let allowed = ask(&app, &viewers.token, user, "core.partner.delete", house.reseller).await;
            assert_eq!(allowed["decision"], true, "{allowed}");
            assert!(allowed["context"]["reason"].as_str().unwrap().contains("A ground you may not see"), "{allowed}");
            answers.push(vec![seen, timeless(decided), timeless(allowed)]);
        }
        assert_eq!(answers[0], answers[1]);
        app.stop().await;
    }

    /// Whatever keeps a partner off, a product is told what is enforced, and that it is off.
    async fn a_product_is_told_what_is_enforced_in_every_state(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let dock = below(&owner, house.reseller, "Dock").await;
        let henrik = house.user("Henrik").await;
        house.grant(henrik, CoreCapability::ALL, "subtree", house.reseller).await;
        let product = house.user("Product").await;
        house.grant(product, &[CoreCapability::AccessAsk], "subtree", house.reseller).await;
        let (_, token) = house.api_token(product, house.reseller).await;
        for kind in [None, Some("partner"), Some("billing"), Some("security")] {
            if let Some(kind) = kind {
                let body = json!({"reason": "a secret", "kind": kind});
                assert_eq!(owner.post(&format!("/partners/{dock}/suspend"), body).await.body["changed"], true, "{kind}");
            }
            for core in CoreCapability::ALL {
                let resource = Resource { partner: dock, group: None, owner: None };
                let question = Question { principal: henrik, capability: core.id(), resource, now: ctx().now() };
                let enforced = effective::permits(&mut db.store.reader().await.unwrap(), &question).await.unwrap();
                assert_eq!(enforced, kind.is_none() || core.on_suspended(), "{kind:?} {core:?}");
                let told = ask(&app, &token, henrik, core.name(), dock).await;
                assert_eq!(told["decision"], json!(enforced), "{kind:?} {core:?}: {told}");
                let reason = told["context"]["reason"].as_str().unwrap();
                if !enforced {
                    assert!(reason.contains("suspended"), "{kind:?} {core:?}: {told}");
                    let miss = &told["context"]["detail"]["denials"][0];
                    assert_eq!((&miss["code"], &miss["kind"]), (&json!("partner_suspended"), &json!(kind)), "{told}");
                }
                assert!(!told.to_string().contains("a secret") && !told.to_string().contains("Meridian"), "{told}");
                // What he asks about himself says the same.
                let (_, own) = house.api_token(henrik, house.reseller).await;
                assert_eq!(ask(&app, &own, henrik, core.name(), dock).await["decision"], json!(enforced));
            }
            if let Some(kind) = kind {
                let at = rolecall::store::extent::OperatorExtent::assume().at(dock);
                let word = rolecall::domain::user::HoldKind::ALL.iter().find(|one| one.as_str() == kind).unwrap();
                let source = rolecall::domain::user::SuspensionSource::Decided(*word, house.top);
                let gone: Result<bool, StoreError> =
                    db.store.write(async |tx| rolecall::store::suspensions::lift_partner(tx, &at, source).await).await;
                assert!(gone.unwrap(), "{kind}");
            }
        }
        app.stop().await;
    }

    async fn a_refusal_and_the_log_name_nobody_above(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let dock = below(&owner, house.reseller, "Dock").await;
        let helper = house.user("Hedda Helper").await;
        house.grant(helper, CoreCapability::ALL, "partner", dock).await;
        house.grant(helper, &[CoreCapability::AuditView], "partner", dock).await;
        let helpers = Api::of(&app, &house, helper, house.reseller).await;
        let body = json!({"parent": dock, "name": "Pier", "level": "reseller", "kind": "department"});
        assert_eq!(helpers.post("/partners", body.clone()).await.status, 201);
        assert_eq!(owner.post(&format!("/partners/{dock}/suspend"), json!({"reason": "a secret"})).await.status, 200);
        let refused = helpers.post("/partners", json!({"parent": dock, "name": "P", "level": "reseller", "kind": "department"})).await;
        problem(&refused, 403, "suspended");
        assert!(!refused.body.to_string().contains("Meridian") && !refused.body.to_string().contains("Olga"), "{refused:?}");
        while events::seal(&db.store).await.unwrap_or(1) > 0 {}
        let line = |feed: &Json| {
            let items = feed["items"].as_array().unwrap();
            items.iter().find(|line| line["kind"] == "partner.suspended").unwrap().clone()
        };
        let told = line(&helpers.get("/events?after=0").await.body);
        assert_eq!((&told["actor"]["user"], &told["data"]["standing"]), (&Json::Null, &Json::Null), "{told}");
        let whole = line(&owner.get("/events?after=0").await.body);
        assert_eq!((&whole["actor"]["user"], &whole["data"]["standing"]), (&json!(house.owner), &json!(house.top)));
        app.stop().await;
    }
}

/// Whoever reads grounds of an answer to print them asks what may be told.
#[test]
fn nothing_prints_a_ground_without_asking_who_may_see_it() {
    fn sources(at: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, found),
                false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
                false => {}
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let mut askers = 0;
    for path in found {
        let name = path.to_string_lossy().replace('\\', "/");
        // What makes grounds, what tells them, what shows them to the operator alone, and
        // what remembers them for `visible_reasons`.
        if [
            "/access/",
            "/store/effective",
            "/store/visible_reasons.rs",
            "/cli/demo/",
            "/admin/apply/",
            "/store/fact_cache.rs",
        ]
        .iter()
        .any(|one| name.contains(one))
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let reads = [
            "grants_of(",
            "effective_lists::groups_of(",
            "effective::explain(",
            "decide_with_witnesses(",
            "what_can(",
            "known.decision(",
        ];
        if reads.iter().any(|read| text.contains(read)) {
            assert!(text.contains("visible_reasons::"), "{name} reads grounds and does not ask what may be told");
            askers += 1;
        }
        assert!(!text.contains(".reason.to_string()"), "{name} prints a reason by itself");
    }
    assert!(askers >= 3, "the search finds what it looks for");
    assert!(
        include_str!("../../src/web/authzen/ask.rs").contains("visible_reasons::answer("),
        "products are told alike"
    );
}
