//! The kept numbers of a partner's users and of a user group's members are the numbers of those that are there, and what
//! lists and pages show.
use std::collections::BTreeMap;

use rolecall::domain::id::{Id as _, PartnerId, UserGroupId, UserId};
use rolecall::domain::time::Timestamp;
use rolecall::store::extent::{OperatorExtent, PartnerExtent};
use rolecall::store::{Store, StoreError, Tx, invariants, partners, stopped, totals, tuple, user_groups, users};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::support::creations::Sent;
use crate::support::database::on_both;
use crate::support::stage::Stage;

statements! {
    AT_HOME = "SELECT q.id, (SELECT COUNT(*) FROM users p WHERE p.partner_id = q.id) FROM partners q";
    PLACED = "SELECT g.id, (SELECT COUNT(*) FROM users p WHERE p.primary_group_id = g.id) \
        + (SELECT COUNT(*) FROM user_group_members m WHERE m.user_group_id = g.id) FROM user_groups g WHERE g.partner_id = $1";
    WRONG = "UPDATE kept_totals SET number = number + 1000 WHERE kind = $1";
}

const DEMO: &str = include_str!("../../config/demo.toml");
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Somebody of a department.
fn somebody(name: &str, department: &str) -> Json {
    json!({"schemas": [USER, ENTERPRISE], "userName": name, "externalId": format!("E {name}"), "displayName": name,
        ENTERPRISE: {"department": department}})
}

async fn fold(store: &Store) {
    let at = OperatorExtent::assume();
    store.write(async |tx: &mut Tx| totals::fold(tx, &at, 0).await).await.unwrap();
}

/// The members of the groups of a partner by name, as they are told.
async fn members(store: &Store, at: &PartnerExtent) -> BTreeMap<String, u64> {
    let told = user_groups::of_partner(&mut store.reader().await.unwrap(), at).await.unwrap();
    told.into_iter().map(|(group, users)| (group.name, users)).collect()
}

/// Every number that is told is what is there: of each partner and group, whoever tells it.
async fn assert_true(stage: &Stage, after: &str) {
    let by = OperatorExtent::assume();
    let mut reader = stage.console.store.reader().await.unwrap();
    let there: Vec<(PartnerId, i64)> = reader.all(&AT_HOME, binds![], tuple).await.unwrap();
    let there: BTreeMap<PartnerId, i64> = there.into_iter().collect();
    let root = partners::root(&mut reader, &by).await.unwrap().unwrap();
    let tree = partners::subtree(&mut reader, &by.at(root.id)).await.unwrap();
    assert_eq!(tree.iter().map(|node| (node.partner.id, node.users)).collect::<BTreeMap<_, _>>(), there, "{after}");
    let everyone: i64 = there.values().sum();
    assert_eq!(i64::try_from(users::count(&mut reader, &by.at(root.id)).await.unwrap()), Ok(everyone), "{after}");
    let counts = stopped::counts(&mut reader, &by.at(root.id), Timestamp::from_micros(0)).await.unwrap();
    assert_eq!(counts.users, everyone, "{after}");
    for one in stopped::by_partner(&mut reader, &by.at(root.id), Timestamp::from_micros(0), 100).await.unwrap() {
        assert_eq!(one.users, there[&one.partner.id], "{after}");
    }
    for (partner, number) in &there {
        let at = by.at(*partner).alone();
        assert_eq!(i64::try_from(users::count(&mut reader, &at).await.unwrap()), Ok(*number), "{after}");
        let placed: Vec<(UserGroupId, i64)> = reader.all(&PLACED, binds![*partner], tuple).await.unwrap();
        let placed: BTreeMap<UserGroupId, i64> = placed.into_iter().collect();
        let told = user_groups::of_partner(&mut reader, &at).await.unwrap();
        let told = told.into_iter().map(|(group, users)| (group.id, i64::try_from(users).unwrap())).collect();
        assert_eq!(placed, told, "{after}");
    }
    assert_eq!(invariants::broken(&mut reader, &by).await.unwrap(), [], "{after}");
    drop(reader);
    let listed = stage.get("/api/v1/partners?limit=500").await;
    for shown in listed["items"].as_array().unwrap() {
        let id: PartnerId = shown["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(shown["user_count"], json!(there[&id]), "{after}");
        let alone = stage.get(&format!("/api/v1/partners/{id}")).await;
        assert_eq!(alone["user_count"], shown["user_count"], "{after}");
    }
}

/// Does something with the users of a partner by the store itself.
macro_rules! write {
    ($stage:expr, $tx:ident, $work:expr) => {
        $stage.console.store.write(async |$tx: &mut Tx| -> Result<bool, StoreError> { $work.await }).await.unwrap()
    };
}

on_both! {
    async fn users_and_members_are_told_as_they_are_after_every_change(db: &Database) {
        let stage = Stage::open(db).await;
        let harbor = stage.console.partner("harbor").await;
        assert_true(&stage, "a declaration").await;
        let before = members(&db.store, &harbor).await;

        // Beside each other, some of them in a group that a rule places them in, and some of them twice.
        let departments = ["IT", "Sales"];
        let body = |number: usize| somebody(&format!("user{number}"), departments[number % 2]);
        let sent = Sent::all(&stage.scim, (0..40).map(body)).await;
        Sent::all(&stage.scim, (0..10).map(body)).await;
        assert_true(&stage, "creating").await;
        let now = members(&db.store, &harbor).await;
        let came = |name: &str| i64::try_from(now[name]).unwrap() - i64::try_from(before[name]).unwrap();
        assert_eq!((came("Technicians"), came("Everyone"), came("On call")), (20, 20, 0));
        Sent::post(&stage.scim, somebody("tried", "IT"), true).await;
        assert_true(&stage, "a dry run").await;

        fold(&db.store).await;
        assert_true(&stage, "adding up").await;
        let change = async |sent: &Sent, department: &str| {
            let path = format!("{ENTERPRISE}:department");
            let body = json!([{"op": "replace", "path": path, "value": department}]);
            assert_eq!(stage.scim.patch(&format!("/Users/{}", sent.id()), body).await.status, 200);
        };
        futures_util::future::join_all(sent[..12].iter().enumerate().map(|(at, one)| change(one, departments[(at + 1) % 2]))).await;
        change(&sent[0], "IT").await;
        change(&sent[0], "Sales").await;
        assert_true(&stage, "moving").await;
        for one in &sent[..3] {
            assert_eq!(stage.scim.delete(&format!("/Users/{}", one.id())).await.status, 204);
        }
        assert_true(&stage, "removing").await;
        Sent::post(&stage.scim, body(1), false).await;
        assert_true(&stage, "coming back").await;

        let rules = DEMO.replace("department eq \"IT\"", "department eq \"Sales\"");
        let more = "[[user]]\npartner = \"harbor\"\ndisplay_name = \"Extra\"\nlogin_name = \"extra\"\nemail = \"extra@harbor.example\"\n";
        assert_ne!(rules, DEMO);
        stage.console.apply(&format!("{rules}\n{more}")).await;
        assert_true(&stage, "other rules and a user who is declared").await;

        let henrik: UserId = stage.console.user("harbor", "henrik@harbor.example").await;
        let groups = user_groups::of_partner(&mut db.store.reader().await.unwrap(), &harbor).await.unwrap();
        let group = |name: &str| groups.iter().find(|(group, _)| group.name == name).unwrap().0.id;
        let (technicians, label, now) = (group("Technicians"), group("On call"), Timestamp::from_micros(7));
        for _ in 0..2 {
            assert!(write!(stage, tx, users::pin(tx, &harbor, henrik, Some(technicians), now)));
            assert_true(&stage, "pinning").await;
        }
        let stranger = UserId::from_uuid(harbor.partner().uuid());
        assert!(!write!(stage, tx, users::pin(tx, &harbor, stranger, Some(technicians), now)));
        assert!(write!(stage, tx, users::pin(tx, &harbor, henrik, None, now)));
        let back = (technicians, group("Everyone"));
        assert!(write!(stage, tx, users::place_at(tx, &harbor, henrik, back, now)));
        assert!(!write!(stage, tx, users::place_at(tx, &harbor, henrik, back, now)), "there already");
        assert_true(&stage, "unpinning").await;
        for there in [true, false] {
            assert_eq!(write!(stage, tx, user_groups::add(tx, &harbor, label, henrik, now)), there);
            assert_true(&stage, "a label").await;
        }
        for there in [true, false] {
            assert_eq!(write!(stage, tx, user_groups::remove(tx, &harbor, label, henrik)), there);
            assert_true(&stage, "no label").await;
        }
        fold(&db.store).await;
        assert_true(&stage, "adding up again").await;
        let at = OperatorExtent::assume();
        assert!(totals::long(&mut db.store.reader().await.unwrap(), &at, 1).await.unwrap().is_empty(), "one row each");
        stage.console.app.stop().await;
    }

    async fn nobody_is_counted_for_a_page(db: &Database) {
        let stage = Stage::open(db).await;
        Sent::all(&stage.scim, (0..4).map(|number| somebody(&format!("user{number}"), "IT"))).await;
        fold(&db.store).await;
        let harbor = stage.console.partner("harbor").await;
        let path = format!("/api/v1/partners/{}", harbor.partner());
        let (shown, groups) = (stage.get(&path).await, members(&db.store, &harbor).await);

        // A wrong number is told as it is kept, by whoever tells it, and `doctor` says that it is wrong.
        db.execute(&WRONG, binds!["users"]).await;
        let more = json!(shown["user_count"].as_i64().unwrap() + 1000);
        assert_eq!(stage.get(&path).await["user_count"], more);
        let listed = stage.get("/api/v1/partners").await;
        assert_eq!(listed["items"].as_array().unwrap().iter().find(|one| one["id"] == shown["id"]).unwrap()["user_count"], more);
        let by = OperatorExtent::assume();
        let mut reader = db.store.reader().await.unwrap();
        let (alone, now) = (harbor.alone(), Timestamp::from_micros(0));
        assert_eq!(json!(users::count(&mut reader, &alone).await.unwrap()), more);
        assert_eq!(json!(stopped::by_partner(&mut reader, &harbor, now, 1).await.unwrap()[0].users), more);
        let below = partners::subtree(&mut reader, &harbor).await.unwrap();
        let kept: i64 = below.iter().map(|node| node.users).sum();
        assert_eq!(stopped::counts(&mut reader, &harbor, now).await.unwrap().users, kept);
        let wrong: Vec<&str> = invariants::broken(&mut reader, &by).await.unwrap().into_iter().map(|(_, text)| text).collect();
        assert!(wrong.iter().any(|text| text.starts_with("partners have another number of users")), "{wrong:?}");
        drop(reader);
        db.execute(&WRONG, binds!["members"]).await;
        let told = members(&db.store, &harbor).await;
        assert_eq!((told["Technicians"], told["Everyone"]), (groups["Technicians"] + 1000, groups["Everyone"] + 2000));
        let wrong = invariants::broken(&mut db.store.reader().await.unwrap(), &by).await.unwrap();
        assert!(wrong.iter().any(|(_, text)| text.starts_with("user groups have another number")), "{wrong:?}");
        stage.console.app.stop().await;
    }
}
