//! Matching over the API: who waits, whom they may be and why; what an administrator's word does, and whose word counts.
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::id::UserId;
use serde_json::{Value, json};

use crate::app::Answer;
use crate::login_claims::Place;
use crate::support::api::{Api, problem};
use crate::support::console::Console;
use crate::support::database::on_both;

fn proven(subject: &str, address: &str) -> Value {
    json!({"sub": subject, "email": address, "email_verified": true})
}

async fn decide(api: &Api<'_>, slug: &str, id: &str, verdict: &str, user: UserId) -> Answer {
    api.post(&format!("/connections/{slug}/matches/{id}/{verdict}"), json!({"user": user})).await
}

/// A user who is proposed, and why.
type Proposed = (String, Vec<String>);

/// Those who wait at a connection, each with its proposals.
async fn waiting(api: &Api<'_>, slug: &str) -> Vec<(String, Vec<Proposed>)> {
    let words = |value: &Value| serde_json::from_value::<Vec<String>>(value.clone()).unwrap();
    let rows = api.all(&format!("/connections/{slug}/matches"), 2).await;
    rows.iter()
        .map(|row| {
            let proposals = row["proposals"].as_array().unwrap().iter();
            let proposals =
                proposals.map(|one| (one["user"]["id"].as_str().unwrap().to_owned(), words(&one["evidence"])));
            (row["id"].as_str().unwrap().to_owned(), proposals.collect())
        })
        .collect()
}

on_both! {
    async fn whom_the_join_cannot_name_an_administrator_can(db: &Database) {
        let place = Place::open(db).await;
        let api = Api::owner(&place.app, &place.house).await;
        let (_, alice) = place.house.push("alice@a.example", "oid-a").await;
        place.connection("app", "oid", false).await;
        // Nobody is made here, and what nobody proved proposes nobody.
        place.refused("app", json!({"sub": "m", "email": "alice@a.example"}), "user.not_linked").await;
        assert_eq!(waiting(&api, "app").await, []);
        place.refused("app", proven("s1", "Alice@A.example"), "match.pending").await;
        place.refused("app", proven("s1", "Alice@A.example"), "match.pending").await;
        let [(id, proposals)] = &waiting(&api, "app").await[..] else { panic!() };
        let evidence = vec!["login_name".to_owned(), "email".to_owned()];
        assert_eq!(proposals, &[(alice.to_string(), evidence)]);
        let all = api.all(&format!("/partners/{}/matches", place.house.reseller), 1).await;
        assert_eq!(all.len(), 1);
        assert_eq!((&all[0]["id"], &all[0]["connection"]), (&json!(id), &json!("app")));
        assert_eq!(all[0]["document"]["emails"][0]["value"], "Alice@A.example");

        assert_eq!(decide(&api, "app", id, "confirm", alice).await.body, json!({"changed": true}));
        assert_eq!(place.enter("app", proven("s1", "alice@a.example")).await, alice);
        assert_eq!(place.enter("app", json!({"sub": "s1"})).await, alice);
        assert_eq!(waiting(&api, "app").await, []);
        assert_eq!(place.house.events("match.confirmed").await, 1);
        for verdict in ["confirm", "refuse"] {
            problem(&decide(&api, "app", id, verdict, alice).await, 409, "wait");
        }

        // A new subject under an address that somebody has: confirmed, the one of before is nobody's.
        place.refused("app", proven("s2", "alice@a.example"), "match.pending").await;
        let [(id, proposals)] = &waiting(&api, "app").await[..] else { panic!() };
        assert_eq!(proposals[0].0, alice.to_string());
        assert_eq!(decide(&api, "app", id, "confirm", alice).await.status, 200);
        assert_eq!(place.enter("app", json!({"sub": "s2"})).await, alice);
        place.refused("app", json!({"sub": "s1"}), "user.not_linked").await;
        place.close().await;
    }

    async fn an_address_that_joins_and_is_taken_is_decided_by_an_administrator(db: &Database) {
        let place = Place::open(db).await;
        let api = Api::owner(&place.app, &place.house).await;
        let (_, alice) = place.house.push("alice", "alice@a.example").await;
        place.connection("mail", "email", false).await;
        assert_eq!(place.enter("mail", proven("s1", "alice@a.example")).await, alice);
        place.refused("mail", proven("s2", "alice@a.example"), "match.pending").await;
        let [(id, proposals)] = &waiting(&api, "mail").await[..] else { panic!() };
        assert_eq!(proposals, &[(alice.to_string(), vec!["matching_attribute".to_owned(), "email".to_owned()])]);
        assert_eq!(decide(&api, "mail", id, "confirm", alice).await.status, 200);
        assert_eq!(place.enter("mail", proven("s2", "alice@a.example")).await, alice);
        place.refused("mail", proven("s1", "alice@a.example"), "match.pending").await;
        place.close().await;
    }

    async fn who_is_refused_is_not_proposed_again(db: &Database) {
        let place = Place::open(db).await;
        let api = Api::owner(&place.app, &place.house).await;
        place.connection("jit", "sub", true).await;
        let dora = place.enter("jit", proven("d1", "dora@a.example")).await;
        place.refused("jit", proven("d2", "dora@a.example"), "match.pending").await;
        let [(id, _)] = &waiting(&api, "jit").await[..] else { panic!() };
        assert_eq!(decide(&api, "jit", id, "refuse", dora).await.status, 200);
        // Nobody else resembles it, so it is a user of its own; the sign-in name stays with who has it.
        assert_eq!(waiting(&api, "jit").await, []);
        let other = place.enter("jit", proven("d2", "dora@a.example")).await;
        assert_ne!(other, dora);
        assert_eq!(place.user(other).await.1, None);
        assert_eq!(place.user(dora).await.1.as_deref(), Some("dora@a.example"));
        assert_eq!(place.enter("jit", proven("d1", "dora@a.example")).await, dora);
        assert_eq!(place.house.events("match.refused").await, 1);

        // Where nobody is made, it waits without a proposal, and whom it is can still be said.
        let (_, alice) = place.house.push("alice@a.example", "oid-a").await;
        let erin = place.house.user("Erin").await;
        place.connection("app", "oid", false).await;
        place.refused("app", proven("s1", "alice@a.example"), "match.pending").await;
        let [(id, _)] = &waiting(&api, "app").await[..] else { panic!() };
        for _ in 0..2 {
            assert_eq!(decide(&api, "app", id, "refuse", alice).await.status, 200);
        }
        place.refused("app", proven("s1", "alice@a.example"), "match.pending").await;
        assert_eq!(waiting(&api, "app").await, [(id.clone(), vec![])]);
        assert_eq!(decide(&api, "app", id, "confirm", erin).await.status, 200);
        assert_eq!(place.enter("app", proven("s1", "alice@a.example")).await, erin);
        place.close().await;
    }

    async fn nobody_decides_about_those_above_them(db: &Database) {
        let place = Place::open(db).await;
        let owner = Api::owner(&place.app, &place.house).await;
        let (_, alice) = place.house.push("alice@a.example", "oid-a").await;
        let (_, bob) = place.house.push("bob@a.example", "oid-b").await;
        place.house.grant(alice, CoreCapability::ALL, "subtree", place.house.reseller).await;
        place.connection("app", "oid", false).await;
        place.refused("app", proven("s1", "alice@a.example"), "match.pending").await;
        place.refused("app", proven("s2", "bob@a.example"), "match.pending").await;
        let rows = waiting(&owner, "app").await;
        let (of_alice, of_bob) = (&rows[0].0, &rows[1].0);

        let helper = place.house.user("Hedda Helper").await;
        let some = [CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::UserWrite, CoreCapability::ConnectionView];
        place.house.grant(helper, &some, "subtree", place.house.reseller).await;
        let helping = Api::of(&place.app, &place.house, helper, place.house.reseller).await;
        for verdict in ["confirm", "refuse"] {
            problem(&decide(&helping, "app", of_alice, verdict, alice).await, 403, "do not hold yourself");
            problem(&decide(&helping, "app", of_bob, verdict, helper).await, 403, "themselves");
            problem(&decide(&helping, "app", of_bob, verdict, place.house.owner).await, 404, "");
            problem(&decide(&owner, "app", of_bob, verdict, place.house.owner).await, 400, "own partner");
            problem(&decide(&helping, "acme-sso", of_bob, verdict, bob).await, 404, "");
            problem(&decide(&helping, "app", "not-an-id", verdict, bob).await, 404, "");
            problem(&helping.post(&format!("/connections/app/matches/{of_bob}/{verdict}"), json!({"user_": bob})).await, 400, "unknown field");
        }
        assert_eq!(waiting(&helping, "app").await, rows, "nothing was changed");
        assert_eq!(decide(&helping, "app", of_bob, "confirm", bob).await.status, 200);
        place.close().await;
    }

    async fn what_a_match_would_give_counts_before_it_is_made(db: &Database) {
        let console = Console::open(db).await;
        // Somebody whom an administrator made holds nothing; the directory pushes who may be them, into a group that a
        // rule gives a role.
        console.apply("[[user]]\npartner = \"harbor\"\nlogin_name = \"ada@harbor.example\"\ndisplay_name = \"Ada Local\"\n").await;
        let ada = console.user("harbor", "ada@harbor.example").await;
        console.push("ada@harbor.example", "Backup Operators").await;
        let harbor = console.partner("harbor").await;
        let token = async |login: &str| {
            let user = console.user("harbor", login).await;
            let ctx = crate::support::house::ctx();
            let made: Result<_, rolecall::store::StoreError> = console
                .store
                .write(async |tx| rolecall::store::api_tokens::create(tx, &harbor, &ctx, user, "test", None).await)
                .await;
            made.unwrap().1.reveal().to_owned()
        };
        let henrik = token("henrik@harbor.example").await;
        console.apply(concat!(
            "[[role]]\npartner = \"harbor\"\nname = \"Desk\"\nparent = \"SuperUser\"\ncapabilities = [\"core.partner.view\", \"core.user.view\", ",
            "\"core.user.write\", \"core.connection.view\"]\n",
            "[[user]]\npartner = \"harbor\"\nlogin_name = \"dag@harbor.example\"\ndisplay_name = \"Dag Desk\"\n",
            "[[grant]]\nrole = \"Desk\"\npartner = \"harbor\"\nuser = \"dag@harbor.example\"\nscope = { subtree = \"harbor\" }\n",
        )).await;
        let dag = token("dag@harbor.example").await;
        let ask = async |token: &str, verdict: &str, id: &str| {
            let path = format!("/api/v1/connections/harbor-entra/matches/{id}/{verdict}");
            let request = console.app.request(reqwest::Method::POST, &path).bearer_auth(token);
            crate::support::api::sent(request.json(&json!({"user": ada}))).await
        };
        let list = console.app.request(reqwest::Method::GET, "/api/v1/connections/harbor-entra/matches").bearer_auth(&dag);
        let list = crate::support::api::sent(list).await;
        let row = &list.body["items"][0];
        assert_eq!(row["proposals"][0]["user"]["id"], json!(ada), "{list:?}");
        let id = row["id"].as_str().unwrap();
        problem(&ask(&dag, "confirm", id).await, 403, "would hold it afterwards");
        let again = crate::support::api::sent(
            console.app.request(reqwest::Method::GET, "/api/v1/connections/harbor-entra/matches").bearer_auth(&dag),
        ).await;
        assert_eq!(again.body, list.body, "nothing was changed");
        assert_eq!(ask(&henrik, "confirm", id).await.status, 200);
        console.app.stop().await;
    }
}
