//! Runs against a real directory: what arrives, what stays, and what waits.
use std::collections::BTreeMap;
use std::sync::Arc;

use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::directory::ConnectionKind;
use rolecall::domain::id::{ConnectionId, ExternalUserId, Id as _, RunId};
use rolecall::domain::time::Timestamp;
use rolecall::ldap::client::Guard;
use rolecall::ldap::report::{Report, Status};
use rolecall::ldap::run::{self, SyncContext, SyncOptions, SyncStartError};
use rolecall::provision::Execution;
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::secret::{Keyring, SealPurpose};
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, StoreError, Tx, first, runs, tuple};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::database::on_both;
use crate::support::slapd::{BASE, PASSWORD, READER, Slapd, Tree, Wire, group_dn, user_dn};
use crate::support::world::{World, ctx};

statements! {
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, secret, version, \
        created_at, updated_at) VALUES ($1, $2, 'ldap', $3, 'openldap', 'active', $4, $5, 1, 0, 0)";
    CONFIGURE = "UPDATE connections SET settings = $2, secret = $3 WHERE id = $1";
    USERS = "SELECT user_name, id, active FROM external_users WHERE connection_id = $1 ORDER BY user_name";
    USER_OF = "SELECT user_id FROM external_users WHERE connection_id = $1 AND user_name = $2";
    MEMBERS = "SELECT g.display_name, u.user_name FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id \
        JOIN external_users u ON u.id = m.external_user_id WHERE g.connection_id = $1 ORDER BY g.display_name, u.user_name";
    EFFECTIVE = "SELECT DISTINCT u.user_name FROM external_group_ancestors c JOIN external_groups g ON g.id = c.ancestor_id \
        JOIN external_group_members m ON m.external_group_id = c.external_group_id JOIN external_users u ON u.id = m.external_user_id \
        WHERE g.connection_id = $1 AND g.display_name = $2 ORDER BY u.user_name";
    GROUPS = "SELECT display_name FROM external_groups WHERE connection_id = $1 ORDER BY display_name";
    SUSPENDED = "SELECT COUNT(*) FROM user_suspensions WHERE user_id = $1";
    EVENTS = "SELECT COUNT(*) FROM events";
    EVERYTHING_OF = "SELECT id, stable_id, user_name, document, version, user_id FROM external_users WHERE connection_id = $1 \
        ORDER BY id";
    RULE = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, when_text, effect, \
        created_at) SELECT $1, d.id, d.rule_set_version, 1, 'r', '', 'add_to_group', 0 FROM directories d \
        JOIN external_groups g ON g.directory_id = d.id WHERE g.id = $2";
    ATOM = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, 0, $2, 'group', FALSE)";
    GROUP_ID = "SELECT id FROM external_groups WHERE connection_id = $1 AND display_name = $2";
    EXPIRE = "UPDATE leases SET expires_at = 1 WHERE name = $1";
}

/// A world with an LDAP connection.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) env: SyncContext,
    pub(crate) connection: ConnectionId,
    pub(crate) store: Store,
}

pub(crate) const SLUG: &str = "dir";

pub(crate) fn config(address: &str) -> Json {
    json!({
        "urls": [format!("ldap://{address}")],
        "security": "none",
        "bind_dn": READER,
        "users": {"bases": [format!("ou=people,{BASE}")]},
        "groups": {"bases": [format!("ou=groups,{BASE}")]},
        "page_size": 50,
        "timeouts": {"connect": 5, "answer": 5, "read": 60},
    })
}

impl Lab {
    pub(crate) async fn new(store: &Store, address: &str) -> Self {
        Self::with_password(store, address, PASSWORD).await
    }

    pub(crate) async fn with_password(store: &Store, address: &str, password: &str) -> Self {
        let world = World::new(store).await;
        let keys = Arc::new(Keyring::parse(&"A".repeat(43), "the test").unwrap());
        let connection = ConnectionId::from_uuid(fresh());
        let (directory, config) = (world.stranger.directory(), config(address));
        let purpose = SealPurpose::secret(connection, ConnectionKind::Ldap, &config);
        let (sealed, config) = (keys.seal(&ctx(1), purpose, password.as_bytes()).unwrap(), config.to_string());
        let insert =
            async |tx: &mut Tx| tx.execute(&CONNECTION, binds![connection, directory, SLUG, &config, &sealed]).await;
        store.write(insert).await.unwrap();
        let guard = Guard::new(|_| true);
        let env = SyncContext { store: store.clone(), keys, clock: Clock, guard, stop: Arc::new(|| false) };
        Self { world, env, connection, store: store.clone() }
    }

    pub(crate) async fn run(&self) -> Report {
        run::start(&self.env, SLUG, SyncOptions::default()).await.unwrap()
    }

    pub(crate) async fn dry(&self) -> Report {
        run::start(&self.env, SLUG, SyncOptions { dry: true, approve: None }).await.unwrap()
    }

    pub(crate) async fn approve(&self, run: RunId) -> Report {
        run::start(&self.env, SLUG, SyncOptions { dry: false, approve: Some(run) }).await.unwrap()
    }

    pub(crate) async fn configure(&self, config: Json) {
        let connection = self.connection;
        let purpose = SealPurpose::secret(connection, ConnectionKind::Ldap, &config);
        let (sealed, config) = (self.env.keys.seal(&ctx(1), purpose, PASSWORD.as_bytes()).unwrap(), config.to_string());
        let write = async |tx: &mut Tx| tx.execute(&CONFIGURE, binds![connection, &config, &sealed]).await;
        self.store.write(write).await.unwrap();
    }

    pub(crate) async fn users(&self) -> BTreeMap<String, (ExternalUserId, bool)> {
        let mut reader = self.store.reader().await.unwrap();
        let read = |row: &rolecall::store::Row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
        reader.all(&USERS, binds![self.connection], read).await.unwrap().into_iter().collect()
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        self.users().await.into_keys().collect()
    }

    pub(crate) async fn members(&self) -> Vec<(String, String)> {
        self.store.reader().await.unwrap().all(&MEMBERS, binds![self.connection], tuple).await.unwrap()
    }

    pub(crate) async fn effective(&self, group: &str) -> Vec<String> {
        self.store.reader().await.unwrap().all(&EFFECTIVE, binds![self.connection, group], first).await.unwrap()
    }

    pub(crate) async fn groups(&self) -> Vec<String> {
        self.store.reader().await.unwrap().all(&GROUPS, binds![self.connection], first).await.unwrap()
    }

    pub(crate) async fn user(&self, user_name: &str) -> Uuid {
        self.store.reader().await.unwrap().one(&USER_OF, binds![self.connection, user_name], first).await.unwrap()
    }

    pub(crate) async fn suspensions(&self, user: Uuid) -> i64 {
        self.store.reader().await.unwrap().one(&SUSPENDED, binds![user], first).await.unwrap()
    }

    pub(crate) async fn events(&self) -> i64 {
        self.store.reader().await.unwrap().one(&EVENTS, binds![], first).await.unwrap()
    }

    /// Lets a rule in force name a group.
    pub(crate) async fn map(&self, group: &str) {
        let mut reader = self.store.reader().await.unwrap();
        let group: Uuid = reader.one(&GROUP_ID, binds![self.connection, group], first).await.unwrap();
        drop(reader);
        let rule = fresh();
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            tx.execute(&RULE, binds![rule, group]).await?;
            tx.execute(&ATOM, binds![rule, group]).await.map(drop)
        };
        self.store.write(work).await.unwrap();
    }
}

/// An id that no other has.
pub(crate) fn fresh() -> Uuid {
    Clock.ctx(Actor::System).id::<ConnectionId>().uuid()
}

pub(crate) fn done(report: &Report) {
    assert_eq!(report.status, Status::Done, "{report}");
}

on_both! {
    async fn a_first_run_brings_everyone_and_a_second_changes_nothing(db: &Database) {
        let mut tree = Tree::new();
        tree.users(120);
        let (class, sn) = (("objectClass", "inetOrgPerson"), ("sn", "x"));
        tree.entry(&format!("cn=No Login,ou=people,{BASE}"), &[class, ("cn", "No Login"), sn]);
        tree.entry(&format!("cn=Lee\\, Ann,ou=people,{BASE}"), &[class, ("cn", "Lee, Ann"), sn, ("uid", "ann")]);
        tree.entry(&format!("cn=one,ou=people,{BASE}"), &[class, ("cn", "one"), sn, ("uid", "Twice")]);
        tree.entry(&format!("cn=two,ou=people,{BASE}"), &[class, ("cn", "two"), sn, ("uid", "twice")]);
        tree.entry(&format!("cn=off,ou=people,{BASE}"), &[class, ("cn", "off"), sn, ("uid", "off"),
            ("pwdAccountLockedTime", "000001010000Z")]);
        let odd = format!("CN=lee\\2C ann, OU=People,{BASE}");
        tree.group("inner", &[user_dn("u001"), odd, format!("uid=left,ou=people,{BASE}")]);
        tree.group("outer", &[user_dn("u002"), group_dn("inner")]);
        tree.group("ring", &[group_dn("ring"), group_dn("outer")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;

        let foreseen = lab.dry().await;
        assert_eq!((lab.users().await.len(), lab.events().await), (0, 0), "a dry run changes nothing");
        let report = lab.run().await;
        done(&report);
        assert_eq!(report.users.created, 122);
        assert_eq!((report.users.skipped, report.skipped.len()), (3, 3), "{report}");
        assert_eq!((report.groups.created, report.members.added, report.nested.added), (3, 3, 2));
        assert_eq!(report.read.strangers, 1);
        assert!(report.read.whole && report.read.pages >= 3);
        let counts = |report: &Report| (report.users.clone(), report.groups.clone(), report.members.clone(), report.nested.clone());
        assert_eq!(counts(&foreseen), counts(&report), "what was foreseen is what came (L2)");

        let users = lab.users().await;
        assert_eq!(users.len(), 122);
        assert!(!users.contains_key("twice") && !users.contains_key("Twice"));
        assert_eq!(lab.effective("ring").await, ["ann", "u001", "u002"]);
        assert_eq!(lab.suspensions(lab.user("off").await).await, 1);
        assert_eq!(lab.suspensions(lab.user("u001").await).await, 0);

        let events = lab.events().await;
        let again = lab.run().await;
        done(&again);
        assert!(!again.changes_something(), "{again}");
        assert_eq!((again.users.unchanged, again.groups.unchanged), (122, 3));
        assert_eq!((lab.users().await, lab.events().await), (users, events));
    }

    async fn switching_off_and_on_follows_the_directory(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(3)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        let user = lab.user("u001").await;
        slapd.set(&user_dn("u001"), "pwdAccountLockedTime", &["000001010000Z"]).await;
        let report = lab.run().await;
        done(&report);
        assert_eq!((report.users.changed, report.users.switched_off), (1, 1));
        assert_eq!((lab.suspensions(user).await, lab.users().await["u001"].1), (1, false));
        slapd.set(&user_dn("u001"), "pwdAccountLockedTime", &[]).await;
        assert_eq!(lab.run().await.users.switched_on, 1);
        assert_eq!((lab.suspensions(user).await, lab.users().await["u001"].1), (0, true));
    }

    async fn a_rename_and_a_move_keep_the_user(db: &Database) {
        let mut tree = Tree::new();
        tree.users(3).group("all", &[user_dn("u000"), user_dn("u001")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let mut wide = config(&slapd.address);
        wide["users"]["bases"] = json!([BASE]);
        lab.configure(wide).await;
        done(&lab.run().await);
        let (before, user) = (lab.users().await, lab.user("u001").await);

        slapd.rename(&user_dn("u001"), "uid=renamed", None).await;
        slapd.set(&group_dn("all"), "member", &[&user_dn("u000"), &user_dn("renamed")]).await;
        let report = lab.run().await;
        done(&report);
        assert_eq!((report.users.changed, report.users.renamed, report.members.added), (1, 1, 0), "{report}");
        assert_eq!(lab.users().await["renamed"].0, before["u001"].0);
        assert_eq!(lab.user("renamed").await, user);

        slapd.rename(&user_dn("u000"), "uid=u000", Some(&format!("ou=leavers,{BASE}"))).await;
        let moved = format!("uid=u000,ou=leavers,{BASE}");
        slapd.set(&group_dn("all"), "member", &[&moved, &user_dn("renamed")]).await;
        let report = lab.run().await;
        done(&report);
        assert!(!report.changes_something(), "{report}");
        assert_eq!(lab.members().await.len(), 2);
    }

    async fn logins_that_change_places_arrive(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(3)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        let before = lab.users().await;
        for (from, to) in [("u002", "u003"), ("u001", "u002"), ("u000", "u001")] {
            slapd.rename(&user_dn(from), &format!("uid={to}"), None).await;
        }
        let report = lab.run().await;
        done(&report);
        assert_eq!((report.users.renamed, report.users.skipped), (3, 0), "{report}");
        let after = lab.users().await;
        assert_eq!([after["u001"], after["u002"], after["u003"]], [before["u000"], before["u001"], before["u002"]]);
    }

    async fn many_removals_wait_while_additions_go_and_an_approval_lets_them_through(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(20)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        for uid in ["u000", "u001", "u002"] {
            slapd.delete(&user_dn(uid)).await;
        }
        slapd.add_user("new").await;
        let held = lab.run().await;
        assert_eq!(held.status, Status::Held, "{held}");
        assert_eq!((held.users.created, held.users.removed, held.users.held), (1, 0, 3));
        assert_eq!(held.held[0].says, "3 of 20 users are missing, more than 5 %");
        assert_eq!(lab.users().await.len(), 21);
        assert_eq!(lab.suspensions(lab.user("u000").await).await, 0, "nobody is cut off before the approval");

        let users = [lab.user("u000").await, lab.user("u003").await];
        slapd.delete(&user_dn("u003")).await;
        let approved = lab.approve(held.run).await;
        assert_eq!((approved.users.removed, approved.users.held), (3, 1), "only what was approved: {approved}");
        assert_eq!((lab.suspensions(users[0]).await, lab.suspensions(users[1]).await), (1, 0));
        assert_eq!(lab.users().await.len(), 18);
        let unknown = run::start(&lab.env, SLUG, SyncOptions { dry: false, approve: Some(RunId::from_uuid(Uuid::nil())) }).await;
        assert!(matches!(unknown, Err(SyncStartError::NothingHeld(_))), "{unknown:?}");
    }

    async fn one_removal_goes_and_who_comes_back_is_the_same_user(db: &Database) {
        let mut tree = Tree::new();
        tree.users(30).group("all", &[user_dn("u000"), user_dn("u001")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        let user = lab.user("u001").await;
        slapd.rename(&user_dn("u001"), "uid=u001", Some(&format!("ou=leavers,{BASE}"))).await;
        slapd.set(&group_dn("all"), "member", &[&user_dn("u000")]).await;
        let report = lab.run().await;
        done(&report);
        assert_eq!((report.users.removed, lab.users().await.len(), lab.members().await.len()), (1, 29, 1), "{report}");
        assert_eq!(lab.suspensions(user).await, 1);

        slapd.rename(&format!("uid=u001,ou=leavers,{BASE}"), "uid=u001", Some(&format!("ou=people,{BASE}"))).await;
        done(&lab.run().await);
        assert_eq!((lab.user("u001").await, lab.suspensions(user).await), (user, 0));
    }

    async fn an_empty_read_holds_everybody(db: &Database) {
        let mut tree = Tree::new();
        tree.users(2).group("all", &[user_dn("u000"), user_dn("u001")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        for dn in [user_dn("u000"), user_dn("u001"), group_dn("all")] {
            slapd.delete(&dn).await;
        }
        let report = lab.run().await;
        assert_eq!((report.status, report.users.held, report.groups.held), (Status::Held, 2, 1), "{report}");
        assert_eq!(report.held[0].says, "the read found no users at all");
        assert_eq!((lab.users().await.len(), lab.groups().await.len(), lab.members().await.len()), (2, 1, 2));
    }

    async fn a_group_with_a_rule_may_not_shrink_at_once_and_one_without_may_as_a_small_share_of_all(db: &Database) {
        let mut tree = Tree::new();
        let everyone: Vec<String> = (0..10).map(|number| user_dn(&format!("u{number:03}"))).collect();
        tree.users(10).group("mapped", &everyone).group("free", &everyone);
        for other in 0..8 {
            tree.group(&format!("other{other}"), &everyone);
        }
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        lab.map("mapped").await;
        for group in ["mapped", "free"] {
            slapd.set(&group_dn(group), "member", &[&everyone[0], &everyone[1]]).await;
        }
        let report = lab.run().await;
        assert_eq!((report.status, report.members.removed, report.members.held), (Status::Held, 8, 8), "{report}");
        assert_eq!(report.held[0].says, "the group \"mapped\" would lose 8 of 10 members, more than 20 %");
        assert_eq!((lab.effective("mapped").await.len(), lab.effective("free").await.len()), (10, 2));
        done(&lab.approve(report.run).await);
        assert_eq!(lab.effective("mapped").await, ["u000", "u001"]);
    }

    async fn a_cut_line_changes_nothing_and_says_so(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(150)).await;
        let wire = Wire::to(&slapd.address).await;
        let lab = Lab::new(&db.store, &wire.address).await;
        done(&lab.run().await);
        let (before, events) = (lab.users().await, lab.events().await);
        slapd.add_user("new").await;
        for limit in [2_000, 9_000, 20_000] {
            wire.cut_after(limit);
            let report = lab.run().await;
            assert_eq!(report.status, Status::Failed, "{report}");
            assert!(report.failure.unwrap().contains("the connection was lost"));
        }
        assert_eq!((lab.users().await, lab.events().await), (before, events));
        wire.cut_after(u64::MAX);
        assert_eq!(lab.run().await.users.created, 1);
    }

    async fn a_dead_server_and_a_wrong_password_fail_in_words(db: &Database) {
        let mut slapd = Slapd::start(Tree::new().users(2)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        slapd.stop();
        let report = lab.run().await;
        assert!(report.failure.as_ref().unwrap().starts_with("No directory server could be reached."), "{report}");
        assert_eq!(lab.users().await.len(), 2);
        slapd.resume().await;
        let mut wrong = config(&slapd.address);
        wrong["bind_dn"] = json!(format!("cn=nobody,{BASE}"));
        lab.configure(wrong).await;
        let report = lab.run().await;
        assert!(report.failure.as_ref().unwrap().contains("the name or the password is wrong"), "{report}");
        assert_eq!((report.status, lab.users().await.len()), (Status::Failed, 2));
        let at = OperatorExtent::assume().connection(&mut lab.store.reader().await.unwrap(), lab.connection).await.unwrap().unwrap();
        let stored = runs::newest(&mut lab.store.reader().await.unwrap(), &at, Timestamp::from_micros(i64::MAX), 10).await.unwrap();
        let words: Vec<&str> = stored.iter().map(|run| run.status.as_str()).collect();
        assert_eq!(words, ["failed", "failed", "done"]);
    }

    async fn another_server_holds_what_it_does_not_have(db: &Database) {
        let first = Slapd::start(Tree::new().users(30)).await;
        let lab = Lab::new(&db.store, &first.address).await;
        done(&lab.run().await);
        // The same users by name, another directory by id.
        let second = Slapd::start(Tree::new().users(1)).await;
        lab.configure(config(&second.address)).await;
        let report = lab.run().await;
        assert_eq!((report.status, report.users.held, report.users.removed), (Status::Held, 30, 0), "{report}");
        assert_eq!(report.held[0].says, "the server is not the one of the runs before");
        assert_eq!(lab.users().await.len(), 30);
        let again = lab.run().await;
        assert_eq!(again.users.held, 30, "it stays held until somebody approves");
    }

    async fn other_sources_are_left_alone(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(4)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let source = lab.world.source();
        let mut pushed = Vec::new();
        for (second, name) in (1..).zip(["u001", "u002", "other"]) {
            let new = NewExternalUser { stable_key: None, said: lab.world.user(json!({"userName": name, "externalId": name})).into() };
            pushed.push(users::create(&db.store, &ctx(second), &source, new, Execution::Real).await.unwrap().value.id);
        }
        users::set_active(&db.store, &ctx(9), &source, pushed[1], false, Execution::Real).await.unwrap();
        let theirs = async || {
            let read = |row: &rolecall::store::Row| Ok((row.get::<Uuid>(0)?, row.get::<String>(1)?, row.get::<String>(3)?, row.get::<i64>(4)?, row.get::<Option<Uuid>>(5)?));
            let at = lab.world.connections[0].connection();
            lab.store.reader().await.unwrap().all(&EVERYTHING_OF, binds![at], read).await.unwrap()
        };
        let before = theirs().await;
        let suspended = before[1].4.unwrap();
        done(&lab.run().await);
        slapd.delete(&user_dn("u003")).await;
        lab.run().await;
        assert_eq!(theirs().await, before);
        assert_eq!(lab.suspensions(suspended).await, 1);
    }

    async fn only_one_run_at_a_time_and_one_that_was_taken_over_writes_nothing_more(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(3)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let first = run::prepare(&lab.env, SLUG, SyncOptions::default()).await.unwrap();
        let second = run::start(&lab.env, SLUG, SyncOptions::default()).await;
        assert!(matches!(second, Err(SyncStartError::Busy(_))), "{second:?}");
        let name = format!("sync:{}", lab.connection);
        lab.store.write(async |tx: &mut Tx| tx.execute(&EXPIRE, binds![&name]).await).await.unwrap();
        let third = run::prepare(&lab.env, SLUG, SyncOptions::default()).await.unwrap();
        let late = first.run().await;
        assert_eq!(late.status, Status::Failed, "{late}");
        assert_eq!(late.failure.unwrap(), "Another process has taken over this connection's runs; this one stopped.");
        assert_eq!(lab.users().await.len(), 0);
        done(&third.run().await);
        assert_eq!(lab.names().await, ["u000", "u001", "u002"]);
    }

    async fn what_cannot_run_says_why(db: &Database) {
        let lab = Lab::new(&db.store, "127.0.0.1:1").await;
        let unknown = run::start(&lab.env, "nobody", SyncOptions::default()).await.unwrap_err();
        assert_eq!(unknown.to_string(), "There is no LDAP connection \"nobody\".");
        lab.configure(json!({"urls": [], "users": {"bases": ["ou=x"]}})).await;
        let settings = run::start(&lab.env, SLUG, SyncOptions::default()).await.unwrap_err();
        assert_eq!(settings.to_string(), "No server address is given.");
        let other = Arc::new(Keyring::parse(&format!("{}A", "B".repeat(42)), "the test").unwrap());
        lab.configure(config("127.0.0.1:1")).await;
        let env = SyncContext { keys: other, ..lab.env.clone() };
        let secret = run::start(&env, SLUG, SyncOptions::default()).await.unwrap_err();
        assert!(secret.to_string().contains("cannot be opened"), "{secret}");
    }
}
