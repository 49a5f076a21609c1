//! Names across tenants: nobody takes a key away from another, or learns by trying that it is there.
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyContext, ApplyError, ApplyPlan};
use rolecall::admin::declaration::Declaration;
use rolecall::clock::Clock;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::ctx::Actor;
use rolecall::domain::id::PartnerId;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, StoreError, Tx, api_tokens, users};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

statements! {
    KEYED = "SELECT id, parent_id FROM live_partners WHERE external_id = $1 ORDER BY id";
}

const DEMO: &str = include_str!("../../config/demo.toml");

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

async fn apply(store: &Store, text: &str) -> Result<ApplyPlan, ApplyError> {
    let means = ApplyContext::new(&KEYS);
    let declaration = Declaration::parse(text).unwrap();
    apply::apply(store, &Clock.ctx(Actor::Operator), OperatorExtent::assume(), &declaration, &means).await
}

/// The partners of a key: each with its parent.
async fn partner(store: &Store, key: &str) -> Vec<(PartnerId, Option<PartnerId>)> {
    let read = |row: &rolecall::store::Row| Ok((row.get(0)?, row.get(1)?));
    store.reader().await.unwrap().all(&KEYED, binds![key], read).await.unwrap()
}

async fn token(store: &Store, home: &str, login: &str) -> String {
    let at = OperatorExtent::assume().at(partner(store, home).await[0].0);
    let user = users::by_login(&mut store.reader().await.unwrap(), &at, login).await.unwrap().unwrap();
    let made: Result<_, StoreError> =
        store.write(async |tx: &mut Tx| api_tokens::create(tx, &at, &ctx(), user, "t", None).await).await;
    made.unwrap().1.reveal().to_owned()
}

on_both! {
    async fn a_key_is_taken_below_one_parent_alone_and_nobody_is_told_of_others(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let new = |parent: &str, key: &str| {
            json!({"parent": parent, "name": "One", "level": "reseller", "kind": "department", "external_id": key})
        };
        let (top, harbor) = (house.top.to_string(), house.reseller.to_string());
        let quay = owner.post("/partners", new(&top, "quay")).await.id();
        let nora = house.user("Nora").await;
        house.grant(nora, &[CoreCapability::PartnerView, CoreCapability::PartnerAdd], "subtree", quay.parse().unwrap()).await;
        let noras = Api::of(&app, &house, nora, house.reseller).await;
        assert_eq!(owner.post("/partners", new(&harbor, "acme")).await.status, 201);
        // She may have the key too, and is told nothing of the other.
        assert_eq!(noras.post("/partners", new(&quay, "acme")).await.status, 201);
        problem(&noras.post("/partners", new(&quay, "acme")).await, 409, "directly below this parent");
        problem(&owner.post("/partners", new(&harbor, "acme")).await, 409, "directly below this parent");
        assert_eq!(owner.post("/partners", new(&top, "acme")).await.status, 201);
        app.stop().await;
    }

    async fn a_declaration_is_not_blocked_by_a_key_that_somebody_took(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let app = App::start(db).await;
        let henrik = token(&db.store, "harbor", "henrik@harbor.example").await;
        let henriks = Api::with(&app, &henrik);
        let harbor = partner(&db.store, "harbor").await[0].0;
        let squat = |key: &str| {
            json!({"parent": harbor, "name": "Squat", "level": "end-customer", "external_id": key})
        };
        // A key that the operator will want, one that it has, and one that the root has.
        for key in ["acme", "fjordnet", "meridian"] {
            let made = henriks.post("/partners", squat(key)).await;
            assert_eq!(made.status, 201, "{key}: {made:?}");
        }
        let acme = "[[partner]]\nkey = \"acme\"\nname = \"Acme\"\nparent = \"meridian\"\nlevel = \"reseller\"\n\n\
            [[user_group]]\npartner = \"acme\"\nname = \"Desk\"\n\n[[user]]\npartner = \"fjordnet\"\nlogin_name = \"f@f.example\"\ndisplay_name = \"F\"\n\n";
        let text = format!("{DEMO}\n{acme}");
        let plan = apply(&db.store, &text).await.unwrap();
        let lines: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
        assert!(lines.iter().any(|line| line.contains("partner acme") && line.contains("below meridian")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("user f@f.example of fjordnet")), "{lines:?}");
        assert_eq!(partner(&db.store, "acme").await.len(), 2);
        let mine = partner(&db.store, "fjordnet").await;
        let theirs = mine.iter().find(|one| one.1 != Some(harbor)).unwrap().0;
        let at = OperatorExtent::assume().at(theirs);
        let mut reader = db.store.reader().await.unwrap();
        assert!(users::by_login(&mut reader, &at, "f@f.example").await.unwrap().is_some(), "at the operator's own");
        drop(reader);
        assert_eq!(apply(&db.store, &text).await.unwrap().changes, [], "and again nothing");

        // One that only others made twice is named by its id.
        let olga = token(&db.store, "meridian", "olga@meridian.example").await;
        let fjordnet = theirs;
        let body = json!({"parent": fjordnet, "name": "Twin", "level": "end-customer", "external_id": "twin"});
        let twin = Api::with(&app, &olga).post("/partners", body).await;
        assert_eq!(twin.status, 201);
        assert_eq!(henriks.post("/partners", squat("twin")).await.status, 201);
        let label = |key: &str| format!("[[user_group]]\npartner = \"{key}\"\nname = \"Desk\"\n");
        let error = apply(&db.store, &label("twin")).await.unwrap_err().to_string();
        assert!(error.contains("more than one partner has the key `twin`"), "{error}");
        assert_eq!(apply(&db.store, &label(&twin.id())).await.unwrap().changes.len(), 1);
        app.stop().await;
    }
}
