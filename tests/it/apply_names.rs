//! A name in a declaration is bound once: whatever is renamed afterwards, at the source or here, what was declared goes
//! on meaning the same thing, and what `export` writes is what is there.
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyChange, ApplyContext};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::export;
use rolecall::clock::Clock;
use rolecall::domain::ctx::{Actor, Ctx};
use rolecall::domain::directory::Directory;
use rolecall::domain::grant::{Holder, ManualGrant, Scope, ScopeBase};
use rolecall::domain::id::{ExternalGroupId, ScopeId};
use rolecall::domain::rule::ExternalSet;
use rolecall::domain::time::Window;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, StoreError, Tx, directories, grants, partners, roles, rules, user_groups, users};
use serde_json::json;

use crate::support::database::on_both;
use crate::support::stage::Stage;

const DEMO: &str = include_str!("../../config/demo.toml");

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

fn ctx() -> Ctx {
    Clock.ctx(Actor::Operator)
}

async fn lines(store: &Store, text: &str) -> Vec<String> {
    let means = ApplyContext::new(&KEYS);
    let declaration = Declaration::parse(text).unwrap();
    let plan = apply::apply(store, &ctx(), OperatorExtent::assume(), &declaration, &means).await.unwrap();
    plan.changes.iter().map(ApplyChange::to_string).collect()
}

async fn exported(store: &Store) -> String {
    toml::to_string(&export::whole(store, &OperatorExtent::assume()).await.unwrap()).unwrap()
}

/// The external groups that a rule of Harbor's directory asks for.
async fn asked(stage: &Stage, rule: &str) -> Vec<ExternalGroupId> {
    let at = stage.console.partner("harbor").await;
    let mut reader = stage.console.store.reader().await.unwrap();
    let directory = directories::of_partner(&mut reader, &at).await.unwrap().remove(0);
    let found = rules::in_force(&mut reader, &at, directory.id).await.unwrap();
    let found = found.into_iter().find(|one| one.rule.name == rule).unwrap();
    let atoms = found.rule.when.terms.into_iter().flat_map(|term| term.criteria);
    atoms.filter_map(|atom| if let ExternalSet::Group(id) = atom.set { Some(id) } else { None }).collect()
}

async fn rename(stage: &Stage, group: &str, name: &str) {
    let change = json!([{"op": "replace", "path": "displayName", "value": name}]);
    assert!(stage.scim.patch(&format!("/Groups/{group}"), change).await.status < 300);
}

const OPERATORS: &str = "Backup operators run Harbor's customers";

on_both! {
    async fn a_group_that_is_renamed_at_the_source_keeps_its_rules(db: &Database) {
        let stage = Stage::open(db).await;
        let store = &stage.console.store;
        let ops = stage.scim.group("Backup Operators", &[]).await.id();
        let before = asked(&stage, OPERATORS).await;
        assert_eq!(before.iter().map(ToString::to_string).collect::<Vec<_>>(), std::slice::from_ref(&ops));
        rename(&stage, &ops, "Backup Team").await;
        assert_eq!(lines(store, DEMO).await, [""; 0], "the file that was applied means what it meant");
        // An edit of another rule, while a stranger takes the old name.
        let stranger = stage.scim.group("Backup Operators", &[]).await.id();
        let edited = DEMO.replace("department eq \"IT\"", "department eq \"ICT\"");
        let shown = lines(store, &edited).await;
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert!(shown[0].contains("Everyone in IT is a technician"), "{shown:?}");
        assert_eq!(asked(&stage, OPERATORS).await, before, "not the stranger {stranger}");
        // What is exported calls it by its name of now, and so does who goes on with that file.
        let text = exported(store).await;
        assert!(text.contains("Backup Team") && !text.contains("Backup Operators"), "{text}");
        assert_eq!(lines(store, &text).await, [""; 0]);
        rename(&stage, &ops, "Third name").await;
        assert_eq!(lines(store, &text).await, [""; 0], "the exported file was applied with that name");
        assert_eq!(lines(store, &edited).await, [""; 0]);
        let again = text.replace("department eq \"ICT\"", "department eq \"IT\"");
        assert_ne!(again, text);
        assert_eq!(lines(store, &again).await.len(), 1);
        assert_eq!(asked(&stage, OPERATORS).await, before);
        assert_eq!(lines(store, &exported(store).await).await, [""; 0]);
        stage.console.app.stop().await;
    }

    async fn names_that_change_places_do_not_change_the_rules(db: &Database) {
        let stage = Stage::open(db).await;
        let store = &stage.console.store;
        let two = DEMO.replace(
            "'memberOf eq \"Backup Operators\"'\ngrant",
            "'memberOf eq \"One\" and not (memberOf eq \"Two\")'\ngrant",
        );
        let (one, other) = (stage.scim.group("One", &[]).await.id(), stage.scim.group("Two", &[]).await.id());
        assert_eq!(lines(store, &two).await.len(), 1);
        let before = asked(&stage, OPERATORS).await;
        for (first, second) in [("x", "One"), ("Two", "One"), ("Same", "Same"), ("Two", "Elsewhere"), ("One", "Two")] {
            rename(&stage, &one, "passing").await;
            rename(&stage, &other, second).await;
            rename(&stage, &one, first).await;
            assert_eq!(lines(store, &two).await, [""; 0], "{first}, {second}");
            let text = exported(store).await;
            assert_eq!(lines(store, &text).await, [""; 0], "{first}, {second}: {text}");
            assert_eq!(asked(&stage, OPERATORS).await, before);
        }
        stage.console.app.stop().await;
    }

    async fn a_rule_looks_for_another_group_only_when_its_own_is_gone(db: &Database) {
        let stage = Stage::open(db).await;
        let store = &stage.console.store;
        let first = stage.scim.group("Backup Operators", &[]).await.id();
        assert_eq!(stage.scim.delete(&format!("/Groups/{first}")).await.status, 204);
        assert_eq!(lines(store, DEMO).await, [""; 0], "gone, and nobody has the name: it waits");
        let text = exported(store).await;
        assert!(text.contains("Backup Operators"));
        assert_eq!(lines(store, &text).await, [""; 0]);
        let second = stage.scim.group("Backup Operators", &[]).await.id();
        let shown = lines(store, DEMO).await;
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown.iter().all(|line| line.contains("`Backup Operators` is the group that has the name now")), "{shown:?}");
        assert_eq!(asked(&stage, OPERATORS).await.iter().map(ToString::to_string).collect::<Vec<_>>(), [second]);
        assert_eq!(lines(store, DEMO).await, [""; 0]);
        stage.console.app.stop().await;
    }

    async fn what_is_renamed_here_is_exported_as_it_is(db: &Database) {
        let stage = Stage::open(db).await;
        let store = &stage.console.store;
        let at = stage.console.partner("harbor").await;
        store.write(async |tx: &mut Tx| -> Result<(), StoreError> {
            for name in ["Technicians", "On call"] {
                let group = user_groups::by_name(tx, &at, name).await?.unwrap();
                user_groups::rename(tx, &at, group.id, &format!("{name} of Harbor")).await?;
            }
            partners::rename(tx, &at, "Harbour", ctx().now()).await?;
            for directory in directories::of_partner(tx, &at).await? {
                let renamed = Directory { name: format!("{} 2", directory.name), ..directory };
                directories::update(tx, &at, &renamed).await?;
            }
            let henrik = users::by_login(tx, &at, "henrik@harbor.example").await?.unwrap();
            let profile = users::get(tx, &at, henrik).await?.unwrap().profile;
            let profile = rolecall::domain::user::UserProfile { login_name: Some("hh".to_owned()), ..profile };
            users::set_at(tx, &at, henrik, &profile, ctx().now()).await
        })
        .await
        .unwrap();
        let text = exported(store).await;
        assert!(text.contains("On call of Harbor") && text.contains("Harbour") && text.contains("\"hh\""), "{text}");
        assert_eq!(lines(store, &text).await, [""; 0]);
        stage.console.app.stop().await;
    }

    async fn a_name_that_another_one_hides_is_written_as_an_id(db: &Database) {
        let stage = Stage::open(db).await;
        let store = &stage.console.store;
        // Harbor gets an Operator of its own, after Operator of the catalog was given there.
        let hides = "\n[[role]]\npartner = \"harbor\"\nname = \"Operator\"\nparent = \"Supporter\"\ncapabilities = []\n";
        assert_eq!(lines(store, hides).await.len(), 1, "one role more");
        let text = exported(store).await;
        assert_eq!(lines(store, &text).await, [""; 0], "{text}");
        assert!(!text.contains("role = \"Operator\""), "the ceiling does not name the new one: {text}");
        stage.console.app.stop().await;
    }

    async fn what_a_scope_leaves_out_is_not_lost(db: &Database) {
        let stage = Stage::open(db).await;
        let store = &stage.console.store;
        let at = stage.console.partner("harbor").await;
        store.write(async |tx: &mut Tx| -> Result<(), StoreError> {
            let holder = user_groups::by_name(tx, &at, "On call").await?.unwrap().id;
            let out = user_groups::by_name(tx, &at, "Technicians").await?.unwrap().id;
            let role = roles::usable_by_name(tx, &at, "Supporter").await?.unwrap().id;
            let mut scope = Scope::of(ScopeBase::Subtree { partner: at.partner() });
            scope.excluded_user_groups.insert(out);
            let grant = ManualGrant {
                id: ctx().id(), role, holder: Holder::Group(holder), scope, window: Window::default(),
                granted_by: None, reason: None, created_at: ctx().now(),
            };
            grants::insert(tx, &OperatorExtent::assume(), &[(ctx().id::<ScopeId>(), grant)]).await
        })
        .await
        .unwrap();
        let text = exported(store).await;
        assert!(text.contains("exclude_user_groups"), "{text}");
        assert_eq!(lines(store, &text).await, [""; 0]);
        stage.console.app.stop().await;
    }
}
