//! Users whom a directory invented: what comes to them by existing goes no further than its ceiling, until somebody who
//! could give it says that they belong here.
use rolecall::access::decide::Question;
use rolecall::cli::doctor;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::grant::Resource;
use rolecall::domain::id::{DirectoryId, ExternalUserId, GrantId, PartnerId, RoleId, ScopeId, UserGroupId, UserId};
use rolecall::store::{SqlValue, Statement, StoreError, Tx, delegated_access, effective, effective_lists};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

statements! {
    ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, $3, $4, 1, 0)";
    ROLE_SELF = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $1)";
    ROLE_CAPABILITY = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, $2, $3)";
    GRANT_TO_GROUP = "INSERT INTO grants (id, role_id, user_group_id, scope_id, created_at) VALUES ($1, $2, $3, $4, 0)";
    CEILING = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
    LABEL = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, 'Label', $3, FALSE, FALSE, 0)";
    PUT = "INSERT INTO user_group_members (user_group_id, user_id, created_at) VALUES ($1, $2, 0)";
    PIN = "UPDATE users SET pinned_group_id = $2, primary_group_id = $2 WHERE id = $1";
    DIRECTORY = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, created_at) \
        VALUES ($1, $2, 'Their Okta', $3, 'authoritative', 1, 2, 1, 0)";
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, created_at, \
        updated_at) VALUES ($1, $2, 'scim', 'okta', 'generic', 'active', '{}', 1, 0, 0)";
    SAY = "INSERT INTO external_users (id, connection_id, directory_id, stable_id, user_name, user_name_key, active, document, search_keys, \
        user_id, link_origin, version, created_at, updated_at) \
        VALUES ($1, $2, $3, 'k', 'k', $4, TRUE, '{}', '[]', $5, 'joined', 1, 0, 0)";
    FORGET = "UPDATE external_users SET user_id = NULL, link_origin = NULL WHERE id = $1";
    GONE = "DELETE FROM external_users WHERE id = $1";
}

/// The house with a default group that is worth something: whoever is in it manages the reseller and all below it.
struct Stage {
    house: House,
    manager: RoleId,
}

impl Stage {
    async fn set(db: &crate::support::database::Database) -> Self {
        let house = House::build(&db.store, "https://login.example.com").await;
        let stage = Self { manager: ctx().id(), house };
        let all = [
            CoreCapability::PartnerView,
            CoreCapability::PartnerSuspend,
            CoreCapability::UserView,
            CoreCapability::UserWrite,
            CoreCapability::RoleAssign,
        ];
        stage.role(stage.manager, &all).await;
        stage.grant(stage.house.everyone, "subtree", stage.house.reseller).await;
        stage
    }

    async fn write(&self, rows: Vec<(&'static Statement, Vec<SqlValue>)>) {
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            for (statement, values) in &rows {
                tx.execute(*statement, values.clone()).await?;
            }
            Ok(())
        };
        self.house.store.write(work).await.unwrap();
    }

    async fn role(&self, id: RoleId, capabilities: &[CoreCapability]) {
        let name = id.to_string();
        let mut rows: Vec<(&'static Statement, Vec<SqlValue>)> =
            vec![(&ROLE, binds![id, self.house.top, &name, name.as_bytes()]), (&ROLE_SELF, binds![id])];
        rows.extend(capabilities.iter().map(|core| (&ROLE_CAPABILITY as _, binds![id, core.id().0])));
        self.write(rows).await;
    }

    /// The manager's role for a user group.
    async fn grant(&self, group: UserGroupId, reach: &str, partner: PartnerId) {
        let (scope, grant): (ScopeId, GrantId) = (ctx().id(), ctx().id());
        let rows: Vec<(&'static Statement, Vec<SqlValue>)> =
            vec![(&SCOPE, binds![scope, reach, partner]), (&GRANT_TO_GROUP, binds![grant, self.manager, group, scope])];
        self.write(rows).await;
    }

    async fn ceiling(&self, directory: DirectoryId, capabilities: &[CoreCapability], reach: &str) {
        let (role, scope): (RoleId, ScopeId) = (ctx().id(), ctx().id());
        self.role(role, capabilities).await;
        let rows: Vec<(&'static Statement, Vec<SqlValue>)> =
            vec![(&SCOPE, binds![scope, reach, self.house.reseller]), (&CEILING, binds![directory, role, scope])];
        self.write(rows).await;
    }

    /// "yes", or the word of the first thing in the way.
    async fn may(&self, principal: UserId, capability: CoreCapability) -> &'static str {
        let resource = Resource { partner: self.house.reseller, group: None, owner: None };
        let question = Question { principal, capability: capability.id(), resource, now: ctx().now() };
        let mut reader = self.house.store.reader().await.unwrap();
        let decision = effective::decide(&mut reader, &question).await.unwrap();
        match decision.reason {
            rolecall::access::explain::DecisionReason::Allowed(_) => "yes",
            rolecall::access::explain::DecisionReason::Denied { denials } => denials[0].word(),
        }
    }

    /// A second directory of the reseller that says of a user that they are there.
    async fn second_directory(&self, user: UserId) -> (DirectoryId, ExternalUserId) {
        let (directory, external_user): (DirectoryId, ExternalUserId) = (ctx().id(), ctx().id());
        let connection: rolecall::domain::id::ConnectionId = ctx().id();
        self.write(vec![
            (&DIRECTORY, binds![directory, self.house.reseller, b"their okta"]),
            (&CONNECTION, binds![connection, directory]),
            (&SAY, binds![external_user, connection, directory, b"k", user]),
        ])
        .await;
        (directory, external_user)
    }
}

on_both! {
    async fn the_default_group_gives_the_invented_no_more_than_the_ceiling(db: &Database) {
        let stage = Stage::set(db).await;
        let (_, ada) = stage.house.push("ada@harbor.example", "k-ada").await;
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "unconfirmed", "no ceiling at all");
        stage.ceiling(stage.house.directory, &[CoreCapability::PartnerView], "partner").await;
        assert_eq!(stage.may(ada, CoreCapability::PartnerView).await, "yes", "by atoms: the ceiling has another role");
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "unconfirmed");
        let mut reader = db.store.reader().await.unwrap();
        let held = effective_lists::authority(&mut reader, ada, ctx().now()).await.unwrap();
        let all: Vec<_> = held.holdings.iter().flat_map(|one| &one.capabilities).copied().collect();
        assert_eq!(all, [CoreCapability::PartnerView.id()], "nobody needs more to outrank her");
        drop(reader);
        stage.house.set_directory_mode("paused").await;
        assert_eq!(stage.may(ada, CoreCapability::PartnerView).await, "yes", "what was accepted stands");
        stage.house.set_directory_mode("observe").await;
        assert_eq!(stage.may(ada, CoreCapability::PartnerView).await, "unconfirmed", "it vouches for nobody");
    }

    async fn a_human_act_about_a_user_is_not_clipped_and_a_rule_of_nobody_lifts_nothing(db: &Database) {
        let stage = Stage::set(db).await;
        let (_, ada) = stage.house.push("ada@harbor.example", "k-ada").await;
        let label: UserGroupId = ctx().id();
        stage.write(vec![(&LABEL, binds![label, stage.house.reseller, b"label"]), (&PUT, binds![label, ada])]).await;
        stage.grant(label, "partner", stage.house.reseller).await;
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "yes", "an administrator gave her the label");
        let (_, bea) = stage.house.push("bea@harbor.example", "k-bea").await;
        assert_eq!(stage.may(bea, CoreCapability::UserWrite).await, "unconfirmed");
        stage.write(vec![(&PIN, binds![bea, stage.house.everyone])]).await;
        assert_eq!(stage.may(bea, CoreCapability::UserWrite).await, "yes", "an administrator placed her");
        let (_, cleo) = stage.house.push("cleo@harbor.example", "k-cleo").await;
        stage.house.grant(cleo, &[CoreCapability::RoleView], "partner", stage.house.reseller).await;
        assert_eq!(stage.may(cleo, CoreCapability::RoleView).await, "yes", "a grant of her own");
        assert_eq!(stage.may(cleo, CoreCapability::UserWrite).await, "unconfirmed", "which confirms nobody");
    }

    async fn a_second_directory_never_narrows_and_one_that_falls_silent_vouches_no_more(db: &Database) {
        let stage = Stage::set(db).await;
        let (user, ada) = stage.house.push("ada@harbor.example", "k-ada").await;
        stage.ceiling(stage.house.directory, &[CoreCapability::PartnerView], "partner").await;
        let (okta, second) = stage.second_directory(ada).await;
        assert_eq!(stage.may(ada, CoreCapability::PartnerView).await, "yes");
        stage.ceiling(okta, &[CoreCapability::UserView], "subtree").await;
        assert_eq!((stage.may(ada, CoreCapability::PartnerView).await, stage.may(ada, CoreCapability::UserView).await), ("yes", "yes"));
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "unconfirmed");
        stage.write(vec![(&FORGET, binds![user])]).await;
        assert_eq!(stage.may(ada, CoreCapability::PartnerView).await, "unconfirmed");
        stage.write(vec![(&GONE, binds![second])]).await;
        assert_eq!(stage.may(ada, CoreCapability::UserView).await, "unconfirmed", "nobody vouches");
    }

    async fn confirming_asks_for_what_it_gives(db: &Database) {
        let stage = Stage::set(db).await;
        let house = &stage.house;
        let app = App::start(db).await;
        let owner = Api::owner(&app, house).await;
        let (_, ada) = house.push("ada@harbor.example", "k-ada").await;
        stage.ceiling(house.directory, &[CoreCapability::PartnerView, CoreCapability::UserView], "subtree").await;
        let path = format!("/users/{ada}/confirm");
        // May change users, and nothing of what the default group holds besides.
        let clerk = house.user("Claus Clerk").await;
        house.grant(clerk, &[CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::UserWrite], "subtree", house.reseller).await;
        let clerks = Api::of(&app, house, clerk, house.reseller).await;
        problem(&clerks.post(&path, json!({})).await, 403, "could not give");
        // Holds all of it, over one partner alone.
        let near = house.user("Nils Near").await;
        house.grant(near, CoreCapability::ALL, "partner", house.reseller).await;
        let nears = Api::of(&app, house, near, house.reseller).await;
        problem(&nears.post(&path, json!({})).await, 403, "could not give");
        assert_eq!(owner.get(&format!("/users/{ada}")).await.body["confirmed_at"], json!(null));
        let shown = owner.get(&format!("/users/{ada}/access")).await;
        assert_eq!((&shown.body["items"][0]["ceiling_effect"], &shown.body["items"][1]), (&json!("partial"), &json!(null)), "{shown:?}");
        assert_eq!(owner.post(&path, json!({})).await.body["changed"], true);
        assert_eq!(owner.post(&path, json!({})).await.body["changed"], false);
        assert!(owner.get(&format!("/users/{ada}")).await.body["confirmed_at"].is_string());
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "yes");
        problem(&clerks.delete(&path).await, 403, "do not hold yourself");
        assert_eq!(owner.delete(&path).await.body["changed"], true);
        assert_eq!(owner.delete(&path).await.body["changed"], false);
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "unconfirmed");
        problem(&owner.post(&format!("/users/{}/confirm", house.owner), json!({})).await, 403, "themselves");
        assert_eq!((house.events("user.confirmed").await, house.events("user.unconfirmed").await), (1, 1));
        app.stop().await;
    }

    async fn many_are_confirmed_as_they_were_shown(db: &Database) {
        let stage = Stage::set(db).await;
        let house = &stage.house;
        let app = App::start(db).await;
        let owner = Api::owner(&app, house).await;
        let path = format!("/partners/{}/confirmations", house.reseller);
        let (_, ada) = house.push("ada@harbor.example", "k-ada").await;
        let (_, bea) = house.push("bea@harbor.example", "k-bea").await;
        let (_, cleo) = house.push("cleo@elsewhere.example", "k-cleo").await;
        stage.ceiling(house.directory, &[CoreCapability::PartnerView], "partner").await;
        let named = |plan: &serde_json::Value, state: &str| {
            let lines = plan["users"].as_array().unwrap().iter().filter(|line| line["state"] == state);
            let mut ids: Vec<String> = lines.map(|line| line["user"]["id"].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids
        };
        let sorted = |ids: &[UserId]| {
            let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            ids.sort();
            ids
        };
        // By a search: those whom nobody has confirmed, with what would come to each.
        let shown = owner.post(&path, json!({"q": "HARBOR.example"})).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        assert_eq!(named(&shown.body, "confirmable"), sorted(&[ada, bea]));
        assert_eq!((&shown.body["confirmable"], &shown.body["confirmed"]), (&json!(2), &json!(null)));
        let gain = &shown.body["users"][0]["gains"][0];
        assert_eq!((&gain["ceiling_effect"], &gain["scope"]["kind"]), (&json!("partial"), &json!("subtree")), "{shown:?}");
        assert_eq!(stage.may(ada, CoreCapability::UserWrite).await, "unconfirmed", "it was only shown");
        // Whom it would not reach is refused, and told; nobody is confirmed by a hash that is not about them.
        let clerk = house.user("Claus Clerk").await;
        house.grant(clerk, &[CoreCapability::PartnerView, CoreCapability::UserView, CoreCapability::UserWrite], "subtree", house.reseller).await;
        let clerks = Api::of(&app, house, clerk, house.reseller).await;
        let theirs = clerks.post(&path, json!({"users": [ada, bea]})).await;
        assert_eq!(named(&theirs.body, "refused"), sorted(&[ada, bea]), "{theirs:?}");
        assert!(theirs.body["users"][0]["reason"].as_str().unwrap().contains("could not give"), "{theirs:?}");
        let done = clerks.post(&path, json!({"users": [ada, bea], "plan_hash": theirs.body["plan_hash"]})).await;
        assert_eq!((done.status, &done.body["confirmed"]), (200, &json!(0)), "{done:?}");
        problem(&clerks.post(&path, json!({"users": [ada, bea], "plan_hash": shown.body["plan_hash"]})).await, 409, "changed");
        // What would come to them changed, or somebody new is meant: the plan is another one.
        stage.grant(house.everyone, "partner", house.reseller).await;
        let changed = owner.post(&path, json!({"q": "harbor.example", "plan_hash": shown.body["plan_hash"]})).await;
        problem(&changed, 409, "changed");
        assert_eq!(named(&changed.body["plan"], "confirmable"), sorted(&[ada, bea]));
        assert_eq!(changed.body["plan"]["users"][0]["gains"].as_array().unwrap().len(), 2, "{changed:?}");
        house.push("dora@harbor.example", "k-dora").await;
        problem(&owner.post(&path, json!({"q": "harbor.example", "plan_hash": changed.body["plan"]["plan_hash"]})).await, 409, "changed");
        // Exactly those who were shown.
        let shown = owner.post(&path, json!({"users": [ada, bea, ada]})).await;
        let done = owner.post(&path, json!({"users": [ada, bea], "plan_hash": shown.body["plan_hash"]})).await;
        assert_eq!((done.status, &done.body["confirmed"]), (200, &json!(2)), "{done:?}");
        assert_eq!((stage.may(ada, CoreCapability::UserWrite).await, stage.may(bea, CoreCapability::UserWrite).await), ("yes", "yes"));
        assert_eq!(stage.may(cleo, CoreCapability::UserWrite).await, "unconfirmed");
        assert_eq!(house.events("user.confirmed").await, 2);
        let again = owner.post(&path, json!({"users": [ada, bea]})).await;
        assert_eq!((named(&again.body, "confirmed").len(), &again.body["confirmable"]), (2, &json!(0)));
        // Somebody who is at home elsewhere, nobody, too many, both, neither.
        problem(&owner.post(&path, json!({"users": [ada, house.owner]})).await, 404, "");
        let nobody: UserId = ctx().id();
        problem(&owner.post(&path, json!({"users": [nobody]})).await, 404, "");
        let many: Vec<UserId> = (0..201).map(|_| ada).collect();
        problem(&owner.post(&path, json!({"users": many})).await, 400, "200");
        problem(&owner.post(&path, json!({"users": [ada], "q": ""})).await, 400, "either");
        problem(&owner.post(&path, json!({})).await, 400, "either");
        app.stop().await;
    }

    async fn who_changes_how_a_directory_is_reached_holds_what_could_come_through_it(db: &Database) {
        let stage = Stage::set(db).await;
        let house = &stage.house;
        let app = App::start(db).await;
        let maker = house.user("Mia Maker").await;
        house.grant(maker, &[CoreCapability::PartnerView, CoreCapability::ConnectionView, CoreCapability::ConnectionWrite], "partner", house.reseller).await;
        let makers = Api::of(&app, house, maker, house.reseller).await;
        let token = json!({"name": "t"});
        let (user, ada) = house.push("ada@harbor.example", "k-ada").await;
        assert_eq!(makers.post("/connections/acme/tokens", token.clone()).await.status, 201, "the invented hold nothing");
        let owner = Api::owner(&app, house).await;
        assert_eq!(owner.post(&format!("/users/{ada}/confirm"), json!({})).await.body["changed"], true);
        problem(&makers.post("/connections/acme/tokens", token.clone()).await, 403, "speaks for someone");
        // Removed at the source, she comes back by the same key.
        house.delete(user).await;
        problem(&makers.post("/connections/acme/tokens", token.clone()).await, 403, "speaks for someone");
        app.stop().await;
    }

    async fn doctor_says_whom_nobody_has_confirmed(db: &Database) {
        let stage = Stage::set(db).await;
        assert_eq!(delegated_access::resting(&mut db.store.reader().await.unwrap(), &rolecall::store::extent::OperatorExtent::assume()).await.unwrap().1, []);
        stage.house.push("ada@harbor.example", "k-ada").await;
        let told = doctor::remarks(&db.store).await.unwrap();
        assert!(told.iter().any(|line| line.contains("nobody has confirmed them")), "{told:?}");
        let line = told.iter().find(|line| line.contains("Harbor holds")).unwrap();
        assert!(line.contains("not to 1 users") && line.contains("Our Entra"), "{line}");
        stage.ceiling(stage.house.directory, &[CoreCapability::PartnerView], "partner").await;
        let told = doctor::remarks(&db.store).await.unwrap();
        assert!(told.iter().any(|line| line.contains("in part to 1 users")), "{told:?}");
    }
}
