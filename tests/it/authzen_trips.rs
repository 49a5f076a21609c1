//! Two hundred decisions take as many trips to the database as one of their kind, whatever is told of them.
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::id::{ExternalUserId, PartnerId, UserId};
use rolecall::domain::time::Timestamp;
use rolecall::store::Store;
use rolecall::web::authzen;
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::support::api::Api;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

/// The documented most.
const MOST: usize = 200;
/// Trips that a batch may take, whatever is in it.
const TRIPS: u64 = 16;

fn question(subject: UserId, action: CoreCapability, partner: PartnerId) -> Json {
    json!({
        "subject": {"type": "user", "id": subject}, "action": {"name": action.name()},
        "resource": {"type": "mailbox", "id": "m", "properties": {"partner": partner}},
    })
}

/// The answers, and how many statements they took.
async fn asked(store: &Store, asker: UserId, questions: &[Json]) -> (Vec<Json>, u64) {
    let body = json!({"evaluations": questions});
    let batch = authzen::batch(body.as_object().unwrap()).unwrap().unwrap();
    let now: Timestamp = ctx().now();
    let mut reader = store.reader().await.unwrap();
    let answers = authzen::answers(&mut reader, asker, &batch, now).await.unwrap();
    (answers, reader.trips())
}

/// Questions of one kind: its name, of whom, what, where, the answer, and what the owner and the product are told.
type Kind<'a> = (&'a str, &'a [UserId], CoreCapability, PartnerId, bool, [&'a str; 2]);

on_both! {
    async fn many_answers_take_as_many_trips_as_one(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let dock = json!({"parent": house.reseller, "name": "Dock", "level": "reseller", "kind": "department"});
        let dock: PartnerId = owner.post("/partners", dock).await.id().parse().unwrap();
        // A product that sees little of what it may ask about, and one that sees all.
        let product = house.user("Poly Product").await;
        house.grant(product, &[CoreCapability::AccessAsk], "subtree", house.reseller).await;
        let model = house.user("Mo Model").await;
        house.grant(model, &[CoreCapability::UserView], "partner", house.reseller).await;
        let (mut users, mut pushed): (Vec<UserId>, Vec<(ExternalUserId, UserId)>) = Default::default();
        for number in 0..MOST {
            let user = house.user(&format!("User {number}")).await;
            house.grant(user, &[CoreCapability::UserWrite], "subtree", house.reseller).await;
            house.grant(user, &[CoreCapability::PartnerDelete], "subtree", house.top).await;
            house.grant(user, &[CoreCapability::GroupWrite], "subtree", house.top).await;
            let scopes = house.scopes_of(user).await;
            // What was granted last leaves the reseller out, and the first one the department below.
            house.leave_out(scopes[0], dock).await;
            house.leave_out(scopes[2], house.reseller).await;
            users.push(user);
            pushed.push(house.push(&format!("ada{number}@harbor.example"), &format!("k{number}")).await);
        }
        let role = house.role_of(model).await;
        let over = house.ceiling(role, "partner", house.reseller).await;
        let external: Vec<ExternalUserId> = pushed.iter().map(|(external_user, _)| *external_user).collect();
        house.rule(role, over, &external).await;

        let sqlite = db.store.dialect() == rolecall::store::Dialect::Sqlite;
        let here: Vec<UserId> = pushed.iter().map(|(_, user)| *user).collect();
        let kinds: [Kind<'_>; 6] = [
            ("allowed by a grant", &users, CoreCapability::UserWrite, house.reseller, true, ["Allowed", "Allowed"]),
            ("allowed by what is above", &users, CoreCapability::PartnerDelete, house.reseller, true, ["Allowed", "A ground you may not see"]),
            ("allowed by a rule", &here, CoreCapability::UserView, house.reseller, true, ["Rule of Harbor", "a rule of a directory"]),
            ("carried by nothing", &here, CoreCapability::PartnerEdit, house.reseller, false, ["No grant", "No grant"]),
            ("an exception", &users, CoreCapability::UserWrite, dock, false, ["Dock is an exception", "Dock is an exception"]),
            ("an exception of what is above", &users, CoreCapability::GroupWrite, house.reseller, false, ["is an exception", "1 ground is hidden"]),
        ];
        for (kind, users, action, partner, allowed, told) in kinds {
            for (asker, told) in [house.owner, product].into_iter().zip(told) {
                let questions: Vec<Json> = users.iter().map(|user| question(*user, action, partner)).collect();
                let (one, alone) = asked(&db.store, asker, &questions[..1]).await;
                let (all, together) = asked(&db.store, asker, &questions).await;
                assert_eq!(all.len(), MOST);
                for answer in one.iter().chain(&all) {
                    assert_eq!(answer["decision"], allowed, "{kind}: {answer}");
                    assert!(answer["context"]["reason"].as_str().unwrap().contains(told), "{kind}, {told}: {answer}");
                }
                // SQLite runs in the process, where a statement is no trip: there it is one for each thing that is asked.
                let bound = if sqlite { alone * MOST as u64 } else { alone };
                assert!(together <= bound && (sqlite || together == alone), "{kind}: {together} for {MOST}, {alone} for one");
                assert!(alone <= TRIPS, "{kind}: {alone} for one");
            }
        }
        // Each kind beside each other.
        let mixed: Vec<Json> = (0..MOST)
            .map(|at| {
                let (_, users, action, partner, ..) = kinds[at % kinds.len()];
                question(users[at], action, partner)
            })
            .collect();
        let (_, few) = asked(&db.store, product, &mixed[..kinds.len()]).await;
        let (_, together) = asked(&db.store, product, &mixed).await;
        assert!(sqlite || (together == few && together <= TRIPS), "{together} for {MOST}, {few} for {}", kinds.len());
        // One and the same costs what it costs once, on either database.
        let same = vec![mixed[2].clone(); MOST];
        let (_, once) = asked(&db.store, product, &same[..1]).await;
        assert_eq!(asked(&db.store, product, &same).await.1, once);
        app.stop().await;
    }
}
