//! `rolecall apply` and `export`: a declaration is shown, applied, found again, and refused whole.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyError, Change, Secrets};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::export;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, partners};

use crate::support::database::{Database, on_both};

const DEMO: &str = include_str!("../../config/demo.toml");

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

fn secrets() -> Secrets<'static> {
    Secrets { keyring: &KEYS, connections: BTreeMap::new(), tokens: BTreeMap::new() }
}

async fn apply(store: &Store, text: &str) -> Result<Vec<Change>, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    let ctx = Clock.ctx(Actor::Operator);
    apply::apply(store, &ctx, OperatorExtent::assume(), &declaration, &secrets()).await
}

async fn rehearse(store: &Store, text: &str) -> Result<Vec<Change>, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    let ctx = Clock.ctx(Actor::Operator);
    apply::rehearse(store, &ctx, OperatorExtent::assume(), &declaration, &secrets()).await
}

async fn exported(store: &Store) -> Declaration {
    store.snapshot(async |reader| export::export(reader, &OperatorExtent::assume()).await).await.unwrap()
}

async fn partners(store: &Store) -> i64 {
    partners::count(&mut store.reader().await.unwrap(), &OperatorExtent::assume()).await.unwrap()
}

on_both! {
    async fn what_is_shown_is_what_is_done(db: &Database) {
        let shown = rehearse(&db.store, DEMO).await.unwrap();
        assert_eq!(partners(&db.store).await, 0, "a rehearsal changes nothing");
        assert_eq!(apply(&db.store, DEMO).await.unwrap(), shown);
        assert_eq!(partners(&db.store).await, 9);
        assert!(shown.iter().any(|change| change.to_string() == "+ partner lighthouse"));
    }

    async fn applying_again_changes_nothing(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        assert_eq!(apply(&db.store, DEMO).await.unwrap(), []);
    }

    async fn an_export_is_the_same_declaration(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let first = exported(&db.store).await;
        let text = toml::to_string(&first).unwrap();
        assert_eq!(apply(&db.store, &text).await.unwrap(), [], "{text}");
        let elsewhere = Database::sqlite().await;
        apply(&elsewhere.store, &text).await.unwrap();
        assert_eq!(exported(&elsewhere.store).await, first);
        elsewhere.remove().await;
    }

    async fn a_changed_rule_set_is_one_change(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let changed = DEMO.replace(r#"title co "Trainee""#, r#"title co "Intern""#);
        let shown = apply(&db.store, &changed).await.unwrap();
        assert!(shown.iter().all(|change| change.what.starts_with("rule ")), "{shown:?}");
        assert_eq!(apply(&db.store, &changed).await.unwrap(), []);
    }

    async fn a_wrong_declaration_is_refused_whole(db: &Database) {
        for (broken, named) in [
            (DEMO.replace("role = \"Operator\"", "role = \"Opperator\""), "Opperator"),
            (DEMO.replace("memberOf eq \"engineers\"", "memberOf co \"engineers\""), "memberOf eq"),
            (DEMO.replace("title co", "shoeSize co"), "shoeSize"),
            (DEMO.replace("level = \"reseller\"", "level = \"shop\""), "shop"),
            (DEMO.replace("place = \"Technicians\"", "place = \"On call\""), "label"),
            (DEMO.replace("slug = \"harbor-entra\"", "slug = \"harbor_entra\""), "a-z"),
        ] {
            let error = apply(&db.store, &broken).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert_eq!(partners(&db.store).await, 0, "nothing of it is kept");
        }
    }
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let error =
        Declaration::parse("[[partner]]\nkey = \"a\"\nname = \"A\"\nlevel = \"x\"\ncolour = \"red\"\n").unwrap_err();
    assert!(error.to_string().contains("colour") && error.to_string().contains("line 5"), "{error}");
}
