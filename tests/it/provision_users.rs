//! Users: what a push does to the external user, to the user, and to the log.
use rolecall::domain::id::{ExternalUserId, UserId};
use rolecall::domain::user::{HoldKind, SuspensionSource};
use rolecall::provision::event::Kind;
use rolecall::provision::match_review;
use rolecall::provision::users::{self, MatchKeySource, NewExternalUser, UserInput};
use rolecall::provision::{AccessChanges, Effect, Execution, Outcome, ProvisionError, ProvisionSource, UserChangeKind};
use rolecall::scim::etag::Precondition;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::external_users::{ExternalUser, LinkOrigin};
use rolecall::store::suspensions::{self, Hold};
use rolecall::store::{Store, Tx, first};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::support::database::on_both;
use crate::support::world::{World, ctx, fresh_id};

statements! {
    USERS = "SELECT COUNT(*) FROM live_users";
    EVENTS = "SELECT COUNT(*) FROM events";
    SUSPENSIONS = "SELECT source FROM user_suspensions WHERE user_id = $1 ORDER BY source";
    GRANT_ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, 'Help', $3, 1, 0)";
    GRANT_SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, 'partner', $2)";
    GRANT = "INSERT INTO grants (id, role_id, user_id, scope_id, created_at) VALUES ($1, $1, $2, $1, 0)";
    DELETE_USER = "UPDATE users SET state = 'deleted' WHERE id = $1";
    LASTING = "SELECT is_immutable FROM match_keys WHERE user_id = $1";
    SUSPENDED_GRANTS = "SELECT COUNT(*) FROM grants WHERE user_id = $1 AND suspended_at IS NOT NULL";
}

async fn create(
    store: &Store,
    at: i64,
    source: &ProvisionSource<'_>,
    world: &World,
    body: Json,
) -> Outcome<ExternalUser> {
    try_create(store, at, source, world, body).await.unwrap()
}

async fn try_create(
    store: &Store,
    at: i64,
    source: &ProvisionSource<'_>,
    world: &World,
    body: Json,
) -> Result<Outcome<ExternalUser>, ProvisionError> {
    let new = NewExternalUser { stable_key: None, said: world.user(body).into() };
    users::create(store, &ctx(at), source, new, Execution::Real).await
}

async fn set(
    store: &Store,
    at: i64,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    name: &str,
    value: Json,
) -> Outcome<ExternalUser> {
    let change = |doc: &rolecall::scim::resource::Document| {
        let mut doc = doc.clone();
        doc.insert(name.to_owned(), value.clone());
        Ok(UserInput::from(doc))
    };
    users::update(store, &ctx(at), source, id, None, &change, Execution::Real).await.unwrap()
}

async fn count(store: &Store, statement: &'static rolecall::store::Statement) -> i64 {
    store.reader().await.unwrap().one(statement, binds![], first).await.unwrap()
}

async fn suspensions(store: &Store, user: UserId) -> Vec<String> {
    store.reader().await.unwrap().all(&SUSPENSIONS, binds![user], first).await.unwrap()
}

fn whats(effect: &Effect) -> Vec<UserChangeKind> {
    effect.users.iter().map(|change| change.change).collect()
}

fn kinds(effect: &Effect) -> Vec<Kind> {
    effect.events.iter().map(|event| event.kind).collect()
}

on_both! {
    async fn a_name_that_waited_is_not_kept_for_good(db: &Database) {
        let world = World::new(&db.store).await;
        let elsewhere = world.at(world.stranger);
        for (at, join, name, lasting) in [(10, "userName", "ida", false), (20, "externalId", "bo", true)] {
            let there = create(&db.store, at, &elsewhere, &world, json!({"userName": name, "externalId": at.to_string()})).await;
            let here = ProvisionSource { matching_attribute: Some(join), ..world.source() };
            let waits = create(&db.store, at + 1, &here, &world, json!({"userName": name, "externalId": name})).await.value;
            assert_eq!(waits.user, None, "somebody is called so already");
            set(&db.store, at + 2, &elsewhere, there.value.id, "userName", json!(format!("{name} of old"))).await;
            let change = |doc: &rolecall::scim::resource::Document| {
                let mut document = doc.clone();
                document.insert("title".to_owned(), json!("Lead"));
                Ok(UserInput { document, join: MatchKeySource::Unchanged, row_hash: None })
            };
            let linked = users::update(&db.store, &ctx(at + 3), &here, waits.id, None, &change, Execution::Real).await.unwrap();
            let user = linked.value.user.unwrap();
            let kept: bool = db.store.reader().await.unwrap().one(&LASTING, binds![user], first).await.unwrap();
            assert_eq!(kept, lasting, "{join}");
        }
    }

    async fn a_new_user_makes_a_user_placed_in_the_default_group(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let done = create(&db.store, 1, &source, &world, json!({"userName": "Ada@cove.example", "externalId": "A1",
            "name": {"givenName": "Ada", "familyName": "Byron"}})).await;
        assert_eq!(whats(&done.effect), [UserChangeKind::Created]);
        assert_eq!(kinds(&done.effect), [Kind::ExternalUserCreated, Kind::UserCreated, Kind::ExternalUserLinked]);
        assert_eq!((done.value.version, done.value.link), (1, Some(LinkOrigin::Created)));

        let mut reader = db.store.reader().await.unwrap();
        let stored = users::get(&db.store, &source, done.value.id, true).await.unwrap().unwrap();
        assert_eq!(stored.user, done.value);
        assert_eq!(stored.groups, Some(Vec::new()));
        let extent = OperatorExtent::assume().at(world.partner);
        let user = rolecall::store::users::get(&mut reader, &extent, done.value.user.unwrap()).await.unwrap().unwrap();
        assert_eq!(user.profile.display_name, "Ada Byron");
        assert_eq!(user.profile.email.as_deref(), Some("Ada@cove.example"));
        assert_eq!(user.primary_group, world.default_group);
        let listed = rolecall::store::users::list(&mut reader, &extent, None, Some("byr"), 10).await.unwrap();
        assert_eq!(listed, [user]);
    }

    async fn h02_a_taken_name_is_refused_and_leaves_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        create(&db.store, 1, &source, &world, json!({"userName": "ada"})).await;
        let events = count(&db.store, &EVENTS).await;
        let refused = try_create(&db.store, 2, &source, &world, json!({"userName": "ADA", "externalId": "x"})).await;
        assert_eq!(refused.unwrap_err(), ProvisionError::Uniqueness { attribute: "userName" });
        assert_eq!(count(&db.store, &USERS).await, 1);
        assert_eq!(count(&db.store, &EVENTS).await, events);
    }

    async fn b06_a_change_that_says_nothing_new_leaves_everything_alone(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let user = create(&db.store, 1, &source, &world, json!({"userName": "ada", "title": "Countess"})).await.value;
        let events = count(&db.store, &EVENTS).await;
        let same = set(&db.store, 2, &source, user.id, "title", json!("Countess")).await;
        assert!(!same.changed && same.effect.is_empty());
        assert_eq!(same.value, user);
        assert_eq!(count(&db.store, &EVENTS).await, events);

        let other = set(&db.store, 3, &source, user.id, "title", json!("Analyst")).await;
        assert_eq!((other.changed, other.value.version), (true, 2));
        assert_eq!(other.effect.attributes, ["title"]);
        assert_eq!(other.value.changed_at.seconds(), 3);
        assert_eq!(other.value.created_at.seconds(), 1);
    }

    async fn t03_a_stale_version_is_refused(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let user = create(&db.store, 1, &source, &world, json!({"userName": "ada"})).await.value;
        let stale = Precondition::parse("W/\"7\"").unwrap();
        let change = |doc: &rolecall::scim::resource::Document| Ok(UserInput::from(doc.clone()));
        let refused = users::update(&db.store, &ctx(2), &source, user.id, Some(&stale), &change, Execution::Real).await;
        assert_eq!(refused.unwrap_err(), ProvisionError::PreconditionFailed);
        let refused = users::delete(&db.store, &ctx(2), &source, user.id, Some(&stale), Execution::Real).await;
        assert_eq!(refused.unwrap_err(), ProvisionError::PreconditionFailed);
    }

    async fn c06_inactive_suspends_ends_sessions_and_active_lifts_only_its_own(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let external_user = create(&db.store, 1, &source, &world, json!({"userName": "ada", "externalId": "A1"})).await.value;
        let user = external_user.user.unwrap();
        let extent = OperatorExtent::assume().at(world.partner);
        let version = rolecall::store::users::get(&mut db.store.reader().await.unwrap(), &extent, user).await.unwrap().unwrap().version;

        let off = users::set_active(&db.store, &ctx(2), &source, external_user.id, false, Execution::Real).await.unwrap();
        assert_eq!(whats(&off.effect), [UserChangeKind::Suspended]);
        assert_eq!(off.value.match_key, external_user.match_key);
        assert_eq!(suspensions(&db.store, user).await, [source.extent.source().to_string()]);
        let after = rolecall::store::users::get(&mut db.store.reader().await.unwrap(), &extent, user).await.unwrap().unwrap();
        assert_eq!(after.version, version + 1);

        let by_hand = SuspensionSource::Decided(HoldKind::Partner, world.partner);
        let hold = Hold { source: by_hand, cause: "leave".into(), notice: None, by: None, since: ctx(3).now(), from: None };
        db.store.write(async |tx: &mut Tx| suspensions::suspend_user(tx, &extent, user, &hold).await).await.unwrap();
        let on = users::set_active(&db.store, &ctx(4), &source, external_user.id, true, Execution::Real).await.unwrap();
        assert_eq!(whats(&on.effect), [UserChangeKind::Reactivated]);
        assert_eq!(suspensions(&db.store, user).await, [by_hand.to_string()]);
    }

    async fn the_join_finds_the_same_user_at_another_connection(db: &Database) {
        let world = World::new(&db.store).await;
        let first = create(&db.store, 1, &world.source(), &world, json!({"userName": "ada", "externalId": "A1"})).await;
        let second = world.at(world.connections[1]);
        let joined = create(&db.store, 2, &second, &world, json!({"userName": "ada.b", "externalId": "A1", "displayName": "Ada"})).await;
        assert_eq!(joined.value.user, first.value.user);
        assert_eq!(joined.value.link, Some(LinkOrigin::Joined));
        assert_eq!(count(&db.store, &USERS).await, 1);
        // The case of an identifier counts.
        let other = create(&db.store, 3, &second, &world, json!({"userName": "bob", "externalId": "a1"})).await;
        assert_eq!(other.value.link, Some(LinkOrigin::Created));
    }

    async fn fx_o06_someone_who_is_here_already_waits_for_review(db: &Database) {
        let world = World::new(&db.store).await;
        let first = create(&db.store, 1, &world.source(), &world, json!({"userName": "tove@harbor.example"})).await;
        let stranger = world.at(world.stranger);
        let pushed = create(&db.store, 2, &stranger, &world, json!({"userName": "Tove@harbor.example", "externalId": "T"})).await;
        assert_eq!((pushed.value.user, pushed.value.link), (None, None));
        assert_eq!(kinds(&pushed.effect), [Kind::ExternalUserCreated, Kind::MatchProposed]);
        assert_eq!(pushed.effect.users[0].user, first.value.user.unwrap());
        assert_eq!(count(&db.store, &USERS).await, 1);
        // Once the name is another, it is somebody new.
        let renamed = set(&db.store, 3, &stranger, pushed.value.id, "userName", json!("tove2@harbor.example")).await;
        assert_eq!(renamed.value.link, Some(LinkOrigin::Created));
        assert_eq!(count(&db.store, &USERS).await, 2);
    }

    async fn two_of_one_connection_are_never_one_user(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        create(&db.store, 1, &source, &world, json!({"userName": "ada", "externalId": "A1"})).await;
        let twin = create(&db.store, 2, &source, &world, json!({"userName": "eve", "externalId": "A1"})).await;
        assert_eq!(twin.value.user, None);
        assert!(kinds(&twin.effect).contains(&Kind::MatchProposed));
    }

    async fn q02_the_deleted_come_back_as_the_same_user_without_their_manual_grants(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let body = json!({"userName": "ada", "externalId": "A1"});
        let external_user = create(&db.store, 1, &source, &world, body.clone()).await.value;
        let user = external_user.user.unwrap();
        let (role, partner) = (fresh_id(), world.partner);
        db.store.write(async |tx: &mut Tx| {
            tx.execute(&GRANT_ROLE, binds![role, partner, b"help"]).await?;
            tx.execute(&GRANT_SCOPE, binds![role, partner]).await?;
            tx.execute(&GRANT, binds![role, user]).await
        }).await.unwrap();

        let gone = users::delete(&db.store, &ctx(2), &source, external_user.id, None, Execution::Real).await.unwrap();
        assert_eq!(kinds(&gone.effect), [Kind::ExternalUserDeleted, Kind::UserSuspended]);
        let again = users::delete(&db.store, &ctx(2), &source, external_user.id, None, Execution::Real).await;
        assert_eq!(again.unwrap_err(), ProvisionError::NotFound);
        assert_eq!(suspensions(&db.store, user).await.len(), 1);

        let back = create(&db.store, 3, &source, &world, body).await;
        assert_ne!(back.value.id, external_user.id);
        assert_eq!(back.value.user, Some(user));
        assert_eq!(whats(&back.effect), [UserChangeKind::Matched, UserChangeKind::Returned { suspended_grants: 1 }, UserChangeKind::Reactivated]);
        assert!(suspensions(&db.store, user).await.is_empty());
        let aside: i64 = db.store.reader().await.unwrap().one(&SUSPENDED_GRANTS, binds![user], first).await.unwrap();
        assert_eq!(aside, 1);
    }

    async fn a_name_that_may_be_given_to_another_revives_nobody(db: &Database) {
        let world = World::new(&db.store).await;
        let source = ProvisionSource { matching_attribute: Some("userName"), ..world.source() };
        let user = create(&db.store, 1, &source, &world, json!({"userName": "ada"})).await.value;
        users::delete(&db.store, &ctx(2), &source, user.id, None, Execution::Real).await.unwrap();
        let back = create(&db.store, 3, &source, &world, json!({"userName": "ada"})).await;
        assert_eq!(back.value.user, None);
        assert!(kinds(&back.effect).contains(&Kind::MatchProposed));
    }

    async fn the_highest_authority_names_the_user(db: &Database) {
        let world = World::new(&db.store).await;
        let first = create(&db.store, 1, &world.source(), &world,
            json!({"userName": "ada", "externalId": "A1", "displayName": "Ada", "emails": [{"value": "a@x.example"}]})).await;
        let connection = world.at(world.connections[1]);
        let second = create(&db.store, 2, &connection, &world,
            json!({"userName": "ada2", "externalId": "A1", "displayName": "Countess"})).await;
        let user = first.value.user.unwrap();
        let extent = OperatorExtent::assume().at(world.partner);
        let name = async || {
            let current = rolecall::store::users::get(&mut db.store.reader().await.unwrap(), &extent, user).await.unwrap().unwrap();
            (current.profile.display_name, current.profile.email)
        };
        assert_eq!(name().await, ("Ada".to_owned(), Some("a@x.example".to_owned())));
        set(&db.store, 3, &world.source(), first.value.id, "displayName", json!(null)).await;
        assert_eq!(name().await.0, "Countess");
        users::delete(&db.store, &ctx(4), &world.source(), first.value.id, None, Execution::Real).await.unwrap();
        assert_eq!(name().await.0, "Countess");
        users::delete(&db.store, &ctx(5), &connection, second.value.id, None, Execution::Real).await.unwrap();
        assert_eq!(name().await.0, "Countess");
    }

    async fn l09_another_connections_user_does_not_exist(db: &Database) {
        let world = World::new(&db.store).await;
        let user = create(&db.store, 1, &world.source(), &world, json!({"userName": "ada"})).await.value;
        let other = world.at(world.connections[1]);
        assert!(users::get(&db.store, &other, user.id, false).await.unwrap().is_none());
        let refused = users::delete(&db.store, &ctx(2), &other, user.id, None, Execution::Real).await;
        assert_eq!(refused.unwrap_err(), ProvisionError::NotFound);
        let refused = users::set_active(&db.store, &ctx(2), &other, user.id, false, Execution::Real).await;
        assert_eq!(refused.unwrap_err(), ProvisionError::NotFound);
    }

    async fn a_dry_run_tells_the_same_and_leaves_nothing(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let new = NewExternalUser { stable_key: None, said: world.user(json!({"userName": "ada", "externalId": "A"})).into() };
        let dry = users::create(&db.store, &ctx(1), &source, new.clone(), Execution::Dry).await.unwrap();
        assert_eq!((count(&db.store, &USERS).await, count(&db.store, &EVENTS).await), (0, 0));
        let AccessChanges::Changes(changes) = &dry.effect.access else { panic!("access is compared") };
        assert_eq!(changes[0].gained.len(), 1, "the default group");
        let real = users::create(&db.store, &ctx(1), &source, new, Execution::Real).await.unwrap();
        assert_eq!(dry.value, real.value);
        assert_eq!(dry.effect.events, real.effect.events);
        let told = users::delete(&db.store, &ctx(2), &source, real.value.id, None, Execution::Told).await.unwrap();
        assert_eq!(told.effect.access, AccessChanges::Changes(Vec::new()));
    }

    async fn an_administrator_links_and_separates_those_who_wait(db: &Database) {
        let world = World::new(&db.store).await;
        let extent = OperatorExtent::assume().at(world.partner);
        let first = create(&db.store, 1, &world.source(), &world, json!({"userName": "tove@harbor.example"})).await;
        let user = first.value.user.unwrap();
        let stranger = world.at(world.stranger);
        let body = json!({"userName": "tove@harbor.example", "externalId": "T", "active": false});
        let waits = create(&db.store, 2, &stranger, &world, body).await.value;
        let waiting = match_review::waiting(&mut db.store.reader().await.unwrap(), &extent, None, 10).await.unwrap();
        assert_eq!(waiting.iter().map(|external_user| external_user.id).collect::<Vec<_>>(), [waits.id]);

        let attach = async |at: i64| {
            db.store
                .write(async |tx: &mut Tx| {
                    match_review::attach_in(tx, &ctx(at), &extent, &world.schemas, waits.id, user).await
                })
                .await
        };
        let effect = attach(3).await.unwrap();
        assert_eq!(whats(&effect), [UserChangeKind::Suspended], "the directory says inactive");
        assert_eq!(suspensions(&db.store, user).await, [stranger.extent.source().to_string()]);
        assert_eq!(attach(4).await.unwrap_err(), ProvisionError::NotFound);
        let linked = users::get(&db.store, &stranger, waits.id, false).await.unwrap().unwrap();
        assert_eq!((linked.user.user, linked.user.link), (Some(user), Some(LinkOrigin::Reviewed)));

        let detached = db.store
            .write(async |tx: &mut Tx| match_review::detach_in(tx, &ctx(5), &extent, &world.schemas, waits.id).await)
            .await
            .unwrap();
        assert_eq!(whats(&detached), [UserChangeKind::Reactivated]);
        assert!(suspensions(&db.store, user).await.is_empty());
        assert!(kinds(&detached).contains(&Kind::ExternalUserUnlinked));
    }

    async fn a_key_that_named_a_deleted_user_names_somebody_new(db: &Database) {
        let world = World::new(&db.store).await;
        let source = world.source();
        let body = json!({"userName": "ada", "externalId": "A1"});
        let user = create(&db.store, 1, &source, &world, body.clone()).await.value;
        users::delete(&db.store, &ctx(2), &source, user.id, None, Execution::Real).await.unwrap();
        db.store.write(async |tx: &mut Tx| tx.execute(&DELETE_USER, binds![user.user]).await).await.unwrap();
        let back = create(&db.store, 3, &source, &world, body).await;
        assert_eq!(back.value.link, Some(LinkOrigin::Created));
        assert_ne!(back.value.user, user.user);
    }
}
