//! Rules and the groups they ask for: a name is bound once there is one and only one group that has it, in whatever
//! order groups come and by whatever connection; and a group that goes and comes back is the one it was.
use rolecall::cli::doctor::examine;
use rolecall::domain::id::{ExternalGroupId, Id as _};
use rolecall::provision::groups::{self, GroupInput, NewExternalGroup};
use rolecall::provision::{Execution, ProvisionSource};
use rolecall::scim::resource::{Document, MemberKind, MemberRef};
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, StoreError, Tx, first, reserved_groups};
use rolecall::{binds, statements};
use serde_json::json;
use uuid::Uuid;

use crate::ldap_sync::{Lab, config, done};
use crate::support::database::on_both;
use crate::support::slapd::{BASE, Slapd, Tree, group_dn, user_dn};
use crate::support::world::{World, ctx, fresh_id};

statements! {
    RULE = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, when_text, effect, created_at) \
        VALUES ($1, $2, 1, $3, 'keep', '', 'add_to_group', 0)";
    ATOM = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, 0, $2, 'group', FALSE)";
    AWAIT = "INSERT INTO reserved_external_groups (directory_id, name_key, id, name) VALUES ($1, $2, $3, $4)";
    ASKED = "SELECT set_id FROM rule_criteria WHERE rule_id = $1";
    LATER = "UPDATE reserved_external_groups SET bound_at = bound_at - 90000000000";
    OLD = "UPDATE deleted_external_groups SET deleted_at = 1";
    KEPT = "SELECT COUNT(*) FROM deleted_external_groups";
    GROUP_ID = "SELECT id FROM external_groups WHERE connection_id = $1 AND display_name = $2";
    CLEAR = "DELETE FROM rule_criteria WHERE rule_id = $1";
    BOUND_EVENTS = "SELECT COUNT(*) FROM events WHERE kind = 'rule_set.bound'";
}

async fn number(store: &Store, statement: &'static rolecall::store::Statement) -> i64 {
    store.reader().await.unwrap().one(statement, binds![], first).await.unwrap()
}

/// A rule that was written before the directory said a group of this name; its id, and the id kept for the group.
async fn rule(store: &Store, directory: impl rolecall::domain::id::Id, name: &str) -> (Uuid, Uuid) {
    let (rule, kept, directory) = (fresh_id(), fresh_id(), directory.uuid());
    let ordinal = (rule.as_u128() & 0xffff_ffff) as i64;
    let key = name.to_lowercase().into_bytes();
    let work = async |tx: &mut Tx| -> Result<(), StoreError> {
        tx.execute(&RULE, binds![rule, directory, ordinal]).await?;
        tx.execute(&ATOM, binds![rule, kept]).await?;
        tx.execute(&AWAIT, binds![directory, key.clone(), kept, name]).await.map(drop)
    };
    store.write(work).await.unwrap();
    (rule, kept)
}

async fn asked(store: &Store, rule: Uuid) -> Uuid {
    store.reader().await.unwrap().one(&ASKED, binds![rule], first).await.unwrap()
}

/// Why rules ask for groups that are not there.
async fn loose(store: &Store) -> Vec<String> {
    let mut reader = store.reader().await.unwrap();
    let found = reserved_groups::loose_anywhere(&mut reader, &OperatorExtent::assume()).await.unwrap();
    found.into_iter().map(|loose| loose.why).collect()
}

fn document(world: &World, name: &str, external_id: Option<&str>) -> Document {
    let mut document = world.group(name);
    document.extend(external_id.map(|id| ("externalId".to_owned(), json!(id))));
    document
}

async fn create(
    store: &Store,
    world: &World,
    source: &ProvisionSource<'_>,
    name: &str,
    external_id: Option<&str>,
) -> ExternalGroupId {
    let document = document(world, name, external_id);
    let new = NewExternalGroup { stable_key: None, document, members: vec![], row_hash: None };
    groups::create(store, &fresh_ctx(), source, &new, Execution::Real).await.unwrap().value.id
}

async fn rename(store: &Store, world: &World, source: &ProvisionSource<'_>, id: ExternalGroupId, name: &str) {
    let document = world.group(name);
    let change = |_: &Document| Ok(GroupInput { document: document.clone(), members: vec![], row_hash: None });
    groups::update(store, &fresh_ctx(), source, id, None, &change, Execution::Real).await.unwrap();
}

async fn delete(store: &Store, source: &ProvisionSource<'_>, id: ExternalGroupId) {
    groups::delete(store, &fresh_ctx(), source, id, None, Execution::Real).await.unwrap();
}

fn fresh_ctx() -> rolecall::domain::ctx::Ctx {
    rolecall::clock::Clock.ctx(rolecall::domain::ctx::Actor::System)
}

on_both! {
    async fn a_name_is_bound_to_the_only_group_that_has_it_in_any_order_and_by_any_connection(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let (here, there) = (world.source(), world.at(world.connections[1]));
        for (case, connections) in [("one connection", [&here, &here]), ("two connections", [&here, &there]), ("the other way", [&there, &here])] {
            let name = format!("Twins {case}");
            let (rule, kept) = rule(store, world.directory, &name).await;
            assert_eq!(loose(store).await, ["awaited"], "{case}: none");
            let one = create(store, &world, connections[0], &name.to_uppercase(), None).await;
            assert_eq!(asked(store, rule).await, one.uuid(), "{case}: one");
            assert_eq!(loose(store).await, [""; 0]);
            let two = create(store, &world, connections[1], &name, None).await;
            assert_eq!(asked(store, rule).await, kept, "{case}: two, so neither");
            assert_eq!(loose(store).await, ["several"]);
            assert!(examine(store).await.unwrap().iter().any(|line| line.contains(&format!("More than one group is called “{name}”"))));
            let three = create(store, &world, connections[1], &name, None).await;
            rename(store, &world, connections[1], three, "elsewhere").await;
            assert_eq!(asked(store, rule).await, kept, "{case}: three, and two again");
            delete(store, connections[0], one).await;
            assert_eq!(asked(store, rule).await, two.uuid(), "{case}: one is left");
            delete(store, connections[1], two).await;
            assert_eq!((asked(store, rule).await, loose(store).await), (two.uuid(), vec!["gone".to_owned()]), "{case}: bound once");
            create(store, &world, connections[0], &name, None).await;
            assert_eq!(asked(store, rule).await, two.uuid(), "{case}: a newcomer of the name retargets nothing");
            let back = async |tx: &mut Tx| tx.execute(&CLEAR, binds![rule]).await;
            store.write(back).await.unwrap();
        }
        assert!(number(store, &BOUND_EVENTS).await >= 9);
    }

    async fn a_rename_binds_and_unbinds_and_after_a_day_nothing_does(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let (rule, kept) = rule(store, world.directory, "Ops").await;
        let one = create(store, &world, &source, "Opps", None).await;
        assert_eq!(asked(store, rule).await, kept);
        rename(store, &world, &source, one, "Ops").await;
        assert_eq!(asked(store, rule).await, one.uuid());
        let two = create(store, &world, &source, "Ops two", None).await;
        rename(store, &world, &source, two, "ops").await;
        assert_eq!(asked(store, rule).await, kept);
        rename(store, &world, &source, one, "Operations").await;
        assert_eq!(asked(store, rule).await, two.uuid());
        store.write(async |tx: &mut Tx| tx.execute(&LATER, binds![]).await).await.unwrap();
        rename(store, &world, &source, one, "Ops").await;
        assert_eq!(asked(store, rule).await, two.uuid(), "a name that was clear for a day stays bound");
        rename(store, &world, &source, two, "Renamed").await;
        assert_eq!(asked(store, rule).await, two.uuid(), "and a rename is followed");
    }

    async fn two_of_one_name_in_one_read_are_refused(db: &Database) {
        let mut tree = Tree::new();
        tree.users(4);
        for (at, place) in ["groups", "leavers"].into_iter().enumerate() {
            let member = user_dn(&format!("u00{at}"));
            tree.entry(&format!("cn=twin,ou={place},{BASE}"), &[("objectClass", "groupOfNames"), ("cn", "twin"), ("member", &member)]);
        }
        tree.group("single", &[user_dn("u002")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        let mut wide = config(&slapd.address);
        wide["groups"]["bases"] = json!([BASE]);
        lab.configure(wide).await;
        let directory = lab.world.stranger.directory();
        let (twin, kept) = rule(&lab.store, directory, "twin").await;
        let (single, _) = rule(&lab.store, directory, "single").await;
        done(&lab.run().await);
        assert_eq!(asked(&lab.store, twin).await, kept);
        assert_eq!(loose(&lab.store).await, ["several"]);
        let mut reader = lab.store.reader().await.unwrap();
        let bound: Uuid = reader.one(&GROUP_ID, binds![lab.connection, "single"], first).await.unwrap();
        assert_eq!(asked(&lab.store, single).await, bound);
    }

    async fn a_group_that_vanished_and_is_back_is_the_one_it_was(db: &Database) {
        let mut tree = Tree::new();
        tree.users(6).group("mapped", &[user_dn("u000")]).group("outer", &[group_dn("mapped"), user_dn("u001")]);
        for other in 0..8 {
            tree.group(&format!("other{other}"), &[user_dn("u001"), user_dn("u002"), user_dn("u003")]);
        }
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        done(&lab.run().await);
        lab.map("mapped").await;
        let id = async || -> Option<Uuid> {
            lab.store.reader().await.unwrap().optional(&GROUP_ID, binds![lab.connection, "mapped"], first).await.unwrap()
        };
        let before = id().await.unwrap();
        let away = format!("cn=mapped,ou=leavers,{BASE}");
        for _ in 0..2 {
            slapd.rename(&group_dn("mapped"), "cn=mapped", Some(&format!("ou=leavers,{BASE}"))).await;
            slapd.set(&group_dn("outer"), "member", &[&user_dn("u001")]).await;
            let report = lab.run().await;
            assert_eq!((report.groups.removed, id().await), (1, None), "{report}");
            assert_eq!(loose(&lab.store).await, ["gone"]);
            let found = examine(&lab.store).await.unwrap();
            assert!(found.iter().any(|line| line.contains("It asks for the group “mapped”, which is gone")), "{found:?}");
            // Kept for as long as a rule asks for it, however long that is.
            lab.store.write(async |tx: &mut Tx| tx.execute(&OLD, binds![]).await).await.unwrap();
            rolecall::jobs::purge::turn(&lab.store, rolecall::clock::Clock, 1).await.unwrap();
            assert_eq!(number(&lab.store, &KEPT).await, 1);
            slapd.rename(&away, "cn=mapped", Some(&format!("ou=groups,{BASE}"))).await;
            slapd.set(&group_dn("outer"), "member", &[&group_dn("mapped"), &user_dn("u001")]).await;
            let report = lab.run().await;
            done(&report);
            assert_eq!((report.groups.created, id().await), (1, Some(before)), "{report}");
            assert_eq!(loose(&lab.store).await, [""; 0]);
            assert_eq!((lab.effective("mapped").await, lab.effective("outer").await), (vec!["u000".to_owned()], vec!["u000".to_owned(), "u001".to_owned()]));
            assert_eq!(number(&lab.store, &KEPT).await, 0);
        }
    }

    async fn a_pushed_group_is_known_again_by_its_external_id(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let (rule, _) = rule(store, world.directory, "Ops").await;
        let one = create(store, &world, &source, "Ops", Some("ext-1")).await;
        let outer = create(store, &world, &source, "Outer", Some("ext-2")).await;
        assert_eq!(asked(store, rule).await, one.uuid());
        delete(store, &source, one).await;
        assert_eq!(loose(store).await, ["gone"]);
        let elsewhere = create(store, &world, &world.at(world.connections[1]), "Other", Some("ext-1")).await;
        assert_ne!(elsewhere, one, "another connection's external id is another group's");
        let nameless = create(store, &world, &source, "Ops", None).await;
        assert_ne!(nameless, one);
        let back = create(store, &world, &source, "Operations", Some("ext-1")).await;
        assert_eq!((back, asked(store, rule).await, loose(store).await), (one, one.uuid(), vec![]));
        let read = groups::get(&mut store.reader().await.unwrap(), &source, one).await.unwrap().unwrap();
        assert_eq!((read.display_name.as_str(), read.version), ("Operations", 2));
        let inside = vec![rolecall::scim::patch::MemberOp::Add(vec![MemberRef::of(one.uuid(), Some(MemberKind::Group))])];
        let change = |doc: &Document| Ok(GroupInput { document: doc.clone(), members: inside.clone(), row_hash: None });
        let done = groups::update(store, &ctx(99), &source, outer, None, &change, Execution::Real).await.unwrap();
        assert_eq!(done.effect.members_added, 1);
    }
}
