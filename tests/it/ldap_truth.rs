//! What a directory does not show, shows twice, or shows at the wrong moment takes nothing away and lets nobody in; and
//! what a run says of itself is the whole truth.
use std::collections::BTreeMap;
use std::sync::Arc;

use rolecall::connection::ldap::ResolvedLdapSettings;
use rolecall::domain::id::ExternalUserId;
use rolecall::ldap::report::{RecordCounts, Report, Status};
use rolecall::ldap::snapshot::test_connection;
use rolecall::store::{StoreError, Tx, first, tuple};
use rolecall::{binds, statements};
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::ldap_sync::{Lab, config, done, fresh};
use crate::support::database::on_both;
use crate::support::slapd::{BASE, Gate, PASSWORD, Slapd, Tree, group_dn, user_dn};

statements! {
    PROFILE = "UPDATE connections SET profile = $2 WHERE id = $1";
    DOCUMENT = "SELECT document FROM external_users WHERE connection_id = $1 AND user_name = $2";
    LOGINS = "SELECT u.user_name, p.login_name FROM external_users u JOIN live_users p ON p.id = u.user_id \
        WHERE u.connection_id = $1 ORDER BY u.user_name";
    KEYS = "SELECT u.user_name, i.user_id = u.user_id FROM external_users u JOIN match_keys i \
        ON i.directory_id = u.directory_id AND i.match_key = u.match_key WHERE u.connection_id = $1 ORDER BY u.user_name";
    COLLISIONS = "SELECT COUNT(*) FROM events WHERE kind = 'user.login_conflict'";
    JOIN_BY = "UPDATE connections SET matching_attribute = $2 WHERE id = $1";
    ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, 'Help', $3, 1, 0)";
    SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, 'partner', $2)";
    GRANT = "INSERT INTO grants (id, role_id, user_id, scope_id, created_at) VALUES ($1, $1, $2, $1, 0)";
    ASIDE = "SELECT COUNT(*) FROM grants WHERE user_id = $1 AND suspended_at IS NOT NULL";
    LONG_AGO = "UPDATE deleted_external_users SET deleted_at = deleted_at - 172800000000 WHERE connection_id = $1";
    YESTERDAY = "UPDATE sync_removals SET at = at - 90000000000 WHERE connection_id = $1";
    STABLE_KEYS = "SELECT display_name, stable_id FROM external_groups WHERE connection_id = $1 ORDER BY display_name";
}

/// Every outcome is one count, and the sum is what was read.
fn adds_up(report: &Report) {
    for (what, read, counts) in
        [("users", report.read.users, &report.users), ("groups", report.read.groups, &report.groups)]
    {
        let RecordCounts { created, changed, unchanged, waiting, skipped, .. } = counts;
        assert_eq!(created + changed + unchanged + waiting + skipped, read, "{what}: {report}");
    }
}

async fn run(lab: &Lab) -> Report {
    let foreseen = lab.dry().await;
    let report = lab.run().await;
    adds_up(&foreseen);
    adds_up(&report);
    assert_eq!(foreseen.status, report.status, "{foreseen}\n{report}");
    // Who waits for a match is known only when it is there.
    let of = |report: &Report| {
        let users = RecordCounts { for_review: 0, ..report.users.clone() };
        (users, report.groups.clone(), report.members.clone(), report.nested.clone())
    };
    assert_eq!(of(&foreseen), of(&report), "what is foreseen is what comes");
    report
}

impl Lab {
    async fn active(&self) -> Vec<String> {
        let users = self.users().await;
        users.into_iter().filter(|(_, (_, active))| *active).map(|(name, _)| name).collect()
    }

    async fn ids(&self) -> BTreeMap<ExternalUserId, String> {
        self.users().await.into_iter().map(|(name, (id, _))| (id, name)).collect()
    }

    async fn document(&self, user_name: &str) -> Json {
        let text: String = self.ask(&DOCUMENT, user_name).await;
        serde_json::from_str(&text).unwrap()
    }

    async fn ask(&self, statement: &'static rolecall::store::Statement, name: &str) -> String {
        self.store.reader().await.unwrap().one(statement, binds![self.connection, name], first).await.unwrap()
    }

    async fn alter(&self, statement: &'static rolecall::store::Statement, word: Option<&str>) {
        let connection = self.connection;
        let work = async |tx: &mut Tx| match word {
            Some(word) => tx.execute(statement, binds![connection, word]).await,
            None => tx.execute(statement, binds![connection]).await,
        };
        self.store.write(work).await.unwrap();
    }

    /// A role that somebody granted by hand.
    async fn grant(&self, user: Uuid) {
        let (role, partner) = (fresh(), self.world.partner);
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            tx.execute(&ROLE, binds![role, partner, role.as_bytes().to_vec()]).await?;
            tx.execute(&SCOPE, binds![role, partner]).await?;
            tx.execute(&GRANT, binds![role, user]).await.map(drop)
        };
        self.store.write(work).await.unwrap();
    }

    async fn suspended_grants(&self, user: Uuid) -> i64 {
        self.store.reader().await.unwrap().one(&ASIDE, binds![user], first).await.unwrap()
    }

    async fn as_active_directory(&self, address: &str) {
        let mut config = config(address);
        config["id"] = json!("entryUUID");
        config["attributes"] = json!({"user_name": ["uid"]});
        config["users"]["filter"] = json!("(objectClass=inetOrgPerson)");
        config["groups"]["filter"] = json!("(objectClass=groupOfNames)");
        self.configure(config).await;
        self.alter(&PROFILE, Some("active_directory")).await;
    }
}

fn controlled(tree: &mut Tree, uid: &str, control: &str) {
    let (dn, mail) = (user_dn(uid), format!("{uid}@example.org"));
    let classes = [("objectClass", "inetOrgPerson"), ("objectClass", "likeActiveDirectory")];
    let rest = [("uid", uid), ("cn", uid), ("sn", uid), ("mail", &mail), ("userAccountControl", control)];
    tree.entry(&dn, &[classes.as_slice(), rest.as_slice()].concat());
}

fn all(users: std::ops::Range<usize>) -> Vec<String> {
    users.map(|number| user_dn(&format!("u{number:03}"))).collect()
}

on_both! {
    async fn an_account_control_that_may_not_be_read_lets_nobody_in(db: &Database) {
        let mut tree = Tree::new();
        for number in 0..40 {
            controlled(&mut tree, &format!("u{number:03}"), if number % 2 == 0 { "514" } else { "512" });
        }
        let mut slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        lab.as_active_directory(&slapd.address).await;
        done(&run(&lab).await);
        let before = lab.users().await;
        assert_eq!(lab.active().await.len(), 20);
        for hidden in [format!("dn.exact=\"{}\" attrs=userAccountControl", user_dn("u000")), "attrs=userAccountControl".to_owned()] {
            slapd.hide(&hidden).await;
            let report = run(&lab).await;
            done(&report);
            assert!(!report.changes_something(), "{report}");
            assert_eq!(lab.users().await, before);
        }
        slapd.add_user("new").await;
        let report = run(&lab).await;
        assert_eq!((report.users.created, report.users.skipped), (0, 1), "{report}");
        assert_eq!(report.skipped[0].why, "whether it is switched off cannot be read (userAccountControl)");

        slapd.hide("").await;
        for number in [0, 2, 4] {
            slapd.set(&user_dn(&format!("u{number:03}")), "userAccountControl", &["512"]).await;
        }
        let report = run(&lab).await;
        assert_eq!((report.status, report.users.switched_on, report.users.held), (Status::Held, 0, 3), "{report}");
        assert_eq!(report.held[0].says, "3 of 40 users would be switched on at once, more than 5 %");
        assert_eq!(lab.active().await.len(), 20);
        slapd.set(&user_dn("u001"), "userAccountControl", &["514"]).await;
        let again = run(&lab).await;
        assert_eq!((again.users.switched_off, again.users.held), (1, 3), "who is switched off never waits: {again}");
        let approved = lab.approve(again.run).await;
        assert_eq!((approved.status, approved.users.switched_on), (Status::Done, 3), "{approved}");
        assert_eq!(lab.active().await.len(), 22);
    }

    async fn a_lock_that_may_not_be_read_is_still_a_lock(db: &Database) {
        let mut tree = Tree::new();
        tree.users(40);
        let mut slapd = Slapd::start(&tree).await;
        for number in 0..10 {
            slapd.set(&user_dn(&format!("u{number:03}")), "pwdAccountLockedTime", &["000001010000Z"]).await;
        }
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&run(&lab).await);
        assert_eq!(lab.active().await.len(), 30);
        // Of one: the server is asked whether it still holds what it does not show.
        slapd.hide(&format!("dn.exact=\"{}\" attrs=pwdAccountLockedTime", user_dn("u000"))).await;
        done(&lab.run().await);
        assert_eq!(lab.active().await.len(), 30);
        // Of all: many at once wait.
        slapd.hide("attrs=pwdAccountLockedTime").await;
        let report = lab.run().await;
        assert_eq!((report.status, report.users.held, lab.active().await.len()), (Status::Held, 10, 30), "{report}");
        adds_up(&report);
        slapd.hide("").await;
        slapd.set(&user_dn("u000"), "pwdAccountLockedTime", &[]).await;
        let report = run(&lab).await;
        done(&report);
        assert_eq!((report.users.switched_on, lab.active().await.len()), (1, 31), "{report}");
    }

    async fn what_many_lose_at_once_stays_until_somebody_looked(db: &Database) {
        let mut tree = Tree::new();
        tree.users(20);
        let mut slapd = Slapd::start(&tree).await;
        for number in 0..20 {
            slapd.set(&user_dn(&format!("u{number:03}")), "departmentNumber", &["IT"]).await;
            slapd.set(&user_dn(&format!("u{number:03}")), "title", &["Clerk"]).await;
        }
        let lab = Lab::new(&db.store, &slapd.address).await;
        let mut there = config(&slapd.address);
        there["disabled"] = json!([{"attribute": "title", "present": false}]);
        lab.configure(there).await;
        done(&run(&lab).await);
        const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        slapd.set(&user_dn("u001"), "departmentNumber", &[]).await;
        done(&run(&lab).await);
        assert_eq!(lab.document("u001").await[ENTERPRISE]["department"], Json::Null, "one is a change");

        slapd.hide("attrs=departmentNumber,title,mail").await;
        slapd.set(&user_dn("u003"), "sn", &["Changed"]).await;
        let report = run(&lab).await;
        assert_eq!(report.status, Status::Held, "{report}");
        let held: Vec<(&str, usize)> = ["part", "switch_off"]
            .map(|kind| (kind, report.held.iter().filter(|line| line.kind == kind).count())).into();
        assert_eq!(held, [("part", 3), ("switch_off", 20)], "{report}");
        assert_eq!((report.users.changed, report.users.waiting), (1, 19), "what else is said is taken: {report}");
        assert_eq!(lab.active().await.len(), 20);
        let two = lab.document("u002").await;
        assert_eq!((&two[ENTERPRISE]["department"], &two["emails"][0]["value"]), (&json!("IT"), &json!("u002@example.org")));
        assert_eq!(lab.document("u003").await["name"]["familyName"], "Changed");
        let again = run(&lab).await;
        assert_eq!((again.users.changed, again.held.len()), (0, 23), "{again}");
        let approved = lab.approve(again.run).await;
        done(&approved);
        assert_eq!(lab.document("u002").await[ENTERPRISE]["department"], Json::Null);
        assert_eq!(lab.active().await.len(), 0);
        let last = run(&lab).await;
        assert!(!last.changes_something() && last.status == Status::Done, "{last}");
    }

    async fn who_moves_while_it_is_read_is_not_gone(db: &Database) {
        let mut tree = Tree::new();
        tree.users(30);
        tree.entry(&format!("uid=mover,ou=leavers,{BASE}"), &[("objectClass", "inetOrgPerson"), ("uid", "mover"), ("cn", "m"), ("sn", "m")]);
        let moving = format!("uid=mover,ou=leavers,{BASE}");
        tree.group("all", &[moving.clone(), user_dn("u001"), user_dn("u002")]);
        for other in 0..6 {
            tree.group(&format!("other{other}"), &all(0..30));
        }
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let mut both = config(&slapd.address);
        both["users"]["bases"] = json!([format!("ou=people,{BASE}"), format!("ou=leavers,{BASE}")]);
        lab.configure(both.clone()).await;
        done(&run(&lab).await);
        let (before, members, user) = (lab.users().await, lab.members().await, lab.user("mover").await);
        lab.grant(user).await;

        // After the first base was read, and before the second is.
        let gate = Gate::to(&slapd.address, 1_000).await;
        both["urls"] = json!([format!("ldap://{}", gate.address)]);
        lab.configure(both.clone()).await;
        let meanwhile = async {
            gate.stopped().await;
        slapd.rename(&moving, "uid=mover", Some(&format!("ou=people,{BASE}"))).await;
        slapd.set(&group_dn("all"), "member", &[&user_dn("mover"), &user_dn("u001"), &user_dn("u002")]).await;
            gate.open();
        };
        let (report, ()) = tokio::join!(lab.run(), meanwhile);
        done(&report);
        assert_eq!((report.users.removed, report.read.found_again), (0, 1), "{report}");
        assert_eq!((lab.users().await, lab.members().await), (before, members.clone()));
        let report = run(&lab).await;
        done(&report);
        assert_eq!((lab.user("mover").await, lab.suspensions(user).await, lab.suspended_grants(user).await), (user, 0, 0));

        // Renamed after users were read: the group names somebody who was not read under that name.
        let gate = Gate::to(&slapd.address, 9_000).await;
        both["urls"] = json!([format!("ldap://{}", gate.address)]);
        lab.configure(both).await;
        let meanwhile = async {
            gate.stopped().await;
        slapd.rename(&user_dn("u001"), "uid=u001x", None).await;
        slapd.set(&group_dn("all"), "member", &[&user_dn("mover"), &user_dn("u001x"), &user_dn("u002")]).await;
            gate.open();
        };
        let (report, ()) = tokio::join!(lab.run(), meanwhile);
        done(&report);
        assert_eq!((report.users.removed, report.members.removed, lab.members().await), (0, 0, members), "{report}");
    }

    async fn what_a_mistake_took_away_is_returned_and_a_leaver_waits(db: &Database) {
        let mut tree = Tree::new();
        tree.users(30).group("all", &[user_dn("u001"), user_dn("u002")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&run(&lab).await);
        let (id, user) = (lab.users().await["u001"].0, lab.user("u001").await);
        lab.grant(user).await;
        let away = format!("uid=u001,ou=leavers,{BASE}");
        for long in [false, true] {
            slapd.rename(&user_dn("u001"), "uid=u001", Some(&format!("ou=leavers,{BASE}"))).await;
            let report = run(&lab).await;
            assert_eq!((report.users.removed, lab.suspensions(user).await), (1, 1), "{report}");
            if long {
                lab.alter(&LONG_AGO, None).await;
            }
            slapd.rename(&away, "uid=u001", Some(&format!("ou=people,{BASE}"))).await;
            done(&lab.run().await);
            assert_eq!(lab.users().await["u001"].0, id, "the same, also for undoing");
            assert_eq!((lab.user("u001").await, lab.suspensions(user).await), (user, 0));
            assert_eq!(lab.suspended_grants(user).await, i64::from(long));
        }
    }

    async fn logins_that_go_in_circles_arrive(db: &Database) {
        let mut tree = Tree::new();
        tree.users(24);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        lab.alter(&JOIN_BY, Some("mail")).await;
        done(&run(&lab).await);
        let before: BTreeMap<String, ExternalUserId> = lab.users().await.into_iter().map(|(name, (id, _))| (name, id)).collect();
        // A pair, a ring of five, a chain out of which somebody goes and into which somebody comes, a switch off in a ring.
        let mut wanted = BTreeMap::new();
        for ring in [vec![0, 1], vec![2, 3, 4, 5, 6], vec![7, 8, 9]] {
            for (at, one) in ring.iter().enumerate() {
                wanted.insert(format!("u{one:03}"), format!("u{:03}", ring[(at + 1) % ring.len()]));
            }
        }
        wanted.extend([("u010", "u011"), ("u011", "u012")].map(|(from, to)| (from.to_owned(), to.to_owned())));
        slapd.set(&user_dn("u007"), "pwdAccountLockedTime", &["000001010000Z"]).await;
        slapd.delete(&user_dn("u012")).await;
        for name in wanted.keys() {
            slapd.rename(&user_dn(name), &format!("uid=old-{name}"), None).await;
        }
        for (from, to) in &wanted {
            slapd.rename(&user_dn(&format!("old-{from}")), &format!("uid={to}"), None).await;
            slapd.set(&user_dn(to), "mail", &[&format!("{to}@example.org")]).await;
        }
        slapd.add_user("u010").await;
        let report = run(&lab).await;
        done(&report);
        assert_eq!((report.users.skipped, report.users.removed, report.users.created), (0, 1, 1), "{report}");
        let after = lab.ids().await;
        for (from, to) in &wanted {
            assert_eq!(&after[&before[from]], to);
        }
        assert!(!lab.users().await["u008"].1, "who is switched off in a ring is off");
        let mut reader = lab.store.reader().await.unwrap();
        let logins: Vec<(String, Option<String>)> = reader.all(&LOGINS, binds![lab.connection], tuple).await.unwrap();
        // Who is gone still has the login of before, so nobody takes it over by taking the name.
        let free = |name: &str| name != "u012";
        assert!(logins.iter().all(|(name, login)| (login.as_ref() == Some(name)) == free(name)), "{logins:?}");
        let keys: Vec<(String, bool)> = reader.all(&KEYS, binds![lab.connection], tuple).await.unwrap();
        assert!(keys.len() == 24 && keys.iter().all(|(_, own)| *own), "each key names its own user: {keys:?}");
        let collisions: i64 = reader.one(&COLLISIONS, binds![], first).await.unwrap();
        assert_eq!(collisions, 1, "of that one alone");
        drop(reader);
        let again = run(&lab).await;
        assert!(!again.changes_something(), "{again}");
    }

    async fn who_wants_the_login_of_somebody_who_stays_is_skipped_and_foreseen(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(40)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&run(&lab).await);
        // Those who go wait for approval, so their logins are not free: for a newcomer and for a chain of renames.
        for name in ["u000", "u001", "u002"] {
            slapd.delete(&user_dn(name)).await;
        }
        slapd.add_user("u000").await;
        for (from, to) in [("u003", "u001"), ("u004", "u003")] {
            slapd.rename(&user_dn(from), &format!("uid={to}"), None).await;
        }
        let report = run(&lab).await;
        assert_eq!((report.status, report.users.held, report.users.skipped), (Status::Held, 3, 3), "{report}");
        assert_eq!(report.skipped[0].why, "its login name still belongs to another entry of this connection");
        let approved = lab.approve(report.run).await;
        adds_up(&approved);
        assert_eq!((approved.users.removed, approved.users.created, approved.users.renamed, approved.users.skipped), (3, 1, 2, 0), "{approved}");
    }

    async fn another_directory_waits_as_a_whole(db: &Database) {
        let tree = |more: bool| {
            let mut tree = Tree::new();
            tree.users(12).group("all", &all(0..12));
            if more {
                tree.user("stranger").group("more", &[user_dn("stranger")]);
            }
            tree
        };
        let (one, other) = (Slapd::start(&tree(false)).await, Slapd::start(&tree(true)).await);
        let lab = Lab::new(&db.store, &one.address).await;
        done(&run(&lab).await);
        let (users, groups, events) = (lab.users().await, lab.groups().await, lab.events().await);
        lab.configure(config(&other.address)).await;
        let held = run(&lab).await;
        assert_eq!((held.status, held.users.created, held.groups.created), (Status::Held, 0, 0), "{held}");
        assert_eq!((held.users.waiting, held.groups.waiting, held.users.held), (13, 2, 12));
        assert_eq!((held.held[0].kind.as_str(), held.held[0].says.as_str()), ("read", "the server is not the one of the runs before"));
        assert_eq!((lab.users().await, lab.groups().await, lab.events().await), (users.clone(), groups, events));

        // Back to the right one, and nothing is left of it.
        lab.configure(config(&one.address)).await;
        let report = run(&lab).await;
        assert!(!report.changes_something() && report.status == Status::Done, "{report}");
        // An approval is for the server that was looked at.
        lab.configure(config(&other.address)).await;
        let approved = lab.approve(held.run).await;
        done(&approved);
        assert_eq!((approved.users.removed, approved.users.created, approved.groups.created), (12, 13, 2), "{approved}");
        done(&run(&lab).await);
        lab.configure(config(&one.address)).await;
        let wrong = lab.approve(held.run).await;
        assert_eq!((wrong.status, wrong.users.created), (Status::Held, 0), "{wrong}");
    }

    async fn a_read_made_in_another_way_waits_and_says_what_was_changed(db: &Database) {
        let mut tree = Tree::new();
        tree.users(12).group("all", &all(0..12));
        for number in 0..3 {
            tree.entry(&format!("uid=x{number},ou=leavers,{BASE}"), &[("objectClass", "inetOrgPerson"), ("uid", &format!("x{number}")), ("cn", "x"), ("sn", "x")]);
        }
        let mut slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&run(&lab).await);
        let (users, events) = (lab.users().await, lab.events().await);
        let changes: [(&str, Json, &str, bool); 6] = [
            ("users", json!({"bases": [format!("ou=leavers,{BASE}")]}), "users are no longer read below \"ou=people,dc=example,dc=org\"", true),
            ("users", json!({"bases": [format!("ou=people,{BASE}"), format!("ou=leavers,{BASE}")]}), "users are read below \"ou=leavers,dc=example,dc=org\" too", true),
            ("groups", Json::Null, "groups are no longer read", true),
            ("id", json!("uid"), "entries are recognised by uid and no longer by entryuuid", true),
            ("users", json!({"bases": [format!("ou=people,{BASE}")], "filter": "(uid=u00*)"}), "the filter for users is (uid=u00*)", false),
            ("groups", json!({"bases": [format!("ou=groups,{BASE}")], "filter": "(cn=none)"}), "the filter for groups is (cn=none)", false),
        ];
        for (key, value, part, whole) in changes {
            let mut changed = config(&slapd.address);
            changed[key] = value;
            lab.configure(changed).await;
            let report = run(&lab).await;
            assert_eq!((report.status, report.held[0].kind == "read"), (Status::Held, whole), "{part}: {report}");
            assert!(report.held.iter().all(|line| line.says.contains("the settings were changed") && line.says.contains(part)), "{part}: {report}");
            assert_eq!((&lab.users().await, lab.events().await), (&users, events), "{part}");
        }
        lab.configure(config(&slapd.address)).await;
        slapd.hide(&format!("dn.exact=\"ou=people,{BASE}\" attrs=entryUUID")).await;
        slapd.add_user("new").await;
        let report = run(&lab).await;
        assert!(report.held[0].says.starts_with("the server no longer shows the ids of its bases"), "{report}");
        assert_eq!(lab.users().await, users);
        slapd.hide("").await;
        done(&run(&lab).await);
        assert_eq!(lab.users().await.len(), 13);
    }

    async fn groups_and_memberships_wait_by_their_share_of_all_over_runs_too(db: &Database) {
        let mut tree = Tree::new();
        tree.users(10);
        for group in 0..12 {
            tree.group(&format!("g{group:02}"), &all(0..10));
        }
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&run(&lab).await);
        // 120 memberships, no rule anywhere: at most 24 and at most two groups go within a day.
        slapd.delete(&group_dn("g00")).await;
        done(&run(&lab).await);
        slapd.delete(&group_dn("g01")).await;
        let report = run(&lab).await;
        done(&report);
        assert_eq!((report.groups.removed, lab.groups().await.len()), (1, 10), "{report}");
        slapd.set(&group_dn("g02"), "member", &all(0..5).iter().map(String::as_str).collect::<Vec<_>>()).await;
        slapd.add_user("new").await;
        let report = run(&lab).await;
        assert_eq!((report.status, report.members.held, report.users.created), (Status::Held, 5, 1), "{report}");
        assert_eq!(report.held[0].says, "25 of 120 memberships would be gone within 24 hours, more than 20 %");
        slapd.delete(&group_dn("g03")).await;
        let report = run(&lab).await;
        assert_eq!((report.groups.held, report.members.held), (1, 5), "{report}");
        assert!(report.held.iter().any(|line| line.says == "3 of 12 groups would be gone within 24 hours, more than 20 %"), "{report}");
        assert_eq!((lab.groups().await.len(), lab.members().await.len()), (10, 100));
        lab.alter(&YESTERDAY, None).await;
        let report = run(&lab).await;
        done(&report);
        assert_eq!((lab.groups().await.len(), lab.members().await.len()), (9, 85), "{report}");
        // What was approved does not count against the next run.
        lab.alter(&YESTERDAY, None).await;
        for group in ["g04", "g05", "g06"] {
            slapd.delete(&group_dn(group)).await;
        }
        let held = run(&lab).await;
        assert_eq!((held.status, held.groups.held), (Status::Held, 3), "{held}");
        done(&lab.approve(held.run).await);
        slapd.delete(&group_dn("g07")).await;
        done(&run(&lab).await);
    }

    async fn while_what_is_read_contradicts_itself_nobody_is_missing(db: &Database) {
        let mut tree = Tree::new();
        tree.users(12).group("all", &all(0..12));
        let slapd = Slapd::start(&tree).await;
        for number in 0..12 {
            slapd.set(&user_dn(&format!("u{number:03}")), "employeeNumber", &[&format!("n{number}")]).await;
        }
        slapd.set(&group_dn("all"), "description", &["g1"]).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let mut by_number = config(&slapd.address);
        by_number["id"] = json!("employeeNumber");
        by_number["groups"] = Json::Null;
        lab.configure(by_number).await;
        done(&run(&lab).await);
        let before = lab.users().await;
        slapd.delete(&user_dn("u011")).await;
        slapd.set(&user_dn("u001"), "employeeNumber", &["N0"]).await;
        let report = run(&lab).await;
        assert_eq!((report.users.removed, report.users.skipped, report.read.whole), (0, 2, false), "{report}");
        assert_eq!(report.read.doubt.as_deref(), Some("two entries have the id n0"));
        assert!(report.to_string().contains("nothing counts as removed, because two entries have the id n0"), "{report}");
        assert_eq!(lab.users().await, before);
        slapd.set(&user_dn("u001"), "employeeNumber", &[]).await;
        let report = run(&lab).await;
        assert!(report.read.doubt.as_ref().unwrap().contains("it has no employeeNumber that can be read"), "{report}");
        assert_eq!(lab.users().await, before);
        slapd.set(&user_dn("u001"), "employeeNumber", &["n1"]).await;
        let report = run(&lab).await;
        assert_eq!((report.users.removed, lab.users().await.len()), (1, 11), "{report}");
    }

    async fn a_run_in_which_nobody_counts_is_not_done(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(20)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let cases = [
            ("id", json!("employeeNumber"), "None of the 20 users who were read can be taken", 20),
            ("attributes", json!({"user_name": ["employeeNumber"]}), "None of the 20 users who were read can be taken", 20),
            ("users", json!({"bases": [format!("ou=leavers,{BASE}")]}), "Nobody was read: below the bases nothing matches", 0),
        ];
        for (key, value, says, aside) in cases {
            let mut wrong = config(&slapd.address);
            wrong[key] = value;
            lab.configure(wrong.clone()).await;
            let report = run(&lab).await;
            assert_eq!((report.status, report.users.skipped), (Status::Failed, aside), "{report}");
            assert!(report.failure.as_ref().unwrap().starts_with(says), "{report}");
            let settings = Arc::new(ResolvedLdapSettings::from_json("openldap", &wrong).unwrap());
            let steps = test_connection(settings, Some(SecretString::from(PASSWORD)), lab.env.guard.clone()).await;
            let users = steps.iter().find(|step| step.title == "Read users").unwrap();
            assert!(!users.passed, "{steps:?}");
        }
        lab.configure(config(&slapd.address)).await;
        done(&run(&lab).await);
        assert_eq!(lab.users().await.len(), 20);
    }

    async fn users_who_wait_for_a_match_are_counted(db: &Database) {
        let slapd = Slapd::start(Tree::new().users(4)).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let source = lab.world.source();
        let said = lab.world.user(json!({"userName": "u001", "externalId": "u001"})).into();
        let new = rolecall::provision::users::NewExternalUser { stable_key: None, said };
        let ctx = crate::support::world::ctx(1);
        rolecall::provision::users::create(&db.store, &ctx, &source, new, rolecall::provision::Execution::Real).await.unwrap();
        let report = run(&lab).await;
        assert_eq!((report.users.created, report.users.for_review), (4, 1), "{report}");
        assert!(report.to_string().contains("1 wait until somebody decides who they are"), "{report}");
    }
}
