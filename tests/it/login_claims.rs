//! What claims make of whom, over HTTP at the real server: a word that nobody proved joins nobody, names nobody and blocks
//! nobody; a known user with a new subject comes in by the directory's declared join.
use rolecall::domain::id::{ConnectionId, UserId};
use rolecall::store::{Row, StoreError};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::App;
use crate::support::browser::{Browser, Page};
use crate::support::database::{Database, on_both};
use crate::support::house::House;
use crate::support::provider::{HostileProvider, Script};

statements! {
    USER = "SELECT display_name, login_name, email FROM live_users WHERE id = $1";
    LINKED = "SELECT u.user_id FROM external_users u WHERE u.connection_id = $1 ORDER BY u.id";
    SIGNED = "SELECT s.user_id FROM sessions s JOIN live_users p ON p.id = s.user_id AND p.version = s.user_version \
        ORDER BY s.created_at DESC, s.id DESC LIMIT 1";
    SESSIONS = "SELECT COUNT(*) FROM sessions s JOIN live_users p ON p.id = s.user_id AND p.version = s.user_version";
}

/// A server on a small house, and a provider.
pub struct Place {
    pub app: App,
    pub house: House,
    pub provider: HostileProvider,
}

impl Place {
    pub async fn open(db: &Database) -> Self {
        let provider = HostileProvider::start().await;
        let house = House::build(&db.store, &provider.issuer("ok_public")).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        Self { app, house, provider }
    }

    pub async fn close(self) {
        self.app.stop().await;
        self.provider.stop().await;
    }

    /// A further OpenID connection at a script of the provider.
    pub async fn connection(&self, slug: &str, join: &str, jit: bool) -> ConnectionId {
        let config = json!({"issuer": self.provider.issuer(&format!("script_{slug}")), "client_id": "rolecall",
            "token_endpoint_auth_method": "none", "jit_provisioning": jit});
        self.house.oidc_connection(slug, config, None, join).await
    }

    /// Signs in with these claims.
    pub async fn sign_in(&self, slug: &str, claims: Value) -> Page {
        self.sign_in_by(
            slug,
            Script::saying(claims).without(&["email", "email_verified", "name", "given_name", "family_name"]),
        )
        .await
    }

    pub async fn sign_in_by(&self, slug: &str, script: Script) -> Page {
        self.provider.follow(&format!("script_{slug}"), script);
        let mut browser = Browser::new();
        let begun = browser.get(format!("{}/login/{slug}", self.app.base)).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        let back = browser.get(begun.location.unwrap()).await.location.unwrap();
        browser.get(back).await
    }

    /// Signs in; who that is here.
    pub async fn enter(&self, slug: &str, claims: Value) -> UserId {
        let page = self.sign_in(slug, claims.clone()).await;
        assert_eq!(page.status, 303, "{claims}: {}", page.text);
        self.house.store.reader().await.unwrap().one(&SIGNED, binds![], |row| row.get(0)).await.unwrap()
    }

    /// Is refused.
    pub async fn refused(&self, slug: &str, claims: Value, code: &str) {
        let page = self.sign_in(slug, claims.clone()).await;
        assert_eq!(page.status, 403, "{claims}: {}", page.text);
        assert!(page.text.contains(code), "{claims}: {code} in {}", page.text);
    }

    /// Display name, sign-in name and address of a user.
    pub async fn user(&self, user: UserId) -> (String, Option<String>, Option<String>) {
        let read = |row: &Row| Ok::<_, StoreError>((row.get(0)?, row.get(1)?, row.get(2)?));
        self.house.store.reader().await.unwrap().one(&USER, binds![user], read).await.unwrap()
    }

    async fn linked(&self, connection: ConnectionId) -> Vec<Option<UserId>> {
        self.house.store.reader().await.unwrap().all(&LINKED, binds![connection], |row| row.get(0)).await.unwrap()
    }

    async fn sessions(&self) -> i64 {
        self.house.store.reader().await.unwrap().one(&SESSIONS, binds![], |row| row.get(0)).await.unwrap()
    }
}

on_both! {
    async fn an_address_joins_only_where_the_provider_vouches_for_it(db: &Database) {
        let place = Place::open(db).await;
        let (_, alice) = place.house.push("alice", "alice@a.example").await;
        let connection = place.connection("mail", "email", false).await;
        let mallory = |proof: Value| json!({"sub": "mallory", "email": "alice@a.example", "email_verified": proof});
        for proof in [json!(null), json!(false), json!("true"), json!("false"), json!(1), json!([true]), json!({})] {
            place.refused("mail", mallory(proof), "matching.unproven").await;
        }
        for claims in [
            json!({"sub": "mallory", "preferred_username": "alice@a.example"}),
            json!({"sub": "mallory", "email": ["alice@a.example"], "email_verified": true}),
            json!({"sub": "mallory", "email": {"value": "alice@a.example"}, "email_verified": true}),
        ] {
            let page = place.sign_in("mail", claims.clone()).await;
            assert_eq!(page.status, 403, "{claims}: {}", page.text);
        }
        assert_eq!(place.linked(connection).await, []);

        let proven = json!({"sub": "alice", "email": "Alice@A.example", "email_verified": true});
        assert_eq!(place.enter("mail", proven).await, alice);
        // Later she is known by her subject, whatever the provider says of her address, and stays who she is.
        for claims in [
            json!({"sub": "alice"}),
            json!({"sub": "alice", "email": "bob@a.example"}),
            json!({"sub": "alice", "email": "bob@a.example", "email_verified": false}),
        ] {
            assert_eq!(place.enter("mail", claims).await, alice);
        }
        // An address that has become somebody else's moves nobody.
        let (_, bob) = place.house.push("bob", "bob@a.example").await;
        assert_eq!(place.enter("mail", json!({"sub": "alice", "email": "bob@a.example", "email_verified": true})).await, alice);
        assert_eq!(place.enter("mail", json!({"sub": "bob", "email": "bob@a.example", "email_verified": true})).await, bob);
        // Nor does it take the place of who has it: somebody decides.
        place.refused("mail", json!({"sub": "new", "email": "alice@a.example", "email_verified": true}), "match.pending").await;
        assert_eq!(place.linked(connection).await, [Some(alice), Some(bob), None]);
        place.close().await;
    }

    async fn a_claim_that_users_choose_joins_nobody_whatever_was_stored(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("alice", "alice").await;
        for (at, claim) in ["preferred_username", "nickname", "name", "upn", "unique_name", "given_name", "groups"].iter().enumerate() {
            let slug = format!("chosen-{at}");
            let connection = place.connection(&slug, claim, false).await;
            let said = json!({"sub": "mallory", *claim: "alice", "email": "mallory@a.example", "email_verified": true});
            place.refused(&slug, said, "matching.unproven").await;
            assert_eq!(place.linked(connection).await, [], "{claim}");
        }
        for odd in [json!(7), json!(["alice"]), json!(true), json!({"a": 1}), json!("x".repeat(2_000))] {
            let slug = "odd";
            if odd == json!(7) {
                place.connection(slug, "employee_id", false).await;
            }
            place.refused(slug, json!({"sub": "mallory", "employee_id": odd}), "matching.claim").await;
        }
        place.close().await;
    }

    async fn what_users_call_themselves_is_no_address_and_blocks_nobody(db: &Database) {
        let place = Place::open(db).await;
        place.connection("jit", "sub", true).await;
        for (at, claims) in [
            json!({"preferred_username": "bob@a.example"}),
            json!({"email": "bob@a.example"}),
            json!({"email": "bob@a.example", "email_verified": false}),
            json!({"email": "bob@a.example", "email_verified": "true"}),
            json!({"upn": "bob@a.example", "unique_name": "bob@a.example", "nickname": "bob@a.example"}),
        ].into_iter().enumerate() {
            let mut claims = claims;
            claims["sub"] = json!(format!("mallory-{at}"));
            let mallory = place.enter("jit", claims.clone()).await;
            assert_eq!(place.user(mallory).await, (format!("mallory-{at}"), None, None), "{claims}");
            // And again, by another word.
            claims["preferred_username"] = json!("carol@a.example");
            assert_eq!(place.enter("jit", claims).await, mallory);
            assert_eq!(place.user(mallory).await, (format!("mallory-{at}"), None, None));
        }
        // The real one is pushed, is linked at once and signs in.
        let (_, bob) = place.house.push("bob@a.example", "bob-1").await;
        assert_eq!(place.user(bob).await.2.as_deref(), Some("bob@a.example"));
        let claims = json!({"sub": "bob-1", "preferred_username": "mallory-1", "name": "Mighty Mallory"});
        assert_eq!(place.enter("jit", claims).await, bob);
        let ada = ("Ada".to_owned(), Some("bob@a.example".to_owned()), Some("bob@a.example".to_owned()));
        assert_eq!(place.user(bob).await, ada, "what the directory pushes comes before what users say of themselves");

        // Whoever was here before the push is described by it as well.
        let early = place.enter("jit", json!({"sub": "early", "name": "Self Chosen"})).await;
        assert_eq!(place.user(early).await.0, "Self Chosen");
        assert_eq!(place.house.push("early@a.example", "early").await.1, early);
        assert_eq!(place.user(early).await, ("Ada".to_owned(), Some("early@a.example".to_owned()), Some("early@a.example".to_owned())));
        assert_eq!(place.enter("jit", json!({"sub": "early", "name": "Chosen Again"})).await, early);
        assert_eq!(place.user(early).await.0, "Ada");

        // A proven address is one, and who has it already is asked about.
        let dora = place.enter("jit", json!({"sub": "dora", "email": "dora@a.example", "email_verified": true})).await;
        assert_eq!(place.user(dora).await.1.as_deref(), Some("dora@a.example"));
        place.refused("jit", json!({"sub": "d2", "email": "dora@a.example", "email_verified": true}), "match.pending").await;
        place.close().await;
    }

    async fn a_claim_that_cannot_be_stored_is_left_out(db: &Database) {
        let place = Place::open(db).await;
        place.connection("jit", "sub", true).await;
        let bad = [json!("a\u{0}b"), json!(""), json!("  "), json!(7), json!(true), json!([]), json!({"a": 1}), json!("x".repeat(40_000))];
        for (at, value) in bad.into_iter().enumerate() {
            for claim in ["name", "given_name", "family_name", "email", "preferred_username", "updated_at", "locale"] {
                let mut claims = json!({"sub": format!("s-{at}-{claim}"), "email_verified": true});
                claims[claim] = value.clone();
                let page = place.sign_in("jit", claims).await;
                let text: String = value.to_string().chars().take(40).collect();
                assert_eq!(page.status, 303, "{claim}: {text}: {}", page.text);
            }
        }
        place.close().await;
    }

    async fn a_known_user_with_a_new_subject_comes_in_by_the_join(db: &Database) {
        let place = Place::open(db).await;
        let (_, alice) = place.house.push("alice", "oid-a").await;
        let connection = place.connection("app", "oid", false).await;
        assert_eq!(place.enter("app", json!({"sub": "s1", "oid": "oid-a"})).await, alice);
        assert_eq!(place.sessions().await, 1);
        // The application was registered anew.
        assert_eq!(place.enter("app", json!({"sub": "s2", "oid": "oid-a"})).await, alice);
        assert_eq!(place.linked(connection).await, [Some(alice)], "the subject of before is of no use any more");
        assert_eq!(place.sessions().await, 1, "the session of before has ended");
        assert_eq!(place.house.events("external_user.subject_changed").await, 1);
        place.refused("app", json!({"sub": "s1"}), "user.not_linked").await;
        assert_eq!(place.enter("app", json!({"sub": "s2"})).await, alice);

        // The name changes with it, or alone.
        assert_eq!(place.enter("app", json!({"sub": "s3", "oid": "oid-a", "email": "al@a.example", "email_verified": true})).await, alice);
        assert_eq!(place.enter("app", json!({"sub": "s3", "oid": "oid-a", "email": "ali@a.example", "email_verified": true})).await, alice);

        // Another key under the same subject: whoever it names, it is.
        let (_, bob) = place.house.push("bob", "oid-b").await;
        assert_eq!(place.enter("app", json!({"sub": "s3", "oid": "oid-b"})).await, bob);
        assert_eq!(place.enter("app", json!({"sub": "s4", "oid": "oid-a"})).await, alice);
        assert_eq!(place.linked(connection).await.len(), 2);
        // Each in the other's place.
        assert_eq!(place.enter("app", json!({"sub": "s4", "oid": "oid-b"})).await, bob);
        assert_eq!(place.linked(connection).await, [Some(bob)]);
        assert_eq!(place.enter("app", json!({"sub": "s3", "oid": "oid-a"})).await, alice);
        // A key that names nobody changes nothing.
        assert_eq!(place.enter("app", json!({"sub": "s3", "oid": "oid-z"})).await, alice);
        place.close().await;
    }

    async fn another_issuer_with_the_same_keys_is_the_same_provider(db: &Database) {
        let place = Place::open(db).await;
        for (slug, join, jit) in [("oid", "oid", false), ("sub", "sub", true)] {
            let connection = place.connection(slug, join, jit).await;
            let claims = json!({"sub": format!("{slug}-1"), "oid": format!("{slug}-1")});
            if !jit {
                place.house.push("alice", "oid-1").await;
            }
            let user = place.enter(slug, claims.clone()).await;
            let moved = json!({"issuer": place.provider.issuer(&format!("script_{slug}_moved")), "client_id": "rolecall",
                "token_endpoint_auth_method": "none", "jit_provisioning": jit});
            place.house.set_config(connection, &moved).await;
            let script = Script::saying(claims).without(&["email", "email_verified", "name", "given_name", "family_name"]);
            place.provider.follow(&format!("script_{slug}_moved"), script.clone());
            let page = place.sign_in_by(slug, script).await;
            assert_eq!(page.status, 303, "{slug}: {}", page.text);
            assert_eq!(place.linked(connection).await, [Some(user)], "{slug}");
        }
        place.close().await;
    }
}
